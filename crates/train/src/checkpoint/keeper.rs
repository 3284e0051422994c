//! Writes checkpoints when they are due, and removes old ones.

use super::record::Record;
use super::{Identity, Store, tensors};
use crate::model::{Model, save};
use crate::optim::AdamW;
use crate::trainer::State;
use crate::{Result, files};
use std::path::PathBuf;
use std::time::Duration;

/// When to write checkpoints and how many to keep.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Steps between checkpoints; 0: steps do not matter.
    pub every: usize,
    /// Time between checkpoints; none: time does not matter.
    pub interval: Option<Duration>,
    /// Newest checkpoints kept, at least 1; the best is kept beside them.
    pub keep: usize,
}

/// Writes the checkpoints of one run.
#[derive(Debug)]
pub struct Keeper {
    /// Where they are.
    pub store: Store,
    /// When to write them.
    pub policy: Policy,
    /// What the run is made of.
    pub identity: Identity,
    /// `vocab.txt` of the student.
    pub vocabulary: Vec<u8>,
    /// Whether text is lower-cased.
    pub lowercase: bool,
}

impl Keeper {
    /// Whether a checkpoint is due after `step` steps, and `since` the last one.
    pub fn is_due(&self, step: usize, since: Duration) -> bool {
        let Policy { every, interval, .. } = self.policy;
        (every > 0 && step.is_multiple_of(every)) || interval.is_some_and(|interval| since >= interval)
    }

    /// Writes a checkpoint, marks it when it is the best, and removes those that are too many. Returns where it is.
    ///
    /// Until the last file is on the disk nothing has its final name, and nothing older is touched.
    ///
    /// # Errors
    /// When the disk is full, say; what was there before is still there.
    pub fn save(&self, student: &Model, optimizer: &AdamW, state: &State, metrics_bytes: u64) -> Result<PathBuf> {
        let store = &self.store;
        files::create_folder(store.folder())?;
        store.remove_partial()?;
        let path = store.path(state.step);
        let temporary = path.with_extension("part");
        self.write(&temporary, student, optimizer, state, metrics_bytes).inspect_err(|_| {
            // The half-written folder is of no use, and may be what fills the disk.
            let _ = files::remove_folder(&temporary);
        })?;
        if path.exists() {
            // A damaged one of the same step.
            files::remove_folder(&path)?;
        }
        files::rename_folder(&temporary, &path)?;
        store.mark_best(state.best.map(|best| best.step))?;
        store.prune(self.policy.keep, state.step)?;
        Ok(path)
    }

    fn write(
        &self,
        folder: &std::path::Path,
        student: &Model,
        optimizer: &AdamW,
        state: &State,
        metrics_bytes: u64,
    ) -> Result<()> {
        save(folder, &student.config, &student.parameters, Some(&self.vocabulary), self.lowercase)?;
        tensors::write_optimizer(&folder.join(tensors::OPTIMIZER), student, optimizer)?;
        let record = Record::new(state.clone(), optimizer.steps(), metrics_bytes, self.identity.clone(), folder)?;
        record.write(folder)?;
        files::sync_folder(folder)
    }
}
