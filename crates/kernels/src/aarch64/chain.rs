//! Products of 4-bit weights with baseline NEON: rows by four channels of [`Layout::Tile4`].
//!
//! `q` is in [-8, 7] and an input in [-127, 127], so 32 products add up to at most 32512 in a 16-bit
//! lane. Eight lanes of a group of 64 inputs hold 8 products each: they are summed along the group
//! (`smlal`), then pairs of lanes twice, until the limit is reached; only then come 32 bits and the
//! scale of the group. A group of 32 inputs can be summed once more.
//!
//! [`Layout::Tile4`]: crate::layout::Layout::Tile4

use core::arch::aarch64::int32x4_t;
use core::arch::asm;

/// One half of a register of inputs by four channels.
macro_rules! four {
    ($low:literal $high:literal, $a:literal, $w0:literal $w1:literal $w2:literal $w3:literal, $s0:literal $s1:literal $s2:literal $s3:literal) => {
        concat!(
            $low, " v", $s0, ".8h, v", $a, ".", $high, ", v", $w0, ".", $high, "\n", $low, " v", $s1, ".8h, v", $a,
            ".", $high, ", v", $w1, ".", $high, "\n", $low, " v", $s2, ".8h, v", $a, ".", $high, ", v", $w2, ".",
            $high, "\n", $low, " v", $s3, ".8h, v", $a, ".", $high, ", v", $w3, ".", $high, "\n",
        )
    };
}

/// 32 inputs of two rows, in `v8, v9` and `v10, v11`, by the weights in `v0` to `v7`. `$first` is
/// `smull` where the sums begin; the loads come where their registers are free.
macro_rules! two_rows {
    ($first:literal, [$($s:literal)*], [$($t:literal)*], $l0:literal $l1:literal $l2:literal $l3:literal) => {
        concat!(
            four!($first "8b", 8, 0 1 2 3, $($s)*),
            $l0,
            four!($first "8b", 10, 0 1 2 3, $($t)*),
            $l1,
            four!("smlal2" "16b", 8, 0 1 2 3, $($s)*),
            four!("smlal2" "16b", 10, 0 1 2 3, $($t)*),
            four!("smlal" "8b", 9, 4 5 6 7, $($s)*),
            four!("smlal" "8b", 11, 4 5 6 7, $($t)*),
            four!("smlal2" "16b", 9, 4 5 6 7, $($s)*),
            $l2,
            four!("smlal2" "16b", 11, 4 5 6 7, $($t)*),
            $l3,
        )
    };
}

/// 32 inputs of four rows.
macro_rules! four_rows {
    ($first:literal) => {
        concat!(
            "ldp q0, q1, [{w}], #128\nldp q8, q9, [{a0}], #32\nldp q2, q3, [{w}, #-96]\nldp q10, q11, [{a1}], #32\n",
            two_rows!($first, [16 17 18 19], [20 21 22 23],
                "ldp q4, q5, [{w}, #-64]\n" "ldp q6, q7, [{w}, #-32]\n" "ldp q8, q9, [{a2}], #32\n" "ldp q10, q11, [{a3}], #32\n"),
            two_rows!($first, [24 25 26 27], [28 29 30 31], "" "" "" ""),
        )
    };
}

/// Pairs of lanes twice: a register has two lanes for each of four channels.
macro_rules! fold {
    ($($s0:literal $s1:literal $s2:literal $s3:literal),*) => {
        concat!(
            $("addp v", $s0, ".8h, v", $s0, ".8h, v", $s1, ".8h\n",)*
            $("addp v", $s2, ".8h, v", $s2, ".8h, v", $s3, ".8h\n",)*
            $("addp v", $s0, ".8h, v", $s0, ".8h, v", $s2, ".8h\n",)*
        )
    };
}

/// A group of 64, its scales as 32-bit numbers.
macro_rules! group64 {
    () => {
        concat!(
            four_rows!("smull"),
            four_rows!("smlal"),
            "ldr q0, [{g}], #16\n",
            fold!(16 17 18 19, 20 21 22 23, 24 25 26 27, 28 29 30 31),
            "saddlp v16.4s, v16.8h\nsaddlp v20.4s, v20.8h\nsaddlp v24.4s, v24.8h\nsaddlp v28.4s, v28.8h\n",
            "mla v12.4s, v16.4s, v0.4s\nmla v13.4s, v20.4s, v0.4s\nmla v14.4s, v24.4s, v0.4s\nmla v15.4s, v28.4s, v0.4s\n",
        )
    };
}

/// A group of 32, its scales as 16-bit numbers, twice.
macro_rules! group32 {
    () => {
        concat!(
            four_rows!("smull"),
            "ldr q0, [{g}], #16\n",
            fold!(16 17 18 19, 20 21 22 23, 24 25 26 27, 28 29 30 31),
            "addp v16.8h, v16.8h, v20.8h\naddp v24.8h, v24.8h, v28.8h\n",
            "smlal v12.4s, v16.4h, v0.4h\nsmlal2 v13.4s, v16.8h, v0.8h\n",
            "smlal v14.4s, v24.4h, v0.4h\nsmlal2 v15.4s, v24.8h, v0.8h\n",
        )
    };
}

macro_rules! kernel {
    ($name:ident, $inputs:literal, $two:expr, $last:expr) => {
        #[doc = concat!("Adds four rows by four channels to `sums`; groups of ", $inputs, " inputs.")]
        ///
        /// `w` and `g` are left behind the weights and scales of these channels.
        ///
        /// # Safety
        ///
        /// `inputs` is a multiple of the group. That many values of each row and four times as many
        /// weights are readable, and 16 bytes of scales for each group.
        #[target_feature(enable = "neon")]
        #[inline]
        pub(super) unsafe fn $name(
            [a0, a1, a2, a3]: [*const i8; 4],
            w: &mut *const i8,
            g: &mut *const i16,
            inputs: usize,
            sums: [int32x4_t; 4],
        ) -> [int32x4_t; 4] {
            let [mut s0, mut s1, mut s2, mut s3] = sums;
            // SAFETY: the pointers of rows advance by `inputs`, that of the weights by four times
            // that, and that of the scales by 16 bytes for each group, over what is readable.
            unsafe {
                asm!(
                    "cbz {n}, 3f",
                    "2:",
                    $two,
                    "subs {n}, {n}, #1",
                    "b.ne 2b",
                    "3:",
                    $last,
                    w = inout(reg) *w,
                    g = inout(reg) *g,
                    n = inout(reg) inputs / 64 => _,
                    inputs = in(reg) inputs,
                    a0 = inout(reg) a0 => _,
                    a1 = inout(reg) a1 => _,
                    a2 = inout(reg) a2 => _,
                    a3 = inout(reg) a3 => _,
                    inout("v12") s0,
                    inout("v13") s1,
                    inout("v14") s2,
                    inout("v15") s3,
                    out("v0") _, out("v1") _, out("v2") _, out("v3") _,
                    out("v4") _, out("v5") _, out("v6") _, out("v7") _,
                    out("v8") _, out("v9") _, out("v10") _, out("v11") _,
                    out("v16") _, out("v17") _, out("v18") _, out("v19") _,
                    out("v20") _, out("v21") _, out("v22") _, out("v23") _,
                    out("v24") _, out("v25") _, out("v26") _, out("v27") _,
                    out("v28") _, out("v29") _, out("v30") _, out("v31") _,
                    options(readonly, nostack),
                )
            };
            [s0, s1, s2, s3]
        }
    };
}

kernel!(groups_of_64, "64", group64!(), "// {inputs}");
kernel!(groups_of_32, "32", concat!(group32!(), group32!()), concat!("tbz {inputs}, #5, 4f\n", group32!(), "4:"));
