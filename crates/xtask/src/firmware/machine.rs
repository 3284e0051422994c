//! The machines as data, and one run of QEMU.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::defmt::Decoder;
use crate::cross::{Target, release_dir};
use crate::shell::{display, root};

/// How the program's words leave the machine; both arrive on QEMU's standard output.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Log {
    Serial,
    Defmt,
}

/// A machine with a folder of its own in `firmware/`.
pub(crate) struct Machine {
    /// Its folder, package and program.
    pub(crate) name: &'static str,
    /// What it is.
    pub(crate) what: &'static str,
    /// What it is built for.
    pub(crate) target: Target,
    /// The processors that `--cpu` may name, the default one first; empty where the machine has only one.
    pub(crate) cpus: &'static [&'static str],
    log: Log,
    /// The emulated machine, and one with more room if there is one.
    places: &'static [Place],
}

/// An emulated machine that runs the program, and where it takes its two files.
struct Place {
    qemu: &'static [&'static str],
    model_at: u32,
    check_at: u32,
    /// Bytes between the two addresses above.
    model_room: u64,
}

/// The machine with a Cortex-M55, which has the most memory of those with a microcontroller.
const AN547: Place = Place {
    qemu: &["qemu-system-arm", "-M", "mps3-an547", "-serial", "null"],
    model_at: 0x6000_0000,
    check_at: 0x7000_0000,
    model_room: 256 << 20,
};

/// All machines.
pub(crate) const MACHINES: [Machine; 3] = [
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

/// What one run is to be.
pub(crate) struct Launch<'a> {
    pub(crate) model: &'a Path,
    pub(crate) check: &'a Path,
    /// One of the machine's processors; its default one otherwise.
    pub(crate) cpu: Option<&'a str>,
    /// A plugin of the emulator, with its arguments.
    pub(crate) plugin: Option<&'a str>,
}

/// What one run gave.
#[derive(Debug)]
pub(crate) struct Run {
    /// What the program said.
    pub(crate) text: String,
    /// The code it exited with.
    pub(crate) code: i32,
}

impl Run {
    /// The kernels that the processor chose, from the report.
    pub(crate) fn kernels(&self) -> Option<&str> {
        self.text.lines().find_map(|line| line.split_once(", kernels: ")).map(|(_, name)| name.trim())
    }

    /// Instructions of each sentence, from the report.
    pub(crate) fn instructions(&self) -> Vec<u64> {
        let number = |line: &str| line.strip_suffix(" instructions")?.rsplit(' ').next()?.parse().ok();
        self.text.lines().filter(|line| line.contains(" tokens, ")).filter_map(number).collect()
    }

    /// Tokens of each sentence, from the report.
    pub(crate) fn tokens(&self) -> Vec<usize> {
        let number = |line: &str| line.split_once(" tokens, ")?.0.trim().parse().ok();
        self.text.lines().filter_map(number).collect()
    }
}

impl Machine {
    /// The machine of that name.
    pub(crate) fn named(name: &str) -> Result<&'static Self> {
        static ALL: [Machine; 3] = MACHINES;
        ALL.iter().find(|machine| machine.name == name).with_context(|| {
            let names: Vec<_> = ALL.iter().map(|machine| machine.name).collect();
            format!("there is no machine `{name}`; the machines are {}", names.join(" and "))
        })
    }

    /// Its folder.
    pub(crate) fn folder(&self) -> PathBuf {
        root().join("firmware").join(self.name)
    }

    /// The emulator's program.
    pub(crate) fn emulator(&self) -> &'static str {
        self.places[0].qemu[0]
    }

    /// Its program, once built.
    pub(crate) fn elf(&self) -> Result<PathBuf> {
        Ok(release_dir(self.target)?.join(self.name))
    }

    /// The first emulated machine with room for a file of this size.
    fn place(&self, bytes: u64) -> Result<&Place> {
        self.places.iter().find(|place| bytes <= place.model_room).with_context(|| {
            let room = self.places.iter().map(|place| place.model_room).max().unwrap_or(0);
            format!("a file has {bytes} bytes; {} takes up to {room}", self.name)
        })
    }

    /// The QEMU command of a run.
    fn command(&self, place: &Place, launch: &Launch<'_>) -> Result<Command> {
        let mut command = Command::new(place.qemu[0]);
        command.args(&place.qemu[1..]);
        match (launch.cpu, self.cpus) {
            (None, []) => {}
            (None, [default, ..]) => _ = command.args(["-cpu", default]),
            (Some(cpu), cpus) if cpus.contains(&cpu) => _ = command.args(["-cpu", cpu]),
            (Some(cpu), []) => bail!("{} has one processor; leave out --cpu {cpu}", self.name),
            (Some(cpu), cpus) => bail!("{} has no processor `{cpu}`; it can have {}", self.name, cpus.join(", ")),
        }
        if let Some(plugin) = launch.plugin {
            command.args(["-plugin", plugin]);
        }
        command.args(["-display", "none", "-monitor", "none", "-semihosting-config", "enable=on,target=native"]);
        // One nanosecond of the machine's time for each instruction: its counters then count instructions.
        command.args(["-icount", "shift=0,sleep=off"]);
        command.arg("-kernel").arg(self.elf()?);
        for (file, address) in [(launch.model, place.model_at), (launch.check, place.check_at)] {
            // QEMU writes a comma inside an option as two.
            let file = file.to_string_lossy().replace(',', ",,");
            command.arg("-device").arg(format!("loader,file={file},addr={address:#x},force-raw=on"));
        }
        Ok(command)
    }

    /// Runs the program with a model and a check file in their places, on the machine's default processor.
    pub(crate) fn run(&self, model: &Path, check: &Path) -> Result<Run> {
        self.launch(&Launch { model, check, cpu: None, plugin: None })
    }

    /// Runs the program as told.
    pub(crate) fn launch(&self, launch: &Launch<'_>) -> Result<Run> {
        let mut largest = 0;
        for file in [launch.model, launch.check] {
            let bytes = std::fs::metadata(file).with_context(|| format!("cannot read {}", file.display()))?.len();
            largest = largest.max(bytes);
        }
        let mut command = self.command(self.place(largest)?, launch)?;
        eprintln!("$ {}", display(&command));
        let (stdout, code) = capture(&mut command, TIME_LIMIT)?;
        let text = match self.log {
            Log::Serial => String::from_utf8_lossy(&stdout).replace("\r\n", "\n"),
            Log::Defmt => Decoder::open(&self.elf()?)?.decode(&stdout)?,
        };
        Ok(Run { text, code })
    }
}

/// Longer than the largest model takes; only a program that hangs meets it.
pub(super) const TIME_LIMIT: Duration = Duration::from_secs(60 * 60);

/// Runs the command to its end; gives its standard output and its exit code.
pub(super) fn capture(command: &mut Command, limit: Duration) -> Result<(Vec<u8>, i32)> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{}`; run `cargo xtask setup`", display(command)))?;
    let mut stdout = child.stdout.take().context("the child's output is a pipe")?;
    let reader = thread::spawn(move || {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut stdout, &mut bytes).map(|_| bytes)
    });
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if start.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            bail!("the machine had not finished after {} minutes and was stopped", limit.as_secs() / 60);
        }
        thread::sleep(Duration::from_millis(20));
    };
    let bytes = reader.join().map_err(|_| anyhow::anyhow!("reading the machine's output failed"))??;
    let code = status.code().with_context(|| format!("the emulator was ended by a signal ({status})"))?;
    Ok((bytes, code))
}

#[cfg(test)]
mod tests {
    use super::{Launch, MACHINES, Machine, Run};
    use crate::shell::display;

    #[test]
    fn machines_are_found_by_name() {
        for machine in &MACHINES {
            assert_eq!(Machine::named(machine.name).unwrap().what, machine.what);
        }
        let Err(error) = Machine::named("qemu") else { panic!("found a machine that does not exist") };
        assert!(error.to_string().contains("qemu-m55"), "{error}");
    }

    #[test]
    fn only_processors_of_the_machine_are_started() {
        let command = |name, cpu| {
            let launch = Launch { model: "m".as_ref(), check: "c".as_ref(), cpu, plugin: None };
            let machine = Machine::named(name).unwrap();
            machine.command(machine.place(1)?, &launch)
        };
        let shown = |name, cpu| display(&command(name, cpu).unwrap());
        assert!(shown("qemu-a64", None).contains("-cpu cortex-a53"));
        assert!(shown("qemu-a64", Some("cortex-a76")).contains("-cpu cortex-a76"));
        assert!(!shown("qemu-m55", None).contains("-cpu"));
        assert!(command("qemu-a64", Some("cortex-m7")).is_err() && command("qemu-m55", Some("max")).is_err());
    }

    #[test]
    fn a_large_model_has_a_machine_with_more_room() {
        let m7 = Machine::named("qemu-m7").unwrap();
        assert!(m7.place(12 << 20).unwrap().qemu.contains(&"mps2-an500"));
        assert!(m7.place(68 << 20).unwrap().qemu.contains(&"mps3-an547"));
        assert!(m7.place(1 << 40).is_err());
    }

    #[test]
    fn instructions_are_read_from_the_report() {
        let text = "virt, Cortex-A53, kernels: neon\nopened in 5 instructions\n1. a\n   6 tokens, 123 instructions\n2. b\n   7 tokens, 4567 instructions\n";
        let run = Run { text: text.into(), code: 0 };
        assert_eq!(run.instructions(), [123, 4567]);
        assert_eq!(run.tokens(), [6, 7]);
        assert_eq!(run.kernels(), Some("neon"));
    }
}
