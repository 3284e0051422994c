//! `tools`: pack a model, look into it, run it, verify it, measure it.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use distil_tools::commands::Cli;
use distil_tools::error::Error;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut out = io::BufWriter::new(io::stdout().lock());
    let done = cli.command.run(&mut out);
    // What was printed before an error stays printed; the error is the more important news.
    match done.and(out.flush().map_err(Error::from)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Error::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => report(&error),
    }
}

/// The error, and on a second line what to do about it.
fn report(error: &Error) -> ExitCode {
    eprintln!("error: {error}");
    if let Some(next) = error.next_step() {
        eprintln!("hint: {next}");
    }
    ExitCode::from(error.exit_code())
}
