//! Writes small models with made-up weights, one for each head, and three files that are none: for the comparison of C with
//! Rust. `cargo run -p distil-capi --example models -- FOLDER`.

use std::path::Path;
use std::process::ExitCode;

use distil_forge::{Stored, config, labels, tensors};
use distil_format::{Config, Dtype, Head, Layout, build_vocabulary, write};

const WORDS: &str = "[PAD] [UNK] [CLS] [SEP] [MASK] turn the kitchen light ##s off play in living room music is loud \
                     please , . ! na ##ive ca ##fe un ##believ ##ably one two three four five six seven are on";

fn model(head: Head) -> Vec<u8> {
    let pieces: Vec<&str> = WORDS.split(' ').collect();
    let small = config(head);
    let config = Config {
        hidden: 32,
        layers: 2,
        heads: 4,
        intermediate: 48,
        vocab_size: pieces.len() as u32 + 1,
        max_positions: 64,
        strip_accents: true,
        labels: if small.labels > 0 { small.labels + 2 } else { 0 },
        ..small
    };
    // The largest type, the smallest, and the layouts of different processors.
    let stored = match head.code() % 3 {
        0 => Stored::All(Dtype::Int8, Layout::Tile16),
        1 => Stored::All(Dtype::Int4G32, Layout::Tile4),
        _ => Stored::Mixed,
    };
    let vocabulary = build_vocabulary(&pieces).expect("a good vocabulary");
    write(&config, tensors(&config, stored), &vocabulary, &labels(&config), b"\xa0").expect("a good model")
}

fn write_all(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for &head in Head::ALL {
        std::fs::write(folder.join(head.name()).with_extension("distil"), model(head))?;
    }
    let whole = model(Head::Embedding);
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 4;
    std::fs::write(folder.join("damaged.distil"), damaged)?;
    std::fs::write(folder.join("erased.distil"), vec![0xFF; 4096])?;
    let mut newer = whole;
    newer[8] += 1;
    std::fs::write(folder.join("newer.distil"), newer)
}

fn main() -> ExitCode {
    let Some(folder) = std::env::args().nth(1) else {
        eprintln!("give the folder to write to: models FOLDER");
        return ExitCode::from(2);
    };
    match write_all(Path::new(&folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot write to {folder}: {error}");
            ExitCode::FAILURE
        }
    }
}
