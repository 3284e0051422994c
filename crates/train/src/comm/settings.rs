//! How long processes wait for each other.

use crate::{Error, Result};
use std::time::Duration;

/// Times of a group.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How long to wait for all ranks.
    pub rendezvous: Duration,
    /// How long a rank may be silent.
    pub silence: Duration,
    /// When to end the process after another rank has failed, if it has not ended by itself; none: never.
    pub exit_after: Option<Duration>,
}

impl Settings {
    /// 300 s for all ranks to come (`DISTIL_RENDEZVOUS_SECONDS`), 30 s of silence (`DISTIL_SILENCE_SECONDS`), 3 s to end.
    pub fn from_environment() -> Result<Self> {
        let seconds = |name: &str, default: u64| match std::env::var(name) {
            Err(_) => Ok(Duration::from_secs(default)),
            Ok(text) => match text.parse() {
                Ok(seconds) if seconds > 0 => Ok(Duration::from_secs(seconds)),
                _ => Err(Error::Config(format!("the variable {name} is `{text}`; it takes whole seconds, at least 1"))),
            },
        };
        Ok(Self {
            rendezvous: seconds("DISTIL_RENDEZVOUS_SECONDS", 300)?,
            silence: seconds("DISTIL_SILENCE_SECONDS", 30)?,
            exit_after: Some(Duration::from_secs(3)),
        })
    }
}
