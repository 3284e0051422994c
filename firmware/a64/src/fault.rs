//! An exception that the processor took, in words.

use core::fmt;

/// What the processor says about an exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The core that took it.
    pub core: usize,
    /// Which of the sixteen entries of the vector table.
    pub entry: u64,
    /// The syndrome register, ESR_EL1.
    pub syndrome: u64,
    /// Where the program was, ELR_EL1.
    pub instruction: u64,
    /// The address that was accessed, FAR_EL1, where that matters.
    pub address: u64,
}

impl Fault {
    /// The class of the exception (Arm Architecture Reference Manual, D17.2.37).
    fn class(&self) -> &'static str {
        match self.syndrome >> 26 {
            0x00 => "an instruction that this processor does not have",
            0x07 => "floating point or vectors, which are off",
            0x0e => "an illegal state",
            0x15..=0x17 => "a call that nobody answers",
            0x18 => "a system register that this level may not touch",
            0x20 | 0x21 => "an instruction that cannot be fetched",
            0x22 => "a misaligned place in the program",
            0x24 | 0x25 if self.syndrome >> 6 & 1 == 1 => "a write that is not allowed",
            0x24 | 0x25 => "a read that is not allowed",
            0x26 => "a misaligned stack",
            0x2f => "an error that memory reports",
            0x3c => "a breakpoint",
            _ => "an exception of another class",
        }
    }

    /// Whether the address is part of the report.
    fn has_address(&self) -> bool {
        matches!(self.syndrome >> 26, 0x20..=0x22 | 0x24 | 0x25)
    }

    fn kind(&self) -> &'static str {
        // Of each group of four: synchronous, interrupt, fast interrupt, system error.
        ["", ", in an interrupt", ", in a fast interrupt", ", in a system error"][(self.entry & 3) as usize]
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fault on core {} at {:#x}: {}{}", self.core, self.instruction, self.class(), self.kind())?;
        if self.has_address() {
            write!(f, ", address {:#x}", self.address)?;
        }
        write!(f, " (esr {:#x})", self.syndrome)
    }
}

#[cfg(test)]
mod tests {
    use super::Fault;

    #[test]
    fn faults_are_said_in_words() {
        let fault = Fault { core: 2, entry: 4, syndrome: 0x9600_0045, instruction: 0x4008_1234, address: 0x10 };
        assert_eq!(
            fault.to_string(),
            "fault on core 2 at 0x40081234: a write that is not allowed, address 0x10 (esr 0x96000045)"
        );
        let fault = Fault { core: 0, entry: 7, syndrome: 0x0200_0000, instruction: 0x8_0000, address: 0x10 };
        assert_eq!(
            fault.to_string(),
            "fault on core 0 at 0x80000: an instruction that this processor does not have, in a system error (esr 0x2000000)"
        );
    }
}
