//! A whole sentence through the encoder, on every instruction set of this machine.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use distil_benches::minilm_shape;
use distil_runtime::{Artifact, Kernels, Model, Plan, Session, arena_len};

fn encoder(c: &mut Criterion) {
    let bytes = minilm_shape();
    let artifact = Artifact::open(&bytes).expect("the model opens");
    let mut arena = vec![0; arena_len(&artifact, 128, Plan::FAST)];
    let mut group = c.benchmark_group("encoder, MiniLM shape, int8");
    group.sample_size(20);
    for tokens in [8, 32, 128] {
        let ids: Vec<u32> = (0..tokens).map(|i| (i * 61 + 5) % 8_192).collect();
        group.throughput(Throughput::Elements(u64::from(tokens)));
        for kernels in Kernels::available() {
            let model = Model::with_isa(&artifact, kernels.isa()).expect("the instruction set is available");
            let mut session = Session::new(&model, &mut arena, 128).expect("the arena suffices");
            group.bench_function(format!("{tokens} tokens, {}", kernels.isa()), |b| {
                b.iter(|| session.encode_ids(&ids, None).expect("the ids are in range"));
            });
        }
    }
}

criterion_group!(benches, encoder);
criterion_main!(benches);
