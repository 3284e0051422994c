//! x86-64: which of its instruction sets this processor and its operating system can run.

mod amx;
mod avx2;
mod avx512;

use core::arch::asm;
use core::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};

use crate::isa::Isa;
use crate::operations::Operations;

/// The operations of an instruction set that exists here.
pub(crate) fn operations(isa: Isa) -> Option<&'static Operations> {
    match isa {
        Isa::Avx2 if Features::detect().avx2 => Some(&avx2::madd::OPERATIONS),
        Isa::AvxVnni if Features::detect().avx_vnni => Some(&avx2::vnni::OPERATIONS),
        Isa::Avx512Vnni if Features::detect().avx512_vnni => Some(&avx512::OPERATIONS),
        Isa::Amx if Features::detect().amx => Some(&amx::OPERATIONS),
        _ => None,
    }
}

/// What CPUID reports and the operating system supports, by saving the registers when it switches
/// tasks.
struct Features {
    avx2: bool,
    avx_vnni: bool,
    avx512_vnni: bool,
    amx: bool,
}

impl Features {
    fn detect() -> Self {
        const NONE: Features = Features { avx2: false, avx_vnni: false, avx512_vnni: false, amx: false };
        let has = |register: u32, bits: &[u32]| bits.iter().all(|bit| register >> bit & 1 == 1);
        if __cpuid(0).eax < 7 {
            return NONE;
        }
        // Leaf 1, ecx: OSXSAVE (27) and AVX (28).
        if !has(__cpuid(1).ecx, &[27, 28]) {
            return NONE;
        }
        let leaf = __cpuid_count(7, 0);
        // Leaf 7 says in eax which is its last part.
        let part = if leaf.eax >= 1 { __cpuid_count(7, 1).eax } else { 0 };
        // XCR0: SSE (1) and AVX (2) state; then opmask (5) and both parts of the ZMM state (6, 7).
        let state = enabled_state();
        let ymm = has(state, &[1, 2]);
        let zmm = ymm && has(state, &[5, 6, 7]);
        let avx2 = ymm && has(leaf.ebx, &[5]);
        // F (16), BW (30), VL (31); VNNI (ecx 11).
        let avx512_vnni = zmm && has(leaf.ebx, &[5, 16, 30, 31]) && has(leaf.ecx, &[11]);
        // Tile configuration (17) and data (18); AMX-TILE (edx 24), AMX-INT8 (25).
        let tiles = has(state, &[17, 18]) && has(leaf.edx, &[24, 25]);
        Features {
            avx2,
            // AVX-VNNI (4).
            avx_vnni: avx2 && has(part, &[4]),
            avx512_vnni,
            amx: avx512_vnni && tiles && amx::permitted(),
        }
    }
}

/// The low half of XCR0.
fn enabled_state() -> u32 {
    #[target_feature(enable = "xsave")]
    fn read() -> u32 {
        // SAFETY: register 0 exists wherever XGETBV does.
        (unsafe { _xgetbv(0) }) as u32
    }
    // SAFETY: only called where CPUID reports OSXSAVE, which says that XGETBV works.
    unsafe { read() }
}

/// An address that the compiler knows nothing about. Otherwise it keeps one for every row: more than
/// there are registers.
#[inline(always)]
pub(crate) fn opaque(mut address: *const i8) -> *const i8 {
    // SAFETY: no instruction at all.
    unsafe { asm!("/* {} */", inout(reg) address, options(pure, readonly, nostack, preserves_flags)) };
    address
}
