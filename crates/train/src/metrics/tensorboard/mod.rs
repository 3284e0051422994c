//! TensorBoard event files: `RUN/tensorboard/events.out.tfevents.<seconds>.<host>.distil`.

mod protobuf;
mod record;
mod scalars;

use crate::{Error, Result, files};
use protobuf::{Event, What};
use serde_json::Value;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Ends the name of every event file written here; others in the folder are left alone.
const SUFFIX: &str = ".distil";
const PREFIX: &str = "events.out.tfevents.";

/// One event file, written record by record.
#[derive(Debug)]
pub struct EventFile {
    path: PathBuf,
    file: File,
}

impl EventFile {
    /// Starts a run in `folder`: event files of an earlier run there are removed.
    pub fn create(folder: &Path) -> Result<Self> {
        files::create_folder(folder)?;
        for path in event_files(folder)? {
            std::fs::remove_file(&path).map_err(|e| Error::io(&path, &e))?;
        }
        Self::open(folder, 0)
    }

    /// Continues a run that was cut after `steps` optimizer steps, in a new file. Its first event makes TensorBoard forget
    /// what earlier files say about later steps, so none is shown twice.
    pub fn resume(folder: &Path, steps: usize) -> Result<Self> {
        files::create_folder(folder)?;
        Self::open(folder, steps as i64 + 1)
    }

    fn open(folder: &Path, first_step: i64) -> Result<Self> {
        // TensorBoard reads the files of a folder in the order of their names: a new one must come last, even when the clock went back.
        let seconds = now() as u64;
        let newest = event_files(folder)?.iter().filter_map(|path| seconds_of(path)).max();
        let seconds = newest.map_or(seconds, |newest| seconds.max(newest + 1));
        let path = folder.join(format!("{PREFIX}{seconds:010}.{}{SUFFIX}", host()));
        let file = OpenOptions::new().write(true).create_new(true).open(&path).map_err(|e| Error::io(&path, &e))?;
        let mut events = Self { path, file };
        events.append(0, What::FileVersion)?;
        events.append(first_step, What::Start)?;
        Ok(events)
    }

    /// Appends the numbers of one line of `metrics.jsonl`.
    pub(super) fn write(&mut self, line: &Value) -> Result<()> {
        let (step, scalars) = scalars::of(line);
        if scalars.is_empty() { Ok(()) } else { self.append(step, What::Scalars(&scalars)) }
    }

    /// One write a record, so that a reader never waits for a buffer and a kill loses at most the last one.
    fn append(&mut self, step: i64, what: What) -> Result<()> {
        let record = record::frame(&Event { wall_time: now(), step, what }.encode());
        self.file.write_all(&record).map_err(|e| Error::io(&self.path, &e))
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |elapsed| elapsed.as_secs_f64())
}

/// Event files of this program in `folder`.
fn event_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|e| Error::io(folder, &e))? {
        let entry = entry.map_err(|e| Error::io(folder, &e))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(PREFIX) && name.ends_with(SUFFIX) {
            paths.push(entry.path());
        }
    }
    Ok(paths)
}

fn seconds_of(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.strip_prefix(PREFIX)?.split('.').next()?.parse().ok()
}

/// The machine's name, fit for a file name.
fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::env::var("HOSTNAME"));
    let name: String =
        name.unwrap_or_default().trim().chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    if name.is_empty() { "host".into() } else { name }
}

#[cfg(test)]
mod tests {
    use super::record::tests::unframe;
    use super::*;
    use serde_json::json;

    fn records(path: &Path) -> Vec<Vec<u8>> {
        unframe(&std::fs::read(path).unwrap()).into_iter().map(<[u8]>::to_vec).collect()
    }

    #[test]
    fn a_resumed_run_starts_a_later_file_after_its_cut() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = EventFile::create(folder.path()).unwrap();
        first.write(&json!({"step": 10, "loss": 2.0})).unwrap();
        // Within the same second, and so with a clock that stands still.
        let second = EventFile::resume(folder.path(), 10).unwrap();
        assert!(second.path.file_name() > first.path.file_name());
        let of_first = records(&first.path);
        assert_eq!(of_first.len(), 3);
        assert!(of_first[0].ends_with(b"brain.Event:2"));
        // Step 11 (field 2), session log (field 7) of two bytes with status (field 1) START.
        assert_eq!(records(&second.path)[1][9..], [0x10, 11, 0x3a, 2, 0x08, 1]);

        // A run from the start takes the place of both, and touches nothing else.
        std::fs::write(folder.path().join("events.out.tfevents.1.other"), "").unwrap();
        let third = EventFile::create(folder.path()).unwrap();
        assert_eq!(event_files(folder.path()).unwrap(), [third.path]);
        assert!(folder.path().join("events.out.tfevents.1.other").exists());
    }

    #[test]
    fn lines_without_numbers_write_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut events = EventFile::create(folder.path()).unwrap();
        events.write(&json!({"step": 10, "loss": null, "note": "x"})).unwrap();
        assert_eq!(records(&events.path).len(), 2);
    }
}
