//! AVX-512 with VNNI: 16 lanes are one register.
//!
//! `vpdpbusd` multiplies unsigned by signed bytes without saturation. The weights are the unsigned
//! operand: flipping the sign bit adds 128 to each, and 128 times the sum of the row is taken off
//! the result.

mod int4;
mod int8;

use core::arch::x86_64::*;

use crate::LANES;
use crate::isa::Isa;
use crate::matrix::RowScale;
use crate::operations::{FloatProduct, Gemm, GroupedRow, Int8Product, Operations};
use crate::vector::{self, Int8, Simd};

vector::instantiate!(Isa::Avx512Vnni, Avx512<false>, "avx512f,avx512bw,avx512vl,avx512vnni", 8 x 2);

/// Proof that the instructions exist; with AMX, products are made by its tiles.
#[derive(Clone, Copy)]
pub(super) struct Avx512<const AMX: bool>(());

impl<const AMX: bool> Avx512<AMX> {
    /// Only a function that has these features can call it without `unsafe`.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    #[inline]
    pub(super) fn new() -> Self {
        Avx512(())
    }
}

/// Runs intrinsics under the proof.
macro_rules! run {
    ($proof:expr, $intrinsics:expr) => {{
        let _: Avx512<_> = $proof;
        // SAFETY: an `Avx512` only exists where its instructions do; loads and stores go through
        // references to arrays of exactly the bytes that the instruction touches, and need no
        // alignment.
        unsafe { $intrinsics }
    }};
}
use run;

impl<const AMX: bool> Simd for Avx512<AMX> {
    type F32 = __m512;
    type I32 = __m512i;

    #[inline(always)]
    fn splat(self, x: f32) -> __m512 {
        run!(self, _mm512_set1_ps(x))
    }
    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> __m512 {
        run!(self, _mm512_loadu_ps(from.as_ptr()))
    }
    #[inline(always)]
    fn store(self, x: __m512, to: &mut [f32; LANES]) {
        run!(self, _mm512_storeu_ps(to.as_mut_ptr(), x))
    }
    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        run!(self, _mm512_add_ps(a, b))
    }
    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        run!(self, _mm512_sub_ps(a, b))
    }
    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        run!(self, _mm512_mul_ps(a, b))
    }
    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        run!(self, _mm512_max_ps(a, b))
    }
    #[inline(always)]
    fn min(self, a: __m512, b: __m512) -> __m512 {
        run!(self, _mm512_min_ps(a, b))
    }
    #[inline(always)]
    fn abs(self, x: __m512) -> __m512 {
        run!(self, _mm512_abs_ps(x))
    }
    #[inline(always)]
    fn times_power_of_two(self, p: __m512, shifted: __m512) -> __m512 {
        run!(self, {
            let power = _mm512_slli_epi32::<23>(_mm512_castps_si512(shifted));
            _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(p), power))
        })
    }
    #[inline(always)]
    fn splat_i32(self, x: i32) -> __m512i {
        run!(self, _mm512_set1_epi32(x))
    }
    #[inline(always)]
    fn load_i32(self, from: &[i32; LANES]) -> __m512i {
        run!(self, _mm512_loadu_si512(from.as_ptr().cast()))
    }
    #[inline(always)]
    fn store_i32(self, x: __m512i, to: &mut [i32; LANES]) {
        run!(self, _mm512_storeu_si512(to.as_mut_ptr().cast(), x))
    }
    #[inline(always)]
    fn load_i8(self, from: &[i8; LANES]) -> __m512i {
        run!(self, _mm512_cvtepi8_epi32(_mm_loadu_si128(from.as_ptr().cast())))
    }
    #[inline(always)]
    fn store_i8(self, x: __m512i, to: &mut [i8; LANES]) {
        run!(self, _mm_storeu_si128(to.as_mut_ptr().cast(), _mm512_cvtepi32_epi8(x)))
    }
    #[inline(always)]
    fn add_i32(self, a: __m512i, b: __m512i) -> __m512i {
        run!(self, _mm512_add_epi32(a, b))
    }
    #[inline(always)]
    fn sub_i32(self, a: __m512i, b: __m512i) -> __m512i {
        run!(self, _mm512_sub_epi32(a, b))
    }
    #[inline(always)]
    fn to_f32(self, x: __m512i) -> __m512 {
        run!(self, _mm512_cvtepi32_ps(x))
    }
    #[inline(always)]
    fn low_byte(self, x: __m512) -> __m512i {
        run!(self, _mm512_srai_epi32::<24>(_mm512_slli_epi32::<24>(_mm512_castps_si512(x))))
    }
    #[inline(always)]
    fn largest(self, x: __m512) -> f32 {
        run!(self, _mm512_reduce_max_ps(x))
    }
    /// The conversion rounds to nearest, ties to even.
    #[inline(always)]
    fn round_i8(self, x: __m512, to: &mut [i8; LANES], sums: __m512i) -> __m512i {
        let rounded = run!(self, _mm512_cvtps_epi32(x));
        self.store_i8(rounded, to);
        self.add_i32(sums, rounded)
    }
    #[inline(always)]
    fn sum(self, x: __m512) -> f32 {
        run!(self, {
            let upper = _mm512_castps_pd(x);
            let upper = _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(upper));
            let x = _mm256_add_ps(_mm512_castps512_ps256(x), upper);
            let x = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
            let x = _mm_add_ps(x, _mm_movehl_ps(x, x));
            _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)))
        })
    }
}
