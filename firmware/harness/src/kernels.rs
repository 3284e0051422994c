//! Every operation of the instruction set in use against the reference, bit for bit: what the sentences of a check file
//! use of it depends on their model.
//!
//! Short rows at and around the widths of vectors. `kernel-tests` has the whole tests; this is what a machine can do at
//! every start, without an allocator and in a few kilobytes of stack.

use distil_kernels::layout::{group_count, packed_len_f32, packed_len_int4, packed_len_int8};
use distil_kernels::{
    Epilogue, Group, Isa, Kernels, Layout, Matrix, RowScale, Scales, ShapeError, Vector, quantized_stride,
};

/// Lengths of rows.
const LENGTHS: [usize; 9] = [1, 3, 4, 15, 16, 17, 31, 33, MOST];
/// The longest of them.
const MOST: usize = 64;
/// Rows, inputs and output channels of products.
const ROWS: usize = 5;
const INPUTS: usize = 32;
const CHANNELS: usize = 19;
/// Values of the largest packed matrix: channels are padded to 32, inputs of the larger group to 64, two in a byte.
const PACKED: usize = 32 * INPUTS;
const EPILOGUES: [Epilogue; 4] = [Epilogue::Store, Epilogue::Gelu, Epilogue::Relu, Epilogue::Add];

/// Compares all operations; the number of comparisons, or the name of the operation that differs.
pub(crate) fn compare(kernels: Kernels) -> Result<u32, &'static str> {
    if kernels.isa() == Isa::Reference {
        return Ok(0);
    }
    let mut count = 0;
    for length in LENGTHS {
        rows(kernels, length, &mut count)?;
    }
    for layout in [Layout::RowMajor, Layout::Tile16, Layout::Tile8, Layout::Tile4] {
        integers(kernels, layout, &mut count)?;
    }
    for layout in [Layout::RowMajor, Layout::Tile16] {
        floats(kernels, layout, &mut count)?;
    }
    Ok(count)
}

/// What is said of a matrix whose sizes this file has wrong.
fn shape(_: ShapeError) -> &'static str {
    "matrix"
}

/// Products with int8 and int4. A function of its own, as the next one, so that their matrices are not on the stack
/// together.
#[inline(never)]
fn integers(kernels: Kernels, layout: Layout, count: &mut u32) -> Result<(), &'static str> {
    let scales: [u16; CHANNELS] = core::array::from_fn(|i| 0x3b00 + 7 * i as u16);
    let scales = Scales::Bf16(&scales);
    let signed: [i8; PACKED] = core::array::from_fn(weight);
    let len = packed_len_int8(CHANNELS, INPUTS, layout).unwrap_or(0);
    let matrix = Matrix::int8(&signed[..len], scales, CHANNELS, INPUTS, layout).map_err(shape)?;
    product(kernels, &matrix, "product with int8", count)?;
    for group in [Group::Of32, Group::Of64] {
        let nibbles: [u8; PACKED] = core::array::from_fn(|i| weight(i) as u8);
        let groups: [u8; PACKED / 32] = core::array::from_fn(|i| 1 + (i % 15) as u8);
        let len = packed_len_int4(CHANNELS, INPUTS, group, layout).unwrap_or(0);
        let all = group_count(CHANNELS, INPUTS, group, layout).unwrap_or(0);
        let matrix = Matrix::int4(&nibbles[..len], &groups[..all], group, scales, CHANNELS, INPUTS, layout);
        product(kernels, &matrix.map_err(shape)?, "product with int4", count)?;
    }
    Ok(())
}

#[inline(never)]
fn floats(kernels: Kernels, layout: Layout, count: &mut u32) -> Result<(), &'static str> {
    let values: [f32; PACKED] = core::array::from_fn(|i| float(i, 5));
    let len = packed_len_f32(CHANNELS, INPUTS, layout).unwrap_or(0);
    let matrix = Matrix::float(&values[..len], CHANNELS, INPUTS, layout).map_err(shape)?;
    product(kernels, &matrix, "product with floats", count)
}

/// Numbers without a pattern that a vector's width divides, about -2.2 to 2.2.
fn float(i: usize, seed: usize) -> f32 {
    (((i * 7 + seed * 31) % 251) as f32 - 125.0) * 0.017_37 + 0.001_3
}

/// Weights from -127 to 127.
fn weight(i: usize) -> i8 {
    ((i * 7 + 31) % 255) as u8 as i8 ^ if (i * 7 + 31) % 255 == 128 { 1 } else { 0 }
}

/// Runs an operation with both and compares what it leaves in a row, and what else it gives.
fn same<T: PartialEq>(kernels: Kernels, length: usize, run: impl Fn(Kernels, &mut [f32], &mut [i8]) -> T) -> bool {
    let of = |kernels| {
        let mut row: [f32; MOST] = core::array::from_fn(|i| float(i, 1));
        let mut values = [0; quantized_stride(MOST)];
        let result = run(kernels, &mut row[..length], &mut values[..quantized_stride(length)]);
        (result, row.map(f32::to_bits), values)
    };
    of(kernels) == of(Kernels::reference())
}

/// The operations on one row.
fn rows(kernels: Kernels, length: usize, count: &mut u32) -> Result<(), &'static str> {
    let other: [f32; MOST] = core::array::from_fn(|i| float(i, 2));
    let more: [f32; MOST] = core::array::from_fn(|i| float(i, 3));
    let scales: [f32; MOST] = core::array::from_fn(|i| 0.01 + i as f32 * 0.001);
    let integers: [i8; MOST] = core::array::from_fn(weight);
    let nibbles: [u8; MOST] = core::array::from_fn(|i| (i * 73 + 5) as u8);
    let (other, more, scales, integers) = (&other[..length], &more[..length], &scales[..length], &integers[..length]);
    let group = Group::Of32;
    let packed = packed_len_int4(1, length, group, Layout::RowMajor).unwrap_or(0);
    let groups = group_count(1, length, group, Layout::RowMajor).unwrap_or(0);
    let scale_bits = |scale: RowScale| (scale.scale.to_bits(), scale.sum);
    let mut check = |name, equal: bool| {
        *count += 1;
        if equal { Ok(()) } else { Err(name) }
    };
    check(
        "quantize_rows",
        same(kernels, length, |kernels, row, values| {
            let mut scale = [RowScale::default()];
            kernels.quantize_rows(row, length, values, &mut scale);
            scale_bits(scale[0])
        }),
    )?;
    check("softmax", same(kernels, length, |kernels, row, _| kernels.softmax(row)))?;
    check("layer_norm", same(kernels, length, |kernels, row, _| kernels.layer_norm(row, other, more, 1e-12)))?;
    check(
        "norm_quantize",
        same(kernels, length, |kernels, row, values| {
            scale_bits(kernels.norm_quantize(row, other, more, 1e-12, values))
        }),
    )?;
    check(
        "attention_weights",
        same(kernels, length, |kernels, row, values| scale_bits(kernels.attention_weights(row, scales, values))),
    )?;
    check("add_dequantized", same(kernels, length, |kernels, row, _| kernels.add_dequantized(integers, 0.013, row)))?;
    check(
        "add_dequantized_int4",
        same(kernels, length, |kernels, row, _| {
            kernels.add_dequantized_int4(&nibbles[..packed], &[3, 7][..groups], group, 0.013, row);
        }),
    )?;
    check("add", same(kernels, length, |kernels, row, _| kernels.add(other, row)))?;
    check("scale", same(kernels, length, |kernels, row, _| kernels.scale(0.377, row)))?;
    check("sum_squares", same(kernels, length, |kernels, row, _| kernels.sum_squares(row).to_bits()))?;
    check("gelu", same(kernels, length, |kernels, row, _| kernels.gelu(row)))
}

/// A product with all rows, and with one, for every epilogue.
fn product(kernels: Kernels, matrix: &Matrix<'_>, name: &'static str, count: &mut u32) -> Result<(), &'static str> {
    let x: [f32; ROWS * INPUTS] = core::array::from_fn(|i| float(i, 4));
    let bias: [f32; CHANNELS] = core::array::from_fn(|i| float(i, 6));
    let mut values = [0; ROWS * quantized_stride(INPUTS)];
    let mut scales = [RowScale::default(); ROWS];
    Kernels::reference().quantize_rows(&x, INPUTS, &mut values, &mut scales);
    for (epilogue, rows) in EPILOGUES.into_iter().flat_map(|epilogue| [(epilogue, 1), (epilogue, ROWS)]) {
        let of = |kernels: Kernels| {
            let mut out: [f32; ROWS * CHANNELS] = core::array::from_fn(|i| float(i, 7));
            let (to, bias) = (&mut out[..rows * CHANNELS], Some(Vector::F32(&bias)));
            if matrix.is_integer() {
                let values = &values[..rows * quantized_stride(INPUTS)];
                kernels.matmul_int8(values, &scales[..rows], matrix, 0..CHANNELS, bias, epilogue, to, CHANNELS);
            } else {
                kernels.matmul_f32(&x[..rows * INPUTS], rows, matrix, 0..CHANNELS, bias, epilogue, to, CHANNELS);
            }
            out.map(f32::to_bits)
        };
        *count += 1;
        if of(kernels) != of(Kernels::reference()) {
            return Err(name);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use distil_kernels::{Isa, Kernels};

    use super::{compare, weight};

    #[test]
    fn every_instruction_set_of_this_machine_is_compared() {
        for kernels in Kernels::available() {
            let count = compare(kernels).unwrap();
            assert_eq!(count > 200, kernels.isa() != Isa::Reference, "{}: {count}", kernels.isa());
        }
    }

    #[test]
    fn no_weight_is_the_one_that_does_not_exist() {
        assert!((0..1000).all(|i| weight(i) != i8::MIN));
    }
}
