//! Named values, whatever their names are: a configuration, or a manifest with fields of other versions.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// Values by their paths, such as `recipe.weights`.
pub(super) type Fields = BTreeMap<String, Value>;

/// A field that differs; its JSON.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct FieldReport {
    /// Its path.
    pub field: String,
    /// Its value in the first file; null if it is not there.
    pub a: Value,
    /// Its value in the second file; null if it is not there.
    pub b: Value,
}

/// The fields of a value that is a JSON object.
pub(super) fn of(value: &impl Serialize) -> Fields {
    let mut fields = Fields::new();
    flatten(&mut fields, "", serde_json::to_value(value).unwrap_or_default());
    fields
}

/// The fields of a manifest, which is CBOR; none if it cannot be read.
pub(super) fn of_manifest(bytes: &[u8]) -> Fields {
    let mut fields = Fields::new();
    flatten(&mut fields, "", ciborium::from_reader(bytes).unwrap_or_default());
    fields
}

/// Those that differ, in the order of their paths.
pub(super) fn compare(a: &Fields, b: &Fields) -> Vec<FieldReport> {
    let paths: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let values = |path: &String| (a.get(path).cloned().unwrap_or_default(), b.get(path).cloned().unwrap_or_default());
    let differing = paths.into_iter().filter(|path| a.get(*path) != b.get(*path));
    differing.map(|path| (path, values(path))).map(|(path, (a, b))| FieldReport { field: path.clone(), a, b }).collect()
}

/// Lists of things that have names are told apart by them, other lists by numbers; lists of plain values are one value.
fn flatten(fields: &mut Fields, path: &str, value: Value) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Object(map) => map.into_iter().for_each(|(name, value)| flatten(fields, &below(&name), value)),
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            for (index, item) in items.into_iter().enumerate() {
                let name = item.get("name").and_then(Value::as_str).map_or_else(|| index.to_string(), str::to_owned);
                flatten(fields, &below(&name), item);
            }
        }
        Value::Null if path.is_empty() => {}
        plain => drop(fields.insert(path.to_owned(), plain)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_have_paths_and_named_things_their_names() {
        let a = of(&json!({"tool": "x", "recipe": {"kept": ["a", "b"]}, "tensors": [{"name": "query", "max": 1.0}]}));
        assert_eq!(a.keys().collect::<Vec<_>>(), ["recipe.kept", "tensors.query.max", "tensors.query.name", "tool"]);
        let b = of(&json!({"tool": "x", "recipe": {"kept": ["a"], "budget": 7}, "tensors": []}));
        let differing: Vec<String> = compare(&a, &b).into_iter().map(|report| report.field).collect();
        assert_eq!(differing, ["recipe.budget", "recipe.kept", "tensors", "tensors.query.max", "tensors.query.name"]);
        assert_eq!(compare(&a, &b)[0], FieldReport { field: "recipe.budget".into(), a: Value::Null, b: json!(7) });
        assert!(compare(&a, &a).is_empty() && of_manifest(b"\xff no CBOR").is_empty());
    }
}
