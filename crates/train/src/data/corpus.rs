//! Text files line by line: plain, gzip or Zstandard, told apart by their names.

use crate::{Error, Result};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Lines handed over at once.
const BLOCK: usize = 8192;

/// Calls `f` with blocks of lines that are not blank. `read` counts the bytes taken from the file, compressed or not.
pub(super) fn for_each_block(
    path: &Path,
    read: &Arc<AtomicU64>,
    mut f: impl FnMut(Vec<String>) -> Result<()>,
) -> Result<()> {
    let mut reader = open(path, read)?;
    let (mut block, mut buffer, mut number) = (Vec::new(), Vec::new(), 0usize);
    loop {
        buffer.clear();
        number += 1;
        let bytes = reader.read_until(b'\n', &mut buffer).map_err(|e| match e.kind() {
            std::io::ErrorKind::InvalidInput
            | std::io::ErrorKind::InvalidData
            | std::io::ErrorKind::UnexpectedEof
            | std::io::ErrorKind::Other => Error::file(
                path,
                format!("cannot be decompressed near line {number} ({e})"),
                "check that it is complete and that its name has the right ending",
            ),
            _ => Error::io(path, &e),
        })?;
        if bytes == 0 {
            break;
        }
        let line = std::str::from_utf8(&buffer)
            .map_err(|_| Error::file(path, format!("line {number} is not UTF-8"), "convert the file to UTF-8"))?;
        // A byte order mark belongs to the file, not to its first line.
        let line = if number == 1 { line.trim_start_matches('\u{feff}') } else { line }.trim();
        if !line.is_empty() {
            block.push(line.to_string());
        }
        if block.len() == BLOCK {
            f(std::mem::take(&mut block))?;
        }
    }
    if block.is_empty() { Ok(()) } else { f(block) }
}

fn open(path: &Path, read: &Arc<AtomicU64>) -> Result<Box<dyn BufRead>> {
    if path.is_dir() {
        return Err(Error::file(path, "this is a folder", "name the text files in it"));
    }
    let file = File::open(path).map_err(|e| Error::io(path, &e))?;
    let file = Counted { file, read: read.clone() };
    Ok(match path.extension().and_then(|e| e.to_str()) {
        Some("gz") => Box::new(BufReader::new(flate2::read::MultiGzDecoder::new(BufReader::new(file)))),
        Some("zst") => {
            let decoder = zstd::Decoder::new(file).map_err(|e| Error::io(path, &e))?;
            Box::new(BufReader::new(decoder))
        }
        _ => Box::new(BufReader::with_capacity(1 << 16, file)),
    })
}

struct Counted {
    file: File,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let bytes = self.file.read(buffer)?;
        self.read.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn lines(path: &Path) -> Result<Vec<String>> {
        let mut all = Vec::new();
        for_each_block(path, &Arc::default(), |block| {
            all.extend(block);
            Ok(())
        })?;
        Ok(all)
    }

    #[test]
    fn plain_gzip_and_zstandard_read_alike() {
        let folder = tempfile::tempdir().unwrap();
        let text = "\u{feff}first line\r\n\n   \nsecond\nlast without end";
        let plain = folder.path().join("a.txt");
        std::fs::write(&plain, text).unwrap();
        let gz = folder.path().join("a.txt.gz");
        // Two members, as from concatenated files.
        let mut file = File::create(&gz).unwrap();
        for part in [&text[..20], &text[20..]] {
            let mut encoder = flate2::write::GzEncoder::new(&mut file, flate2::Compression::fast());
            encoder.write_all(part.as_bytes()).unwrap();
            encoder.finish().unwrap();
        }
        let zst = folder.path().join("a.txt.zst");
        std::fs::write(&zst, zstd::encode_all(text.as_bytes(), 1).unwrap()).unwrap();
        for path in [plain, gz, zst] {
            assert_eq!(lines(&path).unwrap(), ["first line", "second", "last without end"]);
        }
    }

    #[test]
    fn errors_say_where() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("latin1.txt");
        std::fs::write(&path, b"good\ncaf\xe9\n").unwrap();
        assert!(lines(&path).unwrap_err().to_string().contains("line 2 is not UTF-8"));
        let path = folder.path().join("not.gz");
        std::fs::write(&path, "plain text").unwrap();
        assert!(lines(&path).unwrap_err().to_string().contains("cannot be decompressed"));
        let path = folder.path().join("cut.zst");
        let whole = zstd::encode_all(&b"some text to cut"[..], 1).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 4]).unwrap();
        assert!(lines(&path).unwrap_err().to_string().contains("cannot be decompressed"));
    }
}
