//! Which tensors share a small plot: the same one of every layer, or those outside the layers that are alike.

use distil_format::{Role, RoleKind};

use crate::report::TensorFacts;
use crate::report::plot::Panel;

/// The place of a tensor: its plot and its column.
pub(super) fn place(tensor: &TensorFacts) -> (String, String) {
    if let Some(layer) = tensor.layer {
        return (tensor.role.to_owned(), layer.to_string());
    }
    let without = |end: &str| tensor.role.strip_suffix(end).unwrap_or(tensor.role).to_owned();
    match tensor.role.parse::<Role>().map(Role::kind) {
        Ok(RoleKind::Table) => ("embedding tables".to_owned(), without("-embedding")),
        Ok(RoleKind::Bias) => ("head, biases".to_owned(), without("-bias")),
        Ok(RoleKind::Norm) => {
            let (norm, part) = tensor.role.rsplit_once('-').unwrap_or((tensor.role, ""));
            (norm.to_owned(), part.to_owned())
        }
        _ => ("head, matrices".to_owned(), tensor.role.to_owned()),
    }
}

/// The plots for some tensors, in the order of the tensors, each with its columns.
pub(super) fn panels<'a>(tensors: impl Iterator<Item = &'a TensorFacts>) -> Vec<Panel> {
    let mut panels: Vec<Panel> = Vec::new();
    for tensor in tensors {
        let (title, column) = place(tensor);
        let at = panels.iter().position(|panel| panel.title == title).unwrap_or_else(|| {
            panels.push(Panel { title, columns: Vec::new(), joined: tensor.layer.is_some() });
            panels.len() - 1
        });
        if !panels[at].columns.contains(&column) {
            panels[at].columns.push(column);
        }
    }
    // Files of different depth give their layers in any order.
    for panel in panels.iter_mut().filter(|panel| panel.joined) {
        panel.columns.sort_by_key(|column| column.parse::<u32>().unwrap_or(u32::MAX));
    }
    panels
}

/// The column of a tensor in a plot; `None` if it belongs to another.
pub(super) fn column(panel: &Panel, tensor: &TensorFacts) -> Option<usize> {
    let (title, column) = place(tensor);
    if title == panel.title { panel.columns.iter().position(|name| *name == column) } else { None }
}
