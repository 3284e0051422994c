//! Models and data sets by name: a folder that is here, else one of the Hugging Face hub.
//!
//! A hub id is `ORG/NAME` for models and `datasets/ORG/NAME` for data, with `@REVISION` behind it for a branch, tag or
//! commit. Files go to the cache that `transformers` uses (`HF_HOME`, `HF_HUB_CACHE`) and are fetched once; with
//! `HF_HUB_OFFLINE=1` only the cache is looked at. `HF_ENDPOINT` names another server, `HF_TOKEN` (or the token that
//! `hf auth login` keeps) opens gated repositories.

mod id;
mod remote;

use crate::{Error, Result};
use id::Id;
use remote::Remote;
use std::path::{Path, PathBuf};

/// The folder of a model (`--teacher`, `--model`), or of prepared data (`--data`) when the name begins with `datasets/`.
///
/// What is there on disk wins; what cannot be a hub id is returned as it is, for the message that says what is missing.
pub fn resolve(name: impl AsRef<Path>) -> Result<PathBuf> {
    let name = name.as_ref();
    match Id::of(name) {
        Some(id) if id.is_data() => prepared(&id),
        Some(id) => model(&id, true),
        None => Ok(name.to_path_buf()),
    }
}

/// The file or folder of a vocabulary (`--vocab`).
pub fn vocabulary(name: &Path) -> Result<PathBuf> {
    match Id::of(name) {
        Some(id) if !id.is_data() => model(&id, false),
        _ => Ok(name.to_path_buf()),
    }
}

/// The names to read text from (`--text`): the name itself, or the text files of a data set.
pub fn text(name: &Path) -> Result<Vec<PathBuf>> {
    let Some(id) = Id::of(name).filter(Id::is_data) else {
        return Ok(vec![name.to_path_buf()]);
    };
    const ENDINGS: [&str; 12] = [
        ".parquet",
        ".txt",
        ".txt.gz",
        ".txt.zst",
        ".jsonl",
        ".jsonl.gz",
        ".jsonl.zst",
        ".ndjson",
        ".json.gz",
        ".json.zst",
        ".ndjson.gz",
        ".ndjson.zst",
    ];
    // `.json` is left out: it is the data set's description more often than its text.
    let remote = Remote::open(&id)?;
    let mut names: Vec<&String> =
        remote.files().iter().filter(|file| ENDINGS.iter().any(|ending| file.ends_with(ending))).collect();
    names.sort();
    if names.is_empty() {
        let next = "known are .parquet, .jsonl, .ndjson and .txt, the last three also with .gz or .zst";
        return Err(Error::file(name, "no text file in this data set", next));
    }
    names.into_iter().map(|file| remote.get(file)).collect()
}

/// Downloads what this program needs of a model; `weights` is false where the vocabulary is enough.
fn model(id: &Id, weights: bool) -> Result<PathBuf> {
    let remote = Remote::open(id)?;
    let has = |file: &str| remote.files().iter().any(|name| name == file);
    let wrong = |reason: &str, next: &str| Err(Error::file(id.text(), reason, next));
    let vocabulary = if has("vocab.txt") { "vocab.txt" } else { "tokenizer.json" };
    let mut needed = vec![];
    if weights {
        if !has("config.json") {
            return wrong("no config.json in this repository", "name a bert or distilbert model");
        }
        if !has("model.safetensors") {
            let next = "convert it with transformers: model.save_pretrained(folder), and name the folder";
            return wrong("no model.safetensors in this repository", next);
        }
        needed.extend(["config.json", "model.safetensors"]);
    } else if !has(vocabulary) {
        return wrong("neither vocab.txt nor tokenizer.json in this repository", "name a bert or distilbert model");
    }
    needed.extend([vocabulary, "tokenizer_config.json"].into_iter().filter(|file| has(file)));
    remote.folder(&needed)
}

/// Downloads a prepared data folder.
fn prepared(id: &Id) -> Result<PathBuf> {
    let remote = Remote::open(id)?;
    let names: Vec<&str> = remote.files().iter().map(String::as_str).collect();
    if !names.contains(&"index.json") {
        let text = id.text();
        let next = format!("run `train prepare --text {text} ...` and name the folder it writes");
        return Err(Error::file(text, "no prepared data in it (no index.json)", next));
    }
    let needed =
        |name: &&str| matches!(*name, "index.json" | "vocab.txt") || (name.ends_with(".bin") && !name.contains('/'));
    let needed: Vec<&str> = names.into_iter().filter(needed).collect();
    remote.folder(&needed)
}
