//! Memory protection: the flash is cacheable, read-only, and holds no code; of what its interface could map beyond the
//! 128 MiB that there are, nothing may be touched. Without this the processor reads there on speculation and hangs.

use cortex_m::peripheral::MPU;

/// A region: its number, base address, attributes and size.
struct Region(u32, u32, u32);

/// Of size 2^(n + 1), on (bit 0).
const fn sized(n: u32) -> u32 {
    n << 1 | 1
}

const NO_EXECUTION: u32 = 1 << 28;
/// Read-only at any privilege; normal memory, write-through (TEX 0, C).
const READ_ONLY_CACHED: u32 = 0b110 << 24 | 1 << 17;

/// A later region goes before an earlier one.
const REGIONS: [Region; 2] = [
    // 256 MiB without access.
    Region(0, 0x9000_0000, NO_EXECUTION | sized(27)),
    // The flash, 128 MiB.
    Region(1, 0x9000_0000, NO_EXECUTION | READ_ONLY_CACHED | sized(26)),
];
/// Everything else stays as the architecture has it (bit 2); on (bit 0).
const ON_WITH_BACKGROUND: u32 = 1 << 2 | 1;

/// Sets the regions and switches the unit on.
#[allow(unsafe_code)]
pub(crate) fn protect(mpu: &mut MPU) {
    // SAFETY: these registers belong to the MPU alone, which this function borrows; what the program uses stays
    // accessible, the flash for reading.
    unsafe {
        for Region(number, base, attributes) in REGIONS {
            mpu.rnr.write(number);
            mpu.rbar.write(base);
            mpu.rasr.write(attributes);
        }
        mpu.ctrl.write(ON_WITH_BACKGROUND);
    }
    cortex_m::asm::dsb();
    cortex_m::asm::isb();
}
