//! LLVM's disassembler, symbol table and pipeline models.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::shell::{display, has, output};

/// The releases that are looked for, the one whose figures are recorded first. Older ones lack the models of Cortex-M.
const RELEASES: [u32; 4] = [22, 23, 21, 20];

/// The tools of one release.
pub(super) struct Llvm {
    release: u32,
}

/// A processor of which LLVM has a model.
#[derive(Clone, Copy, Debug)]
pub(super) struct Model {
    pub(super) triple: &'static str,
    pub(super) cpu: &'static str,
}

impl Llvm {
    /// Finds the tools.
    pub(super) fn find() -> Result<Self> {
        let complete =
            |release: &u32| ["llvm-mca", "llvm-mc", "llvm-nm"].iter().all(|tool| has(&format!("{tool}-{release}")));
        let release = RELEASES.into_iter().find(complete).context(
            "no llvm-mca-22, llvm-mc-22 and llvm-nm-22 on this machine (20 to 23 serve too): `cargo xtask setup --bench` \
             installs the package llvm-22",
        )?;
        Ok(Self { release })
    }

    /// Its name and release.
    pub(super) fn name(&self) -> String {
        format!("llvm-mca {}", self.release)
    }

    /// Functions of a program, by address.
    pub(super) fn symbols(&self, program: &Path) -> Result<Vec<(u64, String)>> {
        let mut nm = Command::new(format!("llvm-nm-{}", self.release));
        let text = output(nm.args(["--numeric-sort", "--demangle", "--defined-only"]).arg(program))?;
        let symbol = |line: &str| {
            let mut words = line.splitn(3, ' ');
            let (address, kind, name) = (words.next()?, words.next()?, words.next()?);
            let code = matches!(kind, "t" | "T" | "w" | "W") && !name.starts_with('$');
            // The lowest bit of a Thumb function says that it is one.
            code.then(|| Some((u64::from_str_radix(address, 16).ok()? & !1, name.to_owned())))?
        };
        let symbols: Vec<_> = text.lines().filter_map(symbol).collect();
        if symbols.is_empty() {
            bail!("{} has no function names", program.display());
        }
        Ok(symbols)
    }

    /// Cycles of one pass through a block that runs over and over.
    pub(super) fn cycles(&self, model: Model, bytes: &[u8]) -> Result<f64> {
        const ITERATIONS: u32 = 200;
        let hex: Vec<_> = bytes.iter().map(|byte| format!("{byte:#04x}")).collect();
        let processor = [format!("-triple={}", model.triple), format!("-mcpu={}", model.cpu)];
        let mut mc = Command::new(format!("llvm-mc-{}", self.release));
        let text = piped(mc.arg("--disassemble").args(&processor), &hex.join(" "))?;
        let code: String = text.lines().filter(|line| is_charged(line)).map(|line| format!("{line}\n")).collect();
        if code.is_empty() {
            return Ok(0.0);
        }
        let mut mca = Command::new(format!("llvm-mca-{}", self.release));
        mca.arg(format!("-m{}", &processor[0][1..])).arg(&processor[1]).arg(format!("-iterations={ITERATIONS}"));
        // A few instructions are in no model, such as those that begin a low-overhead loop: a cycle each.
        mca.arg("-skip-unsupported-instructions=lack-sched");
        let report = piped(&mut mca, &code)?;
        let each = |name: &str| {
            let number =
                report.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no `{name}`"))?;
            Ok::<_, anyhow::Error>(number.trim().parse::<f64>()? / f64::from(ITERATIONS))
        };
        let skipped = code.lines().count() as f64 - each("Instructions:")?;
        Ok(each("Total Cycles:")? + skipped)
    }
}

/// Instructions, except those that take no time of their own or that only an emulator meets: the end of a low-overhead
/// loop, and the calls of semihosting.
fn is_charged(line: &str) -> bool {
    let Some(instruction) = line.strip_prefix('\t').filter(|rest| !rest.starts_with('.')) else { return false };
    let name = instruction.split_whitespace().next().unwrap_or("");
    !name.is_empty() && !matches!(name, "le" | "letp" | "bkpt" | "hlt")
}

/// Runs a filter.
fn piped(command: &mut Command, input: &str) -> Result<String> {
    let shown = display(command);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    child.stdin.take().context("the filter's input is a pipe")?.write_all(input.as_bytes())?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        bail!("`{shown}`: {}", message.lines().next().unwrap_or("failed"));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::is_charged;

    #[test]
    fn loop_ends_and_directives_cost_nothing() {
        for line in ["\t.text", "\tletp\tlr, #-20", "\tle\tlr, #-8", "\thlt\t#0xf000", "", "label:"] {
            assert!(!is_charged(line), "{line:?}");
        }
        assert!(is_charged("\tvmladava.s8\tr0, q0, q1") && is_charged("\tldr\tr0, [r1]"));
    }
}
