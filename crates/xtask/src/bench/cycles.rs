//! `bench cycles`: estimated cycles of a whole text on processors that are not at hand.
//!
//! The emulator counts how often each block of instructions runs; LLVM's model of the processor's pipeline says how
//! many cycles one pass takes when the block repeats. Blocks that hardly run are charged one instruction a cycle.
//! Nothing here knows of caches or memory: every load hits.

use anyhow::{Context, Result, bail};

use super::Outcome;
use super::instructions::checked;
use super::llvm::{Llvm, Model};
use super::place;
use super::profile::{Block, Plugin};
use super::subjects::{Packing, Shape, check_file, packed};
use super::table::{Table, digits};
use super::targets::Measured;
use crate::firmware::{self, Launch, Machine};

/// Arguments of `bench cycles`.
#[derive(clap::Args, Clone)]
pub(super) struct Args {
    /// A machine of `cargo xtask firmware list`
    #[arg(long, default_value = "qemu-m55")]
    pub(super) machine: String,
    /// Processor to emulate and to model, on qemu-a64
    #[arg(long)]
    pub(super) cpu: Option<String>,
    /// Length of the text
    #[arg(long, default_value_t = 128)]
    pub(super) tokens: usize,
    /// Weights
    #[arg(long, default_value = "int8")]
    pub(super) weights: String,
    /// Inputs that share a scale, of int4: 32 or 64
    #[arg(long, default_value_t = 32)]
    pub(super) group: u32,
    /// Layout: portable, tile16, tile8, tile4
    #[arg(long, default_value = "portable")]
    pub(super) layout: String,
    /// Functions to show
    #[arg(long, default_value_t = 12)]
    pub(super) top: usize,
}

/// Blocks with a smaller share of the instructions than this are not looked at one by one.
const HOT: f64 = 0.0005;

/// LLVM's model of each processor that is emulated.
const MODELS: [(&str, &str, Model); 6] = [
    ("qemu-m55", "", Model { triple: "thumbv8.1m.main-none-eabihf", cpu: "cortex-m55" }),
    ("qemu-m7", "", Model { triple: "thumbv7em-none-eabihf", cpu: "cortex-m7" }),
    ("qemu-a64", "cortex-a53", Model { triple: "aarch64-none-elf", cpu: "cortex-a53" }),
    // Nearest relatives: LLVM has no models of these two.
    ("qemu-a64", "cortex-a72", Model { triple: "aarch64-none-elf", cpu: "cortex-a57" }),
    ("qemu-a64", "cortex-a76", Model { triple: "aarch64-none-elf", cpu: "neoverse-n1" }),
    // The emulator's newest processor is no real one; this one has its matrix instructions.
    ("qemu-a64", "max", Model { triple: "aarch64-none-elf", cpu: "neoverse-n2" }),
];

/// What a function, or all of them, cost.
#[derive(Clone, Copy, Default)]
pub(super) struct Cost {
    pub(super) instructions: f64,
    pub(super) cycles: f64,
    /// Instructions that the model gave no cycles for.
    flat: f64,
}

/// Runs the command.
pub(super) fn measure(args: &Args, command: &str) -> Result<Outcome> {
    let machine = Machine::named(&args.machine)?;
    let cpu = args.cpu.as_deref().or(machine.cpus.first().copied());
    let (_, _, model) = MODELS
        .into_iter()
        .find(|(name, of, _)| *name == machine.name && *of == cpu.unwrap_or(""))
        .with_context(|| format!("no model of the processor of {} {}", machine.name, cpu.unwrap_or("")))?;
    let llvm = Llvm::find()?;
    let packing = Packing { group: args.group, ..Packing::of(&args.weights).in_layout(&args.layout) };
    let file = match packed(Shape::DistilBert, &packing)? {
        Ok(file) => file,
        Err(reason) => bail!("{reason}"),
    };
    let check = check_file(&file, &[args.tokens])?;
    firmware::build(machine)?;
    let plugin = Plugin::new(&llvm, &machine.elf()?)?;
    let launch = Launch {
        model: Some(&file),
        check: Some(&check),
        cpu,
        cores: one_core(machine),
        plugin: Some(&plugin.argument),
        ..Launch::default()
    };
    let run = checked(machine.launch(&launch)?, &[args.tokens])?;

    // The first pair is the opening of the file; the others are the one text and its head.
    let pairs = plugin.read()?;
    let blocks: Vec<Block> = pairs.into_iter().skip(1).flatten().collect();
    let costs = by_function(&llvm, model, &blocks, &llvm.symbols(&machine.elf()?)?)?;
    let total = costs.iter().fold(Cost::default(), |sum, (_, cost)| sum.plus(*cost));
    let reported: u64 = run.instructions().iter().sum();
    if (total.instructions - reported as f64).abs() > 0.001 * reported as f64 {
        bail!("the profile has {} instructions and the machine counted {reported}", total.instructions);
    }

    let multiply_adds = Shape::DistilBert.multiply_adds(args.tokens);
    let each = total.cycles / multiply_adds;
    let title = format!(
        "Estimated cycles: DistilBERT, {} ({}), {} tokens, on {} ({} kernels)",
        packing.name(),
        packing.layout(),
        args.tokens,
        model.cpu,
        run.kernels().unwrap_or("?")
    );
    let mut table = Table::new(title, command, &["function", "M instructions", "M cycles", "share", "per instruction"]);
    let (shown, rest) = costs.split_at(args.top.min(costs.len()));
    table.rows.extend(shown.iter().map(|(name, cost)| cost.row(name, total)));
    if !rest.is_empty() {
        let sum = rest.iter().fold(Cost::default(), |sum, (_, cost)| sum.plus(*cost));
        table.rows.push(sum.row(&format!("{} others", rest.len()), total));
    }
    table.rows.push(total.row("all", total));
    let emulator = place::version(machine.emulator());
    table.notes.push(format!(
        "**{each:.3} cycles and {:.3} instructions per multiply-add** ({} M multiply-adds). Cycles are {}'s model of {} \
         for blocks that repeat, times the blocks' counts from {emulator}; {} of the instructions were charged one a \
         cycle. Memory stalls are not in it: every load hits. Tokenization and head included, opening the file not.",
        total.instructions / multiply_adds,
        digits(multiply_adds / 1e6),
        llvm.name(),
        model.cpu,
        percent(total.flat / total.instructions)
    ));
    let goal = args.weights == "int8" && args.tokens == 128;
    let measured = goal.then(|| Measured {
        id: format!("cycles-{}{}", machine.name, cpu.map(|cpu| format!("-{cpu}")).unwrap_or_default()),
        value: each,
        spread: "an estimate".into(),
        peer: String::new(),
        machine: format!("{emulator}, {}; {}", machine.name, llvm.name()),
        command: command.into(),
    });
    Ok(Outcome { tables: vec![table], measured: measured.into_iter().collect() })
}

/// One core, where a machine has several and they can be chosen.
pub(super) fn one_core(machine: &Machine) -> Option<usize> {
    (!machine.cpus.is_empty()).then_some(1)
}

/// Adds the blocks up by the function they lie in, the most cycles first.
pub(super) fn by_function(
    llvm: &Llvm,
    model: Model,
    blocks: &[Block],
    symbols: &[(u64, String)],
) -> Result<Vec<(String, Cost)>> {
    let all: u64 = blocks.iter().map(|block| block.instructions * block.times).sum();
    let mut costs: Vec<(String, Cost)> = Vec::new();
    for block in blocks {
        let instructions = (block.instructions * block.times) as f64;
        let flat = Cost { instructions, cycles: instructions, flat: instructions };
        let cost = if instructions < HOT * all as f64 {
            flat
        } else {
            match llvm.cycles(model, &block.bytes) {
                Ok(cycles) => Cost { instructions, cycles: cycles * block.times as f64, flat: 0.0 },
                Err(error) => {
                    eprintln!("block at {:#x} is charged one instruction a cycle: {error:#}", block.address);
                    flat
                }
            }
        };
        let after = symbols.partition_point(|(address, _)| *address <= block.address);
        let name = after.checked_sub(1).map_or_else(|| "?".to_owned(), |at| short(&symbols[at].1));
        match costs.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum = sum.plus(cost),
            None => costs.push((name, cost)),
        }
    }
    costs.sort_by(|(_, a), (_, b)| b.cycles.total_cmp(&a.cycles));
    Ok(costs)
}

/// A function's name without the compiler's hash and escapes, and not too long for a table.
fn short(name: &str) -> String {
    const LONGEST: usize = 60;
    let name = name.rsplit_once("::h").filter(|(_, hash)| hash.len() == 16).map_or(name, |(name, _)| name);
    let escapes = [("_$LT$", "<"), ("$LT$", "<"), ("$GT$", ">"), ("$u20$", " "), ("$RF$", "&"), ("..", "::")];
    let name = escapes.iter().fold(name.to_owned(), |name, (escape, plain)| name.replace(escape, plain));
    let excess = name.chars().count().saturating_sub(LONGEST);
    if excess == 0 { name } else { format!("…{}", name.chars().skip(excess).collect::<String>()) }
}

fn percent(share: f64) -> String {
    format!("{:.1}%", 100.0 * share)
}

impl Cost {
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            instructions: self.instructions + other.instructions,
            cycles: self.cycles + other.cycles,
            flat: self.flat + other.flat,
        }
    }

    fn row(self, name: &str, total: Self) -> Vec<String> {
        vec![
            name.to_owned(),
            digits(self.instructions / 1e6),
            digits(self.cycles / 1e6),
            percent(self.cycles / total.cycles),
            format!("{:.2}", self.cycles / self.instructions),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn names_are_readable() {
        assert_eq!(short("distil_kernels::neon::dot::h0123456789abcdef"), "distil_kernels::neon::dot");
        assert_eq!(short("memcpy"), "memcpy");
        assert_eq!(short("a::help"), "a::help");
        assert_eq!(short("_$LT$impl$u20$a..B$GT$::c"), "<impl a::B>::c");
        assert_eq!(short(&"x".repeat(100)).chars().count(), 61);
    }
}
