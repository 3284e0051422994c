//! Shared by the integration tests.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::path::{Path, PathBuf};

/// A path in the folder of shared data beside the repository; says so when it is missing.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(path);
    if root.exists() {
        Some(root)
    } else {
        eprintln!("SKIPPED: shared data not found ({})", root.display());
        None
    }
}

/// The program, ready for arguments.
pub(crate) fn command() -> assert_cmd::Command {
    assert_cmd::Command::new(assert_cmd::cargo::cargo_bin!("train"))
}

/// Runs the program and returns its standard output; panics with its messages when it fails.
pub(crate) fn train(arguments: &[&str]) -> String {
    let output = command().args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "train {arguments:?}: {text}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs the program, which must fail with `code`, and returns its standard error.
pub(crate) fn fails(code: i32, arguments: &[&str]) -> String {
    let output = command().args(arguments).env("RUST_BACKTRACE", "1").output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "train {arguments:?}: {text}");
    assert!(!text.contains("stack backtrace") && !text.contains("   0: "), "a backtrace: {text}");
    text
}

/// `expected.json` of a parity case.
pub(crate) struct Case(serde_json::Value);

impl Case {
    pub(crate) fn read(folder: &Path) -> Self {
        Self(serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap())
    }

    pub(crate) fn number(&self, key: &str) -> f64 {
        self.0[key].as_f64().unwrap()
    }

    pub(crate) fn text(&self, key: &str) -> String {
        self.number(key).to_string()
    }
}
