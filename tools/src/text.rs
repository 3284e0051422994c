//! Text from a file, plain or compressed, or line by line from standard input, where a line that is not UTF-8 is an error
//! with its number.

use std::io::{self, BufRead, Read};
use std::path::Path;

use crate::error::Error;
use crate::hf::{self, Problem};

/// The text of a file; one that was compressed with gzip or Zstandard, as its first bytes say, is decompressed.
///
/// # Errors
/// If the file cannot be read or decompressed, or is not UTF-8.
pub fn read_text(path: &Path) -> Result<String, Error> {
    let bytes = hf::read_bytes(path)?;
    let bytes = match decompressed(&bytes) {
        Some(result) => result.map_err(|error| Problem::Compressed(error.to_string()).at(path))?,
        None => bytes,
    };
    String::from_utf8(bytes).map_err(|error| Problem::NotUtf8(error.utf8_error().valid_up_to()).at(path).into())
}

/// What is in compressed bytes, or why that cannot be said; `None` for others.
fn decompressed(bytes: &[u8]) -> Option<io::Result<Vec<u8>>> {
    let mut out = Vec::new();
    match bytes {
        // Several members one after the other are one text, as for `gzip -d`.
        [0x1F, 0x8B, ..] => Some(flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut out).map(|_| out)),
        [0x28, 0xB5, 0x2F, 0xFD, ..] => Some(zstd::stream::decode_all(bytes)),
        _ => None,
    }
}

/// The lines of a file that hold something.
///
/// # Errors
/// As [`read_text`], and if there is no such line.
pub fn lines_of(path: &Path) -> Result<Vec<String>, Error> {
    lines_in(&read_text(path)?, path)
}

/// The lines of a text, read from `path`, that hold something.
///
/// # Errors
/// If there is none.
pub fn lines_in(text: &str, path: &Path) -> Result<Vec<String>, Error> {
    let lines: Vec<String> = text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect();
    if lines.is_empty() {
        let name = path.display();
        return Err(Error::usage(format!("{name}: no text in it"), "give a file with one text per line"));
    }
    Ok(lines)
}

/// Calls `each` with every line of standard input, without its line end.
pub fn each_stdin_line(mut each: impl FnMut(&str) -> Result<(), Error>) -> Result<(), Error> {
    let mut input = std::io::stdin().lock();
    let mut bytes = Vec::new();
    for line in 1.. {
        bytes.clear();
        let name = || "standard input".to_owned();
        let read = input.read_until(b'\n', &mut bytes);
        let wrong = |reason: String, next| Error::Line { source_name: name(), line, reason, next };
        if read.map_err(|error| wrong(error.to_string(), "give text, one per line"))? == 0 {
            break;
        }
        let text = std::str::from_utf8(&bytes).map_err(|error| {
            let reason = format!("not UTF-8 (first invalid byte at offset {})", error.valid_up_to());
            wrong(reason, "convert the text, for example with `iconv -f LATIN1 -t UTF-8`")
        })?;
        let text = text.strip_suffix('\n').unwrap_or(text);
        each(text.strip_suffix('\r').unwrap_or(text)).map_err(|error| match error {
            Error::Run(error) => wrong(error.to_string(), "the lines before it were answered"),
            other => other,
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn compressed_text_is_the_text() {
        let folder = tempfile::tempdir().unwrap();
        let text = "ein Löwe\nund noch einer\n".repeat(50);
        let gzip = |text: &str| {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(text.as_bytes()).unwrap();
            encoder.finish().unwrap()
        };
        let (first, second) = text.split_at(text.len() / 2 / 2 * 2);
        let zst = zstd::stream::encode_all(text.as_bytes(), 3).unwrap();
        let path = folder.path().join("text");
        for bytes in [text.as_bytes().to_vec(), gzip(&text), [gzip(first), gzip(second)].concat(), zst.clone()] {
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(read_text(&path).unwrap(), text);
        }
        for cut in [&zst[..zst.len() / 2], &gzip(&text)[..30]] {
            std::fs::write(&path, cut).unwrap();
            let error = read_text(&path).unwrap_err();
            assert!(error.to_string().contains("text: cannot be decompressed"), "{error}");
            assert_eq!((error.exit_code(), error.next_step().is_some()), (2, true));
        }
    }
}
