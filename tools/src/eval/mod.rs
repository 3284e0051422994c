//! Quality on labelled data, of a packed file or of the float original: the same code asks both.

pub mod classification;
pub mod mlm;
mod side_by_side;
pub mod squad;
pub mod stats;
pub mod stsb;
mod subject;
mod task;

pub use side_by_side::SideBySide;
pub use subject::Subject;
pub use task::{Job, Measured, Task, WINDOW};
