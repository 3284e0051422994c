//! How often each block of a program ran in the emulator, between the marks that the firmware sets.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::llvm::Llvm;
use super::programs::folder;
use crate::shell::{root, run};

/// The function of the firmware whose calls, in pairs, enclose measured work.
const MARK: &str = "distil_harness::machine::read_counter";

/// A straight run of instructions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) address: u64,
    pub(super) instructions: u64,
    pub(super) times: u64,
    pub(super) bytes: Vec<u8>,
}

/// The plugin, ready for one run.
pub(super) struct Plugin {
    /// What QEMU's `-plugin` takes.
    pub(super) argument: String,
    out: PathBuf,
}

impl Plugin {
    /// Compiles it for the program.
    pub(super) fn new(llvm: &Llvm, program: &Path) -> Result<Self> {
        let symbols = llvm.symbols(program)?;
        let (mark, _) = symbols
            .iter()
            .find(|(_, name)| name.starts_with(MARK))
            .with_context(|| format!("{} has no function {MARK}", program.display()))?;
        let library = plugin_library()?;
        let out = folder()?.join("profile.txt");
        let path = |path: &Path| path.to_string_lossy().replace(',', ",,");
        Ok(Self { argument: format!("{},out={},mark={mark:#x}", path(&library), path(&out)), out })
    }

    /// What ran, pair by pair.
    pub(super) fn read(&self) -> Result<Vec<Vec<Block>>> {
        let text = fs::read_to_string(&self.out).with_context(|| format!("cannot read {}", self.out.display()))?;
        parse(&text)
    }
}

/// Compiles the plugin.
pub(super) fn plugin_library() -> Result<PathBuf> {
    let library = folder()?.join("libprofile.so");
    let mut cc = Command::new("cc");
    cc.args(["-O2", "-shared", "-fPIC", "-fvisibility=hidden", "-o"]).arg(&library);
    run(cc.arg(root().join("benches/qemu-profile/profile.c")))
        .context("this needs a C compiler; on Debian: sudo apt-get install gcc libc6-dev")?;
    Ok(library)
}

fn parse(text: &str) -> Result<Vec<Vec<Block>>> {
    let mut pairs: Vec<Vec<Block>> = Vec::new();
    for line in text.lines() {
        if line.starts_with("pair ") {
            pairs.push(Vec::new());
            continue;
        }
        let words: Vec<_> = line.split(' ').collect();
        let block = match words[..] {
            [address, instructions, times, hex] => Some(Block {
                address: u64::from_str_radix(address, 16)?,
                instructions: instructions.parse()?,
                times: times.parse()?,
                bytes: (0..hex.len() / 2)
                    .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16))
                    .collect::<Result<_, _>>()?,
            }),
            _ => None,
        };
        match (pairs.last_mut(), block) {
            (Some(pair), Some(block)) => pair.push(block),
            _ => bail!("the profile has a line that cannot be read: `{line}`"),
        }
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::{Block, parse};

    #[test]
    fn blocks_belong_to_their_pair() {
        let pairs = parse("pair 0\n40080000 2 7 00112233aabbccdd\npair 1\n4008000a 1 9 1f20\n").unwrap();
        assert_eq!(pairs.len(), 2);
        assert_eq!(pairs[1], [Block { address: 0x4008_000a, instructions: 1, times: 9, bytes: vec![0x1f, 0x20] }]);
        assert_eq!((pairs[0][0].instructions, pairs[0][0].times, pairs[0][0].bytes[7]), (2, 7, 0xdd));
    }

    #[test]
    fn what_is_not_a_profile_is_refused() {
        assert!(parse("40080000 2 7 00\n").is_err() && parse("pair 0\n40080000 2\n").is_err());
    }
}
