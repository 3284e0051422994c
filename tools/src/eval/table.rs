//! Files with named columns: tabs between the fields, commas with quotes, or a JSON object a line.

use std::path::Path;

use serde_json::Value;

use crate::error::Error;
use crate::text::read_text;

/// A file's rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The file, for messages.
    pub name: String,
    /// Names of the columns; none if the file has no line that names them.
    pub header: Vec<String>,
    /// Lines with their numbers, from 1.
    pub rows: Vec<(usize, Vec<String>)>,
}

/// How a file's lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Tabs between fields, in which quotes mean nothing.
    Tabs,
    /// RFC 4180: commas between fields, which may be in quotes and have line ends in them.
    Commas,
    /// A JSON object a line.
    Json,
}

impl Form {
    /// By the end of the name, that of a compression left out.
    fn of(path: &Path) -> Self {
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().to_lowercase());
        let name = name.trim_end_matches(".gz").trim_end_matches(".zst");
        match name.rsplit_once('.').map(|(_, end)| end) {
            Some("csv") => Self::Commas,
            Some("jsonl" | "ndjson" | "json") => Self::Json,
            _ => Self::Tabs,
        }
    }
}

impl Table {
    /// Reads a file: `.csv`, `.jsonl` (also `.ndjson`, `.json`), any other with tabs. `named` says whether a line of fields
    /// is a header; if the first one is not, all lines are rows.
    ///
    /// # Errors
    /// If the file cannot be read, or a line is not what it has to be.
    pub fn read(path: &Path, named: impl Fn(&[String]) -> bool) -> Result<Self, Error> {
        let text = read_text(path)?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let mut table = Self { name: path.display().to_string(), header: Vec::new(), rows: Vec::new() };
        match Form::of(path) {
            Form::Json => table.objects(text)?,
            form => {
                table.rows = match form {
                    Form::Commas => table.quoted(text)?,
                    _ => {
                        let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty());
                        lines.map(|(at, line)| (at + 1, line.split('\t').map(str::to_owned).collect())).collect()
                    }
                };
                if table.rows.first().is_some_and(|(_, fields)| named(fields)) {
                    table.header = table.rows.remove(0).1;
                }
            }
        }
        Ok(table)
    }

    /// The place of the first of these columns that there is.
    pub fn column(&self, names: &[&str]) -> Option<usize> {
        names.iter().find_map(|name| self.header.iter().position(|column| column == name))
    }

    /// An error in a line.
    pub fn wrong(&self, line: usize, reason: impl Into<String>, next: &'static str) -> Error {
        Error::Line { source_name: self.name.clone(), line, reason: reason.into(), next }
    }

    /// Objects, the columns being the keys of the first.
    fn objects(&mut self, text: &str) -> Result<(), Error> {
        const NEXT: &str = "each line is an object such as {\"sentence\": \"it is cold\", \"label\": \"weather\"}";
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let Ok(Value::Object(mut object)) = serde_json::from_str(line) else {
                return Err(self.wrong(at + 1, "no JSON object", NEXT));
            };
            if self.header.is_empty() {
                self.header = object.keys().cloned().collect();
            }
            let fields = self.header.iter().map(|key| object.remove(key).map(plain));
            let fields: Option<Vec<String>> = fields.collect();
            let fields = fields.ok_or_else(|| self.wrong(at + 1, "lacks a key that the first line has", NEXT))?;
            self.rows.push((at + 1, fields));
        }
        Ok(())
    }

    /// Rows of fields that may be in quotes.
    fn quoted(&self, text: &str) -> Result<Vec<(usize, Vec<String>)>, Error> {
        const NEXT: &str = "a field with a comma, a quote or a line end stands in quotes, with quotes in it doubled";
        let (mut rows, mut fields, mut field) = (Vec::new(), Vec::new(), String::new());
        let (mut line, mut first, mut inside) = (1, 1, false);
        let mut chars = text.chars().peekable();
        while let Some(char) = chars.next() {
            line += usize::from(char == '\n');
            match char {
                '"' if inside && chars.next_if_eq(&'"').is_some() => field.push('"'),
                '"' if inside => inside = false,
                '"' if field.is_empty() => inside = true,
                ',' if !inside => fields.push(std::mem::take(&mut field)),
                '\r' if !inside && chars.peek() == Some(&'\n') => {}
                '\n' if !inside => {
                    if !(fields.is_empty() && field.is_empty()) {
                        fields.push(std::mem::take(&mut field));
                        rows.push((first, std::mem::take(&mut fields)));
                    }
                    first = line;
                }
                char => field.push(char),
            }
        }
        if inside {
            return Err(self.wrong(first, "a quote is opened and never closed", NEXT));
        }
        if !(fields.is_empty() && field.is_empty()) {
            fields.push(field);
            rows.push((first, fields));
        }
        Ok(rows)
    }
}

/// A JSON value as a field: texts as they are, true and false as 1 and 0, the rest as JSON has it.
fn plain(value: Value) -> String {
    match value {
        Value::String(text) => text,
        Value::Bool(truth) => u8::from(truth).to_string(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> Result<Table, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        Table::read(&path, |fields| fields.iter().any(|field| field == "label")).map_err(|error| error.to_string())
    }

    fn rows(table: &Table) -> Vec<(usize, Vec<&str>)> {
        table.rows.iter().map(|(line, fields)| (*line, fields.iter().map(String::as_str).collect())).collect()
    }

    #[test]
    fn the_same_rows_in_three_forms() {
        let tabs = read("a.tsv", "\u{feff}text\tlabel\nsaid \"no\", twice\t1\n\nb\t0\r\n").unwrap();
        let commas = read("a.CSV", "text,label\r\n\"said \"\"no\"\", twice\",1\r\n\r\nb,0").unwrap();
        let json = "{\"text\": \"said \\\"no\\\", twice\", \"label\": 1}\n\n{\"label\": false, \"text\": \"b\", \"more\": []}\n";
        let json = read("a.jsonl", json).unwrap();
        assert_eq!(rows(&tabs), [(2, vec!["said \"no\", twice", "1"]), (4, vec!["b", "0"])]);
        assert_eq!((&commas.header, &commas.rows), (&tabs.header, &tabs.rows));
        let (text, label) = (json.column(&["text"]).unwrap(), json.column(&["class", "label"]).unwrap());
        assert_eq!(
            json.rows.iter().map(|(_, row)| (&*row[text], &*row[label])).collect::<Vec<_>>(),
            [("said \"no\", twice", "1"), ("b", "0")]
        );
    }

    #[test]
    fn without_a_header_every_line_is_a_row() {
        let table = read("a.tsv", "x\t1\ny\t0\n").unwrap();
        assert_eq!((table.header.len(), rows(&table).len(), table.column(&["label"])), (0, 2, None));
    }

    #[test]
    fn fields_in_quotes_may_have_line_ends() {
        let table = read("a.csv", "text,label\n\"two\nlines\",1\nc,0\n").unwrap();
        assert_eq!(rows(&table), [(2, vec!["two\nlines", "1"]), (4, vec!["c", "0"])]);
    }

    #[test]
    fn damaged_lines_are_named() {
        for (name, text, said) in [
            ("a.csv", "text,label\n\"open,1\nmore", "line 2: a quote is opened"),
            ("a.jsonl", "{\"label\": 1}\n[2]\n", "line 2: no JSON object"),
            ("a.jsonl", "{\"label\": 1}\n{\"text\": 1}\n", "line 2: lacks a key"),
        ] {
            let error = read(name, text).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
