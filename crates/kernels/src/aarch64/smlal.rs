//! Products of int8 with baseline NEON: rows by four channels of [`Layout::Tile4`].
//!
//! A register holds 16 inputs. Two products are summed in 16 bits (`smull`, `smlal2`), then pairs
//! of them into 32 bits (`sadalp`): 3 instructions for 16 multiplications. The first sum holds for
//! weights in [-127, 127]: 2 * 128 * 127 is 32512.
//!
//! The loops are assembly: every sum stays in its register, and the three instructions of a product
//! are issued five apart, for processors that execute in order.
//!
//! [`Layout::Tile4`]: crate::layout::Layout::Tile4

use core::arch::aarch64::int32x4_t;
use core::arch::asm;

/// The three instructions of a product: register of products, inputs, weights, sums.
macro_rules! stage {
    ($stage:ident -) => {
        ""
    };
    (smull ($t:literal $a:literal $w:literal $s:literal)) => {
        concat!("smull v", $t, ".8h, v", $a, ".8b, v", $w, ".8b\n")
    };
    (smlal2 ($t:literal $a:literal $w:literal $s:literal)) => {
        concat!("smlal2 v", $t, ".8h, v", $a, ".16b, v", $w, ".16b\n")
    };
    (sadalp ($t:literal $a:literal $w:literal $s:literal)) => {
        concat!("sadalp v", $s, ".4s, v", $t, ".8h\n")
    };
}

/// Products in a pipeline: while one begins, the second before it takes its middle step and the
/// fourth before it its last one. A string between products goes where it stands.
macro_rules! pipeline {
    // 32 inputs of a row, in `v$a0` and `v$a1`, by four channels, in `v0` to `v7`.
    (@ [$($done:tt)*] $p1:tt $p2:tt $p3:tt $p4:tt;
        row($a0:literal $a1:literal, $s0:literal $s1:literal $s2:literal $s3:literal, $l0:literal $l1:literal $l2:literal) $($rest:tt)*) => {
        pipeline!(@ [$($done)*] $p1 $p2 $p3 $p4;
            (10 $a0 0 $s0) (11 $a0 1 $s1) [$l0] (12 $a0 2 $s2) (13 $a0 3 $s3) [$l1]
            (10 $a1 4 $s0) (11 $a1 5 $s1) [$l2] (12 $a1 6 $s2) (13 $a1 7 $s3) $($rest)*)
    };
    // 16 inputs of a row.
    (@ [$($done:tt)*] $p1:tt $p2:tt $p3:tt $p4:tt;
        half($a0:literal, $s0:literal $s1:literal $s2:literal $s3:literal, $load:literal) $($rest:tt)*) => {
        pipeline!(@ [$($done)*] $p1 $p2 $p3 $p4;
            (10 $a0 0 $s0) (11 $a0 1 $s1) [$load] (12 $a0 2 $s2) (13 $a0 3 $s3) $($rest)*)
    };
    (@ [$($done:tt)*] $p1:tt $p2:tt $p3:tt $p4:tt; [$load:literal] $($rest:tt)*) => {
        pipeline!(@ [$($done)* $load,] $p1 $p2 $p3 $p4; $($rest)*)
    };
    (@ [$($done:tt)*] $p1:tt $p2:tt $p3:tt $p4:tt; $p:tt $($rest:tt)*) => {
        pipeline!(@ [$($done)* stage!(sadalp $p4), stage!(smlal2 $p2), stage!(smull $p),] $p $p1 $p2 $p3; $($rest)*)
    };
    (@ [$($done:tt)*] $p1:tt $p2:tt $p3:tt $p4:tt;) => {
        concat!(
            $($done)*
            stage!(sadalp $p4), stage!(smlal2 $p2), stage!(smlal2 $p1),
            stage!(sadalp $p3), stage!(sadalp $p2), stage!(sadalp $p1),
        )
    };
    ($($items:tt)*) => {
        pipeline!(@ [] - - - -; $($items)*)
    };
}

/// Loads that the first products of a step need at once: 32 inputs of the first row into `v8` and
/// `v9`, and the first of two pieces of weights into `v0` to `v3`.
macro_rules! first {
    () => {
        "ldp q0, q1, [{w}], #128\nldp q8, q9, [{a0}], #32\nldp q2, q3, [{w}, #-96]\n"
    };
}

/// 32 inputs.
macro_rules! step32 {
    (1) => {
        concat!(
            first!(),
            pipeline!(row(8 9, 16 17 18 19, "" "ldp q4, q5, [{w}, #-64]\nldp q6, q7, [{w}, #-32]\n" "")),
        )
    };
    (2) => {
        concat!(
            first!(),
            pipeline!(
                row(8 9, 16 17 18 19, "" "ldp q4, q5, [{w}, #-64]\nldp q6, q7, [{w}, #-32]\n" "ldp q14, q15, [{a1}], #32\n")
                row(14 15, 20 21 22 23, "" "" "")
            ),
        )
    };
    (4) => {
        concat!(
            first!(),
            pipeline!(
                row(8 9, 16 17 18 19, "ldp q4, q5, [{w}, #-64]\n" "ldp q6, q7, [{w}, #-32]\n" "ldp q14, q15, [{a1}], #32\n")
                row(14 15, 20 21 22 23, "" "ldp q8, q9, [{a2}], #32\n" "")
                row(8 9, 24 25 26 27, "" "ldp q14, q15, [{a3}], #32\n" "")
                row(14 15, 28 29 30 31, "" "" "")
            ),
        )
    };
}

/// 64 inputs: what four rows need for the second half is loaded towards the end of the first.
macro_rules! step64 {
    (4) => {
        concat!(
            first!(),
            pipeline!(
                row(8 9, 16 17 18 19, "ldp q4, q5, [{w}, #-64]\n" "ldp q6, q7, [{w}, #-32]\n" "ldp q14, q15, [{a1}], #32\n")
                row(14 15, 20 21 22 23, "" "ldp q8, q9, [{a2}], #32\n" "")
                row(8 9, 24 25 26 27, "" "ldp q14, q15, [{a3}], #32\n" "")
                row(14 15, 28 29 30 31, "" "ldp q8, q9, [{a0}], #32\n" "ldp q0, q1, [{w}], #128\n")
                ["ldp q2, q3, [{w}, #-96]\n"]
                row(8 9, 16 17 18 19, "ldp q4, q5, [{w}, #-64]\n" "ldp q6, q7, [{w}, #-32]\n" "ldp q14, q15, [{a1}], #32\n")
                row(14 15, 20 21 22 23, "" "ldp q8, q9, [{a2}], #32\n" "")
                row(8 9, 24 25 26 27, "" "ldp q14, q15, [{a3}], #32\n" "")
                row(14 15, 28 29 30 31, "" "" "")
            ),
        )
    };
    ($rows:tt) => {
        concat!(step32!($rows), step32!($rows))
    };
}

/// 16 inputs.
macro_rules! step16 {
    (1) => {
        concat!(
            "ldp q0, q1, [{w}], #64\nldr q8, [{a0}], #16\nldp q2, q3, [{w}, #-32]\n",
            pipeline!(half(8, 16 17 18 19, "")),
        )
    };
    (2) => {
        concat!(step16!(1), "ldr q14, [{a1}], #16\n", pipeline!(half(14, 20 21 22 23, "")))
    };
    (4) => {
        concat!(
            step16!(2),
            "ldr q8, [{a2}], #16\n",
            pipeline!(half(8, 24 25 26 27, "ldr q14, [{a3}], #16\n") half(14, 28 29 30 31, "")),
        )
    };
}

/// The sums of four channels into one register.
macro_rules! fold {
    ($($s0:literal $s1:literal $s2:literal $s3:literal),*) => {
        concat!(
            $("addp v", $s0, ".4s, v", $s0, ".4s, v", $s1, ".4s\n",)*
            $("addp v", $s2, ".4s, v", $s2, ".4s, v", $s3, ".4s\n",)*
            $("addp v", $s0, ".4s, v", $s0, ".4s, v", $s2, ".4s\n",)*
        )
    };
}

macro_rules! zero {
    ($($register:literal)*) => {
        concat!($("movi v", $register, ".2d, #0\n",)*)
    };
}

/// `zeros` is what sums start from, `folds` what makes one register of a row's four.
macro_rules! kernel {
    (
        $name:ident, $rows:tt, $zeros:expr, $folds:expr,
        rows [$($a:ident $at:literal)*], sums [$($sum:ident $out:tt)*], clobbers [$($clobber:tt)*]
    ) => {
        /// That many rows by four channels; `w` is left behind their weights.
        ///
        /// # Safety
        ///
        /// `inputs` is a multiple of 16. That many values of every row, `stride` apart, and four
        /// times as many weights are readable.
        #[target_feature(enable = "neon")]
        #[inline]
        pub(super) unsafe fn $name(a: *const i8, stride: usize, w: &mut *const i8, inputs: usize) -> [int32x4_t; $rows] {
            $(let $sum: int32x4_t;)*
            // SAFETY: each pointer of a row advances by `inputs` and that of the weights by four
            // times that, over what is readable: 64 inputs at a time, then 32 and 16 if they are
            // left.
            unsafe {
                asm!(
                    $zeros,
                    "cbz {n}, 3f",
                    "2:",
                    step64!($rows),
                    "subs {n}, {n}, #1",
                    "b.ne 2b",
                    "3:",
                    "tbz {inputs}, #5, 4f",
                    step32!($rows),
                    "4:",
                    "tbz {inputs}, #4, 5f",
                    step16!($rows),
                    "5:",
                    $folds,
                    w = inout(reg) *w,
                    n = inout(reg) inputs / 64 => _,
                    inputs = in(reg) inputs,
                    $($a = inout(reg) a.wrapping_add($at * stride) => _,)*
                    $(out($out) $sum,)*
                    $(out($clobber) _,)*
                    options(readonly, nostack),
                )
            };
            [$($sum),*]
        }
    };
}

kernel!(
    one, 1, zero!(16 17 18 19), fold!(16 17 18 19),
    rows [a0 0], sums [s0 "v16"],
    clobbers ["v0" "v1" "v2" "v3" "v4" "v5" "v6" "v7" "v8" "v9" "v10" "v11" "v12" "v13" "v17" "v18" "v19"]
);
kernel!(
    two, 2, zero!(16 17 18 19 20 21 22 23), fold!(16 17 18 19, 20 21 22 23),
    rows [a0 0 a1 1], sums [s0 "v16" s1 "v20"],
    clobbers ["v0" "v1" "v2" "v3" "v4" "v5" "v6" "v7" "v8" "v9" "v10" "v11" "v12" "v13" "v14" "v15"
        "v17" "v18" "v19" "v21" "v22" "v23"]
);
kernel!(
    four, 4, zero!(16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31),
    fold!(16 17 18 19, 20 21 22 23, 24 25 26 27, 28 29 30 31),
    rows [a0 0 a1 1 a2 2 a3 3], sums [s0 "v16" s1 "v20" s2 "v24" s3 "v28"],
    clobbers ["v0" "v1" "v2" "v3" "v4" "v5" "v6" "v7" "v8" "v9" "v10" "v11" "v12" "v13" "v14" "v15"
        "v17" "v18" "v19" "v21" "v22" "v23" "v25" "v26" "v27" "v29" "v30" "v31"]
);
