//! Models of the hub, from a server of our own and without one.

mod support;

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};

use assert_cmd::cargo::CommandCargoExt;
use distil_tools::fixture::Fixture;
use distil_tools::hf::{Architecture, HeadKind};
use serde_json::json;
use support::Place;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// The content of files by their names.
type Files = HashMap<String, Vec<u8>>;

/// Repositories (`ORG/NAME`) with files, and which of them were downloaded.
#[derive(Clone, Default)]
struct Hub {
    repositories: Arc<Mutex<HashMap<String, Files>>>,
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

    fn add(&self, repository: &str, file: &str, bytes: impl Into<Vec<u8>>) {
        self.repositories.lock().unwrap().entry(repository.into()).or_default().insert(file.into(), bytes.into());
    }

    /// Files that were downloaded since the last call, once each.
    fn downloads(&self) -> Vec<String> {
        let asked: Vec<String> = self.asked.lock().unwrap().drain(..).collect();
        let prefix = format!("/resolve/{COMMIT}/");
        let mut files: Vec<String> =
            asked.iter().filter_map(|path| Some(path.split_once(&prefix)?.1.to_owned())).collect();
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
        let about = path.strip_prefix("/api/models/");
        let body = match about {
            Some(about) => repositories.get(about.split_once("/revision/").unwrap().0).map(|files| {
                let files: Vec<_> = files.keys().map(|name| json!({ "rfilename": name })).collect();
                json!({"siblings": files, "sha": COMMIT}).to_string().into_bytes()
            }),
            None => {
                let (repository, rest) = path[1..].split_once("/resolve/").unwrap();
                let file = rest.strip_prefix(COMMIT).unwrap().trim_start_matches('/');
                repositories.get(repository).and_then(|files| files.get(file)).cloned()
            }
        };
        let head = match &body {
            None => "HTTP/1.1 404 Not Found\r\nContent-Length: 0".into(),
            Some(body) if about.is_some() => format!("HTTP/1.1 200 OK\r\nContent-Length: {}", body.len()),
            Some(body) => format!(
                "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\nContent-Range: bytes {from}-{}/{}\r\n\
                 ETag: \"{}-{}\"\r\nX-Repo-Commit: {COMMIT}",
                body.len() - from,
                body.len() - 1,
                body.len(),
                body.len(),
                path.replace('/', "-"),
            ),
        };
        let body = body.unwrap_or_default();
        let sent = stream.write_all(format!("{head}\r\nConnection: close\r\n\r\n").as_bytes());
        // Whoever asked for one byte only may have gone.
        let _ = sent.and_then(|()| stream.write_all(&body[from..]));
    }
}

/// Runs the program with a server and a cache; gives its exit code and what it said.
fn run(place: &Place, server: &str, arguments: &[&str], offline: bool) -> (i32, String) {
    let output = Command::cargo_bin("tools")
        .unwrap()
        .args(arguments)
        .current_dir(place.path(""))
        .env("HF_ENDPOINT", server)
        .env("HF_HOME", place.path("cache"))
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

fn embedding() -> Place {
    Place::packed(&Fixture { head: HeadKind::Embedding, architecture: Architecture::Bert, ..Fixture::default() })
}

fn file(place: &Place, name: &str) -> Vec<u8> {
    std::fs::read(place.path(name)).unwrap()
}

#[test]
fn a_model_is_fetched_once_and_then_works_without_network() {
    let place = embedding();
    place.ok(&["pack", "model", "-o", "expected.distil", "--normalize"]);
    let hub = Hub::default();
    let server = hub.start();
    for name in ["config.json", "model.safetensors", "vocab.txt"] {
        hub.add("org/small", name, file(&place, &format!("model/{name}")));
    }
    let steps = [("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize")];
    let steps = steps.map(|(kind, path)| json!({"type": format!("sentence_transformers.models.{kind}"), "path": path}));
    hub.add("org/small", "modules.json", json!(steps).to_string());
    hub.add("org/small", "1_Pooling/config.json", json!({"pooling_mode_mean_tokens": true}).to_string());
    hub.add("org/small", "pytorch_model.bin", vec![0; 10]);
    hub.add("org/small", "onnx/model.onnx", vec![0; 10]);
    let pack = ["pack", "org/small", "-o", "fetched.distil"];
    let (code, said) = run(&place, &server, &pack, false);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("downloading model.safetensors of org/small"), "{said}");
    let needed = ["1_Pooling/config.json", "config.json", "model.safetensors", "modules.json", "vocab.txt"];
    assert_eq!(hub.downloads(), needed);
    assert!(file(&place, "fetched.distil") == file(&place, "expected.distil"));
    // Again: nothing is fetched; and without a server, asked or not, the cache is enough.
    for (server, offline) in [(&server[..], false), (NOWHERE, false), (NOWHERE, true)] {
        std::fs::remove_file(place.path("fetched.distil")).unwrap();
        let (code, said) = run(&place, server, &pack, offline);
        assert_eq!(code, 0, "{said}");
        assert!(file(&place, "fetched.distil") == file(&place, "expected.distil"));
        let verify = ["verify", "fetched.distil", "--against", "org/small"];
        let (code, said) = run(&place, server, &verify, offline);
        assert_eq!(code, 0, "{said}");
    }
    assert_eq!(hub.downloads(), Vec::<String>::new());
    // A folder of this name wins.
    std::fs::create_dir_all(place.path("org/small")).unwrap();
    let (code, said) = run(&place, &server, &pack, false);
    assert_eq!(code, 2);
    assert!(said.starts_with("error: org/small/config.json: no such file or folder"), "{said}");
}

#[test]
fn shards_and_encoders_in_a_folder_are_found() {
    let place = embedding();
    let hub = Hub::default();
    let server = hub.start();
    for name in ["config.json", "vocab.txt"] {
        hub.add("org/large", &format!("0_Transformer/{name}"), file(&place, &format!("model/{name}")));
    }
    let weights = file(&place, "model/model.safetensors");
    let tensors = safetensors::SafeTensors::deserialize(&weights).unwrap();
    let map: HashMap<String, &str> =
        tensors.names().into_iter().map(|name| (name.to_owned(), "w.safetensors")).collect();
    hub.add("org/large", "0_Transformer/model.safetensors.index.json", json!({ "weight_map": map }).to_string());
    hub.add("org/large", "0_Transformer/w.safetensors", weights.clone());
    let steps = [("Transformer", "0_Transformer"), ("Pooling", "1_Pooling")];
    let steps = steps.map(|(kind, path)| json!({"type": format!("sentence_transformers.models.{kind}"), "path": path}));
    hub.add("org/large", "modules.json", json!(steps).to_string());
    let (code, said) = run(&place, &server, &["pack", "org/large@v1.0", "-o", "fetched.distil"], false);
    assert_eq!(code, 0, "{said}");
    assert_eq!(hub.downloads().len(), 5);
}

#[test]
fn what_cannot_be_had_is_said_with_the_next_step() {
    let place = embedding();
    let hub = Hub::default();
    let server = hub.start();
    hub.add("org/old", "config.json", "{}");
    hub.add("org/old", "pytorch_model.bin", vec![0]);
    hub.add("org/empty", "README.md", "x");
    hub.add("org/evil", "../../../../evil.txt", "x");
    let mut said = String::new();
    for (name, server, offline) in [
        ("org/small@v2", NOWHERE, false),
        ("org/small@v2", NOWHERE, true),
        ("org/nothing", &server, false),
        ("org/old", &server, false),
        ("org/empty", &server, false),
        ("org/evil", &server, false),
    ] {
        let (code, answer) = run(&place, server, &["pack", name, "-o", "out.distil"], offline);
        said += &format!("## {name}\n{}exit code {code}\n\n", answer.replace(server, "http://SERVER"));
    }
    assert!(!place.path("out.distil").exists());
    insta::assert_snapshot!(said);
}
