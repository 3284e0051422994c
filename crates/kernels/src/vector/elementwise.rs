//! Operations that treat each element alone.

use super::simd::{load_part, store_part};
use super::{Simd, functions};
use crate::LANES;
use crate::layout::panel::{PANEL, unpack_row};
use crate::operations::GroupedRow;

/// Replaces each element of `out` by a function of it and of the element of `x` at its place.
#[inline(always)]
fn zip<S: Simd>(s: S, x: &[f32], out: &mut [f32], f: impl Fn(S::F32, S::F32) -> S::F32) {
    let (whole, rest) = out.as_chunks_mut::<LANES>();
    let (x, x_rest) = x.as_chunks::<LANES>();
    for (x, out) in x.iter().zip(whole) {
        s.store(f(s.load(x), s.load(out)), out);
    }
    if !rest.is_empty() {
        store_part(s, f(load_part(s, x_rest, 0.0), load_part(s, rest, 0.0)), rest);
    }
}

/// Replaces each element by a function of it.
#[inline(always)]
pub(super) fn map<S: Simd>(s: S, x: &mut [f32], f: impl Fn(S::F32) -> S::F32) {
    let (whole, rest) = x.as_chunks_mut::<LANES>();
    for x in whole {
        s.store(f(s.load(x)), x);
    }
    if !rest.is_empty() {
        store_part(s, f(load_part(s, rest, 0.0)), rest);
    }
}

#[inline(always)]
pub(crate) fn add<S: Simd>(s: S, x: &[f32], out: &mut [f32]) {
    zip(
        s,
        x,
        out,
        #[inline(always)]
        |x, out| s.add(out, x),
    );
}

#[inline(always)]
pub(crate) fn scale<S: Simd>(s: S, factor: f32, x: &mut [f32]) {
    map(
        s,
        x,
        #[inline(always)]
        |x| s.mul(x, s.splat(factor)),
    );
}

#[inline(always)]
pub(crate) fn gelu<S: Simd>(s: S, x: &mut [f32]) {
    let (whole, rest) = x.as_chunks_mut::<LANES>();
    let rows = whole.len();
    s.gelu_rows(whole.as_flattened_mut(), LANES, rows);
    if !rest.is_empty() {
        store_part(s, functions::gelu(s, load_part(s, rest, 0.0)), rest);
    }
}

#[inline(always)]
pub(crate) fn add_dequantized<S: Simd>(s: S, values: &[i8], scale: f32, out: &mut [f32]) {
    let factor = s.splat(scale);
    let (whole, rest) = out.as_chunks_mut::<LANES>();
    let (values, values_rest) = values.as_chunks::<LANES>();
    for (values, out) in values.iter().zip(whole) {
        let product = s.mul(s.to_f32(s.load_i8(values)), factor);
        s.store(s.add(s.load(out), product), out);
    }
    for (out, &value) in rest.iter_mut().zip(values_rest) {
        *out += f32::from(value) * scale;
    }
}

#[inline(always)]
pub(crate) fn add_dequantized_grouped<S: Simd>(s: S, row: &GroupedRow<'_>, out: &mut [f32]) {
    let mut values = [0; PANEL];
    for (i, out) in out.chunks_mut(PANEL).enumerate() {
        let values = &mut values[..out.len().next_multiple_of(row.group.inputs())];
        unpack_row(row.packed, row.width, row.groups, row.group, i * PANEL, values);
        add_dequantized(s, &values[..out.len()], row.scale, out);
    }
}
