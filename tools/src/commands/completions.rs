//! `tools completions`: the command line's grammar for a shell.

use std::io::Write;

use clap_complete::{Shell, generate};

use super::command;
use crate::error::Error;

const DETAILS: &str = "\
Prints a script that lets the shell complete verbs, options and file names. Where it belongs:

  bash        ~/.local/share/bash-completion/completions/tools
  zsh         a file _tools in a folder of $fpath
  fish        ~/.config/fish/completions/tools.fish
  powershell  appended to the file that $PROFILE names
  elvish      appended to ~/.config/elvish/rc.elv";

/// Arguments of `tools completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = DETAILS)]
pub struct Args {
    /// Shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Args {
    pub(super) fn run(&self, out: &mut dyn Write) -> Result<(), Error> {
        // Into memory first: the generator panics where a pipe ends early.
        let mut script = Vec::new();
        generate(self.shell, &mut command(), "tools", &mut script);
        Ok(out.write_all(&script)?)
    }
}
