//! `tools report`: packed files on one page.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use distil_format::Artifact;
use distil_kernels::Isa;
use distil_runtime::Model;

use super::{bytes, json_line, packed, progress};
use crate::error::Error;
use crate::files::{FileBytes, open, read_aligned, write_whole};
use crate::hub;
use crate::report::{Facts, File, Latency, Original, Originals, Report, compare, lengths, measure, page};
use crate::sentences;
use crate::sequence::{Sequence, Sequencer};
use crate::text::lines_of;

const DETAILS: &str = "\
The page is one file that needs no network and no other file: where the bytes are, the error of every tensor, the range \
of its values, the memory for inputs of each length, and the time on this machine. With --against it also has the error \
after each layer, the ranges of activations, and for several files their quality against their size; all these are \
measured on the texts.

With --no-bench nothing is timed, and the same input gives the same page.";

/// Arguments of `tools report`.
#[derive(Debug, clap::Args)]
#[command(after_help = DETAILS)]
pub struct Args {
    /// Packed files; several of the same model are compared
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Page to write
    #[arg(short, long, value_name = "FILE", default_value = "report.html")]
    output: PathBuf,
    /// Hugging Face folder that the files were made from, or the model's name on the hub
    #[arg(long, value_name = "DIR")]
    against: Option<PathBuf>,
    /// Texts, one per line, pairs with a tab between them [default: three built-in sentences]
    #[arg(long, value_name = "FILE", requires = "against")]
    text: Option<PathBuf>,
    /// Texts to use at most, evenly from all over the file
    #[arg(long, value_name = "N", default_value_t = 256, requires = "text")]
    limit: usize,
    /// Measure no times
    #[arg(long)]
    no_bench: bool,
    /// Tokens of the inputs to time, with commas between them [default: powers of two from 8 to 512]
    #[arg(long, value_name = "N", value_delimiter = ',', conflicts_with = "no_bench")]
    lengths: Vec<usize>,
    /// How long to time each length of each file
    #[arg(long, value_name = "SECONDS", default_value_t = 0.3, conflicts_with = "no_bench")]
    seconds: f64,
    /// Instruction set to use, one that `tools bench --kernels` lists [default: the fastest one here]
    #[arg(long, value_name = "NAME", value_parser = packed::parse_isa)]
    isa: Option<Isa>,
    /// Print what the page shows as a JSON object
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Error> {
        let budget = Duration::try_from_secs_f64(self.seconds).map_err(|_| {
            Error::usage(format!("--seconds {}: not a time", self.seconds), "give a number such as 0.3")
        })?;
        if self.limit == 0 {
            return Err(Error::usage("--limit 0: no text to compare on", "give 1 or more"));
        }
        let contents: Vec<FileBytes> = self.files.iter().map(|path| read_aligned(path)).collect::<Result<_, _>>()?;
        let opened = self.files.iter().zip(&contents).map(|(path, bytes)| open(path, bytes));
        let artifacts: Vec<Artifact<'_>> = opened.collect::<Result<_, _>>()?;
        let opened = self.files.iter().zip(&artifacts).map(|(path, artifact)| packed::model(path, artifact, self.isa));
        let models: Vec<Model<'_>> = opened.collect::<Result<_, _>>()?;
        let originals = match &self.against {
            Some(folder) => Originals::read(&hub::resolve(folder)?, &self.files, &artifacts)?,
            None => Originals::default(),
        };
        let mut report = self.describe(&artifacts, &originals);
        self.compare(&originals, &models, &mut report)?;
        if !self.no_bench {
            for (file, times) in report.files.iter_mut().zip(self.times(&models, budget)?) {
                file.latency = times;
            }
        }
        let used = !self.no_bench || report.original.is_some();
        report.isa = models.first().filter(|_| used).map(|model| model.isa().name());
        let page = page(&report);
        write_whole(&self.output, page.as_bytes())?;
        if self.json {
            return json_line(out, &report);
        }
        Ok(writeln!(out, "{}, {}", self.output.display(), bytes(page.len()))?)
    }

    /// What the files say without being run.
    fn describe(&self, artifacts: &[Artifact<'_>], originals: &Originals) -> Report {
        let count = artifacts.iter().map(|artifact| artifact.config().tensor_count()).sum();
        let bar = progress("reading tensors", count);
        let facts = names(&self.files).into_iter().zip(artifacts).enumerate().map(|(file, (name, artifact))| {
            let facts = Facts::new(&name, artifact, originals.of(file), || bar.inc(1));
            File { facts, latency: Vec::new(), fidelity: None }
        });
        let files = facts.collect();
        bar.finish_and_clear();
        let tool = concat!("distil-tools ", env!("CARGO_PKG_VERSION"));
        Report { tool, isa: None, original: None, files, activations: Vec::new() }
    }

    /// Compares the files with their originals; those with the same vocabulary together.
    fn compare(&self, originals: &Originals, models: &[Model<'_>], report: &mut Report) -> Result<(), Error> {
        let Some(first) = models.first().filter(|_| !originals.groups.is_empty()) else { return Ok(()) };
        let (texts, source) = match &self.text {
            Some(path) => (spread_out(lines_of(path)?, self.limit), name(path)),
            None => (sentences::built_in(first.config().head).map(str::to_owned).into(), "built-in".to_owned()),
        };
        let bar = progress("comparing", texts.len() * originals.groups.len());
        for (original, files) in &originals.groups {
            let models: Vec<Model<'_>> = files.iter().map(|&file| models[file]).collect();
            let [one, ..] = &models[..] else { continue };
            let (sequencer, most) =
                (Sequencer::new(one.config(), one.artifact().vocabulary()), original.config.positions);
            let sequences: Vec<Sequence> = texts.iter().map(|text| sequencer.truncated(text, most).0).collect();
            let (activations, fidelity) = compare(original, &models, &sequences, || bar.inc(1))?;
            for (&file, fidelity) in files.iter().zip(fidelity) {
                report.files[file].fidelity = Some(fidelity);
            }
            // The first group has the first file.
            if report.original.is_none() {
                report.activations = activations;
                report.original = Some(Original {
                    name: name(&original.folder),
                    sha256: original.sha256.clone(),
                    float_bytes: 4 * report.files.first().map_or(0, |file| file.facts.parameters),
                    texts: sequences.len(),
                    tokens: sequences.iter().map(Sequence::len).sum(),
                    source: source.clone(),
                });
            }
        }
        bar.finish_and_clear();
        Ok(())
    }

    /// The times of every file, length by length; the files take turns, so that what else the machine does hits them all.
    fn times(&self, models: &[Model<'_>], budget: Duration) -> Result<Vec<Vec<Latency>>, Error> {
        let most = models.iter().map(|model| model.config().max_positions as usize).min().unwrap_or(0);
        let mut wanted = if self.lengths.is_empty() { lengths(most) } else { self.lengths.clone() };
        wanted.sort_unstable();
        wanted.dedup();
        if let Some(bad) = wanted.iter().find(|&tokens| !(2..=most).contains(tokens)) {
            let message = format!("--lengths {bad}: these files take 2 to {most}");
            return Err(Error::usage(message, "choose numbers in this range"));
        }
        let bar = progress("timing", wanted.len() * models.len());
        let mut times = vec![Vec::new(); models.len()];
        for tokens in wanted {
            for (model, times) in models.iter().zip(&mut times) {
                times.push(measure(model, tokens, budget)?);
                bar.inc(1);
            }
        }
        bar.finish_and_clear();
        Ok(times)
    }
}

/// The last part of a path, without what the user's folders are called.
fn name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

/// A name for each file; those of the same name are told apart by their paths.
fn names(files: &[PathBuf]) -> Vec<String> {
    let short: Vec<String> = files.iter().map(|path| name(path)).collect();
    let is_alone = |name: &String| short.iter().filter(|other| *other == name).count() == 1;
    let named = files.iter().zip(&short);
    named.map(|(path, short)| if is_alone(short) { short.clone() } else { path.display().to_string() }).collect()
}

/// At most `limit` texts, evenly from all over the list.
fn spread_out(texts: Vec<String>, limit: usize) -> Vec<String> {
    let count = texts.len();
    if count <= limit {
        return texts;
    }
    (0..limit).map(|at| texts[at * count / limit].clone()).collect()
}
