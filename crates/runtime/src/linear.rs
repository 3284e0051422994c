//! A linear layer over whichever weights the file holds: integers, with rows quantized on the fly, or float32.

use core::ops::Range;

use distil_kernels::{Epilogue, Kernels, Matrix, RowScale, Vector, quantized_stride};

use crate::buffers::Quantized;

/// A weight matrix `[outputs][inputs]` with its bias.
#[derive(Clone, Copy)]
pub(crate) struct Linear<'a> {
    pub(crate) weight: Matrix<'a>,
    pub(crate) bias: Vector<'a>,
}

/// Activations `[rows][inputs]` and their int8 form, which all matrices that read them share.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'b> {
    float: &'b [f32],
    values: &'b [i8],
    scales: &'b [RowScale],
}

impl<'b> Rows<'b> {
    /// Quantizes `x`, `[rows][inputs]`, into `room` if any of `readers` has integer weights.
    pub(crate) fn quantize(
        kernels: Kernels,
        x: &'b [f32],
        inputs: usize,
        room: &'b mut Quantized<'_>,
        readers: &[&Linear],
    ) -> Self {
        let rows = x.len() / inputs;
        let values = &mut room.values[..rows * quantized_stride(inputs)];
        let scales = &mut room.scales[..rows];
        if readers.iter().any(|linear| linear.weight.is_integer()) {
            kernels.quantize_rows(x, inputs, values, scales);
        }
        Self { float: x, values, scales }
    }

    /// Takes rows that are already quantized.
    pub(crate) fn new(x: &'b [f32], inputs: usize, quantized: &'b Quantized<'_>) -> Self {
        Self { float: x, ..quantized.part(0..x.len() / inputs, inputs) }
    }

    /// Some of the rows.
    pub(crate) fn part(&self, rows: Range<usize>) -> Self {
        let all = self.scales.len();
        let (width, stride) = (self.float.len() / all, self.values.len() / all);
        Self {
            float: &self.float[rows.start * width..rows.end * width],
            values: &self.values[rows.start * stride..rows.end * stride],
            scales: &self.scales[rows],
        }
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.scales.len()
    }

    /// Writes `epilogue(x W^T + b)` for the output `channels` to `out`, rows `stride` apart.
    pub(crate) fn apply(
        &self,
        kernels: Kernels,
        linear: &Linear,
        channels: Range<usize>,
        epilogue: Epilogue,
        out: &mut [f32],
        stride: usize,
    ) {
        let (weight, bias) = (&linear.weight, Some(linear.bias));
        if weight.is_integer() {
            kernels.matmul_int8(self.values, self.scales, weight, channels, bias, epilogue, out, stride);
        } else {
            kernels.matmul_f32(self.float, self.scales.len(), weight, channels, bias, epilogue, out, stride);
        }
    }

    /// Rows of which only the int8 form is known.
    pub(crate) fn of(values: &'b [i8], scales: &'b [RowScale]) -> Self {
        Self { float: &[], values, scales }
    }

    /// Writes `x M^T` to `out`, rows `stride` apart; `matrix` has integer weights.
    pub(crate) fn multiply(&self, kernels: Kernels, matrix: &Matrix<'_>, out: &mut [f32], stride: usize) {
        let channels = 0..matrix.channels();
        kernels.matmul_int8(self.values, self.scales, matrix, channels, None, Epilogue::Store, out, stride);
    }
}
