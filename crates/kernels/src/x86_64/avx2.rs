//! AVX2: 16 lanes are two registers.
//!
//! Bytes are widened to 16 bits and multiplied in pairs by `vpmaddwd`, which is exact for every
//! byte.

use core::arch::x86_64::*;

use crate::LANES;
use crate::isa::Isa;
use crate::layout::Layout;
use crate::matrix::RowScale;
use crate::operations::{FloatProduct, Gemm, Int8Product, NibbleRow, Operations};
use crate::vector::{self, Block, Int8, Simd, Sums};

vector::instantiate!(Isa::Avx2, Avx2, "avx2", 4 x 1);

/// Proof that the instructions exist.
#[derive(Clone, Copy)]
struct Avx2(());

impl Avx2 {
    /// Only a function that has this feature can call it without `unsafe`.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn new() -> Self {
        Avx2(())
    }
}

/// Runs intrinsics under the proof.
macro_rules! run {
    ($proof:expr, $intrinsics:expr) => {{
        let _: Avx2 = $proof;
        // SAFETY: an `Avx2` only exists where its instructions do; loads and stores go through
        // references to arrays of exactly the bytes that the instruction touches, and need no
        // alignment.
        unsafe { $intrinsics }
    }};
}

/// Applies an intrinsic to both halves.
macro_rules! both {
    ($proof:expr, $f:ident($($x:expr),*)) => {
        run!($proof, [$f($($x[0]),*), $f($($x[1]),*)])
    };
}

impl Simd for Avx2 {
    type F32 = [__m256; 2];
    type I32 = [__m256i; 2];

    #[inline(always)]
    fn splat(self, x: f32) -> [__m256; 2] {
        run!(self, [_mm256_set1_ps(x); 2])
    }
    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> [__m256; 2] {
        let [low, high] = halves(from);
        run!(self, [_mm256_loadu_ps(low.as_ptr()), _mm256_loadu_ps(high.as_ptr())])
    }
    #[inline(always)]
    fn store(self, x: [__m256; 2], to: &mut [f32; LANES]) {
        let [low, high] = halves_mut(to);
        run!(self, {
            _mm256_storeu_ps(low.as_mut_ptr(), x[0]);
            _mm256_storeu_ps(high.as_mut_ptr(), x[1]);
        });
    }
    #[inline(always)]
    fn add(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        both!(self, _mm256_add_ps(a, b))
    }
    #[inline(always)]
    fn sub(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        both!(self, _mm256_sub_ps(a, b))
    }
    #[inline(always)]
    fn mul(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        both!(self, _mm256_mul_ps(a, b))
    }
    #[inline(always)]
    fn max(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        both!(self, _mm256_max_ps(a, b))
    }
    #[inline(always)]
    fn min(self, a: [__m256; 2], b: [__m256; 2]) -> [__m256; 2] {
        both!(self, _mm256_min_ps(a, b))
    }
    #[inline(always)]
    fn abs(self, x: [__m256; 2]) -> [__m256; 2] {
        let sign = self.splat(-0.0);
        both!(self, _mm256_andnot_ps(sign, x))
    }
    #[inline(always)]
    fn times_power_of_two(self, p: [__m256; 2], shifted: [__m256; 2]) -> [__m256; 2] {
        let power = both!(self, _mm256_castps_si256(shifted));
        let power = run!(self, [_mm256_slli_epi32::<23>(power[0]), _mm256_slli_epi32::<23>(power[1])]);
        let sum = self.add_i32(both!(self, _mm256_castps_si256(p)), power);
        both!(self, _mm256_castsi256_ps(sum))
    }
    #[inline(always)]
    fn splat_i32(self, x: i32) -> [__m256i; 2] {
        run!(self, [_mm256_set1_epi32(x); 2])
    }
    #[inline(always)]
    fn load_i32(self, from: &[i32; LANES]) -> [__m256i; 2] {
        let [low, high] = halves(from);
        run!(self, [_mm256_loadu_si256(low.as_ptr().cast()), _mm256_loadu_si256(high.as_ptr().cast())])
    }
    #[inline(always)]
    fn store_i32(self, x: [__m256i; 2], to: &mut [i32; LANES]) {
        let [low, high] = halves_mut(to);
        run!(self, {
            _mm256_storeu_si256(low.as_mut_ptr().cast(), x[0]);
            _mm256_storeu_si256(high.as_mut_ptr().cast(), x[1]);
        });
    }
    #[inline(always)]
    fn load_i8(self, from: &[i8; LANES]) -> [__m256i; 2] {
        run!(self, {
            let bytes = _mm_loadu_si128(from.as_ptr().cast());
            [_mm256_cvtepi8_epi32(bytes), _mm256_cvtepi8_epi32(_mm_unpackhi_epi64(bytes, bytes))]
        })
    }
    #[inline(always)]
    fn store_i8(self, x: [__m256i; 2], to: &mut [i8; LANES]) {
        run!(self, {
            // Packing works within each 128-bit half: the order of the four parts is put right at
            // the end.
            let mask = _mm256_set1_epi32(0xff);
            let words = _mm256_packus_epi32(_mm256_and_si256(x[0], mask), _mm256_and_si256(x[1], mask));
            let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(words);
            let bytes = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words));
            _mm_storeu_si128(to.as_mut_ptr().cast(), bytes);
        });
    }
    #[inline(always)]
    fn add_i32(self, a: [__m256i; 2], b: [__m256i; 2]) -> [__m256i; 2] {
        both!(self, _mm256_add_epi32(a, b))
    }
    #[inline(always)]
    fn sub_i32(self, a: [__m256i; 2], b: [__m256i; 2]) -> [__m256i; 2] {
        both!(self, _mm256_sub_epi32(a, b))
    }
    #[inline(always)]
    fn to_f32(self, x: [__m256i; 2]) -> [__m256; 2] {
        both!(self, _mm256_cvtepi32_ps(x))
    }
    #[inline(always)]
    fn low_byte(self, x: [__m256; 2]) -> [__m256i; 2] {
        let bits = both!(self, _mm256_castps_si256(x));
        let bits = run!(self, [_mm256_slli_epi32::<24>(bits[0]), _mm256_slli_epi32::<24>(bits[1])]);
        run!(self, [_mm256_srai_epi32::<24>(bits[0]), _mm256_srai_epi32::<24>(bits[1])])
    }
    #[inline(always)]
    fn sum(self, x: [__m256; 2]) -> f32 {
        run!(self, {
            let x = _mm256_add_ps(x[0], x[1]);
            let x = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
            let x = _mm_add_ps(x, _mm_movehl_ps(x, x));
            _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)))
        })
    }
}

impl Int8 for Avx2 {
    const OFFSET: i32 = 0;
    const TILES: usize = 1;
    const LAYOUT: Layout = Layout::Tile16;

    #[inline(always)]
    fn block(self, block: Block<'_>, sums: &mut Sums) -> usize {
        match block.rows() {
            2.. => self.rows::<2>(block, sums),
            _ => self.rows::<1>(block, sums),
        }
    }

    #[inline(always)]
    fn dot4(self, a: &[i8], w: [&[i8]; 4]) -> [i32; 4] {
        let mut lanes = run!(self, [_mm256_setzero_si256(); 4]);
        for (i, a) in a.as_chunks::<16>().0.iter().enumerate() {
            let a = run!(self, _mm256_cvtepi8_epi16(_mm_loadu_si128(a.as_ptr().cast())));
            for (lanes, w) in lanes.iter_mut().zip(w) {
                let w = &w.as_chunks::<16>().0[i];
                let w = run!(self, _mm256_cvtepi8_epi16(_mm_loadu_si128(w.as_ptr().cast())));
                *lanes = run!(self, _mm256_add_epi32(*lanes, _mm256_madd_epi16(a, w)));
            }
        }
        run!(self, {
            let pairs = _mm256_hadd_epi32(_mm256_hadd_epi32(lanes[0], lanes[1]), _mm256_hadd_epi32(lanes[2], lanes[3]));
            let quads = _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256::<1>(pairs));
            let mut out = [0; 4];
            _mm_storeu_si128(out.as_mut_ptr().cast(), quads);
            out
        })
    }
}

impl Avx2 {
    /// `R` rows by one tile; each register sums four channels, two 32-bit lanes for each.
    #[inline(always)]
    fn rows<const R: usize>(self, block: Block<'_>, sums: &mut Sums) -> usize {
        debug_assert!(block.rows() >= R && block.tiles() == 1);
        let (values, stride, weights) = (block.values(), block.stride(), block.weights());
        let mut lanes = run!(self, [[_mm256_setzero_si256(); 4]; R]);
        for step in 0..block.inputs() / 4 {
            let mut a = run!(self, [_mm256_setzero_si256(); R]);
            for (r, a) in a.iter_mut().enumerate() {
                // SAFETY: `r < R <= rows` and `4 * step + 4 <= inputs`, so these four bytes are
                // inside the row (`Block`).
                let bytes = unsafe { values.add(r * stride + step * 4).cast::<i32>().read_unaligned() };
                *a = run!(self, _mm256_cvtepi8_epi16(_mm_set1_epi32(bytes)));
            }
            for quad in 0..4 {
                // SAFETY: `4 * step < inputs`, so these 16 of its 64 bytes are inside the weights
                // (`Block`).
                let w = unsafe { _mm_loadu_si128(weights.add(step * 64 + quad * 16).cast()) };
                let w = run!(self, _mm256_cvtepi8_epi16(w));
                for (lanes, a) in lanes.iter_mut().zip(a) {
                    lanes[quad] = run!(self, _mm256_add_epi32(lanes[quad], _mm256_madd_epi16(w, a)));
                }
            }
        }
        for (lanes, sums) in lanes.into_iter().zip(&mut sums.0) {
            let halves = run!(self, {
                // Adding neighbours works within each 128-bit half: the middle parts change places
                // at the end.
                let (low, high) = (_mm256_hadd_epi32(lanes[0], lanes[1]), _mm256_hadd_epi32(lanes[2], lanes[3]));
                [_mm256_permute4x64_epi64::<0b11_01_10_00>(low), _mm256_permute4x64_epi64::<0b11_01_10_00>(high)]
            });
            self.store_i32(halves, sums);
        }
        R
    }
}

#[inline(always)]
fn halves<T>(x: &[T; LANES]) -> [&[T; 8]; 2] {
    let [low, high] = x.as_chunks::<8>().0 else { unreachable!("16 are two times 8") };
    [low, high]
}

#[inline(always)]
fn halves_mut<T>(x: &mut [T; LANES]) -> [&mut [T; 8]; 2] {
    let [low, high] = x.as_chunks_mut::<8>().0 else { unreachable!("16 are two times 8") };
    [low, high]
}
