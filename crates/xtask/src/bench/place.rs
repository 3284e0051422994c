//! Where and from what a figure comes.

use std::fs;
use std::process::Command;

use crate::shell::{output, root};

/// The machine in words: its processor, and what matters here of its instruction sets.
pub(super) fn machine() -> String {
    let name = info("model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let known = ["avx2", "avx_vnni", "avx512_vnni", "amx_int8", "asimddp", "i8mm"];
    let sets: Vec<_> = known.into_iter().filter(|set| flag(set)).collect();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{name}, {cores} cores{}{}", if sets.is_empty() { "" } else { ", " }, sets.join(" "))
}

/// What else the machine is doing: processes that wanted to run in the last minute, on average. Above a half or so,
/// milliseconds are worth little.
pub(super) fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().filter(|word| !word.is_empty()).unwrap_or("unknown").to_owned()
}

/// Whether Linux says that the processor has this.
pub(super) fn flag(name: &str) -> bool {
    info("flags").or_else(|| info("Features")).is_some_and(|flags| flags.split_whitespace().any(|flag| flag == name))
}

/// A line of the first processor in /proc/cpuinfo.
fn info(key: &str) -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let (_, value) = text.lines().filter_map(|line| line.split_once(':')).find(|(name, _)| name.trim() == key)?;
    Some(value.trim().to_owned())
}

/// The commit that was measured; `+` after it says that files differ from it.
pub(super) fn commit() -> String {
    let git = |arguments: &[&str]| output(Command::new("git").current_dir(root()).args(arguments));
    let Ok(hash) = git(&["rev-parse", "--short=9", "HEAD"]) else { return "not in git".into() };
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]).is_ok_and(|text| !text.trim().is_empty());
    format!("{}{}", hash.trim(), if changed { "+" } else { "" })
}

/// The day, as the machine has it.
pub(super) fn date() -> String {
    output(Command::new("date").args(["-u", "+%Y-%m-%d"])).map_or_else(|_| "unknown".into(), |text| text.trim().into())
}

/// The first line that `PROGRAM --version` prints with a number in it, shortened to `name number`.
pub(super) fn version(program: &str) -> String {
    let text = output(Command::new(program).arg("--version")).unwrap_or_default();
    let number =
        text.split_whitespace().find(|word| word.contains('.') && word.starts_with(|c: char| c.is_ascii_digit()));
    format!("{program} {}", number.unwrap_or("of an unknown version"))
}
