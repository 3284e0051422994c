//! `tools`: pack a model, look into it, run it, verify it, compare it, measure it.

use std::io::{self, Write};
use std::process::ExitCode;

use distil_tools::commands;
use distil_tools::error::Error;

fn main() -> ExitCode {
    let cli = commands::parse();
    let mut out = io::BufWriter::new(io::stdout().lock());
    let done = cli.command.run(&mut out);
    // What was printed before an error stays printed; the error is the more important news.
    match done.and(out.flush().map_err(Error::from)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Error::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error @ Error::Different) => ExitCode::from(error.exit_code()),
        Err(error) => report(&error),
    }
}

/// The error, and on a second line what to do about it.
fn report(error: &Error) -> ExitCode {
    let mut said = format!("error: {error}\n");
    if let Some(next) = error.next_step() {
        said += &format!("hint: {next}\n");
    }
    // Where nobody listens any more, the exit code still tells.
    let _ = io::stderr().write_all(said.as_bytes());
    ExitCode::from(error.exit_code())
}
