//! Distils a BERT teacher into a DistilBERT student.

pub mod cli;
pub mod data;
pub mod error;
pub mod files;
pub mod loss;
pub mod model;
pub mod ops;
pub mod rng;

pub use error::{Error, Result};
