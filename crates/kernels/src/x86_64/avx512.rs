//! AVX-512 with VNNI: 16 lanes are one register.
//!
//! `vpdpbusd` multiplies unsigned by signed bytes without saturation. The weights are the unsigned
//! operand: flipping the sign bit adds 128 to each, and 128 times the sum of the row is taken off
//! the result.

use core::arch::x86_64::*;

use crate::LANES;
use crate::isa::Isa;
use crate::layout::Layout;
use crate::matrix::RowScale;
use crate::operations::{FloatProduct, Gemm, Int8Product, NibbleRow, Operations};
use crate::vector::{self, Block, Int8, Simd, Sums};

vector::instantiate!(Isa::Avx512Vnni, Avx512, "avx512f,avx512bw,avx512vl,avx512vnni", 8 x 2);

/// Proof that the instructions exist.
#[derive(Clone, Copy)]
struct Avx512(());

impl Avx512 {
    /// Only a function that has these features can call it without `unsafe`.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    #[inline]
    fn new() -> Self {
        Avx512(())
    }
}

/// Runs intrinsics under the proof.
macro_rules! run {
    ($proof:expr, $intrinsics:expr) => {{
        let _: Avx512 = $proof;
        // SAFETY: an `Avx512` only exists where its instructions do; loads and stores go through
        // references to arrays of exactly the bytes that the instruction touches, and need no
        // alignment.
        unsafe { $intrinsics }
    }};
}

impl Simd for Avx512 {
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

impl Int8 for Avx512 {
    const OFFSET: i32 = 128;
    const TILES: usize = 2;
    const LAYOUT: Layout = Layout::Tile16;

    #[inline(always)]
    fn block(self, block: Block<'_>, sums: &mut Sums) -> usize {
        macro_rules! take {
            ($($rows:literal),*) => {
                match (block.tiles(), block.rows()) {
                    $((2, $rows..) => self.rows::<$rows, 2>(block, sums),)*
                    $((_, $rows..) => self.rows::<$rows, 1>(block, sums),)*
                    _ => 0,
                }
            };
        }
        take!(12, 8, 6, 4, 3, 2, 1)
    }

    #[inline(always)]
    fn dot4(self, a: &[i8], w: [&[i8]; 4]) -> [i32; 4] {
        let flip = run!(self, _mm512_set1_epi8(-128));
        let mut lanes = [self.splat_i32(0); 4];
        for (i, a) in a.as_chunks::<64>().0.iter().enumerate() {
            let a = run!(self, _mm512_loadu_si512(a.as_ptr().cast()));
            for (lanes, w) in lanes.iter_mut().zip(w) {
                let w = &w.as_chunks::<64>().0[i];
                let w = run!(self, _mm512_xor_si512(_mm512_loadu_si512(w.as_ptr().cast()), flip));
                *lanes = run!(self, _mm512_dpbusd_epi32(*lanes, w, a));
            }
        }
        run!(self, {
            let mut halves = [_mm256_setzero_si256(); 4];
            for (half, lanes) in halves.iter_mut().zip(lanes) {
                *half = _mm256_add_epi32(_mm512_castsi512_si256(lanes), _mm512_extracti64x4_epi64::<1>(lanes));
            }
            let pairs = [_mm256_hadd_epi32(halves[0], halves[1]), _mm256_hadd_epi32(halves[2], halves[3])];
            let quads = _mm256_hadd_epi32(pairs[0], pairs[1]);
            let sums = _mm_add_epi32(_mm256_castsi256_si128(quads), _mm256_extracti128_si256::<1>(quads));
            let mut out = [0; 4];
            _mm_storeu_si128(out.as_mut_ptr().cast(), sums);
            out
        })
    }
}

impl Avx512 {
    /// `R` rows by `C` tiles, the sums in registers.
    #[inline(always)]
    fn rows<const R: usize, const C: usize>(self, block: Block<'_>, sums: &mut Sums) -> usize {
        debug_assert!(block.rows() >= R && block.tiles() >= C);
        let (values, stride, steps) = (block.values(), block.stride(), block.inputs() / 4);
        let weights = block.weights();
        let flip = run!(self, _mm512_set1_epi8(-128));
        let mut lanes = [[self.splat_i32(0); C]; R];
        for step in 0..steps {
            let mut tiles = [flip; C];
            for (c, tile) in tiles.iter_mut().enumerate() {
                // SAFETY: `c < C <= tiles` and `4 * step < inputs`, so these 64 bytes are inside the
                // weights (`Block`).
                let w = unsafe { _mm512_loadu_si512(weights.add((c * steps + step) * 64).cast()) };
                *tile = run!(self, _mm512_xor_si512(w, flip));
            }
            for (r, lanes) in lanes.iter_mut().enumerate() {
                // SAFETY: `r < R <= rows` and `4 * step + 4 <= inputs`, so these four bytes are
                // inside the row (`Block`).
                let a = self.splat_i32(unsafe { values.add(r * stride + step * 4).cast::<i32>().read_unaligned() });
                for (lanes, tile) in lanes.iter_mut().zip(tiles) {
                    *lanes = run!(self, _mm512_dpbusd_epi32(*lanes, tile, a));
                }
            }
        }
        for (&lanes, sums) in lanes.as_flattened().iter().zip(&mut sums.0) {
            self.store_i32(lanes, sums);
        }
        R
    }
}
