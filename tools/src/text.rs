//! Lines of text, from a file or standard input; a line that is not UTF-8 is an error with its number.

use std::io::BufRead;
use std::path::Path;

use crate::error::Error;
use crate::hf::read_text;

/// The lines of a file that hold something.
pub fn lines_of(path: &Path) -> Result<Vec<String>, Error> {
    let lines: Vec<String> =
        read_text(path)?.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect();
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
