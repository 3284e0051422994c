//! The thresholds of `tools verify`: each is measured, named and held or not.

use serde::Serialize;

use super::Comparison;

/// What a packed file is held to; what is `None` is not asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    /// Least cosine of the hidden states, in every text.
    pub min_cosine: Option<f64>,
    /// Largest relative error of the hidden states, in every text.
    pub max_error: Option<f64>,
    /// Least cosine of the embeddings, in every text.
    pub min_output_cosine: Option<f64>,
    /// Least share of answers with the same best candidate.
    pub min_agreement: Option<f64>,
    /// Largest relative error of a tensor.
    pub max_tensor_error: Option<f64>,
    /// Largest relative error after any layer, in every text.
    pub max_layer_error: Option<f64>,
}

/// One threshold; its JSON.
#[derive(Clone, Debug, PartialEq, Serialize, schemars::JsonSchema)]
pub struct LimitReport {
    /// The option that asked for it.
    pub option: &'static str,
    /// What was asked for.
    pub limit: f64,
    /// What was found.
    pub measured: f64,
    /// Where: a tensor, a layer, or the number of a text from 1; null for what is over all texts.
    pub place: Option<String>,
    /// Whether it holds.
    pub held: bool,
}

impl Limits {
    /// Whether the head has what is asked for: `Err` names the option it has nothing for.
    pub fn suit(&self, comparison: &Comparison) -> Result<(), &'static str> {
        if self.min_agreement.is_some() && comparison.agreement().is_none() {
            return Err("--min-agreement");
        }
        if self.min_output_cosine.is_some() && comparison.min_output_cosine().is_none() {
            return Err("--min-output-cosine");
        }
        Ok(())
    }

    /// Every threshold that was asked for, in the order of the fields.
    pub fn check(&self, comparison: &Comparison) -> Vec<LimitReport> {
        let texts = &comparison.texts;
        let place = |index: usize| format!("text {}", index + 1);
        let cosines = texts.iter().enumerate().map(|(index, text)| (text.hidden_cosine, place(index)));
        let errors = texts.iter().enumerate().map(|(index, text)| (text.hidden_error, place(index)));
        let outputs = texts.iter().enumerate().filter_map(|(index, text)| Some((text.output_cosine()?, place(index))));
        let tensors = comparison.tensors.iter().map(|tensor| (tensor.error.relative, tensor.name.clone()));
        let layers = comparison.layers.iter().map(|layer| (layer.max_error, layer.name.clone()));
        [
            at_least("--min-cosine", self.min_cosine, cosines.min_by(|a, b| a.0.total_cmp(&b.0))),
            at_most("--max-error", self.max_error, errors.max_by(|a, b| a.0.total_cmp(&b.0))),
            at_least("--min-output-cosine", self.min_output_cosine, outputs.min_by(|a, b| a.0.total_cmp(&b.0))),
            self.min_agreement.zip(comparison.agreement()).map(|(limit, measured)| LimitReport {
                option: "--min-agreement",
                limit,
                measured,
                place: None,
                held: measured >= limit,
            }),
            at_most("--max-tensor-error", self.max_tensor_error, tensors.max_by(|a, b| a.0.total_cmp(&b.0))),
            at_most("--max-layer-error", self.max_layer_error, layers.max_by(|a, b| a.0.total_cmp(&b.0))),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

fn at_least(option: &'static str, limit: Option<f64>, worst: Option<(f64, String)>) -> Option<LimitReport> {
    let (limit, (measured, place)) = limit.zip(worst)?;
    Some(LimitReport { option, limit, measured, place: Some(place), held: measured >= limit })
}

fn at_most(option: &'static str, limit: Option<f64>, worst: Option<(f64, String)>) -> Option<LimitReport> {
    let (limit, (measured, place)) = limit.zip(worst)?;
    Some(LimitReport { option, limit, measured, place: Some(place), held: measured <= limit })
}

impl std::fmt::Display for LimitReport {
    /// `--max-error 0.01: 0.0123 (text 2)`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { option, limit, measured, place, .. } = self;
        write!(f, "{option} {limit}: {}", digits(*measured))?;
        place.as_ref().map_or(Ok(()), |place| write!(f, " ({place})"))
    }
}

/// A number with as many digits as tell a cosine near 1, or an error near 0, from its limit.
fn digits(value: f64) -> String {
    if value.abs() < 1e-3 && value != 0.0 { format!("{value:.3e}") } else { format!("{value:.6}") }
}
