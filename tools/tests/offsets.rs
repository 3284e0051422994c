//! Places in texts: whatever the text, a reported range is a part of it, and that part has the reported tokens.

use distil_format::{AlignedBytes, Artifact};
use distil_runtime::{Answer, Model, Plan, Search, Session, arena_len};
use distil_tools::fixture::Fixture;
use distil_tools::hf::{self, HeadKind, Pooling};
use distil_tools::pack::{Storage, pack};
use distil_tools::sequence::Sequencer;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// What texts are strung together from: words whole and in pieces, accents of one and of two characters, a mark, letters
/// whose lower case is longer, scripts that are split by character, spaces of every kind, what is removed, special tokens.
const PARTS: [&str; 28] = [
    "kitchen",
    "unbelievable",
    "zzz",
    "THE",
    "a",
    "isn't",
    "café",
    "cafe\u{301}",
    "e\u{323}\u{301}",
    "İstanbul",
    "ẞ",
    "中国",
    "한글",
    "🙂",
    "naïve",
    "x",
    " ",
    " ",
    " ",
    "\t",
    "\u{a0}",
    "\u{200b}",
    "\u{ad}",
    "[MASK]",
    "[SEP]",
    "...",
    "≠",
    "\n",
];

fn text(random: &mut ChaCha8Rng, most: u32) -> String {
    let parts = random.next_u32() % most;
    (0..parts).map(|_| PARTS[random.next_u32() as usize % PARTS.len()]).collect()
}

fn packed(head: HeadKind, seed: u64) -> AlignedBytes {
    let folder = tempfile::tempdir().unwrap();
    let fixture = Fixture { head, hidden: 16, layers: 1, heads: 2, intermediate: 16, seed, ..Fixture::default() };
    fixture.write(folder.path()).unwrap();
    let model = hf::Model::read(folder.path(), None).unwrap();
    let storage = Storage { weights: distil_format::Dtype::Int8, embeddings: distil_format::Dtype::Int8 };
    let pooling = Pooling { cls: false, normalize: false };
    let bytes = pack(&model, &model.vocabulary(None).unwrap(), storage, pooling, |_, _| {}).unwrap();
    AlignedBytes::copy_of(&bytes)
}

#[test]
fn answers_are_whole_words_of_their_context() {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut seen = [0; 3];
    for seed in 0..4 {
        let bytes = packed(HeadKind::QuestionAnswering, seed);
        let artifact = Artifact::open(&bytes).unwrap();
        let model = Model::new(&artifact).unwrap();
        let sequencer = Sequencer::new(artifact.config(), artifact.vocabulary());
        let mut arena = vec![0; arena_len(&artifact, 128, Plan::FAST)];
        for _ in 0..400 {
            let (question, context) = (text(&mut random, 12), text(&mut random, 60));
            let tokens = 16 + random.next_u32() as usize % 112;
            let mut session = Session::new(&model, &mut arena, tokens).unwrap().truncating(true);
            let search =
                Search { longest: 1 + random.next_u32() as usize % 20, overlap: random.next_u32() as usize % 40 };
            let mut top = [Answer::default(); 5];
            let found = session.answers(&question, &context, search, &mut top).unwrap();
            let pieces = sequencer.pieces_of(&context);
            assert!(found.found == 0 || !pieces.is_empty(), "{context:?}");
            seen[found.found.min(1)] += 1;
            seen[2] += usize::from(found.windows > 1);
            for answer in &top[..found.found] {
                let inside = |piece: &&(u32, std::ops::Range<usize>, bool)| {
                    answer.start <= piece.1.start && piece.1.end <= answer.end
                };
                let expected: Vec<u32> = pieces.iter().filter(inside).map(|piece| piece.0).collect();
                let part = context.get(answer.range()).expect("a range between characters");
                assert_eq!(sequencer.plain(part).ids, expected, "{part:?} in {context:?}");
                assert_eq!(expected.len(), answer.tokens, "{part:?} in {context:?}");
                assert!((1..=search.longest).contains(&answer.tokens));
                assert!(answer.probability > 0.0 && answer.probability <= 1.0 + 1e-5);
            }
            // No span twice, in whatever windows it lies.
            let mut ranges: Vec<_> = top[..found.found].iter().map(|answer| (answer.start, answer.end)).collect();
            ranges.sort_unstable();
            ranges.dedup();
            assert_eq!(ranges.len(), found.found, "{top:?}");
        }
    }
    assert!(seen[0] > 0 && seen[1] > 1000 && seen[2] > 200, "{seen:?}");
}

#[test]
fn tags_cover_every_word_once() {
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let bytes = packed(HeadKind::TokenClassification, 1);
    let artifact = Artifact::open(&bytes).unwrap();
    let model = Model::new(&artifact).unwrap();
    let sequencer = Sequencer::new(artifact.config(), artifact.vocabulary());
    let mut arena = vec![0; arena_len(&artifact, 128, Plan::FAST)];
    let mut session = Session::new(&model, &mut arena, 128).unwrap().truncating(true);
    let mut words = 0;
    for _ in 0..1000 {
        let text = text(&mut random, 40);
        let (pieces, mut at, mut end) = (sequencer.pieces_of(&text), 0, 0);
        for tag in session.tag(&text).unwrap() {
            let part = text.get(tag.range()).expect("a range between characters");
            let ids: Vec<u32> = pieces[at..at + tag.tokens].iter().map(|piece| piece.0).collect();
            let whole = sequencer.pieces_of(part);
            // The session's end may cut the last word; any other is whole.
            if tag.position + tag.tokens < 127 {
                assert_eq!(whole.iter().map(|piece| piece.0).collect::<Vec<_>>(), ids, "{part:?} in {text:?}");
            }
            assert!(tag.start >= end && whole.iter().skip(1).all(|piece| piece.2), "{part:?} in {text:?}");
            assert_eq!(tag.position, at + 1);
            (at, end, words) = (at + tag.tokens, tag.end, words + 1);
        }
        assert_eq!(at, pieces.len().min(126), "{text:?}");
    }
    assert!(words > 5000, "{words}");
}
