//! Calibration: rounds a model so that what it computes on given texts stays near the float model, layer by layer.
//!
//! Each matrix is rounded on inputs that come out of the already rounded part before it, int8 activations included, so
//! that it makes up for the errors before it as well as for its own. The steps of a layer, none of which needs
//! anything of the runtime:
//!
//! 1. what all rows have in common leaves the normalization's output, and outlier channels move inside attention;
//! 2. each matrix is moved towards the one that gives the float model's output with least squares, then rounded with
//!    error compensation;
//! 3. its bias makes the mean of each output that of the float model;
//! 4. weight and bias of each normalization are those that give the float model's states with least squares.

mod algebra;
mod inputs;
mod layer;
mod migrate;
mod mixed;
mod rows;
mod shift;

use std::collections::BTreeMap;

use distil_format::{Dtype, Role, RoleKind, TensorId};
use distil_kernels::Kernels;
use half::f16;

use crate::hf::{self, HeadWeights, Linear, Model, Norm};
use crate::pack::{Grid, Migrated, Packing, Rounded, group, round};
use crate::sequence::Sequence;
use inputs::Inputs;
use rows::{Shape, Texts};

pub use mixed::{Choice, choose, sensitivities};

/// How far a matrix moves towards the one that fits the float model's outputs best.
const SHARE: f32 = 0.5;

/// What calibration made of a model.
#[derive(Clone, Debug)]
pub struct Calibrated {
    /// The model with new biases and normalizations. Its matrices and tables are those it had, but for what migrated.
    pub model: Model,
    /// Outlier channels that moved, exactly, to the other end of a product.
    pub migrated: Vec<Migrated>,
    /// Matrices that are rounded already, by role code and layer.
    rounded: BTreeMap<(u8, u32), Rounded>,
}

impl Calibrated {
    /// The integers of a matrix; `None` if each of its values is to be rounded to the nearest.
    pub fn rounded(&self, id: TensorId) -> Option<&Rounded> {
        self.rounded.get(&key(id))
    }
}

fn key(id: TensorId) -> (u8, u32) {
    (id.role as u8, id.layer)
}

/// Steps that [`calibrate`] reports.
pub fn steps(model: &Model) -> usize {
    2 + 6 * model.config.layers
}

/// Calibrates `model` for `packing` on texts (each with its special tokens). `progress` is told how many
/// of the [`steps`] are done.
///
/// Matrices that `packing` stores as float are left as they are. The same input gives the same result on any number of
/// threads.
///
/// # Panics
///
/// If an id or a length is outside the model's tables, or there is no text.
pub fn calibrate(model: &Model, packing: &Packing, texts: &[Sequence], mut progress: impl FnMut(usize)) -> Calibrated {
    assert!(texts.iter().any(|text| !text.is_empty()), "calibration needs text");
    let config = &model.config;
    let mut run = Run {
        kernels: Kernels::detect(),
        shape: Shape { width: config.hidden, head: config.hidden / config.heads },
        eps: config.layer_norm_eps,
        texts: Texts { sequences: texts },
        packing,
        out: Calibrated { model: model.clone(), migrated: Vec::new(), rounded: BTreeMap::new() },
        done: 0,
        progress: &mut progress,
    };
    let mut states = run.embeddings(model);
    run.tick();
    for index in 0..config.layers {
        states = run.layer(&model.weights.layers[index], index, states);
    }
    run.head(&model.weights.head, &states);
    run.tick();
    run.out
}

/// Hidden states of all texts, `[tokens][width]`: in float, and in the rounded model.
struct States {
    float: Vec<f32>,
    packed: Vec<f32>,
}

/// A calibration under way.
struct Run<'a> {
    kernels: Kernels,
    shape: Shape,
    eps: f32,
    texts: Texts<'a>,
    packing: &'a Packing,
    out: Calibrated,
    done: usize,
    progress: &'a mut dyn FnMut(usize),
}

impl Run<'_> {
    fn tick(&mut self) {
        self.done += 1;
        (self.progress)(self.done);
    }

    /// Rounds the tables to the nearest and fits the normalization after them.
    fn embeddings(&mut self, model: &Model) -> States {
        let weights = &model.weights;
        let table = |role, table: &hf::Tensor| match self.packing.dtype(TensorId { role, layer: 0 }) {
            Dtype::F32 | Dtype::F16 => table.data.clone(),
            dtype => round(table, dtype, None).dense(table.cols, group(dtype)),
        };
        let sums = |word: &[f32], position: &[f32]| {
            self.standardized(self.texts.embedded(word, position, weights.token_type.as_ref(), self.shape.width))
        };
        let float = sums(&weights.word.data, &weights.position.data);
        let packed =
            sums(&table(Role::WordEmbedding, &weights.word), &table(Role::PositionEmbedding, &weights.position));
        let float = rows::scaled(&float, &weights.norm.weight.data, &weights.norm.bias.data);
        let packed = self.fit_norm(&packed, &float, |model| &mut model.weights.norm);
        States { float, packed }
    }

    fn standardized(&self, rows: Vec<f32>) -> Vec<f32> {
        rows::standardized(self.kernels, rows, self.shape.width, self.eps)
    }

    /// Chooses weight and bias of a normalization: by column, those that bring `rows`, already standardized, to
    /// `target` with the least squared error. Returns what they make of the rows.
    fn fit_norm(&mut self, rows: &[f32], target: &[f32], norm: impl Fn(&mut Model) -> &mut Norm) -> Vec<f32> {
        let width = self.shape.width;
        let (found, wanted) = (algebra::means(rows, width), algebra::means(target, width));
        let mut sums = vec![(0.0f64, 0.0f64); width];
        for (row, target) in rows.chunks_exact(width).zip(target.chunks_exact(width)) {
            for (col, sums) in sums.iter_mut().enumerate() {
                let off = f64::from(row[col] - found[col]);
                sums.0 += off * off;
                sums.1 += off * f64::from(target[col] - wanted[col]);
            }
        }
        let norm = norm(&mut self.out.model);
        for (col, (square, product)) in sums.into_iter().enumerate() {
            if square > 0.0 {
                norm.weight.data[col] = (product / square) as f32;
            }
            norm.bias.data[col] = wanted[col] - norm.weight.data[col] * found[col];
        }
        rows::scaled(rows, &norm.weight.data, &norm.bias.data)
    }

    /// Rounds a matrix so that `inputs` give `target`, `[tokens][outputs]`, and chooses its bias; returns both as they
    /// will be stored.
    fn fit(&mut self, id: TensorId, linear: &Linear, inputs: &Inputs, target: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let dtype = self.packing.dtype(id);
        let cols = linear.weight.cols;
        let dense = if dtype == Dtype::F32 {
            linear.weight.data.clone()
        } else {
            let data = inputs.fitted(&linear.weight.data, target, SHARE);
            let moved = hf::Tensor { data, name: String::new(), ..linear.weight };
            let mut rounded = round(&moved, dtype, Some(&inputs.variances));
            inputs.round(&moved.data, &mut rounded, (group(dtype), Grid::of(dtype)));
            let dense = rounded.dense(cols, group(dtype));
            self.out.rounded.insert(key(id), rounded);
            dense
        };
        let bias = halves(inputs.bias(&dense, target));
        (dense, bias)
    }

    /// Statistics of what a matrix reads, for the rounding that most matrices get.
    fn inputs(&self, rows: Vec<f32>, width: usize) -> Inputs {
        Inputs::new(rows, width, Grid::of(self.packing.storage.weights))
    }

    /// The matrices of a head that read all hidden states, or those of the first tokens.
    fn head(&mut self, head: &HeadWeights, states: &States) {
        let width = self.shape.width;
        let (role, linear, first) = match head {
            HeadWeights::MaskedLm { transform, .. } => (Role::MlmTransform, transform, false),
            HeadWeights::SequenceClassification { pre, .. } => (Role::PreClassifier, pre, true),
            HeadWeights::TokenClassification { classifier } => (Role::Classifier, classifier, false),
            HeadWeights::QuestionAnswering { span } => (Role::Span, span, false),
            HeadWeights::Embedding => return,
        };
        let pick = |rows: &[f32]| {
            let mut starts = Vec::new();
            let mut at = 0;
            for sequence in self.texts.sequences {
                starts.extend_from_slice(&rows[at * width..(at + 1) * width]);
                at += sequence.len();
            }
            if first { starts } else { rows.to_vec() }
        };
        let inputs = self.inputs(rows::rounded(&pick(&states.packed), width), width);
        let target = rows::linear(&pick(&states.float), &linear.weight.data, &linear.bias.data);
        let (_, bias) = self.fit(TensorId { role, layer: 0 }, linear, &inputs, &target);
        match &mut self.out.model.weights.head {
            HeadWeights::MaskedLm { transform: linear, .. }
            | HeadWeights::SequenceClassification { pre: linear, .. }
            | HeadWeights::TokenClassification { classifier: linear }
            | HeadWeights::QuestionAnswering { span: linear } => linear.bias.data = bias,
            HeadWeights::Embedding => {}
        }
    }
}

/// Biases as the file has them: in half precision if that holds them all.
fn halves(bias: Vec<f32>) -> Vec<f32> {
    let rounded: Vec<f32> = bias.iter().map(|&value| f16::from_f32(value).to_f32()).collect();
    if rounded.iter().all(|value| value.is_finite()) { rounded } else { bias }
}

/// Whether calibration can choose the storage of this tensor.
fn is_weights(id: TensorId) -> bool {
    id.role.kind() == RoleKind::Matrix || matches!(id.role, Role::WordEmbedding | Role::PositionEmbedding)
}
