//! Quality on labelled data, of a packed file or of the float original: the same code asks both.

pub mod classification;
pub mod entities;
pub mod examples;
pub mod glue;
pub mod mlm;
pub mod scores;
mod side_by_side;
pub mod squad;
pub mod squad_scores;
pub mod stats;
pub mod stsb;
mod subject;
pub mod table;
mod task;
pub mod tokens;

use std::path::{Path, PathBuf};

pub use examples::Named;
pub use glue::Glue;
pub use side_by_side::SideBySide;
pub use subject::Subject;
pub use task::{Figure, Job, Measured, Task, WINDOW};

/// Labelled data.
#[derive(Clone, Debug)]
pub struct Source {
    /// The file.
    pub data: PathBuf,
    /// How many of its first examples to use; all if not given.
    pub limit: Option<usize>,
    /// Columns that the user named.
    pub columns: Named,
}

impl Source {
    fn place(&self) -> (&Path, Option<usize>) {
        (&self.data, self.limit)
    }
}

/// Who is told how far a task is.
#[derive(Clone, Copy)]
pub struct Ticks<'a> {
    /// How many examples there are.
    pub count: &'a (dyn Fn(usize) + Sync),
    /// One of them is done.
    pub done: &'a (dyn Fn() + Sync),
}

impl Ticks<'_> {
    fn start(&self, count: usize) {
        (self.count)(count);
    }

    fn one(&self) {
        (self.done)();
    }
}
