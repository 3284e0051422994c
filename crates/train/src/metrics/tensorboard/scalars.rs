//! A line of `metrics.jsonl` as TensorBoard's step and tagged values.

use serde_json::Value;

/// Counts and clocks that make no curve.
const LEFT_OUT: [&str; 5] = ["step", "seconds", "sequences", "tokens", "masked"];

/// Step and values: numbers of the line itself under `train/`, numbers of an object in it under the object's name. What is
/// not a finite number is left out.
pub(super) fn of(line: &Value) -> (i64, Vec<(String, f32)>) {
    let step = line["step"].as_i64().unwrap_or(0);
    let mut scalars = Vec::new();
    for (key, value) in line.as_object().into_iter().flatten() {
        match value {
            Value::Object(group) => {
                for (name, value) in group {
                    push(&mut scalars, key, name, value);
                }
            }
            value => push(&mut scalars, "train", key, value),
        }
    }
    (step, scalars)
}

fn push(scalars: &mut Vec<(String, f32)>, group: &str, key: &str, value: &Value) {
    if let Some(value) = value.as_f64()
        && !LEFT_OUT.contains(&key)
    {
        // The line has the short name, TensorBoard the whole word.
        let name = if key == "grad_norm" { "gradient_norm" } else { key };
        scalars.push((format!("{group}/{name}"), value as f32));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tags_of_both_kinds_of_lines() {
        let line = json!({"step": 20, "loss": 1.5, "loss_ce": null, "grad_norm": 2.0, "seconds": 9.0});
        let (step, mut scalars) = of(&line);
        scalars.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(step, 20);
        assert_eq!(scalars, [("train/gradient_norm".into(), 2.0), ("train/loss".into(), 1.5)]);
        let line = json!({"step": 30, "held_out": {"mlm_loss": 3.0, "sequences": 12, "hidden_cosine": null}});
        assert_eq!(of(&line), (30, vec![("held_out/mlm_loss".into(), 3.0)]));
    }
}
