//! `cargo xtask firmware`: builds the images and runs them in QEMU.

mod app;
mod card;
mod defmt;
mod expected;
mod faults;
mod flash;
mod flat;
mod images;
mod kernels;
mod linux;
mod list;
mod machine;
mod picture;
mod process;
mod size;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Subcommand;

pub(crate) use images::fixture as fixture_images;
pub(crate) use kernels::test as test_kernels;
pub(crate) use linux::test as test_linux;
pub(crate) use list::MACHINES;
pub(crate) use machine::{Launch, Machine, Run};

use app::App;
use process::Input;

use crate::cross::{Target, cargo_for};
use crate::shell::{root, run as run_command};

/// Arguments of `firmware`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show the machines
    List,
    /// Build the image of a machine
    Build {
        /// A name from the list
        machine: String,
    },
    /// Build the image, run a program of it in QEMU and show what it says; exits with the image's code
    Run(RunArgs),
    /// Build the image of a real board, write model and program, start it and show its log
    Flash {
        /// A name from the list
        machine: String,
        /// What it is to do; on a board that is chosen when the image is built
        #[arg(value_enum, default_value_t = App::Classify)]
        app: App,
        /// The packed model to write; without it a small seeded one is made
        #[arg(long)]
        model: Option<PathBuf>,
        /// Start the chip's watchdog, which resets it when the program gives no sign of life for some seconds
        #[arg(long)]
        watchdog: bool,
        /// Print the commands and run none of them
        #[arg(long)]
        show: bool,
    },
    /// Show what the images take in flash and RAM, section by section and crate by crate
    Size {
        /// A name from the list; all of them without it
        machine: Option<String>,
        /// Build that machine's image at every level of optimization, run `bench` and compare
        #[arg(long, requires = "machine")]
        levels: bool,
    },
    /// Write the files of a Raspberry Pi's SD card to a folder: program, model, check file, configuration
    Card(card::Args),
    /// The 66M model on five boards: bytes, instructions, estimated cycles and milliseconds; prints the tables of
    /// docs/edge.md
    Table(crate::bench::edge::Args),
    /// Draw where the bytes of every machine are; docs/memory.svg
    Picture(picture::Args),
}

#[derive(clap::Args)]
#[command(
    after_help = "Exit codes of an image: 0 all is well (selftest: every output has the host's bits), 1 some output differs, \
    10 to 20 no model or one that is refused, 30 to 33 a model or texts that the machine cannot take, 40 to 48 a text without \
    an answer, 63 no UTF-8, 80 no check file, 81 that of another model, 82 no such program, 83 a line that is too long, \
    101 panic, 102 processor fault, 103 watchdog. All of them: docs/error-codes.md."
)]
struct RunArgs {
    /// A name from the list
    machine: String,
    /// What it is to do
    #[arg(value_enum, default_value_t)]
    app: App,
    /// The packed model to load; without it a small seeded one is made, and what the image says is compared with the
    /// file of its `expected` folder
    #[arg(long)]
    model: Option<PathBuf>,
    /// The check file to load; without it `tools check` makes one for the model
    #[arg(long, requires = "model")]
    check: Option<PathBuf>,
    /// The processor to emulate, where the machine can have several [default: cortex-a53 on qemu-a64]
    #[arg(long)]
    cpu: Option<String>,
    /// How many cores to emulate, where that can be chosen [default: 4 on qemu-a64]
    #[arg(long)]
    cores: Option<usize>,
    /// Run the cores at the same time, on threads of this machine; instructions are not counted then
    #[arg(long)]
    concurrent: bool,
    /// Read from here, and not from a fixed text: with `classify` and without --model
    #[arg(long)]
    interactive: bool,
    /// Write what the image says to its `expected` folder instead of comparing
    #[arg(long, conflicts_with_all = ["model", "cpu", "cores", "concurrent", "interactive"])]
    accept: bool,
}

/// Runs the command.
pub(crate) fn main(args: Args) -> Result<()> {
    match args.command {
        Command::List => {
            for machine in MACHINES {
                println!("{:12} {} ({})", machine.name, machine.what, machine.target.triple());
            }
            let (board, target) = card::BOARD;
            println!("{board:12} Zero 2 W, 3, 4 and 5; emulated as a Pi 3 ({})", target.triple());
            Ok(())
        }
        Command::Build { machine } => {
            let machine = Machine::named(&machine)?;
            build(machine)?;
            println!("{}", machine.elf()?.display());
            Ok(())
        }
        Command::Run(args) => run(&args),
        Command::Flash { machine, app, model, watchdog, show } => {
            let machine = Machine::named(&machine)?;
            let images = model.map_or_else(images::fixture, |model| images::for_model(&model))?;
            build_with(machine, &Choice { app: Some(app), watchdog, ..Choice::default() })?;
            flash::flash(machine, app, &images, show)
        }
        Command::Size { machine: Some(name), levels: true } => {
            size::levels(Machine::named(&name)?, &images::fixture()?)
        }
        Command::Size { machine: Some(name), .. } => size::show(&[Machine::named(&name)?]),
        Command::Size { machine: None, .. } => size::show(&MACHINES.iter().collect::<Vec<_>>()),
        Command::Card(args) => card::write(&args),
        Command::Picture(args) => picture::draw(&args),
        Command::Table(args) => crate::bench::edge::main(&args),
    }
}

fn run(args: &RunArgs) -> Result<()> {
    if args.machine == card::BOARD.0 {
        if args.model.is_some() || args.app != App::default() {
            bail!(
                "{} runs all its programs with a small model; `firmware card` writes a card of your own",
                args.machine
            );
        }
        return card::run_emulated(args.accept);
    }
    let machine = Machine::named(&args.machine)?;
    // Only the self-test reads a check file.
    let images = match (&args.model, &args.check) {
        (Some(model), Some(check)) => images::Images { model: model.clone(), check: check.clone() },
        (Some(model), None) => images::for_model(model)?,
        (None, _) => images::fixture()?,
    };
    build(machine)?;
    let cpu = args.cpu.as_deref();
    let judged = args.model.is_none() && cpu.is_none() && args.cores.is_none() && !args.concurrent && !args.interactive;
    let typed = args.app.typed();
    let input = match (args.app, judged) {
        (App::Classify, false) => Input::Terminal,
        (_, true) => Input::Bytes(&typed),
        _ => Input::None,
    };
    let result = machine.launch(&Launch {
        input,
        live: true,
        cpu,
        cores: args.cores,
        ..of(args.app, &images.model, &images.check)
    })?;
    let millions: Vec<_> = result.instructions().iter().map(|&n| format!("{:.1}", n as f64 / 1e6)).collect();
    if args.app == App::Selftest && !millions.is_empty() {
        println!("millions of instructions a sentence: {}", millions.join(", "));
    }
    if args.accept {
        expected::accept(machine, args.app, &result)?;
    } else if judged {
        expected::compare(machine, args.app, &result)?;
        println!("as expected: {}", expected::path(machine, args.app).display());
    }
    if result.code != 0 {
        // The image's own code, so that scripts can tell a difference from a fault.
        std::process::exit(result.code);
    }
    Ok(())
}

/// A run of this program with these two files.
fn of<'a>(app: App, model: &'a Path, check: &'a Path) -> Launch<'a> {
    Launch { app, model: Some(model), check: Some(check), ..Launch::default() }
}

/// Builds the image of a machine with the release profile.
pub(crate) fn build(machine: &Machine) -> Result<()> {
    build_at(machine, None)
}

/// [`build`] at another level of optimization than the profile's.
fn build_at(machine: &Machine, level: Option<&str>) -> Result<()> {
    build_with(machine, &Choice { level, ..Choice::default() })
}

/// The level of optimization of Cortex-M images: smaller by a twelfth than those of the profile's 3, and a little faster; 64-bit
/// ones are faster with 3 (docs/firmware.md).
const CORTEX_M_LEVEL: &str = "2";
/// The crates of an image on Cortex-M beside the machine's own.
const OURS: [&str; 6] =
    ["distil-format", "distil-kernels", "distil-tokenizer", "distil-runtime", "distil-harness", "distil-cortex-m"];

/// What is chosen when an image is built.
#[derive(Default)]
struct Choice<'c> {
    /// A level of optimization other than the profile's.
    level: Option<&'c str>,
    /// The program that a board starts with.
    app: Option<App>,
    /// Whether a board starts its watchdog.
    watchdog: bool,
}

/// [`build`] as chosen.
fn build_with(machine: &Machine, choice: &Choice<'_>) -> Result<()> {
    let mut cargo = cargo_for("build", machine.target, &root().join("firmware"))?;
    cargo.args(["--release", "--locked", "--package", machine.name]);
    // The level of defmt's messages is chosen at build time, and the default leaves out all but errors.
    cargo.env("DEFMT_LOG", "info");
    if let Some(app) = choice.app {
        cargo.env("DISTIL_APP", app.name());
    }
    if choice.watchdog {
        cargo.env("DISTIL_WATCHDOG", "1");
    }
    if let Some(level) = choice.level {
        cargo.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", level);
    }
    if machine.is_cortex_m() {
        // Named one by one, and not for the whole profile: where `core` is compiled here, too, it is so once for all builds.
        let level = choice.level.unwrap_or(CORTEX_M_LEVEL);
        let level = if level.parse::<u8>().is_ok() { level.to_owned() } else { format!("\"{level}\"") };
        for name in OURS.iter().chain([&machine.name]) {
            cargo.arg("--config").arg(format!("profile.release.package.{name}.opt-level={level}"));
        }
    }
    run_command(&mut cargo)
}

/// Builds every machine, runs all its programs with the seeded model, and compares with what is expected; then whatever
/// can be wrong in the field.
pub(crate) fn check_all() -> Result<()> {
    let images = images::fixture()?;
    let mut unequal = Vec::new();
    for machine in MACHINES {
        build(machine)?;
        if machine.is_cortex_m() {
            size::check(machine)?;
        }
        // What cannot run here has to build.
        for app in App::ALL.into_iter().filter(|_| machine.is_emulated()) {
            let typed = app.typed();
            let input = Input::Bytes(&typed);
            let result = machine.launch(&Launch { input, ..of(app, &images.model, &images.check) })?;
            print!("{}", result.text);
            if let Err(error) = expected::compare(machine, app, &result) {
                println!("{error}");
                unequal.push(format!("{} {}", machine.name, app.name()));
            }
        }
        // Cores that take turns in one thread hide what goes wrong between them.
        if machine.cores > 1 {
            let launch = Launch { concurrent: true, ..of(App::Selftest, &images.model, &images.check) };
            if let Err(error) = expected::compare(machine, App::Selftest, &machine.launch(&launch)?) {
                println!("{error}");
                unequal.push(format!("{} with all cores at the same time", machine.name));
            }
        }
    }
    if let Err(error) = card::run_emulated(false) {
        println!("{error}");
        unequal.push(card::BOARD.0.to_owned());
    }
    faults::test(&images)?;
    if unequal.is_empty() { Ok(()) } else { bail!("not as expected: {}", unequal.join(", ")) }
}

/// The programs of this folder and their targets.
pub(crate) fn targets() -> impl Iterator<Item = (&'static str, Target)> {
    MACHINES
        .iter()
        .map(|machine| (machine.name, machine.target))
        .chain([card::BOARD, linux::PROGRAM])
        .chain(kernels::targets())
}
