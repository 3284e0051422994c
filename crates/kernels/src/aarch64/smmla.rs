//! Products of int8 with the matrix instruction: rows by 16 channels of [`Layout::Tile8`].
//!
//! One `smmla` multiplies 8 inputs of two rows with those of two channels. So rows are interleaved
//! in pairs first, six at a time: 16 inputs of six rows are 96 bytes, the first 8 inputs of each
//! pair, then the others.
//!
//! [`Layout::Tile8`]: crate::layout::Layout::Tile8

use core::arch::aarch64::*;
use core::arch::asm;

use crate::layout::TILE;

/// Rows that are interleaved.
pub(super) const SIX: usize = 6;

/// Interleaves `inputs` inputs, a multiple of 16, of some rows.
///
/// # Safety
///
/// So many values of each row are readable, and `6 * inputs` writable.
#[target_feature(enable = "neon")]
#[inline]
pub(super) unsafe fn interleave(rows: [*const i8; SIX], inputs: usize, mut to: *mut i8) {
    for input in (0..inputs).step_by(16) {
        // SAFETY: within `inputs` values of each row, and 96 bytes further each time, which is
        // 6 * 16.
        unsafe {
            let a = rows.map(|row| vreinterpretq_s64_s8(vld1q_s8(row.add(input))));
            for pair in 0..3 {
                let (even, odd) = (a[2 * pair], a[2 * pair + 1]);
                vst1q_s64(to.add(16 * pair).cast(), vzip1q_s64(even, odd));
                vst1q_s64(to.add(16 * pair + 48).cast(), vzip2q_s64(even, odd));
            }
            to = to.add(96);
        }
    }
}

/// 8 inputs of some pairs of rows by 8 channels: the pointer of the weights, and for each pair its
/// inputs and its sums.
macro_rules! piece {
    ($w:literal, $(($a:literal, $s0:literal $s1:literal $s2:literal $s3:literal))*) => {
        concat!(
            "ldp q30, q31, [{", $w, "}], #64\n",
            $("smmla v", $s0, ".4s, v", $a, ".16b, v30.16b\n",)*
            $("smmla v", $s1, ".4s, v", $a, ".16b, v31.16b\n",)*
            "ldp q30, q31, [{", $w, "}, #-32]\n",
            $("smmla v", $s2, ".4s, v", $a, ".16b, v30.16b\n",)*
            $("smmla v", $s3, ".4s, v", $a, ".16b, v31.16b\n",)*
        )
    };
}

/// The sums of a pair, which lie as two channels of one row and of the other, as two rows.
macro_rules! store {
    ($($s0:literal $s1:literal)*) => {
        concat!(
            store!(@ "zip1", $($s0 $s1)*),
            "stp q24, q25, [{to}], #128\nstp q26, q27, [{to}, #-96]\n",
            store!(@ "zip2", $($s0 $s1)*),
            "stp q24, q25, [{to}, #-64]\nstp q26, q27, [{to}, #-32]\n",
        )
    };
    (@ $zip:literal, $s0:literal $s1:literal $s2:literal $s3:literal $s4:literal $s5:literal $s6:literal $s7:literal) => {
        concat!(
            $zip, " v24.2d, v", $s0, ".2d, v", $s1, ".2d\n",
            $zip, " v25.2d, v", $s2, ".2d, v", $s3, ".2d\n",
            $zip, " v26.2d, v", $s4, ".2d, v", $s5, ".2d\n",
            $zip, " v27.2d, v", $s6, ".2d, v", $s7, ".2d\n",
        )
    };
}

/// The inner loop over so many rows; each pair has two registers of inputs and eight of sums.
macro_rules! kernel {
    (
        $name:ident, $rows:literal, $load:literal,
        $($a0:literal $a1:literal,
            $s0:literal $s1:literal $s2:literal $s3:literal $s4:literal $s5:literal $s6:literal $s7:literal;)*
    ) => {
        /// The first rows of six interleaved ones by 16 channels.
        ///
        /// # Safety
        ///
        /// The matrix instructions exist. `inputs` is a multiple of 16; 6 times as many interleaved
        /// values and 16 times as many weights are readable.
        #[target_feature(enable = "neon")]
        #[inline]
        pub(super) unsafe fn $name(a: *const i8, w: *const i8, inputs: usize, to: &mut [[i32; TILE]; $rows]) {
            // SAFETY: the pointers advance by 6 times `inputs` and, each over its half of the
            // channels, by 8 times that; the last one passes over the array.
            unsafe {
                asm!(
                    ".arch_extension i8mm",
                    $(
                        concat!("movi v", $s0, ".2d, #0"), concat!("movi v", $s1, ".2d, #0"),
                        concat!("movi v", $s2, ".2d, #0"), concat!("movi v", $s3, ".2d, #0"),
                        concat!("movi v", $s4, ".2d, #0"), concat!("movi v", $s5, ".2d, #0"),
                        concat!("movi v", $s6, ".2d, #0"), concat!("movi v", $s7, ".2d, #0"),
                    )*
                    "tbz {inputs}, #4, 2f",
                    kernel!(@ $load, $($a0 $a1, $s0 $s1 $s2 $s3 $s4 $s5 $s6 $s7;)*),
                    "2:",
                    "cbz {n}, 4f",
                    "3:",
                    kernel!(@ $load, $($a0 $a1, $s0 $s1 $s2 $s3 $s4 $s5 $s6 $s7;)*),
                    kernel!(@ $load, $($a0 $a1, $s0 $s1 $s2 $s3 $s4 $s5 $s6 $s7;)*),
                    "subs {n}, {n}, #1",
                    "b.ne 3b",
                    "4:",
                    $(store!($s0 $s1 $s2 $s3 $s4 $s5 $s6 $s7),)*
                    a = inout(reg) a => _,
                    w0 = inout(reg) w => _,
                    w1 = inout(reg) w.wrapping_add(8 * inputs) => _,
                    n = inout(reg) inputs / 32 => _,
                    inputs = in(reg) inputs,
                    to = inout(reg) to => _,
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
    // 16 inputs.
    (@ $load:literal, $($a0:literal $a1:literal,
        $s0:literal $s1:literal $s2:literal $s3:literal $s4:literal $s5:literal $s6:literal $s7:literal;)*) => {
        concat!(
            $load,
            piece!("w0", $(($a0, $s0 $s1 $s2 $s3))*),
            piece!("w1", $(($a0, $s4 $s5 $s6 $s7))*),
            piece!("w0", $(($a1, $s0 $s1 $s2 $s3))*),
            piece!("w1", $(($a1, $s4 $s5 $s6 $s7))*),
        )
    };
}

kernel!(
    two, 2, "ldr q24, [{a}], #96\nldr q27, [{a}, #-48]\n",
    24 27, 0 1 2 3 4 5 6 7;
);
kernel!(
    four, 4, "ldp q24, q25, [{a}], #96\nldp q27, q28, [{a}, #-48]\n",
    24 27, 0 1 2 3 4 5 6 7;
    25 28, 8 9 10 11 12 13 14 15;
);
kernel!(
    six, 6, "ldp q24, q25, [{a}], #96\nldp q26, q27, [{a}, #-64]\nldp q28, q29, [{a}, #-32]\n",
    24 27, 0 1 2 3 4 5 6 7;
    25 28, 8 9 10 11 12 13 14 15;
    26 29, 16 17 18 19 20 21 22 23;
);
