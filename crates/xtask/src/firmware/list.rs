//! All machines, as data. A new one is one more entry.

use super::flash::Board;
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
        cores: 1,
        log: Log::Defmt,
        board: None,
        flat: false,
        places: &[AN547],
    },
    Machine {
        name: "qemu-m7",
        what: "mps2-an500, Cortex-M7, defmt over semihosting",
        target: Target::Thumbv7em,
        cpus: &[],
        cores: 1,
        log: Log::Defmt,
        board: None,
        flat: false,
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
        name: "qemu-m33",
        what: "mps2-an505, Cortex-M33 with 128 KiB of RAM, defmt over semihosting",
        target: Target::Thumbv8m,
        cpus: &[],
        cores: 1,
        log: Log::Defmt,
        board: None,
        flat: false,
        places: &[Place {
            qemu: &["qemu-system-arm", "-M", "mps2-an505", "-serial", "null"],
            model_at: 0x8000_0000,
            check_at: 0x8010_0000,
            model_room: 1 << 20,
        }],
    },
    Machine {
        name: "qemu-a64",
        what: "virt, four Cortex-A53 without an operating system, serial port",
        target: Target::Aarch64None,
        cpus: &["cortex-a53", "cortex-a72", "cortex-a76", "max"],
        cores: 4,
        log: Log::Serial,
        board: None,
        flat: false,
        places: &[Place {
            qemu: &["qemu-system-aarch64", "-M", "virt", "-m", "1G", "-nic", "none", "-serial", "stdio"],
            model_at: 0x4800_0000,
            check_at: 0x7000_0000,
            model_room: 640 << 20,
        }],
    },
    Machine {
        name: "raspi3",
        what: "raspi3b, four Cortex-A53 without an operating system, serial port",
        target: Target::Aarch64None,
        cpus: &[],
        cores: 4,
        log: Log::Serial,
        board: None,
        flat: true,
        places: &[Place {
            qemu: &["qemu-system-aarch64", "-M", "raspi3b", "-serial", "stdio"],
            model_at: 0x0400_0000,
            check_at: 0x1700_0000,
            model_room: 304 << 20,
        }],
    },
    Machine {
        name: "stm32n6570-dk",
        what: "ST's board, Cortex-M55, model in octo flash, serial port and defmt over RTT",
        target: Target::Thumbv8m,
        cpus: &[],
        cores: 1,
        log: Log::Defmt,
        board: Some(Board {
            steps: &[
                &[
                    "probe-rs",
                    "download",
                    "--chip",
                    "STM32N657",
                    "--binary-format",
                    "bin",
                    "--base-address",
                    "0x70000000",
                    "{model}",
                ],
                &[
                    "probe-rs",
                    "download",
                    "--chip",
                    "STM32N657",
                    "--binary-format",
                    "bin",
                    "--base-address",
                    "0x77000000",
                    "{check}",
                ],
                &["probe-rs", "run", "--chip", "STM32N657", "{program}"],
            ],
        }),
        flat: false,
        places: &[],
    },
    Machine {
        name: "stm32h747i-disco",
        what: "ST's board, Cortex-M7, model in quad flash, serial port and defmt over RTT",
        target: Target::Thumbv7em,
        cpus: &[],
        cores: 1,
        log: Log::Defmt,
        board: Some(Board {
            // ST's programmer has the loader for this flash.
            steps: &[
                &[
                    "STM32_Programmer_CLI",
                    "-c",
                    "port=SWD",
                    "-el",
                    "MT25TL01G_STM32H747I-DISCO.stldr",
                    "-d",
                    "{model}",
                    "0x90000000",
                ],
                &[
                    "STM32_Programmer_CLI",
                    "-c",
                    "port=SWD",
                    "-el",
                    "MT25TL01G_STM32H747I-DISCO.stldr",
                    "-d",
                    "{check}",
                    "0x97000000",
                ],
                &["probe-rs", "run", "--chip", "STM32H747XIHx", "{program}"],
            ],
        }),
        flat: false,
        places: &[],
    },
];
