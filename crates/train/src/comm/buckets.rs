//! Gradients of all ranks added up, a bucket at a time.
//!
//! The gradients of a model are many tensors, most of them small. They are copied into flat buckets, in the order in which the backward
//! pass is through with them, and each bucket is one sum. On GPUs a bucket is summed while the gradients of the next are still computed;
//! in the end the gradients are views into the buckets.

use super::Group;
use crate::Result;
use crate::model::{Model, parameter_shapes};
use crate::optim::Gradients;
use candle_core::backprop::GradStore;
use candle_core::{DType, Tensor, TensorId, Var};
use std::collections::HashMap;
use std::ops::Range;

/// Bytes in a bucket: at this size a link works at nearly its full speed, and what is left when the last one has been packed
/// is little.
const BUCKET_BYTES: usize = 25 << 20;

/// The gradients of a step: added up over the pieces of this rank, then summed over all ranks.
///
/// Every rank starts the same sums in the same order, whenever its gradients are there.
#[derive(Debug)]
pub struct Reduction<'a> {
    group: &'a dyn Group,
    /// From the last layers to the first.
    parameters: Vec<(&'a str, &'a Var)>,
    places: HashMap<TensorId, usize>,
    /// What the pieces gave so far.
    sums: Vec<Option<Tensor>>,
    /// Whether nothing will be added.
    complete: Vec<bool>,
    /// Places that share a bucket.
    buckets: Vec<Range<usize>>,
    /// Buckets whose sum over the ranks has begun.
    begun: Vec<Tensor>,
}

impl<'a> Reduction<'a> {
    /// No gradients yet.
    pub fn new(group: &'a dyn Group, model: &'a Model) -> Self {
        Self::in_buckets(group, model, BUCKET_BYTES)
    }

    fn in_buckets(group: &'a dyn Group, model: &'a Model, bytes: usize) -> Self {
        // The backward pass goes from what is no part of the model to the embeddings.
        let shapes = parameter_shapes(&model.config);
        let forward = |name: &str| shapes.iter().position(|(_, _, known, _)| known == name).unwrap_or(shapes.len());
        let mut parameters: Vec<(&str, &Var)> = model.parameters.trainable().collect();
        parameters.sort_by_key(|(name, _)| std::cmp::Reverse(forward(name)));
        Self {
            places: parameters.iter().enumerate().map(|(i, (_, var))| (var.id(), i)).collect(),
            sums: vec![None; parameters.len()],
            complete: vec![false; parameters.len()],
            buckets: match group.world() {
                1 => vec![],
                _ => fill(&parameters, |(_, var)| var.elem_count() * size_of::<f32>(), bytes),
            },
            begun: vec![],
            group,
            parameters,
        }
    }

    /// Adds what a piece gave; others may follow.
    pub fn add(&mut self, store: &GradStore) -> Result<()> {
        store.get_ids().filter_map(|id| Some((id, store.get_id(*id)?))).try_for_each(|(id, g)| self.add_one(*id, g))
    }

    /// Adds a gradient of the last piece. The sum over all ranks begins as soon as its bucket is full.
    pub fn add_last(&mut self, id: TensorId, gradient: &Tensor) -> Result<()> {
        self.add_one(id, gradient)?;
        if let Some(&place) = self.places.get(&id) {
            self.complete[place] = true;
        }
        while let Some(bucket) = self.buckets.get(self.begun.len()).cloned()
            && self.complete[bucket.clone()].iter().all(|&complete| complete)
        {
            self.begin(bucket)?;
        }
        Ok(())
    }

    /// Whether a gradient of the last piece is in, so that the piece cannot be tried again.
    pub fn is_under_way(&self) -> bool {
        self.complete.contains(&true)
    }

    fn add_one(&mut self, id: TensorId, gradient: &Tensor) -> Result<()> {
        let Some(&place) = self.places.get(&id) else { return Ok(()) };
        let sum = match self.sums[place].take() {
            Some(sum) => (sum + gradient)?,
            None => gradient.clone(),
        };
        self.sums[place] = Some(sum.detach());
        Ok(())
    }

    fn begin(&mut self, bucket: Range<usize>) -> Result<()> {
        let mut flat = Vec::with_capacity(bucket.len());
        for (gradient, (_, var)) in self.sums[bucket.clone()].iter().zip(&self.parameters[bucket]) {
            flat.push(match gradient {
                Some(gradient) => gradient.to_dtype(DType::F32)?.flatten_all()?,
                None => Tensor::zeros(var.elem_count(), DType::F32, var.device())?,
            });
        }
        // A copy even of a single tensor: a gradient may share its memory with another.
        let flat = if let [one] = &flat[..] { one.copy()? } else { Tensor::cat(&flat, 0)? };
        self.group.sum(&flat)?;
        self.begun.push(flat);
        Ok(())
    }

    /// The sums over all ranks, with the same bits on each.
    ///
    /// A parameter without a gradient counts as zero where another rank has one (a piece of a batch may be empty, or have no
    /// masked token), and stays without where no rank has one.
    pub fn finish(mut self) -> Result<Gradients> {
        while let Some(bucket) = self.buckets.get(self.begun.len()).cloned() {
            self.begin(bucket)?;
        }
        let mut present: Vec<f64> = self.sums.iter().map(|sum| if sum.is_some() { 1.0 } else { 0.0 }).collect();
        self.group.sum_f64(&mut present)?;
        self.group.finish()?;
        for (bucket, flat) in self.buckets.iter().zip(&self.begun) {
            let mut start = 0;
            for (sum, (_, var)) in self.sums[bucket.clone()].iter_mut().zip(&self.parameters[bucket.clone()]) {
                *sum = Some(flat.narrow(0, start, var.elem_count())?.reshape(var.shape())?);
                start += var.elem_count();
            }
        }
        let mut gradients = Gradients::default();
        for ((sum, ranks), (name, _)) in self.sums.into_iter().zip(present).zip(self.parameters) {
            if let Some(sum) = sum.filter(|_| ranks > 0.0) {
                gradients.insert(name, sum);
            }
        }
        Ok(gradients)
    }
}

/// Cuts `items` into runs of at most `limit` bytes each; what is larger is a run of its own.
fn fill<T>(items: &[T], bytes: impl Fn(&T) -> usize, limit: usize) -> Vec<Range<usize>> {
    let (mut runs, mut first, mut sum) = (Vec::new(), 0, 0);
    for (i, item) in items.iter().enumerate() {
        let size = bytes(item);
        if i > first && sum + size > limit {
            runs.push(first..i);
            (first, sum) = (i, 0);
        }
        sum += size;
    }
    if first < items.len() {
        runs.push(first..items.len());
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::super::testing::ranks;
    use super::*;
    use crate::model::{Architecture, ModelConfig, random};
    use candle_core::Device;

    #[test]
    fn runs_keep_the_order_and_the_limit() {
        let sizes = [3usize, 3, 9, 1, 1, 1, 8];
        let runs = fill(&sizes, |size| *size, 8);
        assert_eq!(runs, [0..2, 2..3, 3..6, 6..7]);
        assert!(fill(&[0usize; 0], |size| *size, 8).is_empty());
    }

    fn model() -> Model {
        let config = ModelConfig {
            architecture: Architecture::DistilBert,
            vocab_size: 50,
            hidden: 8,
            layers: 2,
            heads: 2,
            intermediate: 16,
            max_positions: 12,
            type_vocab: 0,
            layer_norm_eps: 1e-12,
            dropout: 0.0,
            attention_dropout: 0.0,
            initializer_range: 0.02,
            pad_id: 0,
            head: crate::model::Head::MaskedLm,
        };
        let parameters = random(&config, 1, &Device::Cpu).unwrap().train(&config, |_| false).unwrap();
        Model::new(config, parameters, DType::F32).unwrap()
    }

    /// A gradient whose sum over ranks depends on the order of the additions.
    fn value(rank: usize, parameter: usize, i: usize) -> f32 {
        ((rank * 7 + parameter * 3 + i) as f32 * 0.37).sin() * 10f32.powi(rank as i32)
    }

    #[test]
    fn sums_begin_when_their_buckets_are_full() {
        let begun = ranks(2, |group| {
            let model = model();
            let mut reduction = Reduction::in_buckets(group, &model, 64);
            assert!(reduction.buckets.len() > 4);
            let last: Vec<_> = reduction.parameters.iter().map(|(_, var)| (*var).clone()).collect();
            let ones = |var: &Var| var.ones_like().unwrap();
            // An earlier piece begins nothing.
            let mut store = GradStore::default();
            store.insert(&last[0], ones(&last[0]));
            reduction.add(&store).unwrap();
            assert!(reduction.begun.is_empty() && !reduction.is_under_way());
            let mut begun = vec![];
            for var in &last {
                reduction.add_last(var.id(), &ones(var)).unwrap();
                begun.push(reduction.begun.len());
            }
            let expected: Vec<usize> = (1..=last.len())
                .map(|given| reduction.buckets.iter().filter(|bucket| bucket.end <= given).count())
                .collect();
            assert_eq!(begun, expected);
            let first = reduction.parameters[0].0;
            let sum = reduction.finish().unwrap().remove(first).unwrap();
            sum.flatten_all().unwrap().to_vec1::<f32>().unwrap()
        });
        assert!(begun.iter().flatten().all(|&sum| sum == 4.0), "two pieces on two ranks: {begun:?}");
    }

    #[test]
    fn sums_are_in_rank_order_whatever_the_buckets() {
        const WORLD: usize = 4;
        let body = |bucket: usize| {
            ranks(WORLD, |group| {
                let model = model();
                let mut reduction = Reduction::in_buckets(group, &model, bucket);
                let mut all: Vec<_> = model.parameters.trainable().enumerate().collect();
                // Not in the order of the buckets, and on each rank in another.
                let middle = all.len() * (group.rank() + 1) / (WORLD + 1);
                all.rotate_left(middle);
                for (p, (_, var)) in all {
                    // The first has no gradient anywhere, the second only at rank 2.
                    if p == 0 || (p == 1 && group.rank() != 2) {
                        continue;
                    }
                    let values: Vec<f32> = (0..var.elem_count()).map(|i| value(group.rank(), p, i)).collect();
                    let gradient = Tensor::from_vec(values, var.shape(), &Device::Cpu).unwrap();
                    reduction.add_last(var.id(), &gradient).unwrap();
                }
                let gradients = reduction.finish().unwrap();
                let flat = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
                let all = model.parameters.trainable().map(|(name, _)| gradients.get(name).map(flat));
                all.collect::<Vec<_>>()
            })
        };
        let small = body(64);
        assert_eq!(small, body(BUCKET_BYTES), "buckets changed the bits");
        assert!(small.iter().all(|other| *other == small[0]), "ranks differ");
        assert!(small[0][0].is_none());
        for (p, sums) in small[0].iter().enumerate().skip(1) {
            for (i, sum) in sums.as_ref().unwrap().iter().enumerate() {
                let ranks = if p == 1 { 2..3 } else { 0..WORLD };
                let expected = ranks.map(|rank| value(rank, p, i)).reduce(|a, b| a + b).unwrap();
                assert_eq!(*sum, expected, "parameter {p}, number {i}");
            }
        }
    }
}
