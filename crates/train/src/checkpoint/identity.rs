//! What a run is made of: a checkpoint only fits the same.

use crate::model::{Model, ModelConfig};
use crate::recipe::Recipe;
use crate::{Error, Result};
use candle_core::DType;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Recipe, data and models of a run, as far as its results depend on them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The recipe as JSON text.
    recipe: String,
    /// SHA-256 of the data, or of the index of prepared text.
    data: String,
    /// SHA-256 of the vocabulary.
    vocabulary: String,
    /// CRC-32C of the teacher's tensors, in order of their names.
    teacher: Option<String>,
    /// Shape of the student as JSON text.
    student: String,
    /// Optimizer steps of the whole run: the learning rate depends on it.
    total_steps: usize,
    /// Processes that shared the work. Another number changes the last bits alone.
    world: usize,
}

impl Identity {
    /// Of a run of `total_steps` steps by `world` processes; `data` and `vocabulary` are checksums.
    pub fn new(
        recipe: &Recipe,
        (data, vocabulary): (String, String),
        (student, teacher): (&ModelConfig, Option<&Model>),
        (total_steps, world): (usize, usize),
    ) -> Result<Self> {
        let json = |e: serde_json::Error| Error::Config(e.to_string());
        Ok(Self {
            recipe: serde_json::to_string(recipe).map_err(json)?,
            data,
            vocabulary,
            teacher: teacher.map(fingerprint).transpose()?,
            student: serde_json::to_string(student).map_err(json)?,
            total_steps,
            world,
        })
    }

    /// Processes that shared the work.
    pub fn world(&self) -> usize {
        self.world
    }

    /// The first thing in which this run differs from the `saved` one, in words; none when a checkpoint of that fits this run.
    pub fn difference(&self, saved: &Self) -> Option<String> {
        let json = |name: &str, here: &str, saved: &str| {
            let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
            difference(name, &parse(here), &parse(saved))
        };
        json("", &self.recipe, &saved.recipe)
            .or_else(|| json("", &self.student, &saved.student).map(|text| format!("the student's {text}")))
            .or_else(|| (self.vocabulary != saved.vocabulary).then(|| "the vocabulary is another".into()))
            .or_else(|| (self.data != saved.data).then(|| "the data is another".into()))
            .or_else(|| (self.teacher != saved.teacher).then(|| "the teacher is another".into()))
            .or_else(|| {
                let (here, saved) = (self.total_steps, saved.total_steps);
                (here != saved).then(|| format!("the number of steps is {here} here and {saved} in the checkpoint"))
            })
    }
}

/// The first difference between two JSON values, with the path to it.
fn difference(path: &str, here: &Value, saved: &Value) -> Option<String> {
    match (here, saved) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            keys.into_iter().find_map(|key| {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                let of = |map: &serde_json::Map<String, Value>| map.get(key).cloned().unwrap_or_default();
                difference(&path, &of(a), &of(b))
            })
        }
        _ => (here != saved).then(|| format!("{path} is {here} here and {saved} in the checkpoint")),
    }
}

/// CRC-32C of a model's tensors, in order of their names.
pub(crate) fn fingerprint(model: &Model) -> Result<String> {
    let mut checksum = 0;
    for (name, tensor) in model.parameters.all() {
        checksum = crc32c::crc32c_append(checksum, name.as_bytes());
        let values = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
        for block in values.chunks(1 << 14) {
            let bytes: Vec<u8> = block.iter().flat_map(|v| v.to_le_bytes()).collect();
            checksum = crc32c::crc32c_append(checksum, &bytes);
        }
    }
    Ok(format!("{checksum:08x}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Preset;

    fn identity(recipe: &Recipe) -> Identity {
        Identity {
            recipe: serde_json::to_string(recipe).unwrap(),
            data: "d".into(),
            vocabulary: "v".into(),
            teacher: Some("t".into()),
            student: "{\"layers\":2,\"hidden\":16}".into(),
            total_steps: 100,
            world: 1,
        }
    }

    #[test]
    fn names_the_first_difference() {
        let recipe = Recipe::preset(Preset::Tiny);
        let saved = identity(&recipe);
        assert_eq!(identity(&recipe).difference(&saved), None);
        let mut other = recipe.clone();
        other.schedule.learning_rate = 0.25;
        let text = identity(&other).difference(&saved).unwrap();
        assert_eq!(text, "schedule.learning_rate is 0.25 here and 0.001 in the checkpoint");
        let other = Recipe { layer_map: Some(vec![0, 2]), ..recipe };
        let text = identity(&other).difference(&saved).unwrap();
        assert_eq!(text, "layer_map is [0,2] here and null in the checkpoint");
        for (change, words) in [
            (Identity { data: "x".into(), ..saved.clone() }, "the data"),
            (Identity { vocabulary: "x".into(), ..saved.clone() }, "the vocabulary"),
            (Identity { teacher: None, ..saved.clone() }, "the teacher"),
            (Identity { total_steps: 99, ..saved.clone() }, "99 here and 100 in"),
            (Identity { student: "{\"layers\":3,\"hidden\":16}".into(), ..saved.clone() }, "student's layers is 3"),
        ] {
            let text = change.difference(&saved).unwrap();
            assert!(text.contains(words), "{text}");
        }
        // Another number of processes gives the same results but for rounding.
        assert_eq!(Identity { world: 4, ..saved.clone() }.difference(&saved), None);
    }
}
