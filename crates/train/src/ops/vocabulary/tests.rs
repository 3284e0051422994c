//! The fused loss against the composed one, and both against finite differences.

use super::*;
use crate::ops::testing::{check_gradient, distance, random};
use candle_core::Var;

const ROWS: usize = 40;

fn projection(h: usize, v: usize, seed: u64) -> Projection {
    Projection { hidden: random(&[ROWS, h], seed), weight: random(&[v, h], seed + 1), bias: random(&[v], seed + 2) }
}

fn targets(v: usize, teacher: bool) -> Targets {
    Targets {
        labels: (0..ROWS as u32).map(|i| if i % 3 == 0 { i * 7 % v as u32 } else { IGNORE }).collect(),
        teacher: teacher.then(|| projection(5, v, 50)),
        temperature: 2.0,
        alpha_ce: 5.0,
        alpha_mse: 0.3,
        alpha_mlm: 2.0,
    }
}

#[test]
fn fused_equals_composed_with_gradients() {
    // Both sizes make several chunks.
    for (v, teacher) in [(37, true), (37, false), (301, true)] {
        let p = projection(4, v, 10);
        let run = |f: &dyn Fn(&Projection) -> Result<VocabularyLoss>| {
            let vars = [&p.hidden, &p.weight, &p.bias].map(|t| Var::from_tensor(t).unwrap());
            let [hidden, weight, bias] = vars.each_ref().map(|v| v.as_tensor().clone());
            let loss = f(&Projection { hidden, weight, bias }).unwrap();
            let grads = loss.total.backward().unwrap();
            let scalars = [&loss.total, &loss.ce, &loss.mse, &loss.mlm].map(|t| t.to_scalar::<f32>().unwrap());
            (scalars, vars.map(|v| grads.get(v.as_tensor()).unwrap().clone()))
        };
        let (fused, fused_grads) = run(&|p| vocabulary_loss(p, targets(v, teacher)));
        let (exact, exact_grads) = run(&|p| composed(p, &targets(v, teacher)));
        for (a, b) in fused.iter().zip(exact) {
            assert!((a - b).abs() <= 1e-5 * b.abs(), "{fused:?} {exact:?}");
        }
        for (a, b) in fused_grads.iter().zip(&exact_grads) {
            assert!(distance(a, b) < 2e-6, "vocabulary {v}");
        }
    }
}

#[test]
fn gradients() {
    let p = projection(4, 23, 10);
    check_gradient(&[p.hidden, p.weight, p.bias], |x| {
        let [hidden, weight, bias] = [0, 1, 2].map(|i| x[i].clone());
        Ok(vocabulary_loss(&Projection { hidden, weight, bias }, targets(23, true))?.total)
    });
}

#[test]
fn a_scaled_loss_scales_the_gradient() {
    let p = projection(4, 23, 10);
    let gradient = |scale: f64| {
        let bias = Var::from_tensor(&p.bias).unwrap();
        let p = Projection { bias: bias.as_tensor().clone(), ..p.clone() };
        let loss = (vocabulary_loss(&p, targets(23, true)).unwrap().total * scale).unwrap();
        loss.backward().unwrap().get(bias.as_tensor()).unwrap().clone()
    };
    assert!(distance(&(gradient(1.0) * 0.25).unwrap(), &gradient(0.25)) < 1e-7);
}

#[test]
fn statistics_find_the_most_likely_tokens() {
    let (p, targets) = (projection(4, 23, 10), targets(23, true));
    let statistics = vocabulary_statistics(&p, &targets).unwrap();
    let logits = |p: &Projection| {
        let logits = p.hidden.matmul(&p.weight.t().unwrap()).unwrap();
        let logits = logits.broadcast_add(&p.bias).unwrap();
        logits.argmax(1).unwrap().to_vec1::<u32>().unwrap()
    };
    let (tops, teacher) = (logits(&p), logits(targets.teacher.as_ref().unwrap()));
    for (i, s) in statistics.iter().enumerate() {
        assert_eq!((s.top, s.teacher_top), (tops[i], teacher[i]), "row {i}");
    }
    assert!(statistics.iter().all(|s| s.kl > 0.0));
}
