//! What a packed file says of itself, without running it: its parts, its tensors, the memory it needs.

use distil_format::{Artifact, Role, Tensor};
use distil_runtime::{Plan, arena_len};
use rayon::prelude::*;
use serde::Serialize;

use super::spread::{Gather, Spread};
use crate::hf;
use crate::pack::{self, Manifest, TensorError};

/// A packed file; part of the report's JSON.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Facts {
    /// Its name on the page.
    pub name: String,
    /// Its size.
    pub bytes: usize,
    /// Its checksum, as its header has it.
    pub checksum: String,
    /// Family, layers and sizes in words.
    pub model: String,
    /// The head's name.
    pub head: &'static str,
    /// Values in all tensors.
    pub parameters: usize,
    /// The longest input, in tokens.
    pub max_tokens: usize,
    /// Program that packed it and what it was told; `None` without a manifest.
    pub recipe: Option<String>,
    /// Every tensor, in the file's order.
    pub tensors: Vec<TensorFacts>,
    /// What is not a tensor: vocabulary, labels, manifest, and the rest. With the tensors this is every byte.
    pub others: Vec<Other>,
    /// Working memory for inputs of some lengths.
    pub arena: Vec<Arena>,
}

/// A tensor.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct TensorFacts {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub role: &'static str,
    /// Its layer, where it has one.
    pub layer: Option<u32>,
    /// Stored type.
    pub dtype: &'static str,
    /// Order of its elements.
    pub layout: &'static str,
    /// Rows: output channels, or entries of a table.
    pub rows: usize,
    /// Columns.
    pub cols: usize,
    /// Bytes of elements and scales.
    pub bytes: usize,
    /// How its values are spread, as they are stored.
    pub range: Spread,
    /// Its error: measured where the original is given, else as the manifest has it.
    pub error: Option<TensorError>,
}

/// A part of a file that is no tensor.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct Other {
    /// What it is.
    pub name: &'static str,
    /// Its size.
    pub bytes: usize,
}

/// Bytes of working memory for inputs of a length, by plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Arena {
    /// Tokens.
    pub tokens: usize,
    /// All rows go through a layer together.
    pub large_bytes: usize,
    /// Up to 56 rows do.
    pub fast_bytes: usize,
    /// Up to 8 rows do.
    pub small_bytes: usize,
}

impl Facts {
    /// Reads them off a file. With its float original the error of each tensor is measured.
    pub fn new(name: &str, artifact: &Artifact<'_>, original: Option<&hf::Model>, tick: impl Fn() + Sync) -> Self {
        let config = artifact.config();
        let manifest = Manifest::from_cbor(artifact.manifest()).ok();
        let tensors: Vec<Tensor<'_>> = artifact.tensors().collect();
        let tensors: Vec<TensorFacts> = tensors
            .par_iter()
            .map(|tensor| {
                let facts = TensorFacts::new(tensor, original, manifest.as_ref());
                tick();
                facts
            })
            .collect();
        let section = |name: &str| {
            let mut sections = artifact.sections();
            sections.find(|(kind, _)| kind.name() == name).map_or(0, |(_, range)| range.len())
        };
        let (vocabulary, labels, manifest_bytes) = (section("vocabulary"), section("labels"), section("manifest"));
        let known = tensors.iter().map(|tensor| tensor.bytes).sum::<usize>() + vocabulary + labels + manifest_bytes;
        let other = |name, bytes| Other { name, bytes };
        let lengths = (3..=16).map(|power| 1 << power).filter(|&tokens| tokens < config.max_positions as usize);
        Self {
            name: name.to_owned(),
            bytes: artifact.len(),
            checksum: format!("{:08x}", artifact.checksum()),
            model: format!(
                "{}, {} layers of {}, {} heads, feed-forward {}",
                config.architecture, config.layers, config.hidden, config.heads, config.intermediate
            ),
            head: config.head.name(),
            parameters: tensors.iter().map(|tensor| tensor.rows * tensor.cols).sum(),
            max_tokens: config.max_positions as usize,
            recipe: manifest.as_ref().map(recipe),
            others: vec![
                other("vocabulary", vocabulary),
                other("labels", labels),
                other("manifest", manifest_bytes),
                other("header, tables, padding", artifact.len() - known),
            ],
            arena: lengths.chain([config.max_positions as usize]).map(|tokens| arena(artifact, tokens)).collect(),
            tensors,
        }
    }
}

impl TensorFacts {
    fn new(tensor: &Tensor<'_>, original: Option<&hf::Model>, manifest: Option<&Manifest>) -> Self {
        let name = tensor.id.to_string();
        let values = pack::unpack(tensor);
        let mut range = Gather::default();
        range.add(&values);
        let source = original.and_then(|model| pack::source(model, tensor.id));
        let source = source.filter(|source| source.data.len() == values.len());
        let migrated = manifest.map_or(&[][..], Manifest::migrated);
        let source = source.map(|source| pack::migrate(tensor.id, source, migrated));
        let measured = source.map(|source| TensorError::between(&source.data, &values, tensor.cols));
        let recorded = || {
            let records = &manifest?.tensors;
            records.iter().find(|record| record.name == name).map(|record| record.error.clone())
        };
        Self {
            role: tensor.id.role.name(),
            layer: tensor.id.role.is_per_layer().then_some(tensor.id.layer),
            dtype: tensor.dtype.name(),
            layout: tensor.layout.name(),
            rows: tensor.rows,
            cols: tensor.cols,
            bytes: tensor.data.len() + tensor.scales.len(),
            range: range.spread().expect("a tensor has a value"),
            error: measured.or_else(recorded),
            name,
        }
    }

    /// The part of a model it belongs to.
    pub fn part(&self) -> String {
        match (self.layer, self.role.parse::<Role>()) {
            (Some(layer), _) => format!("layer {layer}"),
            (None, Ok(role)) if role < Role::Query => "embeddings".to_owned(),
            _ => "head".to_owned(),
        }
    }
}

fn arena(artifact: &Artifact<'_>, tokens: usize) -> Arena {
    let [large_bytes, fast_bytes, small_bytes] =
        [Plan::LARGE, Plan::FAST, Plan::SMALL].map(|plan| arena_len(artifact, tokens, plan));
    Arena { tokens, large_bytes, fast_bytes, small_bytes }
}

fn recipe(manifest: &Manifest) -> String {
    let recipe = &manifest.recipe;
    let kept: String = recipe.keep_int8.iter().map(|role| format!(", {role} int8")).collect();
    format!(
        "{}: weights {}, embeddings {}{kept}, layout {}",
        manifest.tool, recipe.weights, recipe.embeddings, recipe.layout
    )
}
