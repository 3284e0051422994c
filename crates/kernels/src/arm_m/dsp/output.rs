//! From the exact sums of the int8 product to stored outputs.
//!
//! Four of them side by side: each float operation waits for the one before, so four chains are what
//! keeps the float unit busy.

use crate::matrix::Epilogue;
use crate::native::panel::CHANNELS;
use crate::native::product::{Quad, Quads};
use crate::operations::Int8Product;
use crate::scalar::{self, EXP2, GELU_HIGH, HALF_ERFC, MAGIC, abs, max, min};

type Four = [f32; CHANNELS];

/// Makes outputs of the sums of the rows from `row` on.
pub(super) fn finish(p: &Int8Product<'_>, quad: &Quad, row: usize, sums: &Quads, out: &mut [f32]) {
    let (stride, epilogue) = (p.output.stride, p.output.epilogue);
    let rows = p.scales[row..].iter().zip(sums);
    for ((row, sums), out) in rows.zip(out[row * stride + quad.column..].chunks_mut(stride)) {
        let mut values = [0.0; CHANNELS];
        for i in 0..CHANNELS {
            values[i] = sums[i] as f32 * (row.scale * quad.scales[i]) + quad.bias[i];
        }
        match epilogue {
            Epilogue::Store | Epilogue::Add => {}
            Epilogue::Gelu => values = gelu4(values),
            Epilogue::Relu => values.iter_mut().for_each(|value| *value = max(0.0, *value)),
        }
        if let (CHANNELS, Some(out)) = (quad.lanes.len(), out.first_chunk_mut::<CHANNELS>()) {
            for i in 0..CHANNELS {
                out[i] = if epilogue == Epilogue::Add { out[i] + values[i] } else { values[i] };
            }
            continue;
        }
        for (out, &value) in out.iter_mut().zip(&values[quad.lanes.clone()]) {
            *out = if epilogue == Epilogue::Add { *out + value } else { value };
        }
    }
}

/// GELU of each value.
pub(super) fn gelu(x: &mut [f32]) {
    let (fours, rest) = x.as_chunks_mut::<CHANNELS>();
    fours.iter_mut().for_each(|four| *four = gelu4(*four));
    rest.iter_mut().for_each(|x| *x = scalar::gelu(*x));
}

/// GELU of four values; [`gelu`](crate::scalar::gelu) is the formula.
#[inline(never)]
fn gelu4(x: Four) -> Four {
    let mut a = [0.0; CHANNELS];
    for i in 0..CHANNELS {
        a[i] = min(GELU_HIGH, abs(x[i]));
    }
    let mut t = polynomial(a, &HALF_ERFC);
    let mut power = [0; CHANNELS];
    for i in 0..CHANNELS {
        t[i] = 0.0 - t[i];
        let shifted = t[i] + MAGIC;
        power[i] = shifted.to_bits() << 23;
        t[i] -= shifted - MAGIC;
    }
    let mut out = polynomial(t, &EXP2);
    for i in 0..CHANNELS {
        let tail = f32::from_bits(out[i].to_bits().wrapping_add(power[i]));
        out[i] = max(0.0, x[i]) - a[i] * tail;
    }
    out
}

/// The polynomial as one in `x^2` plus `x` times another.
#[inline(always)]
fn polynomial<const N: usize>(x: Four, coefficients: &[f32; N]) -> Four {
    let mut square = x;
    for i in 0..CHANNELS {
        square[i] = x[i] * x[i];
    }
    let mut sums = [[0.0; CHANNELS]; 2];
    sums[(N - 1) % 2] = [coefficients[N - 1]; CHANNELS];
    sums[N % 2] = [coefficients[N - 2]; CHANNELS];
    for c in (0..N - 2).rev() {
        for i in 0..CHANNELS {
            sums[c % 2][i] = sums[c % 2][i] * square[i] + coefficients[c];
        }
    }
    let mut out = x;
    for i in 0..CHANNELS {
        out[i] = sums[0][i] + x[i] * sums[1][i];
    }
    out
}
