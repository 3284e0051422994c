//! A small seeded corpus with words that predict each other.

use rand::{Rng, SeedableRng};
use std::fmt::Write;
use std::path::Path;

const COLOURS: [&str; 6] = ["red", "green", "blue", "white", "black", "brown"];
const THINGS: [&str; 6] = ["apple", "leaf", "sky", "snow", "coal", "bear"];
const PLACES: [&str; 4] = ["garden", "house", "forest", "street"];

/// Writes `vocab.txt` and `text.txt` with `lines` sentences: each colour goes with one thing.
pub(crate) fn write(folder: &Path, lines: usize) {
    let words = ["the", "is", "and", "in", "a", "near", "seen", "today", "."];
    let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
    let vocabulary: Vec<&str> =
        special.iter().chain(&words).chain(&COLOURS).chain(&THINGS).chain(&PLACES).copied().collect();
    std::fs::write(folder.join("vocab.txt"), vocabulary.join("\n") + "\n").unwrap();
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(5);
    let mut text = String::new();
    for _ in 0..lines {
        let (a, b) = (rng.random_range(0..6), rng.random_range(0..6));
        let place = PLACES[rng.random_range(0..4)];
        let tail = if rng.random_bool(0.5) { " and seen today ." } else { " ." };
        writeln!(text, "the {} {} is in the {place} near a {} {}{tail}", COLOURS[a], THINGS[a], COLOURS[b], THINGS[b])
            .unwrap();
    }
    std::fs::write(folder.join("text.txt"), text).unwrap();
}
