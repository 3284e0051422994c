//! 16 virtual lanes as four registers of baseline NEON.

use core::arch::aarch64::*;
use core::arch::asm;

use super::gelu::gelu_rows;
use super::neon::Baseline;
use crate::LANES;
use crate::vector::Simd;

/// Proof that NEON exists, and with it what `P` proves.
#[derive(Clone, Copy)]
pub(super) struct Neon<P>(pub(super) P);

impl<P> Neon<P> {
    /// The same without what `P` proves beyond NEON.
    #[inline(always)]
    pub(super) fn baseline(self) -> Neon<Baseline> {
        // SAFETY: a `Neon` only exists where NEON does.
        unsafe { Neon::<Baseline>::new() }
    }
}

/// Runs intrinsics under the proof.
macro_rules! run {
    ($proof:expr, $intrinsics:expr) => {{
        let _: Neon<_> = $proof;
        // SAFETY: a `Neon` only exists where its instructions do; loads and stores go through
        // references to arrays of exactly the bytes that the instruction touches, aligned for their
        // elements.
        #[allow(unused_unsafe, reason = "some intrinsics are safe where NEON is the baseline")]
        unsafe {
            $intrinsics
        }
    }};
}

/// Applies an expression to each of the four registers.
macro_rules! each {
    ($proof:expr, |$i:ident| $intrinsics:expr) => {
        core::array::from_fn(
            #[inline(always)]
            |$i| run!($proof, $intrinsics),
        )
    };
}

impl<P: Copy> Simd for Neon<P> {
    type F32 = [float32x4_t; 4];
    type I32 = [int32x4_t; 4];

    #[inline(always)]
    fn splat(self, x: f32) -> Self::F32 {
        [run!(self, vdupq_n_f32(x)); 4]
    }
    #[inline(always)]
    fn load(self, from: &[f32; LANES]) -> Self::F32 {
        each!(self, |i| vld1q_f32(from[i * 4..][..4].as_ptr()))
    }
    #[inline(always)]
    fn store(self, x: Self::F32, to: &mut [f32; LANES]) {
        for (x, to) in x.into_iter().zip(to.as_chunks_mut::<4>().0) {
            run!(self, vst1q_f32(to.as_mut_ptr(), x));
        }
    }
    #[inline(always)]
    fn add(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        each!(self, |i| vaddq_f32(a[i], b[i]))
    }
    #[inline(always)]
    fn sub(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        each!(self, |i| vsubq_f32(a[i], b[i]))
    }
    #[inline(always)]
    fn mul(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        each!(self, |i| vmulq_f32(a[i], b[i]))
    }
    #[inline(always)]
    fn max(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        each!(self, |i| vbslq_f32(vcgtq_f32(a[i], b[i]), a[i], b[i]))
    }
    #[inline(always)]
    fn min(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        each!(self, |i| vbslq_f32(vcltq_f32(a[i], b[i]), a[i], b[i]))
    }
    #[inline(always)]
    fn larger(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        each!(self, |i| vmaxq_f32(a[i], b[i]))
    }
    #[inline(always)]
    fn smaller(self, a: Self::F32, b: Self::F32) -> Self::F32 {
        each!(self, |i| vminq_f32(a[i], b[i]))
    }
    #[inline(always)]
    fn largest(self, x: Self::F32) -> f32 {
        run!(self, vmaxvq_f32(vmaxq_f32(vmaxq_f32(x[0], x[1]), vmaxq_f32(x[2], x[3]))))
    }
    #[inline(always)]
    fn abs(self, x: Self::F32) -> Self::F32 {
        each!(self, |i| vabsq_f32(x[i]))
    }
    #[inline(always)]
    fn times_power_of_two(self, p: Self::F32, shifted: Self::F32) -> Self::F32 {
        each!(self, |i| {
            let mut bits = vreinterpretq_s32_f32(p[i]);
            // A shift to the left and an addition in one; of the intrinsic the compiler makes two.
            asm!(
                "mla {0:v}.4s, {1:v}.4s, {2:v}.4s",
                inout(vreg) bits, in(vreg) vreinterpretq_s32_f32(shifted[i]), in(vreg) vdupq_n_s32(1 << 23),
                options(pure, nomem, nostack, preserves_flags),
            );
            vreinterpretq_f32_s32(bits)
        })
    }
    const GELU_APART: bool = true;

    #[inline(always)]
    fn gelu_rows(self, x: &mut [f32], stride: usize, rows: usize) {
        gelu_rows(self, x, stride, rows);
    }
    #[inline(always)]
    fn splat_i32(self, x: i32) -> Self::I32 {
        [run!(self, vdupq_n_s32(x)); 4]
    }
    #[inline(always)]
    fn load_i32(self, from: &[i32; LANES]) -> Self::I32 {
        each!(self, |i| vld1q_s32(from[i * 4..][..4].as_ptr()))
    }
    #[inline(always)]
    fn store_i32(self, x: Self::I32, to: &mut [i32; LANES]) {
        for (x, to) in x.into_iter().zip(to.as_chunks_mut::<4>().0) {
            run!(self, vst1q_s32(to.as_mut_ptr(), x));
        }
    }
    #[inline(always)]
    fn load_i8(self, from: &[i8; LANES]) -> Self::I32 {
        run!(self, {
            let bytes = vld1q_s8(from.as_ptr());
            let (low, high) = (vmovl_s8(vget_low_s8(bytes)), vmovl_high_s8(bytes));
            [vmovl_s16(vget_low_s16(low)), vmovl_high_s16(low), vmovl_s16(vget_low_s16(high)), vmovl_high_s16(high)]
        })
    }
    #[inline(always)]
    fn store_i8(self, x: Self::I32, to: &mut [i8; LANES]) {
        run!(self, {
            let low = vmovn_high_s32(vmovn_s32(x[0]), x[1]);
            let high = vmovn_high_s32(vmovn_s32(x[2]), x[3]);
            vst1q_s8(to.as_mut_ptr(), vmovn_high_s16(vmovn_s16(low), high));
        });
    }
    #[inline(always)]
    fn add_i32(self, a: Self::I32, b: Self::I32) -> Self::I32 {
        each!(self, |i| vaddq_s32(a[i], b[i]))
    }
    #[inline(always)]
    fn sub_i32(self, a: Self::I32, b: Self::I32) -> Self::I32 {
        each!(self, |i| vsubq_s32(a[i], b[i]))
    }
    #[inline(always)]
    fn to_f32(self, x: Self::I32) -> Self::F32 {
        each!(self, |i| vcvtq_f32_s32(x[i]))
    }
    #[inline(always)]
    fn low_byte(self, x: Self::F32) -> Self::I32 {
        each!(self, |i| vshrq_n_s32::<24>(vshlq_n_s32::<24>(vreinterpretq_s32_f32(x[i]))))
    }
    #[inline(always)]
    fn round_i8(self, x: Self::F32, to: &mut [i8; LANES], sums: Self::I32) -> Self::I32 {
        let [s0, s1, s2, s3] = sums;
        run!(self, {
            let q = x.map(
                #[inline(always)]
                |x| vreinterpretq_s16_s32(vcvtnq_s32_f32(x)),
            );
            let (low, high) = (vuzp1q_s16(q[0], q[1]), vuzp1q_s16(q[2], q[3]));
            let bytes = vuzp1q_s8(vreinterpretq_s8_s16(low), vreinterpretq_s8_s16(high));
            vst1q_s8(to.as_mut_ptr(), bytes);
            [vpadalq_s16(s0, vpaddlq_s8(bytes)), s1, s2, s3]
        })
    }
    #[inline(always)]
    fn sum(self, x: Self::F32) -> f32 {
        run!(self, {
            let x = vaddq_f32(vaddq_f32(x[0], x[2]), vaddq_f32(x[1], x[3]));
            let x = vadd_f32(vget_low_f32(x), vget_high_f32(x));
            vget_lane_f32::<0>(x) + vget_lane_f32::<1>(x)
        })
    }
}
pub(super) use run;
