//! The folder that build scripts take for an installation of CUDA.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::toolkit::link;
use super::{nvcc, shim};
use crate::shell::{cargo, output};

/// The GPUs that `candle`'s kernels are compiled for: as PTX of Ampere, which every later GPU's driver compiles on.
const COMPUTE_CAPABILITY: &str = "80";
/// The CUDA whose functions the bindings declare, as `cudarc` writes it.
const BINDINGS_VERSION: &str = "13000";
/// The packages whose results depend on this folder and do not notice when it changes.
const DEPENDENT: [&str; 2] = ["candle-kernels", "distil-train"];

/// A prepared folder: `bin/nvcc` (ours), `include` and `nvvm` (NVIDIA's), `lib64` with the stand-ins.
pub(super) struct Home {
    folder: PathBuf,
    toolkit: PathBuf,
    target: PathBuf,
}

impl Home {
    /// Makes the folder `target/home`, or leaves it as it is when nothing that it is made of has changed.
    pub(super) fn prepare(toolkit: PathBuf, target: &Path) -> Result<Self> {
        let home = Self { folder: target.join("home"), toolkit, target: target.to_owned() };
        let bindings = package_folder("cudarc")?;
        let stamp = home.folder.join("stamp");
        let wanted = home.fingerprint(&bindings)?;
        // Always: this program may lie elsewhere than at the last time.
        fs::create_dir_all(home.folder.join("bin"))?;
        link(std::env::current_exe().context("this program's path is unknown")?, &home.folder.join("bin/nvcc"))?;
        let found = fs::read_to_string(&stamp).ok();
        if found.as_ref() == Some(&wanted) {
            println!("   unchanged: {}", home.folder.display());
            return Ok(home);
        }
        let libraries = home.folder.join("lib64");
        fs::create_dir_all(&libraries)?;
        for name in ["include", "nvvm"] {
            link(home.toolkit.join(name), &home.folder.join(name))?;
        }
        let count = shim::write_all(&bindings, &libraries)?;
        // The runtime library that is part of the program instead of a file beside it.
        fs::copy(home.toolkit.join("lib/libcudart_static.a"), libraries.join("libcudart.a"))?;
        if found.is_some() {
            home.forget()?;
        }
        fs::write(&stamp, wanted)?;
        println!("   {count} functions of {} libraries in {}", shim::LIBRARIES.len(), libraries.display());
        Ok(home)
    }

    /// `cargo VERB` for the trainer with these features, where everything leads to this folder.
    pub(super) fn command(&self, verb: &[&str], features: &str) -> Command {
        let mut command = cargo();
        for other in ["CUDA_PATH", "CUDA_ROOT", "CUDA_TOOLKIT_ROOT_DIR", "CUDNN_LIB"] {
            command.env_remove(other);
        }
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        command
            .env("CARGO_TARGET_DIR", &self.target)
            .env("CARGO_PROFILE_RELEASE_STRIP", "symbols")
            .env("CUDA_HOME", &self.folder)
            .env("NVCC", self.folder.join("bin/nvcc"))
            .env(nvcc::REAL, self.toolkit.join("bin/nvcc"))
            .env("CUDA_COMPUTE_CAP", COMPUTE_CAPABILITY)
            .env("CUDARC_CUDA_VERSION", BINDINGS_VERSION)
            .env("CUDAFORGE_THREADS", threads.to_string());
        command.args(verb).args(["--locked", "--package", "distil-train", "--features", features]);
        command
    }

    /// What the folder is made from, as a hash.
    fn fingerprint(&self, bindings: &Path) -> Result<String> {
        let mut hash = Sha256::new();
        for source in
            [include_str!("shim.rs"), include_str!("shim.c"), include_str!("nvcc.rs"), include_str!("home.rs")]
        {
            hash.update(source);
        }
        hash.update(bindings.as_os_str().as_encoded_bytes());
        hash.update(self.toolkit.as_os_str().as_encoded_bytes());
        // A new C compiler makes new archives.
        hash.update(output(Command::new(super::compiler()).arg("--version")).unwrap_or_default());
        Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Lets cargo build anew what was built with another folder.
    fn forget(&self) -> Result<()> {
        for profile in ["release", "dev"] {
            let mut clean = cargo();
            clean.env("CARGO_TARGET_DIR", &self.target).args(["clean", "--quiet", "--locked", "--profile", profile]);
            for package in DEPENDENT {
                clean.args(["--package", package]);
            }
            output(&mut clean)?;
        }
        Ok(())
    }
}

/// The folder of a dependency's sources.
fn package_folder(name: &str) -> Result<PathBuf> {
    let mut metadata = cargo();
    // With the platform, or cargo fetches what other systems need.
    metadata.args(["metadata", "--locked", "--format-version", "1", "--filter-platform", "x86_64-unknown-linux-gnu"]);
    let metadata: serde_json::Value =
        serde_json::from_str(&output(metadata.args(["--features", "distil-train/cuda"]))?)?;
    let packages = metadata["packages"].as_array().context("`cargo metadata` lists no packages")?;
    let package = packages.iter().find(|package| package["name"] == name);
    let manifest = package.and_then(|package| package["manifest_path"].as_str());
    let manifest = manifest.with_context(|| format!("the trainer does not depend on {name} with the feature cuda"))?;
    Ok(Path::new(manifest).parent().context("a manifest lies in a folder")?.to_owned())
}
