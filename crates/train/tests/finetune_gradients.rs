//! Losses and gradients of fine-tuning: against finite differences, and against `transformers` where `DISTIL_PYTHON` names an
//! interpreter that has it.

mod support;
#[path = "support/task.rs"]
mod task;

use candle_core::{DType, Device, Tensor};
use distil_train::data::vocabulary::Vocabulary;
use distil_train::finetune::tagging::{self, Sentence};
use distil_train::finetune::{Augment, Data, Example, FinetuneConfig, FinetuneCourse, Label, Task};
use distil_train::model::{Architecture, Head, Labels, Model, ModelConfig, Problem, random, save, write_tensors};
use distil_train::ops::{Dropout, differentiate};
use distil_train::rng::{Purpose, normal, stream};
use distil_train::trainer::{Course, Task as _};
use std::path::Path;

/// What is learned.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// Labels of texts.
    Texts(Problem),
    /// A label for each word.
    Words,
}

/// Texts with labels of a kind, some of them pairs.
fn examples(problem: Problem) -> Vec<Example> {
    let label = |i: u32| match problem {
        Problem::SingleLabel => Label::Class(i % 3),
        Problem::Regression => Label::Value(i as f32 * 0.7 - 1.0),
        Problem::MultiLabel => Label::Set((0..3).filter(|j| (i >> j) & 1 == 1).collect()),
    };
    let example = |i: usize| Example {
        text: task::sentence(i).0,
        pair: (i % 2 == 1).then(|| task::sentence(i + 4).0),
        label: label(i as u32),
    };
    (0..6).map(example).collect()
}

/// Sentences whose words have labels; the last word of some has two tokens.
fn sentences() -> Vec<Sentence> {
    let sentence = |i: usize| {
        let words: Vec<String> = task::sentence(i).0.replace(" .", ".").split(' ').map(str::to_string).collect();
        let labels = (0..words.len()).map(|j| ((i + j * j) % 3) as u32).collect();
        Sentence { words, labels }
    };
    (0..6).map(sentence).collect()
}

fn labels(problem: Problem) -> Labels {
    let count = if problem == Problem::Regression { 1 } else { 3 };
    Labels { names: (0..count).map(|i| format!("LABEL_{i}")).collect(), problem, dropout: 0.1 }
}

fn model(architecture: Architecture, kind: Kind, seed: u64) -> Model {
    let head = match kind {
        Kind::Texts(problem) => Head::Texts(labels(problem)),
        Kind::Words => Head::Tokens(labels(Problem::SingleLabel)),
    };
    let config = ModelConfig { head, ..task::config(architecture) };
    let parameters = random(&config, seed, &Device::Cpu).unwrap().train(&config, |_| false).unwrap();
    let model = Model::new(config, parameters, DType::F32).unwrap();
    // Off their special values.
    let mut rng = stream(seed, Purpose::Weights, 1000);
    for (_, var) in model.parameters.trainable() {
        let noise: Vec<f32> = (0..var.elem_count()).map(|_| 0.1 * normal(&mut rng)).collect();
        let noise = Tensor::from_vec(noise, var.shape(), &Device::Cpu).unwrap();
        var.set(&(var.as_tensor() + noise).unwrap()).unwrap();
    }
    model
}

fn data(folder: &Path, kind: Kind) -> Data {
    let path = folder.join("vocab.txt");
    std::fs::write(&path, task::VOCABULARY.join("\n") + "\n").unwrap();
    let vocabulary = Vocabulary::read(&path, false).unwrap();
    match kind {
        Kind::Texts(problem) => Data::encode(&examples(problem), &vocabulary, 32).unwrap(),
        Kind::Words => tagging::encode(&sentences(), &vocabulary, 32, true).unwrap().0,
    }
}

fn task_of(kind: Kind) -> Task {
    match kind {
        Kind::Texts(Problem::SingleLabel) => Task::Classification,
        Kind::Texts(Problem::Regression) => Task::Regression,
        Kind::Texts(Problem::MultiLabel) => Task::MultiLabel,
        Kind::Words => Task::Tokens,
    }
}

const KINDS: [Kind; 4] = [
    Kind::Texts(Problem::SingleLabel),
    Kind::Texts(Problem::Regression),
    Kind::Texts(Problem::MultiLabel),
    Kind::Words,
];
const FAMILIES: [Architecture; 2] = [Architecture::Bert, Architecture::DistilBert];

fn course<'a>(
    (student, teacher): (&'a Model, &'a Model),
    config: &'a FinetuneConfig,
    weights: &'a [f64],
    train: &'a Data,
) -> FinetuneCourse<'a> {
    FinetuneCourse { student, teacher: Some(teacher), config, weights, train, seed: 1, augment: None, dev: &[] }
}

#[test]
fn every_tensor_of_a_head_agrees_with_finite_differences() {
    let folder = tempfile::tempdir().unwrap();
    for (architecture, kind) in FAMILIES.into_iter().flat_map(|a| KINDS.map(|kind| (a, kind))) {
        let (student, teacher) = (model(architecture, kind, 1), model(Architecture::Bert, kind, 2));
        let config = FinetuneConfig {
            alpha: 0.4,
            alpha_hidden: 0.3,
            alpha_attention: 0.7,
            layer_map: Some(vec![0, 1]),
            ..FinetuneConfig::new(task_of(kind))
        };
        let train = data(folder.path(), kind);
        let weights = [1.0, 2.0, 0.5];
        let course = course((&student, &teacher), &config, &weights, &train);
        let batch = course.draw(0, &[3, 0, 5, 1]).unwrap();
        let loss = || {
            let mut dropout = Dropout::on(stream(4, Purpose::Dropout, 0));
            course.losses(&batch, [1.0; 4], &mut dropout).unwrap().total
        };
        let (grads, ()) = differentiate(|| Ok::<_, candle_core::Error>((loss(), ()))).unwrap();
        let norm = |t: &Tensor| f64::from(t.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap()).sqrt();
        for (name, var) in student.parameters.trainable() {
            let gradient = grads.get(var).unwrap_or_else(|| panic!("no gradient for {name}"));
            // Zero in exact arithmetic: softmax does not see a shift of the keys.
            if name.ends_with("key.bias") || name.ends_with("k_lin.bias") {
                continue;
            }
            assert!(norm(gradient) > 1e-7, "{name}: the gradient is zero");
            let direction = (gradient / norm(gradient)).unwrap();
            let original = var.as_tensor().copy().unwrap();
            let at = |step: f64| {
                var.set(&(&original + (&direction * step).unwrap()).unwrap()).unwrap();
                f64::from(loss().to_scalar::<f32>().unwrap())
            };
            let step = 3e-3;
            let numeric = (at(step) - at(-step)) / (2.0 * step);
            var.set(&original).unwrap();
            let tolerance = 1e-2 * norm(gradient) + 1e-3;
            let difference = (numeric - norm(gradient)).abs();
            assert!(difference < tolerance, "{architecture:?} {kind:?} {name}: {numeric}, not {}", norm(gradient));
        }
    }
}

/// The losses of a batch cut in pieces add up to those of the whole.
#[test]
fn shares_add_up() {
    let folder = tempfile::tempdir().unwrap();
    for kind in [Kind::Texts(Problem::SingleLabel), Kind::Words] {
        let (student, train) = (model(Architecture::Bert, kind, 1), data(folder.path(), kind));
        let teacher = model(Architecture::Bert, kind, 2);
        let config = FinetuneConfig {
            alpha: 0.4,
            alpha_attention: 0.7,
            layer_map: Some(vec![0, 1]),
            ..FinetuneConfig::new(task_of(kind))
        };
        let weights = [1.0, 5.0, 0.25];
        let course = course((&student, &teacher), &config, &weights, &train);
        let total = |batch: &distil_train::data::Batch, shares| {
            let losses = course.losses(batch, shares, &mut Dropout::off()).unwrap();
            losses.total.to_scalar::<f32>().unwrap()
        };
        let whole = course.draw(0, &[0, 1, 2, 3, 4, 5]).unwrap();
        let (exact, amounts) = (total(&whole, [1.0; 4]), course.amounts(&whole));
        let parts = whole.split(3);
        assert_eq!(parts.len(), 3);
        let share = |part: &distil_train::data::Batch, i: usize| course.amounts(part)[i] / amounts[i];
        let sum: f32 = parts
            .iter()
            .map(|part| total(part, [share(part, 0), share(part, 1), share(part, 2), share(part, 3)]))
            .sum();
        assert!((sum - exact).abs() < 1e-5, "{kind:?}: {sum}, not {exact}");
    }
}

/// Variants have no labels: what is wrong about them is what the teacher says, and the labels count as if they were not there.
#[test]
fn variants_learn_from_the_teacher_alone() {
    let folder = tempfile::tempdir().unwrap();
    for problem in [Problem::SingleLabel, Problem::Regression, Problem::MultiLabel] {
        let kind = Kind::Texts(problem);
        let (student, train) = (model(Architecture::Bert, kind, 1), data(folder.path(), kind));
        let teacher = model(Architecture::Bert, kind, 2);
        let vocabulary = Vocabulary::read(&folder.path().join("vocab.txt"), false).unwrap();
        let augment = Augment::new(3, &vocabulary);
        let config = FinetuneConfig { alpha: 0.4, augment: 3, ..FinetuneConfig::new(task_of(kind)) };
        let weights = [1.0, 5.0, 0.25];
        let course =
            FinetuneCourse { augment: Some(&augment), ..course((&student, &teacher), &config, &weights, &train) };
        assert_eq!(course.lengths().len(), 24);
        let parts = |sequences: &[u32]| {
            let batch = course.draw(5, sequences).unwrap();
            assert_eq!(batch, course.draw(5, sequences).unwrap());
            let losses = course.losses(&batch, [1.0; 4], &mut Dropout::off()).unwrap();
            let parts = losses.parts.each_ref().map(|part| part.to_scalar::<f32>().unwrap());
            (parts[0], parts[1], course.amounts(&batch))
        };
        let (own, _, own_amounts) = parts(&[0, 3, 5]);
        let (mixed, soft, amounts) = parts(&[0, 6, 3, 5, 17, 23]);
        assert!((own - mixed).abs() < 1e-5 && own > 0.0, "{problem:?}: {own} {mixed}");
        assert_eq!((amounts[0], amounts[1]), (own_amounts[0], 6.0));
        assert!(soft > 0.0);
        let (none, soft, amounts) = parts(&[6, 17]);
        assert!(none == 0.0 && soft > 0.0 && amounts[..2] == [0.0, 2.0], "{problem:?}: {none} {soft} {amounts:?}");
        assert_ne!(course.draw(5, &[6, 7, 8, 9]).unwrap().ids, course.draw(6, &[6, 7, 8, 9]).unwrap().ids);
    }
}

const SCRIPT: &str = r#"
import sys, json, torch
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification, AutoTokenizer
folder, gradients = sys.argv[1:3]
case = json.loads(sys.argv[3])
kind = AutoModelForTokenClassification if "words" in case else AutoModelForSequenceClassification
model = kind.from_pretrained(folder, dtype=torch.float64).eval()
tokenizer = AutoTokenizer.from_pretrained(folder)
if "words" in case:
    assert type(model).__name__ == json.load(open(folder + "/config.json"))["architectures"][0]
    assert model.config.id2label == {0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"}
    batch = tokenizer(case["words"], is_split_into_words=True, padding=True, return_tensors="pt")
    labels = torch.full(batch["input_ids"].shape, -100)
    for i, right in enumerate(case["labels"]):
        ids = batch.word_ids(i)
        for word, label in enumerate(right):
            labels[i, ids.index(word)] = label
else:
    pairs = [(text, pair) if pair else text for text, pair in case["texts"]]
    batch = [tokenizer(*pair) if isinstance(pair, tuple) else tokenizer(pair) for pair in pairs]
    batch = tokenizer.pad(batch, return_tensors="pt")
    labels = torch.tensor(case["labels"], dtype=torch.long if model.config.problem_type.startswith("single") else torch.float64)
loss = model(**batch, labels=labels).loss
loss.backward()
mine = load_file(gradients)
exact = {name: p.grad for name, p in model.named_parameters()}
assert sorted(mine) == sorted(exact), set(mine) ^ set(exact)
# Those of the keys' biases are zero in exact arithmetic.
named = [n for n in mine if not n.endswith(("key.bias", "k_lin.bias"))]
worst, name = max((((mine[n].double() - exact[n]).norm() / (exact[n].norm() + 1e-6)).item(), n) for n in named)
print(json.dumps({"loss": loss.item(), "worst": worst, "name": name}))
"#;

fn texts_case(problem: Problem) -> serde_json::Value {
    let all = examples(problem);
    let texts: Vec<_> = all.iter().map(|example| (&example.text, &example.pair)).collect();
    let labels = all.iter().map(|example| match &example.label {
        Label::Class(class) => (*class).into(),
        Label::Value(value) => (*value).into(),
        Label::Set(set) => (0..3).map(|i| f64::from(u8::from(set.contains(&i)))).collect(),
    });
    let labels: Vec<serde_json::Value> = labels.collect();
    serde_json::json!({"texts": texts, "labels": labels})
}

#[test]
fn losses_and_gradients_equal_transformers() {
    let Some(python) = std::env::var_os("DISTIL_PYTHON") else {
        eprintln!("SKIPPED: DISTIL_PYTHON names no Python interpreter with transformers");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    for (architecture, kind) in FAMILIES.into_iter().flat_map(|a| KINDS.map(|kind| (a, kind))) {
        let (student, train) = (model(architecture, kind, 1), data(folder.path(), kind));
        let config = FinetuneConfig::new(task_of(kind));
        let course = FinetuneCourse {
            student: &student,
            teacher: None,
            config: &config,
            weights: &[1.0; 3],
            train: &train,
            seed: 1,
            augment: None,
            dev: &[],
        };
        let batch = course.draw(0, &[0, 1, 2, 3, 4, 5]).unwrap();
        let (mut grads, loss) = differentiate(|| {
            let total = course.losses(&batch, [1.0; 4], &mut Dropout::off()).unwrap().total;
            Ok::<_, candle_core::Error>((total.clone(), total))
        })
        .unwrap();
        let path = folder.path().join("model");
        let vocabulary = task::VOCABULARY.join("\n") + "\n";
        save(&path, &student.config, &student.parameters, Some(vocabulary.as_bytes()), true).unwrap();
        let gradients = student.parameters.trainable().map(|(name, var)| (name, grads.remove(var).unwrap())).collect();
        write_tensors(&folder.path().join("gradients.safetensors"), &gradients).unwrap();
        let case = match kind {
            Kind::Texts(problem) => texts_case(problem),
            Kind::Words => {
                let all = sentences();
                let words: Vec<_> = all.iter().map(|sentence| &sentence.words).collect();
                let labels: Vec<_> = all.iter().map(|sentence| &sentence.labels).collect();
                serde_json::json!({"words": words, "labels": labels})
            }
        };
        let output = std::process::Command::new(&python)
            .args(["-c", SCRIPT])
            .arg(&path)
            .arg(folder.path().join("gradients.safetensors"))
            .arg(case.to_string())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let (loss, exact) = (f64::from(loss.to_scalar::<f32>().unwrap()), found["loss"].as_f64().unwrap());
        assert!((loss - exact).abs() < 1e-5, "{architecture:?} {kind:?}: {loss}, not {exact}");
        let worst = found["worst"].as_f64().unwrap();
        assert!(worst < 1e-4, "{architecture:?} {kind:?}: gradients differ: {found}");
    }
}
