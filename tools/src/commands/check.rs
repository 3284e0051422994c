//! `tools check`: the file with which a device proves that it computes the same bits.

use std::io::Write;
use std::path::PathBuf;

use distil_format::Head;
use distil_kernels::Isa;
use schemars::JsonSchema;
use serde::Serialize;

use super::{bytes, json_line, packed, progress};
use crate::checkfile::{Case, write};
use crate::error::Error;
use crate::files::{open, read_aligned, write_whole};
use crate::sentences;
use crate::text::lines_of;

const DETAILS: &str = "\
Runs the texts and writes them with the exact outputs as a small binary file, with which a device compares its own \
outputs bit for bit. The layout is described in tools/src/checkfile.rs.";

/// Arguments of `tools check`.
#[derive(Debug, clap::Args)]
#[command(after_help = DETAILS)]
pub struct Args {
    /// Packed file
    file: PathBuf,
    /// Texts, one per line, pairs with a tab between them; for a masked-LM head each with [MASK] [default: three built-in sentences]
    #[arg(long, value_name = "FILE")]
    text: Option<PathBuf>,
    /// File to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Instruction set to use, one that `tools bench --kernels` lists [default: the fastest one here]
    #[arg(long, value_name = "NAME", value_parser = packed::parse_isa)]
    isa: Option<Isa>,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Report {
    file: PathBuf,
    bytes: usize,
    isa: &'static str,
    sentences: Vec<SentenceReport>,
}

#[derive(Serialize, JsonSchema)]
struct SentenceReport {
    text: String,
    tokens: u32,
    hidden_xxh32: String,
    output_words: usize,
}

impl Args {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Error> {
        let content = read_aligned(&self.file)?;
        let artifact = open(&self.file, &content)?;
        let model = packed::model(&self.file, &artifact, self.isa)?;
        let head = artifact.config().head;
        let texts = match &self.text {
            Some(path) => lines_of(path)?,
            None => sentences::built_in(head).map(str::to_owned).into(),
        };
        let mut arena = packed::arena(&artifact);
        let mut session = packed::session(&model, &mut arena)?;
        let mut cases = Vec::with_capacity(texts.len());
        let bar = progress("computing", texts.len());
        for text in &texts {
            bar.inc(1);
            let case = Case::compute(&model, &mut session, text)?;
            if head == Head::MaskedLm && case.output.is_empty() {
                return Err(Error::usage(
                    format!("`{text}` has no [MASK]"),
                    "write [MASK] where a word is to be filled in",
                ));
            }
            cases.push(case);
        }
        bar.finish_and_clear();
        let file = write(artifact.checksum(), &cases);
        write_whole(&self.output, &file)?;
        if !self.json {
            let (path, size, count) = (self.output.display(), bytes(file.len()), cases.len());
            return Ok(writeln!(out, "{path}: {size}, {count} sentences, computed on {}", model.isa())?);
        }
        let sentences = cases.into_iter().map(|case| SentenceReport {
            hidden_xxh32: format!("{:08x}", case.hidden),
            output_words: case.output.len(),
            tokens: case.tokens,
            text: case.text,
        });
        let report = Report {
            file: self.output.clone(),
            bytes: file.len(),
            isa: model.isa().name(),
            sentences: sentences.collect(),
        };
        json_line(out, &report)
    }
}
