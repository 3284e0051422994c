//! `bench instructions`: what a text costs on 64-bit ARM, in instructions, counted exactly by an emulator.

use anyhow::{Result, bail};

use super::Outcome;
use super::peer_a64::Counter;
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
    /// Also count ONNX Runtime's, in an emulator for programs
    #[arg(long)]
    pub(super) peer: bool,
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
                let launch = Launch {
                    model: Some(&file),
                    check: Some(&check),
                    cpu: Some(cpu),
                    cores: Some(1),
                    ..Launch::default()
                };
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
    if args.peer {
        peer(args, &mut table, &mut measured)?;
    }
    table.notes.push(format!(
        "{emulator} with `-icount shift=0`, which counts each instruction once; from text to label, tokenization \
         included. Every hidden state and output had the host's bits. Instructions are not cycles."
    ));
    Ok(Outcome { tables: vec![table], measured })
}

/// Adds ONNX Runtime's rows, and its figures to ours.
fn peer(args: &Args, table: &mut Table, measured: &mut [Measured]) -> Result<()> {
    let counter = Counter::new()?;
    for cpu in &args.cpu {
        for &tokens in &args.tokens {
            let instructions = counter.instructions(cpu, tokens)?;
            let each = instructions / Shape::DistilBert.multiply_adds(tokens);
            let words = [
                cpu,
                "",
                &Counter::name(),
                "",
                &tokens.to_string(),
                &digits(instructions / 1e6),
                &format!("{each:.4}"),
            ];
            table.rows.push(words.map(str::to_owned).into());
            for ours in measured.iter_mut().filter(|ours| is_of(&ours.id, cpu, tokens)) {
                ours.peer = format!("{}: {} M", Counter::name(), digits(instructions / 1e6));
            }
        }
    }
    table.notes.push(format!(
        "{}: from ids to logits, one thread, counted by a plugin of {} as the difference between one call and two. On the \
         newest core SVE and SME are hidden from it: the emulator's SVE vectors have 2,048 bits, and with its SME the \
         logits are wrong.",
        Counter::name(),
        place::version("qemu-aarch64"),
    ));
    Ok(())
}

/// Whether a figure is of this processor and length, whatever the weights.
fn is_of(id: &str, cpu: &str, tokens: usize) -> bool {
    id.strip_prefix("a64-")
        .and_then(|id| id.strip_prefix(cpu))
        .and_then(|id| id.strip_suffix(&format!("-{tokens}")))
        .is_some_and(|weights| weights.starts_with('-'))
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

#[cfg(test)]
mod tests {
    use super::is_of;

    #[test]
    fn figures_are_told_apart() {
        assert!(is_of("a64-cortex-a53-int8-128", "cortex-a53", 128));
        assert!(!is_of("a64-cortex-a53-int8-128", "cortex-a53", 28));
        assert!(!is_of("a64-cortex-a53-int8-128", "cortex-a5", 128));
    }
}
