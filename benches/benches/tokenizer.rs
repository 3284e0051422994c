//! Text to ids, over the vocabulary as it lies in a packed file.

use std::hint::black_box;
use std::ops::ControlFlow;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use distil_benches::{TEXT, minilm_shape};
use distil_runtime::{Artifact, tokenizer};

fn tokenize(c: &mut Criterion) {
    let bytes = minilm_shape();
    let artifact = Artifact::open(&bytes).expect("the model opens");
    let tokenizer = tokenizer(artifact.config(), artifact.vocabulary());
    let mut group = c.benchmark_group("tokenizer");
    group.throughput(Throughput::Bytes(TEXT.len() as u64));
    group.bench_function("everyday English", |b| {
        b.iter(|| {
            let mut sum = 0;
            let _ = tokenizer.for_each(black_box(TEXT), |token| {
                sum += token.id;
                ControlFlow::<()>::Continue(())
            });
            sum
        });
    });
}

criterion_group!(benches, tokenize);
criterion_main!(benches);
