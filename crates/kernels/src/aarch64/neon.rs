//! Baseline NEON: 16 lanes are four registers.
//!
//! Two byte products are summed in 16 bits (`smull`, `smlal`), then pairs of them into 32 bits
//! (`sadalp`). The first sum holds for weights in [-127, 127]: 2 * 128 * 127 is 32512.

use core::arch::aarch64::*;
use core::array::from_fn;

use crate::LANES;
use crate::isa::Isa;
use crate::layout::Layout;
use crate::matrix::RowScale;
use crate::operations::{FloatProduct, Gemm, Int8Product, NibbleRow, Operations};
use crate::vector::{self, Block, Int8, Simd, Sums};

vector::instantiate!(Isa::Neon, Neon, "neon", 4 x 1);

/// Proof that the instructions exist: on this architecture they always do.
#[derive(Clone, Copy)]
struct Neon(());

impl Neon {
    #[target_feature(enable = "neon")]
    #[inline]
    fn new() -> Self {
        Neon(())
    }
}

/// Runs intrinsics under the proof.
macro_rules! run {
    ($proof:expr, $intrinsics:expr) => {{
        let _: Neon = $proof;
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
        from_fn(
            #[inline(always)]
            |$i| run!($proof, $intrinsics),
        )
    };
}

impl Simd for Neon {
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
    fn abs(self, x: Self::F32) -> Self::F32 {
        each!(self, |i| vabsq_f32(x[i]))
    }
    #[inline(always)]
    fn times_power_of_two(self, p: Self::F32, shifted: Self::F32) -> Self::F32 {
        each!(self, |i| {
            let power = vshlq_n_s32::<23>(vreinterpretq_s32_f32(shifted[i]));
            vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(p[i]), power))
        })
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
    fn sum(self, x: Self::F32) -> f32 {
        run!(self, {
            let x = vaddq_f32(vaddq_f32(x[0], x[2]), vaddq_f32(x[1], x[3]));
            let x = vadd_f32(vget_low_f32(x), vget_high_f32(x));
            vget_lane_f32::<0>(x) + vget_lane_f32::<1>(x)
        })
    }
}

impl Int8 for Neon {
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
        let mut lanes = [run!(self, vdupq_n_s32(0)); 4];
        for (i, a) in a.as_chunks::<16>().0.iter().enumerate() {
            let a = run!(self, vld1q_s8(a.as_ptr()));
            for (lanes, w) in lanes.iter_mut().zip(w) {
                let w = &w.as_chunks::<16>().0[i];
                *lanes = run!(self, {
                    let w = vld1q_s8(w.as_ptr());
                    let products = vmull_s8(vget_low_s8(w), vget_low_s8(a));
                    vpadalq_s16(*lanes, vmlal_high_s8(products, w, a))
                });
            }
        }
        lanes.map(
            #[inline(always)]
            |lanes| run!(self, vaddvq_s32(lanes)),
        )
    }
}

impl Neon {
    /// `R` rows by one tile; each register sums two channels, two 32-bit lanes for each. Takes two
    /// steps at a time.
    #[inline(always)]
    fn rows<const R: usize>(self, block: Block<'_>, sums: &mut Sums) -> usize {
        debug_assert!(block.rows() >= R && block.tiles() == 1);
        let steps = block.inputs() / 4;
        let mut lanes = [[run!(self, vdupq_n_s32(0)); 8]; R];
        for step in (0..steps & !1).step_by(2) {
            let a: [[int8x16_t; 2]; R] = from_fn(
                #[inline(always)]
                |r| {
                    // SAFETY: `r < R <= rows` and `4 * step + 8 <= inputs`, so these
                    // eight bytes are inside the row (`Block`).
                    let a = unsafe { vld1_s8(block.values().add(r * block.stride() + step * 4)) };
                    run!(self, {
                        let a = vreinterpret_s32_s8(a);
                        [vreinterpretq_s8_s32(vdupq_lane_s32::<0>(a)), vreinterpretq_s8_s32(vdupq_lane_s32::<1>(a))]
                    })
                },
            );
            for quad in 0..4 {
                let w = [self.weights(block, step, quad), self.weights(block, step + 1, quad)];
                for (lanes, a) in lanes.iter_mut().zip(a) {
                    run!(self, {
                        let low = vmull_s8(vget_low_s8(w[0]), vget_low_s8(a[0]));
                        let low = vmlal_s8(low, vget_low_s8(w[1]), vget_low_s8(a[1]));
                        let high = vmlal_high_s8(vmull_high_s8(w[0], a[0]), w[1], a[1]);
                        lanes[2 * quad] = vpadalq_s16(lanes[2 * quad], low);
                        lanes[2 * quad + 1] = vpadalq_s16(lanes[2 * quad + 1], high);
                    });
                }
            }
        }
        if steps % 2 == 1 {
            let step = steps - 1;
            for (r, lanes) in lanes.iter_mut().enumerate() {
                // SAFETY: `r < R <= rows` and `4 * step + 4 <= inputs`, so these four bytes are
                // inside the row (`Block`).
                let a = unsafe {
                    let a = block.values().add(r * block.stride() + step * 4);
                    a.cast::<i32>().read_unaligned()
                };
                for quad in 0..4 {
                    let w = self.weights(block, step, quad);
                    run!(self, {
                        let a = vreinterpretq_s8_s32(vdupq_n_s32(a));
                        let low = vmull_s8(vget_low_s8(w), vget_low_s8(a));
                        lanes[2 * quad] = vpadalq_s16(lanes[2 * quad], low);
                        lanes[2 * quad + 1] = vpadalq_s16(lanes[2 * quad + 1], vmull_high_s8(w, a));
                    });
                }
            }
        }
        for (lanes, sums) in lanes.iter().zip(&mut sums.0) {
            self.store_i32(each!(self, |i| vpaddq_s32(lanes[2 * i], lanes[2 * i + 1])), sums);
        }
        R
    }

    /// Four channels by four inputs.
    #[inline(always)]
    fn weights(self, block: Block<'_>, step: usize, quad: usize) -> int8x16_t {
        debug_assert!(step < block.inputs() / 4 && quad < 4);
        // SAFETY: `4 * step < inputs` and `quad < 4`, so these 16 bytes are inside the weights
        // (`Block`).
        unsafe { vld1q_s8(block.weights().add(step * 64 + quad * 16)) }
    }
}
