//! Hub ids, against a server of our own and without one.

use super::{Bench, mentions, read};
use crate::support::command;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// Files of each repository, by name.
type Repositories = HashMap<String, HashMap<String, Vec<u8>>>;

/// What a server has: repositories (`models/ORG/NAME` or `datasets/ORG/NAME`) with files, and what was asked of it.
#[derive(Clone, Default)]
struct Hub {
    repositories: Arc<Mutex<Repositories>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Hub {
    /// Answers in the background for as long as the tests run; returns the address.
    fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let hub = self.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (hub, stream) = (hub.clone(), stream.unwrap());
                std::thread::spawn(move || hub.answer(stream));
            }
        });
        address
    }

    fn add(&self, repository: &str, file: &str, bytes: Vec<u8>) {
        self.repositories.lock().unwrap().entry(repository.into()).or_default().insert(file.into(), bytes);
    }

    /// Paths of the files that were downloaded, once each.
    fn downloads(&self) -> Vec<String> {
        let mut files: Vec<String> = self
            .asked
            .lock()
            .unwrap()
            .drain(..)
            .filter_map(|path| Some(path.split_once("/resolve/")?.1.into()))
            .collect();
        files.sort();
        files.dedup();
        files
    }

    fn answer(&self, mut stream: TcpStream) {
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
        let Some(request) = lines.next() else { return };
        let path = request.split(' ').nth(1).unwrap().to_string();
        let mut from = 0;
        for line in lines.take_while(|line| !line.is_empty()) {
            if let Some(range) = line.to_ascii_lowercase().strip_prefix("range: bytes=") {
                from = range.split('-').next().unwrap().parse().unwrap();
            }
        }
        self.asked.lock().unwrap().push(path.clone());
        let repositories = self.repositories.lock().unwrap();
        let body = match path.strip_prefix("/api/") {
            Some(api) => {
                let repository = api.split_once("/revision/").unwrap().0;
                repositories.get(repository).map(|files| {
                    let files: Vec<_> = files.keys().map(|name| serde_json::json!({"rfilename": name})).collect();
                    serde_json::json!({"siblings": files, "sha": COMMIT}).to_string().into_bytes()
                })
            }
            None => {
                let (repository, rest) = path[1..].split_once("/resolve/").unwrap();
                let kind = if repository.starts_with("datasets/") { "" } else { "models/" };
                let file = rest.strip_prefix(COMMIT).unwrap().trim_start_matches('/');
                repositories.get(&format!("{kind}{repository}")).and_then(|files| files.get(file)).cloned()
            }
        };
        let head = match &body {
            None => "HTTP/1.1 404 Not Found\r\nContent-Length: 0".into(),
            Some(body) if path.starts_with("/api/") => format!("HTTP/1.1 200 OK\r\nContent-Length: {}", body.len()),
            Some(body) => format!(
                "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\nContent-Range: bytes {from}-{}/{}\r\n\
                 ETag: \"{:08x}\"\r\nX-Repo-Commit: {COMMIT}",
                body.len() - from,
                body.len() - 1,
                body.len(),
                crc32c::crc32c(body)
            ),
        };
        let body = body.unwrap_or_default();
        let sent = stream.write_all(format!("{head}\r\nConnection: close\r\n\r\n").as_bytes());
        // Whoever asked for one byte only may have gone.
        let _ = sent.and_then(|()| stream.write_all(&body[from..]));
    }
}

/// Runs the program with a server and a cache; returns its exit code and what it said.
fn run(bench: &Bench, server: &str, arguments: &[&str], offline: bool) -> (i32, String) {
    let output = command()
        .args(arguments)
        .current_dir(bench.path(""))
        .env("HF_ENDPOINT", server)
        .env("HF_HOME", bench.path("cache"))
        .env("HF_HUB_OFFLINE", if offline { "1" } else { "0" })
        .env_remove("HF_HUB_CACHE")
        .env_remove("HF_TOKEN")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap(), format!("{said}{}", String::from_utf8_lossy(&output.stdout)))
}

/// A port that nobody listens on.
const NOWHERE: &str = "http://127.0.0.1:9";

#[test]
fn models_are_fetched_once_and_then_work_without_network() {
    let bench = Bench::new();
    let hub = Hub::default();
    let server = hub.start();
    bench.prepare("prepared", &["text.txt"], &["--held-out-every", "10"]);
    let (data, teacher) = (bench.text("prepared"), bench.text("teacher"));
    let mut arguments = vec!["pretrain", "--preset", "tiny", "--layers", "1", "--hidden", "16", "--heads", "2"];
    arguments.extend(["--steps", "2", "--data", &data, "-o", &teacher]);
    crate::support::train(&arguments);
    for file in ["config.json", "model.safetensors", "tokenizer_config.json"] {
        hub.add("models/org/teacher", file, read(&Path::new(&teacher).join(file)));
    }
    // A vocabulary as tokenizer.json only, and what nobody needs.
    let entries = std::fs::read_to_string(bench.path("vocab.txt")).unwrap();
    let vocabulary: serde_json::Map<_, _> =
        entries.lines().enumerate().map(|(id, entry)| (entry.to_string(), id.into())).collect();
    let tokenizer = serde_json::json!({"model": {"type": "WordPiece", "vocab": vocabulary}});
    hub.add("models/org/teacher", "tokenizer.json", tokenizer.to_string().into_bytes());
    hub.add("models/org/teacher", "pytorch_model.bin", vec![0; 10]);
    let evaluate = ["eval", "--model", "org/teacher", "--data", &data, "--json"];
    let (code, local) = run(&bench, NOWHERE, &["eval", "--model", "teacher", "--data", &data, "--json"], false);
    assert_eq!(code, 0, "{local}");
    let figures = |said: &str| said.lines().last().unwrap().to_string();
    let (code, said) = run(&bench, &server, &evaluate, false);
    assert_eq!(code, 0, "{said}");
    assert_eq!(figures(&said), figures(&local));
    let needed = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"];
    assert_eq!(hub.downloads(), needed.map(|file| format!("{COMMIT}/{file}")));
    // Again: nothing is fetched; and without a server, asked or not, the cache is enough.
    for (server, offline) in [(&server[..], false), (NOWHERE, false), (NOWHERE, true)] {
        let (code, said) = run(&bench, server, &evaluate, offline);
        assert_eq!(code, 0, "{said}");
        assert_eq!(figures(&said), figures(&local));
    }
    assert_eq!(hub.downloads(), Vec::<String>::new());
    // The vocabulary of a model for `prepare`, and a folder on disk that looks like an id.
    let text = bench.text("text.txt");
    let prepare = ["prepare", "--text", &text, "--vocab", "org/teacher", "-o", "again", "--max-length", "32"];
    assert_eq!(run(&bench, &server, &prepare, false).0, 0);
    std::fs::create_dir_all(bench.path("org/teacher")).unwrap();
    let (code, said) = run(&bench, &server, &evaluate, false);
    assert_eq!(code, 1);
    mentions(&said, &["org/teacher/config.json", "no such file"]);
}

#[test]
fn without_network_one_line_says_what_to_do() {
    let bench = Bench::new();
    bench.prepare("data", &["text.txt"], &["--held-out-every", "10"]);
    let teacher = ["eval", "--model", "org/teacher@v2", "--data", "data"];
    for (offline, why) in [(false, "http://127.0.0.1:9 cannot be reached"), (true, "HF_HUB_OFFLINE is set")] {
        let (code, said) = run(&bench, NOWHERE, &teacher, offline);
        assert_eq!((code, said.trim_end().lines().count()), (1, 1), "{said}");
        mentions(&said, &["org/teacher@v2", "no such file or folder here", why]);
        mentions(&said, &["hf download org/teacher --revision v2 --local-dir FOLDER"]);
    }
    let text = ["prepare", "--text", "datasets/org/set", "--vocab", "vocab.txt", "-o", "out"];
    let (code, said) = run(&bench, NOWHERE, &text, false);
    assert_eq!(code, 1);
    mentions(&said, &["datasets/org/set", "hf download org/set --repo-type dataset"]);
}

#[test]
fn what_the_server_does_not_have() {
    let bench = Bench::new();
    let hub = Hub::default();
    let server = hub.start();
    bench.prepare("data", &["text.txt"], &["--held-out-every", "10"]);
    let evaluate = |name: &str| run(&bench, &server, &["eval", "--model", name, "--data", "data"], false);
    let (code, said) = evaluate("org/nothing");
    assert_eq!((code, said.trim_end().lines().count()), (1, 1), "{said}");
    mentions(&said, &["org/nothing", "no such repository", "status 404", "HF_TOKEN"]);
    hub.add("models/org/old", "config.json", b"{}".to_vec());
    hub.add("models/org/old", "pytorch_model.bin", vec![0]);
    mentions(&evaluate("org/old").1, &["org/old", "no model.safetensors", "save_pretrained"]);
    hub.add("models/org/evil", "../../../../evil.txt", b"x".to_vec());
    mentions(&evaluate("org/evil").1, &["org/evil", "../../../../evil.txt", "do not use this server"]);
    hub.add("datasets/org/empty", "README.md", b"x".to_vec());
    let arguments = ["prepare", "--text", "datasets/org/empty", "--vocab", "vocab.txt", "-o", "out"];
    mentions(&run(&bench, &server, &arguments, false).1, &["datasets/org/empty", "no text file"]);
    let arguments = ["pretrain", "--data", "datasets/org/empty", "-o", "out"];
    mentions(
        &run(&bench, &server, &arguments, false).1,
        &["no prepared data", "train prepare --text datasets/org/empty"],
    );
}

#[test]
fn data_sets_give_their_text_and_prepared_folders() {
    let bench = Bench::new();
    let hub = Hub::default();
    let server = hub.start();
    let lines = bench.lines();
    hub.add("datasets/org/set", "data/b.jsonl", serde_json::json!({"text": lines[1]}).to_string().into_bytes());
    hub.add("datasets/org/set", "data/a.txt.gz", super::gzip(lines[0].as_bytes()));
    hub.add("datasets/org/set", "c.txt", lines[2..].join("\n").into_bytes());
    hub.add("datasets/org/set", "README.md", b"about it".to_vec());
    let arguments = ["--vocab", "vocab.txt", "--max-length", "32", "--min-length", "4"];
    let prepare = |text: &str, out: &str| {
        let (code, said) =
            run(&bench, &server, &[&["prepare", "--text", text, "-o", out], &arguments[..]].concat(), false);
        assert_eq!(code, 0, "{said}");
    };
    prepare("datasets/org/set", "fetched");
    assert_eq!(hub.downloads().len(), 3);
    std::fs::write(bench.path("same.txt"), [&lines[2..], &lines[..2]].concat().join("\n")).unwrap();
    prepare("same.txt", "local");
    assert!(bench.files("fetched") == bench.files("local"));
    // Prepared data can be shared too.
    for (name, bytes) in bench.files("local") {
        hub.add("datasets/org/prepared", &name, bytes);
    }
    let (code, said) = run(&bench, &server, &["prepare", "--verify", "datasets/org/prepared"], false);
    assert_eq!(code, 0, "{said}");
    mentions(&said, &["1 shards", "as they were written"]);
}
