//! Quantization-aware training: the forward pass takes the values that a packed file will hold, gradients go straight
//! through to the float32 parameters.
//!
//! What is trained is then what is packed. The arithmetic of the packed file is written down here a second time, because
//! training and device code depend on each other only through folders: [`int8`] and [`int4`] for weights, `activations`
//! for rows that are quantized on the fly, [`attention()`] for queries, keys, values and probabilities. Tests of the
//! workspace hold it against what the packer writes, bit for bit. `docs/quantization-aware.md` states it in formulas.

mod activations;
mod attention;
mod grid;
pub mod int4;
pub mod int8;
mod parameter;
mod straight;

pub use activations::{round_row, round_rows};
pub use attention::attention;
pub use grid::Grid;
pub use parameter::Parameter;
pub use straight::straight;

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// How a matrix or table is stored in a packed file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Storage {
    /// 8 bits a weight, a scale for each row
    Int8,
    /// 4 bits a weight, a factor for each group of a row, a scale for each row
    Int4,
}

/// The packed file that is trained for, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QatConfig {
    /// Storage of the matrices.
    pub weights: Storage,
    /// Storage of the word and position tables.
    pub embeddings: Storage,
    /// Weights that share a factor in int4: 32 or 64.
    pub group: usize,
    /// Share of the steps that come before the grid: 0 trains on it from the first step.
    pub start: f64,
    /// Steps between searches for the scales and factors of int4; in between, weights are rounded to the last ones found.
    pub refresh: usize,
}

impl QatConfig {
    /// The grid of a file packed with these options and no others.
    pub fn packed(weights: Storage) -> Self {
        Self { weights, embeddings: weights, group: 32, start: 0.8, refresh: 1 }
    }

    /// Fails on values that no packed file has.
    pub fn check(&self) -> Result<()> {
        let wrong = |message: String| Err(Error::Config(message));
        if ![32, 64].contains(&self.group) {
            return wrong(format!("--qat-group is {}; give 32 or 64", self.group));
        }
        if !(0.0..1.0).contains(&self.start) {
            return wrong(format!("--qat-start is {}; give a share of the steps, from 0 to below 1", self.start));
        }
        if self.refresh == 0 {
            return wrong("--qat-refresh is 0; give a number of steps, at least 1".into());
        }
        Ok(())
    }

    /// The first of `total` steps (counted from 1) that is taken on the grid.
    pub fn first_step(&self, total: usize) -> usize {
        // A share like 0.8 of 400 must not become 321 for the last bit of a product.
        let before = (self.start * total as f64 + 1e-9).floor() as usize;
        before.min(total.saturating_sub(1)) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grid_starts_after_its_share_of_the_steps() {
        let first = |start, total| QatConfig { start, ..QatConfig::packed(Storage::Int4) }.first_step(total);
        assert_eq!((first(0.0, 10), first(0.8, 400), first(0.8, 10), first(0.75, 10)), (1, 321, 9, 8));
        // However short the run, its last step is on the grid.
        assert_eq!((first(0.99, 1), first(0.999_999, 3)), (1, 3));
    }

    #[test]
    fn impossible_grids_are_refused() {
        let good = QatConfig::packed(Storage::Int8);
        good.check().unwrap();
        for (bad, word) in [
            (QatConfig { group: 48, ..good.clone() }, "--qat-group"),
            (QatConfig { start: 1.0, ..good.clone() }, "--qat-start"),
            (QatConfig { start: f64::NAN, ..good.clone() }, "--qat-start"),
            (QatConfig { refresh: 0, ..good }, "--qat-refresh"),
        ] {
            assert!(bad.check().unwrap_err().to_string().contains(word));
        }
    }
}
