//! The programs that every machine has, and what the tests let them read.

/// A program.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum App {
    /// Compare kernels and sentences with the host, bit for bit
    #[default]
    Selftest,
    /// Answer what is typed
    Classify,
    /// Count instructions for texts of several lengths
    Bench,
}

impl App {
    /// All programs.
    pub(crate) const ALL: [Self; 3] = [Self::Selftest, Self::Classify, Self::Bench];

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Selftest => "selftest",
            Self::Classify => "classify",
            Self::Bench => "bench",
        }
    }

    /// What it is given to read when its words are compared with what is expected: texts, one that is too long, one that
    /// is not UTF-8, and the word that ends.
    pub(super) fn typed(self) -> Vec<u8> {
        if self != Self::Classify {
            return Vec::new();
        }
        let mut bytes = b"paris is the capital of [MASK].\n\nno mask here\n".to_vec();
        bytes.extend("too long ".repeat(100).bytes());
        bytes.extend(b"\ncaf\xc3 [MASK]\n");
        bytes.extend("x".repeat(1500).bytes());
        bytes.extend(b"\nturn the lights in the [MASK] off.\nquit\n");
        bytes
    }
}
