//! `tools eval --against`: the packed file and its original on the same data.

mod support;

use distil_tools::fixture::Fixture;
use distil_tools::hf::HeadKind;
use serde_json::{Value, json};
use support::{Place, shared};

fn embedding() -> Place {
    let place = Place::packed(&Fixture { head: HeadKind::Embedding, ..Fixture::default() });
    let line = |score: &str, a: &str, b: &str| format!("g\tf\t1\t1\t{score}\t{a}\t{b}\n");
    place.write(
        "pairs.tsv",
        line("5", "the cat", "the cat") + &line("2", "it is cold", "it was hot") + &line("0", "red wine", "a car"),
    );
    place
}

const STSB: [&str; 8] = ["eval", "model.distil", "--task", "stsb", "--data", "pairs.tsv", "--against", "model"];

#[test]
fn both_sides_are_what_each_alone_gives() {
    let place = embedding();
    let both = place.json(&[&STSB[..], &["--json"]].concat());
    let alone = |file: &str| place.json(&["eval", file, "--task", "stsb", "--data", "pairs.tsv", "--json"]);
    assert_eq!((&both["packed"], &both["float"]), (&alone("model.distil"), &alone("model")));
    assert_eq!((&both["metric"], &both["passed"], &both["max_drop"]), (&json!("spearman"), &json!(true), &Value::Null));
    let number = |value: &Value| value.as_f64().unwrap();
    let difference = number(&both["packed"]["spearman"]) - number(&both["float"]["spearman"]);
    assert_eq!(number(&both["difference"]), difference);
    let (mean, least) = (number(&both["mean_embedding_cosine"]), number(&both["min_embedding_cosine"]));
    assert!(least > 0.999 && mean >= least && mean < 1.0, "{both}");
    // In float the packed file is its original.
    place.ok(&["pack", "model", "-o", "model.distil", "--weights", "f32"]);
    let exact = place.json(&[&STSB[..], &["--max-drop", "0", "--json"]].concat());
    assert!(number(&exact["min_embedding_cosine"]) > 0.999_999_9 && exact["passed"] == true, "{exact}");
}

#[test]
fn a_loss_beyond_the_limit_fails() {
    let place = embedding();
    let words = ["cat", "lamp", "book", "garden", "wine", "car", "table", "door"];
    let pair = |index: usize| {
        let (first, second) = (words[index], words[(3 * index + 1) % 8]);
        format!("g\tf\t1\t1\t{}\tthe {first} is cold\tturn off the {second}\n", (5 * index) % 8)
    };
    place.write("pairs.tsv", (0..8).map(pair).collect::<String>());
    // The packed file of a model that ranks the pairs as people do, against one that does not, and the other way round.
    let spearman = |seed: u64| {
        Fixture { head: HeadKind::Embedding, seed, ..Fixture::default() }
            .write(&place.path(&seed.to_string()))
            .unwrap();
        let name = seed.to_string();
        let report = place.json(&["eval", &name, "--task", "stsb", "--data", "pairs.tsv", "--json"]);
        (report["spearman"].as_f64().unwrap(), name)
    };
    let mut models: Vec<(f64, String)> = (0..6).map(spearman).collect();
    models.sort_by(|a, b| a.0.total_cmp(&b.0));
    let ((low, worst), (high, best)) = (&models[0], &models[5]);
    assert!(low < high, "six random models do not all rank alike");
    let against = |packed: &str, original: &str, most: &str| {
        place.ok(&["pack", packed, "-o", "m.distil", "--weights", "f32"]);
        let args = ["eval", "m.distil", "--task", "stsb", "--data", "pairs.tsv", "--against", original];
        place.run(&[&args[..], &["--max-drop", most]].concat())
    };
    let failed = against(worst, best, "0.1");
    let said = String::from_utf8(failed.stderr).unwrap();
    assert_eq!(failed.status.code(), Some(1), "{said}");
    assert!(said.starts_with("error: m.distil: spearman is ") && said.contains("at most 0.1 is allowed"), "{said}");
    assert_eq!(String::from_utf8(failed.stdout).unwrap().lines().count(), 4, "the numbers are printed all the same");
    assert!(against(best, worst, "0").status.success(), "a gain is no loss");
    assert!(against(worst, best, "2").status.success());
}

#[test]
fn masked_tokens_side_by_side() {
    let place = Place::packed(&Fixture::default());
    place.write("text.txt", "turn the lights off\nshe was reading a book in the garden\n");
    let args = ["eval", "model.distil", "--task", "mlm", "--data", "text.txt", "--against", "model", "--json"];
    let both = place.json(&args);
    assert_eq!((&both["metric"], &both["mean_embedding_cosine"]), (&json!("accuracy"), &Value::Null));
    assert_eq!(both["packed"]["masked"], both["float"]["masked"]);
}

/// `--pooling` of packing holds for both sides, or the cosines would compare different things.
#[test]
fn the_original_is_pooled_as_the_packed_file_is() {
    let place = embedding();
    place.ok(&["pack", "model", "-o", "model.distil", "--pooling", "cls", "--normalize"]);
    let both = place.json(&[&STSB[..], &["--json"]].concat());
    assert!(both["min_embedding_cosine"].as_f64().unwrap() > 0.99, "{both}");
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let place = embedding();
    Fixture::default().write(&place.path("masked")).unwrap();
    place.ok(&["pack", "masked", "-o", "masked.distil"]);
    let mut said = String::new();
    for args in [
        &["eval", "model", "--task", "stsb", "--data", "pairs.tsv", "--against", "model"][..],
        &["eval", "model.distil", "--task", "stsb", "--data", "pairs.tsv", "--max-drop", "0.1"],
        &["eval", "model.distil", "--task", "stsb", "--data", "pairs.tsv", "--against", "model", "--max-drop", "-1"],
        &["eval", "model.distil", "--task", "stsb", "--data", "pairs.tsv", "--against", "nowhere"],
        &["eval", "masked.distil", "--task", "stsb", "--data", "pairs.tsv", "--against", "masked"],
    ] {
        let answer = place.fails(args);
        assert!(answer.ends_with("exit code 2\n"), "{answer}");
        said += &answer;
    }
    insta::assert_snapshot!(said);
}

/// Prints and bounds what the project promises of int8 for all-MiniLM-L6-v2; needs its folder in `DISTIL_MINILM`.
#[test]
fn minilm_side_by_side() {
    let (Some(folder), Some(data)) = (std::env::var_os("DISTIL_MINILM"), shared("data/labelled/stsb/dev.tsv")) else {
        eprintln!("SKIPPED: set DISTIL_MINILM to the folder of all-MiniLM-L6-v2");
        return;
    };
    let (folder, data) = (folder.to_str().unwrap(), data.to_str().unwrap());
    let place = Place::empty();
    place.ok(&["pack", folder, "-o", "minilm.distil"]);
    let args = ["eval", "minilm.distil", "--task", "stsb", "--data", data, "--against", folder, "--json"];
    let both = place.json(&[&args[..], &["--max-drop", "0.002"]].concat());
    println!("{both}");
    assert!(both["mean_embedding_cosine"].as_f64().unwrap() >= 0.997, "{both}");
}
