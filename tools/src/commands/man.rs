//! `tools man`: the help texts as manual pages.

use std::io::Write;
use std::path::PathBuf;

use clap_mangen::Man;
use schemars::JsonSchema;
use serde::Serialize;

use super::{command, json_line};
use crate::error::Error;
use crate::files::write_whole;

const DETAILS: &str = "\
Writes tools.1, and a page for each verb. Installed in a folder man1 of $MANPATH, `man tools-pack` shows them; \
`man ./tools.1` does without.";

/// Arguments of `tools man`.
#[derive(Debug, clap::Args)]
#[command(after_help = DETAILS)]
pub struct Args {
    /// Folder to write to; it is made if it is not there
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// What `tools man --json` prints.
#[derive(Serialize, JsonSchema)]
pub(super) struct Report {
    /// The pages that were written.
    pages: Vec<PathBuf>,
}

impl Args {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Error> {
        let folder = &self.output;
        std::fs::create_dir_all(folder).map_err(|error| Error::Write { path: folder.clone(), error })?;
        let mut root = command().disable_help_subcommand(true);
        root.build();
        let mut pages = Vec::new();
        for page in [&root].into_iter().chain(root.get_subcommands()) {
            let man = Man::new(page.clone()).source(concat!("tools ", env!("CARGO_PKG_VERSION")));
            let path = folder.join(man.get_filename());
            write_whole(&path, &render(&man)?)?;
            pages.push(path);
        }
        if self.json {
            return json_line(out, &Report { pages });
        }
        pages.iter().try_for_each(|page| Ok(writeln!(out, "{}", page.display())?))
    }
}

fn render(man: &Man) -> Result<Vec<u8>, Error> {
    let mut page = Vec::new();
    man.render(&mut page)?;
    Ok(page)
}
