//! A packed file and its float original on the same data.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::stats::cosine;
use super::{Figure, Measured};

/// Both results and their differences; its JSON.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SideBySide {
    /// The packed file, as a device runs it.
    pub packed: Measured,
    /// The original in float.
    pub float: Measured,
    /// The number that is compared: the task's own.
    pub metric: &'static str,
    /// That of the packed file less that of the original: below 0 where packing lost something.
    pub difference: f64,
    /// The same for every number of the task.
    pub differences: BTreeMap<&'static str, f64>,
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
        let (ours, theirs) = (packed.figures(), float.figures());
        let differences: Vec<(&'static str, f64)> =
            ours.iter().zip(&theirs).map(|(ours, theirs)| (ours.key, ours.value - theirs.value)).collect();
        let (metric, difference) = differences[0];
        let cosines: Vec<f64> = match (packed.embeddings(), float.embeddings()) {
            (Some(packed), Some(float)) => packed.zip(float).map(|(packed, float)| cosine(packed, float)).collect(),
            _ => Vec::new(),
        };
        Self {
            metric,
            difference,
            differences: differences.into_iter().collect(),
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
        let (task, _, count) = self.packed.names();
        let about = format!("{task}, {count}");
        let (ours, theirs) = (self.packed.figures(), self.float.figures());
        let width = ours.iter().map(|figure| figure.title.len()).chain([about.len()]).max().unwrap_or(0);
        write!(f, "{about:<width$} {:>10} {:>10} {:>11}", "packed", "float", "difference")?;
        for (ours, theirs) in ours.iter().zip(&theirs) {
            let Figure { title, percent, .. } = ours;
            let difference = ours.value - theirs.value;
            let difference = match percent {
                true => format!("{:+.2}", difference * 100.0),
                false => format!("{difference:+.4}"),
            };
            write!(f, "\n{title:<width$} {:>10} {:>10} {difference:>11}", ours.to_string(), theirs.to_string())?;
        }
        if let Some((mean, least)) = self.mean_embedding_cosine.zip(self.min_embedding_cosine) {
            write!(f, "\nembeddings, packed and float: mean cosine {mean:.4}, least {least:.4}")?;
        }
        Ok(())
    }
}
