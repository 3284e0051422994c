//! A damaged file is refused, whatever the damage.

use distil_format::{AlignedBytes, Artifact, OpenError};
use distil_tests::{INT8, packed};
use distil_tools::fixture::Fixture;

fn small() -> AlignedBytes {
    packed(&Fixture { hidden: 8, heads: 2, layers: 1, intermediate: 8, vocab_size: 120, ..Fixture::default() }, INT8)
}

fn refused(bytes: &[u8]) -> OpenError {
    Artifact::open(bytes).expect_err("a damaged file was accepted")
}

#[test]
fn every_truncation_is_refused() {
    let bytes = small();
    assert!(Artifact::open(&bytes).is_ok());
    for len in 0..bytes.len() {
        assert!(!refused(&bytes[..len]).to_string().is_empty());
    }
}

#[test]
fn every_changed_byte_is_refused() {
    let mut bytes = small();
    for at in 0..bytes.len() {
        for flip in [1, 0x80, 0xff] {
            bytes[at] ^= flip;
            refused(&bytes);
            bytes[at] ^= flip;
        }
    }
    assert!(Artifact::open(&bytes).is_ok());
}

#[test]
fn bytes_behind_the_end_are_refused() {
    let bytes = small();
    let mut longer = AlignedBytes::zeroed(bytes.len() + 64);
    longer[..bytes.len()].copy_from_slice(&bytes);
    refused(&longer);
}
