//! The `train` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    set_environment();
    distil_train::cli::main()
}

/// Two things can only be set by environment variables that are read once, so the program starts over with them.
///
/// candle's element-wise operations share out work over threads that spin while they wait: on a busy machine more than
/// half of the time went there, and our own loops are parallel already. And glibc gives freed memory back to the system
/// so eagerly that a tenth of the time went into page faults.
#[cfg(unix)]
fn set_environment() {
    use std::os::unix::process::CommandExt;
    const VARIABLES: [(&str, &str); 3] =
        [("CANDLE_NUM_THREADS", "1"), ("MALLOC_MMAP_THRESHOLD_", "33554432"), ("MALLOC_TRIM_THRESHOLD_", "1073741824")];
    let missing: Vec<_> = VARIABLES.into_iter().filter(|(name, _)| std::env::var_os(name).is_none()).collect();
    if missing.is_empty() {
        return;
    }
    if let Ok(program) = std::env::current_exe() {
        let arguments = std::env::args_os().skip(1);
        // Returns only when it fails; then everything works, only slower.
        let _ = std::process::Command::new(program).args(arguments).envs(missing).exec();
    }
}

#[cfg(not(unix))]
fn set_environment() {}
