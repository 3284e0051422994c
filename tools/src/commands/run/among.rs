//! Given sentences, and the nearest of them to a text.

use std::path::Path;

use distil_format::Head;
use distil_runtime::{Model, Session};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::Serialize;

use super::super::{packed, progress};
use crate::error::Error;
use crate::eval::stats::cosine;
use crate::text::read_text;

/// The sentences of a file with their embeddings.
pub(super) struct Sentences {
    all: Vec<Sentence>,
}

struct Sentence {
    line: usize,
    text: String,
    embedding: Vec<f32>,
}

/// One of the sentences; its JSON.
#[derive(Serialize, JsonSchema)]
pub(super) struct Near {
    /// The sentence.
    pub(super) sentence: String,
    /// Its line in the file, from 1.
    line: usize,
    /// Cosine of both embeddings.
    pub(super) cosine: f64,
}

impl Sentences {
    /// Embeds every line of the file that holds something.
    pub(super) fn read(path: &Path, model: &Model<'_>, truncate: bool) -> Result<Self, Error> {
        let head = model.config().head;
        if head != Head::Embedding {
            let message = format!("--among needs the head {}, this file has {head}", Head::Embedding);
            return Err(Error::usage(message, "pack the model with `--head embedding`"));
        }
        let text = read_text(path)?;
        let lines: Vec<(usize, &str)> = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).collect();
        if lines.is_empty() {
            let message = format!("{}: no text in it", path.display());
            return Err(Error::usage(message, "give a file with one sentence per line"));
        }
        let bar = progress("embedding", lines.len());
        let embed = |arena: &mut Vec<u8>, &(at, text): &(usize, &str)| {
            let most = model.config().max_positions as usize;
            let mut session = Session::new(model, arena, most)?.truncating(truncate);
            let embedding = session.embed(text).map_err(|error| Error::Line {
                source_name: path.display().to_string(),
                line: at + 1,
                reason: error.to_string(),
                next: "shorten it, or cut texts that are too long with --truncate",
            })?;
            bar.inc(1);
            Ok(Sentence { line: at + 1, text: text.to_owned(), embedding: embedding.to_vec() })
        };
        let each = lines.par_iter().map_init(|| packed::arena(model.artifact()), embed);
        let all: Result<Vec<Sentence>, Error> = each.collect();
        bar.finish_and_clear();
        Ok(Self { all: all? })
    }

    /// The `top` nearest to an embedding, the nearest first; those equally near in the order of the file.
    pub(super) fn nearest(&self, embedding: &[f32], top: usize) -> Vec<Near> {
        let mut order: Vec<(f64, &Sentence)> =
            self.all.iter().map(|sentence| (cosine(embedding, &sentence.embedding), sentence)).collect();
        order.sort_by(|a, b| b.0.total_cmp(&a.0));
        let near = |(cosine, sentence): (f64, &Sentence)| Near {
            sentence: sentence.text.clone(),
            line: sentence.line,
            cosine,
        };
        order.into_iter().take(top).map(near).collect()
    }
}
