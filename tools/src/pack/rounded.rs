//! A matrix of integers with its scales, as rounding leaves it and before it takes on a layout.

use half::bf16;

/// A matrix in int8, int4 or int3: `value = integer * factor of its group * scale of its row`; int8 has no factors.
#[derive(Clone, Debug, PartialEq)]
pub struct Rounded {
    /// `[rows][cols]`: in -127..=127 for int8, in -8..=7 for int4, odd in -7..=7 for int3.
    pub values: Vec<i8>,
    /// `[rows][groups]`, in 1..=15; empty for int8.
    pub factors: Vec<u8>,
    /// One for each row.
    pub scales: Vec<bf16>,
}

impl Rounded {
    /// The distance between neighbouring numbers at each place, `[rows][cols]`; `group` is that of the factors.
    pub(crate) fn steps(&self, cols: usize, group: Option<usize>) -> Vec<f32> {
        let groups = group.map_or(0, |group| cols.div_ceil(group));
        let step = |at: usize| {
            let (row, col) = (at / cols, at % cols);
            let factor = group.map_or(1.0, |group| f32::from(self.factors[row * groups + col / group]));
            factor * self.scales[row].to_f32()
        };
        (0..self.values.len()).map(step).collect()
    }

    /// The numbers that are stored, `[rows][cols]`.
    pub(crate) fn dense(&self, cols: usize, group: Option<usize>) -> Vec<f32> {
        let steps = self.steps(cols, group);
        self.values.iter().zip(steps).map(|(&value, step)| f32::from(value) * step).collect()
    }
}
