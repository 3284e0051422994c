//! Turns the test programs of the kernels into modules of this one.
//!
//! They are written for a machine with an operating system and Rust's test harness. What they use of `std` is in `core`
//! and `alloc`, so their text only needs other paths and, for what the standard prelude holds, one more import; the
//! functions marked as tests go into a table.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// The test programs: all but those for the functions of one number, which have no instruction set, and for misuse,
/// which needs to survive a panic.
const PROGRAMS: [&str; 6] = ["bounds", "digest", "float", "int8", "quantize", "rows"];

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let memory = if env::var("TARGET").is_ok_and(|target| target.starts_with("thumbv8m")) { "v8m.x" } else { "v7em.x" };
    fs::copy(memory, out.join("memory.x")).expect("the memory maps lie beside build.rs");
    println!("cargo:rustc-link-search={}", out.display());
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    println!("cargo:rustc-link-arg-bins=--nmagic");
    println!("cargo:rerun-if-changed=v7em.x");
    println!("cargo:rerun-if-changed=v8m.x");
    println!("cargo:rerun-if-changed=build.rs");

    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/kernels/tests");
    println!("cargo:rerun-if-changed={}", tests.display());
    let common = out.join("common");
    fs::create_dir_all(&common).expect("OUT_DIR is writable");
    for name in ["mod", "product"] {
        let text = read(&tests.join("common").join(name).with_extension("rs"));
        fs::write(common.join(name).with_extension("rs"), translated(&text)).expect("OUT_DIR is writable");
    }
    let mut modules = format!("#[path = {:?}]\npub(crate) mod common;\n", common.join("mod.rs"));
    let mut table = String::new();
    for name in PROGRAMS {
        let mut text = read(&tests.join(name).with_extension("rs"));
        if name == "bounds" {
            text = without_system(&text);
        }
        let path = out.join(name).with_extension("rs");
        fs::write(&path, translated(&text)).expect("OUT_DIR is writable");
        writeln!(modules, "#[path = {path:?}]\nmod {name};").expect("a string takes everything");
        for test in names(&text) {
            writeln!(table, "    (\"{name}: {test}\", {name}::{test}),").expect("a string takes everything");
        }
    }
    let text = format!("{modules}\npub(crate) const TESTS: &[(&str, fn())] = &[\n{table}];\n");
    fs::write(out.join("tests.rs"), text).expect("OUT_DIR is writable");
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The text of a module for this program.
fn translated(text: &str) -> String {
    // Inner attributes and documentation come first in a file, so the import goes behind them.
    let (head, body): (Vec<&str>, Vec<&str>) =
        text.lines().partition(|line| line.starts_with("//!") || line.starts_with("#!["));
    let body = body
        .join("\n")
        .replace("std::", "core::")
        .replace("#[test]\nfn", "pub(crate) fn")
        .replace("mod common;", "use super::common;");
    format!("{}\n#[allow(unused_imports)]\nuse crate::prelude::*;\n{body}\n", head.join("\n"))
}

/// The bounds test with this program's fence in place of the operating system's.
fn without_system(text: &str) -> String {
    let test = text.split("#[test]\n").nth(1).expect("the program begins with a test");
    format!(
        "mod common;\nuse common::*;\nuse crate::fence::Fenced;\nuse distil_kernels::{{Epilogue, Group, Kernels, Layout, \
         Matrix, RowScale, Scales, Vector, layout, quantized_stride}};\n#[test]\n{}",
        test.split("/// The test above").next().unwrap_or_default()
    )
}

/// The names of the functions marked as tests.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split("#[test]\nfn ").skip(1).filter_map(|rest| rest.split('(').next())
}
