//! Keys and values as weight matrices: attention multiplies queries with keys, and probabilities
//! with values, by the same int8 product as everything else.

use super::{Layout, PIECE, TILE, offset_int8, packed_len_int8};

/// Packs the quantized keys of a head, `[tokens][stride]` of which `d` are used, as a matrix of
/// `tokens` channels and `d` inputs.
///
/// # Panics
///
/// When `rows` is not `tokens * stride` long, `stride` is less than `d` rounded up to 16, `out` is
/// not [`packed_len_int8`]`(tokens, d, layout)` long, or the layout is row-major.
pub fn pack_keys(rows: &[i8], stride: usize, tokens: usize, d: usize, layout: Layout, out: &mut [i8]) {
    check(rows, stride, tokens, d, layout, packed_len_int8(tokens, d, layout), out);
    match layout {
        Layout::Tile4 => keys::<16>(rows, stride, tokens, d, out),
        Layout::Tile8 => keys::<8>(rows, stride, tokens, d, out),
        _ => keys::<4>(rows, stride, tokens, d, out),
    }
}

/// Packs the quantized values of a head, `[tokens][stride]` of which `d` are used, as a matrix of
/// `d` channels and `tokens` inputs.
///
/// # Panics
///
/// As [`pack_keys`], with `out` [`packed_len_int8`]`(d, tokens, layout)` long.
pub fn pack_values(rows: &[i8], stride: usize, tokens: usize, d: usize, layout: Layout, out: &mut [i8]) {
    check(rows, stride, tokens, d, layout, packed_len_int8(d, tokens, layout), out);
    match layout {
        Layout::Tile4 => values::<4, 16>(rows, stride, tokens, d, layout, out),
        Layout::Tile8 => values::<8, 8>(rows, stride, tokens, d, layout, out),
        _ => values::<16, 4>(rows, stride, tokens, d, layout, out),
    }
}

fn check(rows: &[i8], stride: usize, tokens: usize, d: usize, layout: Layout, expected: Option<usize>, out: &mut [i8]) {
    assert!(layout != Layout::RowMajor, "keys and values are packed in tiles");
    assert!(stride >= d.next_multiple_of(TILE), "the stride must be at least d, rounded up to 16");
    assert_eq!(Some(rows.len()), tokens.checked_mul(stride), "rows must be tokens * stride long");
    assert_eq!(Some(out.len()), expected, "out must have the length of the packed matrix");
}

/// `I` inputs of a key lie side by side before and after.
fn keys<const I: usize>(rows: &[i8], stride: usize, tokens: usize, d: usize, out: &mut [i8]) {
    let (steps, channels) = (d.div_ceil(I), PIECE / I);
    let padded = tokens.next_multiple_of(TILE);
    for (tile, out) in out.chunks_exact_mut(steps * PIECE).take(padded / channels).enumerate() {
        for channel in 0..channels {
            let token = tile * channels + channel;
            // A token beyond the last one is a channel of zeros.
            let row = rows.get(token * stride..(token + 1) * stride).unwrap_or_default().as_chunks::<I>().0;
            for (step, out) in out.chunks_exact_mut(PIECE).enumerate() {
                out[channel * I..][..I].copy_from_slice(row.get(step).unwrap_or(&[0; I]));
            }
        }
    }
}

/// A piece of `C` channels by `I` tokens is the transpose of that part of the rows.
fn values<const C: usize, const I: usize>(
    rows: &[i8],
    stride: usize,
    tokens: usize,
    d: usize,
    layout: Layout,
    out: &mut [i8],
) {
    const NONE: [i8; PIECE] = [0; PIECE];
    for first in (0..tokens).step_by(I) {
        let mut tokens_of_piece = [&NONE[..]; I];
        for (i, token) in tokens_of_piece.iter_mut().enumerate().take(tokens - first) {
            *token = &rows[(first + i) * stride..][..stride];
        }
        for channel in (0..d.next_multiple_of(TILE)).step_by(C) {
            let out = &mut out[offset_int8(channel, first, tokens, layout)..][..PIECE];
            let mut columns = [[0; C]; I];
            for (column, token) in columns.iter_mut().zip(tokens_of_piece) {
                if let Some(values) = token.get(channel..channel + C) {
                    column.copy_from_slice(values);
                }
            }
            for (c, out) in out.as_chunks_mut::<I>().0.iter_mut().enumerate() {
                *out = core::array::from_fn(|i| columns[i][c]);
            }
        }
    }
}
