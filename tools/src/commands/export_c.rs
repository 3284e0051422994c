//! `tools export-c`: a packed file as C source or as an object file.

use std::io::Write;
use std::path::PathBuf;

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::Serialize;

use super::{bytes, json_line};
use crate::error::Error;
use crate::export::{Export, Target, identifier, is_identifier};
use crate::files::{open, read_aligned};

const DETAILS: &str = "\
For firmware that links its model in. The array is const, aligned to 64 bytes, and lies in a section of its own, \
.rodata.distil.NAME, which a linker script may place. An object file (--object) holds the same bytes: it is written and \
linked in a moment, whereas a compiler takes memory of about a hundred times the array's size to read it as source.";

/// A C array of this size takes a compiler seconds and 200 MB (gcc 12: 774 MB for one of 7.7 MB).
const LARGE: usize = 2_000_000;

/// Arguments of `tools export-c`.
#[derive(Debug, clap::Args)]
#[command(after_help = DETAILS)]
pub struct Args {
    /// Packed file
    file: PathBuf,
    /// Source or object file to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Header to write too: the array's declaration, its length and the file's checksum
    #[arg(long, value_name = "FILE")]
    header: Option<PathBuf>,
    /// Name of the array [default: the packed file's]
    #[arg(long, value_parser = parse_name)]
    name: Option<String>,
    /// Write an ELF object file in place of source
    #[arg(long, requires = "target")]
    object: bool,
    /// Machine of the object file
    #[arg(long, value_enum, requires = "object")]
    target: Option<TargetArg>,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum TargetArg {
    Arm,
    Aarch64,
    #[value(name = "x86-64")]
    X86_64,
}

impl From<TargetArg> for Target {
    fn from(target: TargetArg) -> Self {
        match target {
            TargetArg::Arm => Self::Arm,
            TargetArg::Aarch64 => Self::Aarch64,
            TargetArg::X86_64 => Self::X86_64,
        }
    }
}

fn parse_name(name: &str) -> Result<String, String> {
    if is_identifier(name) { Ok(name.to_owned()) } else { Err("not a name that C and C++ allow".to_owned()) }
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Report<'a> {
    file: PathBuf,
    header: Option<PathBuf>,
    name: &'a str,
    section: &'a str,
    /// The machine of an object file; null for source.
    target: Option<&'static str>,
    /// Length of the array.
    bytes: usize,
}

impl Args {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Error> {
        let content = read_aligned(&self.file)?;
        let artifact = open(&self.file, &content)?;
        let stem = self.file.file_stem().unwrap_or_default().to_string_lossy();
        let name = self.name.clone().unwrap_or_else(|| identifier(&stem));
        let export = Export::new(&artifact, &name);
        let target = self.target.filter(|_| self.object).map(Target::from);
        match target {
            Some(target) => export.object(&self.output, target)?,
            None => {
                if artifact.len() >= LARGE {
                    eprintln!("note: compilers take long for an array of this size; --object avoids it");
                }
                export.source(&self.output)?;
            }
        }
        if let Some(header) = &self.header {
            export.header(header)?;
        }
        let report = Report {
            file: self.output.clone(),
            header: self.header.clone(),
            name: &name,
            section: export.section(),
            target: target.map(Target::name),
            bytes: artifact.len(),
        };
        if self.json {
            return json_line(out, &report);
        }
        let kind = report.target.map_or_else(|| "C source".to_owned(), |target| format!("object file for {target}"));
        Ok(writeln!(
            out,
            "{}: {kind}, const unsigned char {name}[{}] ({}) in section {}",
            self.output.display(),
            report.bytes,
            bytes(report.bytes),
            report.section,
        )?)
    }
}
