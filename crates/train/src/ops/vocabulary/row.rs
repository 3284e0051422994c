//! One row of logits: loss, statistics and gradient.

use super::IGNORE;
use crate::ops::math::exp;
use crate::ops::storage::{dot, max, sum_by};

/// Figures of one row.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RowStatistics {
    /// `KL(softmax(t/T) || softmax(s/T))`; zero without a teacher.
    pub kl: f32,
    /// Sum of the squared differences between student and teacher logits; zero without a teacher.
    pub square: f32,
    /// Negative log-likelihood of the label; zero without a label.
    pub nll: f32,
    /// The same for the teacher. Only filled in evaluation, at temperature 1.
    pub teacher_nll: f32,
    /// The student's most likely token. Only filled in evaluation.
    pub top: u32,
    /// The teacher's most likely token. Only filled in evaluation.
    pub teacher_top: u32,
}

/// Factors shared by all rows.
pub(super) struct RowLoss {
    pub(super) temperature: f32,
    /// Gradient factor of the soft targets: `alpha_ce T / rows` (the loss has T^2, the derivative 1/T).
    pub(super) soft: f32,
    /// Gradient factor of the labels: `alpha_mlm / labelled rows`.
    pub(super) hard: f32,
    /// Gradient factor of the squared differences: `2 alpha_mse / rows`; zero: they are not computed.
    pub(super) square: f32,
    /// Whether the logits are replaced by their gradient; otherwise the most likely tokens are found.
    pub(super) gradients: bool,
}

/// Two rows of working memory.
pub(super) struct Scratch {
    a: Vec<f32>,
    b: Vec<f32>,
}

impl Scratch {
    pub(super) fn new(len: usize) -> Self {
        Self { a: vec![0.0; len], b: vec![0.0; len] }
    }
}

impl RowLoss {
    /// `s` and `t` come without their biases; `t` is empty without a teacher. With `gradients`, `s` leaves as the
    /// gradient of the total loss.
    #[inline(always)]
    pub(super) fn row(
        &self,
        s: &mut [f32],
        bias: &[f32],
        t: &mut [f32],
        teacher_bias: &[f32],
        label: u32,
        scratch: &mut Scratch,
    ) -> RowStatistics {
        let mut out = RowStatistics::default();
        for (s, b) in s.iter_mut().zip(bias) {
            *s += b;
        }
        if !self.gradients {
            out.top = argmax(s);
        }
        let largest = max(s);
        for s in s.iter_mut() {
            *s -= largest;
        }
        // Soft targets leave p_s - p_t (times its factor) in scratch.a.
        let soft = !t.is_empty();
        if soft {
            for (t, b) in t.iter_mut().zip(teacher_bias) {
                *t += b;
            }
            if !self.gradients {
                out.teacher_top = argmax(t);
                if label != IGNORE {
                    let largest = max(t);
                    out.teacher_nll = sum_by(t, |v| exp(v - largest)).ln() + largest - t[label as usize];
                }
            }
            (out.kl, out.square) = self.soft_targets(s, largest, t, scratch);
        }
        let hard = label != IGNORE;
        if hard {
            for (e, s) in scratch.b.iter_mut().zip(s.iter()) {
                *e = exp(*s);
            }
            let sum = sum_by(&scratch.b, |v| v);
            out.nll = sum.ln() - s[label as usize];
            let factor = self.hard / sum;
            for e in &mut scratch.b {
                *e *= factor;
            }
        }
        if self.gradients {
            match (soft, hard) {
                (true, true) => {
                    for (s, (a, b)) in s.iter_mut().zip(scratch.a.iter().zip(&scratch.b)) {
                        *s = a + b;
                    }
                }
                (true, false) => s.copy_from_slice(&scratch.a),
                (false, true) => s.copy_from_slice(&scratch.b),
                (false, false) => s.fill(0.0),
            }
            if hard {
                s[label as usize] -= self.hard;
            }
        }
        out
    }

    /// KL at the temperature, and the sum of squared differences. `s` has its maximum subtracted, which is given; `t` is
    /// overwritten.
    #[inline(always)]
    fn soft_targets(&self, s: &[f32], largest_s: f32, t: &mut [f32], scratch: &mut Scratch) -> (f32, f32) {
        let inverse = 1.0 / self.temperature;
        let largest = max(t);
        for ((t, s), (e, difference)) in t.iter_mut().zip(s).zip(scratch.a.iter_mut().zip(&mut scratch.b)) {
            let centred = *t - largest;
            *e = exp(*s * inverse);
            *difference = centred - *s;
            *t = exp(centred * inverse);
        }
        let (sum_s, sum_t) = (sum_by(&scratch.a, |v| v), sum_by(t, |v| v));
        // sum p_t (log p_t - log p_s)
        let kl = dot(t, &scratch.b) * inverse / sum_t - sum_t.ln() + sum_s.ln();
        let (factor_s, factor_t) = (self.soft / sum_s, self.soft / sum_t);
        for (e, t) in scratch.a.iter_mut().zip(t.iter()) {
            *e = *e * factor_s - t * factor_t;
        }
        let mut square = 0.0;
        if self.square > 0.0 {
            // Both had their maxima subtracted before the difference was taken.
            let offset = largest - largest_s;
            square = sum_by(&scratch.b, |difference| (difference + offset) * (difference + offset));
            for (e, difference) in scratch.a.iter_mut().zip(&scratch.b) {
                *e -= self.square * (difference + offset);
            }
        }
        (kl, square)
    }
}

/// First index of the largest element.
fn argmax(x: &[f32]) -> u32 {
    let largest = max(x);
    x.iter().position(|&v| v == largest).unwrap_or(0) as u32
}
