//! Which tensors are worth a byte for each weight: each one's effect on the output, measured, and the choice that fits
//! a budget.

use distil_format::{Dtype, Role, TensorId};
use distil_kernels::Kernels;

use super::is_weights;
use super::rows::{self, Activations, Shape, Texts, linear, scaled, sum};
use crate::hf::{Layer, Linear, Model, Norm, Tensor};
use crate::pack::{group, round, source};
use crate::sequence::Sequence;

/// The unit in which sizes are compared.
const UNIT: usize = 1024;

/// A tensor that may be stored in one type or the other.
#[derive(Clone, Debug)]
pub struct Choice {
    /// Which.
    pub id: TensorId,
    /// What int8 takes more than int4, in bytes.
    pub bytes: usize,
    /// What int8 takes off the squared error of the output.
    pub gain: f64,
}

/// Measures for each matrix and table what int4 (in groups as `small` says) instead of int8 does to the hidden states
/// after the last layer on some texts, all else in float: relative squared errors. `wanted` says which tensors are to
/// be looked at; `progress` is told how many were.
pub fn sensitivities(
    model: &Model,
    small: Dtype,
    texts: &[Sequence],
    wanted: impl Fn(TensorId) -> bool,
    mut progress: impl FnMut(usize),
) -> Vec<Choice> {
    let kernels = Kernels::detect();
    let shape = Shape { width: model.config.hidden, head: model.config.hidden / model.config.heads };
    let float = Float { kernels, shape, eps: model.config.layer_norm_eps, texts: &Texts { sequences: texts }, model };
    let mut starts = vec![float.embed(&model.weights.word, &model.weights.position)];
    for layer in &model.weights.layers {
        starts.push(float.layer(layer, &starts[starts.len() - 1]));
    }
    let whole = &starts[starts.len() - 1];
    let mut found = Vec::new();
    for id in candidates(model).filter(|&id| is_weights(id) && wanted(id)) {
        let tensor = source(model, id).expect("a tensor of this model");
        let error = |dtype| relative(&float.with(id, rounded(tensor, dtype), &starts), whole);
        let gain = error(small) - error(Dtype::Int8);
        found.push(Choice { id, bytes: extra_bytes(tensor, small), gain });
        progress(found.len());
    }
    found
}

/// The tensors to be made int8 so that the most error goes for at most `bytes`: the knapsack, solved exactly in units
/// of a kilobyte (sizes rounded up).
pub fn choose(choices: &[Choice], bytes: usize) -> Vec<TensorId> {
    let room = bytes / UNIT;
    // The best gain with the choices so far in each size, and for each choice whether it is taken there.
    let mut best = vec![0.0f64; room + 1];
    let mut taken = Vec::with_capacity(choices.len());
    for choice in choices {
        let size = choice.bytes.div_ceil(UNIT);
        let mut takes = vec![false; room + 1];
        for at in (size..=room).rev() {
            let with = best[at - size] + choice.gain;
            if choice.gain > 0.0 && with > best[at] {
                (best[at], takes[at]) = (with, true);
            }
        }
        taken.push(takes);
    }
    let mut at = room;
    let mut chosen = Vec::new();
    for (choice, takes) in choices.iter().zip(&taken).rev() {
        if takes[at] {
            chosen.push(choice.id);
            at -= choice.bytes.div_ceil(UNIT);
        }
    }
    chosen.reverse();
    chosen
}

/// The tensors of an encoder that may be int4 or int8, in the file's order.
fn candidates(model: &Model) -> impl Iterator<Item = TensorId> {
    let tables = [Role::WordEmbedding, Role::PositionEmbedding].map(|role| TensorId { role, layer: 0 });
    let layers = 0..model.config.layers as u32;
    tables.into_iter().chain(layers.flat_map(|layer| LAYER.map(|role| TensorId { role, layer })))
}

const LAYER: [Role; 6] =
    [Role::Query, Role::Key, Role::Value, Role::AttentionOutput, Role::FeedForwardIn, Role::FeedForwardOut];

/// A row of int8 against one of nibbles and factors, padded to whole tiles and cache lines.
fn extra_bytes(tensor: &Tensor, small: Dtype) -> usize {
    let group = group(small).expect("a type with groups");
    let (rows, cols) = (tensor.rows.next_multiple_of(16), tensor.cols.next_multiple_of(16));
    let nibbles = tensor.rows * (tensor.cols / 2 + tensor.cols.div_ceil(group));
    (rows * cols).saturating_sub(nibbles) + 128
}

fn rounded(tensor: &Tensor, dtype: Dtype) -> Tensor {
    let data = round(tensor, dtype, None).dense(tensor.cols, group(dtype));
    Tensor { data, name: String::new(), ..*tensor }
}

fn relative(found: &[f32], wanted: &[f32]) -> f64 {
    let squares = found.iter().zip(wanted).fold((0.0, 0.0), |(wrong, whole), (&a, &b)| {
        let (a, b) = (f64::from(a), f64::from(b));
        (wrong + (a - b) * (a - b), whole + b * b)
    });
    squares.0 / squares.1.max(f64::MIN_POSITIVE)
}

/// The float model on all texts at once.
struct Float<'a> {
    kernels: Kernels,
    shape: Shape,
    eps: f32,
    texts: &'a Texts<'a>,
    model: &'a Model,
}

impl Float<'_> {
    /// The last hidden states with one tensor replaced; `starts` has the states before each layer.
    fn with(&self, id: TensorId, tensor: Tensor, starts: &[Vec<f32>]) -> Vec<f32> {
        let weights = &self.model.weights;
        let (mut states, mut next) = match id.role {
            Role::WordEmbedding => (self.embed(&tensor, &weights.position), 0),
            Role::PositionEmbedding => (self.embed(&weights.word, &tensor), 0),
            _ => (starts[id.layer as usize].clone(), id.layer as usize),
        };
        if !matches!(id.role, Role::WordEmbedding | Role::PositionEmbedding) {
            let mut layer = weights.layers[next].clone();
            let place: &mut Linear = match id.role {
                Role::Query => &mut layer.query,
                Role::Key => &mut layer.key,
                Role::Value => &mut layer.value,
                Role::AttentionOutput => &mut layer.attention_output,
                Role::FeedForwardIn => &mut layer.feed_forward_in,
                _ => &mut layer.feed_forward_out,
            };
            place.weight = tensor;
            states = self.layer(&layer, &states);
            next += 1;
        }
        weights.layers[next..].iter().fold(states, |states, layer| self.layer(layer, &states))
    }

    fn embed(&self, word: &Tensor, position: &Tensor) -> Vec<f32> {
        let weights = &self.model.weights;
        let states = self.texts.embedded(&word.data, &position.data, weights.token_type.as_ref(), self.shape.width);
        self.normalized(states, &weights.norm)
    }

    fn normalized(&self, states: Vec<f32>, norm: &Norm) -> Vec<f32> {
        let states = rows::standardized(self.kernels, states, self.shape.width, self.eps);
        scaled(&states, &norm.weight.data, &norm.bias.data)
    }

    fn layer(&self, layer: &Layer, x: &[f32]) -> Vec<f32> {
        let through = |x: &[f32], l: &Linear| linear(x, &l.weight.data, &l.bias.data);
        let [q, k, v] = [&layer.query, &layer.key, &layer.value].map(|l| through(x, l));
        let context = self.texts.attention(self.kernels, self.shape, Activations::Float, [&q, &k, &v]);
        let y = self.normalized(sum(x, &through(&context, &layer.attention_output)), &layer.attention_norm);
        let inner = rows::gelu(self.kernels, through(&y, &layer.feed_forward_in));
        self.normalized(sum(&y, &through(&inner, &layer.feed_forward_out)), &layer.output_norm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_choice_is_the_best_of_all() {
        let choice = |layer: u32, kilobytes: usize, gain| Choice {
            id: TensorId { role: Role::Query, layer },
            bytes: kilobytes * UNIT,
            gain,
        };
        let choices: Vec<Choice> = [(3, 4.0), (4, 5.0), (5, 7.5), (2, -1.0), (6, 8.0), (1, 0.5)]
            .into_iter()
            .zip(0..)
            .map(|((size, gain), layer)| choice(layer, size, gain))
            .collect();
        for room in 0..22 {
            let total = |set: u32| {
                let taken = choices.iter().filter(|choice| set >> choice.id.layer & 1 == 1);
                taken.fold((0, 0.0), |(size, gain), choice| (size + choice.bytes / UNIT, gain + choice.gain))
            };
            let best = (0..64).map(total).filter(|(size, _)| *size <= room).map(|(_, gain)| gain).fold(0.0, f64::max);
            let chosen = choose(&choices, room * UNIT + 17);
            let set = chosen.iter().map(|id| 1 << id.layer).sum();
            assert!(total(set).0 <= room && total(set).1 == best, "{room}: {chosen:?}");
        }
    }
}
