//! Keys and values as weight matrices: attention multiplies queries with keys, and probabilities
//! with values, by the same int8 product as everything else.

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
        Layout::Tile4 => keys::<16, 1>(rows, stride, d, out),
        Layout::Tile8 => keys::<8, 2>(rows, stride, d, out),
        _ => keys::<4, 4>(rows, stride, d, out),
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
        Layout::Tile4 => values::<16>(rows, stride, first, tokens, d, layout, out),
        Layout::Tile8 => values::<8>(rows, stride, first, tokens, d, layout, out),
        _ => values::<4>(rows, stride, first, tokens, d, layout, out),
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

/// `I` inputs of a key lie side by side before and after; 16 of them are `W` such words.
fn keys<const I: usize, const W: usize>(rows: &[i8], stride: usize, d: usize, out: &mut [i8]) {
    let (channels, padded) = (PIECE / I, d.next_multiple_of(I));
    for (rows, out) in rows.chunks(TILE * stride).zip(out.chunks_exact_mut(TILE * padded)) {
        for input in (0..d).step_by(TILE) {
            // A token beyond the last one is a channel of zeros.
            let mut block = [[[0; I]; W]; TILE];
            for (words, row) in block.iter_mut().zip(rows.chunks_exact(stride)) {
                words.as_flattened_mut().copy_from_slice(&row[input..input + TILE]);
            }
            for word in (0..W).take_while(|word| input + word * I < padded) {
                for (part, block) in block.chunks_exact(channels).enumerate() {
                    let at = (part * padded + input + word * I) * channels;
                    let out = out[at..at + PIECE].as_chunks_mut::<I>().0;
                    out.iter_mut().zip(block).for_each(|(out, words)| *out = words[word]);
                }
            }
        }
    }
}

/// 16 channels of `I` tokens are the transpose of that part of the rows.
fn values<const I: usize>(
    rows: &[i8],
    stride: usize,
    first: usize,
    tokens: usize,
    d: usize,
    layout: Layout,
    out: &mut [i8],
) {
    for (run, rows) in rows.chunks(I * stride).enumerate() {
        for channel in (0..d.next_multiple_of(TILE)).step_by(TILE) {
            // Tokens beyond the last one are inputs of zeros.
            let mut block = [0; TILE * TILE];
            for (token, row) in block.as_chunks_mut::<TILE>().0.iter_mut().zip(rows.chunks_exact(stride)) {
                token.copy_from_slice(&row[channel..channel + TILE]);
            }
            // The index of a byte is its token, then its channel. A perfect shuffle moves the top bit
            // to the bottom; after all bits of the token it is the channel, then the token.
            for _ in 0..I.ilog2() {
                let old = block;
                let (low, high) = old[..I * TILE].split_at(I * TILE / 2);
                shuffle(low, high, &mut block);
            }
            for (part, piece) in block.as_chunks::<PIECE>().0.iter().take(I * TILE / PIECE).enumerate() {
                let at = offset_int8(channel + part * (PIECE / I), first + run * I, tokens, layout);
                out[at..at + PIECE].copy_from_slice(piece);
            }
        }
    }
}

/// The bytes of both halves by turns. A loop of its own is one of vectors.
#[inline(never)]
fn shuffle(low: &[i8], high: &[i8], to: &mut [i8; TILE * TILE]) {
    for ((pair, &low), &high) in to.as_chunks_mut::<2>().0.iter_mut().zip(low).zip(high) {
        *pair = [low, high];
    }
}
