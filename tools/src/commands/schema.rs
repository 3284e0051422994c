//! `tools schema`: what the JSON of a verb looks like.

use std::io::Write;

use schemars::{Schema, schema_for};

use super::{bench, check, eval, export_c, fixture, inspect, man, pack, run, signature, tokenize, unpack, verify};
use crate::error::Error;
use crate::{diff, report};

const DETAILS: &str = "\
Prints the JSON schema (draft 2020-12) of what the verb prints with --json: its fields, their types and what they mean. \
The schemas are made of the types that are printed. `tokenize` and `run` print such an object for each text, every other \
verb prints one. Later versions may add fields.";

/// Arguments of `tools schema`.
#[derive(Debug, clap::Args)]
#[command(after_help = DETAILS)]
pub struct Args {
    /// Verb, such as verify [default: list the verbs that have one]
    verb: Option<String>,
}

/// A verb and how its schema is made.
type Entry = (&'static str, fn() -> Schema);

/// Every verb that has `--json`.
const SCHEMAS: &[Entry] = &[
    ("pack", || schema_for!(pack::Report)),
    ("unpack", || schema_for!(unpack::Report)),
    ("export-c", || schema_for!(export_c::Report<'_>)),
    ("inspect", || schema_for!(inspect::Report)),
    ("tokenize", || schema_for!(tokenize::Line)),
    ("run", || schema_for!(run::Report<'_>)),
    ("verify", || schema_for!(verify::Output)),
    ("eval", || schema_for!(eval::Report)),
    ("diff", || schema_for!(diff::Report)),
    ("bench", || schema_for!(bench::Output)),
    ("report", || schema_for!(report::Report)),
    ("check", || schema_for!(check::Report)),
    ("fixture", || schema_for!(fixture::Report)),
    ("keygen", || schema_for!(signature::Keys)),
    ("sign", || schema_for!(signature::Signed)),
    ("man", || schema_for!(man::Report)),
];

impl Args {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Error> {
        let Some(verb) = &self.verb else {
            return SCHEMAS.iter().try_for_each(|(verb, _)| Ok(writeln!(out, "{verb}")?));
        };
        let found = SCHEMAS.iter().find(|(name, _)| name == verb);
        let (verb, make) = found.ok_or_else(|| {
            Error::usage(format!("`{verb}` prints no JSON"), "`tools schema` lists the verbs that do")
        })?;
        let mut schema = make();
        schema.insert("title".to_owned(), format!("tools {verb} --json").into());
        let text = serde_json::to_string_pretty(&schema).map_err(std::io::Error::from)?;
        Ok(writeln!(out, "{text}")?)
    }
}
