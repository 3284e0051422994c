//! The `train` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    distil_train::cli::main()
}
