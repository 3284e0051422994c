//! The tensors of a folder, in one file or several: each by its canonical name, converted to float32 when it is taken.

use std::collections::BTreeMap;
use std::path::Path;

use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors};

use super::error::{HfError, Problem};
use super::shards::{Shard, Shards};

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

/// The bytes of a folder's safetensors files, checked once; tensors are converted as they are taken.
pub struct TensorFile {
    shards: Shards,
    /// Canonical name to number of the shard and name in it.
    names: BTreeMap<String, (usize, String)>,
}

impl TensorFile {
    /// Reads `model.safetensors` in `folder`, or the shards of `model.safetensors.index.json`.
    pub fn read(folder: &Path) -> Result<Self, HfError> {
        let shards = Shards::read(folder)?;
        let mut names = BTreeMap::<String, (usize, String)>::new();
        for (number, shard) in shards.files.iter().enumerate() {
            let parsed = SafeTensors::deserialize(&shard.bytes)
                .map_err(|error| Problem::NotSafetensors(error.to_string()).at(&shard.path))?;
            let mut in_file: Vec<&str> = parsed.names();
            in_file.sort_unstable();
            if let Some(tensor) = shard.promised.iter().find(|name| in_file.binary_search(&&name[..]).is_err()) {
                return Err(Problem::NotInShard { tensor: tensor.clone() }.at(&shard.path));
            }
            for name in in_file {
                let canonical = canonical_name(name);
                if let Some((_, first)) = names.insert(canonical.clone(), (number, name.to_owned())) {
                    return Err(Problem::TensorTwice { tensor: canonical, first, second: name.into() }.at(&shard.path));
                }
            }
        }
        Ok(Self { shards, names })
    }

    /// The file, or the index of the files.
    pub fn path(&self) -> &Path {
        &self.shards.path
    }

    /// SHA-256 in hexadecimal: of the file, or of the lines that `sha256sum` prints for the shards in the order of
    /// their names.
    pub fn sha256(&self) -> String {
        self.shards.sha256()
    }

    /// Bytes of all files together.
    pub fn bytes(&self) -> usize {
        self.shards.len()
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
        let (number, in_file) = self.names.get(name)?;
        Some(parsed(&self.shards.files[*number]).tensor(in_file).ok()?.shape().to_vec())
    }

    /// Takes a tensor as float32, checked for its shape and for values that are not finite. `None`: not there.
    pub fn take(&self, name: &str, shape: &[usize]) -> Result<Option<Tensor>, HfError> {
        let Some((number, in_file)) = self.names.get(name) else { return Ok(None) };
        let shard = &self.shards.files[*number];
        let (tensor, path) = (in_file.clone(), &shard.path);
        let parsed = parsed(shard);
        let view = parsed.tensor(in_file).map_err(|error| Problem::NotSafetensors(error.to_string()).at(path))?;
        if view.shape() != shape {
            return Err(Problem::Shape { tensor, expected: shape.to_vec(), found: view.shape().to_vec() }.at(path));
        }
        let Some(data) = to_f32(view.dtype(), view.data()) else {
            return Err(Problem::TensorType { tensor, dtype: format!("{:?}", view.dtype()) }.at(path));
        };
        let nan = data.iter().filter(|value| value.is_nan()).count();
        let infinite = data.iter().filter(|value| value.is_infinite()).count();
        if nan + infinite > 0 {
            return Err(Problem::NotFinite { tensor, nan, infinite, of: data.len() }.at(path));
        }
        let cols = shape.last().copied().unwrap_or(1);
        Ok(Some(Tensor { name: tensor, rows: shape.iter().rev().skip(1).product(), cols, data }))
    }
}

/// The header is parsed again at each use (microseconds): a view cannot be stored beside the bytes it borrows.
fn parsed(shard: &Shard) -> SafeTensors<'_> {
    SafeTensors::deserialize(&shard.bytes).expect("checked when the file was read")
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
