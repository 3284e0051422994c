//! A linear layer over whichever weights the file holds: int8 with rows quantized on the fly, or float32.

use core::ops::Range;

use distil_kernels::{Epilogue, Kernels, Matrix, RowScale, Vector, quantized_stride};

/// A weight matrix `[outputs][inputs]` with its bias.
#[derive(Clone, Copy)]
pub(crate) struct Linear<'a> {
    pub(crate) weight: Matrix<'a>,
    pub(crate) bias: Vector<'a>,
}

/// Activations `[rows][inputs]`, with room for their int8 form.
///
/// Quantizing costs one pass over the rows, so it is done once and shared by all matrices that read them.
pub(crate) struct Rows<'b> {
    float: &'b [f32],
    values: &'b [i8],
    scales: &'b [RowScale],
}

impl<'b> Rows<'b> {
    /// Takes `x`, `[scales.len()][inputs]`, and quantizes each row if any of `readers` holds int8 weights.
    pub(crate) fn new(
        kernels: Kernels,
        x: &'b [f32],
        inputs: usize,
        values: &'b mut [i8],
        scales: &'b mut [RowScale],
        readers: &[&Linear],
    ) -> Self {
        let values = &mut values[..scales.len() * quantized_stride(inputs)];
        if readers.iter().any(|linear| linear.weight.is_integer()) {
            kernels.quantize_rows(x, inputs, values, scales);
        }
        Self { float: x, values, scales }
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
}
