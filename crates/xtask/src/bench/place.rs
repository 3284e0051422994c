//! Where and from what a figure comes.

use std::fs;
use std::process::Command;

use crate::shell::{output, root};

/// The machine in words: its processor, and what matters here of its instruction sets.
pub(super) fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let value = |key: &str| {
        let line = info.lines().find(|line| line.split(':').next().is_some_and(|name| name.trim() == key));
        line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned())
    };
    let name = value("model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let flags = value("flags").or_else(|| value("Features")).unwrap_or_default();
    let known = ["avx2", "avx_vnni", "avx512_vnni", "amx_int8", "asimddp", "i8mm"];
    let sets: Vec<_> = known.into_iter().filter(|set| flags.split_whitespace().any(|flag| flag == *set)).collect();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{name}, {cores} cores{}{}", if sets.is_empty() { "" } else { ", " }, sets.join(" "))
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
