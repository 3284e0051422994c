//! `tools tokenize`: lines of text in, lines of ids out.

use std::io::Write;
use std::path::PathBuf;

use distil_format::{Architecture, Config, Head, Pooling, Problem, Vocabulary, build_vocabulary};
use schemars::JsonSchema;
use serde::Serialize;

use super::json_line;
use crate::error::Error;
use crate::files::{open, read_aligned};
use crate::hf;
use crate::sequence::{Pieces, Sequencer};
use crate::text::each_stdin_line;

const DETAILS: &str = "\
Prints one line of ids for each text, with [CLS] and [SEP] around them, using the vocabulary of a packed file or a \
vocab.txt. A text may be longer than the model takes.";

/// Arguments of `tools tokenize`.
#[derive(Debug, clap::Args)]
#[command(after_help = DETAILS, group(clap::ArgGroup::new("source").required(true).args(["file", "vocab"])))]
pub struct Args {
    /// Packed file
    file: Option<PathBuf>,
    /// Vocabulary to use in place of a packed file's
    #[arg(long, value_name = "VOCAB.TXT")]
    vocab: Option<PathBuf>,
    /// With --vocab: keep case and accents
    #[arg(long, requires = "vocab")]
    cased: bool,
    /// Leave out [CLS] and [SEP]
    #[arg(long)]
    no_special: bool,
    /// Text; may be given several times [default: each line of standard input]
    #[arg(long)]
    text: Vec<String>,
    /// Print a JSON object per line: ids, tokens, and byte offsets into the text
    #[arg(long)]
    json: bool,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Line {
    ids: Vec<u32>,
    tokens: Vec<String>,
    offsets: Vec<[usize; 2]>,
}

impl Args {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Error> {
        match (&self.file, &self.vocab) {
            (Some(path), _) => {
                let bytes = read_aligned(path)?;
                let artifact = open(path, &bytes)?;
                self.lines(&Sequencer::new(artifact.config(), artifact.vocabulary()), out)
            }
            (None, path) => {
                let path = path.as_deref().unwrap_or("vocab.txt".as_ref());
                let vocabulary = hf::Vocabulary::read_file(path, !self.cased)?;
                let wrong = |reason: String| Error::Folder(hf::Problem::Tokenizer(reason).at(path));
                let bytes = build_vocabulary(&vocabulary.pieces).map_err(|error| wrong(error.to_string()))?;
                let packed = Vocabulary::new(&bytes).map_err(|error| wrong(error.to_string()))?;
                self.lines(&Sequencer::new(&text_only(&vocabulary), packed), out)
            }
        }
    }

    fn lines(&self, sequencer: &Sequencer<'_>, out: &mut dyn Write) -> Result<(), Error> {
        let mut pieces = sequencer.pieces();
        if self.text.is_empty() {
            return each_stdin_line(|line| self.line(sequencer, &mut pieces, line, out));
        }
        self.text.iter().try_for_each(|text| self.line(sequencer, &mut pieces, text, out))
    }

    fn line(
        &self,
        sequencer: &Sequencer<'_>,
        pieces: &mut Pieces<'_>,
        text: &str,
        out: &mut dyn Write,
    ) -> Result<(), Error> {
        let sequence = if self.no_special { sequencer.plain(text) } else { sequencer.sequence(text, None) };
        if self.json {
            let tokens = sequence.ids.iter().map(|&id| pieces.get(id).to_owned()).collect();
            let offsets = sequence.spans.iter().map(|span| [span.start, span.end]).collect();
            return json_line(out, &Line { ids: sequence.ids, tokens, offsets });
        }
        for (index, id) in sequence.ids.iter().enumerate() {
            write!(out, "{}{id}", if index == 0 { "" } else { " " })?;
        }
        Ok(writeln!(out)?)
    }
}

/// A configuration of which only the text settings mean something.
fn text_only(vocabulary: &hf::Vocabulary) -> Config {
    let hf::SpecialIds { pad, unk, cls, sep, mask } = vocabulary.special;
    Config {
        architecture: Architecture::Bert,
        hidden: 1,
        layers: 1,
        heads: 1,
        intermediate: 1,
        vocab_size: u32::try_from(vocabulary.pieces.len()).unwrap_or(u32::MAX),
        max_positions: 2,
        type_vocab: 0,
        layer_norm_eps: 1e-12,
        head: Head::Embedding,
        pooling: Pooling::Mean,
        normalize: false,
        labels: 0,
        problem: Problem::SingleLabel,
        lowercase: vocabulary.lowercase,
        strip_accents: vocabulary.strip_accents,
        split_cjk: vocabulary.split_cjk,
        pad_id: pad,
        unk_id: unk,
        cls_id: cls,
        sep_id: sep,
        mask_id: mask,
    }
}
