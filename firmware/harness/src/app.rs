//! The programs that every machine has, and how one of them is chosen.

use core::fmt;

/// A program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum App {
    /// The kernels against the reference, then the sentences of the check file against the host: bit for bit.
    #[default]
    Selftest,
    /// Answers what is typed, line by line.
    Classify,
    /// What texts of several lengths cost.
    Bench,
}

/// No program has this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownApp;

impl fmt::Display for UnknownApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no program of that name; it can be selftest, classify or bench")
    }
}

impl core::error::Error for UnknownApp {}

impl App {
    /// All programs.
    pub const ALL: [Self; 3] = [Self::Selftest, Self::Classify, Self::Bench];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Selftest => "selftest",
            Self::Classify => "classify",
            Self::Bench => "bench",
        }
    }

    /// The program of this name; without a name the self-test.
    ///
    /// # Errors
    /// [`UnknownApp`].
    pub fn named(name: &str) -> Result<Self, UnknownApp> {
        match name {
            "" => Ok(Self::default()),
            name => Self::ALL.into_iter().find(|app| app.name() == name).ok_or(UnknownApp),
        }
    }

    /// The program that a command line asks for: `MACHINE`, or `MACHINE PROGRAM`.
    ///
    /// # Errors
    /// [`UnknownApp`].
    pub fn of_command_line(line: &str) -> Result<Self, UnknownApp> {
        Self::named(line.split_ascii_whitespace().nth(1).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::{App, UnknownApp};

    #[test]
    fn programs_are_named_on_the_command_line() {
        assert_eq!(App::of_command_line(""), Ok(App::Selftest));
        assert_eq!(App::of_command_line("qemu-m55"), Ok(App::Selftest));
        for app in App::ALL {
            assert_eq!(App::named(app.name()), Ok(app));
        }
        assert_eq!(App::of_command_line("qemu-m55 bench\n"), Ok(App::Bench));
        assert_eq!(App::of_command_line("qemu-m55 benches"), Err(UnknownApp));
    }
}
