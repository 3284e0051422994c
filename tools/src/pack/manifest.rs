//! The CBOR manifest inside a packed file: where it came from and what packing cost. The device never reads it.

use serde::{Deserialize, Serialize};

use super::error_stats::TensorError;
use super::migrated::Migrated;
use crate::keep_vocabulary::Kept;

/// Provenance of a packed file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Program and version that wrote the file.
    pub tool: String,
    /// SHA-256 of the weights it was made from, in hexadecimal: of `model.safetensors`, or of the lines that `sha256sum`
    /// prints for the shards in the order of their names.
    pub source_sha256: String,
    /// `bert` or `distilbert`.
    pub architecture: String,
    /// What was asked for.
    pub recipe: Recipe,
    /// What stayed of the vocabulary, where entries were dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_vocabulary: Option<Kept>,
    /// Each tensor: its name in the source and the error of packing it, in the file's order.
    pub tensors: Vec<TensorRecord>,
}

/// The storage asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Matrices: `int8`, `int4g32`, `int4g64` (int4 in groups of 32 or 64), `int3g32` or `f32`.
    pub weights: String,
    /// Tables, the same.
    pub embeddings: String,
    /// Layout of integer matrices.
    pub layout: String,
    /// Roles that are int8 whatever the storage.
    pub keep_int8: Vec<String>,
    /// The length of the file that was asked for, in bytes, where the types of tensors were chosen for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<u64>,
    /// What the model was calibrated on; `None`: each value was rounded to the nearest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
}

/// What a model was calibrated on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Calibration {
    /// The method, which changes its name when its results change.
    pub method: String,
    /// SHA-256 of the text file, in hexadecimal.
    pub text_sha256: String,
    /// Lines of it that were used.
    pub sequences: usize,
    /// Tokens of them.
    pub tokens: usize,
    /// Outlier channels that were moved. Errors of tensors are measured after that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub migrated_channels: Vec<Migrated>,
}

/// One tensor of the manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TensorRecord {
    /// Its name in the packed file.
    pub name: String,
    /// Its name in `model.safetensors`.
    pub source: String,
    /// Its stored type.
    pub dtype: String,
    /// Its layout.
    pub layout: String,
    /// The error of packing it. Calibration changes biases and normalizations on purpose: theirs is that of storing
    /// what it made of them.
    pub error: TensorError,
}

impl Manifest {
    /// Channels that calibration moved; none without calibration.
    pub fn migrated(&self) -> &[Migrated] {
        self.recipe.calibration.as_ref().map_or(&[], |calibration| &calibration.migrated_channels)
    }

    /// The manifest as CBOR.
    ///
    /// # Panics
    ///
    /// Never: strings and numbers have a CBOR form, and memory takes any length.
    pub fn to_cbor(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        ciborium::into_writer(self, &mut bytes).expect("a manifest has a CBOR form");
        bytes
    }

    /// Reads a manifest; the error says what is not as expected.
    pub fn from_cbor(bytes: &[u8]) -> Result<Self, String> {
        ciborium::from_reader(bytes).map_err(|error| error.to_string())
    }
}
