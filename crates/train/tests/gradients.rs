//! Every trainable tensor learns, in training mode with dropout, and the whole loss agrees with finite differences.

use candle_core::{DType, Device, Tensor};
use distil_train::data::Batch;
use distil_train::loss::{Losses, Objective, losses};
use distil_train::model::{Architecture, Model, ModelConfig, Parameters, Part, random};
use distil_train::ops::{Dropout, IGNORE};
use distil_train::rng::{Purpose, normal, stream};
use std::collections::BTreeMap;

fn config(architecture: Architecture) -> ModelConfig {
    ModelConfig {
        architecture,
        vocab_size: 40,
        hidden: 12,
        layers: 2,
        heads: 3,
        intermediate: 20,
        max_positions: 10,
        type_vocab: if architecture == Architecture::Bert { 2 } else { 0 },
        layer_norm_eps: 1e-12,
        dropout: 0.1,
        attention_dropout: 0.1,
        // Wide, so that attention is not uniform.
        initializer_range: 0.3,
        pad_id: 0,
        head: distil_train::model::Head::MaskedLm,
    }
}

fn batch() -> Batch {
    let lengths = vec![5, 10, 7];
    let rows: usize = lengths.iter().sum();
    Batch {
        ids: (0..rows as u32).map(|i| 1 + i * 11 % 39).collect(),
        positions: lengths.iter().flat_map(|&n| 0..n as u32).collect(),
        labels: (0..rows as u32).map(|i| if i % 4 == 1 { i % 40 } else { IGNORE }).collect(),
        lengths,
        ..Batch::default()
    }
}

/// Random weights with biases and LayerNorms moved off their special values.
fn parameters(config: &ModelConfig, seed: u64) -> Parameters {
    let parameters = random(config, seed, &Device::Cpu).unwrap();
    let mut rng = stream(seed, Purpose::Weights, 1000);
    let mut tensors = BTreeMap::new();
    for (name, tensor) in parameters.all() {
        let noise = (0..tensor.elem_count()).map(|_| 0.1 * normal(&mut rng)).collect::<Vec<_>>();
        let noise = Tensor::from_vec(noise, tensor.shape(), &Device::Cpu).unwrap();
        tensors.insert(name.to_string(), (tensor + noise).unwrap());
    }
    Parameters::frozen(config, tensors).unwrap()
}

fn student(architecture: Architecture, freeze: bool) -> Model {
    student_in(DType::F32, architecture, freeze)
}

fn student_in(dtype: DType, architecture: Architecture, freeze: bool) -> Model {
    let config = config(architecture);
    let parameters = parameters(&config, 1).train(&config, |part| freeze && part == Part::Positions);
    Model::new(config, parameters.unwrap(), dtype).unwrap()
}

/// A student narrower than its teacher, whose hidden states are projected.
fn narrow_student() -> Model {
    let config = ModelConfig { hidden: 6, ..config(Architecture::DistilBert) };
    let parameters = parameters(&config, 1).train(&config, |_| false).unwrap();
    let mut student = Model::new(config, parameters, DType::F32).unwrap();
    student.project_hidden_to(12, 1).unwrap();
    student
}

/// All four losses.
const ALL_LOSSES: Objective = Objective { alpha_mse: 0.2, ..Objective::DISTILBERT };

fn run(student: &Model, objective: &Objective, dropout: bool) -> Losses {
    let teacher_config = config(Architecture::Bert);
    let teacher = Model::new(teacher_config.clone(), parameters(&teacher_config, 2), DType::F32).unwrap();
    let mut dropout = if dropout { Dropout::on(stream(3, Purpose::Dropout, 0)) } else { Dropout::off() };
    losses(student, Some(&teacher), &batch(), objective, &mut dropout).unwrap()
}

fn norm(t: &Tensor) -> f32 {
    t.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap().sqrt()
}

#[test]
fn every_trainable_tensor_gets_a_gradient() {
    let cases = [
        (Architecture::Bert, Objective::MASKED_LM, false),
        (Architecture::DistilBert, Objective::DISTILBERT, true),
        (Architecture::DistilBert, Objective::DISTILBERT, false),
        (Architecture::DistilBert, Objective { soft_targets_on_masked_only: true, ..Objective::DISTILBERT }, false),
    ];
    let mut students: Vec<_> = cases
        .into_iter()
        .map(|(architecture, objective, freeze)| (student(architecture, freeze), objective, freeze))
        .collect();
    students.push((narrow_student(), ALL_LOSSES, false));
    for (student, objective, freeze) in students {
        let grads = run(&student, &objective, true).total.backward().unwrap();
        let mut count = 0;
        for (name, var) in student.parameters.trainable() {
            let gradient = grads.get(var).unwrap_or_else(|| panic!("no gradient for {name}"));
            assert_eq!(gradient.dims(), var.dims(), "{name}");
            assert!(norm(gradient) > 1e-9, "{name}: the gradient is zero");
            count += 1;
        }
        let (positions, projection) = (usize::from(freeze), usize::from(student.config.hidden == 6));
        assert_eq!(count + positions, student.parameters.all().len() + projection);
    }
}

#[test]
fn the_whole_loss_agrees_with_finite_differences() {
    for (student, dropout) in [
        (student(Architecture::DistilBert, false), false),
        (student(Architecture::DistilBert, false), true),
        (narrow_student(), false),
    ] {
        let grads = run(&student, &ALL_LOSSES, dropout).total.backward().unwrap();
        for (index, (name, var)) in student.parameters.trainable().enumerate() {
            let gradient = grads.get(var).unwrap();
            let original = var.as_tensor().copy().unwrap();
            let mut rng = stream(9, Purpose::Weights, index as u64);
            // Along the gradient and along a random direction.
            let random: Vec<f32> = (0..var.elem_count()).map(|_| normal(&mut rng)).collect();
            let random = Tensor::from_vec(random, var.shape(), &Device::Cpu).unwrap();
            for direction in [gradient, &random] {
                let direction = (direction / f64::from(norm(direction).max(1e-20))).unwrap();
                let step = 1e-2;
                let at = |sign: f64| {
                    var.set(&(&original + (&direction * (sign * step)).unwrap()).unwrap()).unwrap();
                    let loss = run(&student, &ALL_LOSSES, dropout).total;
                    f64::from(loss.to_scalar::<f32>().unwrap())
                };
                let numeric = (at(1.0) - at(-1.0)) / (2.0 * step);
                var.set(&original).unwrap();
                let exact = (gradient * &direction).unwrap().sum_all().unwrap();
                let exact = f64::from(exact.to_scalar::<f32>().unwrap());
                // The loss is about 30, so its rounding is about 2e-6; divided by the step that is 4e-4.
                let tolerance = 5e-3 * f64::from(norm(gradient)) + 2e-3;
                assert!(
                    (numeric - exact).abs() < tolerance,
                    "{name} (dropout {dropout}): {numeric}, not {exact} (tolerance {tolerance})"
                );
            }
        }
    }
}

#[test]
fn a_batch_without_targets_still_has_a_loss() {
    let student = student(Architecture::DistilBert, false);
    let teacher_config = config(Architecture::Bert);
    let teacher = Model::new(teacher_config.clone(), parameters(&teacher_config, 2), DType::F32).unwrap();
    let mut batch = batch();
    batch.labels.fill(IGNORE);
    let run = |objective: &Objective| {
        let losses = losses(&student, Some(&teacher), &batch, objective, &mut Dropout::off()).unwrap();
        let gradients = losses.total.backward().unwrap();
        let trained = student.parameters.trainable().filter(|(_, var)| gradients.get(var).is_some());
        (losses.total.to_scalar::<f32>().unwrap(), trained.count())
    };
    assert_eq!(run(&Objective::MASKED_LM), (0.0, 0));
    let masked_only = Objective { soft_targets_on_masked_only: true, ..Objective::DISTILBERT };
    for objective in [Objective::DISTILBERT, masked_only] {
        let (loss, trained) = run(&objective);
        assert!(loss > 0.0 && trained > 20, "{loss} {trained}");
    }
}

/// What runs where there are no fused operations: the same numbers from candle's own.
#[test]
fn composed_operations_agree_with_the_fused_ones() {
    let fused = student(Architecture::DistilBert, false);
    let expected = run(&fused, &ALL_LOSSES, true);
    let expected_grads = expected.total.backward().unwrap();
    for (dtype, loss_bound, gradient_bound) in [(DType::F64, 1e-5, 1e-4), (DType::BF16, 3e-2, 0.3)] {
        let student = student_in(dtype, Architecture::DistilBert, false);
        let losses = run(&student, &ALL_LOSSES, true);
        let pairs = [
            (&losses.total, &expected.total),
            (&losses.ce, &expected.ce),
            (&losses.mlm, &expected.mlm),
            (&losses.cos, &expected.cos),
            (&losses.mse, &expected.mse),
        ];
        for (got, exact) in pairs {
            let (got, exact) = (got.to_scalar::<f32>().unwrap(), exact.to_scalar::<f32>().unwrap());
            assert!((got - exact).abs() <= loss_bound * exact.abs(), "{dtype:?}: {got}, not {exact}");
        }
        let grads = losses.total.backward().unwrap();
        let vars = fused.parameters.trainable().zip(student.parameters.trainable());
        for ((name, exact), (_, var)) in vars {
            if name.ends_with("k_lin.bias") {
                continue;
            }
            let (got, exact) = (grads.get(var).unwrap(), expected_grads.get(exact).unwrap());
            let error = norm(&(got - exact).unwrap()) / norm(exact);
            assert!(error <= gradient_bound, "{dtype:?} {name}: {error}");
        }
    }
}
