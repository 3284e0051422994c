//! The packed model answers like the float model it was made from.

use distil_format::{AlignedBytes, Artifact};
use distil_runtime::{Model, Plan, Session, arena_len};
use distil_tests::{F32, INT8, SENTENCES, models, packed, shared};
use distil_tools::float::Encoder;
use distil_tools::hf::{self, Pooling};
use distil_tools::pack::{Storage, pack};
use safetensors::SafeTensors;

/// Relative L2 distance.
fn distance(found: &[f32], expected: &[f32]) -> f64 {
    let square = |x: f64| x * x;
    let error: f64 = found.iter().zip(expected).map(|(&a, &b)| square(f64::from(a) - f64::from(b))).sum();
    (error / expected.iter().map(|&b| square(f64::from(b))).sum::<f64>()).sqrt()
}

#[test]
fn hidden_states_are_those_of_the_float_model() {
    for (name, fixture, storage) in models() {
        let folder = tempfile::tempdir().unwrap();
        fixture.write(folder.path()).unwrap();
        let float = hf::Model::read(folder.path(), None).unwrap();
        let bytes = packed(&fixture, storage);
        let artifact = Artifact::open(&bytes).unwrap();
        let model = Model::new(&artifact).unwrap();
        let mut arena = vec![0; arena_len(&artifact, 128, Plan::FAST)];
        let mut session = Session::new(&model, &mut arena, 128).unwrap();
        for text in SENTENCES {
            session.encode(text, None).unwrap();
            let types = vec![0; session.ids().len()];
            let expected = Encoder::new(&float).hidden(session.ids(), &types);
            let distance = distance(session.hidden(), &expected);
            println!("{name}: {distance:.2e}");
            assert!(distance < if storage == F32 { 2e-6 } else { 0.03 }, "{name}: {distance}");
        }
    }
}

#[test]
fn golden_students_pack_and_agree_with_pytorch() {
    for case in ["case-a", "case-b"] {
        for name in ["teacher", "student"] {
            golden(case, name, F32, 1e-5);
            golden(case, name, INT8, 0.05);
        }
    }
}

fn golden(case: &str, name: &str, storage: Storage, most: f64) {
    let Some(folder) = shared(&format!("golden/{case}")) else { return };
    let model = hf::Model::read(&folder.join(name), None).unwrap();
    let words = tempfile::NamedTempFile::new().unwrap();
    let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map(String::from);
    let rest = (special.len()..model.config.vocab_size).map(|i| format!("word{i}"));
    let entries: Vec<String> = special.into_iter().chain(rest).collect();
    std::fs::write(words.path(), entries.join("\n")).unwrap();
    let vocabulary = model.vocabulary(Some(words.path())).unwrap();
    let pooling = Pooling { cls: false, normalize: false };
    let bytes = AlignedBytes::copy_of(&pack(&model, &vocabulary, storage, pooling, |_, _| {}).unwrap());
    let artifact = Artifact::open(&bytes).unwrap();
    let packed = Model::new(&artifact).unwrap();

    let file = std::fs::read(folder.join("batch.safetensors")).unwrap();
    let batch = SafeTensors::deserialize(&file).unwrap();
    let integers = |name: &str| -> Vec<i64> {
        let data = batch.tensor(name).unwrap().data().to_vec();
        data.as_chunks::<8>().0.iter().map(|&bytes| i64::from_le_bytes(bytes)).collect()
    };
    let floats = |name: &str| -> Vec<f32> {
        let data = batch.tensor(name).unwrap().data().to_vec();
        data.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
    };
    let (ids, mask) = (integers("input_ids"), integers("attention_mask"));
    let hidden = floats(&format!("{name}_hidden"));
    let length = batch.tensor("input_ids").unwrap().shape()[1];
    let width = model.config.hidden;
    let mut arena = vec![0; arena_len(&artifact, length, Plan::FAST)];
    let mut session = Session::new(&packed, &mut arena, length).unwrap();
    let (mut found, mut expected) = (Vec::new(), Vec::new());
    for (row, ids) in ids.chunks(length).enumerate() {
        let real = mask[row * length..].iter().take(length).filter(|&&on| on == 1).count();
        let ids: Vec<u32> = ids[..real].iter().map(|&id| id.try_into().unwrap()).collect();
        session.encode_ids(&ids, None).unwrap();
        found.extend_from_slice(session.hidden());
        expected.extend_from_slice(&hidden[row * length * width..][..real * width]);
    }
    let distance = distance(&found, &expected);
    println!("{case} {name} {}: {distance:.2e}", storage.weights);
    assert!(distance < most, "{case} {name} {}: {distance}", storage.weights);
}
