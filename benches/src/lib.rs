//! The models that the benches measure: random weights in the shapes of real ones.

use distil_format::AlignedBytes;
use distil_tests::{INT8, packed};
use distil_tools::fixture::Fixture;
use distil_tools::hf::HeadKind;
use distil_tools::pack::Storage;

/// A model of MiniLM's shape (6 layers, 384 wide) with a vocabulary of 8,192, int8: large enough to miss the
/// first cache levels, small enough to be made in a second.
pub fn minilm_shape() -> AlignedBytes {
    let shape = Fixture {
        hidden: 384,
        layers: 6,
        heads: 12,
        intermediate: 1536,
        vocab_size: 8_192,
        positions: 512,
        ..Fixture::default()
    };
    packed(&shape, INT8)
}

/// Entries of [`distilbert_shape`]'s vocabulary: the encoder reads a row of it for each token, so that fewer than the
/// real 30,522 change nothing but the time it takes to make them.
pub const VOCABULARY: u32 = 4_096;

/// A model of DistilBERT's shape: 6 layers of 768.
pub fn distilbert_shape(storage: Storage) -> AlignedBytes {
    let shape = Fixture {
        head: HeadKind::SequenceClassification,
        hidden: 768,
        layers: 6,
        heads: 12,
        intermediate: 3072,
        vocab_size: VOCABULARY as usize,
        positions: 512,
        ..Fixture::default()
    };
    packed(&shape, storage)
}

/// Everyday English for the tokenizer and the encoder.
pub const TEXT: &str = "The old man walked along the river every morning and thought about the days when he was \
                        young, and then he sat on the same bench and looked at the water for an hour.";
