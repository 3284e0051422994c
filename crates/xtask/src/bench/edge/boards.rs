//! The boards as data: processor, clock, and where the weights are read from.

use super::super::llvm::Model;

const MIB: u64 = 1 << 20;

/// A board.
pub(super) struct Board {
    pub(super) name: &'static str,
    /// Its processor and clock in words.
    pub(super) processor: &'static str,
    /// The clock that the board's image sets, or on a Raspberry Pi the board's firmware.
    pub(super) mhz: f64,
    /// The emulated machine that runs the same code, and its processor where it can have several.
    pub(super) machine: &'static str,
    pub(super) cpu: Option<&'static str>,
    /// LLVM's model of the processor.
    pub(super) model: Model,
    /// The layout that the processor reads best.
    pub(super) layout: &'static str,
    /// Bytes that a model may have.
    pub(super) room: u64,
    /// Why not more.
    pub(super) room_is: &'static str,
    /// What weights are read from, its peak in MB/s as the image sets it up, and where that figure comes from.
    pub(super) memory: (&'static str, f64, &'static str),
    /// What the data sheets allow beyond what the image sets.
    pub(super) most: Option<Most>,
}

/// The highest clocks of the data sheets.
pub(super) struct Most {
    pub(super) mhz: f64,
    /// Why the image does not set it.
    pub(super) why: &'static str,
    /// Peak of the memory with the weights in MB/s, and where that figure comes from.
    pub(super) memory: (f64, &'static str),
}

const A64: &str = "aarch64-none-elf";

/// All of them, the smallest first.
pub(super) const BOARDS: [Board; 5] = [
    Board {
        name: "STM32H747I-DISCO",
        processor: "Cortex-M7, 400 MHz",
        mhz: 400.0,
        machine: "qemu-m7",
        cpu: None,
        model: Model { triple: "thumbv7em-none-eabihf", cpu: "cortex-m7" },
        layout: "tile4",
        room: 128 * MIB,
        room_is: "128 MiB of flash",
        memory: ("QSPI flash", 50.0, "two dies side by side: 8 lines, 50 MHz, one edge"),
        most: Some(Most {
            mhz: 480.0,
            why: "with the core fed by the chip's linear regulator; this board feeds it by the switching one",
            memory: (180.0, "90 MHz, both edges"),
        }),
    },
    Board {
        name: "STM32N6570-DK",
        processor: "Cortex-M55, 600 MHz",
        mhz: 600.0,
        machine: "qemu-m55",
        cpu: None,
        model: Model { triple: "thumbv8.1m.main-none-eabihf", cpu: "cortex-m55" },
        layout: "tile4",
        room: 128 * MIB,
        room_is: "128 MiB of flash",
        memory: ("octo flash", 50.0, "8 lines, 50 MHz, one edge"),
        most: Some(Most {
            mhz: 800.0,
            why: "with a higher core voltage from a regulator beside the chip",
            memory: (400.0, "200 MHz, both edges"),
        }),
    },
    Board {
        name: "Raspberry Pi Zero 2 W",
        processor: "Cortex-A53, 1 GHz",
        mhz: 1000.0,
        machine: "qemu-a64",
        cpu: Some("cortex-a53"),
        model: Model { triple: A64, cpu: "cortex-a53" },
        layout: "portable",
        room: 320 * MIB,
        room_is: "320 MiB beside arena and program in 512 MB of RAM",
        memory: ("RAM", 3600.0, "LPDDR2, 32 lines, 900 million transfers a second (board's description)"),
        most: None,
    },
    Board {
        name: "Raspberry Pi 4",
        processor: "Cortex-A72, 1.5 GHz",
        mhz: 1500.0,
        machine: "qemu-a64",
        cpu: Some("cortex-a72"),
        // Nearest relative: LLVM has no model of this one.
        model: Model { triple: A64, cpu: "cortex-a57" },
        layout: "portable",
        room: 900 * MIB,
        room_is: "1 GB of RAM",
        memory: ("RAM", 12_800.0, "LPDDR4-3200, 32 lines (board's description)"),
        most: None,
    },
    Board {
        name: "Raspberry Pi 5",
        processor: "Cortex-A76, 2.4 GHz",
        mhz: 2400.0,
        machine: "qemu-a64",
        cpu: Some("cortex-a76"),
        // Nearest relative, as above.
        model: Model { triple: A64, cpu: "neoverse-n1" },
        layout: "portable",
        room: 1800 * MIB,
        room_is: "2 GB of RAM",
        memory: ("RAM", 17_068.0, "LPDDR4X-4267, 32 lines (board's description)"),
        most: None,
    },
];
