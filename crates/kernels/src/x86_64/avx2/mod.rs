//! AVX2, with the dot products of AVX-VNNI or without: 16 lanes are two registers.

mod int4;
pub(super) mod madd;
pub(super) mod vnni;

use core::arch::x86_64::*;

use crate::LANES;
use crate::vector::Simd;

/// Proof that the instructions exist.
#[derive(Clone, Copy)]
struct Avx2<const VNNI: bool>(());

/// Runs intrinsics under the proof.
macro_rules! run {
    ($proof:expr, $intrinsics:expr) => {{
        let _: Avx2<_> = $proof;
        // SAFETY: an `Avx2` only exists where its instructions do; loads and stores go through
        // references to arrays of exactly the bytes that the instruction touches, and need no
        // alignment.
        unsafe { $intrinsics }
    }};
}
use run;

/// Applies an intrinsic to both halves.
macro_rules! both {
    ($proof:expr, $f:ident($($x:expr),*)) => {
        run!($proof, [$f($($x[0]),*), $f($($x[1]),*)])
    };
}

impl<const VNNI: bool> Simd for Avx2<VNNI> {
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
    fn largest(self, x: [__m256; 2]) -> f32 {
        run!(self, {
            let x = _mm256_max_ps(x[0], x[1]);
            let x = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
            let x = _mm_max_ps(x, _mm_movehl_ps(x, x));
            _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)))
        })
    }
    /// The conversion rounds to nearest, ties to even.
    #[inline(always)]
    fn round_i8(self, x: [__m256; 2], to: &mut [i8; LANES], sums: [__m256i; 2]) -> [__m256i; 2] {
        let rounded = both!(self, _mm256_cvtps_epi32(x));
        self.store_i8(rounded, to);
        self.add_i32(sums, rounded)
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

impl<const VNNI: bool> Avx2<VNNI> {
    /// The sum of each register.
    #[inline(always)]
    fn sums(self, lanes: [__m256i; 4]) -> [i32; 4] {
        run!(self, {
            let pairs = _mm256_hadd_epi32(_mm256_hadd_epi32(lanes[0], lanes[1]), _mm256_hadd_epi32(lanes[2], lanes[3]));
            let quads = _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256::<1>(pairs));
            let mut out = [0; 4];
            _mm_storeu_si128(out.as_mut_ptr().cast(), quads);
            out
        })
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
