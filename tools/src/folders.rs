//! Writing a folder whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::files::parts;

/// Makes the folder `path`: `fill` writes into a temporary folder beside it, which is brought to the disk and renamed.
/// Whoever looks sees no folder (or the old one) or the whole new one; after an error the temporary folder is gone.
///
/// A folder that has something in it is in the way, unless `replace` names everything that it may have: then the new
/// folder takes its place.
pub fn write_folder(
    path: &Path,
    replace: Option<&[&str]>,
    fill: impl FnOnce(&Path) -> Result<(), Error>,
) -> Result<(), Error> {
    let wrap = |error| Error::Write { path: path.to_path_buf(), error };
    may_replace(path, replace)?;
    let (parent, name) = parts(path).map_err(wrap)?;
    let beside = |end: &str| parent.join(format!(".{name}.{}.{end}", std::process::id()));
    let temporary = Temporary(beside("partial"));
    fs::create_dir(&temporary.0).map_err(wrap)?;
    fill(&temporary.0)?;
    sync(&temporary.0).map_err(wrap)?;
    let moved = || -> io::Result<()> {
        if !path.exists() {
            fs::rename(&temporary.0, path)?;
        } else if fs::read_dir(path)?.next().is_none() {
            fs::remove_dir(path)?;
            fs::rename(&temporary.0, path)?;
        } else {
            let old = beside("old");
            fs::rename(path, &old)?;
            if let Err(error) = fs::rename(&temporary.0, path) {
                fs::rename(&old, path)?;
                return Err(error);
            }
            fs::remove_dir_all(&old)?;
        }
        #[cfg(unix)]
        File::open(parent)?.sync_all()?;
        Ok(())
    };
    moved().map_err(wrap)
}

fn may_replace(path: &Path, replace: Option<&[&str]>) -> Result<(), Error> {
    if !path.exists() {
        return Ok(());
    }
    if !path.is_dir() {
        return Err(Error::usage(format!("{}: not a folder", path.display()), "name a new folder"));
    }
    let entries = fs::read_dir(path).map_err(|error| Error::Write { path: path.to_path_buf(), error })?;
    for entry in entries {
        let name = entry.map_err(|error| Error::Write { path: path.to_path_buf(), error })?.file_name();
        let Some(known) = replace else {
            let message = format!("{}: the folder is not empty", path.display());
            return Err(Error::usage(message, "name a new folder, or replace this one with --overwrite"));
        };
        // Nothing that this program did not write is ever removed.
        if !known.iter().any(|known| name == **known) {
            let message = format!("{}: has `{}`, which would be lost", path.display(), name.to_string_lossy());
            return Err(Error::usage(message, "move it away, or name another folder"));
        }
    }
    Ok(())
}

/// Brings every file and folder below `path` to the disk, and itself.
fn sync(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            sync(&entry?.path())?;
        }
        // Not every system can open a folder.
        return if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) };
    }
    // Some systems bring only what may be written to the disk.
    OpenOptions::new().write(true).open(path)?.sync_all()
}

/// A folder that is removed when it is done with; after the rename there is nothing left to remove.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(text: &'static str) -> impl FnOnce(&Path) -> Result<(), Error> {
        move |folder| {
            fs::create_dir(folder.join("inside")).unwrap();
            fs::write(folder.join("inside/file"), text).unwrap();
            Ok(())
        }
    }

    #[test]
    fn replaces_only_what_it_knows() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("out");
        write_folder(&path, None, fill("first")).unwrap();
        assert!(write_folder(&path, None, fill("second")).unwrap_err().to_string().contains("not empty"));
        write_folder(&path, Some(&["inside"]), fill("second")).unwrap();
        assert_eq!(fs::read(path.join("inside/file")).unwrap(), b"second");
        fs::write(path.join("notes"), "mine").unwrap();
        let error = write_folder(&path, Some(&["inside"]), fill("third")).unwrap_err();
        assert!(error.to_string().ends_with("has `notes`, which would be lost"), "{error}");
        assert_eq!(fs::read(path.join("inside/file")).unwrap(), b"second");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_empty_folder_is_no_obstacle_and_an_error_leaves_nothing() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("out");
        fs::create_dir(&path).unwrap();
        let failing = |folder: &Path| {
            fs::write(folder.join("half"), "x").unwrap();
            Err(Error::Check("no".into()))
        };
        assert!(write_folder(&path, None, failing).is_err());
        assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
        write_folder(&path, None, fill("first")).unwrap();
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
        fs::write(place.path().join("file"), "x").unwrap();
        let error = write_folder(&place.path().join("file"), Some(&[]), fill("first")).unwrap_err();
        assert!(error.to_string().ends_with("not a folder"), "{error}");
    }
}
