//! `modules.json` of sentence-transformers: what text goes through, from the encoder to the embedding.

use std::path::Path;

use serde_json::Value;

use super::error::{HfError, Problem};
use super::read_json_value;
use super::shards::is_plain;

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Module {
    /// The last part of its type, such as `Pooling`.
    kind: String,
    /// Its folder inside the model's; empty for the model's own.
    path: String,
}

/// The steps in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modules(Vec<Module>);

impl Modules {
    /// Reads `modules.json` in `folder`; `None` where there is none.
    pub fn read(folder: &Path) -> Result<Option<Self>, HfError> {
        let path = folder.join("modules.json");
        if !path.exists() {
            return Ok(None);
        }
        Self::parse(&read_json_value(&path)?).map(Some).map_err(|problem| problem.at(&path))
    }

    fn parse(json: &Value) -> Result<Self, Problem> {
        let wrong = || Problem::NoList("list of steps, each with `type` and `path`");
        let module = |module: &Value| {
            let text = |key: &str| module.get(key).and_then(Value::as_str).ok_or_else(wrong);
            let (kind, path) = (text("type")?, text("path")?);
            if !path.is_empty() && !is_plain(path) {
                return Err(Problem::NotPlain { name: path.into() });
            }
            Ok(Module { kind: kind.rsplit('.').next().unwrap_or(kind).to_owned(), path: path.to_owned() })
        };
        let list = json.as_array().ok_or_else(wrong)?;
        Ok(Self(list.iter().map(module).collect::<Result<_, _>>()?))
    }

    /// The folder of the encoder inside the model's; empty for the model's own.
    pub fn transformer(&self) -> &str {
        self.path_of("Transformer").unwrap_or_default()
    }

    /// The folder with the configuration of pooling.
    pub fn pooling(&self) -> Option<&str> {
        self.path_of("Pooling")
    }

    fn path_of(&self, kind: &str) -> Option<&str> {
        self.0.iter().find(|module| module.kind == kind).map(|module| &module.path[..])
    }

    /// Whether embeddings are scaled to length 1; an error if there are steps that a packed file does not have.
    pub fn normalize(&self) -> Result<bool, Problem> {
        // Dropout does nothing but in training.
        let mut steps = self.0.iter().map(|module| &module.kind[..]).filter(|&kind| kind != "Dropout");
        for expected in ["Transformer", "Pooling"] {
            match steps.next() {
                Some(found) if found == expected => {}
                Some(found) => return Err(Problem::Module { found: format!("`{found}`"), expected }),
                None => return Err(Problem::Module { found: "nothing".into(), expected }),
            }
        }
        let mut normalize = false;
        for step in steps {
            if step != "Normalize" {
                return Err(Problem::Module { found: format!("`{step}`"), expected: "Normalize, or nothing," });
            }
            normalize = true;
        }
        Ok(normalize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modules(list: &[(&str, &str)]) -> Result<Modules, Problem> {
        let list = list.iter().map(|(kind, path)| {
            serde_json::json!({"type": format!("sentence_transformers.models.{kind}"), "path": path, "name": "0"})
        });
        Modules::parse(&list.collect())
    }

    #[test]
    fn steps_that_can_be_packed() {
        let found =
            modules(&[("Transformer", "0_Transformer"), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize")]);
        let found = found.unwrap();
        assert_eq!((found.transformer(), found.pooling()), ("0_Transformer", Some("1_Pooling")));
        assert!(found.normalize().unwrap());
        let found = modules(&[("Transformer", ""), ("Pooling", "1_Pooling"), ("Dropout", "2_Dropout")]).unwrap();
        assert_eq!((found.transformer(), found.normalize().unwrap()), ("", false));
    }

    #[test]
    fn steps_that_cannot() {
        for (list, said) in [
            (
                &[("Transformer", ""), ("Pooling", "1"), ("Dense", "2"), ("Normalize", "3")][..],
                "`Dense` where Normalize, or nothing, was expected",
            ),
            (
                &[("Transformer", ""), ("WeightedLayerPooling", "1")],
                "`WeightedLayerPooling` where Pooling was expected",
            ),
            (&[("BoW", "")], "`BoW` where Transformer was expected"),
            (&[("Transformer", "")], "nothing where Pooling was expected"),
        ] {
            let error = modules(list).unwrap().normalize().unwrap_err();
            assert!(error.to_string().ends_with(said), "{error}");
        }
        for path in ["../elsewhere", "/tmp", "a/b", ".."] {
            assert!(modules(&[("Transformer", path)]).is_err(), "{path}");
        }
        assert!(Modules::parse(&serde_json::json!({})).is_err());
    }
}
