//! From the exact sums of the int8 product to stored outputs.

use super::asm::helium;
use super::{elementwise, gelu};
use crate::matrix::{Epilogue, RowScale};
use crate::native::panel::CHANNELS;
use crate::native::product::{Quad, Quads};
use crate::operations::Int8Product;

/// Makes outputs of the sums of the rows from `row` on.
pub(super) fn finish(p: &Int8Product<'_>, quad: &Quad, row: usize, sums: &mut Quads, out: &mut [f32]) {
    let (rows, stride) = (&p.scales[row..][..sums.len()], p.output.stride);
    let out = &mut out[row * stride + quad.column..];
    let epilogue = p.output.epilogue;
    if quad.lanes.len() == CHANNELS && matches!(epilogue, Epilogue::Store | Epilogue::Add) {
        assert!(out.len() >= (rows.len() - 1) * stride + CHANNELS);
        // SAFETY: the sums are one for each row, and `out` holds four values for each, `stride`
        // apart (the assertion above).
        unsafe { scale(sums.as_ptr(), rows, quad, out.as_mut_ptr(), stride, epilogue == Epilogue::Add) };
        return;
    }
    let to = sums.as_mut_ptr().cast::<f32>();
    // SAFETY: each quad is loaded before floats are stored in its place, which are as large and
    // aligned alike; what is stored are bits that are a value of both types.
    let values = unsafe {
        scale(to.cast(), rows, quad, to, CHANNELS, false);
        core::slice::from_raw_parts_mut(to, CHANNELS * rows.len())
    };
    match epilogue {
        Epilogue::Store | Epilogue::Add => {}
        Epilogue::Gelu => gelu::gelu(values),
        Epilogue::Relu => elementwise::relu(values),
    }
    for (values, out) in values.as_chunks::<CHANNELS>().0.iter().zip(out.chunks_mut(stride)) {
        if let (&[a, b, c, d], Epilogue::Gelu, Some(out)) = (values, epilogue, out.first_chunk_mut())
            && quad.lanes.len() == CHANNELS
        {
            *out = [a, b, c, d];
            continue;
        }
        for (out, &value) in out.iter_mut().zip(&values[quad.lanes.clone()]) {
            *out = if epilogue == Epilogue::Add { *out + value } else { value };
        }
    }
}

/// `to = sums * (scale of the row * scales) + bias`, four channels of each row; with `add` onto what
/// is there.
///
/// # Safety
///
/// `sums` is readable for each of the rows, and `to` writable for four values for each, `stride`
/// values apart. They may be the same memory if `stride` is four.
unsafe fn scale(sums: *const [i32; CHANNELS], rows: &[RowScale], quad: &Quad, to: *mut f32, stride: usize, add: bool) {
    if add {
        // SAFETY: as the caller promises; a `RowScale` is eight bytes and starts with its scale.
        unsafe {
            helium!(
                [
                    "vldrw.u32 q0, [{scales}]",
                    "vldrw.u32 q1, [{bias}]",
                    "wls lr, {n}, 3f",
                    "2:",
                    "ldr {s}, [{rows}], #8",
                    "vldrw.u32 q2, [{sums}], #16",
                    "vmul.f32 q3, q0, {s}",
                    "vcvt.f32.s32 q2, q2",
                    "vldrw.u32 q4, [{to}]",
                    "vmul.f32 q2, q2, q3",
                    "vadd.f32 q2, q2, q1",
                    "vadd.f32 q2, q4, q2",
                    "vstrw.32 q2, [{to}]",
                    "add {to}, {stride}",
                    "le lr, 2b",
                    "3:",
                ]
                scales = in(reg) quad.scales.as_ptr(),
                bias = in(reg) quad.bias.as_ptr(),
                rows = inout(reg) rows.as_ptr() => _,
                sums = inout(reg) sums => _,
                to = inout(reg) to => _,
                stride = in(reg) stride * size_of::<f32>(),
                n = in(reg) rows.len(),
                s = out(reg) _,
            );
        }
    } else {
        // SAFETY: as the caller promises; a `RowScale` is eight bytes and starts with its scale.
        unsafe {
            helium!(
                [
                    "vldrw.u32 q0, [{scales}]",
                    "vldrw.u32 q1, [{bias}]",
                    "wls lr, {n}, 3f",
                    "2:",
                    "ldr {s}, [{rows}], #8",
                    "vldrw.u32 q2, [{sums}], #16",
                    "vmul.f32 q3, q0, {s}",
                    "vcvt.f32.s32 q2, q2",
                    "vmul.f32 q2, q2, q3",
                    "vadd.f32 q2, q2, q1",
                    "vstrw.32 q2, [{to}]",
                    "add {to}, {stride}",
                    "le lr, 2b",
                    "3:",
                ]
                scales = in(reg) quad.scales.as_ptr(),
                bias = in(reg) quad.bias.as_ptr(),
                rows = inout(reg) rows.as_ptr() => _,
                sums = inout(reg) sums => _,
                to = inout(reg) to => _,
                stride = in(reg) stride * size_of::<f32>(),
                n = in(reg) rows.len(),
                s = out(reg) _,
            );
        }
    }
}
