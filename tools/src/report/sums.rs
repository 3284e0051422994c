//! Sums over pairs of rows, from which errors and cosines follow.

use crate::eval::stats::cosine;

/// Sums over rows of packed and float values.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sums {
    wrong: f64,
    whole: f64,
    cosines: f64,
    rows: usize,
}

impl Sums {
    /// Over the rows, `width` long, of two matrices of the same shape.
    pub(super) fn between(packed: &[f32], float: &[f32], width: usize) -> Self {
        let mut sums = Self::default();
        for (packed, float) in packed.chunks_exact(width).zip(float.chunks_exact(width)) {
            for (&packed, &float) in packed.iter().zip(float) {
                let (packed, float) = (f64::from(packed), f64::from(float));
                sums.wrong += (packed - float) * (packed - float);
                sums.whole += float * float;
            }
            sums.cosines += cosine(packed, float);
            sums.rows += 1;
        }
        sums
    }

    /// With more rows.
    pub(super) fn plus(self, more: &Self) -> Self {
        Self {
            wrong: self.wrong + more.wrong,
            whole: self.whole + more.whole,
            cosines: self.cosines + more.cosines,
            rows: self.rows + more.rows,
        }
    }

    /// `|packed - float| / |float|`; 0 where nothing is wrong.
    pub(super) fn relative(&self) -> f64 {
        if self.wrong == 0.0 { 0.0 } else { (self.wrong / self.whole.max(f64::MIN_POSITIVE)).sqrt() }
    }

    /// Mean cosine of the rows.
    pub(super) fn mean_cosine(&self) -> f64 {
        self.cosines / self.rows.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_known_rows() {
        let first = Sums::between(&[3.0, 0.0], &[3.0, 4.0], 2);
        let both = first.plus(&Sums::between(&[0.0, 2.0], &[0.0, 2.0], 2));
        assert_eq!((first.relative(), first.mean_cosine()), (4.0 / 5.0, 3.0 / 5.0));
        assert!((both.relative() - (16.0f64 / 29.0).sqrt()).abs() < 1e-15);
        assert_eq!(both.mean_cosine(), 0.8);
        assert_eq!(Sums::default().relative(), 0.0);
    }
}
