//! `metrics.jsonl`: one JSON object a line, and the same numbers for TensorBoard.

use super::EventFile;
use crate::{Error, Result};
use serde::Serialize;
use std::fs::File;
use std::io::Write;
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
