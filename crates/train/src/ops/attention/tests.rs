//! The fused operation against its composition, and finite differences.

use super::*;
use crate::ops::Dropout;
use crate::ops::testing::{check_gradient, distance, random};
use crate::rng::{Purpose, stream};

fn case() -> (Arc<Sequences>, Mask) {
    let sequences = Arc::new(Sequences::new([3, 7, 1, 5]));
    let mut dropout = Dropout::on(stream(3, Purpose::Dropout, 0));
    let mask = dropout.mask(0.3, 2 * sequences.pairs()).unwrap();
    (sequences, mask)
}

#[test]
fn fused_equals_composed_with_and_without_dropout() {
    let (sequences, mask) = case();
    let qkv = random(&[16, 3 * 2 * 5], 1);
    for mask in [None, Some(mask)] {
        let fused = attention(&qkv, &sequences, 2, mask).unwrap();
        let composed = composed(&qkv, &sequences, 2, mask).unwrap();
        assert!(distance(&fused, &composed) < 2e-6);
    }
}

#[test]
fn gradients() {
    let (sequences, mask) = case();
    let weights = random(&[16, 10], 2);
    for mask in [None, Some(mask)] {
        check_gradient(&[random(&[16, 30], 1)], |v| (attention(&v[0], &sequences, 2, mask)? * &weights)?.sum_all());
        check_gradient(&[random(&[16, 30], 1)], |v| (composed(&v[0], &sequences, 2, mask)? * &weights)?.sum_all());
    }
}
