//! XXH32, the file's checksum: the published algorithm (<https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md>), whole or streamed.

use core::hint::black_box;

const PRIME_1: u32 = 0x9E37_79B1;
const PRIME_2: u32 = 0x85EB_CA77;
const PRIME_3: u32 = 0xC2B2_AE3D;
const PRIME_4: u32 = 0x27D4_EB2F;
const PRIME_5: u32 = 0x1656_67B1;

/// Bytes of a stripe: four lanes of four bytes.
const STRIPE: usize = 16;
/// Bytes of a usual cache line.
const LINE: usize = 64;
/// Bytes to fetch together: they fit the smallest data cache.
const PAGE: usize = 4096;

/// XXH32 of `bytes`.
pub fn xxh32(bytes: &[u8], seed: u32) -> u32 {
    let mut state = Xxh32::new(seed);
    state.update(bytes);
    state.finish()
}

/// XXH32 of bytes that arrive in pieces: any split gives the checksum of the whole.
#[derive(Clone, Copy, Debug)]
pub struct Xxh32 {
    lanes: [u32; 4],
    seed: u32,
    /// Bytes seen, modulo 2^32 as the algorithm has it.
    total: u32,
    /// Whether a whole stripe was seen.
    striped: bool,
    pending: [u8; STRIPE],
    pending_len: usize,
}

impl Xxh32 {
    /// Starts a checksum.
    pub fn new(seed: u32) -> Self {
        Self {
            lanes: [
                seed.wrapping_add(PRIME_1).wrapping_add(PRIME_2),
                seed.wrapping_add(PRIME_2),
                seed,
                seed.wrapping_sub(PRIME_1),
            ],
            seed,
            total: 0,
            striped: false,
            pending: [0; STRIPE],
            pending_len: 0,
        }
    }

    /// Adds bytes.
    pub fn update(&mut self, mut bytes: &[u8]) {
        // Truncation is the algorithm's: it adds the length modulo 2^32.
        self.total = self.total.wrapping_add(bytes.len() as u32);
        if self.pending_len > 0 {
            for slot in self.pending.iter_mut().skip(self.pending_len) {
                let Some((&first, rest)) = bytes.split_first() else {
                    return;
                };
                *slot = first;
                self.pending_len += 1;
                bytes = rest;
            }
            let stripe = self.pending;
            self.stripes(&[stripe]);
            self.pending_len = 0;
        }
        let (stripes, tail) = bytes.as_chunks::<STRIPE>();
        self.stripes(stripes);
        for (slot, &byte) in self.pending.iter_mut().zip(tail) {
            *slot = byte;
        }
        self.pending_len = tail.len();
    }

    /// The checksum of all bytes added so far.
    pub fn finish(&self) -> u32 {
        let mut hash = if self.striped {
            let [a, b, c, d] = self.lanes;
            a.rotate_left(1)
                .wrapping_add(b.rotate_left(7))
                .wrapping_add(c.rotate_left(12))
                .wrapping_add(d.rotate_left(18))
        } else {
            self.seed.wrapping_add(PRIME_5)
        };
        hash = hash.wrapping_add(self.total);
        let tail = self.pending.get(..self.pending_len).unwrap_or_default();
        let (words, bytes) = tail.as_chunks::<4>();
        for word in words {
            hash = hash
                .wrapping_add(u32::from_le_bytes(*word).wrapping_mul(PRIME_3))
                .rotate_left(17)
                .wrapping_mul(PRIME_4);
        }
        for &byte in bytes {
            hash = hash.wrapping_add(u32::from(byte).wrapping_mul(PRIME_5)).rotate_left(11).wrapping_mul(PRIME_1);
        }
        hash ^= hash >> 15;
        hash = hash.wrapping_mul(PRIME_2);
        hash ^= hash >> 13;
        hash = hash.wrapping_mul(PRIME_3);
        hash ^ (hash >> 16)
    }

    fn stripes(&mut self, stripes: &[[u8; STRIPE]]) {
        // Four independent multiplication chains: local variables keep them in registers.
        let [mut a, mut b, mut c, mut d] = self.lanes;
        for page in stripes.chunks(PAGE / STRIPE) {
            touch(page);
            for stripe in page {
                let &[a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3, d0, d1, d2, d3] = stripe;
                a = round(a, u32::from_le_bytes([a0, a1, a2, a3]));
                b = round(b, u32::from_le_bytes([b0, b1, b2, b3]));
                c = round(c, u32::from_le_bytes([c0, c1, c2, c3]));
                d = round(d, u32::from_le_bytes([d0, d1, d2, d3]));
            }
        }
        self.lanes = [a, b, c, d];
        self.striped |= !stripes.is_empty();
    }
}

/// Reads one byte of each cache line. The multiplication chains fill the processor's window, so that it asks for few lines ahead; asked for all at once, they come from memory more than
/// twice as fast; the example `lookup_speed` prints the time.
#[inline]
fn touch(page: &[[u8; STRIPE]]) {
    let lines = page.iter().step_by(LINE / STRIPE);
    black_box(lines.fold(0, |all, &[first, ..]| all | first));
}

#[inline(always)]
fn round(lane: u32, word: u32) -> u32 {
    lane.wrapping_add(word.wrapping_mul(PRIME_2)).rotate_left(13).wrapping_mul(PRIME_1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    /// The sanity buffer of xxHash's own test program.
    fn sanity_buffer(len: usize) -> Vec<u8> {
        let mut state: u32 = PRIME_1;
        (0..len)
            .map(|_| {
                let byte = (state >> 24) as u8;
                state = state.wrapping_mul(state);
                byte
            })
            .collect()
    }

    #[test]
    fn published_vectors() {
        // xxHash's sanity check (tests of release 0.6 to 0.7) and the widely published hashes of short texts.
        let buffer = sanity_buffer(101);
        for (len, seed, expected) in [
            (0, 0, 0x02CC_5D05),
            (0, PRIME_1, 0x36B7_8AE7),
            (1, 0, 0xB85C_BEE5),
            (1, PRIME_1, 0xD584_5D64),
            (14, 0, 0xE5AA_0AB4),
            (14, PRIME_1, 0x4481_951D),
            (101, 0, 0x1F1A_A412),
            (101, PRIME_1, 0x498E_C8E2),
        ] {
            assert_eq!(xxh32(&buffer[..len], seed), expected, "length {len}, seed {seed:#x}");
        }
        assert_eq!(xxh32(b"a", 0), 0x550D_7456);
        assert_eq!(xxh32(b"abc", 0), 0x32D1_53FF);
        assert_eq!(xxh32(b"Nobody inspects the spammish repetition", 0), 0xE229_3B2F);
    }

    #[test]
    fn any_split_gives_the_same_checksum() {
        let buffer = sanity_buffer(101);
        for first in 0..=buffer.len() {
            for second in first..=buffer.len() {
                let mut state = Xxh32::new(7);
                state.update(&buffer[..first]);
                state.update(&buffer[first..second]);
                state.update(&buffer[second..]);
                assert_eq!(state.finish(), xxh32(&buffer, 7), "split at {first} and {second}");
            }
        }
    }
}
