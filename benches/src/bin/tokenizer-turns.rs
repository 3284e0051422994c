//! Our tokenizer and the `tokenizers` crate in turns over the lines of a text, one thread, the same ids.
//!
//!     tokenizer-turns MODEL.distil VOCAB.TXT TEXT ROUNDS
//!
//! Prints one JSON object: the seconds of each round for ours, for the crate's `encode`, which gives places in the text
//! as ours does, and for its `encode_fast`, which does not.

use std::error::Error;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use distil_runtime::{Artifact, tokenizer};
use distil_tools::files::read_aligned;
use serde_json::json;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::{AddedToken, Tokenizer};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, vocabulary, text, rounds] = &arguments[..] else {
        return Err("usage: tokenizer-turns MODEL.distil VOCAB.TXT TEXT ROUNDS".into());
    };
    let rounds: usize = rounds.parse()?;
    let bytes = read_aligned(Path::new(model))?;
    let artifact = Artifact::open(&bytes)?;
    let ours = tokenizer(artifact.config(), artifact.vocabulary());
    let theirs = peer(&std::fs::read(vocabulary)?)?;
    let text = std::fs::read_to_string(text)?;
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();

    // The same work: every id and every place is compared before anything is timed.
    let (mut tokens, mut different) = (0usize, 0usize);
    for line in &lines {
        let mut found = Vec::new();
        let _ = ours.for_each(line, |token| {
            found.push((token.id, token.start as usize, token.end as usize));
            ControlFlow::<()>::Continue(())
        });
        let expected = theirs.encode(*line, false).map_err(|error| error.to_string())?;
        let places = expected.get_ids().iter().zip(expected.get_offsets());
        let expected: Vec<_> = places.map(|(&id, &(start, end))| (id, start, end)).collect();
        tokens += found.len();
        different += usize::from(found != expected);
    }

    let (mut own, mut encode, mut fast) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..=rounds {
        own.push(seconds(|| {
            lines.iter().fold(0u64, |mut sum, line| {
                let _ = ours.for_each(line, |token| {
                    sum += u64::from(token.id) + u64::from(token.end);
                    ControlFlow::<()>::Continue(())
                });
                sum
            })
        }));
        let ids = |encoding: tokenizers::Result<tokenizers::Encoding>| {
            encoding.map_or(0, |encoding| encoding.get_ids().iter().map(|&id| u64::from(id)).sum::<u64>())
        };
        encode.push(seconds(|| lines.iter().map(|line| ids(theirs.encode(*line, false))).sum()));
        fast.push(seconds(|| lines.iter().map(|line| ids(theirs.encode_fast(*line, false))).sum()));
    }
    // The first round warms up: caches, and the crate's memory of words it has seen.
    let rest = |times: &[f64]| times[1..].to_vec();
    println!(
        "{}",
        json!({
            "bytes": text.len(), "lines": lines.len(), "tokens": tokens, "different_lines": different,
            "ours_s": rest(&own), "encode_s": rest(&encode), "encode_fast_s": rest(&fast),
        })
    );
    Ok(())
}

/// The crate as BERT's uncased models use it.
fn peer(vocabulary: &[u8]) -> Result<Tokenizer, Box<dyn Error>> {
    let wrong = |error: tokenizers::Error| error.to_string();
    let pieces = WordPiece::read_bytes(vocabulary).map_err(wrong)?;
    let mut tokenizer = Tokenizer::new(WordPiece::builder().vocab(pieces).build().map_err(wrong)?);
    tokenizer.with_normalizer(Some(BertNormalizer::new(true, true, Some(true), true))).map_err(wrong)?;
    tokenizer.with_pre_tokenizer(Some(BertPreTokenizer));
    let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map(|piece| AddedToken::from(piece, true));
    tokenizer.add_special_tokens(special).map_err(wrong)?;
    Ok(tokenizer)
}

/// How long the work takes; its sum keeps it from being left out.
fn seconds(work: impl FnOnce() -> u64) -> f64 {
    let start = Instant::now();
    std::hint::black_box(work());
    start.elapsed().as_secs_f64()
}
