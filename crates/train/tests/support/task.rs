//! A small model and tasks that it can learn.
#![allow(dead_code, reason = "each test file uses a part of it")]

use candle_core::Device;
use distil_train::model::{Architecture, Head, ModelConfig, random, save};
use std::fmt::Write;
use std::path::Path;

pub(crate) const VOCABULARY: [&str; 20] = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "fine", "great", "bad", "poor", "awful", "the", "film",
    "was", "a", "story", "very", "and", "it", ".",
];

pub(crate) fn config(architecture: Architecture) -> ModelConfig {
    ModelConfig {
        architecture,
        vocab_size: VOCABULARY.len(),
        hidden: 16,
        layers: 2,
        heads: 2,
        intermediate: 32,
        max_positions: 32,
        type_vocab: if architecture == Architecture::Bert { 2 } else { 0 },
        layer_norm_eps: 1e-12,
        dropout: 0.1,
        attention_dropout: 0.1,
        initializer_range: 0.2,
        pad_id: 0,
        head: Head::MaskedLm,
    }
}

/// Writes a masked LM with random weights to `folder/name`.
pub(crate) fn write_model(folder: &Path, name: &str, architecture: Architecture) -> String {
    let (config, path) = (config(architecture), folder.join(name));
    let parameters = random(&config, 3, &Device::Cpu).unwrap();
    save(&path, &config, &parameters, Some((VOCABULARY.join("\n") + "\n").as_bytes()), true).unwrap();
    path.display().to_string()
}

/// Sentence number `i` and whether it praises.
pub(crate) fn sentence(i: usize) -> (String, usize) {
    let praise = i.wrapping_mul(2_654_435_761) >> 7 & 1;
    let word = VOCABULARY[if praise == 1 { 5 } else { 8 } + i % 3];
    let middle = ["film", "story"][i / 3 % 2];
    let text = match i / 5 % 3 {
        0 => format!("the {middle} was {word} ."),
        1 => format!("a {word} {middle}"),
        _ => format!("the {middle} was very {word} and it was a {middle} ."),
    };
    (text, praise)
}

/// Writes `train.tsv` and `dev.tsv` as SST-2 has them; returns their folder.
pub(crate) fn write_sst2(folder: &Path, texts: usize) -> String {
    let path = folder.join("sst2");
    std::fs::create_dir_all(&path).unwrap();
    for (name, range) in [("train.tsv", 0..texts), ("dev.tsv", texts..texts + 60)] {
        let mut text = "sentence\tlabel\n".to_string();
        for (sentence, label) in range.map(sentence) {
            writeln!(text, "{sentence}\t{label}").unwrap();
        }
        std::fs::write(path.join(name), text).unwrap();
    }
    path.display().to_string()
}
