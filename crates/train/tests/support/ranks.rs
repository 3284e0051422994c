//! Several processes of the program, as launchers start them.

use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Variables of launchers that may be set where the tests run.
const VARIABLES: [&str; 8] = [
    "RANK",
    "WORLD_SIZE",
    "LOCAL_RANK",
    "MASTER_ADDR",
    "MASTER_PORT",
    "SLURM_PROCID",
    "PMI_RANK",
    "OMPI_COMM_WORLD_RANK",
];

/// The program with these arguments and no other process, its messages kept.
pub(crate) fn alone(arguments: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("train"));
    VARIABLES.iter().for_each(|name| {
        command.env_remove(name);
    });
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The program as one of `world` processes.
pub(crate) fn one_of(rank: usize, world: usize, port: u16, arguments: &[&str]) -> Command {
    let mut command = alone(arguments);
    command.env("RANK", rank.to_string()).env("WORLD_SIZE", world.to_string()).env("LOCAL_RANK", rank.to_string());
    command.env("MASTER_ADDR", "127.0.0.1").env("MASTER_PORT", port.to_string());
    command
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Processes that are ended with the test.
pub(crate) struct Ranks(pub(crate) Vec<Child>);

impl Drop for Ranks {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// How a process ended, and what it said on standard error.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) text: String,
}

impl Ranks {
    pub(crate) fn start(commands: impl IntoIterator<Item = Command>) -> Self {
        Self(commands.into_iter().map(|mut command| command.spawn().unwrap()).collect())
    }

    /// Waits until all have ended, at most so long.
    #[track_caller]
    pub(crate) fn wait(mut self, limit: Duration) -> Vec<Ended> {
        let start = Instant::now();
        while self.0.iter_mut().any(|child| child.try_wait().unwrap().is_none()) {
            assert!(start.elapsed() < limit, "not all processes ended within {limit:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
        let children = std::mem::take(&mut self.0);
        let ended = children.into_iter().map(|child| child.wait_with_output().unwrap());
        ended.map(|out| Ended { status: out.status, text: String::from_utf8_lossy(&out.stderr).into_owned() }).collect()
    }
}

/// Runs `world` processes with the same arguments to their end, which must be a success.
#[track_caller]
pub(crate) fn run(world: usize, arguments: &[&str]) -> Vec<Ended> {
    let port = free_port();
    let commands =
        (0..world).map(|rank| if world == 1 { alone(arguments) } else { one_of(rank, world, port, arguments) });
    let ended = Ranks::start(commands).wait(Duration::from_secs(300));
    assert!(ended.iter().all(|e| e.status.success()), "{world} processes, {arguments:?}: {ended:#?}");
    ended
}
