//! First values: random weights, and a student made from layers of its teacher.

use super::config::{Architecture, ModelConfig};
use super::names::{Part, Slot, parameter_shapes};
use super::output::Head;
use super::parameters::Parameters;
use crate::rng::{Purpose, normal, stream};
use candle_core::{Device, Result, Tensor};
use std::collections::BTreeMap;

/// Random weights as BERT starts: normal with `initializer_range`, zero biases, unit LayerNorms, zero padding row.
pub fn random(config: &ModelConfig, seed: u64, device: &Device) -> Result<Parameters> {
    Parameters::frozen(config, new_parts(config, seed, device, |_| true)?)
}

/// The same of some parts only: what a model that is trained on has not got yet.
pub fn new_parts(
    config: &ModelConfig,
    seed: u64,
    device: &Device,
    wanted: impl Fn(Part) -> bool,
) -> Result<BTreeMap<String, Tensor>> {
    let mut tensors = BTreeMap::new();
    for (index, (part, slot, name, shape)) in parameter_shapes(config).into_iter().enumerate() {
        if !wanted(part) {
            continue;
        }
        let len = shape.iter().product();
        let mut values = vec![0.0f32; len];
        match slot {
            Slot::Weight if part.is_norm() => values.fill(1.0),
            Slot::Weight => {
                let mut rng = stream(seed, Purpose::Weights, index as u64);
                let scale = config.initializer_range as f32;
                values.iter_mut().for_each(|v| *v = normal(&mut rng) * scale);
                if part == Part::Words {
                    let start = config.pad_id as usize * config.hidden;
                    values.iter_mut().skip(start).take(config.hidden).for_each(|v| *v = 0.0);
                }
            }
            Slot::Bias => {}
        }
        tensors.insert(name, Tensor::from_vec(values, shape, device)?);
    }
    Ok(tensors)
}

/// What a student takes over from its teacher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StudentPlan {
    /// Teacher layer for each student layer.
    pub layers: Vec<usize>,
    /// Whether the dense layer and LayerNorm of the masked-LM head are copied too.
    pub copy_transform: bool,
}

/// Student layers spread evenly over the teacher's, first and last included; 6 of 12 are DistilBERT's 0, 2, 4, 7, 9, 11.
pub fn spread_layers(teacher: usize, student: usize) -> Vec<usize> {
    if student == 1 {
        return vec![0];
    }
    // Half-up rounding of i (teacher - 1) / (student - 1).
    let gaps = student - 1;
    (0..student).map(|i| (2 * i * (teacher - 1) + gaps) / (2 * gaps)).collect()
}

/// A student with the teacher's embeddings, the planned layers, and the tied projection's bias. What is not copied
/// starts at random. Token-type row 0 is folded into the positions: exact for single segments.
pub fn student_from_teacher(
    config: &ModelConfig,
    teacher_config: &ModelConfig,
    teacher: &Parameters,
    plan: &StudentPlan,
    seed: u64,
) -> Result<Parameters> {
    let device = teacher.get(Part::Words, Slot::Weight)?.device().clone();
    // A pooler and a pre-classifier do not do the same: only one of the same kind is taken over.
    let same = config.architecture == teacher_config.architecture;
    let known: Vec<Part> = parameter_shapes(teacher_config).into_iter().map(|(part, ..)| part).collect();
    let copied = |part: Part| match part {
        Part::Transform | Part::TransformNorm => plan.copy_transform && known.contains(&part),
        Part::TokenTypes => teacher_config.type_vocab == config.type_vocab,
        // One of tokens stands on the hidden states themselves.
        Part::Classifier if matches!(config.head, Head::Tokens(_)) => known.contains(&part),
        Part::Pooler | Part::Classifier => same && known.contains(&part),
        Part::Spans | Part::Decoder => known.contains(&part),
        _ => true,
    };
    let fresh = new_parts(config, seed, &device, |part| !copied(part))?;
    let mut tensors = BTreeMap::new();
    for (part, slot, name, _) in parameter_shapes(config) {
        let mut tensor = match fresh.get(&name) {
            Some(tensor) => tensor.clone(),
            None => teacher.get(part.with_layer(|i| plan.layers[i]), slot)?,
        };
        let folds = teacher_config.type_vocab > 0 && config.architecture == Architecture::DistilBert;
        if part == Part::Positions {
            if folds {
                let types = teacher.get(Part::TokenTypes, Slot::Weight)?;
                tensor = tensor.broadcast_add(&types.get(0)?)?;
            }
            tensor = tensor.narrow(0, 0, config.max_positions)?;
        }
        tensors.insert(name, tensor.copy()?);
    }
    Parameters::frozen(config, tensors)
}

impl Part {
    /// The same part of another layer.
    fn with_layer(self, f: impl Fn(usize) -> usize) -> Self {
        match self {
            Self::Query(i) => Self::Query(f(i)),
            Self::Key(i) => Self::Key(f(i)),
            Self::Value(i) => Self::Value(f(i)),
            Self::AttentionOutput(i) => Self::AttentionOutput(f(i)),
            Self::AttentionNorm(i) => Self::AttentionNorm(f(i)),
            Self::FeedForwardIn(i) => Self::FeedForwardIn(f(i)),
            Self::FeedForwardOut(i) => Self::FeedForwardOut(f(i)),
            Self::OutputNorm(i) => Self::OutputNorm(f(i)),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_spread_as_in_distilbert() {
        assert_eq!(spread_layers(12, 6), [0, 2, 4, 7, 9, 11]);
        assert_eq!(spread_layers(4, 2), [0, 3]);
        assert_eq!(spread_layers(6, 3), [0, 3, 5]);
        assert_eq!(spread_layers(3, 3), [0, 1, 2]);
        assert_eq!(spread_layers(12, 1), [0]);
    }
}
