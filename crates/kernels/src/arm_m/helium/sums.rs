//! Sums over a row in 16 virtual lanes, which are four registers.

use super::asm::helium;
use crate::LANES;

/// Sum of a row.
pub(super) fn sum(x: &[f32]) -> f32 {
    let mut lanes = [0.0; LANES];
    let (whole, rest) = x.as_chunks::<LANES>();
    // SAFETY: the loop reads `n` times 16 elements of `whole`, and `lanes` has 16.
    unsafe {
        helium!(
            [
                "vmov.i32 q4, #0",
                "vmov.i32 q5, #0",
                "vmov.i32 q6, #0",
                "vmov.i32 q7, #0",
                "wls lr, {n}, 3f",
                "2:",
                "vldrw.u32 q0, [{x}], #16",
                "vadd.f32 q4, q4, q0",
                "vldrw.u32 q1, [{x}], #16",
                "vadd.f32 q5, q5, q1",
                "vldrw.u32 q2, [{x}], #16",
                "vadd.f32 q6, q6, q2",
                "vldrw.u32 q3, [{x}], #16",
                "vadd.f32 q7, q7, q3",
                "le lr, 2b",
                "3:",
                "vstrw.32 q4, [{lanes}]",
                "vstrw.32 q5, [{lanes}, #16]",
                "vstrw.32 q6, [{lanes}, #32]",
                "vstrw.32 q7, [{lanes}, #48]",
            ]
            x = inout(reg) whole.as_ptr() => _,
            n = in(reg) whole.len(),
            lanes = in(reg) lanes.as_mut_ptr(),
        );
    }
    lanes.iter_mut().zip(rest).for_each(|(lane, x)| *lane += x);
    fold(lanes)
}

/// Sum of the squares of the differences from `center`.
pub(super) fn sum_squares_about(x: &[f32], center: f32) -> f32 {
    let mut lanes = [0.0; LANES];
    let (whole, rest) = x.as_chunks::<LANES>();
    // SAFETY: the loop reads `n` times 16 elements of `whole`, and `lanes` has 16.
    unsafe {
        helium!(
            [
                "vmov.i32 q4, #0",
                "vmov.i32 q5, #0",
                "vmov.i32 q6, #0",
                "vmov.i32 q7, #0",
                "wls lr, {n}, 3f",
                "2:",
                "vldrw.u32 q0, [{x}], #16",
                "vsub.f32 q0, q0, {center}",
                "vldrw.u32 q1, [{x}], #16",
                "vsub.f32 q1, q1, {center}",
                "vldrw.u32 q2, [{x}], #16",
                "vsub.f32 q2, q2, {center}",
                "vldrw.u32 q3, [{x}], #16",
                "vsub.f32 q3, q3, {center}",
                "vmul.f32 q0, q0, q0",
                "vmul.f32 q1, q1, q1",
                "vmul.f32 q2, q2, q2",
                "vmul.f32 q3, q3, q3",
                "vadd.f32 q4, q4, q0",
                "vadd.f32 q5, q5, q1",
                "vadd.f32 q6, q6, q2",
                "vadd.f32 q7, q7, q3",
                "le lr, 2b",
                "3:",
                "vstrw.32 q4, [{lanes}]",
                "vstrw.32 q5, [{lanes}, #16]",
                "vstrw.32 q6, [{lanes}, #32]",
                "vstrw.32 q7, [{lanes}, #48]",
            ]
            x = inout(reg) whole.as_ptr() => _,
            n = in(reg) whole.len(),
            center = in(reg) center.to_bits(),
            lanes = in(reg) lanes.as_mut_ptr(),
        );
    }
    lanes.iter_mut().zip(rest).for_each(|(lane, &x)| *lane += (x - center) * (x - center));
    fold(lanes)
}

/// Sum of the products of two rows.
pub(super) fn dot(x: &[f32], y: &[f32]) -> f32 {
    assert!(x.len() == y.len());
    let mut lanes = [0.0; LANES];
    let ((x, x_rest), (y, y_rest)) = (x.as_chunks::<LANES>(), y.as_chunks::<LANES>());
    // SAFETY: the loop reads `n` times 16 elements of each row, and `lanes` has 16.
    unsafe {
        helium!(
            [
                "vmov.i32 q4, #0",
                "vmov.i32 q5, #0",
                "vmov.i32 q6, #0",
                "vmov.i32 q7, #0",
                "wls lr, {n}, 3f",
                "2:",
                "vldrw.u32 q0, [{x}], #16",
                "vldrw.u32 q1, [{y}], #16",
                "vmul.f32 q0, q0, q1",
                "vldrw.u32 q2, [{x}], #16",
                "vadd.f32 q4, q4, q0",
                "vldrw.u32 q3, [{y}], #16",
                "vmul.f32 q2, q2, q3",
                "vldrw.u32 q0, [{x}], #16",
                "vadd.f32 q5, q5, q2",
                "vldrw.u32 q1, [{y}], #16",
                "vmul.f32 q0, q0, q1",
                "vldrw.u32 q2, [{x}], #16",
                "vadd.f32 q6, q6, q0",
                "vldrw.u32 q3, [{y}], #16",
                "vmul.f32 q2, q2, q3",
                "vadd.f32 q7, q7, q2",
                "le lr, 2b",
                "3:",
                "vstrw.32 q4, [{lanes}]",
                "vstrw.32 q5, [{lanes}, #16]",
                "vstrw.32 q6, [{lanes}, #32]",
                "vstrw.32 q7, [{lanes}, #48]",
            ]
            x = inout(reg) x.as_ptr() => _,
            y = inout(reg) y.as_ptr() => _,
            n = in(reg) x.len(),
            lanes = in(reg) lanes.as_mut_ptr(),
        );
    }
    lanes.iter_mut().zip(x_rest.iter().zip(y_rest)).for_each(|(lane, (x, y))| *lane += x * y);
    fold(lanes)
}

/// Folds the lanes in half until one is left.
fn fold(mut lanes: [f32; LANES]) -> f32 {
    for width in [8, 4, 2, 1] {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
    }
    lanes[0]
}
