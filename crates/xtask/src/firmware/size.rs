//! `cargo xtask firmware size`: what a program takes in flash and RAM, section by section and crate by crate.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use object::{Object, ObjectSection, ObjectSymbol, SectionKind, SymbolKind};

use super::app::App;
use super::images::Images;
use super::machine::{Launch, Machine};
use super::{build_at, of};

/// Most bytes of code and tables of runtime and tokenizer together in a program for Cortex-M.
pub(super) const MOST_RUNTIME: u64 = 96 << 10;

/// The crates that are told apart, by the name that symbols have; whatever is in none of them is `others`.
const CRATES: [&str; 8] = [
    "distil_runtime",
    "distil_tokenizer",
    "distil_format",
    "distil_kernels",
    "distil_harness",
    "defmt",
    "core",
    "compiler_builtins",
];
/// What the machines are made of: what several share, and the programs themselves.
const MACHINES: [&str; 9] = [
    "distil_cortex_m",
    "distil_a64",
    "qemu_m55",
    "qemu_m7",
    "qemu_m33",
    "qemu_a64",
    "raspi3",
    "stm32n6570_dk",
    "stm32h747i_disco",
];
const OTHERS: &str = "others";
/// Constants to which the compiler gave no name, and what the linker put in between: they may be anyone's.
const NAMELESS: &str = "nameless";

/// Bytes of a program.
#[derive(Default, Debug)]
pub(super) struct Size {
    /// Code.
    pub(super) text: u64,
    /// Constants.
    pub(super) rodata: u64,
    /// Variables with a value at the start: in flash and in RAM.
    pub(super) data: u64,
    /// Variables that start as zero or as anything: in RAM. The stack is not in it.
    pub(super) bss: u64,
    /// Code and constants by crate.
    crates: BTreeMap<&'static str, u64>,
}

impl Size {
    /// Reads a linked program.
    pub(super) fn of(program: &Path) -> Result<Self> {
        let bytes = std::fs::read(program).with_context(|| format!("cannot read {}", program.display()))?;
        let file = object::File::parse(&*bytes).with_context(|| format!("{} is no program", program.display()))?;
        let mut size = Self::default();
        for section in file.sections() {
            let name = section.name().unwrap_or_default();
            // What the loader does not put into the machine has no address; the stack of some linker scripts is a section.
            match section.kind() {
                SectionKind::Text => size.text += section.size(),
                SectionKind::ReadOnlyData | SectionKind::ReadOnlyString
                    if section.address() != 0 || name == ".vector_table" =>
                {
                    size.rodata += section.size();
                }
                SectionKind::Data => size.data += section.size(),
                SectionKind::UninitializedData if name != ".stack" => size.bss += section.size(),
                _ => {}
            }
        }
        for symbol in file.symbols() {
            let kept = matches!(symbol.kind(), SymbolKind::Text | SymbolKind::Data | SymbolKind::Unknown);
            if kept && in_flash(&file, &symbol) {
                *size.crates.entry(crate_of(symbol.name().unwrap_or_default())).or_default() += symbol.size();
            }
        }
        let named: u64 = size.crates.values().sum();
        *size.crates.entry(NAMELESS).or_default() += (size.text + size.rodata).saturating_sub(named);
        Ok(size)
    }

    /// Bytes of the crates of those names.
    pub(super) fn of_crates(&self, names: &[&str]) -> u64 {
        names.iter().filter_map(|name| self.crates.get(name)).sum()
    }

    /// Bytes of runtime and tokenizer, which have a limit. All constants without a name are counted as theirs.
    pub(super) fn runtime(&self) -> u64 {
        self.of_crates(&["distil_runtime", "distil_tokenizer", NAMELESS])
    }
}

fn in_flash<'f>(file: &object::File<'f>, symbol: &object::Symbol<'f, '_>) -> bool {
    let section = symbol.section_index().and_then(|index| file.section_by_index(index).ok());
    let kinds = [SectionKind::Text, SectionKind::ReadOnlyData, SectionKind::ReadOnlyString];
    section.is_some_and(|section| kinds.contains(&section.kind()))
}

/// The crate of a symbol: the first of those that are told apart that its name names.
fn crate_of(symbol: &str) -> &'static str {
    if symbol.starts_with(".L") {
        return NAMELESS;
    }
    let position = |name: &&'static str| {
        // A crate's name stands behind its length, or inside the name of an implementation.
        let forms =
            [format!("{}{name}", name.len()), format!("$LT${name}.."), format!("${name}.."), format!("$u20${name}..")];
        forms.iter().filter_map(|form| symbol.find(form.as_str())).min()
    };
    let found = CRATES.iter().chain(&MACHINES).filter_map(|name| position(name).map(|at| (at, *name))).min();
    let builtin = ["mem", "__aeabi_"].iter().any(|start| symbol.starts_with(start));
    found.map_or(if builtin { "compiler_builtins" } else { OTHERS }, |(_, name)| name)
}

/// Fails when runtime and tokenizer have grown over their limit.
pub(super) fn check(machine: &Machine) -> Result<()> {
    let bytes = Size::of(&machine.elf()?)?.runtime();
    println!("{}: runtime and tokenizer have {bytes} bytes of code and tables, at most {MOST_RUNTIME}", machine.name);
    if bytes > MOST_RUNTIME {
        bail!("runtime and tokenizer have {bytes} bytes on {}; they may have {MOST_RUNTIME}", machine.name);
    }
    Ok(())
}

/// Prints the sizes of the machines' programs.
pub(super) fn show(machines: &[&Machine]) -> Result<()> {
    let rows = machines.iter().map(|machine| {
        build_at(machine, None)?;
        Ok((machine.name, Size::of(&machine.elf()?)?))
    });
    let rows = rows.collect::<Result<Vec<_>>>()?;
    println!(
        "\n| machine | text | constants | data | bss | runtime | tokenizer | format | kernels | harness | machine | core | others | nameless |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    for (name, size) in &rows {
        print!("| `{name}` | {} | {} | {} | {} ", size.text, size.rodata, size.data, size.bss);
        for names in [
            &["distil_runtime"][..],
            &["distil_tokenizer"],
            &["distil_format"],
            &["distil_kernels"],
            &["distil_harness"],
            &MACHINES,
            &["core", "compiler_builtins"],
            &["defmt", OTHERS],
            &[NAMELESS],
        ] {
            print!("| {} ", size.of_crates(names));
        }
        println!("|");
    }
    Ok(())
}

/// The compiler's levels. Cortex-M machines are built with 2, 64-bit ones with 3.
const LEVELS: [&str; 4] = ["z", "s", "2", "3"];

/// Prints what the compiler's levels of optimization make of a machine's program.
pub(super) fn levels(machine: &Machine, images: &Images) -> Result<()> {
    let mut rows = Vec::new();
    for level in LEVELS {
        build_at(machine, Some(level))?;
        let size = Size::of(&machine.elf()?)?;
        let run = machine.launch(&Launch { ..of(App::Bench, &images.model, &images.check) })?;
        rows.push((level, size, run.bench()));
    }
    // The next command finds the usual program again.
    build_at(machine, None)?;
    println!(
        "\n| opt-level | text and constants | runtime and tokenizer | kernels | M instructions for 32 tokens | for 128 |"
    );
    println!("|---|---|---|---|---|---|");
    for (level, size, bench) in &rows {
        let of = |tokens| bench.iter().find(|(n, _)| *n == tokens).map_or(f64::NAN, |(_, count)| *count as f64 / 1e6);
        let (flash, kernels) = (size.text + size.rodata, size.of_crates(&["distil_kernels"]));
        println!("| {level} | {flash} | {} | {kernels} | {:.2} | {:.2} |", size.runtime(), of(32), of(128));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::crate_of;

    #[test]
    fn symbols_belong_to_crates() {
        assert_eq!(crate_of("_ZN14distil_runtime7session7Session3run17h0123456789abcdefE"), "distil_runtime");
        assert_eq!(crate_of("_ZN10distil_a648handover8Handover4join17hE"), "distil_a64");
        assert_eq!(crate_of("_ZN4core3fmt9Formatter3pad17h0123456789abcdefE"), "core");
        let of_kernels =
            "_ZN81_$LT$distil_kernels..native..helium..Helium$u20$as$u20$distil_kernels..x..Inner$GT$6finish17hE";
        assert_eq!(crate_of(of_kernels), "distil_kernels");
        assert_eq!(crate_of("_ZN17compiler_builtins3mem7memmove17h0123456789abcdefE"), "compiler_builtins");
        assert_eq!(crate_of("__aeabi_memcpy"), "compiler_builtins");
        assert_eq!(crate_of("HardFault"), "others");
        assert_eq!(crate_of(".Lanon.c8ccadbb.214"), "nameless");
    }
}
