//! One string out of a JSON line, without building the rest.

use super::BadLine;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// Where the text is: a key, or keys of nested objects joined by dots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::data) struct Field {
    name: String,
    /// The whole name, which wins where an object has it as a key, and its parts.
    path: Vec<String>,
}

impl Field {
    /// A field by its name, such as `text` or `data.body`.
    pub(in crate::data) fn new(name: &str) -> Self {
        Self { name: name.to_string(), path: name.split('.').map(String::from).collect() }
    }

    /// As the user wrote it.
    pub(in crate::data) fn name(&self) -> &str {
        &self.name
    }

    /// The text in one line.
    pub(super) fn text<'a>(&self, line: &'a str) -> Result<Cow<'a, str>, BadLine> {
        let mut json = serde_json::Deserializer::from_str(line);
        let found = Seek { whole: &self.name, path: &self.path }.deserialize(&mut json);
        let found = found.and_then(|found| json.end().map(|()| found));
        match found.map_err(|_| BadLine::BrokenJson)? {
            Found::Text(text) => Ok(text),
            Found::Null => Err(BadLine::Null),
            Found::Other => Err(BadLine::NotText),
            Found::Missing => Err(BadLine::MissingField),
        }
    }
}

enum Found<'a> {
    Text(Cow<'a, str>),
    Null,
    Other,
    Missing,
}

/// Looks for the rest of a path in the next value.
#[derive(Clone, Copy)]
struct Seek<'p> {
    /// The path as one key; only objects at the top may have it.
    whole: &'p str,
    path: &'p [String],
}

impl<'de> DeserializeSeed<'de> for Seek<'_> {
    type Value = Found<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Found<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Seek<'_> {
    /// What a value that is no object comes to: missing while keys are left.
    fn leaf<'de, E>(self, found: Found<'de>) -> Result<Found<'de>, E> {
        Ok(if self.path.is_empty() { found } else { Found::Missing })
    }
}

impl<'de> Visitor<'de> for Seek<'_> {
    type Value = Found<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Found<'de>, E> {
        self.leaf(Found::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Found<'de>, E> {
        self.leaf(Found::Text(Cow::Owned(text.to_string())))
    }

    fn visit_unit<E>(self) -> Result<Found<'de>, E> {
        self.leaf(Found::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Found<'de>, E> {
        self.leaf(Found::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Found<'de>, E> {
        self.leaf(Found::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Found<'de>, E> {
        self.leaf(Found::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Found<'de>, E> {
        self.leaf(Found::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Found<'de>, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        self.leaf(Found::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Found<'de>, A::Error> {
        let (mut nested, mut whole) = (Found::Missing, None);
        while let Some(key) = entries.next_key::<Cow<str>>()? {
            // Of keys that stand twice the last counts, as in most readers.
            match self.path.split_first() {
                Some((first, rest)) if *first == key => {
                    nested = entries.next_value_seed(Seek { whole: "", path: rest })?;
                }
                Some((_, [_, ..])) if !self.whole.is_empty() && self.whole == key => {
                    whole = Some(entries.next_value_seed(Seek { whole: "", path: &[] })?);
                }
                _ => {
                    entries.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(whole.unwrap_or(if self.path.is_empty() { Found::Other } else { nested }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(field: &str, line: &str) -> Result<String, BadLine> {
        Field::new(field).text(line).map(Cow::into_owned)
    }

    #[test]
    fn strings_anywhere() {
        assert_eq!(text("text", r#"{"id": 1, "text": "a b", "more": {"text": [1, {}]}}"#), Ok("a b".into()));
        assert_eq!(text("text", r#"{"text": "caf\u00e9 \"x\"\n"}"#), Ok("café \"x\"\n".into()));
        assert_eq!(text("t\u{e9}xt", r#"{"t\u00e9xt": "x"}"#), Ok("x".into()));
        assert_eq!(text("a.b.c", r#"{"a": {"x": 0, "b": {"c": "deep"}}, "b": 1}"#), Ok("deep".into()));
        assert_eq!(text("a.b", r#"{"a": {"b": "nested"}, "a.b": "whole"}"#), Ok("whole".into()));
        assert_eq!(text("text", r#"{"text": 1, "text": "last"}"#), Ok("last".into()));
    }

    #[test]
    fn everything_else_by_kind() {
        for (line, kind) in [
            (r#"{"text": "a""#, BadLine::BrokenJson),
            (r#"{"text": "a"} x"#, BadLine::BrokenJson),
            (r#"{"text": "\ud800"}"#, BadLine::BrokenJson),
            ("plain words", BadLine::BrokenJson),
            (r#"{"body": "a"}"#, BadLine::MissingField),
            (r#""text""#, BadLine::MissingField),
            ("[1, 2]", BadLine::MissingField),
            ("null", BadLine::MissingField),
            (r#"{"text": 5}"#, BadLine::NotText),
            (r#"{"text": 5e99}"#, BadLine::NotText),
            (r#"{"text": ["a"]}"#, BadLine::NotText),
            (r#"{"text": {"text": "a"}}"#, BadLine::NotText),
            (r#"{"text": true}"#, BadLine::NotText),
            (r#"{"text": null}"#, BadLine::Null),
        ] {
            assert_eq!(text("text", line), Err(kind), "{line}");
        }
        assert_eq!(text("a.b", r#"{"a": "flat"}"#), Err(BadLine::MissingField));
        // Deep nesting is refused by the parser, not met with a full stack.
        assert_eq!(text("text", &"[".repeat(100_000)), Err(BadLine::BrokenJson));
    }
}
