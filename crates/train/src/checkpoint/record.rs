//! `state.json`: the record of a checkpoint, with checksums of the files beside it and of itself.

use super::Identity;
use crate::trainer::State;
use crate::{Error, Result, files};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// Name of the record's file.
pub(super) const FILE: &str = "state.json";

/// Version of the layout.
const VERSION: u32 = 1;

/// Size and checksum of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sum {
    bytes: u64,
    crc32c: u32,
}

/// Everything of a checkpoint that is no tensor. Whole numbers and text alone, so that it reads back bit for bit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    pub(super) version: u32,
    /// Version of the program.
    pub(super) program: String,
    pub(super) state: State,
    pub(super) optimizer_steps: usize,
    /// Length of `metrics.jsonl`.
    pub(super) metrics_bytes: u64,
    pub(super) identity: Identity,
    pub(super) files: BTreeMap<String, Sum>,
}

impl Record {
    /// A record of the files that are in `folder`.
    pub(super) fn new(
        state: State,
        optimizer_steps: usize,
        metrics_bytes: u64,
        identity: Identity,
        folder: &Path,
    ) -> Result<Self> {
        let mut sums = BTreeMap::new();
        for entry in std::fs::read_dir(folder).map_err(|e| Error::io(folder, &e))? {
            let entry = entry.map_err(|e| Error::io(folder, &e))?;
            sums.insert(entry.file_name().to_string_lossy().into_owned(), Sum::of(&files::read(&entry.path())?));
        }
        let program = env!("CARGO_PKG_VERSION").into();
        Ok(Self { version: VERSION, program, state, optimizer_steps, metrics_bytes, identity, files: sums })
    }

    /// Writes `state.json`.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let value = serde_json::to_value(self).map_err(|e| Error::Data(e.to_string()))?;
        let crc32c = crc32c::crc32c(value.to_string().as_bytes());
        let text = format!("{:#}\n", json!({"checkpoint": value, "crc32c": crc32c}));
        files::write(&folder.join(FILE), text.as_bytes())
    }

    /// Reads `state.json` and the files it names, and checks all checksums. `Err` says what is wrong.
    pub(super) fn read(folder: &Path) -> Result<(Self, BTreeMap<String, Vec<u8>>), String> {
        let bytes = std::fs::read(folder.join(FILE)).map_err(|e| format!("{FILE}: {e}"))?;
        let mut file: Value = serde_json::from_slice(&bytes).map_err(|e| format!("{FILE}: {e}"))?;
        let value = file["checkpoint"].take();
        if file["crc32c"].as_u64() != Some(crc32c::crc32c(value.to_string().as_bytes()).into()) {
            return Err(format!("{FILE} does not match its checksum"));
        }
        if value["version"] != VERSION {
            return Err(format!("{FILE} has version {}, this program reads {VERSION}", value["version"]));
        }
        let record: Self = serde_json::from_value(value).map_err(|e| format!("{FILE}: {e}"))?;
        let mut contents = BTreeMap::new();
        for (name, sum) in &record.files {
            let bytes = std::fs::read(folder.join(name)).map_err(|e| format!("{name}: {e}"))?;
            if Sum::of(&bytes) != *sum {
                return Err(format!("{name} does not match its checksum"));
            }
            contents.insert(name.clone(), bytes);
        }
        Ok((record, contents))
    }
}

impl Sum {
    fn of(bytes: &[u8]) -> Self {
        Self { bytes: bytes.len() as u64, crc32c: crc32c::crc32c(bytes) }
    }
}
