//! `cargo xtask firmware table`: one model, five boards, none of them at hand. Counts come from an emulator and are exact;
//! cycles are LLVM's model of the pipeline times those counts; milliseconds are cycles by the clock. How far to trust
//! which is said in docs/edge.md.

mod boards;
mod runs;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::llvm::Llvm;
use super::place;
use super::subjects::{Packing, Shape, packed};
use super::table::{Table, digits, grouped};
use boards::{BOARDS, Board, Most};
use runs::{Measured, Runner, Subject};

/// Arguments of `firmware table`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Boards to leave out all but, by a part of their name
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Lengths of the texts
    #[arg(long, value_delimiter = ',', default_value = "32,128")]
    tokens: Vec<usize>,
    /// Take what an earlier call has measured, where it has
    #[arg(long)]
    resume: bool,
    /// Also write the tables to this file
    #[arg(long, short, value_name = "FILE.md")]
    output: Option<PathBuf>,
}

/// The models, the yardstick first.
const MODELS: [(Shape, &str); 5] = [
    (Shape::BertBase, "f32"),
    (Shape::DistilBert, "f32"),
    (Shape::DistilBert, "int8"),
    (Shape::DistilBert, "int4"),
    (Shape::DistilBert, "int3"),
];

/// Rows that pass through a layer together: weights are read once for each such block.
const BLOCK: usize = 56;

/// Runs the command.
pub(crate) fn main(args: &Args) -> Result<()> {
    let mut runner = Runner::new(Llvm::find()?, args.tokens.clone(), args.resume)?;
    let wanted =
        |board: &&Board| args.only.is_empty() || args.only.iter().any(|part| board.name.contains(part.as_str()));
    let mut table = Table::new("DistilBERT on five boards, one core, estimated", "cargo xtask firmware table", &HEAD);
    for board in BOARDS.iter().filter(wanted) {
        add_board(board, &mut runner, &mut table)?;
    }
    table.notes.push(format!(
        "Smaller and faster: against the first row of the board. Instructions are exact ({}, {}); cycles are {}'s models of the \
         processors times the counts of each block. Every hidden state and output had the host's bits.",
        place::version("qemu-system-arm"),
        place::version("qemu-system-aarch64"),
        runner.llvm().name()
    ));
    println!("{table}");
    if let Some(path) = &args.output {
        let page = format!("{}, commit {}\n\n{table}", place::date(), place::commit());
        fs::write(path, page).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

const HEAD: [&str; 13] = [
    "board",
    "model",
    "tokens",
    "bytes of model",
    "arena",
    "code",
    "M instructions",
    "M cycles",
    "ms",
    "ms to read the weights",
    "both, data sheets' most",
    "smaller",
    "faster",
];

/// Adds what a board makes of every model.
fn add_board(board: &Board, runner: &mut Runner, table: &mut Table) -> Result<()> {
    let mut first: Option<(u64, Vec<f64>)> = None;
    let mut lacking = Vec::new();
    for (shape, weights) in MODELS {
        let layout = if weights == "f32" { "portable" } else { board.layout };
        let packing = Packing::of(weights).in_layout(layout);
        let file = match packed(shape, &packing)? {
            Ok(file) => file,
            Err(reason) => {
                lacking.push(reason);
                continue;
            }
        };
        let bytes = fs::metadata(&file).with_context(|| format!("cannot read {}", file.display()))?.len();
        if bytes > board.room {
            lacking.push(format!(
                "{} {weights} has no row: {} bytes do not fit into {}",
                shape.name(),
                grouped(bytes),
                board.room_is
            ));
            continue;
        }
        let measured = runner.measure(&Subject { board, shape, packing, file })?;
        let times: Vec<f64> = measured.texts.iter().map(|text| text.cycles / board.mhz / 1000.0).collect();
        let (base_bytes, base_times) = first.get_or_insert_with(|| (bytes, times.clone()));
        for (at, &tokens) in runner.tokens().iter().enumerate() {
            let words =
                [board.name.into(), format!("{} {weights}", shape.name()), tokens.to_string(), grouped(bytes)].to_vec();
            let ratios = [*base_bytes as f64 / bytes as f64, base_times[at] / times[at]];
            let ratios = ratios.map(|ratio| format!("{}x", digits(ratio))).to_vec();
            table.rows.push([words, figures(board, &measured, at, tokens), ratios].concat());
        }
    }
    let (memory, peak, source) = board.memory;
    table.notes.push(format!(
        "**{}**: {}, modelled as LLVM's {}. Layout of integer weights: {}. Weights are read from {memory}, {} MB/s at most: \
         {source}.{} {}",
        board.name,
        board.processor,
        board.model.cpu,
        board.layout,
        digits(peak),
        board.most.as_ref().map(allowed).unwrap_or_default(),
        lacking.iter().map(|reason| format!("{reason}. ")).collect::<String>()
    ));
    Ok(())
}

/// What the data sheets allow, in words.
fn allowed(most: &Most) -> String {
    let (peak, source) = most.memory;
    format!(
        " So its image sets them. The data sheets allow {} MHz ({}) and {} MB/s ({source}).",
        digits(most.mhz),
        most.why,
        digits(peak)
    )
}

/// Arena, code, instructions, cycles, milliseconds and the floor of a text, and the last two as the data sheets allow.
fn figures(board: &Board, measured: &Measured, at: usize, tokens: usize) -> Vec<String> {
    let text = &measured.texts[at];
    let (_, peak, _) = board.memory;
    let times = |mhz: f64, peak: f64| {
        [digits(text.cycles / mhz / 1000.0), digits(floor_ms(measured.layer_bytes, tokens, peak))]
    };
    let [ms, floor] = times(board.mhz, peak);
    let most = board.most.as_ref().map(|most| times(most.mhz, most.memory.0).join(", "));
    vec![
        grouped(text.arena),
        grouped(measured.code),
        digits(text.instructions / 1e6),
        digits(text.cycles / 1e6),
        ms,
        floor,
        most.unwrap_or_else(|| "-".into()),
    ]
}

/// Milliseconds that the layers' weights take from memory that gives so many MB/s.
fn floor_ms(layer_bytes: f64, tokens: usize, megabytes: f64) -> f64 {
    layer_bytes * tokens.div_ceil(BLOCK) as f64 / megabytes / 1000.0
}

#[cfg(test)]
mod tests {
    use super::{BOARDS, floor_ms};
    use crate::firmware::Machine;

    #[test]
    fn every_board_has_its_machine() {
        for board in &BOARDS {
            let machine = Machine::named(board.machine).unwrap();
            assert!(board.cpu.is_none_or(|cpu| machine.cpus.contains(&cpu)), "{}", board.name);
        }
    }

    #[test]
    fn weights_are_read_once_for_each_block_of_rows() {
        assert_eq!(floor_ms(40e6, 32, 400.0), 100.0);
        assert_eq!(floor_ms(40e6, 128, 400.0), 300.0);
    }
}
