//! From a Hugging Face folder to the bytes of a packed file.

mod error_stats;
mod grid;
mod grouped;
mod manifest;
mod migrated;
mod quantize;
mod rounded;
mod tensors;

use distil_format::{
    Architecture, Config, Dtype, Layout, Pooling, Role, RoleKind, Tensor, TensorId, WriteError, build_vocabulary,
};

use crate::calibrate::Calibrated;
use crate::hf::{self, Model, Vocabulary};

pub use error_stats::TensorError;
pub(crate) use grid::Grid;
pub use manifest::{Calibration, Manifest, Recipe, TensorRecord};
pub use migrated::{Activation, MOST_HALVINGS, Migrated, migrate};
pub use rounded::Rounded;
pub(crate) use tensors::{group, round};
pub use tensors::{source, unpack};

/// How matrices and tables are stored: [`Dtype::Int8`], [`Dtype::Int4G32`], [`Dtype::Int4G64`], [`Dtype::Int3G32`]
/// or [`Dtype::F32`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storage {
    /// Matrices of the layers and the head. With `F32` biases stay float32 too.
    pub weights: Dtype,
    /// Word and position tables; token types stay float32.
    pub embeddings: Dtype,
}

/// Storage, the order of the matrices, and exceptions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packing {
    /// Storage of whatever is no exception.
    pub storage: Storage,
    /// Layout of integer matrices, one of the tiled ones. Float matrices have [`Layout::Tile16`], the only one for them.
    pub layout: Layout,
    /// Matrices and tables that are int8 whatever the storage.
    pub keep_int8: Vec<Role>,
    /// Matrices and tables with a type of their own, which goes before everything else.
    pub chosen: Vec<(TensorId, Dtype)>,
    /// The length of the file that was asked for, in bytes: [`Packing::chosen`] was made for it.
    pub budget: Option<u64>,
}

impl From<Storage> for Packing {
    /// The portable layout, no exceptions.
    fn from(storage: Storage) -> Self {
        Self { storage, layout: Layout::Tile16, keep_int8: Vec::new(), chosen: Vec::new(), budget: None }
    }
}

impl Packing {
    /// Type and layout of a tensor. Biases: [`Dtype::F16`], where their values fit.
    fn of(&self, id: TensorId) -> (Dtype, Layout) {
        let Storage { weights, embeddings } = self.storage;
        if let Some(&(_, dtype)) = self.chosen.iter().find(|(tensor, _)| *tensor == id) {
            return (dtype, self.layout_of(id.role, dtype));
        }
        let kept = self.keep_int8.contains(&id.role);
        match id.role.kind() {
            RoleKind::Table | RoleKind::Matrix if kept => (Dtype::Int8, self.layout_of(id.role, Dtype::Int8)),
            // Two rows, one of which is added to every token: exact for a few kilobytes.
            RoleKind::Table if id.role == Role::TokenTypeEmbedding => (Dtype::F32, Layout::RowMajor),
            RoleKind::Table => (embeddings, Layout::RowMajor),
            RoleKind::Matrix => (weights, self.layout_of(id.role, weights)),
            RoleKind::Bias if weights != Dtype::F32 => (Dtype::F16, Layout::RowMajor),
            RoleKind::Bias | RoleKind::Norm => (Dtype::F32, Layout::RowMajor),
        }
    }

    /// Type of a tensor.
    pub fn dtype(&self, id: TensorId) -> Dtype {
        self.of(id).0
    }

    fn layout_of(&self, role: Role, dtype: Dtype) -> Layout {
        match (role.kind(), dtype) {
            (RoleKind::Matrix, Dtype::F32) => Layout::Tile16,
            (RoleKind::Matrix, _) => self.layout,
            _ => Layout::RowMajor,
        }
    }
}

/// Packs a model with its vocabulary. `progress` is told how many tensors are done, and of how many.
///
/// The same input gives the same bytes.
///
/// # Errors
/// [`WriteError`] if the model is outside the bounds of the format (too many layers, positions, entries, ...).
pub fn pack(
    model: &Model,
    vocabulary: &Vocabulary,
    packing: impl Into<Packing>,
    pooling: hf::Pooling,
    progress: impl FnMut(usize, usize),
) -> Result<Vec<u8>, WriteError> {
    pack_calibrated(model, None, vocabulary, &packing.into(), pooling, progress)
}

/// [`pack`] with what calibration made of the model, and the record of it for the manifest.
///
/// # Errors
/// As [`pack`].
pub fn pack_calibrated(
    model: &Model,
    calibrated: Option<(&Calibrated, Calibration)>,
    vocabulary: &Vocabulary,
    packing: &Packing,
    pooling: hf::Pooling,
    mut progress: impl FnMut(usize, usize),
) -> Result<Vec<u8>, WriteError> {
    let config = config(model, vocabulary, pooling);
    let count = config.tensor_count();
    let mut data = Vec::with_capacity(count);
    let mut records = Vec::with_capacity(count);
    for (done, id) in config.tensor_ids().enumerate() {
        let original = source(model, id).expect("the configuration was made from this model");
        let calibrated = calibrated.as_ref().map(|(made, _)| *made);
        let tensor = calibrated.and_then(|calibrated| source(&calibrated.model, id)).unwrap_or(original);
        let stored = tensors::store(id, tensor, packing.of(id), calibrated.and_then(|made| made.rounded(id)));
        let view = Tensor {
            id,
            dtype: stored.dtype,
            layout: stored.layout,
            rows: tensor.rows,
            cols: tensor.cols,
            data: &stored.data,
            scales: &stored.scales,
        };
        records.push(TensorRecord {
            name: id.to_string(),
            source: tensor.name.clone(),
            dtype: stored.dtype.to_string(),
            layout: stored.layout.to_string(),
            error: TensorError::between(&tensor.data, &unpack(&view), tensor.cols),
        });
        data.push(stored);
        progress(done + 1, count);
    }
    let manifest = Manifest {
        tool: concat!("distil-tools ", env!("CARGO_PKG_VERSION")).to_owned(),
        source_sha256: model.sha256.clone(),
        architecture: model.config.architecture.name().to_owned(),
        recipe: Recipe {
            weights: match packing.chosen.is_empty() {
                true => packing.storage.weights.to_string(),
                false => format!("mixed {} and int8", packing.storage.weights),
            },
            embeddings: packing.storage.embeddings.to_string(),
            layout: packing.layout.to_string(),
            keep_int8: packing.keep_int8.iter().map(Role::to_string).collect(),
            budget: packing.budget,
            calibration: calibrated.map(|(_, record)| record),
        },
        kept_vocabulary: vocabulary.kept.clone(),
        tensors: records,
    };
    let vocabulary = build_vocabulary(&vocabulary.pieces)?;
    distil_format::write(&config, data, &vocabulary, &model.labels, &manifest.to_cbor())
}

/// The packed file's configuration.
pub(crate) fn config(model: &Model, vocabulary: &Vocabulary, pooling: hf::Pooling) -> Config {
    // Sizes were checked to be at most 2^24 when the folder was read.
    let size = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    let shape = &model.config;
    Config {
        architecture: match shape.architecture {
            hf::Architecture::Bert => Architecture::Bert,
            hf::Architecture::DistilBert => Architecture::DistilBert,
        },
        hidden: size(shape.hidden),
        layers: size(shape.layers),
        heads: size(shape.heads),
        intermediate: size(shape.intermediate),
        vocab_size: size(shape.vocab_size),
        max_positions: size(shape.positions),
        type_vocab: size(shape.token_types),
        layer_norm_eps: shape.layer_norm_eps,
        head: model.head.into(),
        pooling: if pooling.cls { Pooling::Cls } else { Pooling::Mean },
        normalize: pooling.normalize,
        labels: size(model.labels.len()),
        problem: model.problem,
        lowercase: vocabulary.lowercase,
        strip_accents: vocabulary.strip_accents,
        split_cjk: vocabulary.split_cjk,
        pad_id: vocabulary.special.pad,
        unk_id: vocabulary.special.unk,
        cls_id: vocabulary.special.cls,
        sep_id: vocabulary.special.sep,
        mask_id: vocabulary.special.mask,
    }
}
