//! One run of an emulator: what it is given to read, what it writes as it comes, and its exit code.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::shell::display;

/// What a program reads.
#[derive(Clone, Copy, Default)]
pub(crate) enum Input<'a> {
    /// Nothing.
    #[default]
    None,
    /// What a person types.
    Terminal,
    /// These bytes.
    Bytes(&'a [u8]),
}

/// Longer than the largest model takes; only a program that hangs meets it.
pub(super) const TIME_LIMIT: Duration = Duration::from_secs(60 * 60);

/// Runs the command to its end, giving `take` its standard output in pieces; returns its exit code.
pub(super) fn capture(
    command: &mut Command,
    input: &Input<'_>,
    limit: Duration,
    mut take: impl FnMut(&[u8]) -> Result<()>,
) -> Result<i32> {
    let stdin = match input {
        Input::None => Stdio::null(),
        Input::Terminal => Stdio::inherit(),
        Input::Bytes(_) => Stdio::piped(),
    };
    let mut child = command
        .stdin(stdin)
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{}`; run `cargo xtask setup`", display(command)))?;
    if let (Input::Bytes(bytes), Some(mut stdin)) = (input, child.stdin.take()) {
        // All of it fits into the pipe; a program that has ended before it read everything is no error.
        let _ = stdin.write_all(bytes);
    }
    let mut stdout = child.stdout.take().context("the child's output is a pipe")?;
    let (sender, pieces) = mpsc::channel();
    let reader = thread::spawn(move || -> std::io::Result<()> {
        let mut buffer = [0; 4096];
        loop {
            match stdout.read(&mut buffer)? {
                0 => return Ok(()),
                len if sender.send(buffer[..len].to_vec()).is_err() => return Ok(()),
                _ => {}
            }
        }
    });
    let start = Instant::now();
    // A person may take as long as they like.
    let limited = !matches!(input, Input::Terminal);
    loop {
        match pieces.recv_timeout(Duration::from_millis(100)) {
            Ok(piece) => take(&piece)?,
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {}
        }
        if limited && start.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            bail!("the machine had not finished after {} minutes and was stopped", limit.as_secs() / 60);
        }
    }
    let status = child.wait()?;
    reader.join().map_err(|_| anyhow::anyhow!("reading the machine's output failed"))??;
    status.code().with_context(|| format!("the emulator was ended by a signal ({status})"))
}
