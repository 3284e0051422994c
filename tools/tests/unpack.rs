//! Unpacking: the values of the packed file and no others, in a folder that packs again and that transformers loads.

mod support;

use std::process::Command;

use distil_format::{AlignedBytes, Artifact, Problem};
use distil_tools::fixture::Fixture;
use distil_tools::float::Encoder;
use distil_tools::hf::{Architecture, HeadKind, Model};
use distil_tools::pack;
use serde_json::Value;
use support::{Place, python, shared};

const HEADS: [HeadKind; 5] = [
    HeadKind::Embedding,
    HeadKind::MaskedLm,
    HeadKind::SequenceClassification,
    HeadKind::TokenClassification,
    HeadKind::QuestionAnswering,
];

fn fixtures() -> impl Iterator<Item = Fixture> {
    let both = [Architecture::Bert, Architecture::DistilBert];
    both.into_iter().flat_map(|architecture| HEADS.map(|head| Fixture { architecture, head, ..Fixture::default() }))
}

/// The same classifier read in other ways.
fn problems() -> impl Iterator<Item = Fixture> {
    let head = HeadKind::SequenceClassification;
    [(Problem::MultiLabel, 3), (Problem::Regression, 1), (Problem::Regression, 2)]
        .into_iter()
        .map(move |(problem, labels)| Fixture { head, problem: Some(problem), labels, ..Fixture::default() })
}

fn read(place: &Place, name: &str) -> AlignedBytes {
    AlignedBytes::copy_of(&std::fs::read(place.path(name)).unwrap())
}

/// The same configuration, vocabulary and labels, and the same float32 values in every tensor.
fn assert_same_model(a: &Artifact<'_>, b: &Artifact<'_>) {
    assert_eq!(a.config(), b.config());
    for (a, b) in a.tensors().zip(b.tensors()) {
        assert_eq!(a.id, b.id);
        assert!(pack::unpack(&a) == pack::unpack(&b), "{} differs", a.id);
    }
    let section = |artifact: &Artifact<'_>, name: &str| {
        let range = artifact.sections().find(|(kind, _)| kind.name() == name).unwrap().1;
        artifact.bytes()[range].to_vec()
    };
    for name in ["vocabulary", "labels"] {
        assert!(section(a, name) == section(b, name), "{name} differ");
    }
}

#[test]
fn what_is_unpacked_packs_to_the_same_values() {
    for fixture in fixtures().chain(problems()) {
        let place = Place::with(&fixture);
        for weights in
            [&["int8"][..], &["int4"], &["int3"], &["int8", "--layout", "tile4", "--normalize", "--pooling", "cls"]]
        {
            place.ok(&[&["pack", "model", "-o", "model.distil", "--weights"], weights].concat());
            place.ok(&["unpack", "model.distil", "-o", "unpacked", "--overwrite"]);
            place.ok(&["pack", "unpacked", "-o", "again.distil", "--weights", "f32"]);
            let (first, again) = (read(&place, "model.distil"), read(&place, "again.distil"));
            let (first, again) = (Artifact::open(&first).unwrap(), Artifact::open(&again).unwrap());
            // How vectors are pooled is said for embeddings alone.
            if fixture.head == HeadKind::Embedding || weights.len() == 1 {
                assert_same_model(&first, &again);
            }
        }
    }
}

#[test]
fn cased_padded_and_named_models_stay_so() {
    let place = Place::with(&Fixture { head: HeadKind::SequenceClassification, labels: 3, ..Fixture::default() });
    place.write("model/tokenizer_config.json", r#"{"do_lower_case": false, "tokenize_chinese_chars": false}"#);
    let vocabulary = std::fs::read_to_string(place.path("model/vocab.txt")).unwrap();
    place.write("shorter.txt", vocabulary.lines().take(500).collect::<Vec<_>>().join("\n"));
    place.ok(&["pack", "model", "-o", "model.distil", "--vocab", "shorter.txt"]);
    place.ok(&["unpack", "model.distil", "-o", "unpacked"]);
    place.ok(&["pack", "unpacked", "-o", "again.distil", "--weights", "f32"]);
    let (first, again) = (read(&place, "model.distil"), read(&place, "again.distil"));
    assert_same_model(&Artifact::open(&first).unwrap(), &Artifact::open(&again).unwrap());
}

#[test]
fn a_folder_in_use_is_left_alone() {
    let place = Place::packed(&Fixture { head: HeadKind::Embedding, ..Fixture::default() });
    place.ok(&["unpack", "model.distil", "-o", "out"]);
    let before = std::fs::read(place.path("out/model.safetensors")).unwrap();
    let permissions = |name: &str| std::fs::metadata(place.path(name)).unwrap().permissions();
    assert_eq!(permissions("out/model.safetensors"), permissions("out/config.json"));
    let mut said = place.fails(&["unpack", "model.distil", "-o", "out"]);
    place.ok(&["unpack", "model.distil", "-o", "out", "--overwrite"]);
    assert_eq!(std::fs::read(place.path("out/model.safetensors")).unwrap(), before);
    place.write("out/notes.txt", "mine");
    said += &place.fails(&["unpack", "model.distil", "-o", "out", "--overwrite"]);
    said += &place.fails(&["unpack", "model.distil", "-o", "model.distil"]);
    said += &place.fails(&["unpack", "model.distil", "-o", "no/such/place"]);
    assert_eq!(place.listing(), ["model", "model.distil", "out"]);
    insta::assert_snapshot!(said);
}

/// Loads every folder in transformers and prints, for one text, the ids and the answer in float64, and which weights were
/// missing or left over.
const SCRIPT: &str = "
import json, sys, torch, transformers
for folder in sys.argv[2:]:
    config = transformers.AutoConfig.from_pretrained(folder)
    model, info = getattr(transformers, config.architectures[0]).from_pretrained(
        folder, output_loading_info=True, dtype=torch.float64)
    batch = transformers.AutoTokenizer.from_pretrained(folder)(sys.argv[1], return_tensors='pt')
    with torch.no_grad():
        out = model.eval()(**batch)
    if 'start_logits' in out:
        out = torch.stack([out.start_logits[0], out.end_logits[0]], -1)
    else:
        out = out.logits[0] if 'logits' in out else out.last_hidden_state[0].mean(0)
    loose = [key for kind in ('missing_keys', 'unexpected_keys', 'mismatched_keys') for key in info[kind]]
    print(json.dumps({'ids': batch['input_ids'][0].tolist(), 'out': out.tolist(), 'loose': sorted(loose)}))
";

#[test]
fn transformers_loads_what_is_unpacked() {
    const TEXT: &str = "turn the [MASK] off in the kitchen";
    let Some(python) = python("torch, transformers") else { return };
    let places: Vec<(Fixture, Place)> = fixtures().map(|fixture| (fixture.clone(), Place::packed(&fixture))).collect();
    let mut command = Command::new(python);
    command.args(["-c", SCRIPT, TEXT]).env("HF_HUB_OFFLINE", "1");
    for (_, place) in &places {
        place.ok(&["unpack", "model.distil", "-o", "unpacked"]);
        command.arg(place.path("unpacked"));
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answers = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<Value> = answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), places.len());
    for ((fixture, place), theirs) in places.iter().zip(&answers) {
        place.ok(&["pack", "unpacked", "-o", "again.distil", "--weights", "f32"]);
        let ids = place.json(&["tokenize", "again.distil", "--text", TEXT, "--json"])["ids"].clone();
        assert_eq!(theirs["ids"], ids);
        let loose: Vec<&str> = theirs["loose"].as_array().unwrap().iter().map(|key| key.as_str().unwrap()).collect();
        // A bare BertModel has a pooler that nothing here uses.
        assert!(loose.iter().all(|key| key.starts_with("pooler.")), "{loose:?}");
        let run = || place.json(&["run", "again.distil", "--text", TEXT, "--top", "5", "--json"]);
        let close = |ours: &Value, theirs: &Value| {
            let (ours, theirs) = (ours.as_f64().unwrap(), theirs.as_f64().unwrap());
            assert!((ours - theirs).abs() < 1e-5, "{:?}: {ours} {theirs}", fixture.head);
        };
        match fixture.head {
            HeadKind::Embedding => {
                let answer = run();
                let ours = answer["embedding"].as_array().unwrap();
                assert_eq!(ours.len(), fixture.hidden);
                ours.iter().zip(theirs["out"].as_array().unwrap()).for_each(|(a, b)| close(a, b));
            }
            HeadKind::MaskedLm => {
                let mask = &run()["masks"][0];
                for word in mask["candidates"].as_array().unwrap() {
                    let at = |value: &Value| value.as_u64().unwrap() as usize;
                    close(&word["logit"], &theirs["out"][at(&mask["position"])][at(&word["id"])]);
                }
            }
            HeadKind::TokenClassification | HeadKind::QuestionAnswering => {
                // Words and answers are chosen from the scores; these are the scores.
                let model = Model::read(&place.path("unpacked"), None).unwrap();
                let ids: Vec<u32> = ids.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect();
                let encoder = Encoder::new(&model);
                let hidden = encoder.hidden(&ids, &vec![0; ids.len()]);
                let ours = match encoder.spans(&hidden) {
                    Some(spans) => spans.into_flattened(),
                    None => encoder.token_classes(&hidden).unwrap(),
                };
                let theirs: Vec<&Value> =
                    theirs["out"].as_array().unwrap().iter().flat_map(|token| token.as_array().unwrap()).collect();
                assert_eq!((ours.len(), theirs.len()), (2 * ids.len(), 2 * ids.len()));
                ours.into_iter().zip(theirs).for_each(|(ours, theirs)| close(&ours.into(), theirs));
            }
            HeadKind::SequenceClassification => {
                let ours = run();
                for (class, name) in ["negative", "positive"].into_iter().enumerate() {
                    let label = ours["labels"].as_array().unwrap().iter().find(|label| label["label"] == name);
                    close(&label.unwrap()["logit"], &theirs["out"][class]);
                }
            }
        }
    }
}

/// The real vocabulary, whose entries come back by id.
#[test]
fn a_real_vocabulary_comes_back() {
    let Some(path) = shared("data/vocab/vocab.txt") else { return };
    let text = std::fs::read_to_string(path).unwrap();
    let pieces: Vec<String> = text.lines().map(str::to_owned).collect();
    let bytes = distil_format::build_vocabulary(&pieces).unwrap();
    assert_eq!(distil_tools::unpack::pieces(distil_format::Vocabulary::new(&bytes).unwrap()).unwrap(), pieces);
}
