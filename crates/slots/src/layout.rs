//! What flash is, and where the slots are in it.

use core::fmt;

use crate::record::RECORD_LEN;

/// NOR flash: erasing makes all bits of a sector 1, programming makes some of them 0.
pub trait Flash {
    /// Why flash could not be read, erased or programmed.
    type Error;

    /// Reads bytes from anywhere in a slot. Where an interrupted write left what cannot be read (an error of the error
    /// correction), that is an error, no fault.
    ///
    /// # Errors
    /// If they cannot be read.
    fn read(&mut self, address: u32, bytes: &mut [u8]) -> Result<(), Self::Error>;

    /// Erases the sector at this address; returns when it is done.
    ///
    /// # Errors
    /// If it cannot be erased.
    fn erase(&mut self, address: u32) -> Result<(), Self::Error>;

    /// Programs whole units of erased flash; returns when it is done. Cutting at the bounds of pages is for the driver.
    ///
    /// # Errors
    /// If they cannot be programmed.
    fn program(&mut self, address: u32, bytes: &[u8]) -> Result<(), Self::Error>;
}

/// Where the two slots are. Each has a sector for its records, and the model behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    pub(crate) starts: [u32; 2],
    pub(crate) len: u32,
    pub(crate) sector: u32,
    pub(crate) unit: u32,
}

impl Layout {
    /// Two slots of `len` bytes that start at these addresses. `sector`: bytes that are erased together (the largest size, where
    /// sizes differ). `unit`: bytes that are programmed together, at least.
    ///
    /// # Errors
    /// [`LayoutError`], naming the rule that is broken.
    pub const fn new(starts: [u32; 2], len: u32, sector: u32, unit: u32) -> Result<Self, LayoutError> {
        let [first, second] = starts;
        if !unit.is_power_of_two() || unit as usize > RECORD_LEN {
            return Err(LayoutError::Unit);
        }
        if sector == 0 || !sector.is_multiple_of(RECORD_LEN as u32) {
            return Err(LayoutError::Sector);
        }
        if !len.is_multiple_of(sector) || len <= sector {
            return Err(LayoutError::Length);
        }
        if !first.is_multiple_of(sector) || !second.is_multiple_of(sector) {
            return Err(LayoutError::Start);
        }
        if first.checked_add(len).is_none() || second.checked_add(len).is_none() || first.abs_diff(second) < len {
            return Err(LayoutError::Overlap);
        }
        Ok(Self { starts, len, sector, unit })
    }
}

/// Why slots cannot be so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayoutError {
    /// The unit is not a power of two of at most 64 bytes.
    Unit,
    /// The sector is not a multiple of 64 bytes.
    Sector,
    /// The slot's length is not a multiple of the sector, or leaves no room behind the records.
    Length,
    /// A slot does not start where a sector does.
    Start,
    /// The slots overlap, or reach beyond 32-bit addresses.
    Overlap,
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unit => "the unit of programming must be a power of two of at most 64 bytes",
            Self::Sector => "the sector must be a multiple of 64 bytes",
            Self::Length => "a slot must be at least two whole sectors",
            Self::Start => "a slot must start where a sector does",
            Self::Overlap => "the slots overlap or reach beyond 32-bit addresses; move one of them",
        })
    }
}

impl core::error::Error for LayoutError {}

#[cfg(test)]
mod tests {
    use super::{Layout, LayoutError};

    #[test]
    fn wrong_layouts_are_refused() {
        assert!(Layout::new([0, 8192], 8192, 4096, 1).is_ok());
        assert!(Layout::new([8192, 0], 8192, 4096, 64).is_ok());
        for (starts, len, sector, unit, error) in [
            ([0, 8192], 8192, 4096, 3, LayoutError::Unit),
            ([0, 8192], 8192, 4096, 0, LayoutError::Unit),
            ([0, 8192], 8192, 4096, 128, LayoutError::Unit),
            ([0, 8192], 8192, 0, 1, LayoutError::Sector),
            ([0, 8192], 8192, 100, 1, LayoutError::Sector),
            ([0, 8192], 4096, 4096, 1, LayoutError::Length),
            ([0, 8192], 5000, 4096, 1, LayoutError::Length),
            ([64, 8192], 8192, 4096, 1, LayoutError::Start),
            ([0, 4096], 8192, 4096, 1, LayoutError::Overlap),
            ([0, 0], 8192, 4096, 1, LayoutError::Overlap),
            ([0, 0xFFFF_F000], 8192, 4096, 1, LayoutError::Overlap),
        ] {
            assert_eq!(Layout::new(starts, len, sector, unit), Err(error), "{starts:x?} {len} {sector} {unit}");
        }
    }
}
