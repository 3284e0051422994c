//! Reads a Hugging Face folder of a `bert` or `distilbert` model: `config.json`, `model.safetensors` (in one file or in
//! shards), and `vocab.txt` or `tokenizer.json`; also one of sentence-transformers. Everything is checked here, so that
//! what follows can index without looking.

mod config;
mod error;
mod head;
mod modules;
mod names;
mod pooling;
mod shards;
mod tensors;
mod tokenizer_json;
mod vocabulary;
mod weights;

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

pub use config::{Architecture, Config};
pub use error::{HfError, Problem};
pub use head::HeadKind;
pub use modules::Modules;
pub use names::{class_name, tensor_name};
pub use pooling::Pooling;
pub(crate) use shards::{conversion, shard_names};
pub use tensors::{Tensor, TensorFile};
pub use vocabulary::{SpecialIds, Vocabulary};
pub(crate) use weights::layer_names;
pub use weights::{HeadWeights, Layer, Linear, Norm, Weights};

/// A model as its folder has it, in float32.
#[derive(Clone, Debug)]
pub struct Model {
    /// The folder with the weights.
    pub folder: PathBuf,
    /// Shape.
    pub config: Config,
    /// Head.
    pub head: HeadKind,
    /// Label names, one per class; empty without a classifier.
    pub labels: Vec<String>,
    /// How the classifier's scores are read.
    pub problem: distil_format::Problem,
    /// Weights.
    pub weights: Weights,
    /// How the folder pools hidden states into one vector.
    pub pooling: Pooling,
    /// The longest input that the folder says the model is for, in tokens, `[CLS]` and `[SEP]` included: the
    /// `max_seq_length` of sentence-transformers. Its tables may have more positions.
    pub max_tokens: Option<usize>,
    /// SHA-256 of the weights as [`TensorFile::sha256`] defines it, in hexadecimal.
    pub sha256: String,
    /// Bytes of the files of weights.
    pub bytes: usize,
}

impl Model {
    /// Reads the folder with the head `wanted`, or the one it has.
    pub fn read(folder: &Path, wanted: Option<HeadKind>) -> Result<Self, HfError> {
        if !folder.is_dir() {
            return Err(if folder.exists() { Problem::NotAFolder } else { Problem::Missing }.at(folder));
        }
        let modules = Modules::read(folder)?;
        let inside =
            modules.as_ref().map_or_else(|| folder.to_path_buf(), |modules| within(folder, modules.transformer()));
        let config = Config::read(&inside)?;
        let file = TensorFile::read(&inside)?;
        let head = HeadKind::choose(&file, &config, wanted)?;
        let labels = head.labels(&file, &config)?;
        let problem = head.problem(&config, labels.len());
        let weights = Weights::read(&file, &config, head, labels.len())?;
        // What comes after the encoder matters where there is no other head.
        let pooling = match head {
            HeadKind::Embedding => Pooling::read(folder, modules.as_ref())?,
            _ => Pooling::default(),
        };
        let max_tokens = match (&modules, head) {
            (Some(_), HeadKind::Embedding) => pooling::longest(&inside)?,
            _ => None,
        };
        let (sha256, bytes) = (file.sha256(), file.bytes());
        Ok(Self { folder: inside, config, head, labels, problem, weights, pooling, max_tokens, sha256, bytes })
    }

    /// Drops the positions from number `most` on: inputs have at most so many tokens then. Does nothing where there are no
    /// more.
    pub fn limit_tokens(&mut self, most: usize) {
        if most < self.config.positions {
            self.config.positions = most;
            let table = &mut self.weights.position;
            table.data.truncate(most * table.cols);
            table.rows = most;
        }
    }

    /// Reads the folder's vocabulary, or the `vocab.txt` given instead. It has one entry per word embedding, or fewer where
    /// training padded the table to a multiple of 8 (by less than [`MOST_PADDING`] rows).
    pub fn vocabulary(&self, instead: Option<&Path>) -> Result<Vocabulary, HfError> {
        let vocabulary = Vocabulary::read(&self.folder, instead)?;
        let (entries, rows) = (vocabulary.pieces.len(), self.config.vocab_size);
        let padded = rows.is_multiple_of(8) && rows > entries && rows - entries < MOST_PADDING;
        if entries != rows && !padded {
            let problem = Problem::VocabularySize { vocabulary: entries, config: rows };
            return Err(problem.at(instead.unwrap_or(&self.folder)));
        }
        Ok(vocabulary)
    }
}

/// `inside` of `folder`; the folder itself, without a slash at its end, where that is empty.
fn within(folder: &Path, inside: &str) -> PathBuf {
    if inside.is_empty() { folder.to_path_buf() } else { folder.join(inside) }
}

/// Word tables are padded to a multiple of 8, 64 or 128 rows for the sake of matrix units.
pub const MOST_PADDING: usize = 128;

/// Reads a file that has to be UTF-8 text.
pub fn read_text(path: &Path) -> Result<String, HfError> {
    String::from_utf8(read_bytes(path)?).map_err(|error| Problem::NotUtf8(error.utf8_error().valid_up_to()).at(path))
}

/// Reads a file whole.
pub(crate) fn read_bytes(path: &Path) -> Result<Vec<u8>, HfError> {
    std::fs::read(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Problem::NoFile.at(path),
        _ => Problem::Io(error).at(path),
    })
}

fn read_json_value(path: &Path) -> Result<Value, HfError> {
    serde_json::from_str(&read_text(path)?).map_err(|error| Problem::Json(error.to_string()).at(path))
}

fn read_json(path: &Path) -> Result<Map<String, Value>, HfError> {
    match read_json_value(path)? {
        Value::Object(map) => Ok(map),
        _ => Err(Problem::Json("not an object".into()).at(path)),
    }
}
