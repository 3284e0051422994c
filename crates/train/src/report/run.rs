//! What a run folder says about itself, however far the run got.

use crate::{Error, Result, files};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// Points `(step, value)` of one curve, steps ascending.
pub type Points = Vec<(f64, f64)>;

/// One run as its folder has it.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// Name of the folder.
    pub name: String,
    /// Curves by name: `loss`, `learning_rate`, ... of training, `held_out.mlm_loss`, ... of evaluations.
    pub curves: BTreeMap<String, Points>,
    /// Training time in seconds up to the last line, over all its continuations.
    pub seconds: f64,
    /// Whether the final model is there and as new as the metrics.
    pub finished: bool,
    /// Values of `recipe.json` by dotted name.
    pub recipe: BTreeMap<String, Value>,
    /// What a reader should know: damaged lines, a missing recipe.
    pub notes: Vec<String>,
}

impl Run {
    /// Reads `metrics.jsonl` and `recipe.json` of a run folder. Fails when there is not one line of metrics to show.
    pub fn read(folder: &Path) -> Result<Self> {
        if !folder.is_dir() {
            let reason = if folder.exists() { "this is not a folder" } else { "no such folder" };
            return Err(Error::file(folder, reason, "name the output folder of `train distill` or `train pretrain`"));
        }
        let path = folder.join("metrics.jsonl");
        if !path.exists() {
            return Err(Error::file(
                folder,
                "no metrics.jsonl in it",
                "name the output folder of `train distill` or `train pretrain`",
            ));
        }
        let full = std::fs::canonicalize(folder).map_err(|e| Error::io(folder, &e))?;
        let name = full.file_name().unwrap_or(full.as_os_str()).to_string_lossy().into_owned();
        let mut run = Self { name, finished: finished(folder, &path), ..Self::default() };
        run.add_lines(&files::read(&path)?);
        if run.curves.is_empty() {
            let next = "wait for the first line (--log-every steps), or name another run";
            return Err(Error::file(&path, "no figures in it yet", next));
        }
        run.add_recipe(&folder.join("recipe.json"));
        Ok(run)
    }

    /// Last step of any curve.
    pub fn steps(&self) -> usize {
        self.curves.values().filter_map(|points| points.last()).map(|point| point.0 as usize).max().unwrap_or(0)
    }

    /// Last value of a curve.
    pub fn last(&self, curve: &str) -> Option<f64> {
        self.curves.get(curve)?.last().map(|point| point.1)
    }

    fn add_lines(&mut self, bytes: &[u8]) {
        let mut damaged = Vec::new();
        let mut clock = 0.0;
        let lines: Vec<&[u8]> = bytes.split(|&b| b == b'\n').collect();
        for (number, line) in (1..).zip(&lines) {
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let value = serde_json::from_slice::<Value>(line).ok();
            let Some((step, value)) = value.and_then(|value| Some((value["step"].as_f64()?, value))) else {
                damaged.push(number);
                continue;
            };
            for (key, value) in value.as_object().into_iter().flatten() {
                match value {
                    Value::Object(group) => {
                        for (name, value) in group {
                            self.add(&format!("{key}.{name}"), step, value);
                        }
                    }
                    value if key != "step" && key != "seconds" => self.add(key, step, value),
                    _ => {}
                }
            }
            if let Some(seconds) = value["seconds"].as_f64() {
                // A clock that starts again belongs to a run that was continued.
                self.seconds += if seconds >= clock { seconds - clock } else { seconds };
                clock = seconds;
            }
        }
        // What follows the last line feed is a line that was not written to its end.
        let cut = damaged.last() == Some(&lines.len());
        if cut {
            damaged.pop();
            self.notes.push("the last line of metrics.jsonl is incomplete and left out".into());
        }
        if let Some(first) = damaged.first() {
            self.notes.push(format!(
                "{} of metrics.jsonl could not be read and {} left out (the first is line {first})",
                if damaged.len() == 1 { "1 line".into() } else { format!("{} lines", damaged.len()) },
                if damaged.len() == 1 { "is" } else { "are" },
            ));
        }
    }

    /// Appends a point; where steps go back, as after a restart, the later line counts.
    fn add(&mut self, curve: &str, step: f64, value: &Value) {
        let Some(value) = value.as_f64() else { return };
        let points = self.curves.entry(curve.to_string()).or_default();
        while points.last().is_some_and(|last| last.0 >= step) {
            points.pop();
        }
        points.push((step, value));
    }

    fn add_recipe(&mut self, path: &Path) {
        match files::read(path).ok().and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok()) {
            Some(recipe) => flatten("", &recipe, &mut self.recipe),
            None => self.notes.push("recipe.json is missing or cannot be read".into()),
        }
    }
}

/// A run that was started again in the folder of a finished one has an older model beside it.
fn finished(folder: &Path, metrics: &Path) -> bool {
    let time = |path: &Path| std::fs::metadata(path).and_then(|data| data.modified()).ok();
    match (time(&folder.join("model.safetensors")), time(metrics)) {
        (Some(model), Some(metrics)) => model >= metrics,
        _ => false,
    }
}

fn flatten(prefix: &str, value: &Value, out: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                flatten(&name, value, out);
            }
        }
        value => {
            out.insert(prefix.to_string(), value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &[u8]) -> Run {
        let mut run = Run::default();
        run.add_lines(text);
        run
    }

    #[test]
    fn damaged_lines_are_counted_and_left_out() {
        let run = run(
            b"{\"step\":1,\"loss\":2}\nnonsense\n\xff\xfe\n{\"loss\":1}\n{\"step\":2,\"loss\":1}\n{\"step\":3,\"lo",
        );
        assert_eq!(run.curves["loss"], [(1.0, 2.0), (2.0, 1.0)]);
        assert_eq!(run.notes.len(), 2, "{:?}", run.notes);
        assert!(run.notes[0].contains("incomplete"));
        assert!(run.notes[1].starts_with("3 lines") && run.notes[1].contains("line 2"));
    }

    #[test]
    fn later_lines_count_where_steps_repeat_and_clocks_add_up() {
        let run = run(b"{\"step\":10,\"loss\":5,\"seconds\":4}\n{\"step\":20,\"loss\":4,\"seconds\":8}\n\
            {\"step\":20,\"loss\":3,\"seconds\":1}\n{\"step\":30,\"loss\":2,\"seconds\":5}\n");
        assert_eq!(run.curves["loss"], [(10.0, 5.0), (20.0, 3.0), (30.0, 2.0)]);
        assert_eq!(run.seconds, 13.0);
        assert!(run.notes.is_empty());
    }

    #[test]
    fn values_that_are_no_numbers_make_no_points() {
        let run = run(b"{\"step\":1,\"loss\":null,\"held_out\":{\"kl\":0.5,\"hidden_cosine\":null}}\n");
        assert_eq!(run.curves.keys().collect::<Vec<_>>(), ["held_out.kl"]);
    }
}
