//! `bench tokenizer` and `bench open`: what happens before the encoder runs.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::Outcome;
use super::place;
use super::programs::{folder, json, measuring, number, tools};
use super::stats::{Samples, ratios};
use super::subjects::{Packing, Shape, packed};
use super::table::{Table, digits, grouped};
use super::targets::Measured;
use crate::shell::run;
use crate::{demo, models};

/// Arguments of `bench tokenizer`.
#[derive(clap::Args, Clone)]
pub(super) struct TokenizerArgs {
    /// Text to tokenize, line by line [default: the demo's corpus]
    #[arg(long, value_name = "FILE")]
    pub(super) text: Option<PathBuf>,
    /// BERT's uncased vocabulary, 30,522 lines [default: that of `cargo xtask models minilm`, if it is in the cache]
    #[arg(long, value_name = "VOCAB.TXT")]
    pub(super) vocab: Option<PathBuf>,
    /// Passes over the text
    #[arg(long, default_value_t = 9)]
    pub(super) rounds: usize,
}

/// Ours over the packed vocabulary against the `tokenizers` crate, in turns.
pub(super) fn tokenizer(args: &TokenizerArgs, command: &str) -> Result<Outcome> {
    let vocabulary = match (&args.vocab, models::cached_minilm()) {
        (Some(path), _) => path.clone(),
        (None, Some(folder)) => folder.join("vocab.txt"),
        (None, None) => {
            bail!("this needs BERT's uncased vocabulary: give it with --vocab, or run `cargo xtask models minilm`")
        }
    };
    let vocabulary = fs::canonicalize(&vocabulary).with_context(|| format!("cannot read {}", vocabulary.display()))?;
    let (text, what) = match &args.text {
        Some(path) => {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            (fs::canonicalize(path).with_context(|| format!("cannot read {}", path.display()))?, name)
        }
        None => {
            let path = folder()?.join("corpus.txt");
            fs::write(&path, demo::corpus_text()).with_context(|| format!("cannot write {}", path.display()))?;
            (path, "the demo's corpus".to_owned())
        }
    };
    let model = folder()?.join("tokenizer.distil");
    let mut pack = tools("pack")?;
    pack.arg(Shape::DistilBert.folder()?).arg("--vocab").arg(&vocabulary);
    run(pack.arg("-o").arg(&model)).context("the vocabulary has to have the 30,522 entries of the model")?;
    let mut program = measuring("tokenizer-turns")?;
    let answer = json(program.arg(&model).arg(&vocabulary).arg(&text).arg(args.rounds.max(1).to_string()))?;

    let (bytes, tokens) = (number(&answer, "bytes")?, number(&answer, "tokens")?);
    let ours = numbers(&answer, "ours_s")?;
    let title =
        format!("Tokenizer, one thread, {what}: {} bytes, {} tokens", grouped(bytes as u64), grouped(tokens as u64));
    let mut table = Table::new(title, command, &["", "ms (range)", "MB/s", "M tokens/s", "time against ours (range)"]);
    let sides = [
        ("Distil: ids and places", "ours_s"),
        ("`tokenizers`, encode: ids, places and more", "encode_s"),
        ("`tokenizers`, encode_fast: no places", "encode_fast_s"),
    ];
    let mut measured = Vec::new();
    for (name, key) in sides {
        let times = numbers(&answer, key)?;
        let ratio = ratios(&times, &ours).context("there are rounds")?;
        let samples = Samples::new(times.iter().map(|seconds| 1e3 * seconds).collect()).context("there are rounds")?;
        let (megabytes, tokens) = (bytes / 1e3 / samples.median(), tokens / 1e3 / samples.median());
        let against = format!("{}x ({})", digits(ratio.median()), ratio.spread());
        table.rows.push(vec![name.into(), samples.shown(), digits(megabytes), digits(tokens), against]);
        if key == "encode_fast_s" {
            measured.push(Measured {
                id: "tokenizer".into(),
                value: ratio.median(),
                spread: ratio.spread(),
                peer: format!("encode_fast, the faster one: {} ms", digits(samples.median())),
                machine: place::machine(),
                command: command.into(),
            });
        }
    }
    let (different, lines) = (number(&answer, "different_lines")?, number(&answer, "lines")?);
    table.notes.push(format!(
        "{}. {} rounds in turns. Of {lines} lines, {different} had other ids or places than the crate's `encode`.",
        place::machine(),
        args.rounds.max(1)
    ));
    Ok(Outcome { tables: vec![table], measured })
}

/// Arguments of `bench open`.
#[derive(clap::Args, Clone)]
pub(super) struct OpenArgs {
    /// How often
    #[arg(long, default_value_t = 101)]
    pub(super) rounds: usize,
}

/// From the bytes of the packed DistilBERT to a session.
pub(super) fn open(args: &OpenArgs, command: &str) -> Result<Outcome> {
    let file = match packed(Shape::DistilBert, &Packing::of("int8"))? {
        Ok(file) => file,
        Err(reason) => bail!("{reason}"),
    };
    let mut program = measuring("open-file")?;
    let answer = json(program.arg(&file).arg(args.rounds.max(1).to_string()))?;
    let bytes = number(&answer, "bytes")? as u64;
    let title = format!("Opening the packed DistilBERT, {} bytes in memory", grouped(bytes));
    let mut table = Table::new(title, command, &["", "microseconds (range)"]);
    let steps = [
        ("open in full: checksum and every value", "open_us"),
        ("open by structure, checksum apart", "open_unverified_us"),
        ("model over the open file", "model_us"),
        ("session for 128 tokens", "session_us"),
    ];
    for (name, key) in steps {
        let samples = Samples::new(numbers(&answer, key)?).context("there are rounds")?;
        table.rows.push(vec![name.into(), samples.shown()]);
    }
    let (copied, model) = (number(&answer, "weights_copied")?, number(&answer, "model_bytes")?);
    table.notes.push(format!(
        "{}. {copied} bytes of weights lie outside the file's own bytes: nothing is copied, and a model is {model} bytes that \
         refer to them.",
        place::machine()
    ));
    let structure = Samples::new(numbers(&answer, "open_unverified_us")?).context("there are rounds")?;
    let figure = |id: &str, value: f64, spread: String| Measured {
        id: id.into(),
        value,
        spread,
        peer: String::new(),
        machine: place::machine(),
        command: command.into(),
    };
    let measured =
        vec![figure("open", structure.median(), structure.spread()), figure("copied", copied, "exact".into())];
    Ok(Outcome { tables: vec![table], measured })
}

/// A list of numbers of a JSON object.
fn numbers(object: &Value, key: &str) -> Result<Vec<f64>> {
    let list = object[key].as_array().with_context(|| format!("there is no list `{key}` in {object}"))?;
    list.iter().map(|value| value.as_f64().with_context(|| format!("`{key}` has what is no number"))).collect()
}
