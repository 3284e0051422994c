//! The float reference against PyTorch: hidden states and vocabulary scores of the golden cases.

mod support;

use distil_tools::float::Encoder;
use distil_tools::hf::Model;
use safetensors::SafeTensors;

#[test]
fn case_a_agrees_with_pytorch() {
    check("case-a");
}

#[test]
fn case_b_agrees_with_pytorch() {
    check("case-b");
}

/// Every real token of the batch, for teacher (BERT) and student (DistilBERT). A padded token sees no other position
/// and is seen by none, so each sequence is computed alone, without its padding.
fn check(case: &str) {
    let Some(folder) = support::shared(&format!("golden/{case}")) else { return };
    let bytes = std::fs::read(folder.join("batch.safetensors")).unwrap();
    let batch = SafeTensors::deserialize(&bytes).unwrap();
    let length = batch.tensor("input_ids").unwrap().shape()[1];
    let (ids, mask) = (support::i64s(&batch, "input_ids"), support::i64s(&batch, "attention_mask"));
    for name in ["teacher", "student"] {
        let model = Model::read(&folder.join(name), None).unwrap();
        let encoder = Encoder::new(&model);
        let expected_hidden = support::f32s(&batch, &format!("{name}_hidden"));
        let expected_logits = support::f32s(&batch, &format!("{name}_logits"));
        let mut worst = (0.0f32, 0.0f32);
        for (row, (ids, mask)) in ids.chunks(length).zip(mask.chunks(length)).enumerate() {
            let real = mask.iter().take_while(|&&on| on == 1).count();
            assert!(real > 0 && mask[real..].iter().all(|&on| on == 0), "padding is at the end");
            let ids: Vec<u32> = ids[..real].iter().map(|&id| u32::try_from(id).unwrap()).collect();
            let hidden = encoder.hidden(&ids, &vec![0; real]);
            let logits = encoder.vocabulary(&hidden).unwrap();
            let at = |width: usize| row * length * width..(row * length + real) * width;
            worst.0 = worst.0.max(support::largest_difference(&hidden, &expected_hidden[at(model.config.hidden)]));
            worst.1 = worst.1.max(support::largest_difference(&logits, &expected_logits[at(model.config.vocab_size)]));
        }
        println!("{case} {name}: hidden {:.1e}, logits {:.1e}", worst.0, worst.1);
        assert!(worst.0 < 1e-4 && worst.1 < 1e-4, "{case} {name}: hidden {:e}, logits {:e}", worst.0, worst.1);
    }
}
