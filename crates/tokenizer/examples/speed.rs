//! Measures one thread of this tokenizer against the `tokenizers` crate on a text:
//!
//! ```text
//! cargo run --release -p distil-tokenizer --example speed -- VOCAB.txt TEXT.txt
//! ```

use std::collections::HashMap;
use std::hint::black_box;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};
use std::{env, fs};

use distil_tokenizer::{Settings, Tokenizer, Vocabulary};
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;

/// A trie with sorted edges, laid out plainly.
#[derive(Default)]
struct Trie {
    nodes: Vec<Node>,
}

#[derive(Clone, Default)]
struct Node {
    /// The entry that ends here.
    id: Option<u32>,
    /// Bytes that lead on, in order, and where to.
    edges: Vec<(u8, u32)>,
}

/// Root of the entries that continue a word.
const CONTINUATION: usize = 1;

impl Trie {
    fn new(text: &str) -> Self {
        let mut trie = Self { nodes: vec![Node::default(); 2] };
        for (id, line) in text.lines().enumerate() {
            trie.insert(0, line.as_bytes(), id as u32);
            if let Some(rest) = line.strip_prefix("##") {
                trie.insert(CONTINUATION, rest.as_bytes(), id as u32);
            }
        }
        trie
    }

    fn insert(&mut self, mut node: usize, entry: &[u8], id: u32) {
        for &b in entry {
            node = match self.nodes[node].edges.binary_search_by_key(&b, |edge| edge.0) {
                Ok(i) => self.nodes[node].edges[i].1 as usize,
                Err(i) => {
                    let new = self.nodes.len();
                    self.nodes.push(Node::default());
                    self.nodes[node].edges.insert(i, (b, new as u32));
                    new
                }
            };
        }
        self.nodes[node].id = Some(id);
    }
}

impl Vocabulary for Trie {
    fn longest_match(&self, text: &[u8], continuation: bool) -> Option<(u32, usize)> {
        let mut node = if continuation { CONTINUATION } else { 0 };
        let mut best = None;
        for (i, &b) in text.iter().enumerate() {
            let edges = &self.nodes[node].edges;
            let Ok(edge) = edges.binary_search_by_key(&b, |edge| edge.0) else {
                break;
            };
            node = edges[edge].1 as usize;
            if let Some(id) = self.nodes[node].id {
                best = Some((id, i + 1));
            }
        }
        best
    }
}

/// One piece for whatever is asked: what remains is the cost of everything but the vocabulary.
struct Anything;

impl Vocabulary for Anything {
    fn longest_match(&self, text: &[u8], _: bool) -> Option<(u32, usize)> {
        Some((0, text.len()))
    }
}

/// The fastest of five runs over all lines, and the tokens of one.
fn best(text: &str, mut count: impl FnMut(&str) -> usize) -> (Duration, usize) {
    (0..5)
        .map(|_| {
            let start = Instant::now();
            let tokens = text.lines().map(&mut count).sum();
            (start.elapsed(), tokens)
        })
        .min()
        .expect("five runs")
}

fn ours<V: Vocabulary>(text: &str, vocabulary: V, settings: Settings) -> (Duration, usize) {
    let tokenizer = Tokenizer::new(vocabulary, settings);
    best(text, |line| {
        let mut n = 0;
        let _ = tokenizer.for_each(line, |token| {
            n += 1;
            black_box(token);
            ControlFlow::Continue(())
        });
        n
    })
}

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [vocabulary, text] = &arguments[..] else {
        eprintln!("usage: speed VOCAB.txt TEXT.txt");
        std::process::exit(2);
    };
    let vocabulary = fs::read_to_string(vocabulary).expect("a readable vocabulary");
    let text = fs::read_to_string(text).expect("a readable text");
    let ids: HashMap<&str, u32> = vocabulary.lines().zip(0..).collect();
    let id = |token: &str| *ids.get(token).expect("the special tokens are in the vocabulary");
    let settings = Settings {
        lowercase: true,
        strip_accents: true,
        split_cjk: true,
        pad: id("[PAD]"),
        unk: id("[UNK]"),
        cls: id("[CLS]"),
        sep: id("[SEP]"),
        mask: id("[MASK]"),
    };

    let model = WordPiece::read_bytes(vocabulary.as_bytes()).expect("a vocabulary");
    let model = WordPiece::builder().vocab(model).build().expect("a model");
    let mut oracle = tokenizers::Tokenizer::new(model);
    oracle.with_normalizer(Some(BertNormalizer::default())).expect("a normalizer");
    oracle.with_pre_tokenizer(Some(BertPreTokenizer));

    let reference = best(&text, |line| oracle.encode(line, false).expect("an encoding").len());
    let rows = [
        ("tokenizers", reference),
        ("distil, trie", ours(&text, Trie::new(&vocabulary), settings)),
        ("distil, no vocabulary", ours(&text, Anything, settings)),
    ];
    for (name, (time, tokens)) in rows {
        let seconds = time.as_secs_f64();
        println!(
            "{name:22} {tokens:7} tokens {:8.2} MB/s {:8.2} Mtokens/s {:6.1}x",
            text.len() as f64 / seconds / 1e6,
            tokens as f64 / seconds / 1e6,
            reference.0.as_secs_f64() / seconds
        );
    }
}
