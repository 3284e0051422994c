//! Gradients of all ranks added up, a bucket at a time.
//!
//! The gradients of a model are many tensors, most of them small. They are copied into flat buckets, in the order of their
//! names, and each bucket is one sum. A GPU packs the next bucket while the one before is under way; the gradients are then
//! views into the buckets.
//!
//! Why the sums start only when the backward pass is over: docs/multi-gpu.md has the arithmetic.

use super::Group;
use crate::Result;
use crate::model::Model;
use crate::optim::Gradients;
use candle_core::{DType, Tensor, Var};

/// Bytes in a bucket: at this size a link works at nearly its full speed, and what is left when the last one has been packed
/// is little.
const BUCKET_BYTES: usize = 25 << 20;

/// Replaces the gradients by their sums over all ranks, with the same bits on each.
///
/// A parameter without a gradient counts as zero where another rank has one (a piece of a batch may be empty, or have no
/// masked token), and stays without where no rank has one.
pub fn sum_gradients(group: &dyn Group, model: &Model, gradients: &mut Gradients) -> Result<()> {
    if group.world() == 1 { Ok(()) } else { sum_in_buckets(group, model, gradients, BUCKET_BYTES) }
}

fn sum_in_buckets(group: &dyn Group, model: &Model, gradients: &mut Gradients, bucket_bytes: usize) -> Result<()> {
    let parameters: Vec<(&str, &Var)> = model.parameters.trainable().collect();
    let has = |name: &str| f64::from(u8::from(gradients.get(name).is_some()));
    let mut present: Vec<f64> = parameters.iter().map(|(name, _)| has(name)).collect();
    group.sum_f64(&mut present)?;
    let parameters =
        parameters.into_iter().zip(present).filter(|(_, ranks)| *ranks > 0.0).map(|(parameter, _)| parameter);
    let parameters: Vec<(&str, &Var)> = parameters.collect();
    let mut buckets = Vec::new();
    for members in fill(&parameters, |(_, var)| var.elem_count() * size_of::<f32>(), bucket_bytes) {
        let mut flat = Vec::with_capacity(members.len());
        for (name, var) in members {
            flat.push(match gradients.remove(name) {
                Some(gradient) => gradient.to_dtype(DType::F32)?.flatten_all()?,
                None => Tensor::zeros(var.elem_count(), DType::F32, var.device())?,
            });
        }
        // A copy even of a single tensor: a gradient may share its memory with another.
        let bucket = if let [one] = &flat[..] { one.copy()? } else { Tensor::cat(&flat, 0)? };
        group.sum(&bucket)?;
        buckets.push((members, bucket));
    }
    group.finish()?;
    for (members, bucket) in buckets {
        let mut start = 0;
        for (name, var) in members {
            let gradient = bucket.narrow(0, start, var.elem_count())?.reshape(var.shape())?;
            gradients.insert(name, gradient);
            start += var.elem_count();
        }
    }
    Ok(())
}

/// Cuts `items` into runs of at most `limit` bytes each; what is larger is a run of its own.
fn fill<T>(items: &[T], bytes: impl Fn(&T) -> usize, limit: usize) -> Vec<&[T]> {
    let (mut runs, mut first, mut sum) = (Vec::new(), 0, 0);
    for (i, item) in items.iter().enumerate() {
        let size = bytes(item);
        if i > first && sum + size > limit {
            runs.push(&items[first..i]);
            (first, sum) = (i, 0);
        }
        sum += size;
    }
    if first < items.len() {
        runs.push(&items[first..]);
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
        assert_eq!(runs, [&[3, 3][..], &[9], &[1, 1, 1], &[8]]);
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
        };
        let parameters = random(&config, 1, &Device::Cpu).unwrap().train(&config, |_| false).unwrap();
        Model::new(config, parameters, DType::F32).unwrap()
    }

    /// A gradient whose sum over ranks depends on the order of the additions.
    fn value(rank: usize, parameter: usize, i: usize) -> f32 {
        ((rank * 7 + parameter * 3 + i) as f32 * 0.37).sin() * 10f32.powi(rank as i32)
    }

    #[test]
    fn sums_are_in_rank_order_whatever_the_buckets() {
        const WORLD: usize = 4;
        let body = |bucket: usize| {
            ranks(WORLD, |group| {
                let model = model();
                let mut gradients = Gradients::default();
                for (p, (name, var)) in model.parameters.trainable().enumerate() {
                    // The first has no gradient anywhere, the second only at rank 2.
                    if p == 0 || (p == 1 && group.rank() != 2) {
                        continue;
                    }
                    let values: Vec<f32> = (0..var.elem_count()).map(|i| value(group.rank(), p, i)).collect();
                    gradients.insert(name, Tensor::from_vec(values, var.shape(), &Device::Cpu).unwrap());
                }
                sum_in_buckets(group, &model, &mut gradients, bucket).unwrap();
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
