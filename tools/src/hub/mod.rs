//! Models by name: a folder that is here, else one of the Hugging Face hub.
//!
//! A hub id is `ORG/NAME`, with `@REVISION` behind it for a branch, tag or commit. Files go to the cache that
//! `transformers` uses (`HF_HOME`, `HF_HUB_CACHE`) and are fetched once; with `HF_HUB_OFFLINE=1` only the cache is looked
//! at. `HF_ENDPOINT` names another server, `HF_TOKEN` (or the token that `hf auth login` keeps) opens gated repositories.

mod id;
mod remote;

use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::hf::{Modules, conversion, shard_names};
use id::Id;
use remote::Remote;

/// The folder of a model.
///
/// What is there on disk wins; what cannot be a hub id is returned as it is, for the message that says what is missing.
pub fn resolve(name: &Path) -> Result<PathBuf, Error> {
    match Id::of(name) {
        Some(id) => model(&id),
        None => Ok(name.to_path_buf()),
    }
}

/// Fetches what packing reads of a model.
fn model(id: &Id) -> Result<PathBuf, Error> {
    let remote = Remote::open(id)?;
    let wrong = |reason: &str, next: String| Err(Error::usage(format!("{}: {reason}", id.text()), next));
    // The steps of sentence-transformers say where the encoder is.
    let modules = match remote.has("modules.json") {
        true => {
            let path = remote.get("modules.json")?;
            Modules::read(path.parent().unwrap_or(&path))?
        }
        false => None,
    };
    if let Some(pooling) = modules.as_ref().and_then(Modules::pooling) {
        let config = format!("{pooling}/config.json");
        if remote.has(&config) {
            remote.get(&config)?;
        }
    }
    let prefix = match modules.as_ref().map_or("", Modules::transformer) {
        "" => String::new(),
        folder => format!("{folder}/"),
    };
    let at = |file: &str| format!("{prefix}{file}");
    if !remote.has(&at("config.json")) {
        return wrong("no config.json in this repository", "name a bert or distilbert model".into());
    }
    let mut weights = vec![at("model.safetensors")];
    if !remote.has(&weights[0]) {
        let index = at("model.safetensors.index.json");
        if !remote.has(&index) {
            let next = format!("convert it: {} && {}", id.download(), conversion(Path::new("FOLDER")));
            return match remote.has(&at("pytorch_model.bin")) || remote.has(&at("pytorch_model.bin.index.json")) {
                true => wrong("pytorch_model.bin but no model.safetensors in this repository", next),
                false => wrong("no model.safetensors in this repository", "name a repository that has it".into()),
            };
        }
        weights = shard_names(&remote.get(&index)?)?.iter().map(|shard| at(shard)).collect();
    }
    let texts = ["vocab.txt", "tokenizer.json", "tokenizer_config.json", "sentence_bert_config.json"].map(at);
    let config = remote.get(&format!("{prefix}config.json"))?;
    for file in texts.iter().filter(|file| remote.has(file)).chain(&weights) {
        remote.get(file)?;
    }
    // The repository's folder, of which the encoder's is a part.
    let inside = config.parent().unwrap_or(&config);
    Ok(if prefix.is_empty() { inside } else { inside.parent().unwrap_or(inside) }.to_path_buf())
}
