//! All machines, as data. A new one is one more entry.

use super::machine::{Log, Machine, Place};
use crate::cross::Target;

/// The machine with a Cortex-M55, which has the most memory of those with a microcontroller.
const AN547: Place = Place {
    qemu: &["qemu-system-arm", "-M", "mps3-an547", "-serial", "null"],
    model_at: 0x6000_0000,
    check_at: 0x7000_0000,
    model_room: 256 << 20,
};

/// All machines.
pub(crate) const MACHINES: &[Machine] = &[
    Machine {
        name: "qemu-m55",
        what: "mps3-an547, Cortex-M55, defmt over semihosting",
        target: Target::Thumbv8m,
        cpus: &[],
        log: Log::Defmt,
        places: &[AN547],
    },
    Machine {
        name: "qemu-m7",
        what: "mps2-an500, Cortex-M7, defmt over semihosting",
        target: Target::Thumbv7em,
        cpus: &[],
        log: Log::Defmt,
        places: &[
            Place {
                qemu: &["qemu-system-arm", "-M", "mps2-an500", "-serial", "null"],
                model_at: 0x6000_0000,
                check_at: 0x60c0_0000,
                model_room: 12 << 20,
            },
            AN547,
        ],
    },
    Machine {
        name: "qemu-a64",
        what: "virt, Cortex-A53 without an operating system, serial port",
        target: Target::Aarch64None,
        cpus: &["cortex-a53", "cortex-a72", "cortex-a76", "max"],
        log: Log::Serial,
        places: &[Place {
            qemu: &["qemu-system-aarch64", "-M", "virt", "-m", "1G", "-nic", "none", "-serial", "stdio"],
            model_at: 0x4800_0000,
            check_at: 0x7000_0000,
            model_room: 640 << 20,
        }],
    },
];
