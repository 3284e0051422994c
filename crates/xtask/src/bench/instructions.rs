//! `bench instructions`: what a text costs on 64-bit ARM, in instructions, counted exactly by an emulator.

use anyhow::{Result, bail};

use super::Outcome;
use super::place;
use super::subjects::{Packing, Shape, check_file, packed};
use super::table::{Table, digits};
use super::targets::Measured;
use crate::firmware::{self, Launch, Machine, Run};

/// Arguments of `bench instructions`.
#[derive(clap::Args, Clone)]
pub(super) struct Args {
    /// Processors to emulate
    #[arg(long, value_delimiter = ',', default_value = "cortex-a53,cortex-a76,max")]
    pub(super) cpu: Vec<String>,
    /// Lengths of the text
    #[arg(long, value_delimiter = ',', default_value = "8,32,128")]
    pub(super) tokens: Vec<usize>,
    /// Weights
    #[arg(long, value_delimiter = ',', default_value = "int8,int4")]
    pub(super) weights: Vec<String>,
    /// Inputs that share a scale, of int4: 32 or 64
    #[arg(long, default_value_t = 32)]
    pub(super) group: u32,
    /// Layouts: portable, tile16, tile8, tile4
    #[arg(long, value_delimiter = ',', default_value = "portable")]
    pub(super) layout: Vec<String>,
}

/// Runs the command.
pub(super) fn measure(args: &Args, command: &str) -> Result<Outcome> {
    let machine = Machine::named("qemu-a64")?;
    firmware::build(machine)?;
    let head = ["processor", "kernels", "weights", "layout", "tokens", "M instructions", "per multiply-add"];
    let mut table = Table::new("DistilBERT on 64-bit ARM without an operating system", command, &head);
    let mut measured = Vec::new();
    let emulator = place::version("qemu-system-aarch64");
    for weights in &args.weights {
        for layout in &args.layout {
            let packing = Packing { group: args.group, ..Packing::of(weights).in_layout(layout) };
            let file = match packed(Shape::DistilBert, &packing)? {
                Ok(file) => file,
                Err(reason) => {
                    table.notes.push(format!("{reason}."));
                    continue;
                }
            };
            let check = check_file(&file, &args.tokens)?;
            for cpu in &args.cpu {
                let launch = Launch { model: &file, check: &check, cpu: Some(cpu), plugin: None };
                let run = checked(machine.launch(&launch)?, &args.tokens)?;
                let kernels = run.kernels().unwrap_or("?").to_owned();
                for (&tokens, instructions) in args.tokens.iter().zip(run.instructions()) {
                    let instructions = instructions as f64;
                    let each = instructions / Shape::DistilBert.multiply_adds(tokens);
                    table.rows.push(vec![
                        cpu.clone(),
                        kernels.clone(),
                        packing.name(),
                        packing.layout().into(),
                        tokens.to_string(),
                        digits(instructions / 1e6),
                        format!("{each:.4}"),
                    ]);
                    keep_best(
                        &mut measured,
                        Measured {
                            id: format!("a64-{cpu}-{weights}-{tokens}"),
                            value: instructions,
                            spread: format!("exact; {kernels}, {}", packing.layout()),
                            peer: String::new(),
                            machine: format!("{emulator}, virt, {cpu}"),
                            command: command.into(),
                        },
                    );
                }
            }
        }
    }
    table.notes.push(format!(
        "{emulator} with `-icount shift=0`, which counts each instruction once; from text to label, tokenization \
         included. Every hidden state and output had the host's bits. Instructions are not cycles."
    ));
    Ok(Outcome { tables: vec![table], measured })
}

/// Of several layouts the one with the fewest instructions is the figure.
fn keep_best(measured: &mut Vec<Measured>, new: Measured) {
    match measured.iter_mut().find(|old| old.id == new.id) {
        Some(old) if old.value <= new.value => {}
        Some(old) => *old = new,
        None => measured.push(new),
    }
}

/// The run, if its bits are the host's and its texts as long as they should be.
pub(super) fn checked(run: Run, tokens: &[usize]) -> Result<Run> {
    if run.code != 0 {
        bail!("the emulated machine does not give the host's bits: exit code {}\n{}", run.code, run.text);
    }
    if run.tokens() != tokens || run.instructions().len() != tokens.len() {
        bail!("the texts should have {tokens:?} tokens and had {:?}\n{}", run.tokens(), run.text);
    }
    Ok(run)
}
