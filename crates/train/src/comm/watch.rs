//! The control channel after the start: who is alive, and how an end of one becomes the end of all.
//!
//! Every rank is connected to rank 0. Both sides send a sign of life now and then. When a connection closes without a
//! goodbye, or is silent for too long, rank 0 tells everyone who is missing; a rank that fails sends its message the same way.
//! Whoever learns of a failure closes its data connections, so that a thread waiting in a sum wakes up and returns the
//! message as an error; a thread that does not wake up (it computes, or waits for a GPU) is ended with the process.

use super::rendezvous::Peer;
use super::wire::{self, Kind};
use std::fmt;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a rank that cannot go on waits for the reason to arrive.
const REASON: Duration = Duration::from_secs(2);

/// The connections of one rank: at rank 0 to everyone, elsewhere to rank 0.
pub(super) struct Watch(Arc<Shared>);

struct Shared {
    rank: usize,
    links: Vec<Link>,
    state: Mutex<State>,
    changed: Condvar,
    /// Ends the process when the main thread has not reported a failure for so long; none in tests.
    exit_after: Option<Duration>,
}

struct Link {
    peer: Peer,
    stream: TcpStream,
    /// Held while writing.
    writing: Mutex<()>,
}

#[derive(Default)]
struct State {
    /// Why the run is over.
    failure: Option<String>,
    /// The others know.
    passed_on: bool,
    /// The main thread knows.
    reported: bool,
    /// This rank is done.
    closing: bool,
    /// Threads that still listen.
    readers: usize,
    /// What a failure closes and calls.
    data: Vec<TcpStream>,
    hooks: Vec<Box<dyn FnOnce() + Send>>,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watch of rank {} over {} links", self.0.rank, self.0.links.len())
    }
}

impl Watch {
    /// Starts to listen on `links`, and to send signs of life. `silence` is the longest pause of a living rank; `data` are the
    /// connections to close on a failure.
    pub(super) fn start(
        rank: usize,
        links: Vec<(Peer, TcpStream)>,
        data: Vec<TcpStream>,
        silence: Duration,
        exit_after: Option<Duration>,
    ) -> io::Result<Self> {
        let link = |(peer, stream): (Peer, TcpStream)| {
            stream.set_read_timeout(Some(silence))?;
            stream.set_write_timeout(Some(silence))?;
            Ok(Link { peer, stream, writing: Mutex::new(()) })
        };
        let links = links.into_iter().map(link).collect::<io::Result<Vec<_>>>()?;
        let state = State { readers: links.len(), data, ..State::default() };
        let shared = Arc::new(Shared { rank, links, state: Mutex::new(state), changed: Condvar::new(), exit_after });
        for index in 0..shared.links.len() {
            let shared = shared.clone();
            let name = format!("watch-{}", shared.links[index].peer.rank);
            std::thread::Builder::new().name(name).spawn(move || shared.listen(index))?;
        }
        let beating = shared.clone();
        std::thread::Builder::new().name("beat".into()).spawn(move || beating.beat(silence / 5))?;
        Ok(Self(shared))
    }

    /// Why the run is over, if it is. A rank whose data connection broke waits a moment for the reason.
    pub(super) fn failure(&self, wait: bool) -> Option<String> {
        let mut state = self.0.state();
        if wait && state.failure.is_none() {
            let waited = self.0.changed.wait_timeout_while(state, REASON, |state| state.failure.is_none());
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        // Whoever asks is about to end the process.
        state = self.0.until_passed_on(state);
        if state.failure.is_some() {
            state.reported = true;
        }
        state.failure.clone()
    }

    /// Calls `hook` on a failure, before the process ends.
    #[cfg_attr(not(feature = "nccl"), allow(dead_code, reason = "only a GPU has to be told"))]
    pub(super) fn on_failure(&self, hook: impl FnOnce() + Send + 'static) {
        self.0.state().hooks.push(Box::new(hook));
    }

    /// Tells the others that this rank ends, and why; waits a moment until they know.
    pub(super) fn fail(&self, message: &str) {
        let mut state = self.0.state();
        state.reported = true;
        if state.failure.is_none() && !state.closing {
            state.failure = Some(message.to_string());
            drop(state);
            self.0.send(Kind::Abort, format!("rank {}: {message}", self.0.rank).as_bytes(), None);
            self.0.state().passed_on = true;
            self.0.changed.notify_all();
            self.0.hang_up();
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.fail("internal error (panic)");
        }
        let failed = {
            let mut state = self.0.until_passed_on(self.0.state());
            state.closing = true;
            // The threads that still listen would keep them open.
            for stream in state.data.drain(..) {
                let _ = stream.shutdown(Shutdown::Both);
            }
            state.failure.is_some()
        };
        self.0.changed.notify_all();
        if !failed {
            self.0.send(Kind::Goodbye, b"", None);
        }
        self.0.hang_up();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits, but not for ever, while a failure is known here and not yet elsewhere.
    fn until_passed_on<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let unknown = |state: &mut State| state.failure.is_some() && !state.passed_on;
        self.changed.wait_timeout_while(state, REASON, unknown).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Reads what a peer sends until it says goodbye, fails or is gone.
    fn listen(self: Arc<Self>, index: usize) {
        let link = &self.links[index];
        let reason = loop {
            match wire::read(&link.stream) {
                Ok((Kind::Beat, _)) => {}
                Ok((Kind::Goodbye, _)) => break None,
                Ok((Kind::Abort, message)) => break Some(String::from_utf8_lossy(&message).into_owned()),
                Ok((kind, _)) => break Some(format!("{} sent a {kind:?} in the middle of the run", link.peer)),
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    let seconds = link.stream.read_timeout().ok().flatten().unwrap_or_default().as_secs_f64();
                    break Some(format!(
                        "{} has given no sign of life for {seconds} s: its machine or the network is down, or it was stopped",
                        link.peer
                    ));
                }
                Err(_) => {
                    break Some(format!(
                        "{} ended without a word: killed, out of memory or crashed; look for its own messages, \
                         then start all processes again",
                        link.peer
                    ));
                }
            }
        };
        if let Some(reason) = reason {
            self.end(reason, index);
        }
        self.state().readers -= 1;
        self.changed.notify_all();
    }

    /// Records the first failure and passes it on.
    fn end(self: &Arc<Self>, reason: String, from: usize) {
        let hooks = {
            let mut state = self.state();
            if state.failure.is_some() || state.closing {
                return;
            }
            state.failure = Some(reason.clone());
            for stream in &state.data {
                let _ = stream.shutdown(Shutdown::Both);
            }
            std::mem::take(&mut state.hooks)
        };
        self.changed.notify_all();
        self.send(Kind::Abort, reason.as_bytes(), Some(from));
        self.state().passed_on = true;
        self.changed.notify_all();
        if let Some(exit_after) = self.exit_after {
            let shared = self.clone();
            // Without this thread the process would end later: when its main thread next talks to the others.
            let _ = std::thread::Builder::new().name("end".into()).spawn(move || shared.exit(exit_after));
        }
        hooks.into_iter().for_each(|hook| hook());
    }

    /// Ends the process when its main thread has not noticed the failure in time.
    fn exit(&self, after: Duration) {
        std::thread::sleep(after);
        let state = self.state();
        if state.reported {
            drop(state);
            // It has been told, and only has to end; but a driver may hold it up.
            std::thread::sleep(after);
        } else if let Some(failure) = &state.failure {
            eprintln!("{}error: {failure}", super::prefix());
            drop(state);
        }
        // Should a destructor of the process hang as well, the operating system ends it.
        let _ = std::thread::Builder::new().spawn(move || {
            std::thread::sleep(after);
            std::process::abort();
        });
        std::process::exit(1);
    }

    /// Sends a frame to every peer but one.
    fn send(&self, kind: Kind, payload: &[u8], but: Option<usize>) {
        for link in self.links.iter().enumerate().filter(|(index, _)| Some(*index) != but).map(|(_, link)| link) {
            let _writing = link.writing.lock().unwrap_or_else(PoisonError::into_inner);
            // A peer that is gone is noticed by whoever listens to it.
            let _ = wire::write(&link.stream, kind, payload);
        }
    }

    /// Signs of life until this rank is done.
    fn beat(&self, every: Duration) {
        let mut state = self.state();
        while !state.closing && state.failure.is_none() {
            drop(state);
            self.send(Kind::Beat, b"", None);
            state = self.state();
            let wait = self.changed.wait_timeout_while(state, every, |s| !s.closing && s.failure.is_none());
            state = wait.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Closes the sending side. What was sent arrives only if this process goes on reading until the peers have closed
    /// theirs, for which it waits a moment.
    fn hang_up(&self) {
        for link in &self.links {
            let _ = link.stream.shutdown(Shutdown::Write);
        }
        let state = self.state();
        let waited = self.changed.wait_timeout_while(state, Duration::from_millis(500), |state| state.readers > 0);
        drop(waited);
    }
}
