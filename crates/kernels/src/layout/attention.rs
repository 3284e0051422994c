//! Keys and values as weight matrices: attention multiplies queries with keys, and probabilities
//! with values, by the same int8 product as everything else.

use core::array;

use super::{Layout, PIECE, TILE, offset_int8, packed_len_int8};

/// Packs quantized keys of a head as a matrix of `tokens` channels and `d` inputs: those of the
/// tokens from `first` on, `rows` being `[number of them][stride]` of which `d` are used.
///
/// The channels up to the next multiple of 16 are set to zero.
///
/// # Panics
///
/// When `rows` is no whole number of rows, they go beyond `tokens`, `first` is no multiple of 16,
/// `stride` is less than `d` rounded up to 16, `out` is not
/// [`packed_len_int8`]`(tokens, d, layout)` long, or the layout is row-major.
pub fn pack_keys(rows: &[i8], stride: usize, first: usize, tokens: usize, d: usize, layout: Layout, out: &mut [i8]) {
    let count = check(rows, stride, first, tokens, d, layout);
    assert_eq!(Some(out.len()), packed_len_int8(tokens, d, layout), "out must have the length of the packed matrix");
    let tile_len = d.next_multiple_of(layout.inputs()) * TILE;
    let out = &mut out[first / TILE * tile_len..][..count.div_ceil(TILE) * tile_len];
    match layout {
        Layout::Tile4 => keys::<16>(rows, stride, d, out),
        Layout::Tile8 => keys::<8>(rows, stride, d, out),
        _ => keys::<4>(rows, stride, d, out),
    }
}

/// Packs quantized values of a head as a matrix of `d` channels and `tokens` inputs: those of the
/// tokens from `first` on, as [`pack_keys`] does.
///
/// # Panics
///
/// As [`pack_keys`], with `out` [`packed_len_int8`]`(d, tokens, layout)` long.
pub fn pack_values(rows: &[i8], stride: usize, first: usize, tokens: usize, d: usize, layout: Layout, out: &mut [i8]) {
    check(rows, stride, first, tokens, d, layout);
    assert_eq!(Some(out.len()), packed_len_int8(d, tokens, layout), "out must have the length of the packed matrix");
    match layout {
        Layout::Tile4 => values::<4, 16>(rows, stride, first, tokens, d, layout, out),
        Layout::Tile8 => values::<8, 8>(rows, stride, first, tokens, d, layout, out),
        _ => values::<16, 4>(rows, stride, first, tokens, d, layout, out),
    }
}

/// The number of rows.
fn check(rows: &[i8], stride: usize, first: usize, tokens: usize, d: usize, layout: Layout) -> usize {
    assert!(layout != Layout::RowMajor, "keys and values are packed in tiles");
    assert!(d > 0 && stride >= d.next_multiple_of(TILE), "the stride must be at least d, rounded up to 16");
    let count = rows.len() / stride;
    assert!(rows.len() == count * stride, "rows must be whole rows");
    assert!(
        first.is_multiple_of(TILE) && first <= tokens && count <= tokens - first,
        "the tokens must lie in the matrix"
    );
    count
}

/// `I` inputs of a key lie side by side before and after.
fn keys<const I: usize>(rows: &[i8], stride: usize, d: usize, out: &mut [i8]) {
    let (steps, channels) = (d.div_ceil(I), PIECE / I);
    for (tile, out) in out.chunks_exact_mut(steps * PIECE).enumerate() {
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
    first: usize,
    tokens: usize,
    d: usize,
    layout: Layout,
    out: &mut [i8],
) {
    for (piece, rows) in rows.chunks(I * stride).enumerate() {
        for channel in (0..d.next_multiple_of(TILE)).step_by(C) {
            let out = &mut out[offset_int8(channel, first + piece * I, tokens, layout)..][..PIECE];
            // Tokens beyond the last one are inputs of zeros.
            let mut columns = [[0; C]; I];
            for (column, row) in columns.iter_mut().zip(rows.chunks_exact(stride)) {
                column.copy_from_slice(&row[channel..channel + C]);
            }
            for (c, out) in out.as_chunks_mut::<I>().0.iter_mut().enumerate() {
                *out = array::from_fn(|i| columns[i][c]);
            }
        }
    }
}
