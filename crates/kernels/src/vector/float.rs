//! Products of float matrices.

use super::Simd;
use super::output::{Group, load_first, store_first};
use super::simd::load_part;
use crate::LANES;
use crate::layout::Layout;
use crate::operations::{FloatProduct, Gemm};

/// Sums of a block: 16 for each row and group of columns.
#[repr(align(64))]
struct Sums([[f32; LANES]; 16]);

#[inline(always)]
pub(crate) fn gemm<S: Simd, const R: usize, const C: usize>(s: S, g: &Gemm<'_>, out: &mut [f32]) {
    let scale = s.splat(g.scale);
    let groups = g.n.div_ceil(LANES);
    let mut sums = Sums([[0.0; LANES]; 16]);
    let mut group = 0;
    while group < groups {
        let width = if groups - group >= C { C } else { 1 };
        let mut row = 0;
        while row < g.rows {
            let right = Right { b: &g.b[group * LANES..], stride: g.b_stride, apart: LANES };
            let taken =
                block::<S, R, C>(s, &g.a[row * g.a_stride..], g.a_stride, g.rows - row, right, g.k, width, &mut sums);
            for (sums, i) in sums.0.chunks_exact(width).zip(row..row + taken) {
                let out = &mut out[i * g.out_stride..][group * LANES..g.n.min((group + width) * LANES)];
                for (sums, out) in sums.iter().zip(out.chunks_mut(LANES)) {
                    store_first(s, s.mul(scale, s.load(sums)), out);
                }
            }
            row += taken;
        }
        group += width;
    }
}

#[inline(always)]
pub(crate) fn matmul<S: Simd, const R: usize, const C: usize>(s: S, p: &FloatProduct<'_>, out: &mut [f32]) {
    match p.layout {
        Layout::RowMajor => matmul_row_major(s, p, out),
        _ => matmul_tile16::<S, R, C>(s, p, out),
    }
}

#[inline(always)]
fn matmul_tile16<S: Simd, const R: usize, const C: usize>(s: S, p: &FloatProduct<'_>, out: &mut [f32]) {
    let tile_len = p.k * LANES;
    let (mut tile, end) = (p.output.channels.start / LANES, p.output.channels.end.div_ceil(LANES));
    let mut sums = Sums([[0.0; LANES]; 16]);
    while tile < end {
        let width = if end - tile >= C { C } else { 1 };
        let weights = &p.weights[tile * tile_len..][..width * tile_len];
        let mut tails = [Group::new(s, &p.output, tile * LANES); C];
        for (i, tail) in tails.iter_mut().enumerate().take(width).skip(1) {
            *tail = Group::new(s, &p.output, (tile + i) * LANES);
        }
        let mut row = 0;
        while row < p.rows {
            let right = Right { b: weights, stride: LANES, apart: tile_len };
            let taken = block::<S, R, C>(s, &p.x[row * p.k..], p.k, p.rows - row, right, p.k, width, &mut sums);
            for (sums, i) in sums.0.chunks_exact(width).zip(row..row + taken) {
                for (tail, sums) in tails.iter().zip(sums) {
                    tail.finish(s, s.load(sums), &mut out[i * p.output.stride..]);
                }
            }
            row += taken;
        }
        tile += width;
    }
}

/// Each output is a lane sum along the row, four channels at a time.
#[inline(always)]
fn matmul_row_major<S: Simd>(s: S, p: &FloatProduct<'_>, out: &mut [f32]) {
    let channels = p.output.channels.clone();
    for first in channels.clone().step_by(LANES) {
        let tail = Group::new(s, &p.output, first);
        for (i, x) in p.x.chunks_exact(p.k).take(p.rows).enumerate() {
            let mut sums = [0.0; LANES];
            for (quad, sums) in sums.as_chunks_mut::<4>().0.iter_mut().enumerate() {
                let start = first + quad * 4;
                if start >= channels.end {
                    break;
                }
                // Beyond the last channel the last one is repeated; its sum is not stored.
                let row_of = |i: usize| &p.weights[(start + i).min(channels.end - 1) * p.k..][..p.k];
                *sums = dot4(s, x, [row_of(0), row_of(1), row_of(2), row_of(3)]);
            }
            tail.finish(s, s.load(&sums), &mut out[i * p.output.stride..]);
        }
    }
}

/// Lane sums of the products of a row with four others, all equally long.
#[inline(always)]
fn dot4<S: Simd>(s: S, x: &[f32], w: [&[f32]; 4]) -> [f32; 4] {
    let mut lanes = [s.splat(0.0); 4];
    for start in (0..x.len()).step_by(LANES) {
        let x = load_first(s, &x[start..]);
        for (lanes, w) in lanes.iter_mut().zip(w) {
            *lanes = s.add(*lanes, s.mul(x, load_first(s, &w[start..])));
        }
    }
    let [l0, l1, l2, l3] = lanes;
    [s.sum(l0), s.sum(l1), s.sum(l2), s.sum(l3)]
}

/// The right operand of a block: rows `stride` apart, and its groups of 16 columns `apart` from
/// each other.
#[derive(Clone, Copy)]
struct Right<'a> {
    b: &'a [f32],
    stride: usize,
    apart: usize,
}

/// Multiplies some of `rows` rows (as many as the registers hold) with `width` groups of columns,
/// which is `C` or 1; returns how many rows.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "two operands, their shape, and the registers' worth of results")]
fn block<S: Simd, const R: usize, const C: usize>(
    s: S,
    a: &[f32],
    a_stride: usize,
    rows: usize,
    right: Right<'_>,
    k: usize,
    width: usize,
    sums: &mut Sums,
) -> usize {
    macro_rules! take {
        ($($size:tt),*) => {
            match width == C {
                $(true if rows >= $size => { part::<S, $size, C>(s, a, a_stride, right, k, sums); $size })*
                $(false if rows >= $size => { part::<S, $size, 1>(s, a, a_stride, right, k, sums); $size })*
                _ => 0,
            }
        };
    }
    take!(R, 4, 2, 1)
}

/// `R` rows by `C` groups of columns, the sums in registers.
#[inline(always)]
fn part<S: Simd, const R: usize, const C: usize>(
    s: S,
    a: &[f32],
    a_stride: usize,
    right: Right<'_>,
    k: usize,
    sums: &mut Sums,
) {
    let Right { b, stride, apart } = right;
    let mut rows = [&a[..k]; R];
    for (r, row) in rows.iter_mut().enumerate() {
        *row = &a[r * a_stride..][..k];
    }
    // Rows of `b` whose last group has 16 columns before the slice ends. The lanes beyond its last
    // column are not stored.
    let reach = (C - 1) * apart + LANES;
    let whole = if b.len() < reach { 0 } else { k.min((b.len() - reach) / stride + 1) };
    let mut lanes = [[s.splat(0.0); C]; R];
    for i in 0..whole {
        let mut columns = [s.splat(0.0); C];
        for (c, column) in columns.iter_mut().enumerate() {
            let at = i * stride + c * apart;
            debug_assert!(at + LANES <= b.len());
            // SAFETY: `i < whole`, so `i * stride + (C - 1) * apart + LANES <= b.len()`.
            *column = s.load(unsafe { &*b.as_ptr().add(at).cast() });
        }
        for (lanes, row) in lanes.iter_mut().zip(rows) {
            // SAFETY: each row is `k` long and `i < whole <= k`.
            let x = s.splat(unsafe { *row.get_unchecked(i) });
            for (lanes, column) in lanes.iter_mut().zip(columns) {
                *lanes = s.add(*lanes, s.mul(x, column));
            }
        }
    }
    for i in whole..k {
        for c in 0..C {
            let from = b.get(i * stride + c * apart..).unwrap_or_default();
            let column = load_part(s, &from[..from.len().min(LANES)], 0.0);
            for (lanes, row) in lanes.iter_mut().zip(rows) {
                lanes[c] = s.add(lanes[c], s.mul(s.splat(row[i]), column));
            }
        }
    }
    for (sums, &lanes) in sums.0.iter_mut().zip(lanes.as_flattened()) {
        s.store(lanes, sums);
    }
}
