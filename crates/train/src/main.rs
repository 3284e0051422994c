//! The `train` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    quiet_pool();
    distil_train::cli::main()
}

/// candle's element-wise operations share out work over threads that spin while they wait: on a busy machine more than
/// half of the time went there. Our own loops are parallel already, and the only switch is an environment variable that
/// is read once. So the program starts over with the variable set.
#[cfg(unix)]
fn quiet_pool() {
    use std::os::unix::process::CommandExt;
    const VARIABLE: &str = "CANDLE_NUM_THREADS";
    if std::env::var_os(VARIABLE).is_some() {
        return;
    }
    if let Ok(program) = std::env::current_exe() {
        let arguments = std::env::args_os().skip(1);
        // Returns only when it fails; then everything works, only slower.
        let _ = std::process::Command::new(program)
            .args(arguments)
            .env(VARIABLE, "1")
            .exec();
    }
}

#[cfg(not(unix))]
fn quiet_pool() {}
