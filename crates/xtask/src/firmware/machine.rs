//! The machines as data, and one run of QEMU.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::app::App;
use super::defmt::{Decoder, Stream};
use super::flash::Board;
use super::flat;
use super::list::MACHINES;
use super::process::{Input, TIME_LIMIT, capture};
use crate::cross::{Target, release_dir};
use crate::shell::{display, root};

/// How the program's words leave the machine; both arrive on QEMU's standard output.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Log {
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
    /// How many cores it has.
    pub(crate) cores: usize,
    pub(super) log: Log,
    /// How it is written, if it is a real board.
    pub(super) board: Option<Board>,
    /// Whether it starts a flat image, as a board's firmware does, and not an ELF file.
    pub(super) flat: bool,
    /// The emulated machine, and one with more room if there is one; none for a real board.
    pub(super) places: &'static [Place],
}

/// An emulated machine that runs the program, and where it takes its two files.
pub(super) struct Place {
    pub(super) qemu: &'static [&'static str],
    pub(super) model_at: u32,
    pub(super) check_at: u32,
    /// Bytes between the two addresses above.
    pub(super) model_room: u64,
}

/// What one run is to be.
#[derive(Default)]
pub(crate) struct Launch<'a> {
    pub(crate) app: App,
    /// What the program reads.
    pub(crate) input: Input<'a>,
    /// Whether its words are shown as they come.
    pub(crate) live: bool,
    pub(crate) model: Option<&'a Path>,
    pub(crate) check: Option<&'a Path>,
    /// One of the machine's processors; its default one otherwise.
    pub(crate) cpu: Option<&'a str>,
    /// How many of its cores it is to have; all of them otherwise.
    pub(crate) cores: Option<usize>,
    /// Each core runs on a thread of the host's, at the same time as the others; nothing is counted then.
    pub(crate) concurrent: bool,
    /// A third word for the program.
    pub(crate) word: Option<&'a str>,
    /// A plugin of the emulator, with its arguments.
    pub(crate) plugin: Option<&'a str>,
}

/// Turns what leaves the machine into text, a piece at a time.
enum Words<'d> {
    /// Text; a character that is not whole yet waits.
    Serial(Vec<u8>),
    Defmt(Stream<'d>),
}

impl Words<'_> {
    fn take(&mut self, piece: &[u8]) -> String {
        match self {
            Self::Defmt(stream) => stream.take(piece),
            Self::Serial(waiting) => {
                waiting.extend(piece);
                let whole = match std::str::from_utf8(waiting) {
                    Err(error) if error.error_len().is_none() => error.valid_up_to(),
                    _ => waiting.len(),
                };
                let rest = waiting.split_off(whole);
                String::from_utf8_lossy(&std::mem::replace(waiting, rest)).replace('\r', "")
            }
        }
    }
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

    /// Tokens and instructions of each line of `bench`.
    pub(crate) fn bench(&self) -> Vec<(usize, u64)> {
        let line = |line: &str| {
            let (tokens, rest) = line.split_once(" tokens: ")?;
            Some((tokens.parse().ok()?, rest.split_once(" instructions,")?.0.parse().ok()?))
        };
        self.text.lines().filter_map(line).collect()
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
        MACHINES.iter().find(|machine| machine.name == name).with_context(|| {
            let names: Vec<_> = MACHINES.iter().map(|machine| machine.name).collect();
            format!("there is no machine `{name}`; the machines are {}", names.join(", "))
        })
    }

    /// Whether its processor is a microcontroller's.
    pub(crate) fn is_cortex_m(&self) -> bool {
        matches!(self.target, Target::Thumbv7em | Target::Thumbv8m)
    }

    /// Its folder.
    pub(crate) fn folder(&self) -> PathBuf {
        root().join("firmware").join(self.name)
    }

    /// Whether it can run on one core, so that instructions can be compared.
    pub(crate) fn runs_on_one_core(&self) -> bool {
        self.cores == 1 || !self.cpus.is_empty()
    }

    /// The emulator's program.
    pub(crate) fn emulator(&self) -> &'static str {
        self.places.first().map_or("", |place| place.qemu[0])
    }

    /// Its program, once built.
    pub(crate) fn elf(&self) -> Result<PathBuf> {
        Ok(release_dir(self.target)?.join(self.name))
    }

    /// Whether QEMU can be it.
    pub(crate) fn is_emulated(&self) -> bool {
        !self.places.is_empty()
    }

    /// Bytes of the largest model that it takes.
    pub(crate) fn room(&self) -> u64 {
        self.places.iter().map(|place| place.model_room).max().unwrap_or(0)
    }

    /// The first emulated machine with room for a file of this size.
    fn place(&self, bytes: u64) -> Result<&Place> {
        self.places
            .iter()
            .find(|place| bytes <= place.model_room)
            .with_context(|| format!("a file has {bytes} bytes; {} takes up to {}", self.name, self.room()))
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
        match launch.cores.unwrap_or(self.cores) {
            cores if cores == self.cores && self.cpus.is_empty() => {}
            cores if (1..=self.cores).contains(&cores) && !self.cpus.is_empty() => {
                _ = command.args(["-smp", &cores.to_string()]);
            }
            cores => bail!("{} has {} core(s); it cannot run with {cores}", self.name, self.cores),
        }
        if let Some(plugin) = launch.plugin {
            command.args(["-plugin", plugin]);
        }
        command.args(["-display", "none", "-monitor", "none", "-semihosting-config"]);
        let word = launch.word.map(|word| format!(",arg={word}")).unwrap_or_default();
        command.arg(format!("enable=on,target=native,arg={},arg={}{word}", self.name, launch.app.name()));
        // One nanosecond of the machine's time for each instruction: its counters then count instructions.
        command.args(if launch.concurrent { ["-accel", "tcg,thread=multi"] } else { ["-icount", "shift=0,sleep=off"] });
        command.arg("-kernel").arg(if self.flat { flat::image_of(&self.elf()?)? } else { self.elf()? });
        for (file, address) in [(launch.model, place.model_at), (launch.check, place.check_at)] {
            let Some(file) = file else { continue };
            // QEMU writes a comma inside an option as two.
            let file = file.to_string_lossy().replace(',', ",,");
            command.arg("-device").arg(format!("loader,file={file},addr={address:#x},force-raw=on"));
        }
        Ok(command)
    }

    /// Runs the program with a model and a check file in their places, on one core of the machine's default processor.
    pub(crate) fn run(&self, model: &Path, check: &Path) -> Result<Run> {
        let cores = (!self.cpus.is_empty()).then_some(1);
        self.launch(&Launch { model: Some(model), check: Some(check), cores, ..Launch::default() })
    }

    /// Runs the program as told.
    pub(crate) fn launch(&self, launch: &Launch<'_>) -> Result<Run> {
        let mut largest = 0;
        for file in [launch.model, launch.check].into_iter().flatten() {
            let bytes = std::fs::metadata(file).with_context(|| format!("cannot read {}", file.display()))?.len();
            largest = largest.max(bytes);
        }
        let mut command = self.command(self.place(largest)?, launch)?;
        eprintln!("$ {}", display(&command));
        let decoder = match self.log {
            Log::Serial => None,
            Log::Defmt => Some(Decoder::open(&self.elf()?)?),
        };
        let mut words =
            decoder.as_ref().map_or_else(|| Words::Serial(Vec::new()), |decoder| Words::Defmt(decoder.stream()));
        let mut text = String::new();
        let code = capture(&mut command, &launch.input, TIME_LIMIT, |bytes| {
            let more = words.take(bytes);
            if launch.live {
                print!("{more}");
                std::io::stdout().flush()?;
            }
            text += &more;
            Ok(())
        })?;
        Ok(Run { text, code })
    }
}

#[cfg(test)]
mod tests {
    use super::{Launch, MACHINES, Machine, Run};
    use crate::shell::display;

    #[test]
    fn machines_are_found_by_name() {
        for machine in MACHINES {
            assert_eq!(Machine::named(machine.name).unwrap().what, machine.what);
        }
        let Err(error) = Machine::named("qemu") else { panic!("found a machine that does not exist") };
        assert!(error.to_string().contains("qemu-m55"), "{error}");
    }

    #[test]
    fn only_processors_of_the_machine_are_started() {
        let command = |name, cpu| {
            let launch = Launch { model: Some("m".as_ref()), cpu, ..Launch::default() };
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
    fn a_machine_has_the_cores_it_has() {
        let shown = |name, cores| {
            let launch = Launch { model: Some("m".as_ref()), cores, ..Launch::default() };
            let machine = Machine::named(name).unwrap();
            machine.command(machine.place(1)?, &launch).map(|command| display(&command))
        };
        assert!(shown("qemu-a64", None).unwrap().contains("-smp 4"));
        assert!(shown("qemu-a64", Some(1)).unwrap().contains("-smp 1"));
        assert!(!shown("qemu-m55", Some(1)).unwrap().contains("-smp"));
        for (name, cores) in [("qemu-a64", 5), ("qemu-a64", 0), ("qemu-m55", 2)] {
            assert!(shown(name, Some(cores)).is_err(), "{name} {cores}");
        }
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
        let text = "8 tokens: 123 instructions, arena 9 bytes in DDR\nstack: 5 bytes of 6\n";
        assert_eq!(Run { text: text.into(), code: 0 }.bench(), [(8, 123)]);
    }
}
