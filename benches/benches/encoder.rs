//! A whole text through the encoder, in DistilBERT's shape, on every instruction set of this machine.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use distil_benches::{VOCABULARY, distilbert_shape};
use distil_runtime::{Artifact, Isa, Kernels, Model, Plan, Session, arena_len};
use distil_tests::{F32, INT8};

const LONGEST: usize = 384;

fn encoder(c: &mut Criterion) {
    for (name, storage) in [("int8", INT8), ("f32", F32)] {
        let bytes = distilbert_shape(storage);
        let artifact = Artifact::open(&bytes).expect("the model opens");
        let mut arena = vec![0; arena_len(&artifact, LONGEST, Plan::FAST)];
        let mut group = c.benchmark_group(format!("encoder, DistilBERT's shape, {name}"));
        group.sample_size(10);
        for tokens in [8, 32, 128, LONGEST] {
            let ids: Vec<u32> = (0..tokens as u32).map(|i| (i * 61 + 5) % VOCABULARY).collect();
            group.throughput(Throughput::Elements(tokens as u64));
            // Nobody waits for the reference; it is here to be compared with.
            for kernels in Kernels::available().filter(|kernels| kernels.isa() != Isa::Reference || tokens == 8) {
                let model = Model::with_isa(&artifact, kernels.isa()).expect("the instruction set is available");
                let mut session = Session::new(&model, &mut arena, LONGEST).expect("the arena suffices");
                group.bench_function(format!("{tokens} tokens, {}", kernels.isa()), |b| {
                    b.iter(|| session.encode_ids(&ids, None).expect("the ids are in range"));
                });
            }
        }
    }
}

criterion_group!(benches, encoder);
criterion_main!(benches);
