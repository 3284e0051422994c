//! Scores of all examples, without gradients.

use super::Data;
use crate::Result;
use crate::model::Model;
use crate::ops::Dropout;
use crate::trainer::micro::MicroBatches;
use rayon::prelude::*;

/// Tokens computed at once on the CPU, by each thread.
const ROWS: usize = 1024;
/// On a GPU, which takes less where its memory is too small.
const GPU_ROWS: usize = 16 * 1024;

/// The scores of each example in order, with dropout off: one for each label, or those of one token after another.
pub fn predict(model: &Model, data: &Data) -> Result<Vec<Vec<f32>>> {
    let cpu = model.device().is_cpu();
    let limit = if cpu { ROWS } else { GPU_ROWS };
    let lengths: Vec<usize> = data.lengths().collect();
    let mut order: Vec<u32> = (0..data.len() as u32).collect();
    // Parts of about the same work, the same on any machine.
    order.sort_by_key(|&i| std::cmp::Reverse(lengths[i as usize]));
    let mut chunks: Vec<&[u32]> = vec![];
    let mut rest = &order[..];
    while let Some(&longest) = rest.first() {
        let count = (limit / lengths[longest as usize].max(1)).clamp(1, rest.len());
        let (chunk, others) = rest.split_at(count);
        chunks.push(chunk);
        rest = others;
    }
    let compute = |chunk: &&[u32]| -> Result<Vec<Vec<f32>>> {
        let mut micro = MicroBatches::of(usize::MAX);
        let mut all = vec![];
        micro.each((0, data.batch(chunk)), |(_, batch), _| {
            let tokens = batch.tokens(model.device())?;
            let mut states = model.hidden_states(&tokens, &mut Dropout::off())?;
            let last = states.pop().map(|last| last.detach());
            drop(states);
            let last = last.ok_or_else(|| crate::Error::Config("a model without layers".into()))?;
            let scores = model.scores(&last, &tokens.sequences, &mut Dropout::off())?;
            let (rows, width) = scores.dims2()?;
            let scores = scores.flatten_all()?.to_vec1::<f32>()?;
            // One row for a sequence, or one for each of its tokens.
            let each = rows == tokens.sequences.rows() && rows != tokens.sequences.count();
            let mut rest = &scores[..];
            for length in tokens.sequences.lengths() {
                let (mine, others) = rest.split_at(width * if each { length } else { 1 });
                all.push(mine.to_vec());
                rest = others;
            }
            Ok(())
        })?;
        Ok(all)
    };
    let computed: Vec<Vec<Vec<f32>>> = match cpu {
        true => chunks.par_iter().map(compute).collect::<Result<_>>()?,
        false => chunks.iter().map(compute).collect::<Result<_>>()?,
    };
    let mut scores = vec![vec![]; data.len()];
    for (&i, found) in order.iter().zip(computed.into_iter().flatten()) {
        scores[i as usize] = found;
    }
    Ok(scores)
}
