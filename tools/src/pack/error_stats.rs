//! How far a packed tensor is from its original.

use serde::{Deserialize, Serialize};

/// The error that packing made in one tensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct TensorError {
    /// `|packed - original| / |original|` over the whole tensor, root mean square; 0 for a tensor of zeros.
    pub relative: f64,
    /// The largest difference of one value.
    pub max: f64,
    /// The row (output channel, table entry) with the largest relative error.
    pub worst_row: usize,
    /// That row's relative error.
    pub worst_row_relative: f64,
}

impl TensorError {
    /// Compares two row-major matrices of `cols` columns.
    ///
    /// # Panics
    ///
    /// If their lengths differ.
    pub fn between(original: &[f32], packed: &[f32], cols: usize) -> Self {
        assert_eq!(original.len(), packed.len(), "matrices of the same shape");
        let mut error = Self { relative: 0.0, max: 0.0, worst_row: 0, worst_row_relative: 0.0 };
        let (mut wrong, mut whole) = (0.0, 0.0);
        for (row, (original, packed)) in original.chunks_exact(cols).zip(packed.chunks_exact(cols)).enumerate() {
            let (mut row_wrong, mut row_whole) = (0.0, 0.0);
            for (&original, &packed) in original.iter().zip(packed) {
                let difference = f64::from(packed) - f64::from(original);
                row_wrong += difference * difference;
                row_whole += f64::from(original) * f64::from(original);
                error.max = error.max.max(difference.abs());
            }
            let relative = ratio(row_wrong, row_whole);
            if relative > error.worst_row_relative {
                (error.worst_row, error.worst_row_relative) = (row, relative);
            }
            wrong += row_wrong;
            whole += row_whole;
        }
        error.relative = ratio(wrong, whole);
        error
    }
}

fn ratio(wrong: f64, whole: f64) -> f64 {
    if wrong == 0.0 {
        0.0
    } else if whole == 0.0 {
        // Something where there was nothing: as wrong as can be, but still a number for JSON.
        1.0
    } else {
        (wrong / whole).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::TensorError;

    #[test]
    fn finds_the_worst_row() {
        let error = TensorError::between(&[3.0, 4.0, 1.0, 0.0, 0.0, 0.0], &[3.0, 4.0, 1.0, 0.5, 0.0, 0.0], 2);
        assert_eq!((error.worst_row, error.worst_row_relative, error.max), (1, 0.5, 0.5));
        assert!((error.relative - (0.25f64 / 26.0).sqrt()).abs() < 1e-15);
    }
}
