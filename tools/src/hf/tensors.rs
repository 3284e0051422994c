//! `model.safetensors`: every tensor by its canonical name, converted to float32 when it is taken.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors};
use sha2::{Digest, Sha256};

use super::error::{HfError, Problem};

/// A matrix (or, with one row, a vector) of float32 weights.
#[derive(Clone, Debug)]
pub struct Tensor {
    /// Its name in the source file.
    pub name: String,
    /// Rows: output channels of a linear layer, entries of a table, 1 for a vector.
    pub rows: usize,
    /// Columns: inputs of a linear layer, width of a table, length of a vector.
    pub cols: usize,
    /// Row by row.
    pub data: Vec<f32>,
}

/// The bytes of a safetensors file, checked once; tensors are converted as they are taken.
pub struct TensorFile {
    path: PathBuf,
    bytes: Vec<u8>,
    /// Canonical name to name in the file.
    names: BTreeMap<String, String>,
}

impl TensorFile {
    /// Reads `model.safetensors` in `folder`.
    pub fn read(folder: &Path) -> Result<Self, HfError> {
        let path = folder.join("model.safetensors");
        let bytes = std::fs::read(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => match other_weights(folder) {
                Some(found) => Problem::OtherWeights { found }.at(&path),
                None => Problem::Missing.at(&path),
            },
            _ => Problem::Io(error).at(&path),
        })?;
        let parsed =
            SafeTensors::deserialize(&bytes).map_err(|error| Problem::NotSafetensors(error.to_string()).at(&path))?;
        let mut names = BTreeMap::new();
        let mut in_file: Vec<&str> = parsed.names();
        in_file.sort_unstable();
        for name in in_file {
            let canonical = canonical_name(name);
            if let Some(first) = names.insert(canonical.clone(), name.to_owned()) {
                return Err(Problem::TensorTwice { tensor: canonical, first, second: name.into() }.at(&path));
            }
        }
        Ok(Self { path, bytes, names })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// SHA-256 of the whole file, in hexadecimal.
    pub fn sha256(&self) -> String {
        Sha256::digest(&self.bytes).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether a tensor of this canonical name is there.
    pub fn has(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// Every canonical name, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    /// The shape of a tensor, if it is there.
    pub fn shape(&self, name: &str) -> Option<Vec<usize>> {
        let in_file = self.names.get(name)?;
        Some(self.parsed().tensor(in_file).ok()?.shape().to_vec())
    }

    /// Takes a tensor as float32, checked for its shape and for values that are not finite. `None`: not there.
    pub fn take(&self, name: &str, shape: &[usize]) -> Result<Option<Tensor>, HfError> {
        let Some(in_file) = self.names.get(name) else { return Ok(None) };
        let tensor = in_file.clone();
        let parsed = self.parsed();
        let view = parsed.tensor(in_file).map_err(|error| Problem::NotSafetensors(error.to_string()).at(&self.path))?;
        if view.shape() != shape {
            return Err(
                Problem::Shape { tensor, expected: shape.to_vec(), found: view.shape().to_vec() }.at(&self.path)
            );
        }
        let Some(data) = to_f32(view.dtype(), view.data()) else {
            return Err(Problem::TensorType { tensor, dtype: format!("{:?}", view.dtype()) }.at(&self.path));
        };
        let nan = data.iter().filter(|value| value.is_nan()).count();
        let infinite = data.iter().filter(|value| value.is_infinite()).count();
        if nan + infinite > 0 {
            return Err(Problem::NotFinite { tensor, nan, infinite, of: data.len() }.at(&self.path));
        }
        let cols = shape.last().copied().unwrap_or(1);
        Ok(Some(Tensor { name: tensor, rows: shape.iter().rev().skip(1).product(), cols, data }))
    }

    /// The header is parsed again at each use (microseconds): a view cannot be stored beside the bytes it borrows.
    fn parsed(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.bytes).expect("checked when the file was read")
    }
}

/// The name without the model prefix, with today's names for layer normalization.
fn canonical_name(name: &str) -> String {
    let name = name.strip_prefix("bert.").or_else(|| name.strip_prefix("distilbert.")).unwrap_or(name);
    if let Some(stem) = name.strip_suffix("LayerNorm.gamma").or_else(|| name.strip_suffix("layer_norm.gamma")) {
        return format!("{stem}{}.weight", &name[stem.len()..name.len() - ".gamma".len()]);
    }
    if let Some(stem) = name.strip_suffix("LayerNorm.beta").or_else(|| name.strip_suffix("layer_norm.beta")) {
        return format!("{stem}{}.bias", &name[stem.len()..name.len() - ".beta".len()]);
    }
    name.to_owned()
}

fn to_f32(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    let pairs = || bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    Some(match dtype {
        Dtype::F32 => {
            bytes.chunks_exact(4).map(|word| f32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect()
        }
        Dtype::F16 => pairs().map(|bits| f16::from_bits(bits).to_f32()).collect(),
        Dtype::BF16 => pairs().map(|bits| bf16::from_bits(bits).to_f32()).collect(),
        _ => return None,
    })
}

/// Weights in a form that is not read here, for the error message.
fn other_weights(folder: &Path) -> Option<&'static str> {
    ["model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json", "tf_model.h5", "model.onnx"]
        .into_iter()
        .find(|name| folder.join(name).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_prefix_and_old_norm_spelling() {
        for (found, expected) in [
            ("bert.embeddings.LayerNorm.gamma", "embeddings.LayerNorm.weight"),
            ("distilbert.transformer.layer.0.sa_layer_norm.beta", "transformer.layer.0.sa_layer_norm.bias"),
            ("encoder.layer.1.output.LayerNorm.weight", "encoder.layer.1.output.LayerNorm.weight"),
            ("cls.predictions.bias", "cls.predictions.bias"),
        ] {
            assert_eq!(canonical_name(found), expected);
        }
    }

    #[test]
    fn halves_widen_exactly() {
        assert_eq!(to_f32(Dtype::F16, &f16::from_f32(0.5).to_bits().to_le_bytes()), Some(vec![0.5]));
        assert_eq!(to_f32(Dtype::BF16, &bf16::from_f32(-3.0).to_bits().to_le_bytes()), Some(vec![-3.0]));
        assert_eq!(to_f32(Dtype::I64, &[0; 8]), None);
    }
}
