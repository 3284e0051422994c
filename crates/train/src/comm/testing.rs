//! Several ranks as threads of one test.

use super::environment::{Launcher, Place};
use super::{Group, Settings, TcpGroup};
use std::net::TcpListener;
use std::time::Duration;

/// A port that was free a moment ago.
pub(super) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub(super) fn place(rank: usize, world: usize, port: u16) -> Place {
    Place { rank, world, local_rank: Some(rank), master: "127.0.0.1".into(), port, launcher: Launcher::Torch }
}

pub(super) const SETTINGS: Settings =
    Settings { rendezvous: Duration::from_secs(20), silence: Duration::from_secs(10), exit_after: None };

/// Runs `body` once a rank; returns its results in order of rank.
pub(super) fn ranks<T: Send>(world: usize, body: impl Fn(&dyn Group) -> T + Sync) -> Vec<T> {
    let port = free_port();
    std::thread::scope(|scope| {
        let run = |rank| {
            let body = &body;
            scope.spawn(move || body(&TcpGroup::join(&place(rank, world, port), &SETTINGS).unwrap()))
        };
        let threads: Vec<_> = (0..world).map(run).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}
