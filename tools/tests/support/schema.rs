//! JSON against a schema: the keywords that our schemas use, and no others, so that a new one is noticed.
#![allow(dead_code, reason = "each test program uses a part")]

use std::collections::BTreeSet;

use serde_json::Value;

/// Keywords that describe and do not restrict.
const NOTES: [&str; 6] = ["$schema", "$defs", "title", "description", "default", "format"];

/// What is wrong with `value`; every key of an object has to be described.
pub(crate) fn check(schema: &Value, value: &Value) -> Result<(), String> {
    let schema = Schema { root: schema, at: schema };
    schema.check(value)?;
    schema.check_keys(value)
}

#[derive(Clone, Copy)]
struct Schema<'a> {
    root: &'a Value,
    at: &'a Value,
}

impl<'a> Schema<'a> {
    fn to(self, at: &'a Value) -> Self {
        let Some(path) = at.get("$ref").and_then(Value::as_str) else { return Self { at, ..self } };
        let at = self.root.pointer(path.strip_prefix('#').unwrap()).expect("the reference leads somewhere");
        self.to(at)
    }

    fn list(self, keyword: &str) -> impl Iterator<Item = Self> {
        self.at.get(keyword).and_then(Value::as_array).into_iter().flatten().map(move |at| self.to(at))
    }

    fn check(self, value: &Value) -> Result<(), String> {
        let Some(keywords) = self.to(self.at).at.as_object() else {
            return if self.at == &Value::Bool(true) { Ok(()) } else { Err("refused".to_owned()) };
        };
        let this = self.to(self.at);
        for (keyword, wanted) in keywords {
            let holds = match &**keyword {
                "type" => types(wanted).any(|wanted| is(wanted, value)),
                "const" => wanted == value,
                "enum" => wanted.as_array().unwrap().contains(value),
                "minimum" => value.as_f64().is_none_or(|number| number >= wanted.as_f64().unwrap()),
                "maximum" => value.as_f64().is_none_or(|number| number <= wanted.as_f64().unwrap()),
                "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= wanted.as_u64().unwrap()),
                "maxItems" => value.as_array().is_none_or(|items| items.len() as u64 <= wanted.as_u64().unwrap()),
                "anyOf" | "oneOf" => this.list(keyword).any(|branch| branch.check(value).is_ok()),
                "allOf" => this.list(keyword).all(|part| part.check(value).is_ok()),
                "required" => wanted.as_array().unwrap().iter().all(|key| value.get(key.as_str().unwrap()).is_some()),
                "properties" => {
                    for (key, at) in wanted.as_object().unwrap() {
                        if let Some(inner) = value.get(key) {
                            this.to(at).check(inner).map_err(|error| format!("{key}: {error}"))?;
                        }
                    }
                    true
                }
                "items" => {
                    for (index, inner) in value.as_array().into_iter().flatten().enumerate() {
                        this.to(wanted).check(inner).map_err(|error| format!("[{index}]: {error}"))?;
                    }
                    true
                }
                "additionalProperties" if wanted.is_object() => {
                    let described = this.at.get("properties");
                    let others = value.as_object().into_iter().flatten();
                    for (key, inner) in others.filter(|(key, _)| described.is_none_or(|known| known.get(key).is_none()))
                    {
                        this.to(wanted).check(inner).map_err(|error| format!("{key}: {error}"))?;
                    }
                    true
                }
                "additionalProperties" => wanted == &Value::Bool(true),
                note if NOTES.contains(&note) => true,
                other => panic!("this checker does not know the keyword {other}"),
            };
            if !holds {
                return Err(format!("{keyword}: {wanted} does not hold for {value}"));
            }
        }
        Ok(())
    }

    /// The keys that the schema describes for an object like `value`.
    fn keys(self, value: &Value) -> BTreeSet<&'a str> {
        let this = self.to(self.at);
        let own = this.at.get("properties").and_then(Value::as_object).into_iter().flatten();
        let mut keys: BTreeSet<&str> = own.map(|(key, _)| &**key).collect();
        for keyword in ["anyOf", "oneOf", "allOf"] {
            let branches = this.list(keyword).filter(|branch| branch.check(value).is_ok());
            branches.for_each(|branch| keys.extend(branch.keys(value)));
        }
        keys
    }

    fn check_keys(self, value: &Value) -> Result<(), String> {
        let this = self.to(self.at);
        for keyword in ["anyOf", "oneOf", "allOf"] {
            let mut branches = this.list(keyword).filter(|branch| branch.check(value).is_ok()).peekable();
            if keyword != "allOf" && branches.peek().is_some() && this.at.get("properties").is_none() {
                return branches.next().map_or(Ok(()), |branch| branch.check_keys(value));
            }
        }
        if let Some(items) = value.as_array() {
            let Some(at) = this.at.get("items") else { return Ok(()) };
            return items.iter().try_for_each(|item| this.to(at).check_keys(item));
        }
        let Some(map) = value.as_object() else { return Ok(()) };
        if this.at.get("additionalProperties").is_some_and(|others| *others != Value::Bool(false)) {
            return Ok(());
        }
        let described = this.keys(value);
        if let Some(key) = map.keys().find(|key| !described.contains(&***key)) {
            return Err(format!("the field {key} is not described"));
        }
        let properties = this.at.get("properties");
        map.iter().try_for_each(|(key, inner)| match properties.and_then(|properties| properties.get(key)) {
            Some(at) => this.to(at).check_keys(inner).map_err(|error| format!("{key}: {error}")),
            None => Ok(()),
        })
    }
}

fn types(wanted: &Value) -> impl Iterator<Item = &str> {
    let one = wanted.as_str().into_iter();
    one.chain(wanted.as_array().into_iter().flatten().filter_map(Value::as_str))
}

fn is(wanted: &str, value: &Value) -> bool {
    match wanted {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("no type {other}"),
    }
}
