//! The operations and a whole step on a GPU against the CPU's. Every test says so and passes where there is no GPU, or where the
//! program was built without the feature `cuda`.

use candle_core::{DType, Device, Result, Tensor, Var};
use distil_train::data::Batch;
use distil_train::loss::{Objective, losses};
use distil_train::model::{Architecture, Model, ModelConfig, Parameters, random};
use distil_train::ops::{self, Dropout, IGNORE, Mask, Projection, Sequences, Targets};
use distil_train::rng::{Purpose, normal, stream};
use std::sync::Arc;

/// A GPU, or a note that there is none.
fn gpu() -> Option<Device> {
    if !cfg!(feature = "cuda") {
        eprintln!("SKIPPED: built without the feature cuda");
        return None;
    }
    match Device::new_cuda_with_stream(0) {
        Ok(device) => Some(device),
        Err(error) => {
            eprintln!("SKIPPED: no GPU ({error})");
            None
        }
    }
}

/// Normal numbers that bf16 holds, too.
fn numbers(shape: &[usize], seed: u64) -> Tensor {
    let mut rng = stream(seed, Purpose::Weights, 99);
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| normal(&mut rng)).collect();
    let tensor = Tensor::from_vec(values, shape, &Device::Cpu).unwrap();
    tensor.to_dtype(DType::BF16).unwrap().to_dtype(DType::F32).unwrap()
}

fn mask(len: usize) -> Option<Mask> {
    Dropout::on(stream(3, Purpose::Dropout, 0)).mask(0.1, len)
}

/// Relative distance.
fn distance(got: &Tensor, exact: &Tensor) -> f32 {
    let got = got.to_device(&Device::Cpu).unwrap().to_dtype(DType::F32).unwrap();
    let norm = |t: Tensor| t.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap().sqrt();
    norm((&got - exact).unwrap()) / norm(exact.clone())
}

/// Runs `f` on the CPU in f32 and on the GPU in f32 and bf16; inputs beyond `activations` stay f32. Compares result and
/// gradients.
fn compare(what: &str, inputs: &[Tensor], activations: usize, f: impl Fn(&[Tensor]) -> Result<Tensor>) {
    let Some(gpu) = gpu() else { return };
    let run = |device: &Device, dtype: DType| {
        let vars: Vec<Var> = inputs
            .iter()
            .enumerate()
            .map(|(i, t)| {
                let t = t.to_device(device).unwrap();
                let t = if i < activations { t.to_dtype(dtype).unwrap() } else { t };
                Var::from_tensor(&t).unwrap()
            })
            .collect();
        let inputs: Vec<_> = vars.iter().map(|v| v.as_tensor().clone()).collect();
        let (grads, out) = ops::differentiate(|| {
            let out = f(&inputs)?;
            let weights = numbers(out.dims(), 77).to_device(device)?;
            Ok::<_, candle_core::Error>(((out.to_dtype(DType::F32)? * weights)?.sum_all()?, out))
        })
        .unwrap();
        let mut all = vec![out];
        all.extend(vars.iter().map(|v| grads.get(v).expect("a gradient").clone()));
        all
    };
    let exact = run(&Device::Cpu, DType::F32);
    for (dtype, bound) in [(DType::F32, 2e-5), (DType::BF16, 2e-2)] {
        for (i, (got, exact)) in run(&gpu, dtype).iter().zip(&exact).enumerate() {
            let error = distance(got, exact);
            assert!(error <= bound, "{what} in {dtype:?}, number {i} (0: the result, then gradients): {error}");
        }
    }
}

#[test]
fn layer_norms() {
    for h in [768, 96, 301] {
        let inputs = [numbers(&[70, h], 1), numbers(&[70, h], 2), numbers(&[h], 3), numbers(&[h], 4)];
        let mask = mask(70 * h);
        compare("residual_norm", &inputs, 2, |t| ops::residual_norm(&t[0], &t[1], mask, &t[2], &t[3], 1e-5));
        let inputs = [inputs[0].clone(), inputs[2].clone(), inputs[3].clone()];
        compare("layer_norm", &inputs, 1, |t| ops::layer_norm(&t[0], &t[1], &t[2], 1e-5));
    }
}

#[test]
fn linear_and_gelu() {
    let inputs = [numbers(&[200, 64], 1), numbers(&[136, 64], 2), numbers(&[136], 3)];
    compare("linear", &inputs, 1, |t| ops::linear(&t[0], &t[1], &t[2]));
    compare("linear_gelu", &inputs, 1, |t| ops::linear_gelu(&t[0], &t[1], &t[2]));
    compare("gelu", &inputs[..1], 1, |t| ops::gelu(&t[0]));
}

#[test]
fn dropout() {
    let inputs = [numbers(&[70, 96], 1), numbers(&[70, 96], 2)];
    let mask = mask(70 * 96);
    compare("dropout_add", &inputs, 2, |t| ops::dropout_add(&t[0], &t[1], mask));
    compare("dropout_rows", &inputs[..1], 1, |t| ops::dropout_rows(&t[0], mask));
}

#[test]
fn attention() {
    let sequences = Arc::new(Sequences::new([1, 40, 70, 128, 300]));
    for d in [64, 32, 20] {
        let qkv = [numbers(&[sequences.rows(), 3 * 2 * d], 1)];
        for mask in [None, mask(2 * sequences.pairs())] {
            compare("attention", &qkv, 1, |t| ops::attention(&t[0], &sequences, 2, mask));
        }
    }
}

#[test]
fn losses_over_rows() {
    let teacher = numbers(&[70, 96], 2);
    compare("cosine", &[numbers(&[70, 96], 1)], 1, |t| ops::cosine_loss(&t[0], &teacher.to_device(t[0].device())?));
    let inputs = [numbers(&[300, 32], 1), numbers(&[1003, 32], 2), numbers(&[1003], 3)];
    let teacher = [numbers(&[300, 48], 4), numbers(&[1003, 48], 5), numbers(&[1003], 6)];
    compare("vocabulary loss", &inputs, 1, |t| {
        let on = |i: usize| teacher[i].to_device(t[0].device());
        let targets = Targets {
            labels: (0..300).map(|i| if i % 3 == 0 { i } else { IGNORE }).collect(),
            teacher: Some(Projection { hidden: on(0)?.to_dtype(t[0].dtype())?, weight: on(1)?, bias: on(2)? }),
            temperature: 2.0,
            alpha_ce: 5.0,
            alpha_mse: 0.01,
            alpha_mlm: 2.0,
        };
        let student = Projection { hidden: t[0].clone(), weight: t[1].clone(), bias: t[2].clone() };
        Ok(ops::vocabulary_loss(&student, targets)?.total)
    });
}

/// Losses and every gradient of a distillation step with dropout, embeddings included.
#[test]
fn a_whole_step() {
    let Some(gpu) = gpu() else { return };
    let config = |architecture| ModelConfig {
        architecture,
        vocab_size: 500,
        hidden: 128,
        layers: 2,
        heads: 2,
        intermediate: 256,
        max_positions: 130,
        type_vocab: if architecture == Architecture::Bert { 2 } else { 0 },
        layer_norm_eps: 1e-12,
        dropout: 0.1,
        attention_dropout: 0.1,
        initializer_range: 0.1,
        pad_id: 0,
        head: distil_train::model::Head::MaskedLm,
    };
    let lengths = vec![128, 7, 65];
    let rows: usize = lengths.iter().sum();
    let batch = Batch {
        ids: (0..rows as u32).map(|i| i * 17 % 500).collect(),
        positions: lengths.iter().flat_map(|&n| 0..n as u32).collect(),
        labels: (0..rows as u32).map(|i| if i % 7 == 1 { i % 500 } else { IGNORE }).collect(),
        lengths,
        ..Batch::default()
    };
    let model = |architecture, seed, device: &Device, dtype, train: bool| {
        let config = config(architecture);
        let tensors = random(&config, seed, &Device::Cpu).unwrap();
        let on = tensors.all().into_iter().map(|(n, t)| (n.to_string(), t.to_device(device).unwrap()));
        let parameters = Parameters::frozen(&config, on.collect()).unwrap();
        let parameters = if train { parameters.train(&config, |_| false).unwrap() } else { parameters };
        Model::new(config, parameters, dtype).unwrap()
    };
    let run = |device: &Device, dtype| {
        let student = model(Architecture::DistilBert, 1, device, dtype, true);
        let teacher = model(Architecture::Bert, 2, device, dtype, false);
        let mut dropout = Dropout::on(stream(3, Purpose::Dropout, 0));
        let (grads, loss) = ops::differentiate(|| {
            let losses = losses(&student, Some(&teacher), &batch, &Objective::DISTILBERT, &mut dropout)?;
            Ok::<_, distil_train::Error>((losses.total.clone(), losses.total))
        })
        .unwrap();
        let named = student.parameters.trainable().map(|(n, v)| (n.to_string(), grads.get(v).unwrap().clone()));
        (loss.to_dtype(DType::F32).unwrap().to_scalar::<f32>().unwrap(), named.collect::<Vec<_>>())
    };
    let (loss, exact) = run(&Device::Cpu, DType::F32);
    for (dtype, loss_bound, bound) in [(DType::F32, 1e-4, 1e-3), (DType::BF16, 1e-2, 0.1)] {
        let (got, gradients) = run(&gpu, dtype);
        assert!((got - loss).abs() <= loss_bound * loss, "{dtype:?}: {got}, not {loss}");
        for ((name, got), (_, exact)) in gradients.iter().zip(&exact) {
            // Zero in exact arithmetic: softmax does not see a shift of the keys.
            if name.ends_with("k_lin.bias") {
                continue;
            }
            let error = distance(got, exact);
            assert!(error <= bound, "{dtype:?} {name}: {error}");
        }
    }
}
