//! The folder with a run's checkpoints.

use super::record::Record;
use super::{Identity, tensors};
use crate::comm::Group;
use crate::model::Model;
use crate::optim::AdamW;
use crate::trainer::State;
use crate::{Error, Result, files};
use std::path::{Path, PathBuf};

/// Marks the best checkpoint.
const BEST: &str = "best";

/// `RUN/checkpoints`.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
}

/// A complete checkpoint, in memory.
#[derive(Debug)]
pub struct Checkpoint {
    /// Where it is.
    pub path: PathBuf,
    /// Length of `metrics.jsonl` when it was written.
    pub metrics_bytes: u64,
    record: Record,
    model: Vec<u8>,
    optimizer: Vec<u8>,
}

impl Store {
    /// Of a run folder.
    pub fn of(run: &Path) -> Self {
        Self { folder: run.join("checkpoints") }
    }

    /// The folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Place of the checkpoint after `step` steps.
    pub(super) fn path(&self, step: usize) -> PathBuf {
        self.folder.join(format!("step-{step:08}"))
    }

    /// Steps of all checkpoints, oldest first; whether they are complete is not looked at.
    pub fn steps(&self) -> Result<Vec<usize>> {
        let mut steps = vec![];
        for name in self.names()? {
            steps.extend(name.strip_prefix("step-").and_then(|digits| digits.parse::<usize>().ok()));
        }
        steps.sort_unstable();
        Ok(steps)
    }

    fn names(&self) -> Result<Vec<String>> {
        let wrong = |e| Error::io(&self.folder, &e);
        match std::fs::read_dir(&self.folder) {
            Ok(entries) => {
                entries.map(|entry| Ok(entry.map_err(wrong)?.file_name().to_string_lossy().into_owned())).collect()
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(vec![]),
            Err(e) => Err(wrong(e)),
        }
    }

    /// Removes what a write that was cut short left behind.
    pub(super) fn remove_partial(&self) -> Result<()> {
        for name in self.names()?.iter().filter(|name| name.ends_with(".part")) {
            let path = self.folder.join(name);
            if path.is_dir() {
                files::remove_folder(&path)?;
            }
        }
        Ok(())
    }

    /// Removes everything.
    pub fn clear(&self) -> Result<()> {
        if self.folder.exists() { files::remove_folder(&self.folder) } else { Ok(()) }
    }

    /// Marks the checkpoint after `step` steps, if it is there, as the best.
    pub(super) fn mark_best(&self, step: Option<usize>) -> Result<()> {
        let best = step.map(|step| self.path(step)).filter(|path| path.is_dir());
        let marker = self.folder.join(BEST);
        match best {
            None => files::remove(&marker),
            // Every checkpoint says it again: a kill may have come before the first time.
            Some(path) if self.best().as_ref() == Some(&path) => Ok(()),
            Some(path) => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                files::write(&marker, format!("{name}\n").as_bytes())
            }
        }
    }

    /// The checkpoint that is marked as the best.
    pub fn best(&self) -> Option<PathBuf> {
        let name = std::fs::read_to_string(self.folder.join(BEST)).ok()?;
        let path = self.folder.join(Path::new(name.trim()).file_name()?);
        path.is_dir().then_some(path)
    }

    /// The checkpoint that is marked as the best, which is to be that of step `step`.
    ///
    /// # Errors
    /// When it is gone, damaged or of another step.
    pub fn best_of(&self, step: usize) -> Result<Checkpoint> {
        let path = self.best().filter(|path| *path == self.path(step)).unwrap_or_else(|| self.path(step));
        Checkpoint::read(&path).map_err(|reason| {
            Error::file(&path, format!("the best checkpoint is damaged: {reason}"), "start again with --overwrite")
        })
    }

    /// Removes all but the best and the `keep` newest up to `newest`. Those beyond it are damaged: the run did not go on from them.
    pub(super) fn prune(&self, keep: usize, newest: usize) -> Result<()> {
        let (beyond, good): (Vec<_>, Vec<_>) = self.steps()?.into_iter().partition(|&step| step > newest);
        let old = &good[..good.len().saturating_sub(keep.max(1))];
        let best = self.best();
        for path in beyond.iter().chain(old).map(|&step| self.path(step)) {
            if best.as_ref() != Some(&path) {
                files::remove_folder(&path)?;
            }
        }
        Ok(())
    }

    /// The newest complete checkpoint; damaged ones are passed over, and `note` is told.
    ///
    /// # Errors
    /// When there are checkpoints and none is complete.
    pub fn latest(&self, mut note: impl FnMut(&str)) -> Result<Option<Checkpoint>> {
        let steps = self.steps()?;
        for &step in steps.iter().rev() {
            let path = self.path(step);
            match Checkpoint::read(&path) {
                Ok(checkpoint) => return Ok(Some(checkpoint)),
                Err(reason) => note(&format!("{}: passed over, it is damaged: {reason}", path.display())),
            }
        }
        if steps.is_empty() {
            return Ok(None);
        }
        Err(Error::file(&self.folder, "no checkpoint in it is complete", "start again with --overwrite"))
    }
}

impl Checkpoint {
    fn read(path: &Path) -> Result<Self, String> {
        let (record, mut contents) = Record::read(path)?;
        let mut take = |name: &str| contents.remove(name).ok_or_else(|| format!("no {name}"));
        let (model, optimizer) = (take(tensors::MODEL)?, take(tensors::OPTIMIZER)?);
        Ok(Self { path: path.to_path_buf(), metrics_bytes: record.metrics_bytes, record, model, optimizer })
    }

    /// Hands rank 0's checkpoint to all ranks, so that they need not see its files.
    ///
    /// # Errors
    /// Those of the group.
    pub fn share(found: Option<Self>, group: &dyn Group) -> Result<Option<Self>> {
        let wrong = |e: serde_json::Error| Error::Data(e.to_string());
        let head = found.as_ref().map(|found| (&found.path, &found.record));
        let head = group.broadcast(serde_json::to_vec(&head).map_err(wrong)?)?;
        let head: Option<(PathBuf, Record)> = serde_json::from_slice(&head).map_err(wrong)?;
        let Some((path, record)) = head else {
            return Ok(None);
        };
        let (model, optimizer) = found.map_or((vec![], vec![]), |found| (found.model, found.optimizer));
        let (model, optimizer) = (group.broadcast(model)?, group.broadcast(optimizer)?);
        Ok(Some(Self { path, metrics_bytes: record.metrics_bytes, record, model, optimizer }))
    }

    /// What the run was made of that wrote this.
    pub fn identity(&self) -> &Identity {
        &self.record.identity
    }

    /// Puts the student's tensors back, and nothing else.
    pub fn put_back(&self, student: &Model) -> Result<()> {
        tensors::restore_model(&self.model, student)
            .map_err(|reason| Error::file(&self.path, reason, "start again with --overwrite"))
    }

    /// Puts the tensors back and returns the counters.
    ///
    /// # Errors
    /// When the run that wrote this was made of something else than `identity`, with the first difference; or when a tensor does
    /// not fit.
    pub fn restore(&self, identity: &Identity, student: &Model, optimizer: &mut AdamW) -> Result<State> {
        if let Some(difference) = identity.difference(&self.record.identity) {
            return Err(Error::file(
                &self.path,
                format!("it belongs to another run: {difference}"),
                "resume with the same options and files, or start again with --overwrite",
            ));
        }
        tensors::restore(&self.model, &self.optimizer, student, optimizer, self.record.optimizer_steps)
            .map_err(|reason| Error::file(&self.path, reason, "start again with --overwrite"))?;
        Ok(self.record.state.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(steps: &[usize]) -> (tempfile::TempDir, Store) {
        let run = tempfile::tempdir().unwrap();
        let store = Store::of(run.path());
        steps.iter().for_each(|&step| files::create_folder(&store.path(step)).unwrap());
        (run, store)
    }

    #[test]
    fn the_newest_and_the_best_stay_and_the_damaged_go() {
        let (_run, store) = store(&[5, 10, 15, 20, 25, 30]);
        store.mark_best(Some(10)).unwrap();
        // The run went on from 20: what lies beyond was damaged.
        store.prune(2, 20).unwrap();
        assert_eq!(store.steps().unwrap(), [10, 15, 20]);
        assert_eq!(store.best(), Some(store.path(10)));
        store.prune(1, 20).unwrap();
        assert_eq!(store.steps().unwrap(), [10, 20]);
        // Nothing is left behind under another name.
        assert_eq!(std::fs::read_dir(&store.folder).unwrap().count(), 3);
    }

    #[test]
    fn the_mark_follows_what_is_known_to_be_best() {
        let (_run, store) = store(&[1, 2]);
        store.mark_best(Some(1)).unwrap();
        store.mark_best(Some(2)).unwrap();
        assert_eq!(store.best(), Some(store.path(2)));
        // The best is no more, or was of another course of the run.
        store.mark_best(Some(7)).unwrap();
        assert_eq!(store.best(), None);
        store.mark_best(None).unwrap();
        std::fs::write(store.folder.join(BEST), "../../elsewhere\n").unwrap();
        assert_eq!(store.best(), None);
    }

    #[test]
    fn partial_ones_are_neither_found_nor_kept() {
        let (run, store) = store(&[]);
        assert_eq!(Store::of(&run.path().join("nowhere")).steps().unwrap(), [0; 0]);
        assert!(store.latest(|_| {}).unwrap().is_none());
        for name in ["step-00000003.part", "step-00000004.old.part", "other"] {
            files::create_folder(&store.folder.join(name)).unwrap();
        }
        assert_eq!(store.steps().unwrap(), [0; 0]);
        store.remove_partial().unwrap();
        let names = store.names().unwrap();
        assert_eq!(names, ["other"]);
    }
}
