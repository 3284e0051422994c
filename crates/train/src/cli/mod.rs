//! The command line: one file per verb. Data goes to standard output, everything for people to standard error.

mod device;
mod devices;
mod distill;
mod eval;
mod options;
mod prepare;
mod pretrain;
mod qat;
mod run;
mod step;
mod student;

use crate::loss::Objective;
use crate::model::ModelConfig;
use crate::recipe::HiddenMismatch;
use crate::{Error, Result};
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Distils a BERT teacher into a DistilBERT student.
#[derive(Debug, Parser)]
#[command(name = "train", version, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Prepare(prepare::Options),
    Pretrain(Box<pretrain::Options>),
    Distill(Box<distill::Options>),
    Eval(eval::Options),
    Step(step::Options),
    Devices(devices::Options),
}

/// Parses the arguments and runs the verb. Exit codes: 0 success, 1 failure, 2 wrong usage, 130 interrupted.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { 2 } else { 0 };
            // Nothing is left to tell when the terminal is gone.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    match run(&cli.verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(if matches!(error, Error::Interrupted(_)) { 130 } else { 1 })
        }
    }
}

fn run(verb: &Verb) -> Result<()> {
    match verb {
        Verb::Prepare(options) => prepare::run(options),
        Verb::Pretrain(options) => pretrain::run(options),
        Verb::Distill(options) => distill::run(options),
        Verb::Eval(options) => eval::run(options),
        Verb::Step(options) => step::run(options),
        Verb::Devices(options) => devices::run(options),
    }
}

/// Fails when student and teacher cannot be compared.
fn check_pair(
    student: &ModelConfig,
    teacher: &ModelConfig,
    objective: &Objective,
    mismatch: HiddenMismatch,
) -> Result<()> {
    if student.vocab_size != teacher.vocab_size {
        return Err(Error::Config(format!(
            "the student's vocabulary has {} entries and the teacher's {}; both need the same vocabulary",
            student.vocab_size, teacher.vocab_size
        )));
    }
    let differ = objective.alpha_cos > 0.0 && student.hidden != teacher.hidden;
    if differ && mismatch == HiddenMismatch::Error {
        return Err(Error::Config(format!(
            "the student's hidden size is {} and the teacher's {}, and the cosine loss needs the same; \
             pass --hidden-mismatch project to learn a projection, or --alpha-cos 0",
            student.hidden, teacher.hidden
        )));
    }
    Ok(())
}
