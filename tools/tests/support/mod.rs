//! What the tests of this package share.
#![allow(dead_code, reason = "each test program uses a part")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use assert_cmd::cargo::CommandCargoExt;
use distil_tools::fixture::Fixture;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;
use tempfile::TempDir;

/// A path in the data kept beside the repository; says so and gives `None` where it is not there.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared").join(path);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: shared data not found ({})", path.display());
    None
}

/// A float32 tensor of a safetensors file.
pub(crate) fn f32s(file: &SafeTensors<'_>, name: &str) -> Vec<f32> {
    let data = file.tensor(name).unwrap().data().to_vec();
    data.chunks_exact(4).map(|word| f32::from_le_bytes(word.try_into().unwrap())).collect()
}

/// An int64 tensor of a safetensors file.
pub(crate) fn i64s(file: &SafeTensors<'_>, name: &str) -> Vec<i64> {
    let data = file.tensor(name).unwrap().data().to_vec();
    data.chunks_exact(8).map(|word| i64::from_le_bytes(word.try_into().unwrap())).collect()
}

/// The largest absolute difference of two slices of the same length.
pub(crate) fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// A folder to work in, with a random model in `model/`. Commands run inside it, so that messages have short paths.
pub(crate) struct Place(pub(crate) TempDir);

impl Place {
    pub(crate) fn empty() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn with(fixture: &Fixture) -> Self {
        let place = Self::empty();
        fixture.write(&place.path("model")).unwrap();
        place
    }

    /// With the model packed to `model.distil`.
    pub(crate) fn packed(fixture: &Fixture) -> Self {
        let place = Self::with(fixture);
        place.ok(&["pack", "model", "-o", "model.distil"]);
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    /// Runs `tools` without input.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.run_with(args, b"")
    }

    /// Runs `tools` with `input` on standard input.
    pub(crate) fn run_with(&self, args: &[&str], input: &[u8]) -> Output {
        let mut command = Command::cargo_bin("tools").unwrap();
        command.current_dir(self.0.path()).args(args);
        let file = self.path(".stdin");
        std::fs::write(&file, input).unwrap();
        let output = command.stdin(Stdio::from(std::fs::File::open(&file).unwrap())).output().unwrap();
        std::fs::remove_file(file).unwrap();
        output
    }

    /// Runs `tools`, which has to succeed; gives its standard output.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "tools {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs `tools`, which has to succeed and print one JSON object.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let text = self.ok(args);
        assert_eq!(text.lines().count(), 1, "one line: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Runs `tools`, which has to fail; gives its exit code and what it said.
    pub(crate) fn fails(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let code = output.status.code().unwrap();
        assert_ne!(code, 0, "tools {} has to fail", args.join(" "));
        let said = String::from_utf8(output.stderr).unwrap();
        format!("$ tools {}\n{said}exit code {code}\n", args.join(" "))
    }

    /// Names of the files and folders here, in order.
    pub(crate) fn listing(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// A tensor of a safetensors file: type, shape, bytes.
pub(crate) type Stored = (Dtype, Vec<usize>, Vec<u8>);

/// Rewrites `model.safetensors` in `folder`.
pub(crate) fn edit_weights(folder: &Path, edit: impl FnOnce(&mut BTreeMap<String, Stored>)) {
    let path = folder.join("model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut tensors: BTreeMap<String, Stored> = file
        .tensors()
        .into_iter()
        .map(|(name, view)| (name, (view.dtype(), view.shape().to_vec(), view.data().to_vec())))
        .collect();
    edit(&mut tensors);
    let views = tensors
        .iter()
        .map(|(name, (dtype, shape, data))| (name.clone(), TensorView::new(*dtype, shape.clone(), data).unwrap()));
    std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
}

/// Rewrites `config.json` in `folder`.
pub(crate) fn edit_config(folder: &Path, key: &str, value: Value) {
    let path = folder.join("config.json");
    let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    config[key] = value;
    std::fs::write(&path, config.to_string()).unwrap();
}

/// The keys and types of a JSON value: numbers and strings by kind, lists by their first element.
pub(crate) fn shape(value: &Value) -> Value {
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) => "true or false".into(),
        Value::Number(number) if number.is_f64() => "number".into(),
        Value::Number(_) => "whole number".into(),
        Value::String(_) => "text".into(),
        Value::Array(items) => items.iter().take(1).map(shape).collect(),
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), shape(value))).collect(),
    }
}

/// A Python that has `modules` (as `import` takes them); says so and gives `None` where there is none. `DISTIL_PYTHON`
/// names one to use in place of `python3`.
pub(crate) fn python(modules: &str) -> Option<PathBuf> {
    let python = std::env::var_os("DISTIL_PYTHON").map_or_else(|| "python3".into(), PathBuf::from);
    let found = Command::new(&python).args(["-c", &format!("import {modules}")]).output();
    if found.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    eprintln!("SKIPPED: no Python with {modules}; DISTIL_PYTHON can name one");
    None
}
