//! Prints how fast the packed vocabulary finds pieces and how fast a file opens: `cargo run --release -p distil-format --example lookup_speed -- VOCAB.TXT TEXT`.
//!
//! Words are runs of letters and digits of the text, lower-cased. "word start" looks up the longest entry at the start of each word; "whole word" goes on over the rest with the entries
//! that continue a word, as a tokenizer does.

use std::hint::black_box;
use std::time::Instant;

use distil_format::{
    AlignedBytes, Architecture, Artifact, Config, Dtype, Head, Layout, Pooling, Problem, RoleKind, TensorData,
    Vocabulary, build_vocabulary, data_len, scales_len, write, xxh32,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [vocabulary, text] = arguments.as_slice() else {
        return Err("give a vocab.txt and a text file".into());
    };
    let lines = std::fs::read_to_string(vocabulary)?;
    let pieces: Vec<&str> = lines.lines().collect();
    let bytes = build_vocabulary(&pieces)?;
    let text = std::fs::read_to_string(text)?.to_lowercase();
    let words: Vec<&[u8]> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .take(1_000_000)
        .map(str::as_bytes)
        .collect();
    println!("vocabulary: {} entries, {} bytes; {} words", pieces.len(), bytes.len(), words.len());

    let open = best(20, || Vocabulary::new(black_box(&bytes)).map_or(0, |v| v.len()));
    println!("check at open: {:.0} us", open.0 * 1e6);
    let vocabulary = Vocabulary::new(&bytes)?;
    let start = best(7, || words.iter().filter_map(|word| vocabulary.longest_match(word, false)).count());
    println!("word start: {:.1} ns a word", start.0 * 1e9 / words.len() as f64);
    let whole = best(7, || words.iter().map(|word| count(&vocabulary, word)).sum());
    println!(
        "whole word: {:.1} ns a word, {:.1} ns a lookup ({} lookups)",
        whole.0 * 1e9 / words.len() as f64,
        whole.0 * 1e9 / whole.1 as f64,
        whole.1
    );

    let image = AlignedBytes::copy_of(&distilbert(&bytes)?);
    let checksum = best(9, || xxh32(black_box(&image), 0) as usize);
    let open = best(9, || Artifact::open(black_box(&image)).map_or(0, |a| a.len()));
    let structure = best(99, || Artifact::open_unverified(black_box(&image)).map_or(0, |a| a.len()));
    println!(
        "DistilBERT-66M, int8, {} bytes: checksum {:.1} ms, open {:.1} ms, open unverified {:.1} us",
        open.1,
        checksum.0 * 1e3,
        open.0 * 1e3,
        structure.0 * 1e6
    );
    Ok(())
}

/// A file of DistilBERT's shape, all weights zero.
fn distilbert(vocabulary: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let config = Config {
        architecture: Architecture::DistilBert,
        hidden: 768,
        layers: 6,
        heads: 12,
        intermediate: 3072,
        vocab_size: 30_522,
        max_positions: 512,
        type_vocab: 0,
        layer_norm_eps: 1e-12,
        head: Head::SequenceClassification,
        pooling: Pooling::Cls,
        normalize: false,
        labels: 2,
        problem: Problem::SingleLabel,
        lowercase: true,
        strip_accents: true,
        split_cjk: true,
        pad_id: 0,
        unk_id: 100,
        cls_id: 101,
        sep_id: 102,
        mask_id: 103,
    };
    let tensors = config
        .tensor_ids()
        .map(|id| {
            let (dtype, layout) = match id.role.kind() {
                RoleKind::Table => (Dtype::Int8, Layout::RowMajor),
                RoleKind::Matrix => (Dtype::Int8, Layout::Tile16),
                RoleKind::Bias => (Dtype::F16, Layout::RowMajor),
                RoleKind::Norm => (Dtype::F32, Layout::RowMajor),
            };
            let (rows, cols) = config.shape(id);
            let data = data_len(dtype, layout, rows, cols)?;
            let scales = scales_len(dtype, layout, rows)?;
            Some(TensorData {
                id,
                dtype,
                layout,
                data: vec![0; usize::try_from(data).ok()?],
                // The bfloat16 1.0.
                scales: [0x80, 0x3F].repeat(usize::try_from(scales / 2).ok()?),
            })
        })
        .collect::<Option<Vec<_>>>()
        .ok_or("the model does not fit this machine")?;
    let labels = ["negative".to_owned(), "positive".to_owned()];
    Ok(write(&config, tensors, vocabulary, &labels, &[])?)
}

/// Pieces of a word, as far as entries match.
fn count(vocabulary: &Vocabulary<'_>, word: &[u8]) -> usize {
    let (mut rest, mut pieces) = (word, 0);
    while !rest.is_empty() {
        let Some((_, len)) = vocabulary.longest_match(rest, pieces > 0) else {
            return pieces + 1;
        };
        rest = &rest[len..];
        pieces += 1;
    }
    pieces
}

/// Least seconds of some runs, and what the run gives.
fn best(runs: usize, mut run: impl FnMut() -> usize) -> (f64, usize) {
    let mut best = (f64::INFINITY, 0);
    for _ in 0..runs {
        let start = Instant::now();
        let result = black_box(run());
        best = (best.0.min(start.elapsed().as_secs_f64()), result);
    }
    best
}
