//! Philox 4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw (SC 2011): random words as a function of a key
//! and a counter, so that any part of a mask can be drawn anywhere, at any time. The CUDA twin is `cuda/dropout.cuh`.

/// Four words for each of `N` counters. Lanes are apart so that the loop vectorizes.
#[inline(always)]
pub(crate) fn philox<const N: usize>(mut key: [u32; 2], mut counter: [[u32; N]; 4]) -> [[u32; N]; 4] {
    let wide = |a: u32, b: u32| {
        let product = u64::from(a) * u64::from(b);
        ((product >> 32) as u32, product as u32)
    };
    for _ in 0..10 {
        #[expect(clippy::needless_range_loop, reason = "four arrays are walked together")]
        for i in 0..N {
            let (high0, low0) = wide(0xD251_1F53, counter[0][i]);
            let (high1, low1) = wide(0xCD9E_8D57, counter[2][i]);
            counter[0][i] = high1 ^ counter[1][i] ^ key[0];
            counter[1][i] = low1;
            counter[2][i] = high0 ^ counter[3][i] ^ key[1];
            counter[3][i] = low0;
        }
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    counter
}

/// Words for the counters `(first, row, head)`, `(first + 1, row, head)` and so on.
#[inline(always)]
pub(crate) fn draws<const N: usize>(key: [u32; 2], first: u64, row: u32, head: u32) -> [[u32; N]; 4] {
    let at = |i: usize| first.wrapping_add(i as u64);
    philox(
        key,
        [std::array::from_fn(|i| at(i) as u32), std::array::from_fn(|i| (at(i) >> 32) as u32), [row; N], [head; N]],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers of the authors' own distribution (Random123, `kat_vectors`).
    #[test]
    fn known_answers() {
        for (counter, key, answer) in [
            ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
            ([u32::MAX; 4], [u32::MAX; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
            (
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ] {
            assert_eq!(philox::<1>(key, counter.map(|c: u32| [c])).map(|[w]| w), answer);
        }
    }

    #[test]
    fn lanes_are_the_counters_in_turn() {
        let first = u64::from(u32::MAX) - 1;
        let many = draws::<4>([5, 6], first, 7, 8);
        for i in 0..4 {
            let one = draws::<1>([5, 6], first + i, 7, 8);
            assert_eq!(many.map(|w| w[i as usize]), one.map(|[w]| w));
        }
    }
}
