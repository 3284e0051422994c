//! int4 weights, as a packed file holds them.
//!
//! A weight is `q factor[group] scale[row]` with q in -8..=7, an integer factor in 1..=15 for each group of 32 or 64 of a
//! row, and a bfloat16 scale for each row. Scale and factors are searched for the least squared error of the row. The
//! search is part of the definition: which of two scales wins may hang on the last bit of an error, so the order of every
//! sum is the packer's.

use super::int8::{ROUND, SCALE_RANGE, largest};
use crate::ops::vectorized;
use half::bf16;
use rayon::prelude::*;

/// Sums that run side by side when an error is summed up; they are added in order at the end.
const LANES: usize = 8;
/// The largest factor.
const MOST: f32 = 15.0;
/// Steps tried for a group alone: its largest magnitude over these.
const REACHES: [f32; 12] = [6.75, 7.0, 7.25, 7.5, 7.75, 8.0, 8.3, 8.6, 9.0, 9.5, 10.0, 11.0];
/// Scales from which the last step chooses.
const FINALISTS: usize = 3;

/// Scales and factors of a matrix.
#[derive(Clone, Debug, PartialEq)]
pub struct Steps {
    /// One for each row.
    pub scales: Vec<bf16>,
    /// `[rows][groups]`, in 1..=15.
    pub factors: Vec<u8>,
}

/// Searches scales and factors for `[rows, cols]` in groups of `group`. Rows are independent: the result does not depend
/// on the number of threads.
pub fn search(data: &[f32], cols: usize, group: usize) -> Steps {
    let (rows, groups) = (data.len() / cols, cols.div_ceil(group));
    let (mut scales, mut factors) = (vec![bf16::ONE; rows], vec![1; rows * groups]);
    data.par_chunks_exact(cols).zip(factors.par_chunks_exact_mut(groups)).zip(&mut scales).for_each_init(
        Vec::new,
        |padded, ((row, factors), scale)| {
            vectorized(
                #[inline(always)]
                || *scale = search_row(row, group, padded, factors),
            );
        },
    );
    Steps { scales, factors }
}

/// Values of `[rows, cols]` as they come back from a packed file with these scales and factors.
pub fn round(data: &[f32], cols: usize, group: usize, steps: &Steps) -> Vec<f32> {
    let mut values = data.to_vec();
    values
        .par_chunks_exact_mut(cols)
        .zip(steps.factors.par_chunks_exact(cols.div_ceil(group)))
        .zip(&steps.scales)
        .for_each(|((row, factors), scale)| {
            vectorized(
                #[inline(always)]
                || {
                    let most = largest(row);
                    if most == 0.0 {
                        return row.fill(0.0);
                    }
                    let (unit, scale) = (unit(most), scale.to_f32());
                    for (values, &factor) in row.chunks_mut(group).zip(factors) {
                        let factor = f32::from(factor);
                        let inverse = 1.0 / (scale * unit * factor);
                        for x in values {
                            *x = nearest(*x * unit, inverse) * factor * scale;
                        }
                    }
                },
            );
        });
    values
}

/// A power of two that brings the largest magnitude near 1, so that no square overflows or vanishes.
#[inline(always)]
fn unit(most: f32) -> f32 {
    let exponent = ((most.to_bits() >> 23) as i32 - 127).clamp(-100, 100);
    f32::from_bits(127u32.wrapping_sub(exponent as u32) << 23)
}

#[inline(always)]
fn search_row(row: &[f32], group: usize, padded: &mut Vec<f32>, factors: &mut [u8]) -> bf16 {
    let most = largest(row);
    if most == 0.0 {
        factors.fill(1);
        return bf16::ONE;
    }
    let unit = unit(most);
    padded.clear();
    padded.extend(row.iter().map(|value| value * unit));
    padded.resize(row.len().next_multiple_of(group), 0.0);
    let mut steps = Vec::with_capacity(factors.len());
    for group in padded.chunks_exact(group) {
        steps.push(best_step(group));
    }
    let row = Row { values: padded, group, unit, steps };
    let best = row.choose();
    let scale = row.width(best);
    for (index, factor) in factors.iter_mut().enumerate() {
        *factor = row.factor(index, scale, wide).1 as u8;
    }
    best
}

/// A row as the search sees it.
struct Row<'a> {
    /// Its values, padded with zeros to whole groups, times `unit`.
    values: &'a [f32],
    group: usize,
    unit: f32,
    /// The best step of each group alone.
    steps: Vec<f32>,
}

/// The factors worth trying around the `ratio` of a group's own best step to the scale: the two next to it.
#[inline(always)]
fn near(ratio: f32) -> (f32, f32) {
    (ratio.floor(), ratio.floor() + 1.0)
}

/// All factors that may be the best one: the error has several valleys.
#[inline(always)]
fn wide(ratio: f32) -> (f32, f32) {
    ((ratio * 0.7).floor(), (ratio * 1.25).ceil())
}

impl Row<'_> {
    /// The scale in this row's unit.
    #[inline(always)]
    fn width(&self, scale: bf16) -> f32 {
        scale.to_f32() * self.unit
    }

    /// The scale with the least error: of every third candidate with few factors the best three, of these, their neighbours
    /// and what least squares makes of them the best with all factors. The first one wins a tie.
    #[inline(always)]
    fn choose(&self) -> bf16 {
        let mut found = Vec::with_capacity(32);
        let most = largest(&self.steps) / self.unit;
        let bits = |factor: f32| bf16::from_f32((most / factor).clamp(SCALE_RANGE.0, SCALE_RANGE.1)).to_bits();
        for bits in (bits(MOST + 0.5)..=bits(11.0)).step_by(3) {
            let scale = bf16::from_bits(bits);
            found.push((self.error(scale, near, f32::INFINITY), scale));
        }
        found.sort_by(|a, b| a.0.total_cmp(&b.0));
        found.truncate(FINALISTS);
        let range = bf16::from_f32(SCALE_RANGE.0)..=bf16::from_f32(SCALE_RANGE.1);
        // The neighbourhoods overlap: a scale that was tried cannot win the second time.
        let mut tried: Vec<bf16> = Vec::with_capacity(6 * FINALISTS);
        let (mut least, mut best) = (f32::INFINITY, bf16::ONE);
        for (_, finalist) in found {
            let fitted = self.least_squares(finalist);
            for centre in [finalist, fitted] {
                for by in [-1, 0, 1] {
                    let scale = bf16::from_bits(centre.to_bits().saturating_add_signed(by));
                    if !range.contains(&scale) || tried.contains(&scale) {
                        continue;
                    }
                    let error = self.error(scale, wide, least);
                    if tried.is_empty() || error < least {
                        (least, best) = (error, scale);
                    }
                    tried.push(scale);
                }
            }
        }
        best
    }

    /// The scale with the least squared error if factors and values stay those that `scale` leads to.
    #[inline(always)]
    fn least_squares(&self, scale: bf16) -> bf16 {
        let width = self.width(scale);
        let (mut product, mut square) = (0.0f64, 0.0f64);
        for (index, group) in self.values.chunks_exact(self.group).enumerate() {
            let factor = self.factor(index, width, wide).1;
            let inverse = 1.0 / (width * factor);
            for &x in group {
                let integer = f64::from(nearest(x, inverse) * factor);
                product += f64::from(x) * integer;
                square += integer * integer;
            }
        }
        if product > 0.0 { bf16::from_f64(product / square / f64::from(self.unit)) } else { scale }
    }

    /// Squared error of the row with the best factors of those that `range` gives; any number above `enough` once the
    /// sum, which never falls, has passed it.
    #[inline(always)]
    fn error(&self, scale: bf16, range: impl Fn(f32) -> (f32, f32), enough: f32) -> f32 {
        let width = self.width(scale);
        let mut sum = 0.0;
        for index in 0..self.steps.len() {
            sum += self.factor(index, width, &range).0;
            if sum > enough {
                break;
            }
        }
        sum
    }

    /// The least error of a group with a scale, and the factor that gives it.
    #[inline(always)]
    fn factor(&self, index: usize, width: f32, range: impl Fn(f32) -> (f32, f32)) -> (f32, f32) {
        let group = &self.values[index * self.group..(index + 1) * self.group];
        let (first, last) = range(self.steps[index] / width);
        let (first, last) = (first.clamp(1.0, MOST), last.clamp(1.0, MOST));
        let (mut least, mut best) = (f32::INFINITY, first);
        let mut factor = first;
        while factor <= last {
            // Beyond the last factor it is tried again, and cannot win.
            let (mut factors, mut steps) = ([last; 4], [width * last; 4]);
            for n in 0..4 {
                factors[n] = last.min(factor + n as f32);
                steps[n] = width * factors[n];
            }
            let errors = errors(group, steps);
            for n in 0..4 {
                if errors[n] < least {
                    (least, best) = (errors[n], factors[n]);
                }
            }
            factor += 4.0;
        }
        (least, best)
    }
}

/// The step with the least error of a group alone; 0 for a group of zeros.
#[inline(always)]
fn best_step(group: &[f32]) -> f32 {
    let most = largest(group);
    if most == 0.0 {
        return 0.0;
    }
    let (mut least, mut best) = (f32::INFINITY, most);
    for reaches in REACHES.as_chunks::<4>().0 {
        let mut steps = [most; 4];
        for n in 0..4 {
            steps[n] = most / reaches[n];
        }
        let errors = errors(group, steps);
        for n in 0..4 {
            if errors[n] < least {
                (least, best) = (errors[n], steps[n]);
            }
        }
    }
    best
}

/// Squared error of a group's values with each of some steps; side by side, so that one sum need not wait for another.
#[inline(always)]
fn errors<const N: usize>(group: &[f32], steps: [f32; N]) -> [f32; N] {
    let mut sums = [[0.0; LANES]; N];
    // Loops and not `map`, whose closures would be compiled without this processor's vector instructions.
    for (sums, step) in sums.iter_mut().zip(steps) {
        *sums = lane_errors(group, step);
    }
    let mut totals = [0.0; N];
    // The order of the packer: lane by lane.
    for lane in 0..LANES {
        for (total, sums) in totals.iter_mut().zip(&sums) {
            *total += sums[lane];
        }
    }
    totals
}

#[inline(always)]
fn lane_errors(group: &[f32], step: f32) -> [f32; LANES] {
    let inverse = 1.0 / step;
    let mut sums = [0.0f32; LANES];
    for part in group.as_chunks::<LANES>().0 {
        for (sum, &x) in sums.iter_mut().zip(part) {
            let wrong = x - nearest(x, inverse) * step;
            *sum += wrong * wrong;
        }
    }
    sums
}

/// The integer from -8 to 7 next to `x * inverse`, ties to even.
#[inline(always)]
fn nearest(x: f32, inverse: f32) -> f32 {
    ((x * inverse).clamp(-8.0, 7.0) + ROUND) - ROUND
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, normal, stream};

    fn packed(data: &[f32], cols: usize, group: usize) -> Vec<f32> {
        round(data, cols, group, &search(data, cols, group))
    }

    #[test]
    fn what_int4_holds_comes_back() {
        // 3/256 has few bits, so every product is exact.
        let (cols, scale) = (64, 3.0 / 256.0);
        let data: Vec<f32> = (0..cols * 3)
            .map(|at| {
                let q = (at % 16) as f32 - 8.0;
                q * scale * if at % 64 < 32 { 15.0 } else { (at / 64) as f32 * 4.0 + 1.0 }
            })
            .collect();
        assert_eq!(search(&data, cols, 32).factors, [15, 1, 15, 5, 15, 9]);
        assert_eq!(packed(&data, cols, 32), data);
    }

    #[test]
    fn a_bell_curve_loses_a_tenth_and_finer_groups_less() {
        let mut rng = stream(4, Purpose::Weights, 0);
        let data: Vec<f32> = (0..70 * 40).map(|_| 0.05 * normal(&mut rng)).collect();
        let error = |group| {
            let rounded = packed(&data, 70, group);
            let wrong: f32 = data.iter().zip(&rounded).map(|(a, b)| (a - b) * (a - b)).sum();
            (wrong / data.iter().map(|a| a * a).sum::<f32>()).sqrt()
        };
        let (fine, coarse) = (error(32), error(64));
        assert!(fine > 0.05 && fine < coarse && coarse < 0.12, "{fine} {coarse}");
    }

    #[test]
    fn rows_of_zeros_and_a_matrix_on_old_steps() {
        let steps = search(&[0.0; 40], 40, 32);
        assert_eq!(steps, Steps { scales: vec![bf16::ONE], factors: vec![1, 1] });
        assert!(round(&[0.0, -0.0], 2, 32, &Steps { scales: vec![bf16::ONE], factors: vec![3] }) == [0.0, 0.0]);
        // Weights that moved are rounded to the steps found before, not to new ones.
        let old = Steps { scales: vec![bf16::from_f32(0.5)], factors: vec![2] };
        assert_eq!(round(&[0.9, -3.4, 100.0], 3, 32, &old), [1.0, -3.0, 7.0]);
    }
}
