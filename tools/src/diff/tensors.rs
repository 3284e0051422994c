//! Tensors of two files: how they are stored, and how far their values are apart.

use std::collections::BTreeMap;

use distil_format::{Artifact, Tensor, TensorId};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::Serialize;

use crate::pack::{TensorError, unpack};

/// A tensor that is not the same in both files; its JSON.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct TensorReport {
    /// Its name.
    pub name: String,
    /// How the first file stores it; null if it has no such tensor.
    pub a: Option<Stored>,
    /// How the second file stores it; null if it has no such tensor.
    pub b: Option<Stored>,
    /// How far the second file's values, as float, are from the first one's; null if the shapes differ.
    pub difference: Option<TensorError>,
}

/// How a tensor is stored.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Stored {
    /// Type of its values.
    pub dtype: &'static str,
    /// Order of its values.
    pub layout: &'static str,
    /// Rows (output channels, table entries).
    pub rows: usize,
    /// Columns (inputs).
    pub cols: usize,
    /// Bytes of values and scales.
    pub bytes: usize,
}

impl Stored {
    fn new(tensor: &Tensor<'_>) -> Self {
        Self {
            dtype: tensor.dtype.name(),
            layout: tensor.layout.name(),
            rows: tensor.rows,
            cols: tensor.cols,
            bytes: tensor.data.len() + tensor.scales.len(),
        }
    }
}

/// How many tensors are the same, and the others in the order of the first file.
pub(super) fn compare(a: &Artifact<'_>, b: &Artifact<'_>, tick: impl Fn() + Sync) -> (usize, Vec<TensorReport>) {
    let by_id: BTreeMap<(u8, u32), Tensor<'_>> = b.tensors().map(|tensor| (key(tensor.id), tensor)).collect();
    let firsts: Vec<Tensor<'_>> = a.tensors().collect();
    let reports: Vec<Option<TensorReport>> = firsts
        .par_iter()
        .map(|first| {
            let second = by_id.get(&key(first.id));
            let report = second.map_or_else(|| Some(alone(first, true)), |second| pair(first, second));
            tick();
            report
        })
        .collect();
    let same = reports.iter().filter(|report| report.is_none()).count();
    let known: BTreeMap<(u8, u32), ()> = firsts.iter().map(|tensor| (key(tensor.id), ())).collect();
    let added = b.tensors().filter(|tensor| !known.contains_key(&key(tensor.id)));
    (same, reports.into_iter().flatten().chain(added.map(|tensor| alone(&tensor, false))).collect())
}

fn key(id: TensorId) -> (u8, u32) {
    (id.role.code(), id.layer)
}

fn alone(tensor: &Tensor<'_>, first: bool) -> TensorReport {
    let (name, stored) = (tensor.id.to_string(), Some(Stored::new(tensor)));
    let (a, b) = if first { (stored, None) } else { (None, stored) };
    TensorReport { name, a, b, difference: None }
}

/// `None` for tensors that are the same to the byte.
fn pair(first: &Tensor<'_>, second: &Tensor<'_>) -> Option<TensorReport> {
    let (a, b) = (Stored::new(first), Stored::new(second));
    if a == b && first.data == second.data && first.scales == second.scales {
        return None;
    }
    let comparable = (a.rows, a.cols) == (b.rows, b.cols);
    let difference = comparable.then(|| TensorError::between(&unpack(first), &unpack(second), a.cols));
    Some(TensorReport { name: first.id.to_string(), a: Some(a), b: Some(b), difference })
}
