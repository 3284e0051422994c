//! `cargo xtask firmware picture`: where the bytes of a machine are, drawn from its program and a model.
//!
//! What the program needs comes from its ELF file, as the linker laid it out; the model and the arena from `tools inspect`.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use object::{Object, ObjectSection, ObjectSymbol, SectionFlags, elf};

use super::{card, list};
use crate::bench::{grouped, inspected};
use crate::cross::release_dir;

/// Arguments of `firmware picture`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The packed model
    #[arg(long)]
    model: PathBuf,
    /// The longest text, in tokens: 8, 16, 32, 64, 128, 256 or 512
    #[arg(long, default_value_t = 128)]
    tokens: u64,
    /// The file to write
    #[arg(long, short, value_name = "FILE.svg", default_value = "docs/memory.svg")]
    output: PathBuf,
}

/// Bytes of a program, by what they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Parts {
    code: u64,
    constants: u64,
    data: u64,
    zeroed: u64,
    stack: u64,
}

/// A name, bytes, and a colour.
type Piece = (&'static str, u64, &'static str);

/// Two memories by name, and the pieces in them.
type Bars = [(&'static str, Vec<Piece>); 2];

/// Runs the command.
pub(super) fn draw(args: &Args) -> Result<()> {
    let about = inspected(&args.model)?;
    let model = about["bytes"].as_u64().context("`tools inspect` does not say how long the model is")?;
    let plans = about["arena"].as_array().context("`tools inspect` lists no arenas")?;
    let plan = plans.iter().find(|plan| plan["tokens"].as_u64() == Some(args.tokens));
    let plan = plan.with_context(|| format!("`tools inspect` lists no arena for {} tokens", args.tokens))?;
    let arena = plan["fast_bytes"].as_u64().context("`tools inspect` lists no arena")?;
    let mut programs = Vec::new();
    for machine in list::MACHINES {
        super::build(machine)?;
        programs.push((machine.name, machine.what, machine.elf()?));
    }
    card::build()?;
    let (board, target) = card::BOARD;
    programs.push((board, "Zero 2 W, 3, 4 and 5", release_dir(target)?.join(board)));
    let mut bars = Vec::new();
    for (name, what, program) in &programs {
        let parts = parts(program)?;
        bars.push((format!("{name}: {what}"), pieces(&parts, model, arena)));
    }
    let title = format!("{} bytes of model, an arena for one core and up to {} tokens", grouped(model), args.tokens);
    fs::write(&args.output, svg(&title, &bars)).with_context(|| format!("cannot write {}", args.output.display()))?;
    println!("wrote {}", args.output.display());
    Ok(())
}

/// Two bars: what is only read (from flash, or from the RAM that it was loaded to), and what is written.
fn pieces(parts: &Parts, model: u64, arena: u64) -> Bars {
    [
        (
            "read",
            vec![
                ("code", parts.code, "#4878a8"),
                ("constants", parts.constants, "#7aa6c8"),
                ("model", model, "#c9d9e8"),
            ],
        ),
        (
            "written",
            vec![
                ("data", parts.data + parts.zeroed, "#b8860b"),
                ("stack", parts.stack, "#d9a441"),
                ("arena", arena, "#f0dcae"),
            ],
        ),
    ]
}

/// What the linker put into the program.
fn parts(program: &Path) -> Result<Parts> {
    let bytes = fs::read(program).with_context(|| format!("cannot read {}", program.display()))?;
    let file = object::File::parse(&*bytes).with_context(|| format!("{} is no program", program.display()))?;
    let mut parts = Parts::default();
    for section in file.sections() {
        let SectionFlags::Elf { sh_flags } = section.flags() else { continue };
        let has = |flag: u32| sh_flags & u64::from(flag) != 0;
        let held = section.kind() != object::SectionKind::UninitializedData;
        let part = match () {
            () if !has(elf::SHF_ALLOC) => continue,
            () if section.name() == Ok(".stack") => &mut parts.stack,
            () if has(elf::SHF_EXECINSTR) => &mut parts.code,
            () if has(elf::SHF_WRITE) && held => &mut parts.data,
            () if has(elf::SHF_WRITE) => &mut parts.zeroed,
            () => &mut parts.constants,
        };
        *part += section.size();
    }
    // Of Cortex-M: all RAM that is left, between two symbols of the start-up crate.
    let address = |name: &str| file.symbols().find(|symbol| symbol.name() == Ok(name)).map(|symbol| symbol.address());
    if let (Some(top), Some(low)) = (address("_stack_start"), address("_stack_end")) {
        parts.stack = top.saturating_sub(low);
    }
    Ok(parts)
}

/// Pixels of a bar's piece: a step for each doubling, so that a kilobyte and 67 megabytes are both seen.
fn width(bytes: u64) -> f64 {
    22.0 * (1.0 + bytes as f64 / 1024.0).log2()
}

fn svg(title: &str, machines: &[(String, Bars)]) -> String {
    const ROW: usize = 96;
    let mut body = String::new();
    let mut widest = 0.0f64;
    for (at, (name, bars)) in machines.iter().enumerate() {
        let top = 56 + at * ROW;
        let _ = writeln!(body, r#"<text x="12" y="{}" font-weight="bold">{name}</text>"#, top);
        for (line, (memory, pieces)) in bars.iter().enumerate() {
            let y = top + 8 + 36 * line;
            let _ = writeln!(body, r#"<text x="12" y="{}">{memory}</text>"#, y + 20);
            let mut x = 64.0;
            for (what, bytes, colour) in pieces.iter().filter(|(_, bytes, _)| *bytes > 0) {
                let width = width(*bytes).max(8.0);
                let _ = writeln!(
                    body,
                    r##"<g><title>{what}: {0} bytes</title><rect x="{x:.1}" y="{y}" width="{width:.1}" height="30" fill="{colour}" stroke="#fff"/>"##,
                    grouped(*bytes)
                );
                if width > 70.0 {
                    let (middle, first, second) = (x + width / 2.0, y + 13, y + 26);
                    let _ = writeln!(body, r#"<text x="{middle:.1}" y="{first}" text-anchor="middle">{what}</text>"#);
                    let _ = writeln!(
                        body,
                        r#"<text x="{middle:.1}" y="{second}" text-anchor="middle">{}</text>"#,
                        grouped(*bytes)
                    );
                }
                body += "</g>\n";
                x += width;
            }
            widest = widest.max(x);
        }
    }
    let (across, down) = (widest.max(600.0) + 20.0, 60 + machines.len() * ROW);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{across:.0}\" height=\"{down}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"12\" y=\"20\" font-size=\"14\">{title}</text>\n\
         <text x=\"12\" y=\"36\">A piece is one step wider for each doubling of its bytes.</text>\n{body}</svg>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::{Parts, pieces, svg, width};

    #[test]
    fn pieces_are_drawn_with_their_bytes() {
        let parts = Parts { code: 100_000, constants: 50_000, data: 16, zeroed: 0, stack: 262_144 };
        let text = svg("title", &[("board".into(), pieces(&parts, 67_394_166, 1_516_928))]);
        for words in ["code: 100,000 bytes", "model: 67,394,166 bytes", "stack: 262,144 bytes", ">1,516,928<"] {
            assert!(text.contains(words), "{words}: {text}");
        }
        assert!(text.starts_with("<svg") && text.ends_with("</svg>\n"));
    }

    #[test]
    fn more_bytes_are_wider() {
        assert!(width(1024) < width(2048) && width(0) == 0.0);
        assert!((width(2 << 20) - width(1 << 20) - 22.0).abs() < 0.1);
    }
}
