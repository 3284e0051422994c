//! What the tests that span crates share. The tests themselves are in `tests/`.

use std::path::{Path, PathBuf};

use distil_format::{AlignedBytes, Dtype, Problem};
use distil_tools::fixture::Fixture;
use distil_tools::hf::{Architecture, HeadKind, Model, Pooling};
use distil_tools::pack::{Storage, pack};

/// Root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the repository").to_path_buf()
}

/// Data kept beside the repository for development; where it is missing, says so and gives `None`.
pub fn shared(path: &str) -> Option<PathBuf> {
    let path = root().join("../shared").join(path);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: {} is not here; this test needs it", path.display());
    None
}

/// Everything int8, as `tools pack` does it unless told otherwise.
pub const INT8: Storage = Storage { weights: Dtype::Int8, embeddings: Dtype::Int8 };
/// Everything float32.
pub const F32: Storage = Storage { weights: Dtype::F32, embeddings: Dtype::F32 };

/// Models that differ in whatever has a path of its own: family, head, storage, and sizes that do not fill tiles.
pub fn models() -> Vec<(&'static str, Fixture, Storage)> {
    let distilbert = Fixture::default();
    let bert = Fixture { architecture: Architecture::Bert, ..Fixture::default() };
    let narrow = Fixture { hidden: 78, heads: 3, intermediate: 130, vocab_size: 301, ..bert.clone() };
    let (classes, answers) = (HeadKind::SequenceClassification, HeadKind::QuestionAnswering);
    let several = Fixture { head: classes, labels: 7, seed: 8, ..bert.clone() };
    vec![
        ("distilbert masked-lm int8", distilbert.clone(), INT8),
        ("bert masked-lm int8", Fixture { seed: 1, ..bert.clone() }, INT8),
        ("bert masked-lm f32", Fixture { seed: 1, ..bert.clone() }, F32),
        ("distilbert classes int8", Fixture { head: classes, labels: 5, seed: 2, ..distilbert.clone() }, INT8),
        ("bert classes, heads of 26, int8", Fixture { head: classes, seed: 3, ..narrow.clone() }, INT8),
        ("bert classes, heads of 26, f32", Fixture { head: classes, seed: 3, ..narrow.clone() }, F32),
        ("bert several labels at once, int8", Fixture { problem: Some(Problem::MultiLabel), ..several }, INT8),
        ("bert words int8", Fixture { head: HeadKind::TokenClassification, labels: 9, seed: 5, ..bert.clone() }, INT8),
        ("distilbert answers int8", Fixture { head: answers, seed: 6, ..distilbert.clone() }, INT8),
        ("bert answers, heads of 26, f32", Fixture { head: answers, seed: 7, ..narrow }, F32),
        ("distilbert embedding int8", Fixture { head: HeadKind::Embedding, hidden: 96, seed: 4, ..distilbert }, INT8),
    ]
}

/// Sentences of 3 to over 60 tokens, with a mask each, and with everything that text may hold.
pub const SENTENCES: [&str; 5] = [
    "[MASK]",
    "turn the [MASK] lights off",
    "The café on Main Street opens at 7:30 [MASK], doesn't it?",
    "数字 and emoji 🙂 may stand between words like naïve [MASK] and straße",
    "the old man walked along the river every morning and thought about the days when he was young and the world was \
     still full of [MASK] that nobody had ever written down, and then he sat on the same bench and looked at the water \
     for an hour before he went home to read the news",
];

/// Writes the model's folder and packs it; an embedding is the mean of all tokens.
pub fn packed(fixture: &Fixture, storage: Storage) -> AlignedBytes {
    pooled(fixture, storage, Pooling { cls: false, normalize: true })
}

/// The same with another embedding.
pub fn pooled(fixture: &Fixture, storage: Storage, pooling: Pooling) -> AlignedBytes {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fixture.write(folder.path()).expect("the fixture is written");
    let model = Model::read(folder.path(), None).expect("the fixture is read back");
    let vocabulary = model.vocabulary(None).expect("the fixture has a vocabulary");
    let bytes = pack(&model, &vocabulary, storage, pooling, |_, _| {}).expect("the fixture is packed");
    AlignedBytes::copy_of(&bytes)
}
