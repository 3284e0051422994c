//! The test of the library: programs in C on three kinds of machine print what a program in Rust prints, to the last bit.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::library::{self, For};
use crate::cross::{NATIVE_AARCH64_LINUX, Target, qemu_user};
use crate::shell::{cargo, display, has, output, root, run};

/// Warnings are errors, in the header too.
const FLAGS: [&str; 6] = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror"];
/// Finds what a program does that is not defined.
const SANITIZERS: [&str; 3] = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

/// A microcontroller in the emulator.
struct Board {
    processor: &'static str,
    machine: &'static str,
    target: Target,
}

const BOARDS: [Board; 2] = [
    Board { processor: "cortex-m55", machine: "mps3-an547", target: Target::Thumbv8m },
    Board { processor: "cortex-m7", machine: "mps2-an500", target: Target::Thumbv7em },
];

/// The files that all programs are given, and what each has to say.
struct Case {
    file: PathBuf,
    text: String,
    code: i32,
}

/// Runs the test.
pub(crate) fn test() -> Result<()> {
    let folder = root().join("target/capi-test");
    fs::create_dir_all(&folder)?;
    let cases = cases(&folder.join("models"))?;
    on_this_machine(&folder, &cases)?;
    on_aarch64(&folder, &cases)?;
    for board in &BOARDS {
        on_board(board, &folder, &cases)?;
    }
    // Nothing here links with this one, but it is to build like the others.
    library::build(For::Cross(Target::Aarch64None), false)?;
    println!("{} files: C prints what Rust prints, here, on 64-bit ARM and on Cortex-M55 and M7", cases.len());
    Ok(())
}

fn example(name: &str) -> Command {
    let mut command = cargo();
    command.args(["run", "--quiet", "--locked", "--package", "distil-capi", "--example", name, "--"]);
    command
}

/// Makes the files and asks the program in Rust.
fn cases(folder: &Path) -> Result<Vec<Case>> {
    run(example("models").arg(folder))?;
    let mut files: Vec<PathBuf> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.sort();
    let case = |file: PathBuf| {
        let (text, code) = said(example("answers").arg(&file))?;
        Ok(Case { file, text, code })
    };
    files.into_iter().map(case).collect()
}

/// What a program writes to its standard output, and its code.
fn said(command: &mut Command) -> Result<(String, i32)> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start `{}`", display(command)))?;
    let code = output.status.code().with_context(|| format!("`{}` was ended by a signal", display(command)))?;
    Ok((String::from_utf8_lossy(&output.stdout).into_owned(), code))
}

/// Compares a program in C with the one in Rust, for every file.
fn compare(cases: &[Case], mut program: impl FnMut(&Path) -> Command) -> Result<()> {
    for case in cases {
        let mut command = program(&case.file);
        eprintln!("$ {}", display(&command));
        let (text, code) = said(&mut command)?;
        if text != case.text {
            let pair = text.lines().zip(case.text.lines()).find(|(c, rust)| c != rust);
            let (c, rust) = pair.unwrap_or(("(another number of lines)", "(another number of lines)"));
            bail!("C and Rust differ on {}:\n- Rust: {rust}\n+ C:    {c}", case.file.display());
        }
        if code != case.code {
            bail!("on {}, C exits with {code}, Rust with {}", case.file.display(), case.code);
        }
    }
    Ok(())
}

fn examples() -> PathBuf {
    root().join("crates/capi/examples/c")
}

/// A compiler with the header and the examples in reach.
fn compiler(name: &str) -> Command {
    let mut command = Command::new(name);
    command.arg("-I").arg(root().join("crates/capi/include")).arg("-I").arg(examples());
    command
}

/// Compiles a program for an operating system.
fn compile(name: &str, flags: &[&str], sources: &[PathBuf], library: &Path, program: &Path) -> Result<()> {
    run(compiler(name).args(FLAGS).args(flags).args(sources).arg(library).arg("-o").arg(program))
}

fn on_this_machine(folder: &Path, cases: &[Case]) -> Result<()> {
    if !has("cc") {
        bail!("no C compiler on this machine; install gcc or clang");
    }
    let library = library::build(For::Host, true)?;
    let probe = folder.join("probe.c");
    fs::write(&probe, "int main(void) { return 0; }\n")?;
    let checks = compiler("cc").args(SANITIZERS).arg(&probe).arg("-o").arg(folder.join("probe")).output();
    let flags: &[&str] = if checks.is_ok_and(|checks| checks.status.success()) { &SANITIZERS } else { &[] };
    println!("   address and behaviour sanitizers: {}", if flags.is_empty() { "not in this compiler" } else { "on" });

    let linux = folder.join("linux");
    compile("cc", flags, &[examples().join("answers.c"), examples().join("linux.c")], &library, &linux)?;
    compare(cases, |file| {
        let mut command = Command::new(&linux);
        command.arg(file);
        command
    })?;

    let classifier = folder.join("models/sequence-classification.distil");
    let misuse = folder.join("misuse");
    compile("cc", flags, &[root().join("crates/capi/tests/c/misuse.c")], &library, &misuse)?;
    run(Command::new(&misuse).arg(&classifier))?;

    let (source, program) = (folder.join("example.c"), folder.join("example"));
    fs::write(&source, documented()?)?;
    compile("cc", flags, &[source], &library, &program)?;
    let line = output(Command::new(&program).arg(&classifier))?;
    if !line.contains("probability") {
        bail!("the example of docs/c-interface.md says `{}`", line.trim());
    }

    if has("c++") {
        let (source, program) = (folder.join("plus.cc"), folder.join("plus"));
        fs::write(
            &source,
            "#include \"distil.h\"\nint main() { return distil_abi_version() != DISTIL_ABI_VERSION; }\n",
        )?;
        run(compiler("c++").args(["-Wall", "-Wextra", "-Werror"]).args([&source, &library]).arg("-o").arg(&program))?;
        run(&mut Command::new(&program))?;
    }
    Ok(())
}

/// The program in docs/c-interface.md.
fn documented() -> Result<String> {
    let path = root().join("docs/c-interface.md");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let program = text.split("```c\n").nth(1).and_then(|rest| rest.split("```").next());
    Ok(program.with_context(|| format!("no program in {}", path.display()))?.to_owned())
}

fn on_aarch64(folder: &Path, cases: &[Case]) -> Result<()> {
    if NATIVE_AARCH64_LINUX {
        return Ok(());
    }
    let library = library::build(For::Cross(Target::Aarch64Linux), false)?;
    let program = folder.join("linux-aarch64");
    let sources = [examples().join("answers.c"), examples().join("linux.c")];
    compile("aarch64-linux-gnu-gcc", &["-static"], &sources, &library, &program)?;
    let emulator = qemu_user().context("no qemu-aarch64 on this machine; run `cargo xtask setup`")?;
    for processor in ["cortex-a53", "max"] {
        compare(cases, |file| {
            let mut command = Command::new(emulator);
            command.args(["-cpu", processor]).arg(&program).arg(file);
            command
        })?;
    }
    Ok(())
}

fn on_board(board: &Board, folder: &Path, cases: &[Case]) -> Result<()> {
    let sources = [examples().join("answers.c"), examples().join("bare-metal/main.c")];
    let program = bare_metal(board, &sources, &folder.join(board.processor))?;
    compare(cases, |file| emulator(board, &program, file))
}

/// Builds a program without an operating system.
fn bare_metal(board: &Board, sources: &[PathBuf], program: &Path) -> Result<PathBuf> {
    let library = library::build(For::Cross(board.target), false)?;
    let bare = examples().join("bare-metal");
    let program = program.with_extension("elf");
    let mut gcc = compiler("arm-none-eabi-gcc");
    gcc.args(FLAGS).arg(format!("-mcpu={}", board.processor)).args(["-mfloat-abi=hard", "-mthumb"]);
    gcc.args(["-ffreestanding", "-nostdlib", "-ffunction-sections", "-Wl,--gc-sections,-z,noexecstack", "-T"]);
    gcc.arg(bare.join("memory.ld")).args(sources).arg(bare.join("startup.c")).arg(library);
    run(gcc.arg("-lgcc").arg("-o").arg(&program))?;
    Ok(program)
}

/// A board with a program and a file in its flash.
fn emulator(board: &Board, program: &Path, file: &Path) -> Command {
    let mut qemu = Command::new("qemu-system-arm");
    qemu.args(["-M", board.machine, "-serial", "null", "-display", "none", "-monitor", "none"]);
    qemu.args(["-chardev", "stdio,id=out", "-semihosting-config", "enable=on,target=native,chardev=out"]);
    qemu.arg("-kernel").arg(program).arg("-device");
    // QEMU writes a comma inside an option as two.
    let file = file.to_string_lossy().replace(',', ",,");
    qemu.arg(format!("loader,file={file},addr=0x60000000,force-raw=on"));
    qemu
}

/// Opens a file in slices on the emulated Cortex-M55 and says how many instructions the steps take.
pub(super) fn slices(file: &Path) -> Result<()> {
    let file = fs::canonicalize(file).with_context(|| format!("cannot read {}", file.display()))?;
    let folder = root().join("target/capi-test");
    fs::create_dir_all(&folder)?;
    let program = bare_metal(&BOARDS[0], &[examples().join("bare-metal/slices.c")], &folder.join("slices"))?;
    // One nanosecond of the machine's time for each instruction.
    let text = output(emulator(&BOARDS[0], &program, &file).args(["-icount", "shift=0,sleep=off"]))?;
    print!("{text}");
    Ok(())
}
