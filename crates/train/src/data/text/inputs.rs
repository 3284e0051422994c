//! Which files to read: names, folders and patterns, and what each file holds by its ending.

use crate::{Error, Result};
use std::collections::HashSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// How lines or rows become text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Every line is a text: `.txt`, and any ending that is not known.
    Plain,
    /// Every line is a JSON object: `.jsonl`, `.ndjson`, `.json`.
    JsonLines,
    /// Every row has a text in one column: `.parquet`.
    Parquet,
}

/// How a file is compressed, by its last ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all (Parquet sees to its own).
    None,
    /// `.gz`
    Gzip,
    /// `.zst`
    Zstandard,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// Where it is.
    pub path: PathBuf,
    /// What it holds.
    pub format: Format,
    /// How it is compressed.
    pub compression: Compression,
    /// Its size on disk; 0 when that is not known, as for a pipe.
    pub bytes: u64,
}

/// Files in the order they are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inputs {
    /// Each file once: in the order of the names given, those of a folder or pattern sorted.
    pub files: Vec<Input>,
    /// What folders held beside: other endings, hidden names, links to folders.
    pub skipped: Vec<PathBuf>,
    /// Files that were named more than once and are read once.
    pub repeated: Vec<PathBuf>,
}

impl Inputs {
    /// Finds the files of some names. A name is a file, a folder (read with all folders in it, known endings only) or a
    /// pattern with `*`, `?`, `[...]` or `**`.
    ///
    /// # Errors
    ///
    /// Names and patterns without a file, folders without a file of a known ending, archives, and JSON files that begin
    /// with an array.
    pub fn find(names: &[PathBuf]) -> Result<Self> {
        let mut inputs = Self::default();
        let mut seen = HashSet::new();
        for name in names {
            let before = inputs.files.len() + inputs.repeated.len();
            for path in expand(name)? {
                if path.is_dir() {
                    let (mut found, mut skipped) = (vec![], vec![]);
                    walk(&path, &mut found, &mut skipped)?;
                    inputs.skipped.append(&mut skipped);
                    for path in found {
                        inputs.add(path, &mut seen)?;
                    }
                } else {
                    inputs.add(path, &mut seen)?;
                }
            }
            if inputs.files.len() + inputs.repeated.len() == before {
                let next = "known are .txt, .jsonl, .ndjson and .json, also with .gz or .zst, and .parquet; \
                            other files can be named one by one";
                return Err(Error::file(name, "no file of a known ending in it", next));
            }
        }
        Ok(inputs)
    }

    fn add(&mut self, path: PathBuf, seen: &mut HashSet<PathBuf>) -> Result<()> {
        let metadata = fs::metadata(&path).map_err(|e| Error::io(&path, &e))?;
        let real = fs::canonicalize(&path).map_err(|e| Error::io(&path, &e))?;
        if metadata.is_file() && !seen.insert(real) {
            self.repeated.push(path);
            return Ok(());
        }
        let (format, compression) = kind(&path)
            .map_err(|archive| Error::file(&path, format!("{archive} holds other files"), "unpack it first"))?
            .unwrap_or((Format::Plain, Compression::None));
        if format == Format::Parquet && compression != Compression::None {
            let next = "decompress it first: a Parquet file is read from its end";
            return Err(Error::file(&path, "a compressed Parquet file", next));
        }
        if format == Format::JsonLines && compression == Compression::None && metadata.is_file() {
            refuse_array(&path)?;
        }
        self.files.push(Input { path, format, compression, bytes: metadata.len() });
        Ok(())
    }
}

/// A name as it is when something has it, else as a pattern.
fn expand(name: &Path) -> Result<Vec<PathBuf>> {
    let text = name.to_str().unwrap_or_default();
    if !text.contains(['*', '?', '[']) {
        return match fs::metadata(name) {
            Ok(_) => Ok(vec![name.to_path_buf()]),
            Err(e) => Err(Error::io(name, &e)),
        };
    }
    if name.exists() {
        return Ok(vec![name.to_path_buf()]);
    }
    let wrong = |reason: String| Error::file(name, reason, "correct the pattern");
    let mut paths = Vec::new();
    for path in glob::glob(text).map_err(|e| wrong(format!("not a pattern: {e}")))? {
        paths.push(path.map_err(|e| Error::io(e.path(), e.error()))?);
    }
    if paths.is_empty() {
        return Err(wrong("no file matches".into()));
    }
    paths.sort();
    // A pattern such as `**` gives a folder and what is in it: the files are enough.
    if paths.iter().any(|path| !path.is_dir()) {
        paths.retain(|path| !path.is_dir());
    }
    Ok(paths)
}

/// What a file of this name holds; none for an ending that is not known, the name of the ending for archives.
fn kind(path: &Path) -> Result<Option<(Format, Compression)>, &'static str> {
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    if let Some(archive) = [".tar", ".tar.gz", ".tgz", ".tar.zst", ".zip"].into_iter().find(|end| name.ends_with(end)) {
        return Err(archive);
    }
    let (name, compression) = match (name.strip_suffix(".gz"), name.strip_suffix(".zst")) {
        (Some(name), _) => (name, Compression::Gzip),
        (_, Some(name)) => (name, Compression::Zstandard),
        _ => (&name[..], Compression::None),
    };
    let ends = |endings: &[&str]| endings.iter().any(|end| name.ends_with(end));
    Ok(if ends(&[".jsonl", ".ndjson", ".json"]) {
        Some((Format::JsonLines, compression))
    } else if ends(&[".parquet"]) {
        Some((Format::Parquet, compression))
    } else if ends(&[".txt"]) || compression != Compression::None {
        Some((Format::Plain, compression))
    } else {
        None
    })
}

/// The files of a folder and the folders in it, sorted; links to folders are not followed, so no walk is endless.
fn walk(folder: &Path, found: &mut Vec<PathBuf>, skipped: &mut Vec<PathBuf>) -> Result<()> {
    let fail = |e: std::io::Error| Error::io(folder, &e);
    let entries = fs::read_dir(folder).map_err(fail)?.collect::<Result<Vec<_>, _>>().map_err(fail)?;
    let mut paths: Vec<_> = entries.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if hidden || (path.is_dir() && path.is_symlink()) {
            skipped.push(path);
        } else if path.is_dir() {
            walk(&path, found, skipped)?;
        } else if path.is_file() && matches!(kind(&path), Ok(Some(_))) {
            found.push(path);
        } else {
            skipped.push(path);
        }
    }
    Ok(())
}

/// A JSON array would come out as bad lines without end; a message at once helps more.
fn refuse_array(path: &Path) -> Result<()> {
    let mut start = [0u8; 64];
    let mut file = fs::File::open(path).map_err(|e| Error::io(path, &e))?;
    let bytes = file.read(&mut start).map_err(|e| Error::io(path, &e))?;
    let start = start[..bytes].strip_prefix("\u{feff}".as_bytes()).unwrap_or(&start[..bytes]);
    if start.trim_ascii_start().starts_with(b"[") {
        let next = "write one object a line, for example with `jq -c '.[]'`";
        return Err(Error::file(path, "a JSON array, not JSON lines", next));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x\n").unwrap();
        }
        folder
    }

    fn names(folder: &Path, paths: impl IntoIterator<Item = PathBuf>) -> Vec<String> {
        paths.into_iter().map(|p| p.strip_prefix(folder).unwrap().display().to_string()).collect()
    }

    #[test]
    fn endings() {
        for (name, expected) in [
            ("a.txt", Some((Format::Plain, Compression::None))),
            ("a.TXT.GZ", Some((Format::Plain, Compression::Gzip))),
            ("a.gz", Some((Format::Plain, Compression::Gzip))),
            ("a.jsonl", Some((Format::JsonLines, Compression::None))),
            ("a.json.zst", Some((Format::JsonLines, Compression::Zstandard))),
            ("a.ndjson.gz", Some((Format::JsonLines, Compression::Gzip))),
            ("a.parquet", Some((Format::Parquet, Compression::None))),
            ("a.md", None),
            ("README", None),
        ] {
            assert_eq!(kind(Path::new(name)), Ok(expected), "{name}");
        }
        assert_eq!(kind(Path::new("a.tar.gz")), Err(".tar.gz"));
    }

    #[test]
    fn folders_are_walked_in_order() {
        let folder = tree(&["b.txt", "a/2.jsonl", "a/1.txt.gz", "a/x.md", "c.parquet", ".hidden.txt", "t.tar"]);
        let inputs = Inputs::find(&[folder.path().to_path_buf()]).unwrap();
        let found = names(folder.path(), inputs.files.into_iter().map(|f| f.path));
        assert_eq!(found, ["a/1.txt.gz", "a/2.jsonl", "b.txt", "c.parquet"]);
        assert_eq!(names(folder.path(), inputs.skipped), [".hidden.txt", "a/x.md", "t.tar"]);
        let empty = tree(&["only.md"]);
        let error = Inputs::find(&[empty.path().to_path_buf()]).unwrap_err().to_string();
        assert!(error.contains("no file of a known ending") && error.contains(".jsonl"), "{error}");
    }

    #[test]
    fn patterns() {
        let folder = tree(&["b.txt", "a.txt", "c.md", "deep/er/d.txt", "odd[1].txt"]);
        let find = |pattern: &str| {
            let inputs = Inputs::find(&[folder.path().join(pattern)])?;
            Ok::<_, Error>(names(folder.path(), inputs.files.into_iter().map(|f| f.path)))
        };
        assert_eq!(find("[ab].txt").unwrap(), ["a.txt", "b.txt"]);
        assert_eq!(find("**/*.txt").unwrap(), ["a.txt", "b.txt", "deep/er/d.txt", "odd[1].txt"]);
        // Whoever names a file by a pattern means it, whatever its ending; and a name that exists is no pattern.
        assert_eq!(find("*.md").unwrap(), ["c.md"]);
        assert_eq!(find("odd[1].txt").unwrap(), ["odd[1].txt"]);
        assert!(find("*.gz").unwrap_err().to_string().contains("no file matches"));
        assert!(find("[").unwrap_err().to_string().contains("not a pattern"));
        assert!(find("missing.txt").unwrap_err().to_string().contains("no such file"));
    }

    #[test]
    fn every_file_once() {
        let folder = tree(&["a.txt", "b.txt"]);
        let inputs = Inputs::find(&[folder.path().join("b.txt"), folder.path().to_path_buf()]).unwrap();
        assert_eq!(names(folder.path(), inputs.files.into_iter().map(|f| f.path)), ["b.txt", "a.txt"]);
        assert_eq!(names(folder.path(), inputs.repeated), ["b.txt"]);
    }

    #[test]
    fn what_cannot_be_read_is_refused_at_once() {
        let folder = tree(&["a.tgz", "a.parquet.gz"]);
        let array = folder.path().join("array.json");
        fs::write(&array, "\u{feff}\n [\n{\"text\": 1}]").unwrap();
        for (name, words) in [("a.tgz", "unpack it"), ("a.parquet.gz", "decompress it"), ("array.json", "a JSON array")]
        {
            let error = Inputs::find(&[folder.path().join(name)]).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains(words), "{error}");
        }
    }
}
