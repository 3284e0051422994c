//! What a run reports: `metrics.jsonl` for programs, a progress bar for people.

mod file;
mod lines;
mod progress;

pub use file::MetricsFile;
pub use lines::{EvaluationLine, TrainingLine};
pub use progress::Progress;
