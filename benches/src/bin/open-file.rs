//! What it takes to get from the bytes of a packed file to a session.
//!
//!     open-file MODEL.distil ROUNDS
//!
//! Prints one JSON object: microseconds of each round, and how many bytes of weights lie outside the file's own.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use distil_runtime::{Artifact, Model, Plan, Session, arena_len};
use distil_tools::files::read_aligned;
use serde_json::json;

/// Length of the texts that the session is for.
const TOKENS: usize = 128;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, rounds] = &arguments[..] else { return Err("usage: open-file MODEL.distil ROUNDS".into()) };
    let rounds: usize = rounds.parse()?;
    let bytes = read_aligned(Path::new(path))?;

    let (mut verified, mut structure, mut model_times, mut session_times) = (vec![], vec![], vec![], vec![]);
    let artifact = Artifact::open(&bytes)?;
    let mut arena = vec![0; arena_len(&artifact, TOKENS, Plan::FAST)];
    for _ in 0..=rounds {
        verified.push(microseconds(|| Artifact::open(&bytes).is_ok()));
        structure.push(microseconds(|| Artifact::open_unverified(&bytes).is_ok()));
        model_times.push(microseconds(|| Model::new(&artifact).is_ok()));
        let model = Model::new(&artifact)?;
        session_times.push(microseconds(|| Session::new(&model, &mut arena, TOKENS).is_ok()));
    }
    let own = bytes.as_ptr_range();
    let inside = |part: &[u8]| own.contains(&part.as_ptr()) && part.len() <= own.end.addr() - part.as_ptr().addr();
    let copied: usize = artifact
        .tensors()
        .flat_map(|tensor| [tensor.data, tensor.scales])
        .filter(|part| !inside(part))
        .map(<[u8]>::len)
        .sum();
    // The first round warms up.
    let rest = |times: &[f64]| times[1..].to_vec();
    println!(
        "{}",
        json!({
            "bytes": bytes.len(), "weights_copied": copied, "model_bytes": size_of::<Model<'_>>(),
            "open_us": rest(&verified), "open_unverified_us": rest(&structure),
            "model_us": rest(&model_times), "session_us": rest(&session_times),
        })
    );
    Ok(())
}

/// How long the work takes, in microseconds.
fn microseconds(work: impl FnOnce() -> bool) -> f64 {
    let start = Instant::now();
    let done = std::hint::black_box(work());
    let time = start.elapsed();
    assert!(done, "it has worked before");
    time.as_secs_f64() * 1e6
}
