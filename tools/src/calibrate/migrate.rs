//! Outlier channels inside attention, whose int8 rows have one step for all channels of a head or of a token.
//!
//! A score is a sum over channels of query times key, and the projection's output a sum over channels of value times
//! weight: a power of two taken from one factor and given to the other changes nothing in float (the idea is that of
//! SmoothQuant, Xiao et al. 2023). Elsewhere in a layer nothing can be moved exactly: the outputs of normalizations are
//! summands, too, and GELU is not linear.

use std::borrow::Cow;

use distil_format::{Role, TensorId};

use super::Run;
use super::algebra::means;
use super::rows::{Activations, Shape, linear};
use crate::hf::{Layer, Tensor};
use crate::pack::{Activation, MOST_HALVINGS, Migrated};

/// A channel is an outlier if it is this many times as large as the median of those it shares its step with.
const LIMIT: f32 = 8.0;

/// What the float model does in the attention of a layer.
pub(super) struct Attention<'a> {
    /// The layer with its outlier channels moved.
    pub(super) layer: Cow<'a, Layer>,
    /// Queries, keys and values of that layer, `[tokens][width]`.
    pub(super) made: [Vec<f32>; 3],
    /// What is added to the hidden states.
    pub(super) added: Vec<f32>,
}

impl Run<'_> {
    /// Attention of layer `index` on the hidden states `x`; moves its outlier channels, in the calibrated model, too.
    pub(super) fn attention<'a>(&mut self, layer: &'a Layer, index: usize, x: &[f32]) -> Attention<'a> {
        let through =
            |layer: &Layer| [&layer.query, &layer.key, &layer.value].map(|l| linear(x, &l.weight.data, &l.bias.data));
        let made = through(layer);
        let [query, key, value] = &made;
        let context = self.texts.attention(self.kernels, self.shape, Activations::Float, [query, key, value]);
        let output = &layer.attention_output;
        let added = linear(&context, &output.weight.data, &output.bias.data);
        let found = outliers(index as u32, self.shape, [query, key, &context], &output.weight);
        if found.is_empty() {
            return Attention { layer: Cow::Borrowed(layer), made, added };
        }
        let layer = migrated(layer, &found);
        self.out.model.weights.layers[index] = migrated(&self.out.model.weights.layers[index], &found);
        self.out.migrated.extend(found);
        Attention { made: through(&layer), layer: Cow::Owned(layer), added }
    }
}

fn migrated(layer: &Layer, channels: &[Migrated]) -> Layer {
    let mut layer = layer.clone();
    for channel in channels {
        for (role, tensor) in [
            (Role::Query, &mut layer.query.weight),
            (Role::QueryBias, &mut layer.query.bias),
            (Role::Key, &mut layer.key.weight),
            (Role::KeyBias, &mut layer.key.bias),
            (Role::Value, &mut layer.value.weight),
            (Role::ValueBias, &mut layer.value.bias),
            (Role::AttentionOutput, &mut layer.attention_output.weight),
        ] {
            channel.apply(TensorId { role, layer: channel.layer }, tensor);
        }
    }
    layer
}

/// The outliers of a layer: `query`, `key` and `context` (values after attention) are `[tokens][width]`, `output` is
/// the projection of the context.
pub(super) fn outliers(layer: u32, shape: Shape, [query, key, context]: [&[f32]; 3], output: &Tensor) -> Vec<Migrated> {
    let zeros = vec![0.0; shape.width];
    let (query, key) = (size(query, &zeros), size(key, &zeros));
    // Constants leave the context by themselves.
    let (context, output) = (size(context, &means(context, shape.width)), size(&output.data, &zeros));
    let mut found = Vec::new();
    let mut add = |from, halvings: Vec<u8>| {
        let channels = halvings.into_iter().zip(0..).filter(|&(halvings, _)| halvings > 0);
        found.extend(channels.map(|(halvings, channel)| Migrated { layer, from, channel, halvings }));
    };
    add(Activation::Query, halvings(&query, &key, shape.head));
    add(Activation::Key, halvings(&key, &query, shape.head));
    add(Activation::Value, halvings(&context, &output, shape.width));
    found
}

/// How often each channel is halved so that none stands out among its `group`, and none of the others that are doubled
/// for it.
fn halvings(sizes: &[f32], others: &[f32], group: usize) -> Vec<u8> {
    let mut found = Vec::with_capacity(sizes.len());
    for (sizes, others) in sizes.chunks_exact(group).zip(others.chunks_exact(group)) {
        let (most, room) = (LIMIT * median(sizes), LIMIT * median(others));
        found.extend(sizes.iter().zip(others).map(|(size, other)| {
            let needed = if most > 0.0 { (size / most).log2().ceil() } else { 0.0 };
            let allowed = (room / other).log2().floor();
            needed.min(allowed).clamp(0.0, f32::from(MOST_HALVINGS)) as u8
        }));
    }
    found
}

fn median(values: &[f32]) -> f32 {
    let mut values = values.to_vec();
    values.sort_unstable_by(f32::total_cmp);
    values[values.len() / 2]
}

/// The root mean square of each column of rows less `centre`.
fn size(rows: &[f32], centre: &[f32]) -> Vec<f32> {
    let mut sums = vec![0.0f64; centre.len()];
    for row in rows.chunks_exact(centre.len()) {
        sums.iter_mut().zip(row.iter().zip(centre)).for_each(|(sum, (x, centre))| {
            *sum += f64::from(x - centre).powi(2);
        });
    }
    let count = (rows.len() / centre.len()) as f64;
    sums.into_iter().map(|sum| (sum / count).sqrt() as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outliers_are_halved_as_far_as_the_other_end_has_room() {
        // Limits are 8 here and 80 there: 100 has to become 6.25, and 4 may become 64, but 30 only 60.
        let sizes = [1.0, 1.0, 100.0, 1.0, 7.9, 0.0, 1.0, 100.0];
        assert_eq!(halvings(&sizes, &[10.0, 10.0, 4.0, 10.0, 10.0, 10.0, 10.0, 30.0], 8), [0, 0, 4, 0, 0, 0, 0, 1]);
        assert_eq!(halvings(&[0.0; 4], &[1.0; 4], 4), [0; 4]);
        assert_eq!(halvings(&[1.0, 1.0, 1e9], &[1.0, 1.0, 0.0], 3), [0, 0, MOST_HALVINGS]);
    }
}
