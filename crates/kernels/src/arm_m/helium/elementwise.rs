//! Operations that treat each element alone.

use super::asm::helium;

/// `out += x`.
pub(super) fn add(x: &[f32], out: &mut [f32]) {
    assert!(x.len() == out.len());
    // SAFETY: both slices have `n` elements.
    unsafe {
        helium!(
            [
                "wlstp.32 lr, {n}, 3f",
                "2:",
                "vldrw.u32 q0, [{x}], #16",
                "vldrw.u32 q1, [{out}]",
                "vadd.f32 q1, q1, q0",
                "vstrw.32 q1, [{out}], #16",
                "letp lr, 2b",
                "3:",
            ]
            x = inout(reg) x.as_ptr() => _,
            out = inout(reg) out.as_mut_ptr() => _,
            n = in(reg) out.len(),
        );
    }
}

/// `x *= factor`.
pub(super) fn scale(factor: f32, x: &mut [f32]) {
    // SAFETY: the slice has `n` elements.
    unsafe {
        helium!(
            [
                "wlstp.32 lr, {n}, 3f",
                "2:",
                "vldrw.u32 q0, [{x}]",
                "vmul.f32 q0, q0, {factor}",
                "vstrw.32 q0, [{x}], #16",
                "letp lr, 2b",
                "3:",
            ]
            x = inout(reg) x.as_mut_ptr() => _,
            factor = in(reg) factor.to_bits(),
            n = in(reg) x.len(),
        );
    }
}

/// `x = max(0, x)`, the operand when they are equal.
pub(super) fn relu(x: &mut [f32]) {
    // SAFETY: the slice has `n` elements.
    unsafe {
        helium!(
            [
                "wlstp.32 lr, {n}, 3f",
                "2:",
                "vldrw.u32 q0, [{x}]",
                "vpt.f32 lt, q0, zr",
                "vmovt.i32 q0, #0",
                "vstrw.32 q0, [{x}], #16",
                "letp lr, 2b",
                "3:",
            ]
            x = inout(reg) x.as_mut_ptr() => _,
            n = in(reg) x.len(),
        );
    }
}

/// `out += values * scale`.
pub(super) fn add_dequantized(values: &[i8], scale: f32, out: &mut [f32]) {
    assert!(values.len() == out.len());
    // SAFETY: both slices have `n` elements.
    unsafe {
        helium!(
            [
                "wlstp.32 lr, {n}, 3f",
                "2:",
                "vldrb.s32 q0, [{values}], #4",
                "vldrw.u32 q1, [{out}]",
                "vcvt.f32.s32 q0, q0",
                "vmul.f32 q0, q0, {scale}",
                "vadd.f32 q1, q1, q0",
                "vstrw.32 q1, [{out}], #16",
                "letp lr, 2b",
                "3:",
            ]
            values = inout(reg) values.as_ptr() => _,
            out = inout(reg) out.as_mut_ptr() => _,
            scale = in(reg) scale.to_bits(),
            n = in(reg) out.len(),
        );
    }
}

/// `x *= y`; returns the largest product, or 0 if that is larger.
pub(super) fn multiply(x: &mut [f32], y: &[f32]) -> f32 {
    assert!(x.len() == y.len());
    let mut largest = 0_u32;
    // SAFETY: both slices have `n` elements.
    unsafe {
        helium!(
            [
                "vmov.i32 q2, #0",
                "wlstp.32 lr, {n}, 3f",
                "2:",
                "vldrw.u32 q0, [{x}]",
                "vldrw.u32 q1, [{y}], #16",
                "vmul.f32 q0, q0, q1",
                "vmaxnm.f32 q2, q2, q0",
                "vstrw.32 q0, [{x}], #16",
                "letp lr, 2b",
                "3:",
                "vmaxnmv.f32 {largest}, q2",
            ]
            x = inout(reg) x.as_mut_ptr() => _,
            y = inout(reg) y.as_ptr() => _,
            n = in(reg) x.len(),
            largest = inout(reg) largest,
        );
    }
    f32::from_bits(largest)
}

/// The largest element; minus infinity of none.
pub(super) fn largest(x: &[f32]) -> f32 {
    let mut largest = f32::NEG_INFINITY.to_bits();
    // SAFETY: the slice has `n` elements.
    unsafe {
        helium!(
            [
                "vdup.32 q1, {largest}",
                "wlstp.32 lr, {n}, 3f",
                "2:",
                "vldrw.u32 q0, [{x}], #16",
                "vmaxnm.f32 q1, q1, q0",
                "letp lr, 2b",
                "3:",
                "vmaxnmv.f32 {largest}, q1",
            ]
            x = inout(reg) x.as_ptr() => _,
            n = in(reg) x.len(),
            largest = inout(reg) largest,
        );
    }
    f32::from_bits(largest)
}

/// The largest magnitude; 0 of none.
pub(super) fn magnitude(x: &[f32]) -> f32 {
    let mut largest = 0_u32;
    // SAFETY: the slice has `n` elements.
    unsafe {
        helium!(
            [
                "vmov.i32 q1, #0",
                "wlstp.32 lr, {n}, 3f",
                "2:",
                "vldrw.u32 q0, [{x}], #16",
                "vmaxnma.f32 q1, q0",
                "letp lr, 2b",
                "3:",
                "vmaxnmv.f32 {largest}, q1",
            ]
            x = inout(reg) x.as_ptr() => _,
            n = in(reg) x.len(),
            largest = inout(reg) largest,
        );
    }
    f32::from_bits(largest)
}
