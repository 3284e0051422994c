//! What a matrix reads, as statistics: the covariance of its inputs, and how one input's rounding error is best
//! made up for by the inputs after it.

use rayon::prelude::*;

use super::algebra::{TOGETHER, centred, cholesky, dot32, means, solve, times_transposed};
use crate::pack::{Grid, Rounded};

/// Added to the diagonal, as a share of its mean: inputs that hardly vary must not take large corrections. More of it
/// where the errors to correct are large.
pub(super) fn damping(grid: Grid) -> f64 {
    if grid == Grid::Int3 { 0.03 } else { 0.01 }
}

/// Texts must have this many rows for each input before weights are moved to fit them.
const ENOUGH: usize = 4;

/// The furthest that weights are moved, as a share of their norm. Trained models stay below it; where inputs hardly
/// vary, as in a model with random weights, the best fit to one text may be nowhere near the matrix.
const FURTHEST: f32 = 0.3;

/// Rows `[n][width]` as a matrix reads them (rounded to int8), with their statistics.
pub(super) struct Inputs {
    /// The rows.
    rows: Vec<f32>,
    width: usize,
    means: Vec<f32>,
    /// The rows less their means, `[width][n]`.
    centred: Vec<f32>,
    /// Variance of each input.
    pub(super) variances: Vec<f32>,
    /// Cholesky factor of the damped covariance with inputs in reverse order.
    factor: Vec<f32>,
    /// `[width][width]`: what the error of input `j` adds to the wanted value of input `k > j`, at `k, j`.
    feedback: Vec<f32>,
}

impl Inputs {
    /// The statistics of rows, for matrices that are rounded to `grid`.
    pub(super) fn new(rows: Vec<f32>, width: usize, grid: Grid) -> Self {
        let n = rows.len() / width;
        let means = means(&rows, width);
        let centred = centred(&rows, &means);
        let covariance = times_transposed(&centred, &centred, n);
        let variances: Vec<f32> = (0..width).map(|i| covariance[i * width + i] / n as f32).collect();
        let mean = variances.iter().map(|&x| f64::from(x)).sum::<f64>() / width as f64;
        let damping = (damping(grid) * mean).max(1e-12);
        // Reversed, the factor of the covariance is V sqrt(D) with V upper triangular: covariance = V D V^T, so the
        // error e of a row costs |e V sqrt(D)|^2, and each step of rounding can undo what stands before it in e V.
        let mut a: Vec<f64> = covariance.iter().rev().map(|&x| f64::from(x) / n as f64).collect();
        (0..width).for_each(|i| a[i * width + i] += damping);
        cholesky(&mut a, width);
        let last = width - 1;
        let mut feedback = vec![0.0; width * width];
        feedback.par_chunks_exact_mut(width).enumerate().for_each(|(k, line)| {
            let at = last - k;
            let pivot = a[at * width + at];
            line[..k].iter_mut().enumerate().for_each(|(j, x)| *x = (a[(last - j) * width + at] / pivot) as f32);
        });
        let factor = a.into_iter().map(|x| x as f32).collect();
        Self { rows, width, means, centred, variances, factor, feedback }
    }

    /// The rows, `[n][width]`.
    pub(super) fn rows(&self) -> &[f32] {
        &self.rows
    }

    /// What `weight` makes of the rows, and the mean of it: `[n][outputs]`, no bias.
    pub(super) fn through(&self, weight: &[f32]) -> Vec<f32> {
        times_transposed(&self.rows, weight, self.width)
    }

    /// The bias with which `weight` gives the mean of `target`, `[n][outputs]`.
    pub(super) fn bias(&self, weight: &[f32], target: &[f32]) -> Vec<f32> {
        let outputs = weight.len() / self.width;
        let wanted = means(target, outputs);
        wanted.iter().zip(weight.chunks_exact(self.width)).map(|(t, row)| t - dot32(row, &self.means)).collect()
    }

    /// `weight` moved by `share` of the way to the one that gives `target`, `[n][outputs]`, with the least squared
    /// error (up to a constant for each output), or as far that way as [`FURTHEST`] allows. Unchanged where the rows are
    /// too few to say.
    pub(super) fn fitted(&self, weight: &[f32], target: &[f32], share: f32) -> Vec<f32> {
        let (width, n) = (self.width, self.rows.len() / self.width);
        if share == 0.0 || n < ENOUGH * width {
            return weight.to_vec();
        }
        let outputs = weight.len() / width;
        let mut missing = self.through(weight);
        missing.par_iter_mut().zip(target).for_each(|(found, target)| *found = target - *found);
        let missing = centred(&missing, &means(&missing, outputs));
        let mut right = times_transposed(&missing, &self.centred, n);
        right.par_chunks_exact_mut(width).for_each(|row| {
            row.reverse();
            row.iter_mut().for_each(|x| *x /= n as f32);
        });
        solve(&self.factor, width, &mut right);
        let norm = |values: &[f32]| values.iter().map(|x| x * x).sum::<f32>().sqrt();
        let share = share.min(FURTHEST * norm(weight) / norm(&right).max(f32::MIN_POSITIVE));
        let rows = weight.chunks_exact(width).zip(right.chunks_exact(width));
        rows.flat_map(|(row, by)| row.iter().zip(by.iter().rev()).map(|(w, by)| w + share * by)).collect()
    }

    /// Rounds `weight`, `[outputs][width]`, again, on the scales and factors it has in `rounded`: each value takes in
    /// what the errors of the inputs before it do to the outputs (GPTQ, Frantar et al. 2023, in the form of LDLQ, Chee
    /// et al. 2023).
    pub(super) fn round(&self, weight: &[f32], rounded: &mut Rounded, (group, grid): (Option<usize>, Grid)) {
        let width = self.width;
        let steps = rounded.steps(width, group);
        let rows = rounded.values.par_chunks_mut(TOGETHER * width);
        let weights = weight.par_chunks(TOGETHER * width).zip(steps.par_chunks(TOGETHER * width));
        rows.zip(weights).for_each(|(values, (weights, steps))| {
            let mut errors = vec![0.0f32; values.len()];
            for (k, line) in self.feedback.chunks_exact(width).enumerate() {
                for (row, errors) in errors.chunks_exact_mut(width).enumerate() {
                    let at = row * width + k;
                    let wanted = weights[at] + dot32(&line[..k], &errors[..k]);
                    let value = grid.nearest(wanted / steps[at]);
                    values[at] = value as i8;
                    errors[k] = weights[at] - value * steps[at];
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of two inputs of which the second varies by `spread`, and the targets that `weight` makes of them.
    fn rows(spread: f32, weight: [f32; 2]) -> (Vec<f32>, Vec<f32>) {
        let rows: Vec<f32> =
            (0..64).flat_map(|i| [((i * 7) % 13) as f32 - 6.0, spread * ((i % 5) as f32 - 2.0)]).collect();
        let target = rows.chunks_exact(2).map(|row| row[0] * weight[0] + row[1] * weight[1]).collect();
        (rows, target)
    }

    #[test]
    fn weights_move_half_of_the_way_and_never_far() {
        let (read, target) = rows(3.0, [1.1, 0.9]);
        let near = Inputs::new(read.clone(), 2, Grid::Int8).fitted(&[1.0, 1.0], &target, 0.5);
        assert!((near[0] - 1.05).abs() < 0.005 && (near[1] - 0.95).abs() < 0.005, "{near:?}");
        let (read, target) = rows(3.0, [40.0, -30.0]);
        let far = Inputs::new(read, 2, Grid::Int8).fitted(&[1.0, 1.0], &target, 0.5);
        let moved = (far[0] - 1.0).hypot(far[1] - 1.0);
        assert!((moved / 2f32.sqrt() - FURTHEST).abs() < 1e-3 && far[0] > 1.0 && far[1] < 1.0, "{far:?}");
    }
}
