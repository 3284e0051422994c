//! Looks at the finished program: its size, what it needs of a system, and whether it starts here.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell::output;

/// Prints all that, and fails if the program needs a library of NVIDIA's to start, or does not start.
pub(super) fn report(program: &Path) -> Result<()> {
    println!("4. the program");
    let size = fs::metadata(program).with_context(|| format!("no {}", program.display()))?.len();
    println!("   {} ({:.1} MB)", program.display(), size as f64 / 1e6);
    let dynamic = output(Command::new("readelf").args(["--wide", "--dynamic"]).arg(program))?;
    let needed = needed(&dynamic);
    println!("   needs: {}", needed.join(" "));
    let versions = output(Command::new("readelf").args(["--wide", "--version-info"]).arg(program))?;
    if let Some((major, minor)) = newest_glibc(&versions) {
        println!("   starts with glibc {major}.{minor} or newer");
    }
    if let Some(name) = needed.iter().find(|name| !is_everywhere(name)) {
        bail!("the program needs {name} to start: it would not run on a machine without it");
    }
    let version = output(Command::new(program).arg("--version")).context("the program does not start here")?;
    println!("   {}", version.trim());
    for line in output(Command::new(program).arg("devices")).context("the program does not start here")?.lines() {
        println!("   {line}");
    }
    Ok(())
}

/// The libraries that a program asks the system for.
fn needed(dynamic: &str) -> Vec<&str> {
    let lines = dynamic.lines().filter(|line| line.contains("(NEEDED)"));
    lines.filter_map(|line| Some(line.split_once('[')?.1.split_once(']')?.0)).collect()
}

/// Whether every Linux with glibc has this library.
fn is_everywhere(name: &str) -> bool {
    ["libc.so", "libm.so", "libdl.so", "libpthread.so", "librt.so", "libgcc_s.so", "ld-linux"]
        .iter()
        .any(|library| name.starts_with(library))
}

/// The newest version of glibc among the symbols.
fn newest_glibc(versions: &str) -> Option<(u32, u32)> {
    let names = versions.split("GLIBC_").skip(1).filter_map(|rest| {
        let name = rest.split(|c: char| c != '.' && !c.is_ascii_digit()).next()?;
        let mut parts = name.split('.').map(str::parse);
        Some((parts.next()?.ok()?, parts.next()?.ok()?))
    });
    names.max()
}

#[cfg(test)]
mod tests {
    use super::{is_everywhere, needed, newest_glibc};

    #[test]
    fn what_a_program_needs_is_read() {
        let dynamic = " 0x1 (NEEDED)  Shared library: [libcuda.so.1]\n 0x1 (NEEDED)  Shared library: [libc.so.6]\n \
                       0xe (SONAME) Library soname: [x]\n";
        assert_eq!(needed(dynamic), ["libcuda.so.1", "libc.so.6"]);
        assert!(is_everywhere("libc.so.6") && is_everywhere("ld-linux-x86-64.so.2"));
        assert!(
            !is_everywhere("libcuda.so.1") && !is_everywhere("libstdc++.so.6") && !is_everywhere("libcublas.so.13")
        );
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        let versions = "  0x0010: Name: GLIBC_2.9  Flags: none\n Name: GLIBC_2.34 Flags\n Name: GLIBC_2.2.5 Flags\n";
        assert_eq!(newest_glibc(versions), Some((2, 34)));
        assert_eq!(newest_glibc("none"), None);
    }
}
