//! The fuzzer's targets, on every machine: with the inputs that are kept beside the fuzzer, and with random changes of
//! them, the same at every run.

use std::path::PathBuf;
use std::time::Instant;

use distil_forge::{targets, unpack_inputs};

/// Random inputs of each target; interpreted, each takes seconds.
const ROUNDS: usize = if cfg!(miri) { 2 } else { 20_000 };

/// A small generator: the same numbers at every run.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % n.max(1)
    }
}

/// The inputs that the fuzzer keeps for a target.
fn kept(target: &str) -> Vec<Vec<u8>> {
    if cfg!(miri) {
        // Interpreted, all of them take hours. One small file as it is, and a text.
        let before: &[u8] = if target == "write" { &[0] } else { &[] };
        return vec![[before, &[0, 0, 0, 7], "Ab é 中[MASK]".as_bytes()].concat()];
    }
    let corpus = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../format/fuzz/corpus");
    let path = corpus.join(format!("{target}.inputs"));
    let packed = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    unpack_inputs(&packed).expect("whole inputs").into_iter().map(<[u8]>::to_vec).collect()
}

#[test]
fn kept_inputs_break_no_promise() {
    for (name, target) in targets::ALL {
        let inputs = kept(name);
        assert!(!inputs.is_empty(), "{name}");
        let start = Instant::now();
        inputs.iter().for_each(|input| target(input));
        println!("{name}: {} inputs in {:.1?}", inputs.len(), start.elapsed());
    }
}

#[test]
fn random_inputs_break_no_promise() {
    for (name, target) in targets::ALL {
        let inputs = kept(name);
        let mut random = Random(0x9E37_79B9_7F4A_7C15);
        for _ in 0..ROUNDS {
            let mut input = inputs[random.below(inputs.len())].clone();
            if random.below(4) == 0 {
                // Any changes to any of the small files: the first byte chooses, the others say.
                input = (0..8 + random.below(80)).map(|_| random.below(256) as u8).collect();
            }
            for _ in 0..=random.below(6) {
                let (at, value) = (random.below(input.len() + 1), random.below(256) as u8);
                match random.below(4) {
                    0 => input.insert(at, value),
                    1 => input.truncate(at.max(1)),
                    2 => input.iter_mut().skip(at).take(1).for_each(|byte| *byte = value),
                    _ => input.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (value % 8)),
                }
            }
            target(&input);
        }
    }
}
