//! From the bytes of a file to a session that can answer.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use distil_benches::minilm_shape;
use distil_runtime::{Artifact, Model, Plan, Session, arena_len, xxh32};

fn open(c: &mut Criterion) {
    let bytes = minilm_shape();
    let mut group = c.benchmark_group("open");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("checksum alone", |b| b.iter(|| xxh32(black_box(&bytes), 0)));
    group.bench_function("Artifact::open, everything checked", |b| {
        b.iter(|| Artifact::open(black_box(&bytes)).map(|artifact| artifact.checksum()));
    });
    group.bench_function("Artifact::open_unverified", |b| {
        b.iter(|| Artifact::open_unverified(black_box(&bytes)).map(|artifact| artifact.checksum()));
    });
    let artifact = Artifact::open(&bytes).expect("the model opens");
    let mut arena = vec![0; arena_len(&artifact, 128, Plan::FAST)];
    group.bench_function("Model::new and Session::new", |b| {
        b.iter(|| {
            let model = Model::new(black_box(&artifact)).expect("the model is readable");
            Session::new(&model, &mut arena, 128).map(|session| session.ids().len()).expect("the arena suffices")
        });
    });
}

criterion_group!(benches, open);
criterion_main!(benches);
