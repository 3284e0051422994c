//! Which files hold the weights: one `model.safetensors`, or the shards that `model.safetensors.index.json` lists.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::error::{HfError, Problem};
use super::read_json;

const WHOLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// One file of weights.
pub(super) struct Shard {
    pub(super) path: PathBuf,
    pub(super) bytes: Vec<u8>,
    /// Tensors that the index promises to be here, by their names in the file.
    pub(super) promised: Vec<String>,
}

/// All the weights of a folder.
pub(super) struct Shards {
    /// The file that stands for all of them: the only one, or the index.
    pub(super) path: PathBuf,
    pub(super) files: Vec<Shard>,
}

impl Shards {
    /// Reads `model.safetensors`, or where there is none the shards of the index.
    pub(super) fn read(folder: &Path) -> Result<Self, HfError> {
        let path = folder.join(WHOLE);
        match std::fs::read(&path) {
            Ok(bytes) => {
                let file = Shard { path: path.clone(), bytes, promised: Vec::new() };
                return Ok(Self { path, files: vec![file] });
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Problem::Io(error).at(&path)),
        }
        let index = folder.join(INDEX);
        if !index.exists() {
            return Err(other_weights(folder).unwrap_or(Problem::Missing).at(&path));
        }
        let listed = shards_of(&read_json(&index)?).map_err(|problem| problem.at(&index))?;
        let read = |(name, promised): (String, Vec<String>)| {
            let path = folder.join(name);
            let bytes = std::fs::read(&path).map_err(|error| match error.kind() {
                std::io::ErrorKind::NotFound => Problem::NoShard.at(&path),
                _ => Problem::Io(error).at(&path),
            })?;
            Ok(Shard { path, bytes, promised })
        };
        Ok(Self { path: index, files: listed.into_iter().map(read).collect::<Result<_, _>>()? })
    }

    /// SHA-256 in hexadecimal: of the file, or of what `sha256sum` prints for the shards in the order of their names.
    pub(super) fn sha256(&self) -> String {
        if let [file] = &self.files[..]
            && file.path == self.path
        {
            return hex(&file.bytes);
        }
        let line = |file: &Shard| {
            let name = file.path.file_name().unwrap_or_default();
            format!("{}  {}\n", hex(&file.bytes), name.to_string_lossy())
        };
        hex(self.files.iter().map(line).collect::<String>().as_bytes())
    }

    /// Bytes of all files.
    pub(super) fn len(&self) -> usize {
        self.files.iter().map(|file| file.bytes.len()).sum()
    }
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The shards of an index in the order of their names, each with the tensors it is to have.
fn shards_of(index: &Map<String, Value>) -> Result<BTreeMap<String, Vec<String>>, Problem> {
    let wrong = || Problem::NoList("map from tensors to files (`weight_map`)");
    let map = index.get("weight_map").and_then(Value::as_object).filter(|map| !map.is_empty()).ok_or_else(wrong)?;
    let mut shards = BTreeMap::<String, Vec<String>>::new();
    for (tensor, shard) in map {
        let shard = shard.as_str().ok_or_else(wrong)?;
        if !is_plain(shard) {
            return Err(Problem::NotPlain { name: shard.into() });
        }
        shards.entry(shard.to_owned()).or_default().push(tensor.clone());
    }
    Ok(shards)
}

/// The names of the shards in the index at `path`, for whoever has to fetch them first.
pub(crate) fn shard_names(path: &Path) -> Result<Vec<String>, HfError> {
    Ok(shards_of(&read_json(path)?).map_err(|problem| problem.at(path))?.into_keys().collect())
}

/// Whether a name leads to something right in its folder, and nowhere else.
pub(super) fn is_plain(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    let first = matches!(parts.next(), Some(Component::Normal(part)) if part == name);
    first && parts.next().is_none() && !name.contains(['\\', ':', '\0'])
}

/// Weights in a form that is not read here.
fn other_weights(folder: &Path) -> Option<Problem> {
    let has = |name: &&str| folder.join(name).exists();
    if let Some(found) = ["pytorch_model.bin", "pytorch_model.bin.index.json"].into_iter().find(has) {
        return Some(Problem::OtherWeights { found, next: format!("convert it: {}", conversion(folder)) });
    }
    let found = ["tf_model.h5", "flax_model.msgpack", "model.onnx"].into_iter().find(has)?;
    let next = "load the model in transformers and save it with `model.save_pretrained(DIR)`, which writes safetensors";
    Some(Problem::OtherWeights { found, next: next.to_owned() })
}

/// The command that turns the `pytorch_model*.bin` of a folder into `model.safetensors`, every tensor under its own name.
pub(crate) fn conversion(folder: &Path) -> String {
    let folder = folder.display().to_string();
    let bare = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    let quoted = if folder.chars().all(bare) { folder } else { format!("'{}'", folder.replace('\'', r"'\''")) };
    format!("{CONVERSION} {quoted}")
}

/// `weights_only`: a pickle could otherwise run any code.
const CONVERSION: &str = "python3 -c \"import sys, glob, torch, safetensors.torch as s; d = sys.argv[1]; \
    s.save_file({k: v.contiguous().clone() for f in sorted(glob.glob(d + '/pytorch_model*.bin')) \
    for k, v in torch.load(f, map_location='cpu', weights_only=True).items()}, \
    d + '/model.safetensors', metadata={'format': 'pt'})\"";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_are_followed() {
        for name in ["model-00001-of-00002.safetensors", "a", ".hidden"] {
            assert!(is_plain(name), "{name}");
        }
        for name in ["", ".", "..", "../a", "a/b", "a/", "./a", "/a", "a\\b", "c:a", "a\0"] {
            assert!(!is_plain(name), "{name:?}");
        }
    }

    #[test]
    fn shards_come_in_the_order_of_their_names() {
        let index =
            serde_json::json!({"weight_map": {"b": "2.safetensors", "a": "1.safetensors", "c": "1.safetensors"}});
        let shards = shards_of(index.as_object().unwrap()).unwrap();
        assert_eq!(
            shards.into_iter().collect::<Vec<_>>(),
            [
                ("1.safetensors".to_owned(), vec!["a".to_owned(), "c".to_owned()]),
                ("2.safetensors".to_owned(), vec!["b".to_owned()]),
            ]
        );
        for wrong in
            [serde_json::json!({}), serde_json::json!({"weight_map": {}}), serde_json::json!({"weight_map": {"a": 1}})]
        {
            assert!(shards_of(wrong.as_object().unwrap()).is_err());
        }
    }

    #[test]
    fn the_conversion_takes_any_folder() {
        assert!(conversion(Path::new("a/model-1.0")).ends_with("\" a/model-1.0"));
        assert!(conversion(Path::new("it's")).ends_with(r"'it'\''s'"));
    }
}
