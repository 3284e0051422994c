//! int4 and int3: `value = q * factor[group] * scale[row]`, with q on a [`Grid`], a factor from 1 to 15 for each group of a
//! row, and one bfloat16 scale per row. The integers `q * factor` of a row are what the kernels multiply, so its sums stay exact.
//!
//! Scale and factors are searched for the least squared error of the row, the scale among the bfloat16 numbers
//! themselves, so that storing it costs nothing further.

use half::bf16;
use rayon::prelude::*;

use super::grid::Grid;
use super::quantize::SCALE_RANGE;
use super::rounded::Rounded;

/// Values that are compared together: a multiple of what any vector unit takes, and a divisor of both groups.
const BLOCK: usize = 32;
/// The largest factor.
const MOST: f32 = 15.0;
/// Scales from which the last step chooses.
const FINALISTS: usize = 3;

/// Quantizes each row of `cols` values in groups of `group`; the squared error at each column counts by its `weight`,
/// the same for all without. Rows are independent: the result does not depend on the number of threads.
pub(super) fn quantize_rows(
    data: &[f32],
    cols: usize,
    (group, grid): (usize, Grid),
    weights: Option<&[f32]>,
) -> Rounded {
    let (rows, groups) = (data.len() / cols, cols.div_ceil(group));
    let mut values = vec![grid.nearest(0.0) as i8; data.len()];
    let mut factors = vec![1; rows * groups];
    let mut scales = vec![bf16::ONE; rows];
    let mut weights = weights.map_or_else(|| vec![1.0; cols], <[f32]>::to_vec);
    weights.resize(groups * group, 0.0);
    data.par_chunks_exact(cols)
        .zip(values.par_chunks_exact_mut(cols))
        .zip(factors.par_chunks_exact_mut(groups))
        .zip(&mut scales)
        .for_each_init(Vec::new, |padded, (((row, values), factors), scale)| {
            *scale = quantize_row(row, (group, grid, &weights), padded, values, factors);
        });
    Rounded { values, factors, scales }
}

/// A row as the search sees it.
struct Row<'a> {
    /// Its values, padded with zeros to whole groups, times [`Row::unit`].
    values: &'a [f32],
    group: usize,
    grid: Grid,
    /// How much an error at each column counts.
    weights: &'a [f32],
    /// A power of two that brings the largest magnitude near 1, so that no square overflows or vanishes.
    unit: f32,
    /// The best step of each group alone.
    steps: Vec<f32>,
}

fn quantize_row(
    row: &[f32],
    (group, grid, weights): (usize, Grid, &[f32]),
    padded: &mut Vec<f32>,
    values: &mut [i8],
    factors: &mut [u8],
) -> bf16 {
    let most = largest(row);
    if most == 0.0 {
        // int3 has no zero, but numbers as small as the least scale.
        return if grid == Grid::Int3 { bf16::from_f32(SCALE_RANGE.0) } else { bf16::ONE };
    }
    let unit = f32::from_bits(127u32.wrapping_sub(exponent(most).clamp(-100, 100) as u32) << 23);
    padded.clear();
    padded.extend(row.iter().map(|value| value * unit));
    padded.resize(row.len().next_multiple_of(group), 0.0);
    let groups = padded.chunks_exact(group).zip(weights.chunks_exact(group));
    let steps = groups.map(|(values, weights)| best_step(values, weights, grid)).collect();
    let row = Row { values: padded, group, grid, weights, unit, steps };

    let mut found: Vec<(f32, bf16)> = row.candidates().map(|scale| (row.error(scale, near), scale)).collect();
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    found.truncate(FINALISTS);
    let refined = found.into_iter().flat_map(|(_, scale)| row.refine(scale));
    let best = refined.min_by(|a, b| a.0.total_cmp(&b.0)).map_or(bf16::ONE, |(_, scale)| scale);

    let scale = row.width(best);
    for (index, ((values, group), factor)) in
        values.chunks_mut(group).zip(row.values.chunks_exact(group)).zip(factors).enumerate()
    {
        *factor = row.factor(index, scale, wide).1 as u8;
        let step = scale * f32::from(*factor);
        for (value, &x) in values.iter_mut().zip(group) {
            *value = grid.nearest(x * (1.0 / step)) as i8;
        }
    }
    best
}

/// The factors worth trying around the `ratio` of a group's own best step to the scale: the two next to it.
fn near(ratio: f32) -> (f32, f32) {
    (ratio.floor(), ratio.floor() + 1.0)
}

/// All factors that may be the best one: the error has several valleys.
fn wide(ratio: f32) -> (f32, f32) {
    ((ratio * 0.7).floor(), (ratio * 1.25).ceil())
}

impl Row<'_> {
    /// The scale in this row's unit.
    fn width(&self, scale: bf16) -> f32 {
        scale.to_f32() * self.unit
    }

    /// Scales to try: every third bfloat16 number (the neighbours come later) between those that give the group with the
    /// largest step the factors 15 and 11. A larger scale would leave fewer different factors to the others.
    fn candidates(&self) -> impl Iterator<Item = bf16> {
        let most = largest(&self.steps) / self.unit;
        let bits = |factor: f32| bf16::from_f32((most / factor).clamp(SCALE_RANGE.0, SCALE_RANGE.1)).to_bits();
        (bits(MOST + 0.5)..=bits(11.0)).step_by(3).map(bf16::from_bits)
    }

    /// The scale and its neighbours, and the scale that is best for the factors and values it leads to; with their errors.
    fn refine(&self, scale: bf16) -> impl Iterator<Item = (f32, bf16)> {
        let best = self.least_squares(scale);
        let range = bf16::from_f32(SCALE_RANGE.0)..=bf16::from_f32(SCALE_RANGE.1);
        let neighbours = [scale, best].into_iter().flat_map(|scale| [-1, 0, 1].map(|by| step_by(scale, by)));
        neighbours.filter(move |scale| range.contains(scale)).map(|scale| (self.error(scale, wide), scale))
    }

    /// The scale with the least squared error if factors and values stay those that `scale` leads to.
    fn least_squares(&self, scale: bf16) -> bf16 {
        let width = self.width(scale);
        let (mut product, mut square) = (0.0f64, 0.0f64);
        for (index, group) in self.values.chunks_exact(self.group).enumerate() {
            let factor = self.factor(index, width, wide).1;
            let inverse = 1.0 / (width * factor);
            for (&x, &weight) in group.iter().zip(&self.weights[index * self.group..]) {
                let integer = f64::from(self.grid.nearest(x * inverse) * factor);
                product += f64::from(x) * integer * f64::from(weight);
                square += integer * integer * f64::from(weight);
            }
        }
        if product > 0.0 { bf16::from_f64(product / square / f64::from(self.unit)) } else { scale }
    }

    /// Squared error of the row with the best factors of those that `range` gives.
    fn error(&self, scale: bf16, range: fn(f32) -> (f32, f32)) -> f32 {
        let width = self.width(scale);
        (0..self.steps.len()).map(|index| self.factor(index, width, range).0).sum()
    }

    /// The least error of a group with a scale, and the factor that gives it.
    fn factor(&self, index: usize, width: f32, range: fn(f32) -> (f32, f32)) -> (f32, f32) {
        let group = &self.values[index * self.group..(index + 1) * self.group];
        let weights = &self.weights[index * self.group..(index + 1) * self.group];
        let (first, last) = range(self.steps[index] / width);
        let (first, last) = (first.clamp(1.0, MOST), last.clamp(1.0, MOST));
        let (mut least, mut best) = (f32::INFINITY, first);
        let mut factor = first;
        while factor <= last {
            let error = error(group, weights, width * factor, self.grid);
            if error < least {
                (least, best) = (error, factor);
            }
            factor += 1.0;
        }
        (least, best)
    }
}

/// The step with the least error of a group alone; 0 for a group of zeros.
fn best_step(group: &[f32], weights: &[f32], grid: Grid) -> f32 {
    let most = largest(group);
    if most == 0.0 {
        return 0.0;
    }
    let (mut least, mut best) = (f32::INFINITY, most);
    for &reach in grid.reaches() {
        let step = most / reach;
        let error = error(group, weights, step, grid);
        if error < least {
            (least, best) = (error, step);
        }
    }
    best
}

/// Squared error of a group's values with a step, weighted. Eight sums side by side, so that the compiler can use vectors.
#[inline(always)]
fn error(group: &[f32], weights: &[f32], step: f32, grid: Grid) -> f32 {
    match grid {
        Grid::Int3 => error_on(group, weights, step, |x| Grid::Int3.nearest(x)),
        _ => error_on(group, weights, step, |x| Grid::Int4.nearest(x)),
    }
}

/// The same with what rounds to the grid.
#[inline(always)]
fn error_on(group: &[f32], weights: &[f32], step: f32, nearest: impl Fn(f32) -> f32) -> f32 {
    const LANES: usize = 8;
    let inverse = 1.0 / step;
    let mut sums = [0.0f32; LANES];
    for (block, weights) in group.as_chunks::<BLOCK>().0.iter().zip(weights.as_chunks::<BLOCK>().0) {
        for (part, weights) in block.as_chunks::<LANES>().0.iter().zip(weights.as_chunks::<LANES>().0) {
            for ((sum, &x), &weight) in sums.iter_mut().zip(part).zip(weights) {
                let wrong = x - nearest(x * inverse) * step;
                *sum += wrong * wrong * weight;
            }
        }
    }
    sums.iter().sum()
}

fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |most, value| most.max(value.abs()))
}

/// `floor(log2(x))` of a normal number; -127 below.
fn exponent(x: f32) -> i32 {
    (x.to_bits() >> 23) as i32 - 127
}

/// The bfloat16 number `by` steps up from a positive one.
fn step_by(scale: bf16, by: i16) -> bf16 {
    bf16::from_bits(scale.to_bits().saturating_add_signed(by))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that look like weights: a bell curve, some groups larger than others.
    fn weights(rows: usize, cols: usize) -> Vec<f32> {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut uniform = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
        };
        (0..rows * cols)
            .map(|at| {
                let bell: f32 = (0..6).map(|_| uniform()).sum();
                bell * 0.05 * (1.0 + ((at / 32) % 7) as f32 * 0.2)
            })
            .collect()
    }

    fn restore(quantized: &Rounded, cols: usize, group: usize) -> Vec<f32> {
        let groups = cols.div_ceil(group);
        let value = |at: usize| {
            let (row, col) = (at / cols, at % cols);
            let integer = i32::from(quantized.values[at]) * i32::from(quantized.factors[row * groups + col / group]);
            integer as f32 * quantized.scales[row].to_f32()
        };
        (0..quantized.values.len()).map(value).collect()
    }

    fn relative(original: &[f32], restored: &[f32]) -> f64 {
        super::super::TensorError::between(original, restored, original.len()).relative
    }

    /// The search against every scale and every factor there are.
    #[test]
    fn the_search_is_next_to_the_best_there_is() {
        let grids = [(96, 32, Grid::Int4), (192, 64, Grid::Int4), (70, 32, Grid::Int4), (96, 32, Grid::Int3)];
        for (cols, group, grid) in grids {
            let data = weights(12, cols);
            for row in data.chunks_exact(cols) {
                let quantized = quantize_rows(row, cols, (group, grid), None);
                let found = relative(row, &restore(&quantized, cols, group));
                let most = largest(row);
                let padded: Vec<f32> =
                    row.iter().copied().chain(std::iter::repeat_n(0.0, cols.next_multiple_of(group) - cols)).collect();
                let all = bf16::from_f32(most / 200.0).to_bits()..=bf16::from_f32(most / 4.0).to_bits();
                let best = all
                    .map(|bits| {
                        let width = bf16::from_bits(bits).to_f32();
                        let least = |group: &[f32]| {
                            (1..=15)
                                .map(|factor| error(group, &[1.0; 64][..group.len()], width * factor as f32, grid))
                                .fold(f32::INFINITY, f32::min)
                        };
                        padded.chunks_exact(group).map(least).sum::<f32>()
                    })
                    .fold(f32::INFINITY, f32::min);
                let whole: f64 = row.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
                let best = (f64::from(best) / whole).sqrt();
                assert!(found <= best * 1.02, "{cols} in {group}: {found} instead of {best}");
                assert!(found < if grid == Grid::Int3 { 0.24 } else { 0.12 }, "{found}");
            }
        }
    }

    #[test]
    fn what_int4_holds_comes_back() {
        // 3/256 has few bits, so every product is exact.
        let (cols, scale) = (64, 3.0 / 256.0);
        let data: Vec<f32> = (0..cols * 3)
            .map(|at| (at % 16) as f32 - 8.0)
            .enumerate()
            .map(|(at, q)| q * scale * if at % 64 < 32 { 15.0 } else { (at / 64) as f32 * 4.0 + 1.0 })
            .collect();
        let quantized = quantize_rows(&data, cols, (32, Grid::Int4), None);
        assert_eq!(restore(&quantized, cols, 32), data);
        assert_eq!(quantized.factors, [15, 1, 15, 5, 15, 9]);
    }

    #[test]
    fn what_int3_holds_comes_back() {
        let (cols, scale) = (64, 3.0 / 256.0);
        let data: Vec<f32> = (0..cols * 2)
            .map(|at| ((at % 8) * 2) as f32 - 7.0)
            .enumerate()
            .map(|(at, q)| q * scale * if at % 64 < 32 { 15.0 } else { (at / 64) as f32 * 4.0 + 1.0 })
            .collect();
        let quantized = quantize_rows(&data, cols, (32, Grid::Int3), None);
        assert_eq!(restore(&quantized, cols, 32), data);
        assert_eq!(quantized.factors, [15, 1, 15, 5]);
        // No zero, but next to nothing.
        let zeros = quantize_rows(&[0.0; 64], 64, (32, Grid::Int3), None);
        assert!(restore(&zeros, 64, 32).iter().all(|x| x.abs() < 1e-17));
        assert!(zeros.values.iter().all(|value| value % 2 != 0));
    }

    #[test]
    fn extreme_rows_stay_in_range() {
        let mut data = vec![0.0; 64];
        for row in [[0.0, 0.0], [1e-38, -1e-38], [f32::MAX, -f32::MAX], [1e-18, 1e-17], [1e-45, 0.0], [3e19, -1.0]] {
            data.extend(row.iter().cycle().take(64));
        }
        let quantized = quantize_rows(&data, 64, (32, Grid::Int4), None);
        assert!(quantized.values[..192].iter().all(|&value| value == 0));
        assert!(quantized.values.iter().all(|value| (-8..=7).contains(value)));
        assert!(quantized.factors.iter().all(|factor| (1..=15).contains(factor)));
        assert!(quantized.scales.iter().all(|scale| (SCALE_RANGE.0..=SCALE_RANGE.1).contains(&scale.to_f32())));
        // What the scale's range cannot reach is as near as it gets; what it can is not lost.
        assert_eq!(quantized.values[192..194], [7, -8]);
        assert!(relative(&data[256..320], &restore(&quantized, 64, 32)[256..320]) < 0.1);
        assert!(relative(&data[384..448], &restore(&quantized, 64, 32)[384..448]) < 0.1);
    }

    #[test]
    fn finer_groups_and_smaller_rows_are_nearer() {
        let data = weights(64, 768);
        let by = |group| relative(&data, &restore(&quantize_rows(&data, 768, (group, Grid::Int4), None), 768, group));
        let (fine, coarse) = (by(32), by(64));
        assert!(fine < coarse && coarse < 0.11, "{fine} {coarse}");
    }
}
