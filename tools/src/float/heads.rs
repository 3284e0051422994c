//! What follows the last layer: pooling, classes, masked tokens.

use super::{Encoder, add, gelu, linear};
use crate::hf::{Architecture, HeadWeights, Pooling};
use distil_kernels::host_gemm::Product;

impl Encoder<'_> {
    /// One vector for the text: the first token's state, or the mean over all tokens (`[CLS]` and `[SEP]` included),
    /// scaled to length 1 if asked.
    pub fn pool(&self, hidden: &[f32], pooling: Pooling) -> Vec<f32> {
        let width = self.model.config.hidden;
        let mut sums: Vec<f64> = hidden[..width].iter().map(|&value| f64::from(value)).collect();
        if !pooling.cls {
            for row in hidden.chunks_exact(width).skip(1) {
                for (sum, &value) in sums.iter_mut().zip(row) {
                    *sum += f64::from(value);
                }
            }
            let count = (hidden.len() / width) as f64;
            sums.iter_mut().for_each(|sum| *sum /= count);
        }
        if pooling.normalize {
            let length = sums.iter().map(|value| value * value).sum::<f64>().sqrt().max(1e-12);
            sums.iter_mut().for_each(|sum| *sum /= length);
        }
        sums.into_iter().map(|value| value as f32).collect()
    }

    /// The class scores of each row of `hidden`, before softmax: `[rows][labels]`. `None` if the model has no token
    /// classifier.
    pub fn token_classes(&self, hidden: &[f32]) -> Option<Vec<f32>> {
        let HeadWeights::TokenClassification { classifier } = &self.model.weights.head else { return None };
        Some(linear(hidden, classifier))
    }

    /// The scores of each row of `hidden` as the start and as the end of an answer: `[rows][2]`. `None` if the model has
    /// no question answering head.
    pub fn spans(&self, hidden: &[f32]) -> Option<Vec<[f32; 2]>> {
        let HeadWeights::QuestionAnswering { span } = &self.model.weights.head else { return None };
        Some(linear(hidden, span).as_chunks().0.to_vec())
    }

    /// The class scores of the text, before softmax. `None` if the model has no classifier.
    pub fn classes(&self, hidden: &[f32]) -> Option<Vec<f32>> {
        let HeadWeights::SequenceClassification { pre, classifier } = &self.model.weights.head else { return None };
        let mut first = linear(&hidden[..self.model.config.hidden], pre);
        for value in &mut first {
            *value = match self.model.config.architecture {
                Architecture::Bert => f64::from(*value).tanh() as f32,
                Architecture::DistilBert => value.max(0.0),
            };
        }
        Some(linear(&first, classifier))
    }

    /// The vocabulary scores, before softmax, of each row of `hidden`: `[rows][vocab_size]`. `None` if the model has
    /// no masked-LM head.
    pub fn vocabulary(&self, hidden: &[f32]) -> Option<Vec<f32>> {
        let HeadWeights::MaskedLm { transform, norm, bias } = &self.model.weights.head else { return None };
        let mut x = linear(hidden, transform);
        x.iter_mut().for_each(|value| *value = gelu(*value));
        self.normalize(norm, &mut x);
        let word = &self.model.weights.word;
        let rows = hidden.len() / word.cols;
        let mut scores = vec![0.0; rows * word.rows];
        let product = Product {
            a: &x,
            a_stride: word.cols,
            b: &word.data,
            b_row: 1,
            b_col: word.cols,
            rows,
            inner: word.cols,
            cols: word.rows,
        };
        product.write(&mut scores, word.rows);
        for row in scores.chunks_exact_mut(word.rows) {
            add(row, &bias.data);
        }
        Some(scores)
    }
}
