//! Distils a BERT teacher into a DistilBERT student: prepares text, pretrains, distils, evaluates.
//!
//! The program `train` is a thin layer over this library: [`data`] turns text into masked batches, [`model`] holds BERT
//! and DistilBERT, [`qat`] the grid of packed files, [`loss`] the objective, [`trainer`] the loop, and [`ops`] the differentiable operations beneath.

pub mod checkpoint;
pub mod cli;
pub mod comm;
#[cfg(feature = "cuda")]
pub mod cuda;
pub mod data;
pub mod device;
pub mod error;
pub mod eval;
pub mod files;
pub mod finetune;
pub mod hub;
pub mod loss;
pub mod metrics;
pub mod model;
pub mod ops;
pub mod optim;
pub mod qat;
pub mod recipe;
pub mod report;
pub mod rng;
pub mod schedule;
pub mod trainer;

pub use error::{Error, Result};
