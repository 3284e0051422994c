//! `train report` over small run folders, and the event files that TensorBoard reads.

mod support;

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use support::{fails, train};

/// A run folder with `lines` of metrics and, when `finished`, a model.
fn run(folder: &Path, name: &str, lines: &[&str], finished: bool) -> PathBuf {
    let run = folder.join(name);
    fs::create_dir(&run).unwrap();
    fs::write(run.join("metrics.jsonl"), lines.concat()).unwrap();
    fs::write(run.join("recipe.json"), r#"{"seed": 56, "objective": {"alpha_ce": 5.0}, "layer_map": [0, 2]}"#).unwrap();
    if finished {
        fs::write(run.join("model.safetensors"), "").unwrap();
    }
    run
}

const LINES: [&str; 3] = [
    "{\"step\":10,\"epoch\":0.5,\"loss\":4.0,\"loss_ce\":0.0,\"loss_mlm\":2.0,\"learning_rate\":0.001,\"grad_norm\":3.5,\"tokens_per_second\":1200.0,\"seconds\":2.0}\n",
    "{\"step\":20,\"epoch\":1.0,\"loss\":3.0,\"loss_ce\":0.0,\"loss_mlm\":1.5,\"learning_rate\":0.0,\"grad_norm\":2.5,\"tokens_per_second\":1000.0,\"seconds\":4.5}\n",
    "{\"step\":20,\"held_out\":{\"mlm_loss\":1.25,\"mlm_accuracy\":0.5,\"agreement\":0.75,\"teacher_mlm_loss\":1.0,\"tokens\":9}}\n",
];

/// Text between every `<tag` ... `>` and `</tag>`.
fn texts<'a>(html: &'a str, tag: &str) -> Vec<&'a str> {
    let open = format!("<{tag}");
    let inside = html.split(&open).skip(1).filter_map(|rest| rest.split_once('>')?.1.split_once(&format!("</{tag}>")));
    inside.map(|(text, _)| text).collect()
}

fn data(html: &str) -> Value {
    let (_, rest) = html.split_once("<script type=\"application/json\" id=\"data\">").unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

#[test]
fn one_run_makes_a_page_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let run = run(folder.path(), "student", &LINES, true);
    let printed = train(&["report", run.to_str().unwrap(), "--json"]);
    let html = fs::read_to_string(run.join("report.html")).unwrap();
    assert_eq!(
        texts(&html, "h2"),
        [
            "Loss",
            "Masked LM",
            "Held-out masked LM",
            "Held-out accuracy",
            "Agreement with the teacher",
            "Learning rate",
            "Gradient norm",
            "Tokens a second",
            "Recipe"
        ]
    );
    let tiles: Vec<(&str, &str)> = texts(&html, "dt").into_iter().zip(texts(&html, "dd")).collect();
    assert_eq!(
        tiles,
        [
            ("State", "finished"),
            ("Steps", "20"),
            ("Epochs", "1.00"),
            ("Time", "4.5 s"),
            ("Tokens a second", "1,100"),
            ("Loss", "3.0000"),
            ("Largest gradient norm", "3.5000"),
            ("Lowest held-out loss", "1.2500 (step 20)"),
            ("Accuracy there", "50.00 %"),
            ("Agreement there", "75.00 %"),
        ]
    );
    assert!(html.contains("<tr><th>layer_map</th><td>0, 2</td></tr>"));
    let data = data(&html);
    assert_eq!(data["charts"][0]["series"][0]["points"], serde_json::json!([[10.0, 4.0], [20.0, 3.0]]));
    assert_eq!(data["charts"][2]["series"][1]["teacher"], true);
    // Nothing comes from elsewhere.
    assert!(html.contains("default-src 'none'"));
    for outside in ["src=", "href=", "url(", "@import", "fetch("] {
        assert!(!html.contains(outside), "{outside}");
    }
    let json: Value = serde_json::from_str(&printed).unwrap();
    let figures = &json["runs"][0];
    assert_eq!((figures["steps"].as_u64(), figures["best"]["mlm_loss"].as_f64()), (Some(20), Some(1.25)));
    assert_eq!(figures["tokens_per_second"], 1100.0);
}

#[test]
fn several_runs_lie_over_each_other_and_damage_is_noted() {
    let folder = tempfile::tempdir().unwrap();
    let whole = run(folder.path(), "whole <&>", &LINES, true);
    let cut = run(folder.path(), "cut", &[LINES[0], "{\"step\":20,\"loss\""], false);
    fs::write(cut.join("recipe.json"), r#"{"seed": 57}"#).unwrap();
    let page = folder.path().join("both.html");
    let arguments = ["report", whole.to_str().unwrap(), cut.to_str().unwrap(), "-o", page.to_str().unwrap()];
    train(&arguments);
    let html = fs::read_to_string(&page).unwrap();
    assert!(html.contains("<tr><th>State</th><td>finished</td><td>unfinished</td></tr>"));
    assert!(html.contains("<li><b>cut</b>: the last line of metrics.jsonl is incomplete and left out</li>"));
    assert!(html.contains("<tr class=\"differs\"><th>seed</th><td>56</td><td>57</td></tr>"));
    assert!(html.contains("whole &lt;&amp;&gt;") && !html.contains("whole <&>"));
    let data = data(&html);
    assert_eq!(data["runs"], serde_json::json!(["whole <&>", "cut"]));
    let loss: Vec<_> = data["charts"][0]["series"].as_array().unwrap().iter().map(|s| s["run"].as_u64()).collect();
    assert_eq!(loss, [Some(0), Some(1)]);
    assert!(!whole.join("report.html").exists());
}

#[test]
fn what_is_no_run_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let empty = run(folder.path(), "empty", &[], false);
    let at = |name: &str| folder.path().join(name).display().to_string();
    assert!(fails(1, &["report", empty.to_str().unwrap()]).contains("no figures in it yet"));
    assert!(fails(1, &["report", &at("absent")]).contains("no such folder"));
    fs::create_dir(folder.path().join("other")).unwrap();
    assert!(fails(1, &["report", &at("other")]).contains("no metrics.jsonl"));
    fails(2, &["report"]);
}
