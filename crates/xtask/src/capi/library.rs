//! Building the static library.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::cross::{Target, cargo_for, release_dir};
use crate::shell::{cargo, root, run};

/// What the library is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum For {
    /// This machine.
    Host,
    /// Another one.
    Cross(Target),
}

impl For {
    /// Reads `host` or the name of a target.
    pub(super) fn parse(name: &str) -> Result<Self, String> {
        let known = Target::ALL.into_iter().find(|target| target.triple() == name).map(Self::Cross);
        known.or((name == "host").then_some(Self::Host)).ok_or_else(|| {
            let names: Vec<_> = Target::ALL.iter().map(|target| target.triple()).collect();
            format!("the targets are host, {}", names.join(", "))
        })
    }

    /// The profile: where a panic could unwind, one in which it cannot; else that of all other bare-metal builds.
    fn profile(self) -> &'static str {
        match self {
            Self::Host | Self::Cross(Target::Aarch64Linux) => "capi",
            Self::Cross(_) => "release",
        }
    }
}

/// Builds the library; gives its path. `test`: with the function that panics.
pub(super) fn build(target: For, test: bool) -> Result<PathBuf> {
    let (mut command, folder): (Command, PathBuf) = match target {
        For::Host => {
            let mut command = cargo();
            command.arg("rustc");
            let folder = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
            (command, root().join(folder).join(target.profile()))
        }
        For::Cross(other) => {
            let folder = release_dir(other)?.with_file_name(target.profile());
            (cargo_for("rustc", other, &root())?, folder)
        }
    };
    command.args(["--locked", "--package", "distil-capi", "--lib", "--crate-type", "staticlib"]);
    command.args(["--profile", target.profile()]);
    command.args(["--features", if test { "panic-handler,test-panic" } else { "panic-handler" }]);
    run(&mut command)?;
    Ok(folder.join("libdistil.a"))
}

#[cfg(test)]
mod tests {
    use super::For;
    use crate::cross::Target;

    #[test]
    fn targets_are_named_in_full() {
        assert_eq!(For::parse("host"), Ok(For::Host));
        assert_eq!(For::parse("thumbv7em-none-eabihf"), Ok(For::Cross(Target::Thumbv7em)));
        assert!(For::parse("arm").unwrap_err().contains("aarch64-unknown-linux-gnu"));
    }
}
