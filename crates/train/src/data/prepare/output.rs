//! The folder that is written: complete, or as it was before.

use crate::{Error, Result, files};
use std::fs;
use std::path::{Path, PathBuf};

/// Shards in the making, in a folder within the data folder; removed unless published.
#[derive(Debug)]
pub(super) struct Output {
    out: PathBuf,
    part: PathBuf,
    /// Whether the data folder itself was not there before.
    new: bool,
}

impl Output {
    /// Makes the folders; what an earlier run left behind when it was killed is removed.
    pub(super) fn create(out: &Path) -> Result<Self> {
        let new = !out.exists();
        let part = out.join("prepare.part");
        if part.exists() {
            fs::remove_dir_all(&part).map_err(|e| Error::io(&part, &e))?;
        }
        files::create_folder(&part)?;
        Ok(Self { out: out.to_path_buf(), part, new })
    }

    /// Where to write.
    pub(super) fn folder(&self) -> &Path {
        &self.part
    }

    /// Puts everything in its place, the index last: without one a folder is incomplete.
    pub(super) fn publish(self, index: &[u8]) -> Result<()> {
        let path = self.out.join("index.json");
        if path.exists() {
            fs::remove_file(&path).map_err(|e| Error::io(&path, &e))?;
        }
        for name in names(&self.out)?.iter().filter(|name| is_shard(name)) {
            let old = self.out.join(name);
            fs::remove_file(&old).map_err(|e| Error::io(&old, &e))?;
        }
        for name in names(&self.part)? {
            let new = self.out.join(&name);
            fs::rename(self.part.join(&name), &new).map_err(|e| Error::io(&new, &e))?;
        }
        files::write(&path, index)
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        // After a failure that has been reported, or empty: nothing to add if it cannot be removed.
        let _ = fs::remove_dir_all(&self.part);
        if self.new && !self.out.join("index.json").exists() {
            // Only when it is empty.
            let _ = fs::remove_dir(&self.out);
        }
    }
}

fn names(folder: &Path) -> Result<Vec<String>> {
    let fail = |e: std::io::Error| Error::io(folder, &e);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(fail)? {
        names.push(entry.map_err(fail)?.file_name().to_string_lossy().into_owned());
    }
    Ok(names)
}

/// Whether a file of this name is one that `prepare` writes.
fn is_shard(name: &str) -> bool {
    let number = name.strip_prefix("train-").or(name.strip_prefix("held-out-"));
    let number = number.and_then(|rest| rest.strip_suffix(".bin"));
    number.is_some_and(|number| number.len() >= 5 && number.bytes().all(|b| b.is_ascii_digit()))
}
