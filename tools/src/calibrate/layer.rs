//! One layer of calibration.

use distil_format::{Role, TensorId};

use super::migrate::Attention;
use super::rows::{self, Activations, linear, rounded, scaled, sum};
use super::shift::centre;
use super::{Run, States};
use crate::hf::Layer;

impl Run<'_> {
    /// Rounds a layer and returns the hidden states after it.
    pub(super) fn layer(&mut self, float: &Layer, index: usize, states: States) -> States {
        let width = self.shape.width;
        let id = |role| TensorId { role, layer: index as u32 };
        let States { float: x, packed } = states;

        let packed = self.shifted_norm(packed, index.checked_sub(1), false);
        let read = rounded(&packed, width);
        let inputs = self.inputs(read.clone(), width);
        let Attention { layer: float, made: wanted, added } = self.attention(float, index, &x);
        let (query, query_bias) = self.fit(id(Role::Query), &float.query, &inputs, &wanted[0]);
        self.tick();
        let (key, key_bias) = self.fit(id(Role::Key), &float.key, &inputs, &wanted[1]);
        self.tick();
        let (value, mut value_bias) = self.fit(id(Role::Value), &float.value, &inputs, &wanted[2]);
        self.tick();
        drop(inputs);
        let (q, k) = (linear(&read, &query, &query_bias), linear(&read, &key, &key_bias));
        let attend =
            |run: &Self, kind, value: &[f32]| run.texts.attention(run.kernels, run.shape, kind, [&q, &k, value]);
        // The probabilities of a row add up to 1, so a constant goes through them into the next bias.
        let context = attend(self, Activations::Float, &linear(&read, &value, &value_bias));
        value_bias.iter_mut().zip(centre(&context, width)).for_each(|(bias, centre)| *bias -= centre);
        let value_bias = super::halves(value_bias);
        let context = attend(self, Activations::Int8, &linear(&read, &value, &value_bias));
        let out = &mut self.out.model.weights.layers[index];
        (out.query.bias.data, out.key.bias.data, out.value.bias.data) = (query_bias, key_bias, value_bias);

        // Targets of what is added to the states: whatever brings the sum to the float model's.
        let wanted = sum(&x, &added);
        let read = rounded(&context, width);
        let target = less(&wanted, &packed);
        let (weight, bias) =
            self.fit(id(Role::AttentionOutput), &float.attention_output, &self.inputs(read.clone(), width), &target);
        let packed = self.standardized(sum(&packed, &linear(&read, &weight, &bias)));
        self.out.model.weights.layers[index].attention_output.bias.data = bias;
        let norm = &float.attention_norm;
        let y = scaled(&self.standardized(wanted), &norm.weight.data, &norm.bias.data);
        let packed = self.fit_norm(&packed, &y, |model| &mut model.weights.layers[index].attention_norm);
        self.tick();

        let packed = self.shifted_norm(packed, Some(index), true);
        let read = rounded(&packed, width);
        let wanted = linear(&y, &float.feed_forward_in.weight.data, &float.feed_forward_in.bias.data);
        let (weight, bias) =
            self.fit(id(Role::FeedForwardIn), &float.feed_forward_in, &self.inputs(read.clone(), width), &wanted);
        let inner = rows::gelu(self.kernels, linear(&read, &weight, &bias));
        let wide = bias.len();
        self.out.model.weights.layers[index].feed_forward_in.bias.data = bias;
        self.tick();

        // These rows are the widest there are: none of them stays longer than it is needed.
        let between = rows::gelu(self.kernels, wanted);
        let added = linear(&between, &float.feed_forward_out.weight.data, &float.feed_forward_out.bias.data);
        drop(between);
        let wanted = sum(&y, &added);
        let read = rounded(&inner, wide);
        drop(inner);
        let target = less(&wanted, &packed);
        let inputs = self.inputs(read, wide);
        let (weight, bias) = self.fit(id(Role::FeedForwardOut), &float.feed_forward_out, &inputs, &target);
        let made = linear(inputs.rows(), &weight, &bias);
        drop(inputs);
        let packed = self.standardized(sum(&packed, &made));
        self.out.model.weights.layers[index].feed_forward_out.bias.data = bias;
        let norm = &float.output_norm;
        let float = scaled(&self.standardized(wanted), &norm.weight.data, &norm.bias.data);
        let packed = self.fit_norm(&packed, &float, |model| &mut model.weights.layers[index].output_norm);
        self.tick();
        States { float, packed }
    }

    /// Takes what all rows have in common out of a normalization's output: that of the embeddings (`None`), of a
    /// layer's attention, or of its end.
    fn shifted_norm(&mut self, rows: Vec<f32>, layer: Option<usize>, attention: bool) -> Vec<f32> {
        let centre = centre(&rows, self.shape.width);
        let weights = &mut self.out.model.weights;
        let norm = match layer {
            None => &mut weights.norm,
            Some(layer) if attention => &mut weights.layers[layer].attention_norm,
            Some(layer) => &mut weights.layers[layer].output_norm,
        };
        norm.bias.data.iter_mut().zip(&centre).for_each(|(bias, centre)| *bias -= centre);
        let by: Vec<f32> = centre.iter().map(|centre| -centre).collect();
        let mut rows = rows;
        rows.chunks_exact_mut(by.len()).for_each(|row| rows::add(row, &by));
        rows
    }
}

fn less(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}
