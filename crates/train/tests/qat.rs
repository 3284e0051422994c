//! The grid of packed files in training: gradients, schedule, and whole runs through the program.

mod support;
#[path = "support/text.rs"]
mod text;

use candle_core::{DType, Device, Tensor, Var};
use distil_train::data::Batch;
use distil_train::loss::{Losses, Objective, losses};
use distil_train::model::{Architecture, Model, ModelConfig, Parameters, Part, random};
use distil_train::ops::{Dropout, IGNORE, linear};
use distil_train::qat::{QatConfig, Storage, round_rows, straight};
use distil_train::rng::{Purpose, normal, stream};
use serde_json::Value;
use std::collections::BTreeMap;
use support::train;

fn config(architecture: Architecture) -> ModelConfig {
    ModelConfig {
        architecture,
        vocab_size: 60,
        hidden: 36,
        layers: 2,
        heads: 3,
        intermediate: 70,
        max_positions: 12,
        type_vocab: if architecture == Architecture::Bert { 2 } else { 0 },
        layer_norm_eps: 1e-12,
        dropout: 0.1,
        attention_dropout: 0.1,
        initializer_range: 0.2,
        pad_id: 0,
        head: distil_train::model::Head::MaskedLm,
    }
}

fn numbers(shape: &[usize], seed: u64) -> Tensor {
    let mut rng = stream(seed, Purpose::Weights, 7);
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| normal(&mut rng)).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// Random weights with biases and LayerNorms moved off their special values.
fn parameters(config: &ModelConfig, seed: u64) -> Parameters {
    let tensors = random(config, seed, &Device::Cpu).unwrap();
    let noisy = tensors.all().into_iter().enumerate().map(|(index, (name, tensor))| {
        let noise = (numbers(tensor.dims(), seed + 10 * index as u64) * 0.1).unwrap();
        (name.to_string(), (tensor + noise).unwrap())
    });
    Parameters::frozen(config, noisy.collect()).unwrap()
}

fn student(architecture: Architecture, dtype: DType, qat: QatConfig) -> Model {
    let config = config(architecture);
    let parameters = parameters(&config, 1).train(&config, |_| false).unwrap();
    Model::with_grid(config, parameters, dtype, qat).unwrap()
}

fn batch() -> Batch {
    let lengths = vec![5, 12, 7];
    let rows: usize = lengths.iter().sum();
    Batch {
        ids: (0..rows as u32).map(|i| 1 + i * 11 % 59).collect(),
        positions: lengths.iter().flat_map(|&n| 0..n as u32).collect(),
        labels: (0..rows as u32).map(|i| if i % 4 == 1 { i % 60 } else { IGNORE }).collect(),
        lengths,
        ..Batch::default()
    }
}

fn run(student: &Model, objective: &Objective, dropout: bool) -> Losses {
    let config = config(Architecture::Bert);
    let teacher = Model::new(config.clone(), parameters(&config, 2), DType::F32).unwrap();
    let mut dropout = if dropout { Dropout::on(stream(3, Purpose::Dropout, 0)) } else { Dropout::off() };
    losses(student, Some(&teacher), &batch(), objective, &mut dropout).unwrap()
}

/// Loss and gradients by name.
fn step(student: &Model, dropout: bool) -> (f32, BTreeMap<String, Tensor>) {
    let total = run(student, &Objective::DISTILBERT, dropout).total;
    let mut store = total.backward().unwrap();
    let gradients = student
        .parameters
        .trainable()
        .map(|(name, var)| (name.to_string(), store.remove(var).unwrap_or_else(|| panic!("no gradient for {name}"))));
    (total.to_scalar().unwrap(), gradients.collect())
}

fn norm(t: &Tensor) -> f32 {
    let t = t.to_dtype(DType::F32).unwrap();
    t.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap().sqrt()
}

/// Relative distance.
fn distance(a: &Tensor, b: &Tensor) -> f32 {
    norm(&(a - b).unwrap()) / norm(b)
}

fn bits(tensor: &Tensor) -> Vec<u32> {
    tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
}

#[test]
fn every_trainable_tensor_gets_a_gradient_on_the_grid() {
    for architecture in [Architecture::Bert, Architecture::DistilBert] {
        for storage in [Storage::Int8, Storage::Int4] {
            // Fused, and composed from candle's operations as on other devices.
            for dtype in [DType::F32, DType::BF16] {
                let student = student(architecture, dtype, QatConfig::packed(storage));
                student.grid().unwrap().pack().unwrap();
                let (_, gradients) = step(&student, true);
                assert_eq!(gradients.len(), student.parameters.all().len());
                for (name, gradient) in gradients {
                    assert!(norm(&gradient) > 1e-9, "{name}: the gradient is zero");
                }
            }
        }
    }
}

#[test]
fn a_matrix_on_the_grid_has_the_gradients_of_float_at_the_rounded_values() {
    let (x, w, b, weights) = (numbers(&[9, 36], 1), numbers(&[20, 36], 2), numbers(&[20], 3), numbers(&[9, 20], 4));
    let w_rounded = round_rows(&w, 12).unwrap();
    let gradients = |y: Tensor, vars: [&Var; 3]| {
        let mut grads = (y * &weights).unwrap().sum_all().unwrap().backward().unwrap();
        vars.map(|var| bits(&grads.remove(var).unwrap()))
    };
    let [xv, wv, bv] = [&x, &w, &b].map(|t| Var::from_tensor(t).unwrap());
    let y = linear(&round_rows(&xv, 36).unwrap(), &straight(&wv, w_rounded.clone()).unwrap(), &bv).unwrap();
    let value = bits(&y.detach());
    let mine = gradients(y, [&xv, &wv, &bv]);
    let [xv, wv, bv] = [&round_rows(&x, 36).unwrap(), &w_rounded, &b].map(|t| Var::from_tensor(t).unwrap());
    let y = linear(&xv, &wv, &bv).unwrap();
    assert_eq!(value, bits(&y.detach()));
    assert_eq!(mine, gradients(y, [&xv, &wv, &bv]));
}

/// The whole model: what is left between the gradients on the grid and those of a float model that has the packed values
/// for its weights is the rounding of activations.
#[test]
fn the_model_on_the_grid_has_about_the_gradients_of_a_float_model_of_the_packed_values() {
    for (storage, bound) in [(Storage::Int8, 0.12), (Storage::Int4, 0.12)] {
        let student = student(Architecture::DistilBert, DType::F32, QatConfig::packed(storage));
        let (float_loss, float) = step(&student, false);
        student.grid().unwrap().pack().unwrap();
        let mut tensors: BTreeMap<String, Tensor> =
            student.parameters.all().into_iter().map(|(n, t)| (n.into(), t)).collect();
        tensors.extend(student.grid().unwrap().values().into_iter().map(|(name, tensor)| (name.to_string(), tensor)));
        let config = student.config.clone();
        let packed = Parameters::frozen(&config, tensors).unwrap().train(&config, |_| false).unwrap();
        let packed = Model::new(config, packed, DType::F32).unwrap();
        let ((loss, gradients), (packed_loss, packed)) = (step(&student, false), step(&packed, false));
        assert!((loss - packed_loss).abs() < 0.02 * packed_loss, "{loss} {packed_loss}");
        let (mut far, mut unrounded) = (0.0f32, 0.0f32);
        for (name, gradient) in &gradients {
            // Zero in exact arithmetic.
            if name.ends_with("k_lin.bias") {
                continue;
            }
            far = far.max(distance(gradient, &packed[name]));
            unrounded = unrounded.max(distance(gradient, &float[name]));
        }
        println!(
            "{storage:?}: loss {float_loss} in float, {loss} on the grid; gradients {far}, {unrounded} from float"
        );
        assert!(far > 1e-4 && far < bound && far < unrounded, "{storage:?}: {far} {unrounded}");
    }
}

#[test]
fn a_grid_that_is_off_changes_nothing() {
    let student = student(Architecture::DistilBert, DType::F32, QatConfig::packed(Storage::Int4));
    let config = student.config.clone();
    let plain = parameters(&config, 1).train(&config, |_| false).unwrap();
    let plain = step(&Model::new(config, plain, DType::F32).unwrap(), true);
    let same = |other: &(f32, BTreeMap<String, Tensor>)| {
        plain.0.to_bits() == other.0.to_bits() && plain.1.iter().all(|(name, g)| bits(g) == bits(&other.1[name]))
    };
    assert!(same(&step(&student, true)));
    student.set_grid(8, 10).unwrap();
    assert!(same(&step(&student, true)));
    student.set_grid(9, 10).unwrap();
    assert!(!same(&step(&student, true)));
    student.set_grid(1, 10).unwrap();
    assert!(same(&step(&student, true)));
}

/// Moves every tensor a little, as an optimizer does.
fn drift(student: &Model, seed: u64) {
    for (index, (_, var)) in student.parameters.trainable().enumerate() {
        let noise = (numbers(var.dims(), seed + index as u64) * 0.01).unwrap();
        var.set(&(var.as_tensor() + noise).unwrap()).unwrap();
    }
}

fn values(student: &Model) -> BTreeMap<String, Vec<u32>> {
    student.grid().unwrap().values().into_iter().map(|(name, tensor)| (name.to_string(), bits(&tensor))).collect()
}

#[test]
fn steps_that_are_kept_are_all_that_a_resumed_run_needs() {
    let qat = QatConfig { start: 0.5, refresh: 3, ..QatConfig::packed(Storage::Int4) };
    let student = student(Architecture::DistilBert, DType::F32, qat.clone());
    let grid = student.grid().unwrap();
    student.set_grid(5, 10).unwrap();
    assert!(!grid.is_on() && grid.steps().unwrap().is_empty());
    student.set_grid(6, 10).unwrap();
    let fresh = values(&student);
    grid.pack().unwrap();
    assert_eq!(values(&student), fresh);
    drift(&student, 100);
    student.set_grid(7, 10).unwrap();
    let old_steps = values(&student);
    // An evaluation in between takes what would be packed, and leaves no trace.
    student.settle_grid().unwrap();
    assert_ne!(values(&student), old_steps);
    student.set_grid(7, 10).unwrap();
    assert_eq!(values(&student), old_steps);

    // A checkpoint here, a run that goes on and one that is resumed.
    let checkpoint = grid.steps().unwrap();
    assert_eq!(checkpoint.len(), 2 * (2 + 6 * 2 + 1), "scales and factors of every matrix and table");
    let tensors = student.parameters.all().into_iter().map(|(name, t)| (name.to_string(), t.copy().unwrap())).collect();
    let config = student.config.clone();
    let parameters = Parameters::frozen(&config, tensors).unwrap().train(&config, |_| false).unwrap();
    let resumed = Model::with_grid(config, parameters, DType::F32, qat).unwrap();
    resumed.grid().unwrap().restore_steps(&checkpoint).unwrap();
    for next in 8..=10 {
        drift(&student, next);
        drift(&resumed, next);
        student.set_grid(next as usize, 10).unwrap();
        resumed.set_grid(next as usize, 10).unwrap();
        assert_eq!(values(&student), values(&resumed), "step {next}");
        grid.pack().unwrap();
        let packed = values(&student);
        student.set_grid(next as usize, 10).unwrap();
        // Step 9 searches again, the others round to what step 6 or 9 found.
        assert_eq!(values(&student) == packed, next == 9, "step {next}");
    }
    let other =
        BTreeMap::from_iter(checkpoint.into_iter().map(|(name, tensor)| (name, tensor.narrow(0, 0, 1).unwrap())));
    assert!(resumed.grid().unwrap().restore_steps(&other).unwrap_err().to_string().contains("another shape"));
}

#[test]
fn a_search_at_every_step_leaves_nothing_to_keep() {
    let student =
        student(Architecture::DistilBert, DType::F32, QatConfig { start: 0.0, ..QatConfig::packed(Storage::Int4) });
    student.set_grid(1, 4).unwrap();
    assert!(student.grid().unwrap().is_on() && student.grid().unwrap().steps().unwrap().is_empty());
    let frozen = parameters(&student.config, 1).train(&student.config, |part| part == Part::Positions).unwrap();
    let frozen =
        Model::with_grid(student.config.clone(), frozen, DType::F32, QatConfig::packed(Storage::Int4)).unwrap();
    frozen.grid().unwrap().pack().unwrap();
    assert_eq!(values(&frozen), values(&student), "frozen tensors are packed like any other");
}

#[test]
fn a_run_ends_on_the_grid_and_repeats_to_the_byte() {
    let folder = tempfile::tempdir().unwrap();
    text::write(folder.path(), 1500);
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (text, vocabulary, data, teacher) = (path("text.txt"), path("vocab.txt"), path("data"), path("teacher"));
    let held_out = ["--max-length", "32", "--held-out-every", "10", "--min-length", "3"];
    train(&[&["prepare", "--text", &text, "--vocab", &vocabulary, "-o", &data][..], &held_out].concat());
    let shape = ["--layers", "2", "--hidden", "48", "--heads", "3", "--steps", "120", "--learning-rate", "3e-3"];
    train(&[&["pretrain", "--data", &data, "-o", &teacher, "--preset", "tiny"][..], &shape].concat());
    let distill = |out: &str, more: &[&str], threads: Option<&str>| {
        let out = path(out);
        let fixed = ["distill", "--teacher", &teacher, "--data", &data, "-o", &out, "--json"];
        let mut command = support::command();
        command.args([&fixed[..], more].concat());
        threads.map(|threads| command.env("RAYON_NUM_THREADS", threads));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let weights = |name: &str| std::fs::read(folder.path().join(name).join("model.safetensors")).unwrap();
    let eval = |model: &str, more: &[&str]| -> Value {
        let model = path(model);
        let fixed = ["eval", "--model", &model, "--teacher", &teacher, "--data", &data, "--sequences", "512", "--json"];
        serde_json::from_str(&train(&[&fixed[..], more].concat())).unwrap()
    };

    let options = ["--preset", "tiny", "--steps", "40", "--dropout", "0.1", "--qat", "int4", "--qat-start", "0.5"];
    let summary = distill("student", &options, None);
    distill("again", &options, Some("1"));
    distill("float", &options[..6], None);
    assert!(weights("student") == weights("again"), "the same seed gave other bytes");
    assert!(weights("student") != weights("float"), "the grid changed nothing");
    // The last figures of the run are those of the packed file.
    assert_eq!(summary["held_out"], eval("student", &["--qat", "int4"]));
    assert_ne!(summary["held_out"], eval("student", &[]));

    let recipe = path("student/recipe.json");
    let saved: Value = serde_json::from_slice(&std::fs::read(&recipe).unwrap()).unwrap();
    assert_eq!(
        saved["qat"],
        serde_json::json!({
            "weights": "int4", "embeddings": "int4", "group": 32, "start": 0.5, "refresh": 1
        })
    );
    distill("from-recipe", &["--config", &recipe], None);
    assert!(weights("student") == weights("from-recipe"), "the recipe gave other bytes");

    // The grid as a phase of its own, over a student that is there.
    let float = path("float");
    let phase = ["--preset", "tiny", "--steps", "20", "--qat", "int8", "--qat-embeddings", "int4", "--qat-start", "0"];
    let summary = distill("phase", &[&["--student", &float][..], &phase].concat(), None);
    assert_eq!(summary["held_out"], eval("phase", &["--qat", "int8", "--qat-embeddings", "int4"]));
    assert!(summary["held_out"]["mlm_loss"].as_f64().unwrap() < 4.0);

    let message = support::fails(1, &["eval", "--model", &float, "--data", &data, "--qat-group", "64"]);
    assert!(message.contains("add --qat"), "{message}");
}
