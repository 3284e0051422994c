//! What two layers cost on a GPU, as counted without one. A change of these numbers is a change of the GPU's work.

use candle_core::{DType, Device};
use distil_train::data::Batch;
use distil_train::loss::{Objective, losses};
use distil_train::model::{Architecture, Model, ModelConfig, random};
use distil_train::ops::trace::{self, Pass};
use distil_train::ops::{Dropout, IGNORE};
use distil_train::rng::{Purpose, stream};

#[test]
fn launches_of_a_step() {
    let config = ModelConfig {
        architecture: Architecture::DistilBert,
        vocab_size: 40,
        hidden: 64,
        layers: 2,
        heads: 2,
        intermediate: 128,
        max_positions: 16,
        type_vocab: 0,
        layer_norm_eps: 1e-12,
        dropout: 0.1,
        attention_dropout: 0.1,
        initializer_range: 0.1,
        pad_id: 0,
        head: distil_train::model::Head::MaskedLm,
    };
    let parameters = random(&config, 1, &Device::Cpu).unwrap().train(&config, |_| false).unwrap();
    let student = Model::new(config, parameters, DType::F32).unwrap();
    let batch = Batch {
        ids: (0..16).collect(),
        positions: (0..16).collect(),
        labels: (0..16).map(|i| if i % 4 == 0 { i } else { IGNORE }).collect(),
        lengths: vec![16],
        ..Batch::default()
    };
    let run = || {
        let mut dropout = Dropout::on(stream(1, Purpose::Dropout, 0));
        losses(&student, None, &batch, &Objective::MASKED_LM, &mut dropout).unwrap().total.backward().unwrap()
    };
    run();
    assert!(trace::take().is_empty(), "nothing is counted before it is asked for");
    let guard = trace::start();
    run();
    drop(guard);
    let entries = trace::take();
    run();
    assert!(trace::take().is_empty(), "nor afterwards");

    let launches: Vec<_> = entries.iter().map(|e| (e.op, e.pass, e.launches)).collect();
    for expected in [
        // Two tiles' kernels each way, and the sums of products before the backward pass.
        ("attention", Pass::Forward, 2),
        ("attention", Pass::Backward, 2 * 3),
        // Two feed-forward layers and the head; backward with the sum of partial bias gradients.
        ("bias_gelu", Pass::Forward, 3),
        ("bias_gelu", Pass::Backward, 3 * 2),
        ("embeddings", Pass::Forward, 1),
        // LayerNorm and its parameters; for words and positions zeros, runs, entries.
        ("embeddings", Pass::Backward, 2 + 2 * 3),
        ("layer_norm", Pass::Forward, 1),
        ("layer_norm", Pass::Backward, 2),
        // With a bias cast, product, bias; without one cast and product. Queries, keys and values: three casts, one product.
        ("linear", Pass::Forward, 2 * (3 * 3 + 2 + 2) + 2),
        // Products for input and weight; with a bias two stages of its sum.
        ("linear", Pass::Backward, 2 * (3 * 4 + 2) + 2),
        ("residual_norm", Pass::Forward, 4),
        ("residual_norm", Pass::Backward, 4 * 2),
        // Cast, logits, losses, two products, two stages of the bias, totals.
        ("vocabulary_loss", Pass::Forward, 8),
        ("vocabulary_loss", Pass::Backward, 3),
    ] {
        assert!(launches.contains(&expected), "{expected:?} is not in {launches:?}");
    }
    let entry = |op, pass| entries.iter().find(|e| e.op == op && e.pass == pass).unwrap();
    // 16 rows of 64 numbers of 2 bytes, two read and one written, and two parameters of 4 bytes; two layers, two norms each.
    assert_eq!(entry("residual_norm", Pass::Forward).bytes, 4 * (3 * 16 * 64 * 2 + 2 * 64 * 4));
    // Scores and weighted values of 16 x 16 pairs, two layers.
    assert_eq!(entry("attention", Pass::Forward).flops, 2 * 2 * 2 * 16 * 16 * 64);
    // What is used twice: the words as table and projection, and in a layer the input of attention and that of the feed-forward network.
    assert_eq!(entry("sums of gradients", Pass::Backward).launches, 1 + 2 * 2);
}
