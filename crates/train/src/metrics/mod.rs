//! What a run reports: `metrics.jsonl` for programs, TensorBoard event files for curves while it runs, a progress bar for people.

mod file;
mod lines;
mod progress;
mod tensorboard;

pub use file::MetricsFile;
pub use lines::{EvaluationLine, Named, TrainingLine};
pub use progress::Progress;
pub use tensorboard::EventFile;
