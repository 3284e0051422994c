//! Files of rows: TSV as GLUE has it (no quotes), CSV, JSON lines; plain, `.gz` or `.zst`.

use crate::{Error, Result, files};
use serde_json::Value;
use std::collections::VecDeque;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Stands between the members of a JSON list.
pub const SEPARATOR: char = '\u{1f}';

/// Rows of text fields, each with the number of its line.
#[derive(Debug)]
pub struct Table {
    path: PathBuf,
    rows: VecDeque<(usize, Vec<String>)>,
    named: bool,
    sha256: String,
}

impl Table {
    /// Reads a file; its name says what it is: `.tsv` (or `.txt`), `.csv`, `.jsonl` (or `.json`, `.ndjson`), with `.gz` or `.zst` after it.
    ///
    /// # Errors
    /// A file that cannot be read, is no UTF-8 or has another name; a quote that is not closed; a line that is no JSON object.
    pub fn read(path: &Path) -> Result<Self> {
        let text = read_text(path)?;
        let wrong = |line: usize, reason: String| {
            Error::file(path, format!("line {line}: {reason}"), "correct the line, or leave it out")
        };
        let (rows, named) = match form(path).as_str() {
            "tsv" | "txt" => (tsv(&text), false),
            "csv" => (csv(&text).map_err(|(line, reason)| wrong(line, reason))?, false),
            "jsonl" | "ndjson" | "json" => (json(&text).map_err(|(line, reason)| wrong(line, reason))?, true),
            other => {
                let reason = format!("`{other}` is no form of table that is known");
                return Err(Error::file(path, reason, "name it .tsv, .csv or .jsonl"));
            }
        };
        Ok(Self { path: path.to_path_buf(), rows: rows.into(), named, sha256: files::sha256(text.as_bytes()) })
    }

    /// Where it came from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// SHA-256 of its text.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Whether the first row always holds names, as of JSON objects.
    pub fn is_named(&self) -> bool {
        self.named
    }

    /// Fields of the first row.
    pub fn first(&self) -> Option<Vec<String>> {
        self.rows.front().map(|(_, fields)| fields.clone())
    }

    /// Removes the first row.
    pub fn take_header(&mut self) {
        self.rows.pop_front();
    }

    /// Line number and fields of each row.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = (usize, &[String])> {
        self.rows.iter().map(|(line, fields)| (*line, fields.as_slice()))
    }
}

/// The text of a file, decompressed when its name ends in `.gz` or `.zst`.
pub fn read_text(path: &Path) -> Result<String> {
    let bytes = files::read(path)?;
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
    let mut plain = Vec::new();
    let unpacked = match extension.as_str() {
        "gz" => flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_end(&mut plain).map(|_| ()),
        "zst" => zstd::stream::copy_decode(&bytes[..], &mut plain),
        _ => {
            plain = bytes;
            Ok(())
        }
    };
    unpacked.map_err(|e| Error::file(path, format!("cannot be decompressed ({e})"), "copy or make it again"))?;
    String::from_utf8(plain).map_err(|e| {
        let line = 1 + e.as_bytes()[..e.utf8_error().valid_up_to()].iter().filter(|&&b| b == b'\n').count();
        Error::file(path, format!("line {line} is not UTF-8"), "convert the file to UTF-8")
    })
}

/// The last extension that does not name a compression.
pub(super) fn form(path: &Path) -> String {
    let mut name = PathBuf::from(path.file_name().unwrap_or_default());
    loop {
        let extension = name.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
        if extension != "gz" && extension != "zst" {
            return extension;
        }
        name.set_extension("");
    }
}

type Rows = Vec<(usize, Vec<String>)>;

fn tsv(text: &str) -> Rows {
    let lines = (1..).zip(text.split('\n')).map(|(n, line)| (n, line.strip_suffix('\r').unwrap_or(line)));
    lines
        .filter(|(_, line)| !line.is_empty())
        .map(|(n, line)| (n, line.split('\t').map(Into::into).collect()))
        .collect()
}

/// RFC 4180: fields in double quotes may hold commas, line ends and doubled quotes.
fn csv(text: &str) -> Result<Rows, (usize, String)> {
    let (mut rows, mut fields, mut field) = (vec![], vec![], String::new());
    let (mut line, mut first, mut quoted, mut was_quoted) = (1, 1, None, false);
    let mut chars = text.strip_prefix('\u{feff}').unwrap_or(text).chars().peekable();
    while let Some(c) = chars.next() {
        line += usize::from(c == '\n');
        match (quoted, c) {
            (Some(_), '"') if chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            (Some(_), '"') => quoted = None,
            (Some(_), c) => field.push(c),
            (None, '"') if field.is_empty() && !was_quoted => (quoted, was_quoted) = (Some(line), true),
            (None, ',') => {
                fields.push(std::mem::take(&mut field));
                was_quoted = false;
            }
            (None, '\r') if chars.peek() == Some(&'\n') => {}
            (None, '\n') => {
                if !(fields.is_empty() && field.is_empty() && !was_quoted) {
                    fields.push(std::mem::take(&mut field));
                    rows.push((first, std::mem::take(&mut fields)));
                }
                (first, was_quoted) = (line, false);
            }
            (None, c) => field.push(c),
        }
    }
    if let Some(line) = quoted {
        return Err((line, "a quote is not closed".into()));
    }
    if !(fields.is_empty() && field.is_empty()) {
        fields.push(field);
        rows.push((first, fields));
    }
    Ok(rows)
}

/// Objects; the first row is made of the names in the first of them, and the others follow in that order.
fn json(text: &str) -> Result<Rows, (usize, String)> {
    let (mut names, mut rows): (Vec<String>, Rows) = (vec![], vec![]);
    for (line, text) in (1..).zip(text.split('\n')).filter(|(_, text)| !text.trim().is_empty()) {
        let value: Value = serde_json::from_str(text).map_err(|e| (line, format!("not JSON ({e})")))?;
        let Value::Object(object) = value else {
            return Err((line, "not a JSON object".into()));
        };
        if names.is_empty() {
            names = object.keys().cloned().collect();
            rows.push((line, names.clone()));
        }
        let field = |name: &String| {
            let value = object.get(name).ok_or_else(|| (line, format!("no `{name}`, which the first line has")))?;
            plain(value).ok_or_else(|| (line, format!("`{name}` is {value}")))
        };
        rows.push((line, names.iter().map(field).collect::<Result<_, _>>()?));
    }
    Ok(rows)
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null => Some(String::new()),
        Value::Array(all) => {
            let all: Option<Vec<String>> = all.iter().map(plain).collect();
            // A list of one is a list too.
            Some(all?.into_iter().map(|text| text + &SEPARATOR.to_string()).collect())
        }
        Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &[u8]) -> Result<Rows> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        Table::read(&path).map(|table| table.rows.into())
    }

    fn row(line: usize, fields: &[&str]) -> (usize, Vec<String>) {
        (line, fields.iter().map(|field| field.to_string()).collect())
    }

    #[test]
    fn quotes_are_text_in_tsv_and_quotes_in_csv() {
        let found = read("a.tsv", b"x\ty\r\n\"a\tb, c\"\n\n").unwrap();
        assert_eq!(found, [row(1, &["x", "y"]), row(2, &["\"a", "b, c\""])]);
        let found = read("a.csv", "\u{feff}x,y\n\"a, \"\"b\"\"\nc\",d\r\n\n\"\",e".as_bytes()).unwrap();
        assert_eq!(found, [row(1, &["x", "y"]), row(2, &["a, \"b\"\nc", "d"]), row(5, &["", "e"])]);
        let error = read("a.csv", b"x,y\n1,\"open\n\n").unwrap_err().to_string();
        assert!(error.contains("line 2: a quote is not closed"), "{error}");
    }

    #[test]
    fn json_lines_become_rows_in_the_order_of_the_first() {
        let found =
            read("a.jsonl", b"{\"text\": \"a\", \"label\": 1}\n\n{\"label\": [\"x\", \"y\"], \"text\": \"b\"}\n")
                .unwrap();
        assert_eq!(found, [row(1, &["label", "text"]), row(1, &["1", "a"]), row(3, &["x\u{1f}y\u{1f}", "b"])]);
        for (text, words) in [
            ("{\"a\": 1}\n[1]\n", "line 2: not a JSON object"),
            ("{\"a\": 1}\n{\"b\": 1}\n", "line 2: no `a`"),
            ("{\"a\": {}}\n", "line 1: `a` is {}"),
            ("{\"a\"\n", "line 1: not JSON"),
        ] {
            let error = read("a.json", text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn compressed_files_and_those_that_are_none() {
        let packed = zstd::encode_all(&b"x\t1\n"[..], 1).unwrap();
        assert_eq!(read("a.tsv.zst", &packed).unwrap(), [row(1, &["x", "1"])]);
        assert!(read("a.tsv.zst", b"x\t1\n").unwrap_err().to_string().contains("cannot be decompressed"));
        assert!(read("a.xlsx", b"").unwrap_err().to_string().contains("name it .tsv"));
        assert!(read("a.tsv", b"a\n\xff\n").unwrap_err().to_string().contains("line 2 is not UTF-8"));
    }
}
