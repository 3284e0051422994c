//! Fine-tuning: a task's data, losses and metrics, as a course for the trainer.
//!
//! [`table`] reads files, [`Layout`] knows the columns of GLUE's, [`Data`] holds token ids and targets, [`FinetuneCourse`] turns them into
//! batches and losses, and [`metrics`] judges.

pub mod answers;
pub mod attention;
mod augment;
mod config;
mod course;
mod data;
pub mod entities;
mod examples;
mod figures;
mod layout;
pub mod loss;
pub mod metrics;
mod predict;
pub mod reading;
pub mod table;
pub mod tagging;
mod task;

pub use augment::Augment;
pub use config::{ClassWeights, FinetuneConfig};
pub use course::FinetuneCourse;
pub use data::{Data, Targets};
pub use examples::{Example, Examples, Label};
pub use layout::{Columns, Layout};
pub use predict::predict;
pub use task::Task;
