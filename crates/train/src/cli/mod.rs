//! The command line: one file per verb. Data goes to standard output, everything for people to standard error.

mod bench;
mod device;
mod devices;
mod distill;
mod eval;
mod finetune;
mod interrupt;
mod launch;
mod options;
mod prepare;
mod pretrain;
mod qat;
mod report;
mod resume;
mod run;
mod safety;
mod step;
mod student;

use crate::comm;
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
    Finetune(Box<finetune::Options>),
    Glue(Box<finetune::glue::Options>),
    Resume(resume::Options),
    Launch(launch::Options),
    Eval(eval::Options),
    Report(report::Options),
    Bench(bench::Options),
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
        Err(Error::Interrupted(message)) => {
            if comm::speaks() {
                eprintln!("{message}");
            }
            ExitCode::from(interrupt::EXIT_CODE)
        }
        Err(error) => {
            eprintln!("{}error: {error}", comm::prefix());
            ExitCode::from(1)
        }
    }
}

fn run(verb: &Verb) -> Result<()> {
    match verb {
        Verb::Prepare(options) => prepare::run(options),
        Verb::Pretrain(options) => pretrain::run(options),
        Verb::Distill(options) => distill::run(options),
        Verb::Finetune(options) => finetune::run(options),
        Verb::Glue(options) => finetune::glue::run(options),
        Verb::Resume(options) => continue_run(options),
        Verb::Launch(options) => launch::run(options),
        Verb::Eval(options) => eval::run(options),
        Verb::Report(options) => report::run(options),
        Verb::Bench(options) => bench::run(options),
        Verb::Step(options) => step::run(options),
        Verb::Devices(options) => devices::run(options),
    }
}

fn continue_run(options: &resume::Options) -> Result<()> {
    let cli = Cli::try_parse_from(resume::arguments(options)?)
        .map_err(|e| Error::Config(format!("the command in run.json does not work: {e}")))?;
    match &cli.verb {
        verb @ (Verb::Pretrain(_) | Verb::Distill(_) | Verb::Finetune(_) | Verb::Glue(_)) => run(verb),
        _ => Err(Error::Config("run.json holds no command that trains".into())),
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
