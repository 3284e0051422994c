//! Products of float matrices: 16 outputs of a row in four registers, each with one accumulator that
//! takes the inputs in ascending order.

use super::asm::helium;
use super::sums::dot;
use super::{elementwise, gelu};
use crate::LANES;
use crate::layout::{Layout, TILE};
use crate::matrix::Epilogue;
use crate::operations::{FloatProduct, Gemm};

/// Products of float rows with a float matrix.
pub(super) fn matmul(p: &FloatProduct<'_>, out: &mut [f32]) {
    let channels = &p.output.channels;
    for (x, out) in p.x.chunks_exact(p.k).zip(out.chunks_mut(p.output.stride)).take(p.rows) {
        for first in (channels.start / TILE * TILE..channels.end).step_by(TILE) {
            let part = first.max(channels.start)..(first + TILE).min(channels.end);
            let mut values = [0.0; LANES];
            if p.layout == Layout::RowMajor {
                for channel in part.clone() {
                    values[channel - first] = dot(x, &p.weights[channel * p.k..][..p.k]);
                }
            } else {
                values = columns(x, &p.weights[first * p.k..][..TILE * p.k], TILE);
            }
            for channel in part.clone() {
                values[channel - first] += p.output.bias(channel);
            }
            match p.output.epilogue {
                Epilogue::Store | Epilogue::Add => {}
                Epilogue::Gelu => gelu::gelu(&mut values),
                Epilogue::Relu => elementwise::relu(&mut values),
            }
            let out = &mut out[part.start - channels.start..][..part.len()];
            for (out, value) in out.iter_mut().zip(&values[part.start - first..]) {
                *out = if p.output.epilogue == Epilogue::Add { *out + value } else { *value };
            }
        }
    }
}

/// Product of two float matrices.
pub(super) fn gemm(g: &Gemm<'_>, out: &mut [f32]) {
    for (i, out) in out.chunks_mut(g.out_stride).take(g.rows).enumerate() {
        let a = &g.a[i * g.a_stride..][..g.k];
        for (block, out) in out[..g.n].chunks_mut(LANES).enumerate() {
            let b = &g.b[block * LANES..];
            let mut sums =
                if out.len() == LANES { columns(a, b, g.b_stride) } else { part(a, b, g.b_stride, out.len()) };
            elementwise::scale(g.scale, &mut sums);
            out.copy_from_slice(&sums[..out.len()]);
        }
    }
}

/// Fewer than 16 columns of one output row.
fn part(a: &[f32], b: &[f32], stride: usize, columns: usize) -> [f32; LANES] {
    let mut sums = [0.0; LANES];
    for (&a, b) in a.iter().zip(b.chunks(stride)) {
        for (sum, &b) in sums.iter_mut().zip(&b[..columns]) {
            *sum += a * b;
        }
    }
    sums
}

/// 16 columns of one output row.
fn columns(a: &[f32], b: &[f32], stride: usize) -> [f32; LANES] {
    assert!(!a.is_empty() && b.len() >= (a.len() - 1) * stride + LANES);
    let mut sums = [0.0; LANES];
    // SAFETY: `n` elements of `a` are read, and 16 of each of as many rows of `b`, `stride` apart,
    // which end inside it (the assertion above).
    unsafe {
        helium!(
            [
                "vmov.i32 q4, #0",
                "vmov.i32 q5, #0",
                "vmov.i32 q6, #0",
                "vmov.i32 q7, #0",
                "dls lr, {n}",
                "2:",
                "ldr {t}, [{a}], #4",
                "vldrw.u32 q0, [{b}]",
                "vmul.f32 q0, q0, {t}",
                "vldrw.u32 q1, [{b}, #16]",
                "vmul.f32 q1, q1, {t}",
                "vldrw.u32 q2, [{b}, #32]",
                "vmul.f32 q2, q2, {t}",
                "vldrw.u32 q3, [{b}, #48]",
                "vmul.f32 q3, q3, {t}",
                "vadd.f32 q4, q4, q0",
                "vadd.f32 q5, q5, q1",
                "vadd.f32 q6, q6, q2",
                "vadd.f32 q7, q7, q3",
                "add {b}, {stride}",
                "le lr, 2b",
                "vstrw.32 q4, [{sums}]",
                "vstrw.32 q5, [{sums}, #16]",
                "vstrw.32 q6, [{sums}, #32]",
                "vstrw.32 q7, [{sums}, #48]",
            ]
            a = inout(reg) a.as_ptr() => _,
            b = inout(reg) b.as_ptr() => _,
            stride = in(reg) stride * size_of::<f32>(),
            n = in(reg) a.len(),
            sums = in(reg) sums.as_mut_ptr(),
            t = out(reg) _,
        );
    }
    sums
}
