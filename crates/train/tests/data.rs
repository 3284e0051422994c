//! `train prepare` from every kind of text, and what it says when something is wrong.

#[path = "data/hub.rs"]
mod hub;
#[path = "data/parquet.rs"]
mod parquet;
mod support;
#[path = "support/text.rs"]
mod text;

use rand::{Rng, SeedableRng};
use std::{io::Write, path::Path, path::PathBuf};
use support::{command, fails, train};

#[track_caller]
fn mentions(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "`{word}` is missing in: {text}");
    }
}

/// A folder with a vocabulary.
struct Bench(tempfile::TempDir);

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        text::write(folder.path(), 300);
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        std::fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        std::fs::write(self.path(name), bytes).unwrap();
        self.text(name)
    }

    fn lines(&self) -> Vec<String> {
        std::fs::read_to_string(self.path("text.txt")).unwrap().lines().map(String::from).collect()
    }

    /// The arguments of a preparation.
    fn arguments(&self, out: &str, text: &[&str], more: &[&str]) -> Vec<String> {
        let (vocab, out) = (self.text("vocab.txt"), self.text(out));
        let mut arguments: Vec<String> = ["prepare", "--text"].map(String::from).to_vec();
        arguments.extend(text.iter().map(|name| self.text(name)));
        arguments.extend(["--vocab", &vocab, "-o", &out, "--json"].map(String::from));
        arguments.extend(["--max-length", "32", "--min-length", "4"].map(String::from));
        arguments.extend(more.iter().map(|s| s.to_string()));
        arguments
    }

    /// Prepares and returns the summary and what was said.
    fn prepare(&self, out: &str, text: &[&str], more: &[&str]) -> (serde_json::Value, String) {
        let output = command().args(self.arguments(out, text, more)).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        (serde_json::from_slice(&output.stdout).unwrap(), said)
    }

    fn fails(&self, text: &[&str], more: &[&str]) -> String {
        let arguments = self.arguments("failed", text, more);
        let error = fails(1, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(!self.path("failed").exists(), "a folder was left: {error}");
        error
    }

    /// All files of a prepared folder.
    fn files(&self, out: &str) -> Vec<(String, Vec<u8>)> {
        let mut files: Vec<_> = std::fs::read_dir(self.path(out))
            .unwrap()
            .map(|entry| {
                let path = entry.unwrap().path();
                (path.file_name().unwrap().to_str().unwrap().to_string(), std::fs::read(&path).unwrap())
            })
            .collect();
        files.sort();
        files
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstandard(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

/// Lines with everything that JSON has to escape; some blank.
fn awkward_lines(bench: &Bench) -> Vec<String> {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(9);
    let special = ["\"", "\\", "\u{1}", "é", "中", "😀", "\t", "  ", "\u{2028}", "{", "\u{301}", ""];
    let mut lines = bench.lines();
    for line in &mut lines {
        match rng.random_range(0..10) {
            0 => line.clear(),
            1 => *line = "   ".into(),
            _ => {
                let words: Vec<&str> = line.split(' ').collect();
                let parts = words.iter().map(|word| format!("{word} {}", special[rng.random_range(0..special.len())]));
                *line = parts.collect::<Vec<_>>().join(" ");
            }
        }
    }
    lines
}

#[test]
fn the_same_lines_in_any_form_give_the_same_data() {
    let bench = Bench::new();
    let lines = awkward_lines(&bench);
    let plain = lines.join("\n");
    let json: String = lines
        .iter()
        .map(|line| format!("{}\n", serde_json::json!({"id": 7, "text": line, "more": {"text": 1}})))
        .collect();
    let nested: String =
        lines.iter().map(|line| format!("{}\r\n", serde_json::json!({"doc": {"body": line}}))).collect();
    bench.write("p.txt", &plain);
    let (summary, _) = bench.prepare("expected", &["p.txt"], &["--held-out-every", "9"]);
    assert!(summary["train"]["sequences"].as_u64().unwrap() > 100, "{summary}");
    assert_eq!(summary["bad_lines"], serde_json::json!({}));
    let expected = bench.files("expected");
    bench.write("a.txt.gz", gzip(plain.as_bytes()));
    bench.write("b.txt.zst", zstandard(plain.as_bytes()));
    bench.write("c.jsonl", &json);
    bench.write("d.json.gz", gzip(json.as_bytes()));
    bench.write("e.ndjson.zst", zstandard(json.as_bytes()));
    bench.write("f.jsonl", &nested);
    let texts: Vec<Option<&str>> = lines.iter().map(|line| Some(line.as_str())).collect();
    let kinds = parquet::write_all(&bench.path("parquet"), &texts);
    let kinds = kinds.iter().map(|(name, field)| (name.as_str(), *field));
    let known = [("a.txt.gz", "text"), ("b.txt.zst", "text"), ("c.jsonl", "text"), ("d.json.gz", "text")];
    for (name, field) in known.into_iter().chain([("e.ndjson.zst", "text"), ("f.jsonl", "doc.body")]).chain(kinds) {
        for threads in ["1", "3"] {
            bench.prepare("data", &[name], &["--held-out-every", "9", "--field", field, "--threads", threads]);
            assert!(bench.files("data") == expected, "{name} with {threads} threads");
        }
    }
}

#[test]
fn files_in_folders_and_patterns_are_read_in_order() {
    let bench = Bench::new();
    let lines = bench.lines();
    bench.write("all.txt", lines.join("\n"));
    bench.write("tree/1.txt", lines[..100].join("\n"));
    bench.write("tree/2/a.txt.zst", zstandard(lines[100..150].join("\n").as_bytes()));
    bench.write("tree/2/b.txt.gz", gzip(lines[150..200].join("\n").as_bytes()));
    bench.write("tree/3.txt", lines[200..].join("\n"));
    bench.write("tree/README.md", "not text to train on");
    bench.prepare("expected", &["all.txt"], &["--held-out-every", "7"]);
    for names in [&["tree"][..], &["tree/1.txt", "tree/2/*", "tree/3.txt"], &["tree/**/*.txt*", "tree"]] {
        // The pattern with ** meets 1.txt, 2/..., 3.txt in this order too.
        let (_, said) = bench.prepare("data", names, &["--held-out-every", "7"]);
        assert!(bench.files("data") == bench.files("expected"), "{names:?}");
        if names == ["tree"] {
            mentions(&said, &["skipped", "README.md"]);
        }
        if names.len() == 2 {
            mentions(&said, &["named more than once", "1.txt"]);
        }
    }
    // Held-out text comes in the same ways.
    let held = bench.text("tree/2");
    let (summary, _) = bench.prepare("data", &["tree/1.txt"], &["--held-out", &held]);
    assert_eq!(summary["held_out"]["sequences"], 100);
}

#[test]
fn bad_lines_are_counted_and_told() {
    let bench = Bench::new();
    let lines = bench.lines();
    let mut bytes = vec![];
    for (i, line) in lines.iter().enumerate() {
        match i {
            3 | 40 | 41 | 42 => bytes.extend(b"{\"text\": \"caf\xe9\"}"),
            5 => bytes.extend(b"{\"text\": "),
            6 => bytes.extend(b"{\"text\": null}"),
            7 => bytes.extend(b"{\"text\": [\"a\"]}"),
            8 => bytes.extend(b"{\"body\": \"x\"}"),
            _ => bytes.extend(serde_json::json!({"text": line}).to_string().as_bytes()),
        }
        bytes.push(b'\n');
    }
    let file = bench.write("mixed.jsonl", &bytes);
    let (summary, said) = bench.prepare("data", &["mixed.jsonl"], &[]);
    let expected = serde_json::json!({
        "not_utf8": 4, "broken_json": 1, "null": 1, "not_text": 1, "missing_field": 1,
    });
    assert_eq!(summary["bad_lines"], expected);
    assert_eq!(summary["lines"].as_u64().unwrap(), lines.len() as u64 - 8);
    mentions(&said, &[&format!("4 lines not UTF-8: {file}:4, {file}:41, {file}:42, ..."), &format!("{file}:7")]);
    mentions(&bench.fails(&["mixed.jsonl"], &["--strict"]), &[&format!("{file}:4"), "not UTF-8", "--strict"]);
    let error = bench.fails(&["mixed.jsonl"], &["--field", "body"]);
    mentions(&error, &["no training text is left of 1 lines", "299 more were bad"]);
    // A line of more than 16 MiB.
    bench.write("long.txt", [lines[0].as_bytes(), b"\n", &[b'a'; 17 << 20], b"\n", lines[1].as_bytes()].concat());
    let (summary, said) = bench.prepare("data", &["long.txt"], &[]);
    assert_eq!(summary["bad_lines"], serde_json::json!({"too_long": 1}));
    assert_eq!(summary["lines"], 2);
    mentions(&said, &["long.txt:2", "16 MiB"]);
}

#[test]
fn files_that_cannot_be_read() {
    let bench = Bench::new();
    let text = bench.lines().join("\n").repeat(200);
    for (name, whole) in [("cut.txt.gz", gzip(text.as_bytes())), ("cut.txt.zst", zstandard(text.as_bytes()))] {
        bench.write(name, &whole[..whole.len() - 9]);
        mentions(&bench.fails(&[name], &[]), &[name, "damaged or cut off after", "--keep-going"]);
        let (summary, said) = bench.prepare("data", &[name, "text.txt"], &["--keep-going"]);
        assert_eq!(summary["damaged_files"], 1);
        assert!(summary["lines"].as_u64().unwrap() >= 300);
        mentions(&said, &[name, "damaged or cut off after"]);
    }
    mentions(&bench.fails(&["missing*.txt"], &[]), &["missing*.txt", "no file matches"]);
    bench.write("empty/notes.md", "x");
    mentions(&bench.fails(&["empty"], &[]), &["empty", "no file of a known ending", ".parquet"]);
    bench.write("a.tar.gz", "x");
    mentions(&bench.fails(&["a.tar.gz"], &[]), &["a.tar.gz", "unpack it first"]);
    bench.write("array.json", "[{\"text\": \"a\"}]");
    mentions(&bench.fails(&["array.json"], &[]), &["a JSON array", "jq -c"]);
}

#[test]
fn vocabularies_in_any_form() {
    let bench = Bench::new();
    bench.prepare("expected", &["text.txt"], &[]);
    let entries = std::fs::read_to_string(bench.path("vocab.txt")).unwrap();
    let vocabulary: serde_json::Map<_, _> =
        entries.lines().enumerate().map(|(id, entry)| (entry.to_string(), id.into())).collect();
    let tokenizer = |lowercase: bool| {
        let normalizer = serde_json::json!({
            "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null,
            "lowercase": lowercase,
        });
        let model = serde_json::json!({"type": "WordPiece", "unk_token": "[UNK]", "vocab": vocabulary});
        serde_json::json!({"normalizer": normalizer, "model": model}).to_string()
    };
    bench.write("model/tokenizer.json", tokenizer(true));
    let prepare = |vocab: &str, more: &[&str]| {
        let (text, vocab, out) = (bench.text("text.txt"), bench.text(vocab), bench.text("data"));
        let mut arguments = vec!["prepare", "--text", &text, "--vocab", &vocab, "-o", &out, "--json"];
        arguments.extend(["--max-length", "32", "--min-length", "4"]);
        arguments.extend(more);
        serde_json::from_str::<serde_json::Value>(&train(&arguments)).unwrap()
    };
    for vocab in ["model/tokenizer.json", "model"] {
        assert_eq!(prepare(vocab, &[])["lowercase"], true);
        assert!(bench.files("data") == bench.files("expected"), "{vocab}");
    }
    let arguments =
        ["--text", &bench.text("text.txt"), "--vocab", &bench.text("model"), "-o", &bench.text("x"), "--cased"];
    mentions(&fails(1, &[&["prepare"], &arguments[..]].concat()), &["model", "lower-cases", "leave --cased out"]);
    bench.write("cased/tokenizer.json", tokenizer(false));
    assert_eq!(prepare("cased", &[])["lowercase"], false);
    assert_eq!(prepare("vocab.txt", &["--cased"])["lowercase"], false);
}

#[test]
fn damaged_data_is_found() {
    let bench = Bench::new();
    bench.prepare("data", &["text.txt"], &["--held-out-every", "10"]);
    let data = bench.text("data");
    let verify = || command().args(["prepare", "--verify", &data, "--json"]).output().unwrap();
    let sound: serde_json::Value = serde_json::from_slice(&verify().stdout).unwrap();
    assert_eq!(sound["shards"], 2);
    let path = bench.path("data/train-00000.bin");
    let good = std::fs::read(&path).unwrap();
    let mut bad = good.clone();
    *bad.last_mut().unwrap() ^= 1;
    std::fs::write(&path, &bad).unwrap();
    let words = ["train-00000.bin", "the file is damaged", "train prepare"];
    mentions(&fails(1, &["prepare", "--verify", &data]), &words);
    // Training stops too, whichever sequence it meets first.
    let out = bench.text("teacher");
    let mut arguments = vec!["pretrain", "--preset", "tiny", "--layers", "1", "--hidden", "16", "--heads", "2"];
    arguments.extend(["--steps", "1", "--batch-size", "1", "--data", &data, "-o", &out]);
    mentions(&fails(1, &arguments), &words);
    std::fs::write(&path, &good[..good.len() - 2]).unwrap();
    mentions(&fails(1, &["prepare", "--verify", &data]), &["train-00000.bin", "cut or altered"]);
    std::fs::remove_file(&path).unwrap();
    mentions(&fails(1, &["prepare", "--verify", &data]), &["train-00000.bin", "no such file"]);
    std::fs::write(&path, good).unwrap();
    // Prepared by an earlier version.
    let index = std::fs::read_to_string(bench.path("data/index.json")).unwrap();
    std::fs::write(bench.path("data/index.json"), index.replace("\"version\":2", "\"version\":1")).unwrap();
    mentions(&fails(1, &["prepare", "--verify", &data]), &["version 1, not 2", "run `train prepare` again"]);
}

#[cfg(unix)]
#[test]
fn interrupted_is_130_and_leaves_nothing() {
    let bench = Bench::new();
    let pipe = bench.path("pipe.txt");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("train"))
        .args(bench.arguments("data", &["pipe.txt"], &[]))
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // Opening succeeds once the program reads; then it waits for lines.
    let mut writer = std::fs::OpenOptions::new().write(true).open(&pipe).unwrap();
    writer.write_all(bench.lines().join("\n").as_bytes()).unwrap();
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    std::thread::sleep(std::time::Duration::from_millis(300));
    drop(writer);
    let output = child.wait().map(|status| status.code()).unwrap();
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut said).unwrap();
    assert_eq!(output, Some(130), "{said}");
    mentions(&said, &["interrupted"]);
    assert!(!bench.path("data").exists());
}

#[cfg(unix)]
#[test]
fn a_file_that_cannot_be_written_is_1_and_leaves_nothing() {
    let bench = Bench::new();
    bench.write("large.txt", bench.lines().join("\n").repeat(300));
    let program = assert_cmd::cargo::cargo_bin!("train").display().to_string();
    let arguments = bench.arguments("data", &["large.txt"], &[]);
    // Files of at most 64 KiB: writing fails as on a full disk, though with another reason.
    let output = std::process::Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 128; exec \"$@\"", "sh", &program])
        .args(&arguments)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    mentions(&said, &["error:", "train-00000.bin"]);
    assert!(!bench.path("data").exists());
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}
