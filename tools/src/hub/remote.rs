//! One repository: its list of files from the server, or from the cache when there is no server.

use std::env;

use std::path::{Component, Path, PathBuf};

use hf_hub::api::sync::{Api, ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Cache, CacheRepo};

use super::id::Id;
use crate::error::Error;
use crate::progress;

/// A repository at one commit.
pub(super) struct Remote {
    id: Id,
    cache: CacheRepo,
    /// None: only what is cached.
    repository: Option<ApiRepo>,
    files: Vec<String>,
    /// Why the server is not asked.
    offline: String,
}

/// What a request came to.
enum Failed {
    /// The server answered with this status.
    Status(u16),
    /// No answer, or none that makes sense.
    Other(String),
}

impl Remote {
    /// Asks for the files of a repository; falls back to the cache when there is no answer.
    pub(super) fn open(id: &Id) -> Result<Self, Error> {
        let cache = env::var_os("HF_HUB_CACHE").map_or_else(Cache::from_env, |path| Cache::new(path.into()));
        let cached = |offline: String| {
            let cache = cache.repo(id.repository(None));
            let files = cached_files(&cache, id, &offline)?;
            Ok(Self { id: id.clone(), cache, repository: None, files, offline })
        };
        if is_set("HF_HUB_OFFLINE") {
            return cached("HF_HUB_OFFLINE is set".into());
        }
        let endpoint = env::var("HF_ENDPOINT").unwrap_or_else(|_| "https://huggingface.co".into());
        let server = endpoint.trim_end_matches('/').to_string();
        let unreachable = |reason: &str| format!("{server} cannot be reached ({reason})");
        let api = match api(&cache, &server) {
            Ok(api) => api,
            Err(error) => return cached(unreachable(&error.to_string())),
        };
        let info = match api.repo(id.repository(None)).info() {
            Ok(info) => info,
            Err(error) => {
                return match failed(error) {
                    Failed::Status(status @ (401 | 403 | 404)) => Err(refused(id, &server, status)),
                    // A server in trouble is as good as none.
                    Failed::Status(status) => cached(unreachable(&format!("status {status}"))),
                    Failed::Other(reason) => cached(unreachable(&reason)),
                };
            }
        };
        let sound = info.sha.len() >= 7 && info.sha.bytes().all(|b| b.is_ascii_hexdigit());
        let files: Vec<String> = info.siblings.into_iter().map(|file| file.rfilename).collect();
        // Names become paths in the cache: none may lead out of it.
        if let Some(file) = files.iter().find(|file| !is_inside(file)).filter(|_| sound) {
            let message = format!("{}: the server names a file `{file}`", id.text());
            return Err(Error::usage(message, "do not use this server"));
        }
        if !sound {
            return cached(unreachable("its answer makes no sense"));
        }
        // From here on this one commit, so that all files belong together. The name of the branch is kept for when there
        // is no server.
        let pinned = id.repository(Some(&info.sha));
        // The cache may be read-only: then the files are found or not.
        let _ = cache.repo(id.repository(None)).create_ref(&info.sha);
        let offline = server;
        Ok(Self {
            id: id.clone(),
            cache: cache.repo(pinned.clone()),
            repository: Some(api.repo(pinned)),
            files,
            offline,
        })
    }

    /// Whether it has a file of this name.
    pub(super) fn has(&self, file: &str) -> bool {
        self.files.iter().any(|name| name == file)
    }

    /// A file's path in the cache, downloaded unless it is there.
    pub(super) fn get(&self, file: &str) -> Result<PathBuf, Error> {
        if let Some(path) = self.cache.get(file) {
            return Ok(path);
        }
        let Some(repository) = &self.repository else {
            return Err(missing(&self.id, file, &self.offline));
        };
        if !progress::may_draw() {
            eprintln!("downloading {file} of {}", self.id.text());
        }
        repository.download(file).map_err(|error| match failed(error) {
            Failed::Status(status @ (401 | 403)) => refused(&self.id, &self.offline, status),
            Failed::Status(status) => missing(&self.id, file, &format!("{} says status {status}", self.offline)),
            Failed::Other(reason) => missing(&self.id, file, &format!("{} failed ({reason})", self.offline)),
        })
    }
}

fn api(cache: &Cache, server: &str) -> Result<Api, ApiError> {
    let builder = ApiBuilder::from_cache(cache.clone())
        .with_endpoint(server.into())
        .with_retries(3)
        .with_progress(progress::may_draw());
    match env::var("HF_TOKEN") {
        Ok(token) if !token.trim().is_empty() => builder.with_token(Some(token.trim().into())),
        _ => builder,
    }
    .build()
}

fn is_set(variable: &str) -> bool {
    let off = ["", "0", "off", "no", "false"];
    env::var(variable).is_ok_and(|value| !off.contains(&value.trim().to_ascii_lowercase().as_str()))
}

fn is_inside(file: &str) -> bool {
    !file.is_empty() && !file.contains('\\') && Path::new(file).components().all(|c| matches!(c, Component::Normal(_)))
}

/// What the cache holds of a repository at the commit it last had.
fn cached_files(cache: &CacheRepo, id: &Id, offline: &str) -> Result<Vec<String>, Error> {
    fn walk(root: &Path, folder: &Path, files: &mut Vec<String>) {
        // What cannot be listed is not there.
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(root, &path, files);
            } else if let Some(name) = path.strip_prefix(root).ok().and_then(Path::to_str) {
                files.push(name.to_string());
            }
        }
    }
    // The folder itself is what the empty name leads to.
    let root = cache.get("").ok_or_else(|| missing(id, "", offline))?;
    let mut files = Vec::new();
    walk(&root, &root, &mut files);
    if files.is_empty() { Err(missing(id, "", offline)) } else { Ok(files) }
}

fn failed(error: ApiError) -> Failed {
    let error = match error {
        ApiError::TooManyRetries(error) => *error,
        error => error,
    };
    match error {
        ApiError::RequestError(error) => {
            // Without the address it begins with.
            let text = error.to_string();
            let text = text.split_once(": ").map_or(text.as_str(), |(_, reason)| reason).to_string();
            match error.into_response() {
                Some(response) => Failed::Status(response.status()),
                None => Failed::Other(text),
            }
        }
        error => Failed::Other(error.to_string()),
    }
}

/// The server does not let us have it.
fn refused(id: &Id, server: &str, status: u16) -> Error {
    let (reason, next) = match status {
        // The hub also answers 401 for what does not exist, so as not to say which names do.
        404 | 401 => (
            "no such file or folder here, and no such repository there, or it is private",
            "check the name; for a private or gated one set HF_TOKEN",
        ),
        _ => ("access is denied", "accept the conditions on its page and set HF_TOKEN"),
    };
    Error::usage(format!("{}: {reason} (asked {server}, status {status})", id.text()), next)
}

/// Not in the cache, and nobody to ask.
fn missing(id: &Id, file: &str, why: &str) -> Error {
    let what = match file {
        "" => "no such file or folder here, and not in the cache of the Hugging Face hub".to_string(),
        file => format!("{file} is not in the cache of the Hugging Face hub"),
    };
    let next = format!("on a machine with network run `{}`, copy FOLDER here and name it instead", id.download());
    Error::usage(format!("{}: {what}, and {why}", id.text()), next)
}
