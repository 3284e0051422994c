//! `tools eval` on data whose right answers are what the packed model says, whole or in part; float agrees.

mod support;

use distil_format::Problem;
use distil_tools::fixture::Fixture;
use distil_tools::hf::HeadKind;
use serde_json::{Value, json};
use support::{Place, edit_config};

const TEXTS: [&str; 8] = [
    "the cat sat",
    "turn it off",
    "she was reading a book in the garden",
    "open the door",
    "who is there?",
    "red wine, please",
    "it was cold",
    "a man is playing music in the street",
];

/// A classifier of texts, packed in float: then both paths say the same.
fn classifier(labels: usize, problem: Option<Problem>) -> Place {
    let place = Place::with(&Fixture { head: HeadKind::SequenceClassification, labels, problem, ..Fixture::default() });
    let names = (0..labels).map(|label| (label.to_string(), json!(format!("class {label}"))));
    edit_config(&place.path("model"), "id2label", Value::Object(names.collect()));
    place.ok(&["pack", "model", "-o", "model.distil", "--weights", "f32"]);
    place
}

fn run(place: &Place, text: &str, pair: Option<&str>) -> Value {
    let pair: Vec<&str> = pair.map_or(Vec::new(), |pair| vec!["--pair", pair]);
    place.json(&[&["run", "model.distil", "--json", "--text", text], &pair[..]].concat())
}

/// Measures the packed file and the folder, which have to agree.
fn eval(place: &Place, task: &str, data: &str, more: &[&str]) -> Value {
    let args = ["eval", "model.distil", "--task", task, "--data", data, "--against", "model", "--json"];
    let both = place.json(&[&args[..], more].concat());
    for (key, value) in
        both["float"].as_object().unwrap().iter().filter(|(key, _)| *key != "path" && *key != "version_2")
    {
        match (value.as_f64(), both["packed"][key].as_f64()) {
            (Some(float), Some(packed)) => assert!((float - packed).abs() < 1e-4, "{both}"),
            _ => assert_eq!(*value, both["packed"][key], "{both}"),
        }
    }
    both["packed"].clone()
}

fn near(value: &Value, expected: f64) {
    assert!((value.as_f64().unwrap() - expected).abs() < 1e-9, "{value}, expected {expected}");
}

/// The number of the label that the model gives.
fn label(answer: &Value) -> usize {
    answer["label"].as_str().unwrap().strip_prefix("class ").unwrap().parse().unwrap()
}

#[test]
fn tasks_of_glue_in_their_own_files() {
    let place = classifier(2, None);
    let said: Vec<usize> = TEXTS.iter().map(|text| label(&run(&place, text, None))).collect();
    // Two answers are made wrong.
    let right: Vec<usize> =
        said.iter().enumerate().map(|(at, &label)| if at < 2 { 1 - label } else { label }).collect();
    let count = |said_as: usize, right_as: usize| {
        said.iter().zip(&right).filter(|&(&said, &right)| (said, right) == (said_as, right_as)).count() as f64
    };
    let [tp, fp, wrong_no, tn] = [count(1, 1), count(1, 0), count(0, 1), count(0, 0)];
    let lines = TEXTS.iter().zip(&right);
    place
        .write("cola.tsv", lines.clone().map(|(text, label)| format!("gj04\t{label}\t\t{text}\n")).collect::<String>());
    let rows: String = lines.map(|(text, label)| format!("{text}\t{label}\n")).collect();
    place.write("sst2.tsv", format!("sentence\tlabel\n{rows}"));
    let report = eval(&place, "cola", "cola.tsv", &[]);
    let spread = ((tp + fp) * (tp + wrong_no) * (tn + fp) * (tn + wrong_no)).sqrt();
    near(&report["matthews"], if spread == 0.0 { 0.0 } else { (tp * tn - fp * wrong_no) / spread });
    near(&report["accuracy"], 0.75);
    assert_eq!((&report["texts"], &report["task"], &report["f1"]), (&json!(8), &json!("cola"), &Value::Null));
    near(&eval(&place, "sst2", "sst2.tsv", &["--limit", "4"])["accuracy"], 0.5);

    // Pairs, with names for labels that the model only numbers.
    edit_config(&place.path("model"), "id2label", json!({"0": "LABEL_0", "1": "LABEL_1"}));
    place.ok(&["pack", "model", "-o", "model.distil", "--weights", "f32"]);
    let pairs: Vec<(&str, &str)> = TEXTS.iter().copied().zip(TEXTS.iter().copied().skip(3)).collect();
    let said = |first: &str, second: &str| {
        usize::from(run(&place, first, Some(second))["label"].as_str().unwrap() == "LABEL_1")
    };
    let said: Vec<usize> = pairs.iter().map(|(first, second)| said(first, second)).collect();
    let names = ["entailment", "not_entailment"];
    let rows = |row: &dyn Fn(usize) -> String| (0..pairs.len()).map(row).collect::<String>();
    let (first, second) = (|at: usize| pairs[at].0, |at: usize| pairs[at].1);
    let rte = |at: usize| format!("{at}\t{}\t{}\t{}\n", first(at), second(at), names[said[at]]);
    place.write("rte.tsv", format!("index\tsentence1\tsentence2\tlabel\n{}", rows(&rte)));
    place.write("qnli.tsv", format!("index\tquestion\tsentence\tlabel\n{}", rows(&rte)));
    for task in ["rte", "qnli"] {
        near(&eval(&place, task, &format!("{task}.tsv"), &[])["accuracy"], 1.0);
    }
    let mrpc = |at: usize| format!("{}\t1\t2\t{}\t{}\n", 1 - said[at], first(at), second(at));
    place.write("mrpc.tsv", format!("Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n{}", rows(&mrpc)));
    let report = eval(&place, "mrpc", "mrpc.tsv", &[]);
    near(&report["accuracy"], 0.0);
    near(&report["f1"], 0.0);
    let qqp = |at: usize| format!("{at}\t1\t2\t{}\t{}\t{}\n", first(at), second(at), said[at]);
    let header = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n";
    place.write("qqp.tsv", format!("{header}{}7\tbroken\n", rows(&qqp)));
    let report = eval(&place, "qqp", "qqp.tsv", &[]);
    near(&report["accuracy"], 1.0);
    near(&report["f1"], if said.contains(&1) { 1.0 } else { 0.0 });
    let said = place.fails(&["eval", "model.distil", "--task", "mnli", "--data", "rte.tsv"]);
    assert!(said.contains("it has 2 labels, and task mnli has 3") && said.ends_with("exit code 2\n"), "{said}");
}

#[test]
fn sets_of_labels() {
    let place = classifier(3, Some(Problem::MultiLabel));
    let said: Vec<Vec<String>> =
        TEXTS.iter().map(|text| serde_json::from_value(run(&place, text, None)["chosen"].clone()).unwrap()).collect();
    let rows: String =
        TEXTS.iter().zip(&said).map(|(text, set)| format!("\"{text}\",\"{}\"\n", set.join("|"))).collect();
    place.write("right.csv", format!("text,labels\n{rows}"));
    let report = eval(&place, "multi-label", "right.csv", &[]);
    near(&report["exact"], 1.0);
    near(&report["micro_f1"], if said.iter().any(|set| !set.is_empty()) { 1.0 } else { 0.0 });
    // The first text has the other labels: a part of the decisions is wrong.
    let other: Vec<String> =
        (0..3).map(|label| format!("class {label}")).filter(|name| !said[0].contains(name)).collect();
    let rows = TEXTS.iter().zip(std::iter::once(&other).chain(&said[1..]));
    let rows: String = rows.map(|(query, tags)| json!({"query": query, "tags": tags}).to_string() + "\n").collect();
    place.write("part.jsonl", rows);
    let report = eval(&place, "multi-label", "part.jsonl", &["--text-column", "query", "--label-column", "tags"]);
    near(&report["exact"], 0.875);
    let (both, all) = (said[1..].iter().map(Vec::len).sum::<usize>(), said.iter().map(Vec::len).sum::<usize>());
    let right = both + other.len();
    near(&report["micro_f1"], 2.0 * both as f64 / (all + right) as f64);
}

#[test]
fn numbers_for_texts_and_pairs() {
    let place = classifier(1, Some(Problem::Regression));
    let value = |text: &str, pair: Option<&str>| run(&place, text, pair)["labels"][0]["logit"].as_f64().unwrap();
    let rows: String = TEXTS.iter().map(|text| format!("{text}\t{}\n", 2.0 * value(text, None) + 1.0)).collect();
    place.write("own.tsv", format!("text\tscore\n{rows}"));
    let report = eval(&place, "regression", "own.tsv", &[]);
    assert!((report["pearson"].as_f64().unwrap() - 1.0).abs() < 1e-6 && report["spearman"] == 1.0, "{report}");
    let squares = TEXTS.iter().map(|text| (value(text, None) + 1.0).powi(2)).sum::<f64>();
    assert!((report["root_mean_square"].as_f64().unwrap() - (squares / 8.0).sqrt()).abs() < 1e-5, "{report}");
    // STS-B with a regression: the model's own number counts, with a header and without one.
    let pair = |at: usize| (TEXTS[at], TEXTS[(at + 3) % 8]);
    let score = |at: usize| -value(pair(at).0, Some(pair(at).1));
    let bare: String =
        (0..8).map(|at| format!("g\tf\t1\t{at}\t{}\t{}\t{}\n", score(at), pair(at).0, pair(at).1)).collect();
    let named: String = (0..8).map(|at| format!("{at}\t{}\t{}\t{}\n", pair(at).0, pair(at).1, score(at))).collect();
    place.write("bare.tsv", bare);
    place.write("named.tsv", format!("index\tsentence1\tsentence2\tscore\n{named}"));
    for data in ["bare.tsv", "named.tsv"] {
        let report = eval(&place, "stsb", data, &[]);
        assert!((&report["pairs"], &report["spearman"]) == (&json!(8), &json!(-1.0)), "{report}");
        assert_eq!(place.json(&["eval", "model", "--task", "stsb", "--data", data, "--json"])["spearman"], -1.0);
    }
}

#[test]
fn entities_of_sentences() {
    let place = Place::with(&Fixture { head: HeadKind::TokenClassification, labels: 3, ..Fixture::default() });
    edit_config(&place.path("model"), "id2label", json!({"0": "O", "1": "B-PER", "2": "I-PER"}));
    place.ok(&["pack", "model", "-o", "model.distil", "--weights", "f32"]);
    let sentence = |text: &str| -> Vec<(String, String)> {
        let words = run(&place, text, None)["words"].as_array().unwrap().clone();
        let field = |word: &Value, key: &str| word[key].as_str().unwrap().to_owned();
        words.iter().map(|word| (field(word, "word"), field(word, "label"))).collect()
    };
    let sentences: Vec<_> = TEXTS.iter().map(|text| sentence(text)).collect();
    let lines = |sentences: &[Vec<(String, String)>]| {
        let lines = |words: &Vec<(String, String)>| {
            words.iter().map(|(word, tag)| format!("{word} X {tag}\n")).collect::<String>()
        };
        sentences.iter().map(|words| lines(words) + "\n").collect::<String>()
    };
    assert!(sentences.iter().flatten().any(|(_, tag)| tag != "O"), "the fixture tags something");
    place.write("right.conll", format!("-DOCSTART- X O\n\n{}", lines(&sentences)));
    let report = eval(&place, "tokens", "right.conll", &[]);
    for key in ["f1", "precision", "recall", "accuracy"] {
        near(&report[key], 1.0);
    }
    assert_eq!((&report["sentences"], &report["unseen"]), (&json!(8), &json!(0)));
    // One word more in each sentence is wrong, and one entity with it.
    let mut other = sentences.clone();
    other.iter_mut().for_each(|words| words[0].1 = if words[0].1 == "O" { "B-PER" } else { "O" }.to_owned());
    place.write("other.conll", lines(&other));
    let report = eval(&place, "tokens", "other.conll", &[]);
    let words = sentences.iter().flatten().count();
    near(&report["accuracy"], 1.0 - 8.0 / words as f64);
    assert!(report["f1"].as_f64().unwrap() < 1.0, "{report}");
    // A sentence longer than the model takes: what is behind the end is not seen, and not an entity.
    let long: String =
        "the cat sat\n".repeat(60).replace(' ', "\n").lines().map(|word| format!("{word} B-PER\n")).collect();
    place.write("long.conll", long);
    let report = eval(&place, "tokens", "long.conll", &[]);
    assert!(report["unseen"].as_u64().unwrap() >= 60 && report["words"] == 180, "{report}");
    place.write("foreign.conll", "the NOUN\ncat NOUN\n");
    let said = place.fails(&["eval", "model.distil", "--task", "tokens", "--data", "foreign.conll"]);
    assert!(said.contains("no tag in it is one of the model's labels (O, B-PER, I-PER)"), "{said}");
}

#[test]
fn questions_without_an_answer() {
    let place = Place::with(&Fixture { head: HeadKind::QuestionAnswering, ..Fixture::default() });
    place.ok(&["pack", "model", "-o", "model.distil", "--weights", "f32"]);
    let context = TEXTS.join(". ");
    let said = place.json(&["run", "model.distil", "--question", "who?", "--text", &context, "--json"]);
    let best = said["answer"].as_str().unwrap().to_owned();
    let odds = said["no_answer_score"].as_f64().unwrap() - said["answers"][0]["score"].as_f64().unwrap();
    let dataset = json!({"version": "v2.0", "data": [{"title": "x", "paragraphs": [{"context": context, "qas": [
        {"id": "a", "question": "who?", "is_impossible": false, "answers": [{"text": best, "answer_start": 0}]},
        {"id": "b", "question": "who?", "is_impossible": true, "answers": [], "plausible_answers": [{"text": best}]},
    ]}]}]});
    place.write("squad.json", dataset.to_string());
    let above = (odds + 1.0).to_string();
    let below = (odds - 1.0).to_string();
    for (threshold, first, second) in [(above, 1.0, 0.0), (below, 0.0, 1.0)] {
        let predictions = ["--null-threshold", &threshold, "--predictions", "said.json"];
        let report = eval(&place, "squad", "squad.json", &predictions);
        let more = &report["version_2"];
        near(&report["exact_match"], 0.5);
        near(&more["with_answer_exact_match"], first);
        near(&more["with_answer_f1"], first);
        near(&more["without_answer_exact_match"], second);
        assert_eq!((&more["with_answer"], &more["without_answer"]), (&json!(1), &json!(1)));
        // Whatever is said to both, one is wrong.
        near(
            &more["best_f1"],
            if first == 1.0 || second == 1.0 { more["best_exact_match"].as_f64().unwrap() } else { 0.0 },
        );
        let written: Value = serde_json::from_slice(&std::fs::read(place.path("said.json")).unwrap()).unwrap();
        let text = if first == 1.0 { best.as_str() } else { "" };
        assert_eq!(written, json!({"a": text, "b": text}));
    }
    let said = place.fails(&["eval", "model.distil", "--task", "squad", "--data", "squad.json", "--label-column", "x"]);
    assert!(said.contains("the data of task squad has no named columns"), "{said}");
}

/// Both sides in one table.
#[test]
fn the_table_of_both() {
    let place = classifier(3, None);
    let rows: String = TEXTS.iter().map(|text| format!("{text}\t{}\n", label(&run(&place, text, None)))).collect();
    place.write("own.tsv", format!("text\tlabel\n{rows}"));
    let said =
        place.ok(&["eval", "model.distil", "--task", "classification", "--data", "own.tsv", "--against", "model"]);
    let lines: Vec<Vec<&str>> = said.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["classification,", "8", "texts", "packed", "float", "difference"]);
    assert_eq!(lines[1], ["accuracy", "100.00%", "100.00%", "+0.00"]);
    assert_eq!((lines[2][..2].to_vec(), lines.len()), (vec!["macro", "F1"], 3));
}
