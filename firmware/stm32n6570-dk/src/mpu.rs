//! Memory protection: the flash is cacheable, read-only, and holds no code.

use cortex_m::peripheral::MPU;

/// First and last 32 bytes of the flash.
const FLASH: (u32, u32) = (0x7000_0000, 0x77ff_ffe0);
/// Read-only at any privilege (bits 2:1), no execution (bit 0).
const READ_ONLY_DATA: u32 = 0b11 << 1 | 1;
/// Normal memory, inner and outer write-through, kept when read.
const CACHED: u32 = 0xaa;
/// Everything else stays as the architecture has it (bit 2); on (bit 0).
const ON_WITH_BACKGROUND: u32 = 1 << 2 | 1;

/// Sets region 0 and switches the unit on.
#[allow(unsafe_code)]
pub(crate) fn protect(mpu: &mut MPU) {
    // SAFETY: these registers belong to the MPU alone, which this function borrows; what the program uses stays
    // accessible, the flash for reading.
    unsafe {
        mpu.mair[0].write(CACHED);
        mpu.rnr.write(0);
        mpu.rbar.write(FLASH.0 | READ_ONLY_DATA);
        mpu.rlar.write(FLASH.1 | 1);
        mpu.ctrl.write(ON_WITH_BACKGROUND);
    }
    cortex_m::asm::dsb();
    cortex_m::asm::isb();
}
