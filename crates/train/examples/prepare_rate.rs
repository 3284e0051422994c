//! How fast text becomes tokens: this crate beside the `tokenizers` crate it is built on, on the same lines in one run.
//!
//!     cargo run --release -p distil-train --example prepare_rate -- TEXT VOCAB.TXT [MEGABYTES] [ROUNDS]
//!
//! TEXT is a text file, .gz or .zst. Each round runs all ways once, with one thread and with all processors; the figures are
//! the best of the rounds, the ratios medians over the rounds, so that a busy machine disturbs them less.

use distil_train::data::{Encoder, Inputs, Preparation, Vocabulary, Watch, prepare};
use rayon::prelude::*;
use std::error::Error;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Instant;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::{DecoderWrapper, PostProcessorWrapper, Tokenizer, TokenizerBuilder};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Lines handed over at once, as `encode_batch` is used on text that does not fit into memory.
const BATCH: usize = 8192;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(text), Some(vocab)) = (arguments.next(), arguments.next()) else {
        return Err("usage: prepare_rate TEXT VOCAB.TXT [MEGABYTES] [ROUNDS]".into());
    };
    let megabytes: usize = arguments.next().map_or(Ok(200), |n| n.parse())?;
    let rounds: usize = arguments.next().map_or(Ok(3), |n| n.parse())?;
    let (text, vocab) = (PathBuf::from(text), PathBuf::from(vocab));
    let lines = read(&text, megabytes << 20)?;
    let bytes: usize = lines.iter().map(String::len).sum();
    let all = std::thread::available_parallelism()?.get();
    let vocabulary = Vocabulary::read(&vocab, false)?;
    let peer = peer(&vocab)?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("lines.txt");
    std::fs::write(&file, lines.join("\n"))?;
    println!("{} lines, {:.1} MB; {all} processors", lines.len(), bytes as f64 / 1e6);

    for threads in if all > 1 { vec![1, all] } else { vec![1] } {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        let ways: [(&str, &dyn Fn() -> Result<usize>); 4] = [
            ("tokenizers encode_batch", &|| pool.install(|| peer_tokens(&peer, &lines, false))),
            ("tokenizers encode_batch_fast", &|| pool.install(|| peer_tokens(&peer, &lines, true))),
            ("distil-train Encoder", &|| pool.install(|| our_tokens(&vocabulary, &lines))),
            ("distil-train prepare", &|| prepared_tokens(&vocabulary, &file, &folder.path().join("data"), threads)),
        ];
        let mut seconds = vec![vec![]; ways.len()];
        let mut tokens = vec![0; ways.len()];
        for _ in 0..rounds {
            for (way, (_, run)) in ways.iter().enumerate() {
                let start = Instant::now();
                tokens[way] = run()?;
                seconds[way].push(start.elapsed().as_secs_f64());
            }
        }
        if tokens.iter().any(|&n| n != tokens[0]) {
            return Err(format!("the ways do not agree on the number of tokens: {tokens:?}").into());
        }
        println!("{threads} thread{}:", if threads == 1 { "" } else { "s" });
        for (way, (name, _)) in ways.iter().enumerate() {
            let best = seconds[way].iter().copied().fold(f64::INFINITY, f64::min);
            let mut ratios: Vec<f64> = seconds[0].iter().zip(&seconds[way]).map(|(peer, ours)| peer / ours).collect();
            ratios.sort_by(f64::total_cmp);
            println!(
                "  {name:29} {:7.1} MB/s {:6.2} M tokens/s  {:5.2}x",
                bytes as f64 / 1e6 / best,
                tokens[way] as f64 / 1e6 / best,
                ratios[rounds / 2]
            );
        }
    }
    Ok(())
}

/// Lines that are not blank, up to a number of bytes.
fn read(path: &Path, bytes: usize) -> Result<Vec<String>> {
    let file = std::fs::File::open(path)?;
    let mut reader: Box<dyn Read> = match path.extension().and_then(|e| e.to_str()) {
        Some("zst") => Box::new(zstd::Decoder::new(file)?),
        Some("gz") => Box::new(flate2::read::MultiGzDecoder::new(file)),
        _ => Box::new(file),
    };
    let mut text = Vec::new();
    reader.by_ref().take(bytes as u64).read_to_end(&mut text)?;
    let text = String::from_utf8_lossy(&text);
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(String::from).collect())
}

/// BERT's tokenizer as the `tokenizers` crate makes it, without special tokens.
fn peer(vocab: &Path) -> Result<Tokenizer> {
    let model = WordPiece::from_file(&vocab.to_string_lossy()).unk_token("[UNK]".into()).build()?;
    let tokenizer = TokenizerBuilder::new()
        .with_model(model)
        .with_normalizer(Some(BertNormalizer::new(true, true, None, true)))
        .with_pre_tokenizer(Some(BertPreTokenizer))
        .with_post_processor(None::<PostProcessorWrapper>)
        .with_decoder(None::<DecoderWrapper>)
        .build()?;
    Ok(tokenizer.into())
}

fn peer_tokens(tokenizer: &Tokenizer, lines: &[String], fast: bool) -> Result<usize> {
    let mut tokens = 0;
    for batch in lines.chunks(BATCH) {
        let batch: Vec<&str> = batch.iter().map(String::as_str).collect();
        let encodings =
            if fast { tokenizer.encode_batch_fast(batch, false)? } else { tokenizer.encode_batch(batch, false)? };
        tokens += encodings.iter().map(|encoding| encoding.get_ids().len()).sum::<usize>();
    }
    Ok(tokens)
}

fn our_tokens(vocabulary: &Vocabulary, lines: &[String]) -> Result<usize> {
    let pieces = lines.len().div_ceil(rayon::current_num_threads()).max(1);
    let tokens: distil_train::Result<Vec<usize>> = lines
        .par_chunks(pieces)
        .map(|lines| {
            let (mut encoder, mut ids, mut tokens) = (Encoder::new(vocabulary)?, vec![], 0);
            for line in lines {
                ids.clear();
                encoder.encode(line, &mut ids)?;
                tokens += ids.len();
            }
            Ok(tokens)
        })
        .collect();
    Ok(tokens?.into_iter().sum())
}

/// The whole way from a text file to shards on disk; nothing is left out, so that the tokens can be compared.
fn prepared_tokens(vocabulary: &Vocabulary, file: &Path, out: &Path, threads: usize) -> Result<usize> {
    let preparation = Preparation {
        text: Inputs::find(&[file.to_path_buf()])?,
        held_out: Inputs::default(),
        field: "text".into(),
        hold_out_every: 0,
        max_length: 1 << 20,
        min_length: 2,
        strict: true,
        keep_going: false,
        threads,
    };
    let index = prepare(&preparation, vocabulary, out, &Watch::default())?.index;
    let [unknown, framed] = [index.dropped_unknown, 2].map(|n| n as usize);
    let sequences = index.train.iter().map(|shard| shard.sequences).sum::<u64>() as usize;
    let tokens = index.train.iter().map(|shard| shard.tokens).sum::<u64>() as usize;
    if unknown > 0 {
        eprintln!("{unknown} lines are mostly unknown and left out of the shards");
    }
    Ok(tokens - framed * sequences)
}
