//! Products of int8 with the dot product instruction: rows by 16 channels of [`Layout::Tile16`].
//!
//! One `sdot` adds four products to each of four channels; the four inputs are picked from a
//! register by number. Five rows keep 20 sums and 32 of their inputs each in registers, which
//! leaves two for weights.
//!
//! [`Layout::Tile16`]: crate::layout::Layout::Tile16

use core::arch::asm;

use crate::layout::TILE;

/// Four inputs of some rows by 16 channels: registers of weights, which inputs, and for each row its
/// sums and its inputs.
macro_rules! word {
    ([$w0:literal $w1:literal $w2:literal $w3:literal] $at:literal, $(($s0:literal $s1:literal $s2:literal $s3:literal, $a:literal))*) => {
        concat!(
            "ldp q", $w0, ", q", $w1, ", [{w}], #64\n",
            $("sdot v", $s0, ".4s, v", $w0, ".16b, v", $a, ".4b[", $at, "]\n",)*
            $("sdot v", $s1, ".4s, v", $w1, ".16b, v", $a, ".4b[", $at, "]\n",)*
            "ldp q", $w2, ", q", $w3, ", [{w}, #-32]\n",
            $("sdot v", $s2, ".4s, v", $w2, ".16b, v", $a, ".4b[", $at, "]\n",)*
            $("sdot v", $s3, ".4s, v", $w3, ".16b, v", $a, ".4b[", $at, "]\n",)*
        )
    };
}

/// 16 inputs.
macro_rules! words {
    ($w:tt $v:tt, $($row:tt)*) => {
        concat!(word!($w 0, $($row)*), word!($v 1, $($row)*), word!($w 2, $($row)*), word!($v 3, $($row)*))
    };
}

/// The inner loop over so many rows; each has a pointer, two registers of inputs and four of sums.
macro_rules! kernel {
    (
        $name:ident, $rows:literal, weights $w:tt $v:tt,
        $($a:ident $at:literal, $a0:literal $a1:literal, $s0:literal $s1:literal $s2:literal $s3:literal;)*
    ) => {
        /// That many rows by 16 channels, on top of `from`.
        ///
        /// # Safety
        ///
        /// The dot product instructions exist. `inputs` is a multiple of 16; that many values of
        /// every row, `stride` apart, and 16 times as many weights are readable.
        #[target_feature(enable = "neon")]
        #[inline]
        pub(super) unsafe fn $name(
            a: *const i8,
            stride: usize,
            w: *const i8,
            inputs: usize,
            from: *const [[i32; TILE]; $rows],
            to: *mut [[i32; TILE]; $rows],
        ) {
            // SAFETY: each pointer of a row advances by `inputs` and that of the weights by 16 times
            // that, over what is readable: 32 inputs at a time, then 16 if they are left. The other
            // two pass over their arrays, which may be the same one: all is read before it is
            // written.
            unsafe {
                asm!(
                    ".arch_extension dotprod",
                    $(concat!("ldp q", $s0, ", q", $s1, ", [{from}], #64"),
                    concat!("ldp q", $s2, ", q", $s3, ", [{from}, #-32]"),)*
                    "cbz {n}, 3f",
                    "2:",
                    $(concat!("ldp q", $a0, ", q", $a1, ", [{", stringify!($a), "}], #32"),)*
                    words!($w $v, $(($s0 $s1 $s2 $s3, $a0))*),
                    words!($w $v, $(($s0 $s1 $s2 $s3, $a1))*),
                    "subs {n}, {n}, #1",
                    "b.ne 2b",
                    "3:",
                    "tbz {inputs}, #4, 4f",
                    $(concat!("ldr q", $a0, ", [{", stringify!($a), "}]"),)*
                    words!($w $v, $(($s0 $s1 $s2 $s3, $a0))*),
                    "4:",
                    $(concat!("stp q", $s0, ", q", $s1, ", [{to}], #64"),
                    concat!("stp q", $s2, ", q", $s3, ", [{to}, #-32]"),)*
                    w = inout(reg) w => _,
                    n = inout(reg) inputs / 32 => _,
                    inputs = in(reg) inputs,
                    from = inout(reg) from => _,
                    to = inout(reg) to => _,
                    $($a = inout(reg) a.wrapping_add($at * stride) => _,)*
                    out("v0") _, out("v1") _, out("v2") _, out("v3") _,
                    out("v4") _, out("v5") _, out("v6") _, out("v7") _,
                    out("v8") _, out("v9") _, out("v10") _, out("v11") _,
                    out("v12") _, out("v13") _, out("v14") _, out("v15") _,
                    out("v16") _, out("v17") _, out("v18") _, out("v19") _,
                    out("v20") _, out("v21") _, out("v22") _, out("v23") _,
                    out("v24") _, out("v25") _, out("v26") _, out("v27") _,
                    out("v28") _, out("v29") _, out("v30") _, out("v31") _,
                    options(nostack),
                )
            };
        }
    };
}

kernel!(
    one, 1, weights [24 25 26 27] [28 29 30 31],
    a0 0, 16 17, 0 1 2 3;
);
kernel!(
    two, 2, weights [24 25 26 27] [28 29 30 31],
    a0 0, 16 17, 0 1 2 3;
    a1 1, 18 19, 4 5 6 7;
);
kernel!(
    four, 4, weights [24 25 26 27] [28 29 30 31],
    a0 0, 16 17, 0 1 2 3;
    a1 1, 18 19, 4 5 6 7;
    a2 2, 20 21, 8 9 10 11;
    a3 3, 22 23, 12 13 14 15;
);
kernel!(
    five, 5, weights [30 31 30 31] [30 31 30 31],
    a0 0, 20 21, 0 1 2 3;
    a1 1, 22 23, 4 5 6 7;
    a2 2, 24 25, 8 9 10 11;
    a3 3, 26 27, 12 13 14 15;
    a4 4, 28 29, 16 17 18 19;
);
