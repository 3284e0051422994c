//! `train launch`: several processes on this machine that train one model.

use super::safety::at_least_1;
use crate::{Error, Result};
use clap::Args;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long the others may take to end by themselves after one has failed.
const GRACE: Duration = Duration::from_secs(10);

/// Trains with several processes on this machine: one for each GPU, or on the CPU with a share of the cores each.
///
/// Each process gets RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR and MASTER_PORT, as torchrun would set them.
/// Lines on standard error begin with the rank. Ctrl-C is passed on: all finish their step and save. When one process fails,
/// all end.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// Processes
    #[arg(short = 'n', long, value_name = "N", value_parser = at_least_1)]
    processes: usize,
    /// Port on 127.0.0.1 where they meet [default: one that is free]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// What to run: distill, pretrain or resume, with all options
    #[arg(last = true, required = true, value_name = "VERB AND OPTIONS")]
    command: Vec<String>,
}

pub(super) fn run(options: &Options) -> Result<()> {
    let verb = options.command.first().map(String::as_str).unwrap_or_default();
    if !["distill", "pretrain", "resume"].contains(&verb) {
        return Err(Error::Config(format!(
            "`train {verb}` does not train with several processes; launch distill, pretrain or resume"
        )));
    }
    let port = match options.port {
        Some(port) => port,
        None => {
            free_port().map_err(|e| Error::Group(format!("no free port on 127.0.0.1: {e}; name one with --port")))?
        }
    };
    let interrupts = listen();
    let mut processes = Processes::start(options, port)?;
    processes.wait(interrupts)
}

/// A port that nobody listens on at this moment.
fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// Counts requests to end.
fn listen() -> &'static AtomicUsize {
    static INTERRUPTS: AtomicUsize = AtomicUsize::new(0);
    let count = || {
        INTERRUPTS.fetch_add(1, Ordering::Relaxed);
    };
    if let Err(e) = ctrlc::set_handler(count) {
        eprintln!("note: Ctrl-C will not reach the processes ({e})");
    }
    &INTERRUPTS
}

/// The processes, by rank. Whatever happens, none is left behind.
struct Processes(Vec<Child>);

impl Drop for Processes {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // Those that have ended need nothing.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Processes {
    fn start(options: &Options, port: u16) -> Result<Self> {
        let failed = |e: std::io::Error| Error::Group(format!("a process does not start: {e}"));
        let program = std::env::current_exe().map_err(failed)?;
        let mut processes = Self(vec![]);
        for rank in 0..options.processes {
            let mut command = Command::new(&program);
            command.args(&options.command).stdin(Stdio::null()).stderr(Stdio::piped());
            command.env("RANK", rank.to_string()).env("LOCAL_RANK", rank.to_string());
            for name in ["WORLD_SIZE", "LOCAL_WORLD_SIZE"] {
                command.env(name, options.processes.to_string());
            }
            command.env("MASTER_ADDR", "127.0.0.1").env("MASTER_PORT", port.to_string());
            command.env_remove("TORCHELASTIC_USE_AGENT_STORE");
            own_group(&mut command);
            let mut child = command.spawn().map_err(failed)?;
            let messages = child.stderr.take();
            processes.0.push(child);
            if let Some(messages) = messages {
                let show = move || show(rank, messages);
                std::thread::Builder::new().name(format!("messages-{rank}")).spawn(show).map_err(failed)?;
            }
        }
        Ok(processes)
    }

    /// Until all have ended; the first failure decides.
    fn wait(&mut self, interrupts: &AtomicUsize) -> Result<()> {
        let mut ended: Vec<Option<ExitStatus>> = vec![None; self.0.len()];
        let mut failure: Option<(usize, ExitStatus, Instant)> = None;
        let mut passed_on = 0;
        while ended.iter().any(Option::is_none) {
            let asked = interrupts.load(Ordering::Relaxed);
            for ((rank, child), ended) in self.0.iter_mut().enumerate().zip(&mut ended) {
                if ended.is_some() {
                    continue;
                }
                if asked > passed_on {
                    interrupt(child);
                }
                let status = child.try_wait().map_err(|e| Error::Group(format!("process {rank} is lost: {e}")))?;
                if let Some(status) = status {
                    *ended = Some(status);
                    if !status.success() && failure.is_none() {
                        failure = Some((rank, status, Instant::now()));
                    }
                }
            }
            passed_on = asked;
            if failure.is_some_and(|(.., when)| when.elapsed() > GRACE) {
                // Dropped, and ended by that.
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        // What the last lines say comes before what is said here.
        std::thread::sleep(Duration::from_millis(50));
        match failure {
            None => Ok(()),
            Some((_, status, _)) if status.code() == Some(130) => {
                Err(Error::Interrupted("all processes were interrupted".into()))
            }
            Some((rank, status, _)) => Err(Error::Group(format!("process {rank} ended first, with {status}"))),
        }
    }
}

/// Passes a process's messages on, with its rank before each line.
fn show(rank: usize, messages: impl Read) {
    for line in BufReader::new(messages).split(b'\n') {
        let Ok(line) = line else { return };
        let mut whole = format!("[{rank}] ").into_bytes();
        whole.extend(line);
        whole.push(b'\n');
        // Nothing is left to tell when the terminal is gone.
        let _ = std::io::stderr().write_all(&whole);
    }
}

/// A process group of its own: Ctrl-C in a terminal then reaches this process alone, which passes it on once.
#[cfg(unix)]
fn own_group(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
}

#[cfg(not(unix))]
fn own_group(_: &mut Command) {}

#[cfg(unix)]
fn interrupt(child: &mut Child) {
    use nix::sys::signal::{Signal, kill};
    if let Ok(id) = i32::try_from(child.id()) {
        // It may have ended in between.
        let _ = kill(nix::unistd::Pid::from_raw(id), Signal::SIGINT);
    }
}

#[cfg(not(unix))]
fn interrupt(child: &mut Child) {
    let _ = child.kill();
}
