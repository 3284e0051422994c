//! A packed file and its float original on the same data.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::Measured;
use super::stats::cosine;

/// Both results and their difference; its JSON.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SideBySide {
    /// The packed file, as a device runs it.
    pub packed: Measured,
    /// The original in float.
    pub float: Measured,
    /// The number that is compared: `spearman`, `accuracy` or `exact_match`.
    pub metric: &'static str,
    /// That of the packed file less that of the original: below 0 where packing lost something.
    pub difference: f64,
    /// Mean cosine of the packed and the float embedding of each text; null for tasks without embeddings.
    pub mean_embedding_cosine: Option<f64>,
    /// The least such cosine.
    pub min_embedding_cosine: Option<f64>,
    /// The largest loss that was allowed; null if none was.
    pub max_drop: Option<f64>,
    /// Whether no more was lost than allowed.
    pub passed: bool,
}

impl SideBySide {
    /// Compares two results of the same task on the same data.
    pub fn new(packed: Measured, float: Measured, max_drop: Option<f64>) -> Self {
        let (metric, value) = packed.metric();
        let difference = value - float.metric().1;
        let cosines: Vec<f64> = match (packed.embeddings(), float.embeddings()) {
            (Some(packed), Some(float)) => packed.zip(float).map(|(packed, float)| cosine(packed, float)).collect(),
            _ => Vec::new(),
        };
        Self {
            metric,
            difference,
            mean_embedding_cosine: (!cosines.is_empty()).then(|| cosines.iter().sum::<f64>() / cosines.len() as f64),
            min_embedding_cosine: cosines.iter().copied().reduce(f64::min),
            max_drop,
            // A difference that is no number is not small.
            passed: max_drop.is_none_or(|most| -difference <= most),
            packed,
            float,
        }
    }
}

impl fmt::Display for SideBySide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}", self.packed, self.float)?;
        write!(f, "difference of {}: {:+.4}", self.metric, self.difference)?;
        if let Some((mean, least)) = self.mean_embedding_cosine.zip(self.min_embedding_cosine) {
            write!(f, "\nembeddings, packed and float: mean cosine {mean:.4}, least {least:.4}")?;
        }
        Ok(())
    }
}
