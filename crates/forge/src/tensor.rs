//! Tensors in any storage, by the formulas of `crates/format/SPEC.md`, section 4.3.

use distil_format::{Config, Dtype, Layout, TensorData, TensorId, data_len, elements_len, scales_len};

/// Where element (`row`, `col`) starts: its byte, and how far its nibble is shifted.
fn place(dtype: Dtype, layout: Layout, cols: usize, row: usize, col: usize) -> (usize, u32) {
    let (channels, inputs) = layout.tile().unwrap_or((1, 16));
    let within = row % channels * inputs + col % inputs;
    match (dtype, layout) {
        (Dtype::Int4G32 | Dtype::Int4G64 | Dtype::Int3G32, _) => {
            let padded = cols.next_multiple_of(dtype.group().unwrap_or(1));
            let piece = row / channels * (padded / (2 * inputs)) + col / (2 * inputs);
            (piece * channels * inputs + within, if (col / inputs).is_multiple_of(2) { 0 } else { 4 })
        }
        (Dtype::F32, Layout::RowMajor) => ((row * cols + col) * 4, 0),
        (Dtype::F32, _) => ((row / 16 * 16 * cols + 16 * col + row % 16) * 4, 0),
        (Dtype::F16, _) => ((row * cols + col) * 2, 0),
        (Dtype::Int8, Layout::RowMajor) => (row * cols + col, 0),
        (Dtype::Int8, _) => ((row / channels * cols.div_ceil(inputs) + col / inputs) * 64 + within, 0),
    }
}

/// Puts a nibble, in its half of a byte that would be byte `at` of int4, into its place of int3.
fn three_bits(data: &mut [u8], layout: Layout, at: usize, byte: u8) {
    let piece = if layout == Layout::RowMajor { 16 } else { 64 };
    let (start, quarter, within) = (at / piece * (piece / 4 * 3), piece / 4, at % piece);
    if within < 3 * quarter {
        data[start + within] |= byte & 0xEE;
    } else {
        (0..3).for_each(|i| data[start + i * quarter + within % quarter] |= (byte >> (3 - i)) & 0x11);
    }
}

/// A tensor whose element (row, column) is `value(row, column)`, a number from -127 to 127: 64 of them are 1.0.
///
/// `scale` is the bfloat16 of every real row.
pub(crate) fn tensor(
    config: &Config,
    id: TensorId,
    (dtype, layout): (Dtype, Layout),
    scale: u16,
    value: impl Fn(usize, usize) -> i8,
) -> TensorData {
    let (rows, cols) = config.shape(id);
    let bytes = |len: Option<u64>| usize::try_from(len.expect("a small tensor")).expect("a small tensor");
    let mut data = vec![0; bytes(data_len(dtype, layout, rows, cols))];
    for (row, col) in (0..rows).flat_map(|row| (0..cols).map(move |col| (row, col))) {
        let (at, shift) = place(dtype, layout, cols, row, col);
        let value = value(row, col);
        match dtype {
            Dtype::F32 => data[at..at + 4].copy_from_slice(&(f32::from(value) / 64.0).to_le_bytes()),
            // 1 + value / 1024: the value's bits are the mantissa.
            Dtype::F16 => data[at..at + 2].copy_from_slice(&(0x3C00 | u16::from(value.unsigned_abs())).to_le_bytes()),
            Dtype::Int8 => data[at] = value.max(-127).cast_unsigned(),
            Dtype::Int4G32 | Dtype::Int4G64 => data[at] |= (value.cast_unsigned() & 15) << shift,
            Dtype::Int3G32 => three_bits(&mut data, layout, at, (value.cast_unsigned() & 15) << shift),
        }
    }
    if let Some(group) = dtype.group() {
        let (factors, groups) = (bytes(elements_len(dtype, layout, rows, cols)), cols.div_ceil(group));
        for (at, factor) in data[factors..].iter_mut().enumerate() {
            let row = if layout.tile().is_none() { at / groups } else { at / 16 / groups * 16 + at % 16 };
            *factor = if row < rows { 1 + (value(row, 0).unsigned_abs() % 15) } else { 1 };
        }
    }
    let padding = 0x3F80_u16;
    let scales = 0..bytes(scales_len(dtype, layout, rows)) / 2;
    let scales = scales.flat_map(|row| if row < rows { scale } else { padding }.to_le_bytes()).collect();
    TensorData { id, dtype, layout, data, scales }
}
