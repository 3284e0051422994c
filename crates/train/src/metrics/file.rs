//! `metrics.jsonl`: one JSON object a line, and the same numbers for TensorBoard.

use super::EventFile;
use crate::{Error, Result};
use serde::Serialize;
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Writes lines as they come.
#[derive(Debug)]
pub struct MetricsFile {
    path: PathBuf,
    file: File,
    events: Option<EventFile>,
}

impl MetricsFile {
    /// Starts an empty file.
    pub fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).map_err(|e| Error::io(path, &e))?;
        Ok(Self { path: path.to_path_buf(), file, events: None })
    }

    /// Goes on with a file that had `bytes` bytes: lines that were written after that are cut off.
    pub fn resume(path: &Path, bytes: u64) -> Result<Self> {
        let open = || {
            let mut file = File::options().write(true).create(true).truncate(false).open(path)?;
            let length = file.metadata()?.len();
            file.set_len(length.min(bytes))?;
            file.seek(SeekFrom::End(0))?;
            Ok(file)
        };
        let file = open().map_err(|e| Error::io(path, &e))?;
        Ok(Self { path: path.to_path_buf(), file, events: None })
    }

    /// Waits until all lines are on the disk and returns the length of the file in bytes.
    pub fn sync(&self) -> Result<u64> {
        let length = || {
            self.file.sync_all()?;
            Ok(self.file.metadata()?.len())
        };
        length().map_err(|e| Error::io(&self.path, &e))
    }

    /// Writes the numbers of every line to a TensorBoard event file too.
    pub fn with_events(self, events: EventFile) -> Self {
        Self { events: Some(events), ..self }
    }

    /// Appends one JSON line.
    pub fn write(&mut self, line: &impl Serialize) -> Result<()> {
        let wrong = |e: serde_json::Error| Error::Data(e.to_string());
        let mut text = serde_json::to_string(line).map_err(wrong)?;
        text.push('\n');
        self.file.write_all(text.as_bytes()).map_err(|e| Error::io(&self.path, &e))?;
        match &mut self.events {
            Some(events) => events.write(&serde_json::to_value(line).map_err(wrong)?),
            None => Ok(()),
        }
    }
}
