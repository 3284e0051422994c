//! Which crate may depend on which: the rules of ARCHITECTURE.md, read back from `cargo metadata`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn metadata(manifest: &str, arguments: &[&str]) -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--manifest-path"])
        .arg(root().join(manifest))
        .args(arguments)
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON")
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_else(|| panic!("{key} is a string"))
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key].as_array().unwrap_or_else(|| panic!("{key} is a list"))
}

/// What each package of a workspace asks for to be built: its normal and build dependencies. Tests may use anything,
/// and what is optional is not on a device.
fn direct(manifest: &str) -> BTreeMap<String, BTreeSet<String>> {
    let metadata = metadata(manifest, &["--no-deps"]);
    let wanted = |dependency: &&Value| {
        dependency["kind"].as_str() != Some("dev") && dependency["optional"].as_bool() == Some(false)
    };
    let packages = list(&metadata, "packages").iter().map(|package| {
        let names = list(package, "dependencies").iter().filter(wanted).map(|d| text(d, "name").to_owned());
        (text(package, "name").to_owned(), names.collect())
    });
    packages.collect()
}

/// Everything that a package brings along on this machine, itself left out; dependencies of tests are not followed.
fn transitive(package: &str) -> BTreeSet<String> {
    let host = Command::new("rustc").arg("-vV").output().expect("rustc runs").stdout;
    let host = String::from_utf8(host).expect("rustc writes UTF-8");
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc names its host");
    let metadata = metadata("Cargo.toml", &["--filter-platform", host]);

    let name_of = |id: &str| text(list(&metadata, "packages").iter().find(|p| text(p, "id") == id).unwrap(), "name");
    let nodes = list(&metadata["resolve"], "nodes");
    let not_only_dev = |edge: &&Value| list(edge, "dep_kinds").iter().any(|kind| kind["kind"].as_str() != Some("dev"));
    let start = nodes.iter().map(|node| text(node, "id")).find(|id| name_of(id) == package).expect("a known package");
    let mut seen = BTreeSet::from([start]);
    let mut open = vec![start];
    while let Some(id) = open.pop() {
        let node = nodes.iter().find(|node| text(node, "id") == id).expect("every dependency is resolved");
        for edge in list(node, "deps").iter().filter(not_only_dev) {
            let next = text(edge, "pkg");
            if seen.insert(next) {
                open.push(next);
            }
        }
    }
    seen.into_iter().filter(|id| *id != start).map(|id| name_of(id).to_owned()).collect()
}

fn ours(names: &BTreeSet<String>) -> BTreeSet<&str> {
    names.iter().map(String::as_str).filter(|name| name.starts_with("distil-")).collect()
}

#[track_caller]
fn assert_within(package: &str, found: &BTreeSet<&str>, allowed: &[&str]) {
    let excess: Vec<_> = found.iter().filter(|name| !allowed.contains(name)).collect();
    assert!(excess.is_empty(), "{package} depends on {excess:?}; it may depend on {allowed:?} only");
}

const DEVICE: [&str; 4] = ["distil-format", "distil-kernels", "distil-runtime", "distil-tokenizer"];

#[test]
fn the_foundations_stand_alone() {
    let packages = direct("Cargo.toml");
    for package in ["distil-format", "distil-kernels", "distil-tokenizer"] {
        assert_within(package, &packages[package].iter().map(String::as_str).collect(), &[]);
    }
}

#[test]
fn the_runtime_needs_only_the_foundations() {
    let packages = direct("Cargo.toml");
    let found = packages["distil-runtime"].iter().map(String::as_str).collect();
    assert_within(
        "distil-runtime",
        &found,
        &["distil-format", "distil-kernels", "distil-tokenizer", "defmt", "ed25519-dalek"],
    );
}

/// A boot loader may want the slots alone.
#[test]
fn slots_need_only_the_format() {
    let packages = direct("Cargo.toml");
    assert_within("distil-slots", &packages["distil-slots"].iter().map(String::as_str).collect(), &["distil-format"]);
}

/// C programs get what the runtime has, and nothing else comes along.
#[test]
fn the_c_interface_goes_through_the_runtime() {
    let packages = direct("Cargo.toml");
    let found = packages["distil-capi"].iter().map(String::as_str).collect();
    assert_within("distil-capi", &found, &["distil-runtime"]);
    // Of ours: what features of others in this workspace bring into the runtime is not in a library for C.
    assert_within("distil-capi", &ours(&transitive("distil-capi")), &DEVICE);
    for (package, names) in &packages {
        assert!(!names.contains("distil-capi"), "{package} depends on distil-capi");
    }
    let source = std::fs::read_to_string(root().join("crates/capi/src/lib.rs")).expect("the library exists");
    assert!(source.contains("#![no_std]"), "crates/capi is not no_std");
}

/// Forged files are for tests and the fuzzer: nothing that is shipped brings them along.
#[test]
fn forged_files_serve_tests_alone() {
    let packages = direct("Cargo.toml");
    let found = packages["distil-forge"].iter().map(String::as_str).collect();
    assert_within("distil-forge", &found, &["distil-format", "distil-runtime", "distil-tokenizer"]);
    for (package, names) in &packages {
        assert!(!names.contains("distil-forge"), "{package} depends on distil-forge");
    }
}

#[test]
fn tools_never_see_training() {
    let found = transitive("distil-tools");
    assert_within("distil-tools", &ours(&found), &DEVICE);
    for name in ["candle-core", "candle-nn"] {
        assert!(!found.contains(name), "distil-tools brings {name} along");
    }
}

#[test]
fn training_never_sees_the_device_side() {
    let found = transitive("distil-train");
    assert_within("distil-train", &ours(&found), &[]);
}

#[test]
fn firmware_goes_through_the_runtime() {
    let packages = direct("firmware/Cargo.toml");
    assert!(packages.len() >= 3, "the harness and the machines");
    for (package, names) in &packages {
        let allowed: &[&str] = match package.as_str() {
            // Its self-test compares the kernels with the reference.
            "distil-harness" => &["distil-runtime", "distil-kernels"],
            // No machine for models: it runs the tests of the kernels on their processors.
            "kernel-tests" => &["distil-kernels"],
            // What the Cortex-M machines share, and the 64-bit ones.
            "distil-cortex-m" | "distil-a64" => &["distil-harness"],
            // An operating system needs no harness.
            "linux-a64" => &["distil-runtime"],
            _ => &["distil-harness", "distil-cortex-m", "distil-a64"],
        };
        assert_within(package, &ours(names), allowed);
    }
}

#[test]
fn only_the_kernels_may_be_unsafe() {
    for library in [
        "crates/format/src/lib.rs",
        "crates/tokenizer/src/lib.rs",
        "crates/runtime/src/lib.rs",
        "crates/slots/src/lib.rs",
        "firmware/harness/src/lib.rs",
    ] {
        let source = std::fs::read_to_string(root().join(library)).expect("the library exists");
        assert!(source.contains("#![forbid(unsafe_code)]"), "{library} does not forbid unsafe code");
        assert!(source.contains("#![no_std]"), "{library} is not no_std");
    }
}

/// Files of the training crate that a GPU or a memory-mapped file cannot do without, and those in which C hands over its
/// pointers; each of them is small.
fn may_be_unsafe(path: &Path) -> bool {
    let train = root().join("crates/train/src");
    let c = root().join("crates/capi");
    path.starts_with(c.join("src/boundary"))
        || path == c.join("tests/boundary.rs")
        || path.starts_with(train.join("cuda"))
        || path == train.join("data/mapped.rs")
}

/// The lints of the workspace deny unsafe code; this finds whoever switches them off.
#[test]
fn no_other_file_holds_unsafe_code() {
    let mut folders = ["crates", "tools", "tests", "benches"].map(|folder| root().join(folder)).to_vec();
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() {
                if !path.ends_with("crates/kernels") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") && !may_be_unsafe(&path) {
                let source = std::fs::read_to_string(&path).expect("source is UTF-8");
                // Put together here, so that this file does not find itself.
                for words in [concat!("unsafe", " {"), concat!("unsafe", " fn"), concat!("allow(", "unsafe_code)")] {
                    assert!(!source.contains(words), "{} holds `{words}`", path.display());
                }
                files += 1;
            }
        }
    }
    assert!(files > 100, "only {files} files were read");
}
