//! A packed file back into a Hugging Face folder, its weights the float32 values that the stored ones stand for: any other
//! tool can load it and judge what packing made of the model.

mod settings;
mod vocabulary;

use std::borrow::Cow;
use std::path::Path;

use distil_format::{Artifact, Head, RoleKind, Tensor};
use safetensors::{Dtype, View};
use serde_json::Value;

use crate::error::Error;
use crate::folders::write_folder;
use crate::{hf, pack};

pub use vocabulary::pieces;

/// Everything that can be in a folder written here, so that it may be replaced.
const CONTENT: [&str; 7] = [
    "config.json",
    "model.safetensors",
    "vocab.txt",
    "tokenizer_config.json",
    "modules.json",
    "1_Pooling",
    "sentence_bert_config.json",
];

/// Writes the model in `artifact` to `folder`, which is whole or not there. With `overwrite` a folder written earlier is
/// replaced. `progress` is told of every tensor.
///
/// # Errors
/// If there is something in `folder`, if it cannot be written, or if the model has something that a Hugging Face folder
/// cannot say.
pub fn unpack(artifact: &Artifact<'_>, folder: &Path, overwrite: bool, progress: impl Fn()) -> Result<(), Error> {
    let config = artifact.config();
    let architecture = match config.architecture {
        distil_format::Architecture::Bert => hf::Architecture::Bert,
        distil_format::Architecture::DistilBert => hf::Architecture::DistilBert,
    };
    // transformers has it as a constant.
    if architecture == hf::Architecture::DistilBert && config.layer_norm_eps != 1e-12 {
        return Err(unsaid(&format!("a DistilBERT with layer_norm_eps {}", config.layer_norm_eps)));
    }
    let pieces = vocabulary::pieces(artifact.vocabulary())?;
    let mut tensors = Vec::with_capacity(config.tensor_count());
    for tensor in artifact.tensors() {
        let name = hf::tensor_name(architecture, config.head, tensor.id);
        let name = name.ok_or_else(|| unsaid(&format!("a {} with a {}", config.architecture, tensor.id)))?;
        tensors.push((name, Values::new(tensor, &progress)));
    }
    write_folder(folder, overwrite.then_some(&CONTENT), |inside| {
        let write = |name: &str, bytes: &[u8]| {
            std::fs::write(inside.join(name), bytes).map_err(|error| Error::Write { path: folder.join(name), error })
        };
        let json = |name: &str, value: &Value| {
            let text = serde_json::to_string_pretty(value).expect("a JSON value") + "\n";
            write(name, text.as_bytes())
        };
        json("config.json", &settings::config(artifact, architecture))?;
        write("vocab.txt", (pieces.join("\n") + "\n").as_bytes())?;
        json("tokenizer_config.json", &settings::tokenizer(config, &pieces))?;
        if config.head == Head::Embedding {
            std::fs::create_dir(inside.join("1_Pooling"))
                .map_err(|error| Error::Write { path: folder.join("1_Pooling"), error })?;
            json("1_Pooling/config.json", &settings::pooling(config))?;
            json("modules.json", &settings::modules(config))?;
            json("sentence_bert_config.json", &settings::sentence(config))?;
        }
        let path = inside.join("model.safetensors");
        let wrong = |error| Error::Write { path: folder.join("model.safetensors"), error };
        let metadata = [("format".to_owned(), "pt".to_owned())].into();
        safetensors::serialize_to_file(tensors, Some(metadata), &path)
            .map_err(|error| wrong(std::io::Error::other(error.to_string())))?;
        // The library makes a file that no one else can read; this one is as the others are.
        let same = std::fs::metadata(inside.join("config.json")).map(|about| about.permissions());
        same.and_then(|same| std::fs::set_permissions(&path, same)).map_err(wrong)
    })
}

/// The refusal of what the file format knows and transformers does not.
fn unsaid(what: &str) -> Error {
    Error::usage(format!("a Hugging Face folder cannot hold {what}"), "this file was not made by `tools pack`")
}

/// A tensor whose values are computed when they are written, so that one at a time is in memory.
struct Values<'a, F> {
    tensor: Tensor<'a>,
    shape: Vec<usize>,
    progress: &'a F,
}

impl<'a, F> Values<'a, F> {
    fn new(tensor: Tensor<'a>, progress: &'a F) -> Self {
        let shape = match tensor.id.role.kind() {
            RoleKind::Table | RoleKind::Matrix => vec![tensor.rows, tensor.cols],
            RoleKind::Bias | RoleKind::Norm => vec![tensor.cols],
        };
        Self { tensor, shape, progress }
    }
}

impl<F: Fn()> View for Values<'_, F> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        (self.progress)();
        pack::unpack(&self.tensor).iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>().into()
    }

    fn data_len(&self) -> usize {
        self.tensor.rows * self.tensor.cols * size_of::<f32>()
    }
}
