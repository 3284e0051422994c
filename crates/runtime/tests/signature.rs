//! Signatures: the published vectors, and everything that must not pass.
#![cfg(feature = "signature")]

use distil_runtime::OpenError;
use distil_runtime::signature::{PUBLIC_KEY_LEN, SIGNATURE_LEN, SignatureError, SignedError, check, open, public_key};

fn bytes<const N: usize>(hex: &str) -> [u8; N] {
    assert_eq!(hex.len(), 2 * N);
    std::array::from_fn(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("hexadecimal digits"))
}

/// RFC 8032, section 7.1, test 3.
const KEY: &str = "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025";
const MESSAGE: [u8; 2] = [0xAF, 0x82];
const SIGNATURE: &str = "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac\
                         18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a";

/// RFC 8032, section 7.1, test 1: another key, the empty message.
const OTHER_KEY: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
const EMPTY_SIGNATURE: &str = "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555\
                               fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b";

#[test]
fn published_signatures_are_right() {
    assert_eq!(check(&MESSAGE, &bytes::<SIGNATURE_LEN>(SIGNATURE), &bytes(KEY)), Ok(()));
    assert_eq!(check(&[], &bytes::<SIGNATURE_LEN>(EMPTY_SIGNATURE), &bytes(OTHER_KEY)), Ok(()));
}

#[test]
fn every_flipped_bit_is_found() {
    let (key, signature) = (bytes::<PUBLIC_KEY_LEN>(KEY), bytes::<SIGNATURE_LEN>(SIGNATURE));
    for bit in 0..8 * SIGNATURE_LEN {
        let mut signature = signature;
        signature[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(check(&MESSAGE, &signature, &key), Err(SignatureError::Mismatch), "signature, bit {bit}");
    }
    for bit in 0..16 {
        let mut message = MESSAGE;
        message[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(check(&message, &signature, &key), Err(SignatureError::Mismatch), "message, bit {bit}");
    }
    for bit in 0..8 * PUBLIC_KEY_LEN {
        let mut key = key;
        key[bit / 8] ^= 1 << (bit % 8);
        assert!(check(&MESSAGE, &signature, &key).is_err(), "key, bit {bit}");
    }
}

#[test]
fn another_key_or_length_is_refused() {
    let signature = bytes::<SIGNATURE_LEN>(SIGNATURE);
    assert_eq!(check(&MESSAGE, &signature, &bytes(OTHER_KEY)), Err(SignatureError::Mismatch));
    for found in 0..SIGNATURE_LEN {
        assert_eq!(check(&MESSAGE, &signature[..found], &bytes(KEY)), Err(SignatureError::Length { found }));
    }
    let longer = [&signature[..], &[0]].concat();
    assert_eq!(check(&MESSAGE, &longer, &bytes(KEY)), Err(SignatureError::Length { found: 65 }));
}

/// With a point of small order as the key and as the signature's point, a signature would be valid for any file.
#[test]
fn keys_of_small_order_are_refused() {
    let mut identity = [0; PUBLIC_KEY_LEN];
    identity[0] = 1;
    let mut signature = [0; SIGNATURE_LEN];
    signature[0] = 1;
    for message in [&b"one"[..], b"another"] {
        assert_eq!(check(message, &signature, &identity), Err(SignatureError::PublicKey));
    }
}

/// The order of the group added to the second half is the same signature to those who do not look.
#[test]
fn the_other_encoding_of_a_signature_is_refused() {
    let order = bytes::<32>("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let mut signature = bytes::<SIGNATURE_LEN>(SIGNATURE);
    let mut carry = 0;
    for (byte, order) in signature[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        (*byte, carry) = (sum as u8, sum >> 8);
    }
    assert_eq!(check(&MESSAGE, &signature, &bytes(KEY)), Err(SignatureError::Mismatch));
}

#[test]
fn the_signature_comes_before_the_file() {
    let (key, signature) = (bytes::<PUBLIC_KEY_LEN>(KEY), bytes::<SIGNATURE_LEN>(SIGNATURE));
    let unsigned = open(b"not a model", &signature, &key).map(|_| ());
    assert_eq!(unsigned, Err(SignedError::Signature(SignatureError::Mismatch)));
    // What is signed is no model: that is found, too. (An address may be wrong before a length is.)
    let signed = open(&MESSAGE, &signature, &key).map(|_| ());
    assert!(matches!(signed, Err(SignedError::Open(OpenError::TooShort { .. } | OpenError::Misaligned))), "{signed:?}");
}

#[test]
fn keys_are_read_from_their_text() {
    const TEXT: &str =
        "distil ed25519 public key 1\nfc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025\n";
    // As firmware does it: the compiler reads the text.
    const MADE: [u8; PUBLIC_KEY_LEN] = match public_key(TEXT) {
        Ok(key) => key,
        Err(_) => panic!("no key"),
    };
    assert_eq!(MADE, bytes(KEY));
    assert_eq!(public_key(TEXT.trim_end()), Ok(MADE));
    for wrong in [
        "",
        KEY,
        "distil ed25519 public key 1\n",
        &TEXT[..TEXT.len() - 2],
        &TEXT.replace("public", "secret"),
        &TEXT.replace("\nfc", "\nFC"),
        &TEXT.replace('\n', "\r\n"),
        &format!("{TEXT}\n"),
        &TEXT.replace("fc51", "fc5é"),
    ] {
        assert_eq!(public_key(wrong), Err(SignatureError::KeyText), "{wrong:?}");
    }
}
