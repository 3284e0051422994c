//! Heads with labels and answers: what the command says, against the float path, and what it refuses.

mod support;

use distil_format::{AlignedBytes, Artifact, Problem};
use distil_runtime::{Answer, Model, Plan, Search, Session, arena_len};
use distil_tools::fixture::Fixture;
use distil_tools::float::{Bounds, Encoder};
use distil_tools::hf::{self, Architecture, HeadKind};
use distil_tools::sequence::Sequencer;
use serde_json::{Value, json};
use support::{Place, edit_config, edit_weights};

const ARCHITECTURES: [Architecture; 2] = [Architecture::Bert, Architecture::DistilBert];
const LONG: &str = "the old man walked along the river every morning and thought about the days when he was young, and \
                    the world was still full of songs that nobody had ever written down; then he sat on the same bench \
                    and looked at the water for an hour before he went home to read the news at 7:30.";

fn texts(answer: &Value, list: &str, key: &str) -> Vec<String> {
    answer[list].as_array().unwrap().iter().map(|item| item[key].as_str().unwrap().to_owned()).collect()
}

#[test]
fn problems_decide_how_scores_are_read() {
    let classes = Fixture { head: HeadKind::SequenceClassification, labels: 3, ..Fixture::default() };
    let text = ["run", "model.distil", "--text", "the cat sat", "--json"];
    let of = |fixture: &Fixture| Place::packed(fixture).json(&text);
    let number = |value: &Value| value.as_f64().unwrap();
    let single = of(&classes);
    let sum: f64 = single["labels"].as_array().unwrap().iter().map(|label| number(&label["probability"])).sum();
    assert!((sum - 1.0).abs() < 1e-6 && single["problem"] == "single-label", "{single}");
    assert_eq!(single["chosen"], json!([single["label"]]));

    let multi = of(&Fixture { problem: Some(Problem::MultiLabel), ..classes.clone() });
    for label in multi["labels"].as_array().unwrap() {
        let expected = 1.0 / (1.0 + (-number(&label["logit"])).exp());
        assert!((number(&label["probability"]) - expected).abs() < 1e-6, "{label}");
        let chosen = multi["chosen"].as_array().unwrap().contains(&label["label"]);
        assert_eq!(chosen, expected >= 0.5, "{multi}");
    }

    let regression = of(&Fixture { problem: Some(Problem::Regression), ..classes.clone() });
    assert_eq!(texts(&regression, "labels", "label"), ["class 0", "class 1", "class 2"], "in their own order");
    assert!(regression["label"].is_null() && regression["labels"][0]["probability"].is_null(), "{regression}");
    let logits = |answer: &Value| {
        let mut logits: Vec<f64> =
            answer["labels"].as_array().unwrap().iter().map(|label| number(&label["logit"])).collect();
        logits.sort_by(f64::total_cmp);
        logits
    };
    assert_eq!((logits(&multi), logits(&regression)), (logits(&single), logits(&single)));

    // Of one label none can be chosen: transformers makes it a regression too, unless the configuration says otherwise.
    for (problem, expected) in [
        (None, "regression"),
        (Some(Problem::SingleLabel), "regression"),
        (Some(Problem::Regression), "regression"),
        (Some(Problem::MultiLabel), "multi-label"),
    ] {
        let one = of(&Fixture { labels: 1, problem, ..classes.clone() });
        assert_eq!(one["problem"], expected);
    }
}

#[test]
fn text_output_is_a_line_for_each_text() {
    let tokens = Fixture { head: HeadKind::TokenClassification, labels: 3, ..Fixture::default() };
    let place = Place::packed(&tokens);
    let output = place.run_with(&["run", "model.distil"], b"The caf\xc3\xa9, open!\n\nyes\n");
    let lines = String::from_utf8(output.stdout).unwrap();
    let words: Vec<Vec<&str>> = lines.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!((words.len(), words[0].len(), words[2].len()), (3, 5, 1), "{lines}");
    for (shown, word) in words[0].iter().zip(["The", "café", ",", "open", "!"]) {
        assert!(shown.starts_with(&format!("{word}/")) && shown.ends_with('%'), "{lines}");
    }
    assert_eq!(words[1], [""], "a line without a word");

    let place = Place::packed(&Fixture { head: HeadKind::QuestionAnswering, ..Fixture::default() });
    let from_lines = place.run_with(&["run", "model.distil"], b"who?\tthe cat sat\nwho?\tthe cat sat\n");
    let one = place.ok(&["run", "model.distil", "--question", "who?", "--text", "the cat sat"]);
    assert_eq!(String::from_utf8(from_lines.stdout).unwrap(), one.repeat(2));
    assert_eq!(place.ok(&["run", "model.distil", "--text", "who?\tthe cat sat"]), one);
    assert_eq!(place.ok(&["run", "model.distil", "--question", "who?", "--text", " "]), "\n", "no word, no answer");
}

/// The packed path with float32 weights labels as the float path does, word by word.
#[test]
fn words_have_the_float_models_labels() {
    for architecture in ARCHITECTURES {
        let head = HeadKind::TokenClassification;
        let place = Place::with(&Fixture { architecture, head, labels: 5, positions: 256, ..Fixture::default() });
        place.ok(&["pack", "model", "-o", "model.distil", "--weights", "f32"]);
        let original = hf::Model::read(&place.path("model"), None).unwrap();
        assert_eq!(original.head, head);
        let bytes = AlignedBytes::copy_of(&std::fs::read(place.path("model.distil")).unwrap());
        let artifact = Artifact::open(&bytes).unwrap();
        let sequence = Sequencer::new(artifact.config(), artifact.vocabulary()).sequence(LONG, None);
        let encoder = Encoder::new(&original);
        let scores = encoder.token_classes(&encoder.hidden(&sequence.ids, &vec![0; sequence.len()])).unwrap();
        let scores: Vec<&[f32]> = scores.chunks_exact(5).collect();

        let model = Model::new(&artifact).unwrap();
        let mut arena = vec![0; arena_len(&artifact, 256, Plan::FAST)];
        let mut session = Session::new(&model, &mut arena, 256).unwrap();
        let tags: Vec<_> = session.tag(LONG).unwrap().collect();
        let mut tokens = 1;
        for tag in &tags {
            assert_eq!((tag.position, tag.start), (tokens, sequence.spans[tokens].start));
            tokens += tag.tokens;
            assert_eq!(tag.end, sequence.spans[tokens - 1].end);
            let row = scores[tag.position];
            assert!(row.iter().all(|&score| score <= row[tag.label] + 1e-5), "{tag:?} {row:?}");
            assert_eq!(tag.name, original.labels[tag.label]);
        }
        assert_eq!(tokens, sequence.len() - 1, "all tokens but [SEP]");
        for (position, expected) in scores.iter().enumerate() {
            let found = session.token_classification(position).unwrap();
            assert!(support::largest_difference(found.logits(), expected) < 1e-5);
        }
    }
}

/// Windows of every size that leaves room, with and without overlap: the same best answer as the definition in float.
#[test]
fn answers_are_the_float_models_in_windows_of_any_size() {
    for architecture in ARCHITECTURES {
        let head = HeadKind::QuestionAnswering;
        let place = Place::with(&Fixture { architecture, head, seed: 5, ..Fixture::default() });
        place.ok(&["pack", "model", "-o", "model.distil", "--weights", "f32"]);
        let original = hf::Model::read(&place.path("model"), None).unwrap();
        let bytes = AlignedBytes::copy_of(&std::fs::read(place.path("model.distil")).unwrap());
        let artifact = Artifact::open(&bytes).unwrap();
        let (model, config) = (Model::new(&artifact).unwrap(), artifact.config());
        let sequencer = Sequencer::new(config, artifact.vocabulary());
        let question = "where did he sit?";
        let (asked, pieces) = (sequencer.pieces_of(question), sequencer.pieces_of(LONG));
        assert!(pieces.len() > 70 && pieces.iter().any(|piece| piece.2));
        let mut arena = vec![0; arena_len(&artifact, 128, Plan::FAST)];
        for (tokens, overlap, longest) in [
            (128, 128, 30),
            (40, 128, 30),
            (40, 7, 4),
            (40, 0, 1),
            (24, 5, 30),
            (asked.len() + 4, 1, 3),
            (128, 0, 1000),
        ] {
            let bounds = Bounds { tokens, overlap, longest };
            let added = (config.cls_id, config.sep_id);
            let expected = Encoder::new(&original).answer(&asked, &pieces, added, bounds).unwrap();
            let mut session = Session::new(&model, &mut arena, tokens).unwrap();
            let mut top = [Answer::default(); 4];
            let found = session.answers(question, LONG, Search { longest, overlap }, &mut top).unwrap();
            assert_eq!(found.windows, expected.windows, "{bounds:?}");
            assert!((found.no_answer - expected.no_answer).abs() < 1e-4);
            let (range, score) = expected.best.unwrap();
            assert!((top[0].score - score).abs() < 1e-4, "{bounds:?} {top:?} {score}");
            assert_eq!(top[0].range(), range, "{bounds:?} {top:?}");
            assert!(top[..found.found].is_sorted_by(|a, b| a.score >= b.score));
            assert!(top.iter().map(|answer| answer.probability).sum::<f32>() <= 1.0 + 1e-5);
        }
    }
}

#[test]
fn a_class_name_decides_where_tensors_do_not() {
    let tokens =
        Fixture { architecture: Architecture::Bert, head: HeadKind::TokenClassification, ..Fixture::default() };
    let place = Place::with(&tokens);
    let head = |args: &[&str]| {
        place.ok(&[&["pack", "model", "-o", "out.distil"], args].concat());
        place.json(&["inspect", "out.distil", "--json"])["config"]["head"].clone()
    };
    assert_eq!(head(&[]), "token-classification");
    // Checkpoints of older versions have a pooler that nothing reads.
    let pooler = |kind: &str| format!("bert.pooler.dense.{kind}");
    edit_weights(&place.path("model"), |tensors| {
        for kind in ["weight", "bias"] {
            let copy = tensors[&format!("bert.encoder.layer.0.attention.output.dense.{kind}")].clone();
            tensors.insert(pooler(kind), copy);
        }
    });
    assert_eq!(head(&[]), "token-classification");
    assert_eq!(head(&["--head", "token-classification"]), "token-classification");
    let said = place.fails(&["pack", "model", "-o", "out.distil", "--head", "sequence-classification"]);
    assert!(said.contains("no sequence-classification head in this file (it has: token-classification)"), "{said}");
    edit_config(&place.path("model"), "architectures", json!(["BertForSequenceClassification"]));
    assert_eq!(head(&[]), "sequence-classification");
    edit_config(&place.path("model"), "architectures", json!(null));
    assert_eq!(head(&[]), "sequence-classification", "a pooler without a class name");
    edit_config(&place.path("model"), "architectures", json!(["BertForMultipleChoice"]));
    let said = place.fails(&["pack", "model", "-o", "out.distil"]);
    assert!(said.contains("its head (multiple choice) is not supported"), "{said}");
    assert_eq!(head(&["--head", "embedding"]), "embedding");
}

#[test]
fn what_is_refused() {
    let tokens = Fixture { head: HeadKind::TokenClassification, labels: 3, ..Fixture::default() };
    let place = Place::packed(&tokens);
    Fixture { head: HeadKind::QuestionAnswering, positions: 24, ..Fixture::default() }
        .write(&place.path("qa"))
        .unwrap();
    place.ok(&["pack", "qa", "-o", "qa.distil"]);
    Fixture { head: HeadKind::SequenceClassification, problem: Some(Problem::MultiLabel), ..Fixture::default() }
        .write(&place.path("multi"))
        .unwrap();
    place.ok(&["pack", "multi", "-o", "multi.distil"]);
    let long = "where is the lamp and the cat and the dog and the bird and the house and the man or the woman ?";
    place.write("data.tsv", "sentence\tlabel\nthe cat\t1\n");
    place.write("squad.json", "{\"data\": 3}");
    place.write("empty.json", "{\"data\": []}");
    let mut said = String::new();
    for args in [
        &["run", "model.distil", "--text", "a", "--question", "who?"][..],
        &["run", "model.distil", "--text", "a", "--window", "20"],
        &["run", "qa.distil", "--text", "a"],
        &["run", "qa.distil", "--text", "a", "--pair", "b"],
        &["run", "qa.distil", "--text", "a", "--pair", "b", "--question", "who?"],
        &["run", "qa.distil", "--text", "a", "--question", "who?", "--window", "25"],
        &["run", "qa.distil", "--text", "a", "--question", long],
        &["eval", "multi.distil", "--task", "sst2", "--data", "data.tsv"],
        &["eval", "model.distil", "--task", "sst2", "--data", "data.tsv"],
        &["eval", "qa.distil", "--task", "squad", "--data", "squad.json"],
        &["eval", "qa.distil", "--task", "squad", "--data", "empty.json"],
        &["eval", "multi", "--task", "squad", "--data", "squad.json"],
        &["fixture", "-o", "new", "--problem", "other"],
    ] {
        let answer = place.fails(args);
        assert!(answer.ends_with("exit code 2\n"), "{answer}");
        said += &answer;
        said += "\n";
    }
    let output = place.run_with(&["run", "qa.distil"], b"who?\tthe cat\nno question\n");
    assert_eq!(output.status.code(), Some(2));
    said += &String::from_utf8(output.stderr).unwrap();
    for (key, value) in [("id2label", json!({"0": "O", "1": "B"})), ("id2label", json!({"0": "O", "2": "B"}))] {
        edit_config(&place.path("model"), key, value);
        said += &place.fails(&["pack", "model", "-o", "out.distil"]);
    }
    edit_config(&place.path("model"), "id2label", json!(null));
    edit_weights(&place.path("model"), |tensors| {
        tensors.get_mut("classifier.bias").unwrap().1 = vec![1, 3];
    });
    said += &place.fails(&["pack", "model", "-o", "out.distil"]);
    edit_weights(&place.path("qa"), |tensors| {
        let span = tensors.get_mut("qa_outputs.weight").unwrap();
        span.1 = vec![3, 64];
        span.2 = [&span.2[..], &span.2[..256]].concat();
    });
    said += &place.fails(&["pack", "qa", "-o", "out.distil"]);
    insta::assert_snapshot!(said);
    assert_eq!(
        place.run(&["run", "qa.distil", "--text", "a", "--question", long, "--truncate"]).status.code(),
        Some(0)
    );
}

/// A file whose labels are what the packed model says has an accuracy of 1; the float path agrees.
#[test]
fn accuracy_counts_the_best_label() {
    let classes = Fixture { head: HeadKind::SequenceClassification, labels: 3, ..Fixture::default() };
    let place = Place::with(&classes);
    place.ok(&["pack", "model", "-o", "model.distil", "--weights", "f32"]);
    let lines = ["the cat sat", "turn it off", "she was reading a book", "open the door", &"the lamp ".repeat(90)];
    let answers: Vec<String> = lines
        .iter()
        .map(|line| {
            let answer = place.json(&["run", "model.distil", "--truncate", "--json", "--text", line]);
            answer["label"].as_str().unwrap().to_owned()
        })
        .collect();
    let rows = |labels: &[String]| {
        let rows: Vec<String> = lines.iter().zip(labels).map(|(line, label)| format!("{line}\t{label}")).collect();
        format!("sentence\tlabel\n{}\n", rows.join("\n"))
    };
    place.write("right.tsv", rows(&answers));
    let wrong: Vec<String> = answers.iter().map(|name| format!("class {}", u8::from(name == "class 0"))).collect();
    place.write("wrong.tsv", rows(&wrong));
    for (data, accuracy) in [("right.tsv", 1.0), ("wrong.tsv", 0.0)] {
        for subject in ["model.distil", "model"] {
            let report = place.json(&["eval", subject, "--task", "classification", "--data", data, "--json"]);
            assert_eq!((&report["texts"], &report["truncated"]), (&json!(5), &json!(1)));
            assert_eq!(report["accuracy"], accuracy, "{report}");
        }
    }
}

/// Questions whose right answer is what the packed model says, whole or in part.
#[test]
fn squad_measures_exact_match_and_f1() {
    let place = Place::with(&Fixture { head: HeadKind::QuestionAnswering, positions: 256, ..Fixture::default() });
    place.ok(&["pack", "model", "-o", "model.distil", "--weights", "f32"]);
    let said = |question: &str| {
        let answer = place.json(&["run", "model.distil", "--question", question, "--text", LONG, "--json"]);
        let (start, end) = (&answer["answers"][0]["start"], &answer["answers"][0]["end"]);
        let range = start.as_u64().unwrap() as usize..end.as_u64().unwrap() as usize;
        assert_eq!(answer["answer"], LONG[range]);
        answer["answer"].as_str().unwrap().to_owned()
    };
    let file = |gold: [Value; 2]| {
        let [first, second] = gold;
        json!({"version": "1.1", "data": [{"title": "x", "paragraphs": [{"context": LONG, "qas": [
            {"id": "1", "question": "who?", "answers": first}, {"id": "2", "question": "where?", "answers": second},
        ]}]}]})
        .to_string()
    };
    let gold = |text: &str| json!([{"answer_start": 0, "text": "zebra"}, {"answer_start": 0, "text": text}]);
    place.write("right.json", file([gold(&format!("The {}!", said("who?"))), gold(&said("where?"))]));
    place.write("half.json", file([gold("zebra"), gold(&said("where?"))]));
    place.write("none.json", file([json!([]), gold(&said("where?"))]));
    for subject in ["model.distil", "model"] {
        for (data, most) in [("right.json", 1.0), ("half.json", 0.5)] {
            let report = place.json(&["eval", subject, "--task", "squad", "--data", data, "--json"]);
            assert_eq!((&report["questions"], &report["windows"]), (&json!(2), &json!(2)), "{report}");
            assert_eq!((&report["exact_match"], &report["f1"]), (&json!(most), &json!(most)), "{report}");
        }
        let report = place.json(&["eval", subject, "--task", "squad", "--data", "none.json", "--limit", "1", "--json"]);
        assert!(report["exact_match"] == 0.0 || report["exact_match"] == 1.0, "{report}");
    }
}
