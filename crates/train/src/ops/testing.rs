//! Finite differences and small helpers for the tests of this folder.

use crate::rng::{Purpose, normal, stream};
use candle_core::{Device, Result, Tensor, Var};

/// Standard normal numbers.
pub(crate) fn random(shape: &[usize], seed: u64) -> Tensor {
    let mut rng = stream(seed, Purpose::Weights, 99);
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| normal(&mut rng)).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// Largest absolute difference.
pub(crate) fn distance(a: &Tensor, b: &Tensor) -> f32 {
    let difference = (a - b).unwrap().abs().unwrap().flatten_all().unwrap();
    difference.max(0).unwrap().to_scalar().unwrap()
}

/// Compares `f`'s gradients with central differences along 24 random directions per input. The values of `f` are sums
/// of many terms, so the step is wide and the tolerance relative to the gradient's size.
pub(crate) fn check_gradient(inputs: &[Tensor], f: impl Fn(&[Tensor]) -> Result<Tensor>) {
    let vars: Vec<Var> = inputs.iter().map(|t| Var::from_tensor(t).unwrap()).collect();
    let tensors: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
    let grads = f(&tensors).unwrap().backward().unwrap();
    for (index, input) in inputs.iter().enumerate() {
        let gradient = grads.get(&tensors[index]).expect("every input has a gradient");
        let size = norm(gradient);
        assert!(size > 0.0, "input {index}: the gradient is zero");
        for trial in 0..24 {
            let direction = random(input.dims(), 1000 + trial);
            let direction = (&direction / f64::from(norm(&direction))).unwrap();
            let step = 1e-2 * f64::from(norm(input)).max(1.0) / (input.elem_count() as f64).sqrt();
            let at = |sign: f64| {
                let mut moved: Vec<Tensor> = inputs.to_vec();
                moved[index] = (input + (&direction * (sign * step)).unwrap()).unwrap();
                f64::from(f(&moved).unwrap().to_scalar::<f32>().unwrap())
            };
            let numeric = (at(1.0) - at(-1.0)) / (2.0 * step);
            let exact = (gradient * &direction).unwrap().sum_all().unwrap();
            let exact = f64::from(exact.to_scalar::<f32>().unwrap());
            let value = f64::from(f(inputs).unwrap().to_scalar::<f32>().unwrap().abs());
            // Rounding of f itself, divided by the step, plus 0.2% of the gradient.
            let tolerance = 2e-3 * f64::from(size) + 4e-7 * (1.0 + value) / step;
            assert!(
                (numeric - exact).abs() <= tolerance,
                "input {index}, trial {trial}: {numeric} against {exact} (tolerance {tolerance})"
            );
        }
    }
}

fn norm(t: &Tensor) -> f32 {
    t.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap().sqrt()
}
