//! Rows of embedding tables.

use super::Kernels;
use crate::layout::int4::grouped_len;
use crate::layout::{Layout, group_count};
use crate::matrix::{Integers, Matrix, Weights};
use crate::operations::GroupedRow;

impl Kernels {
    /// `out += row`: one row of a row-major matrix, whatever its weights are.
    ///
    /// # Panics
    ///
    /// When the matrix is not row-major or has no such row, or `out` is not as long as a row.
    pub fn add_row(self, table: &Matrix<'_>, row: usize, out: &mut [f32]) {
        assert!(table.layout == Layout::RowMajor, "add_row: the matrix must be row-major");
        assert!(row < table.n, "add_row: the matrix has no such row");
        assert_eq!(out.len(), table.k, "add_row: out must be as long as a row");
        let (k, layout) = (table.k, Layout::RowMajor);
        match table.weights {
            Weights::Float(values) => self.add(&values[row * k..][..k], out),
            Weights::Integer(Integers::Int8(values), scales) => {
                self.add_dequantized(&values[row * k..][..k], scales.get(row), out);
            }
            Weights::Integer(Integers::Grouped { packed, groups, group, width }, scales) => {
                let shape = "a matrix with a row has the sizes of one";
                let len = grouped_len(1, k, group, layout, width).expect(shape);
                let groups_len = group_count(1, k, group, layout).expect(shape);
                let (packed, groups) = (&packed[row * len..][..len], &groups[row * groups_len..][..groups_len]);
                self.add_grouped(&GroupedRow { packed, width, groups, group, scale: scales.get(row) }, out);
            }
        }
    }
}
