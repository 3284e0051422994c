//! `cargo xtask test`: every check, step by step, with a summary of what it took.

mod parser;
mod steps;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::setup;
use steps::{STEPS, Step};

/// Arguments of `test`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run only this step (may be given more than once)
    #[arg(long, value_name = "STEP")]
    only: Vec<String>,
    /// Show the steps and run nothing
    #[arg(long)]
    list: bool,
    /// Leave out the steps that need the ARM targets or emulators
    #[arg(long)]
    skip_arm: bool,
}

/// What became of a step.
enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
}

/// The error of a step that cannot run on this machine and need not.
#[derive(Debug)]
pub(crate) struct Skipped(
    /// Why.
    pub(crate) String,
);

impl std::fmt::Display for Skipped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Skipped {}

/// Runs the command.
pub(crate) fn main(args: &Args) -> Result<()> {
    if args.list {
        for step in &STEPS {
            println!("{:10} {}", step.name, step.what);
        }
        return Ok(());
    }
    let chosen = choose(&args.only)?;
    let arm = chosen.iter().any(|step| step.arm) && !args.skip_arm;
    if arm && !setup::missing()?.is_empty() {
        println!("== setup: this machine lacks something");
        setup::ensure().map_err(|error| {
            error.context("the ARM steps cannot run on this machine as it is; --skip-arm leaves them out")
        })?;
    }
    let mut results = Vec::new();
    for step in chosen {
        if step.arm && args.skip_arm {
            results.push((step, Duration::ZERO, Outcome::Skipped("--skip-arm".into())));
            continue;
        }
        println!("== {}: {}", step.name, step.what);
        let start = Instant::now();
        let outcome = match (step.run)() {
            Ok(()) => Outcome::Passed,
            Err(error) if error.is::<Skipped>() => {
                println!("SKIPPED: {error:#}");
                Outcome::Skipped(format!("{error:#}"))
            }
            Err(error) => {
                println!("{error:#}");
                Outcome::Failed(format!("{error:#}"))
            }
        };
        results.push((step, start.elapsed(), outcome));
    }
    summary(&results)
}

fn choose(only: &[String]) -> Result<Vec<&'static Step>> {
    if only.is_empty() {
        return Ok(STEPS.iter().collect());
    }
    for name in only {
        if !STEPS.iter().any(|step| step.name == name) {
            let names: Vec<_> = STEPS.iter().map(|step| step.name).collect();
            bail!("there is no step `{name}`; the steps are {}", names.join(", "));
        }
    }
    Ok(STEPS.iter().filter(|step| only.iter().any(|name| step.name == name)).collect())
}

/// Prints the table and the last line; an error if a step failed.
fn summary(results: &[(&Step, Duration, Outcome)]) -> Result<()> {
    println!("\nstep        seconds  result");
    for (step, took, outcome) in results {
        let result = match outcome {
            Outcome::Passed => "passed".to_owned(),
            Outcome::Failed(_) => "FAILED".to_owned(),
            Outcome::Skipped(reason) => format!("SKIPPED: {reason}"),
        };
        println!("{:10} {:>8.1}  {result}", step.name, took.as_secs_f64());
    }
    let total: f64 = results.iter().map(|(_, took, _)| took.as_secs_f64()).sum();
    let count = |wanted: fn(&Outcome) -> bool| results.iter().filter(|(_, _, outcome)| wanted(outcome)).count();
    let passed = count(|outcome| matches!(outcome, Outcome::Passed));
    let skipped = count(|outcome| matches!(outcome, Outcome::Skipped(_)));
    let mut failed = 0;
    for (step, _, outcome) in results {
        if let Outcome::Failed(reason) = outcome {
            failed += 1;
            println!("{}: {}", step.name, reason.lines().next().unwrap_or_default());
        }
    }
    println!("{passed} passed, {failed} failed, {skipped} skipped in {total:.0} s");
    if failed > 0 {
        bail!("{failed} step(s) failed");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::choose;

    #[test]
    fn steps_are_chosen_by_name() {
        assert_eq!(choose(&["no-std".into(), "format".into()]).unwrap().len(), 2);
        let Err(error) = choose(&["nostd".into()]) else { panic!("took a step that does not exist") };
        assert!(error.to_string().contains("no-std"), "{error}");
    }
}
