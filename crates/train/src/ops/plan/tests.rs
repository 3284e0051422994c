//! Every kernel, in both types, against the CPU's operations: results and gradients, at sizes that fit no block.

mod losses;

use super::*;
use crate::ops::machine::emulated::{Buffer, Emulated};
use crate::ops::machine::{Kind, Machine};
use crate::ops::testing::random;
use crate::ops::{Dropout, Mask, Sequences};
use crate::rng::{Purpose, stream};
use candle_core::{Device, Result, Tensor, Var};
use std::sync::Arc;

/// How far a kernel may be from the CPU, relative to the size of the numbers: sums in another order, or storage in bf16.
fn bound(kind: Kind) -> f32 {
    if kind == Kind::Bf16 { 1.5e-2 } else { 4e-6 }
}

/// Numbers that both types hold.
fn rounded(shape: &[usize], seed: u64) -> Tensor {
    random(shape, seed).to_dtype(candle_core::DType::BF16).unwrap().to_dtype(candle_core::DType::F32).unwrap()
}

fn values(t: &Tensor) -> Vec<f32> {
    t.flatten_all().unwrap().to_vec1().unwrap()
}

fn buffer(kind: Kind, t: &Tensor) -> Buffer {
    Buffer::new(kind, &values(t))
}

/// Compares by the size of the error against the size of the numbers.
fn close(what: &str, kind: Kind, got: &Buffer, exact: &Tensor) {
    let (got, exact) = (got.values(), values(exact));
    assert_eq!(got.len(), exact.len(), "{what}");
    let norm = |v: &mut dyn Iterator<Item = f32>| v.map(|v| f64::from(v).powi(2)).sum::<f64>().sqrt() as f32;
    let size = norm(&mut exact.iter().copied());
    let error = norm(&mut got.iter().zip(&exact).map(|(a, b)| a - b)) / size;
    assert!(size > 0.0 && error <= bound(kind), "{what} {kind:?}: relative error {error}");
    // No single number far off, which the norm of many would hide.
    let largest = exact.iter().fold(0.0f32, |m, v| m.max(v.abs()));
    for (i, (a, b)) in got.iter().zip(&exact).enumerate() {
        assert!((a - b).abs() <= 2.0 * bound(kind) * largest, "{what} {kind:?}, number {i}: {a}, not {b}");
    }
}

/// The result of `f`, and the gradients of its inputs for the gradient `upstream` of the result.
fn twin(inputs: &[&Tensor], upstream: &Tensor, f: impl Fn(&[Tensor]) -> Result<Tensor>) -> (Tensor, Vec<Tensor>) {
    let vars: Vec<Var> = inputs.iter().map(|t| Var::from_tensor(t).unwrap()).collect();
    let tensors: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
    let out = f(&tensors).unwrap();
    let grads = (&out * upstream).unwrap().sum_all().unwrap().backward().unwrap();
    (out, tensors.iter().map(|t| grads.get(t).unwrap().clone()).collect())
}

fn mask(p: f64, len: usize) -> Mask {
    let mut dropout = Dropout::on(stream(3, Purpose::Dropout, 0));
    // Not at the beginning of the sequence.
    dropout.mask(p, 1000).unwrap();
    dropout.mask(p, len).unwrap()
}

const KINDS: [Kind; 2] = [Kind::F32, Kind::Bf16];

#[test]
fn residual_norm_in_every_variant() {
    let Some(machine) = Emulated::start() else { return };
    for h in [5, 96, 264, 384, 768, 1000, 301] {
        for (n, p) in [(9, 0.1), (3, 0.0)] {
            let (y, r, g, b) = (rounded(&[n, h], 1), rounded(&[n, h], 2), random(&[h], 3), random(&[h], 4));
            let upstream = rounded(&[n, h], 5);
            let mask = (p > 0.0).then(|| mask(p, n * h));
            let (out, grads) = twin(&[&y, &r, &g, &b], &upstream, |t| {
                crate::ops::layer_norm(&crate::ops::dropout_add(&t[0], &t[1], mask)?, &t[2], &t[3], 1e-5)
            });
            for kind in KINDS {
                let [y, r, upstream] = [&y, &r, &upstream].map(|t| buffer(kind, t));
                let [gamma, beta] = [&g, &b].map(|t| buffer(Kind::F32, t));
                let sum = norm::Sum { y: &y, residual: Some(&r), mask };
                let shape = norm::Shape { n, h, eps: 1e-5 };
                let got = norm::residual_norm(&machine, kind, &sum, (&gamma, &beta), shape).unwrap();
                close("norm", kind, &got, &out);
                let got = norm::residual_norm_backward(&machine, kind, &sum, &gamma, &upstream, shape).unwrap();
                close("norm's residual", kind, &got.sum, &grads[1]);
                close("norm's input", kind, got.y.as_ref().unwrap_or(&got.sum), &grads[0]);
                let exact = Tensor::cat(&[&grads[2], &grads[3]], 0).unwrap();
                close("norm's parameters", kind, &got.parameters, &exact);
            }
        }
    }
}

#[test]
fn a_plain_norm_of_many_rows() {
    let Some(machine) = Emulated::start() else { return };
    // A warp takes several rows from 2049 on.
    let (n, h) = (2100, 8);
    let (x, g, b, upstream) = (rounded(&[n, h], 1), random(&[h], 2), random(&[h], 3), rounded(&[n, h], 4));
    let (_, grads) = twin(&[&x, &g, &b], &upstream, |t| crate::ops::layer_norm(&t[0], &t[1], &t[2], 1e-5));
    let [x, upstream] = [&x, &upstream].map(|t| buffer(Kind::F32, t));
    let sum = norm::Sum { y: &x, residual: None, mask: None };
    let shape = norm::Shape { n, h, eps: 1e-5 };
    let gamma = buffer(Kind::F32, &g);
    let got = norm::residual_norm_backward(&machine, Kind::F32, &sum, &gamma, &upstream, shape).unwrap();
    close("input", Kind::F32, &got.sum, &grads[0]);
    close("parameters", Kind::F32, &got.parameters, &Tensor::cat(&[&grads[1], &grads[2]], 0).unwrap());
}

#[test]
fn gelu_with_and_without_a_bias() {
    let Some(machine) = Emulated::start() else { return };
    for (n, m) in [(3, 5), (150, 40), (70, 264)] {
        let (x, b, upstream) = (rounded(&[n, m], 1), random(&[m], 2), rounded(&[n, m], 3));
        let (out, grads) = twin(&[&x, &b], &upstream, |t| crate::ops::gelu(&t[0].broadcast_add(&t[1])?));
        let (plain, plain_grads) = twin(&[&x], &upstream, |t| crate::ops::gelu(&t[0]));
        for kind in KINDS {
            let [x, upstream] = [&x, &upstream].map(|t| buffer(kind, t));
            let bias = buffer(Kind::F32, &b);
            close("gelu", kind, &columns::bias_gelu(&machine, kind, &x, Some(&bias), (n, m)).unwrap(), &out);
            let (dx, db) = columns::bias_gelu_backward(&machine, kind, (&x, Some(&bias)), &upstream, (n, m)).unwrap();
            close("gelu's input", kind, &dx, &grads[0]);
            close("gelu's bias", kind, &db.unwrap(), &grads[1]);
            close("plain gelu", kind, &columns::bias_gelu(&machine, kind, &x, None, (n, m)).unwrap(), &plain);
            let (dx, db) = columns::bias_gelu_backward(&machine, kind, (&x, None), &upstream, (n, m)).unwrap();
            close("plain gelu's input", kind, &dx, &plain_grads[0]);
            assert!(db.is_none());
        }
    }
}

#[test]
fn linear_maps() {
    let Some(machine) = Emulated::start() else { return };
    for (n, k, m) in [(7, 5, 3), (70, 16, 24)] {
        let (x, w, b) = (rounded(&[n, k], 1), rounded(&[m, k], 2), random(&[m], 3));
        let upstream = rounded(&[n, m], 4);
        let (out, grads) = twin(&[&x, &w, &b], &upstream, |t| crate::ops::linear(&t[0], &t[1], &t[2]));
        for kind in KINDS {
            let [x, upstream] = [&x, &upstream].map(|t| buffer(kind, t));
            let [weight, bias] = [&w, &b].map(|t| buffer(Kind::F32, t));
            // In two parts, as matrices are that share a product.
            let first = m.min(8);
            let halves = [w.narrow(0, 0, first), w.narrow(0, first, m - first)].map(Result::unwrap);
            let halves = halves.iter().filter(|half| half.elem_count() > 0);
            let parts: Vec<_> = halves.map(|half| (buffer(Kind::F32, half), half.elem_count())).collect();
            let cast = (kind == Kind::Bf16).then(|| elementwise::joined_bf16(&machine, &parts).unwrap());
            let weight = cast.as_ref().unwrap_or(&weight);
            let shape = linear::Shape { n, k, m };
            close("linear", kind, &linear::linear(&machine, kind, &x, weight, Some(&bias), shape).unwrap(), &out);
            let dx = linear::input_gradient(&machine, kind, &upstream, weight, shape).unwrap();
            close("linear's input", kind, &dx, &grads[0]);
            let dw = linear::weight_gradient(&machine, kind, &upstream, &x, shape).unwrap();
            close("linear's weight", Kind::F32, &dw, &grads[1]);
            let db = linear::bias_gradient(&machine, kind, &upstream, shape).unwrap();
            close("linear's bias", Kind::F32, &db, &grads[2]);
        }
    }
}

#[test]
fn dropout_draws_the_mask_of_the_cpu() {
    let Some(machine) = Emulated::start() else { return };
    for n in [8 * 300, 77] {
        let (x, r, mask) = (rounded(&[n], 1), rounded(&[n], 2), mask(0.3, n));
        for kind in KINDS {
            let [bx, br] = [&x, &r].map(|t| buffer(kind, t));
            let got = elementwise::dropout(&machine, kind, &bx, Some(&br), &mask, n).unwrap();
            close("dropout", kind, &got, &crate::ops::dropout_add(&x, &r, Some(mask)).unwrap());
            let got = elementwise::dropout(&machine, kind, &bx, None, &mask, n).unwrap();
            let exact = crate::ops::dropout_rows(&x, Some(mask)).unwrap();
            close("dropout alone", kind, &got, &exact);
            // Exactly the same elements are dropped.
            let zeros = |v: Vec<f32>| v.iter().map(|v| *v == 0.0).collect::<Vec<_>>();
            assert_eq!(zeros(got.values()), zeros(values(&exact)));
        }
    }
}

#[test]
fn attention_in_tiles_and_plain() {
    let Some(machine) = Emulated::start() else { return };
    // One token, less than a tile, one and a bit, exactly two; the plain kernels take no tiles.
    let (tiled, plain) = ([1, 40, 70, 128], [1, 9, 3, 40]);
    let heads = 2;
    for (d, kinds, lengths) in [
        (64, &KINDS[1..], tiled),
        (32, &KINDS[1..], tiled),
        (32, &KINDS[..1], plain),
        (5, &KINDS[..], plain),
        (40, &KINDS[1..], plain),
    ] {
        let sequences = Arc::new(Sequences::new(lengths));
        let (rows, h) = (sequences.rows(), heads * d);
        let (qkv, upstream) = (rounded(&[rows, 3 * h], 1), rounded(&[rows, h], 2));
        for mask in [None, Some(mask(0.2, heads * sequences.pairs()))] {
            let (out, grads) = twin(&[&qkv], &upstream, |t| crate::ops::attention(&t[0], &sequences, heads, mask));
            for &kind in kinds {
                let [qkv, upstream] = [&qkv, &upstream].map(|t| buffer(kind, t));
                let places = attention::Places::new(&machine, &sequences).unwrap();
                let shape = attention::Shape { sequences: &sequences, heads, d, mask };
                let (got, sums) = attention::attention(&machine, kind, &qkv, &places, shape).unwrap();
                let what = format!("attention, heads of {d}, {mask:?}");
                close(&what, kind, &got, &out);
                let saved = attention::Saved { out: &got, sums: &sums };
                let got =
                    attention::attention_backward(&machine, kind, &qkv, &saved, &upstream, &places, shape).unwrap();
                close(&format!("gradient of {what}"), kind, &got, &grads[0]);
            }
        }
    }
}

#[test]
fn embeddings_and_their_tables() {
    let Some(machine) = Emulated::start() else { return };
    let (n, v, positions, h) = (90, 11, 7, 24);
    let ids: Vec<u32> = (0..n).map(|i| if i % 2 == 0 { 3 } else { i * 5 % v }).collect();
    let places: Vec<u32> = (0..n).map(|i| i % positions).collect();
    let n = n as usize;
    let tables = [random(&[v as usize, h], 1), random(&[positions as usize, h], 2), random(&[2, h], 3)];
    let (g, b, upstream) = (random(&[h], 4), random(&[h], 5), rounded(&[n, h], 6));
    let index = |v: &[u32]| Tensor::new(v, &Device::Cpu).unwrap();
    for mask in [None, Some(mask(0.1, n * h))] {
        let inputs = [&tables[0], &tables[1], &tables[2], &g, &b];
        let (out, grads) = twin(&inputs, &upstream, |t| {
            let sum = (t[0].index_select(&index(&ids), 0)? + t[1].index_select(&index(&places), 0)?)?;
            let sum = sum.broadcast_add(&t[2].get(0)?)?;
            crate::ops::dropout_rows(&crate::ops::layer_norm(&sum, &t[3], &t[4], 1e-5)?, mask)
        });
        for kind in KINDS {
            let [words, at, types] = tables.each_ref().map(|t| buffer(Kind::F32, t));
            let [gamma, beta] = [&g, &b].map(|t| buffer(Kind::F32, t));
            let [on_ids, on_places] = [&ids, &places].map(|v| machine.upload(v).unwrap());
            let looked = embedding::Tables {
                words: &words,
                positions: &at,
                types: Some(&types),
                ids: &on_ids,
                places: &on_places,
            };
            let shape = norm::Shape { n, h, eps: 1e-5 };
            let got =
                embedding::embedding_norm(&machine, kind, &looked, (&gamma, &beta), shape, mask.as_ref()).unwrap();
            close("embeddings", kind, &got, &out);
            let upstream = buffer(kind, &upstream);
            let (dz, parameters) =
                embedding::embedding_norm_backward(&machine, kind, &looked, &gamma, &upstream, shape, mask.as_ref())
                    .unwrap();
            close("embedding norm", Kind::F32, &parameters, &Tensor::cat(&[&grads[3], &grads[4]], 0).unwrap());
            for (what, indices, entries, exact) in
                [("words", &ids, v, &grads[0]), ("positions", &places, positions, &grads[1])]
            {
                let lookups = embedding::Lookups::new(indices);
                let got = embedding::table_gradient(&machine, &dz, &lookups, entries as usize, h).unwrap();
                close(what, Kind::F32, &got, exact);
            }
            close("types", Kind::F32, &embedding::type_gradient(&machine, &dz, 2, (n, h)).unwrap(), &grads[2]);
        }
    }
}

#[test]
fn cosine_and_its_gradient() {
    let Some(machine) = Emulated::start() else { return };
    let (n, h) = (37, 45);
    let (s, t) = (rounded(&[n, h], 1), rounded(&[n, h], 2));
    let upstream = Tensor::new(0.7f32, &Device::Cpu).unwrap();
    let (out, grads) = twin(&[&s], &upstream, |v| crate::ops::cosine_loss(&v[0], &t));
    for kind in KINDS {
        let [s, t] = [&s, &t].map(|t| buffer(kind, t));
        close("cosine", Kind::F32, &cosine::cosine(&machine, kind, &s, &t, (n, h)).unwrap(), &out);
        let grad = buffer(Kind::F32, &upstream);
        let got = cosine::cosine_backward(&machine, kind, (&s, &t), &grad, (n, h)).unwrap();
        close("cosine's gradient", kind, &got, &grads[0]);
    }
}

#[test]
fn scaling_and_sums_of_squares() {
    let Some(machine) = Emulated::start() else { return };
    let (x, factor) = (rounded(&[1000], 1), Tensor::new(&[0.25f32], &Device::Cpu).unwrap());
    for kind in KINDS {
        let on = buffer(kind, &x);
        elementwise::scale(&machine, kind, &on, &buffer(Kind::F32, &factor), 1000).unwrap();
        close("scale", kind, &on, &(&x * 0.25).unwrap());
    }
    let lengths = [1usize, 70_000, 333];
    let tensors: Vec<Tensor> = lengths.iter().zip(1..).map(|(&n, seed)| random(&[n], seed)).collect();
    let on: Vec<_> = tensors.iter().map(|t| (buffer(Kind::F32, t), t.elem_count())).collect();
    let exact: f32 = tensors.iter().map(|t| t.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap()).sum();
    let exact = Tensor::new(&[exact], &Device::Cpu).unwrap();
    close("squares", Kind::F32, &elementwise::square_sum(&machine, &on).unwrap(), &exact);
}

/// The test of the tests: a kernel given a wrong argument must not pass.
#[test]
#[should_panic(expected = "relative error")]
fn a_wrong_kernel_is_caught() {
    let Some(machine) = Emulated::start() else { panic!("relative error cannot be found without a compiler") };
    let (x, mask) = (rounded(&[800], 1), mask(0.3, 800));
    let moved = Mask { offset: mask.offset + 1, ..mask };
    let got = elementwise::dropout(&machine, Kind::F32, &buffer(Kind::F32, &x), None, &moved, 800).unwrap();
    close("dropout", Kind::F32, &got, &crate::ops::dropout_rows(&x, Some(mask)).unwrap());
}
