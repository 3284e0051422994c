//! What can be wrong with a Hugging Face folder, and what to do about it.

use std::fmt;
use std::path::{Path, PathBuf};

/// A file of a Hugging Face folder that cannot be used: which one, why, and the next step.
#[derive(Debug)]
pub struct HfError {
    /// The file (or the folder) at fault.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a file of a Hugging Face folder.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The path is not a folder.
    #[error("not a folder")]
    NotAFolder,
    /// The folder, or a file that it has to have, is not there.
    #[error("no such file or folder")]
    Missing,
    /// Another file is not there.
    #[error("no such file")]
    NoFile,
    /// The folder has weights, but not as safetensors.
    #[error("no such file, but the folder has {found}, which is not read")]
    OtherWeights {
        /// The file that was found in its place.
        found: &'static str,
        /// How to make safetensors of it.
        next: String,
    },
    /// A shard is not there.
    #[error("no such file, though model.safetensors.index.json lists it")]
    NoShard,
    /// A tensor is not in the shard that the index says it is in.
    #[error("no tensor `{tensor}` in it, though model.safetensors.index.json says so")]
    NotInShard {
        /// Its name in the index.
        tensor: String,
    },
    /// A list of other files is not what it has to be.
    #[error("has no {0}")]
    NoList(&'static str),
    /// A name leads out of the folder, or may.
    #[error("`{name}` is not a plain file name")]
    NotPlain {
        /// The name.
        name: String,
    },
    /// A step of sentence-transformers that a packed file does not have, or one that is not in its place.
    #[error("its steps cannot be packed: {found} where {expected} was expected")]
    Module {
        /// The step.
        found: String,
        /// What can stand there.
        expected: &'static str,
    },
    /// The operating system refused to read the file.
    #[error("cannot be read: {0}")]
    Io(std::io::Error),
    /// The file is not JSON.
    #[error("not valid JSON: {0}")]
    Json(String),
    /// A configuration key is absent or has the wrong type.
    #[error("`{key}` is missing or not {expected}")]
    Key {
        /// The key.
        key: String,
        /// What kind of value belongs there.
        expected: &'static str,
    },
    /// The model is neither BERT nor DistilBERT.
    #[error("unknown architecture {found}")]
    Architecture {
        /// What `model_type` or `architectures` say.
        found: String,
    },
    /// The activation is not the exact GELU.
    #[error("unsupported activation `{found}`")]
    Activation {
        /// What the configuration says.
        found: String,
    },
    /// Another feature of the configuration that changes the mathematics and is not built.
    #[error("`{key}` = {found} is not supported")]
    Setting {
        /// The key.
        key: &'static str,
        /// Its value.
        found: String,
    },
    /// The heads do not divide the hidden size.
    #[error("hidden size {hidden} is not a multiple of {heads} attention heads")]
    HeadSize {
        /// Hidden size.
        hidden: usize,
        /// Attention heads.
        heads: usize,
    },
    /// The file is not a safetensors file.
    #[error("not a safetensors file: {0}")]
    NotSafetensors(String),
    /// A tensor is stored in a type that is not a float.
    #[error("tensor `{tensor}` is stored as {dtype}, expected F32, F16 or BF16")]
    TensorType {
        /// Its name in the file.
        tensor: String,
        /// Its stored type.
        dtype: String,
    },
    /// Two names in the file mean the same tensor.
    #[error("tensor `{tensor}` is there twice, as `{first}` and `{second}`")]
    TensorTwice {
        /// The common name.
        tensor: String,
        /// The first spelling.
        first: String,
        /// The second spelling.
        second: String,
    },
    /// A tensor has another shape than the configuration asks for.
    #[error("tensor `{tensor}` has the shape {found:?}, expected {expected:?}")]
    Shape {
        /// Its name in the file.
        tensor: String,
        /// Expected shape.
        expected: Vec<usize>,
        /// Found shape.
        found: Vec<usize>,
    },
    /// Tensors the configuration asks for are absent.
    #[error("{} tensor(s) missing, first `{}`", .0.len(), .0[0])]
    MissingTensors(
        /// Their names, without the model prefix.
        Vec<String>,
    ),
    /// A tensor holds values that are not finite.
    #[error("tensor `{tensor}` holds {nan} NaN and {infinite} infinite value(s) of {of}")]
    NotFinite {
        /// Its name in the file.
        tensor: String,
        /// How many are NaN.
        nan: usize,
        /// How many are infinite.
        infinite: usize,
        /// How many values it has.
        of: usize,
    },
    /// The head asked for is not in the file.
    #[error("no {wanted} head in this file (it has: {found})")]
    Head {
        /// The head asked for.
        wanted: &'static str,
        /// What was found.
        found: &'static str,
    },
    /// The head in the file is of a kind that cannot be packed.
    #[error("its head ({found}) is not supported")]
    UnsupportedHead {
        /// The kind of head.
        found: &'static str,
    },
    /// The configuration names another number of labels than the classifier has rows.
    #[error("config.json names {names} label(s) in `id2label`, the classifier has {rows} row(s)")]
    Labels {
        /// Names in the configuration.
        names: usize,
        /// Rows of the classifier.
        rows: usize,
    },
    /// The masked-LM projection differs from the word embeddings.
    #[error("tensor `{tensor}` differs from the word embeddings: an untied masked-LM projection is not supported")]
    Untied {
        /// Its name in the file.
        tensor: String,
    },
    /// No vocabulary in the folder.
    #[error("no vocab.txt and no tokenizer.json")]
    NoVocabulary,
    /// The vocabulary and the embedding table disagree.
    #[error("{vocabulary} vocabulary entries, but config.json says vocab_size {config}")]
    VocabularySize {
        /// Entries in the vocabulary.
        vocabulary: usize,
        /// `vocab_size` in the configuration.
        config: usize,
    },
    /// Tokens were added beside the vocabulary.
    #[error("{count} token(s) added beside the vocabulary, first `{first}`")]
    AddedTokens {
        /// How many.
        count: usize,
        /// The one with the lowest id.
        first: String,
    },
    /// `vocab.txt` and `tokenizer.json` disagree.
    #[error("differs from tokenizer.json, first in the entry with id {id}")]
    TwoVocabularies {
        /// The first id whose entries differ.
        id: usize,
    },
    /// The tokenizer is not BERT's WordPiece.
    #[error("not a BERT WordPiece tokenizer: {0}")]
    Tokenizer(String),
    /// An entry of the vocabulary is empty or there twice.
    #[error("line {line}: {reason}")]
    VocabularyEntry {
        /// Line number, from 1 (id + 1).
        line: usize,
        /// What is wrong with the entry.
        reason: String,
    },
    /// A special token is absent.
    #[error("the vocabulary has no {0}")]
    SpecialToken(&'static str),
    /// A compressed file cannot be decompressed.
    #[error("cannot be decompressed: {0}")]
    Compressed(String),
    /// The file is text, but not UTF-8.
    #[error("not UTF-8 (first invalid byte at offset {0})")]
    NotUtf8(usize),
}

impl Problem {
    /// Attaches the file.
    pub fn at(self, path: &Path) -> HfError {
        HfError { path: path.to_path_buf(), problem: self }
    }

    /// What the user can do about it.
    pub fn next_step(&self) -> &str {
        match self {
            Self::NotAFolder => "give the folder that holds config.json, model.safetensors and vocab.txt",
            Self::Missing => {
                "a Hugging Face folder needs config.json, model.safetensors and vocab.txt (or tokenizer.json); is the path right?"
            }
            Self::NoFile => "is the path right?",
            Self::OtherWeights { next, .. } => next,
            Self::NoShard => "the download may be incomplete: fetch the folder again",
            Self::NotInShard { .. } => "the shards and their index do not belong together: fetch the folder again",
            Self::NoList(_) => "the file is damaged or of another kind: fetch or export the folder again",
            Self::NotPlain { .. } => {
                "a name in this file may not lead out of the folder; take the folder from where it came again"
            }
            Self::Module { .. } => {
                "only Transformer, Pooling (mean or CLS) and Normalize can be packed; to pack the model without its other steps, take them out of a copy's modules.json"
            }
            Self::Io(_) => "check the path and its permissions",
            Self::Json(_) => "the file may be cut short or overwritten: fetch or export it again",
            Self::Key { .. } => "compare with the config.json that transformers saves for this model",
            Self::Architecture { .. } => "only `bert` and `distilbert` encoders can be packed",
            Self::Activation { .. } => "only `gelu` (the exact one, with erf) is supported",
            Self::Setting { .. } => "only the plain BERT and DistilBERT encoders can be packed",
            Self::HeadSize { .. } => "correct the sizes in config.json",
            Self::NotSafetensors(_) => "the download may be incomplete: fetch or export the file again",
            Self::TensorType { .. } => {
                "save the model unquantized, as float32, float16 or bfloat16; packing quantizes it"
            }
            Self::TensorTwice { .. } => "export the model again with `save_pretrained`",
            Self::Shape { .. } | Self::Labels { .. } => {
                "config.json and model.safetensors do not belong together: take both from the same export"
            }
            Self::MissingTensors(_) => {
                "config.json and model.safetensors do not belong together, or the export was partial"
            }
            Self::NotFinite { .. } => "training diverged or the file is damaged: take an earlier checkpoint",
            Self::Head { .. } => "use `--head auto`, or `--head embedding` for the encoder alone",
            Self::UnsupportedHead { .. } => {
                "supported are masked-LM, sequence and token classification and question answering; `--head embedding` packs the encoder alone"
            }
            Self::Untied { .. } => "train with tied embeddings, or pack the encoder alone with `--head embedding`",
            Self::NoVocabulary => "copy the model's vocab.txt into the folder, or name one with `--vocab FILE`",
            Self::VocabularySize { .. } => "take vocab.txt and model.safetensors from the same model",
            Self::AddedTokens { .. } => {
                "added tokens cannot be packed; to pack the model without them, name its vocabulary with `--vocab FILE`"
            }
            Self::TwoVocabularies { .. } => {
                "take both from the same export, or name the one that belongs to the weights with `--vocab FILE`"
            }
            Self::Tokenizer(_) => {
                "only BERT's WordPiece tokenizer is supported; name its vocabulary with `--vocab FILE` if there is one"
            }
            Self::VocabularyEntry { .. } => "the vocabulary file is damaged: fetch or export it again",
            Self::SpecialToken(_) => "a BERT vocabulary has [PAD], [UNK], [CLS], [SEP] and [MASK]",
            Self::Compressed(_) => "the file may be cut short: fetch it again, or compress it again",
            Self::NotUtf8(_) => "convert it, for example with `iconv -f LATIN1 -t UTF-8`",
        }
    }
}

impl fmt::Display for HfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.problem)
    }
}

impl std::error::Error for HfError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.problem {
            Problem::Io(error) => Some(error),
            _ => None,
        }
    }
}
