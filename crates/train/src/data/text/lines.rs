//! Files read line by line: plain, gzip or Zstandard.

use super::block::{Block, LONGEST, LineEnd};
use super::{BadLine, Compression, Counted, Exchange, Input, Stop};
use crate::{Error, Result};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::atomic::AtomicU64;

/// Bytes asked of the system at once.
const BUFFER: usize = 1 << 17;

/// Reads all lines of a file into blocks.
pub(super) fn read(input: &Input, mut block: Block, read: &AtomicU64, exchange: &mut Exchange) -> Result<Block, Stop> {
    let mut reader = open(input, read).map_err(|e| Stop::Unfit(Error::io(&input.path, &e)))?;
    loop {
        let end = block.line(|bytes| line(&mut reader, bytes)).and_then(|end| {
            if end == LineEnd::TooLong {
                skip_line(&mut reader)?;
                block.bad(BadLine::TooLong);
            }
            Ok(end)
        });
        match end {
            Ok(LineEnd::None) => return Ok(block),
            Ok(_) => {}
            Err(error) => {
                let lines = block.next() - 1;
                // What was read is in order: the last lines before the damage are not lost with it.
                exchange(block).ok_or(Stop::Closed)?;
                return Err(Stop::Damage(failed(&input.path, lines, &error)));
            }
        }
        if block.is_full() {
            let (file, next) = (block.file, block.next());
            block = exchange(block).ok_or(Stop::Closed)?;
            block.restart(file, next);
        }
    }
}

/// Appends one line with its end.
fn line(reader: &mut impl BufRead, bytes: &mut Vec<u8>) -> io::Result<LineEnd> {
    // Room for the line end.
    let read = reader.take(LONGEST as u64 + 1).read_until(b'\n', bytes)?;
    Ok(match read {
        0 => LineEnd::None,
        n if n > LONGEST && !bytes.ends_with(b"\n") => LineEnd::TooLong,
        _ => LineEnd::Complete,
    })
}

/// Passes over the rest of a line.
fn skip_line(reader: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(());
        }
        let end = buffer.iter().position(|&b| b == b'\n');
        let bytes = end.map_or(buffer.len(), |end| end + 1);
        reader.consume(bytes);
        if end.is_some() {
            return Ok(());
        }
    }
}

fn failed(path: &Path, lines: u64, error: &io::Error) -> Error {
    use io::ErrorKind::{InvalidData, InvalidInput, Other, UnexpectedEof};
    let next = "check that it is complete and that its name has the right ending, or pass --keep-going";
    match error.kind() {
        InvalidInput | InvalidData | UnexpectedEof | Other => {
            Error::file(path, format!("damaged or cut off after {lines} lines ({error})"), next)
        }
        _ => Error::file(path, format!("cannot be read after {lines} lines ({error})"), "check the disk"),
    }
}

fn open<'a>(input: &Input, read: &'a AtomicU64) -> io::Result<Box<dyn BufRead + 'a>> {
    let file = Counted { inner: File::open(&input.path)?, read };
    Ok(match input.compression {
        Compression::Gzip => {
            let decoder = flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(BUFFER, file));
            Box::new(BufReader::with_capacity(BUFFER, decoder))
        }
        Compression::Zstandard => Box::new(BufReader::with_capacity(BUFFER, zstd::Decoder::new(file)?)),
        Compression::None => Box::new(BufReader::with_capacity(BUFFER, file)),
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Field, Inputs};
    use super::*;
    use std::io::Write;
    use std::path::PathBuf;

    /// The texts, the bad lines, and the damage.
    type Found = (Vec<String>, Vec<(u64, BadLine)>, Option<String>);

    fn lines(path: &Path) -> Found {
        let input = Inputs::find(&[path.to_path_buf()]).unwrap().files.remove(0);
        let (mut texts, mut bad) = (vec![], vec![]);
        let mut take = |block: Block| {
            let field = Field::new("text");
            let text = |text: &str| -> Result<(), ()> {
                texts.push(text.to_string());
                Ok(())
            };
            block.texts(input.format, &field, text, |line, kind| bad.push((line, kind))).unwrap();
            Some(block)
        };
        let mut block = Block::default();
        block.restart(0, 1);
        let damage = match read(&input, block, &AtomicU64::new(0), &mut take) {
            Ok(block) => {
                take(block);
                None
            }
            Err(Stop::Damage(error)) => Some(error.to_string()),
            Err(stop) => panic!("{stop:?}"),
        };
        (texts, bad, damage)
    }

    fn gzip(path: &Path, parts: &[&[u8]]) {
        let mut file = File::create(path).unwrap();
        for part in parts {
            let mut encoder = flate2::write::GzEncoder::new(&mut file, flate2::Compression::fast());
            encoder.write_all(part).unwrap();
            encoder.finish().unwrap();
        }
    }

    #[test]
    fn plain_gzip_and_zstandard_read_alike() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let text = "\u{feff}first line\r\n\n   \nsecond\nlast without end";
        std::fs::write(path("a.txt"), text).unwrap();
        // Two members, as from concatenated files.
        gzip(&path("a.txt.gz"), &[&text.as_bytes()[..20], &text.as_bytes()[20..]]);
        let mut frames = zstd::encode_all(&text.as_bytes()[..9], 1).unwrap();
        frames.extend(zstd::encode_all(&text.as_bytes()[9..], 1).unwrap());
        std::fs::write(path("a.txt.zst"), frames).unwrap();
        for name in ["a.txt", "a.txt.gz", "a.txt.zst"] {
            let expected = ["first line", "second", "last without end"].map(String::from).to_vec();
            assert_eq!(lines(&path(name)), (expected, vec![], None), "{name}");
        }
    }

    #[test]
    fn bad_lines_leave_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mixed.txt");
        let mut text = b"fine\ncaf\xe9\n".to_vec();
        let longest = "x".repeat(LONGEST);
        // As long as allowed, a byte longer, and far longer.
        text.extend(longest.as_bytes());
        text.extend(b"\nx");
        text.extend(longest.as_bytes());
        text.extend(b"\nafter\n");
        text.extend("y".repeat(3 * LONGEST).as_bytes());
        text.extend(b"\nlast\n");
        std::fs::write(&path, text).unwrap();
        let (texts, bad, damage) = lines(&path);
        assert_eq!(bad, [(2, BadLine::NotUtf8), (4, BadLine::TooLong), (6, BadLine::TooLong)]);
        assert_eq!(texts, ["fine", &longest, "after", "last"]);
        assert_eq!(damage, None);
    }

    #[test]
    fn damage_is_told_after_what_came_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| -> PathBuf { folder.path().join(name) };
        let text: String = (0..200_000).map(|i| format!("line {i} of a text that is long enough\n")).collect();
        gzip(&path("cut.gz"), &[text.as_bytes()]);
        let zst = zstd::encode_all(text.as_bytes(), 1).unwrap();
        std::fs::write(path("cut.zst"), &zst[..zst.len() / 2]).unwrap();
        let gz = std::fs::read(path("cut.gz")).unwrap();
        std::fs::write(path("cut.gz"), &gz[..gz.len() / 2]).unwrap();
        for name in ["cut.gz", "cut.zst"] {
            let (texts, _, damage) = lines(&path(name));
            let (before, message) = (texts.len(), damage.unwrap());
            assert!(before > 10_000 && before < 200_000, "{name}: {before}");
            assert_eq!(texts.last().unwrap(), &format!("line {} of a text that is long enough", before - 1));
            assert!(message.contains(name) && message.contains(&format!("after {before} lines")), "{message}");
        }
        std::fs::write(path("no.gz"), "not compressed").unwrap();
        assert!(lines(&path("no.gz")).2.unwrap().contains("after 0 lines"));
    }
}
