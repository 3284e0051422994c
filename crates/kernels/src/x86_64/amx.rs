//! AMX: matrices of 16 rows by 64 bytes in eight tile registers, multiplied by one instruction.
//!
//! 64 inputs of a tile of 16 channels lie in memory as a tile register wants its right operand: 16
//! rows, one for each four inputs, of four bytes for each channel. `tdpbssd` multiplies signed bytes
//! and sums in 32 bits, exactly. Everything but the integer product is AVX-512.

use core::arch::asm;

use super::avx512::{self, Avx512};
use crate::isa::Isa;
use crate::layout::{Layout, TILE};
use crate::operations::{Int8Product, Operations};
use crate::vector::{self, Block, Int8, Sums, Way};

/// The operations of this instruction set.
pub(super) static OPERATIONS: Operations = Operations { isa: Isa::Amx, matmul_int8, ..avx512::OPERATIONS };

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn matmul_int8(product: &Int8Product<'_>, out: &mut [f32]) {
    // A tile register that is half empty multiplies half as much, and waits for memory no less. A panel
    // is worth its making as soon as the other way has to unpack twice.
    let rows = product.scales.len();
    match Way::of::<Avx512<true>>(product) {
        Way::InPlace if rows > TILE => vector::in_place(Avx512::<true>::new(), product, out),
        Way::Panels if rows > Avx512::<false>::NIBBLE_ROWS => vector::in_panels(Avx512::<true>::new(), product, out),
        // SAFETY: this function needs all that those need.
        _ => unsafe { (avx512::OPERATIONS.matmul_int8)(product, out) },
    }
}

impl Int8 for Avx512<true> {
    const OFFSET: i32 = 0;
    const TILES: usize = 2;
    const LAYOUT: Layout = Layout::Tile16;

    #[inline(always)]
    fn block(self, block: Block<'_>, sums: &mut Sums) -> usize {
        // SAFETY: this type is only used by `matmul_int8` above, which is only called where the
        // registers exist and the system has permitted them.
        unsafe { tiles(block, sums) }
    }

    #[inline(always)]
    fn unpack<const U: usize>(self, units: &[[u8; U]], scales: &[u8], panel: &mut [[i8; 64]]) {
        self.unpack_group(units, scales, panel);
    }
}

/// Inputs of a tile register.
const INPUTS: usize = 64;
/// Most rows of a block: two registers' worth.
const ROWS: usize = 2 * TILE;

/// Asks the operating system for the tile registers, which it saves only for programs that asked.
#[cfg(target_os = "linux")]
pub(super) fn permitted() -> bool {
    const ARCH_PRCTL: usize = 158;
    const ARCH_REQ_XCOMP_PERM: usize = 0x1023;
    const XFEATURE_XTILEDATA: usize = 18;
    let result: usize;
    // SAFETY: a system call that takes two numbers and touches no memory of this program; it
    // changes `rax`, `rcx` and `r11`.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => result,
            in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") XFEATURE_XTILEDATA,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result == 0
}

/// Other systems have no way to ask that is known here.
#[cfg(not(target_os = "linux"))]
pub(super) fn permitted() -> bool {
    false
}

/// Shapes of the tile registers: sums in 0 to 3, rows in 4 and 5, weights in 6 and 7.
#[repr(C, align(64))]
struct Shapes {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    bytes_of_row: [u16; 16],
    rows: [u8; 16],
}

impl Shapes {
    /// For up to 32 rows, the second 16 of which have registers of their own.
    const fn of(rows: usize) -> Self {
        let (upper, lower) = if rows > TILE { (TILE, rows - TILE) } else { (rows, 0) };
        let (upper, lower, weights) = (upper as u8, lower as u8, TILE as u8);
        let wide = INPUTS as u16;
        let second = if lower == 0 { 0 } else { wide };
        Shapes {
            palette: 1,
            start_row: 0,
            reserved: [0; 14],
            bytes_of_row: [wide, wide, second, second, wide, second, wide, wide, 0, 0, 0, 0, 0, 0, 0, 0],
            rows: [upper, upper, lower, lower, upper, lower, weights, weights, 0, 0, 0, 0, 0, 0, 0, 0],
        }
    }
}

/// Multiplies up to 32 rows of `block` with its tiles.
///
/// # Safety
///
/// AMX with int8 exists and is [`permitted`].
#[inline(always)]
unsafe fn tiles(block: Block<'_>, sums: &mut Sums) -> usize {
    let rows = block.rows().min(ROWS);
    let shapes = Shapes::of(rows);
    // SAFETY: 64 bytes of a valid configuration; the caller promises that the registers exist.
    unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const shapes, options(nostack, readonly, preserves_flags)) };
    // SAFETY: the shapes are those of `rows`, and the tiles exist.
    unsafe {
        match (rows > TILE, block.tiles() > 1) {
            (true, true) => part::<true, true>(block, rows, sums),
            (true, false) => part::<true, false>(block, rows, sums),
            (false, true) => part::<false, true>(block, rows, sums),
            (false, false) => part::<false, false>(block, rows, sums),
        }
    }
    // SAFETY: as above. Registers in use cost time whenever the system changes tasks.
    unsafe { asm!("tilerelease", options(nostack, nomem, preserves_flags)) };
    rows
}

/// One tile, or two if `TWO`, with up to 16 rows, or up to 32 if `LOWER`.
///
/// # Safety
///
/// As [`tiles`]; the registers have the [`Shapes`] of `rows`.
#[inline(always)]
unsafe fn part<const LOWER: bool, const TWO: bool>(block: Block<'_>, rows: usize, sums: &mut Sums) {
    let (inputs, stride) = (block.inputs(), block.stride());
    // SAFETY: only registers that have a shape are cleared: the lower sums have one if there are rows for
    // them (`Shapes`).
    unsafe {
        asm!("tilezero tmm0", options(nostack, nomem, preserves_flags));
        if TWO {
            asm!("tilezero tmm1", options(nostack, nomem, preserves_flags));
        }
        if LOWER {
            asm!("tilezero tmm2", options(nostack, nomem, preserves_flags));
            if TWO {
                asm!("tilezero tmm3", options(nostack, nomem, preserves_flags));
            }
        }
    }
    for step in 0..inputs / INPUTS {
        let values = block.values().wrapping_add(step * INPUTS);
        let weights = block.weights().wrapping_add(step * INPUTS * TILE);
        // SAFETY: 64 of the `inputs` values of each of `rows` rows, `stride` apart; and the 1024 bytes of 64
        // inputs of one tile, or two that are `16 * inputs` bytes apart: all inside the block.
        unsafe { multiply::<LOWER, TWO>(values, stride, weights, inputs * TILE) };
    }
    let rest = inputs % INPUTS;
    if rest > 0 {
        let (mut values, mut weights) = (Copies([[0; INPUTS]; ROWS]), Copies([[0; INPUTS]; 2 * TILE]));
        let first = inputs - rest;
        // SAFETY: the last `rest` of the `inputs` values of each row, and the last `rest / 4` pieces of
        // each tile: inside the block, and no longer than the copies.
        unsafe {
            for (row, copy) in values.0.iter_mut().enumerate().take(rows) {
                let from = block.values().add(row * stride + first);
                from.copy_to_nonoverlapping(copy.as_mut_ptr(), rest);
            }
            for (at, copies) in weights.0.chunks_exact_mut(TILE).enumerate().take(1 + usize::from(TWO)) {
                let from = block.weights().add((at * inputs + first) * TILE);
                from.copy_to_nonoverlapping(copies.as_flattened_mut().as_mut_ptr(), rest * TILE);
            }
            let (values, weights) = (values.0.as_flattened().as_ptr(), weights.0.as_flattened().as_ptr());
            multiply::<LOWER, TWO>(values, INPUTS, weights, INPUTS * TILE);
        }
    }
    let tiles = block.tiles();
    let out = sums.0.as_mut_ptr();
    assert!((rows - 1) * tiles + usize::from(TWO) < sums.0.len());
    // SAFETY: `rows` lines of 64 bytes, `tiles` lines apart, and the lines behind
    // each of them: the last is inside (asserted).
    unsafe {
        let stride = tiles * 64;
        asm!("tilestored [{} + {}], tmm0", in(reg) out, in(reg) stride, options(nostack, preserves_flags));
        if TWO {
            asm!("tilestored [{} + {}], tmm1", in(reg) out.add(1), in(reg) stride, options(nostack, preserves_flags));
        }
        if LOWER {
            let out = out.add(TILE * tiles);
            asm!("tilestored [{} + {}], tmm2", in(reg) out, in(reg) stride, options(nostack, preserves_flags));
            if TWO {
                asm!("tilestored [{} + {}], tmm3", in(reg) out.add(1), in(reg) stride, options(nostack, preserves_flags));
            }
        }
    }
}

/// Zero-padded rows or pieces.
#[repr(align(64))]
struct Copies<const N: usize>([[i8; INPUTS]; N]);

/// Adds the products of 64 inputs to the sums.
///
/// # Safety
///
/// As [`part`]; `values` has 64 readable bytes in each row, `stride` apart, and `weights` 1024, and with `TWO` again
/// `apart` bytes further.
#[inline(always)]
unsafe fn multiply<const LOWER: bool, const TWO: bool>(
    values: *const i8,
    stride: usize,
    weights: *const i8,
    apart: usize,
) {
    let piece = 64_usize;
    let lower = values.wrapping_add(TILE * stride);
    let second = weights.wrapping_add(apart);
    macro_rules! run {
        ($($line:literal),*) => {
            asm!(
                $($line,)*
                "/* {values} {lower} {stride} {weights} {second} {piece} */",
                values = in(reg) values, lower = in(reg) lower, stride = in(reg) stride,
                weights = in(reg) weights, second = in(reg) second, piece = in(reg) piece,
                options(nostack, readonly, preserves_flags),
            )
        };
    }
    // SAFETY: the caller's promise.
    unsafe {
        match (LOWER, TWO) {
            (true, true) => run!(
                "tileloadd tmm4, [{values} + {stride}]",
                "tileloadd tmm6, [{weights} + {piece}]",
                "tileloadd tmm7, [{second} + {piece}]",
                "tdpbssd tmm0, tmm4, tmm6",
                "tileloadd tmm5, [{lower} + {stride}]",
                "tdpbssd tmm1, tmm4, tmm7",
                "tdpbssd tmm2, tmm5, tmm6",
                "tdpbssd tmm3, tmm5, tmm7"
            ),
            (true, false) => run!(
                "tileloadd tmm4, [{values} + {stride}]",
                "tileloadd tmm6, [{weights} + {piece}]",
                "tileloadd tmm5, [{lower} + {stride}]",
                "tdpbssd tmm0, tmm4, tmm6",
                "tdpbssd tmm2, tmm5, tmm6"
            ),
            (false, true) => run!(
                "tileloadd tmm4, [{values} + {stride}]",
                "tileloadd tmm6, [{weights} + {piece}]",
                "tileloadd tmm7, [{second} + {piece}]",
                "tdpbssd tmm0, tmm4, tmm6",
                "tdpbssd tmm1, tmm4, tmm7"
            ),
            (false, false) => run!(
                "tileloadd tmm4, [{values} + {stride}]",
                "tileloadd tmm6, [{weights} + {piece}]",
                "tdpbssd tmm0, tmm4, tmm6"
            ),
        }
    }
}
