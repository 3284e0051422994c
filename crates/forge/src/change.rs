//! A file from any bytes: one of the small files with some changes, or the bytes themselves.
//!
//! Changes know where the parts of a file are, so that they meet numbers where numbers stand; afterwards the length in
//! the header and the checksum are mostly set right, so that the checks behind them are reached.

use std::ops::Range;
use std::sync::OnceLock;

use distil_format::{AlignedBytes, Artifact, xxh32};

use crate::input::Input;
use crate::model::{file, kinds};

/// Where the header has the file's length.
const LENGTH: Range<usize> = 16..24;
/// Where it has the checksum.
const CHECKSUM: Range<usize> = 24..28;
/// Header and section table.
const FRONT: Range<usize> = 0..256;
/// Most bytes of a file that is made here: a bound for the time it takes.
const MOST: usize = 1 << 16;

/// Numbers that are the edge of something: bounds of the format, of types, of floats.
const EDGES: [u64; 16] = [
    0,
    1,
    63,
    64,
    255,
    256,
    8192,
    0x7FFF,
    0xFFFF,
    0x7FFF_FFFF,
    0x8000_0000,
    0xFFFF_FFFF,
    0x7F7F_FFFF_7F7F_FFFF,
    0x7F80_0000_FFC0_0000,
    0x7FFF_FFFF_FFFF_FFFF,
    u64::MAX,
];

/// A file that may be anything, and the input that was not used up by making it.
#[derive(Debug)]
pub struct Forged<'a> {
    /// The file, aligned.
    pub bytes: AlignedBytes,
    /// The rest of the input.
    pub rest: Input<'a>,
}

/// A good file and its parts: the front, then the six sections.
struct Base {
    bytes: Vec<u8>,
    parts: Vec<Range<usize>>,
}

fn bases() -> &'static [Base] {
    static BASES: OnceLock<Vec<Base>> = OnceLock::new();
    BASES.get_or_init(|| {
        let base = |bytes: Vec<u8>| {
            let aligned = AlignedBytes::copy_of(&bytes);
            let artifact = Artifact::open(&aligned).expect("the file opens");
            let parts = std::iter::once(FRONT).chain(artifact.sections().map(|(_, range)| range)).collect();
            Base { parts, bytes }
        };
        // Interpreted, opening a file takes seconds: then three of them serve.
        kinds().into_iter().step_by(if cfg!(miri) { 4 } else { 1 }).map(|kind| base(file(kind))).collect()
    })
}

/// Makes the checksum match the bytes.
pub fn fix_checksum(bytes: &mut [u8]) {
    if let Some(field) = bytes.get_mut(CHECKSUM) {
        field.fill(0);
        let checksum = xxh32(bytes, 0);
        bytes[CHECKSUM].copy_from_slice(&checksum.to_le_bytes());
    }
}

/// A file from any input.
///
/// The first byte chooses: up to 0xBF a small file, to which changes are made as the following bytes say; from 0xC0 on the
/// rest of the input is the file.
pub fn forge(input: &[u8]) -> Forged<'_> {
    let mut input = Input(input);
    let choice = input.byte();
    let (mut bytes, repair) = if choice < 0xC0 {
        let bases = bases();
        let base = &bases[usize::from(choice) % bases.len()];
        let mut bytes = base.bytes.clone();
        for _ in 0..input.byte() % 8 {
            change(&mut bytes, &base.parts, &mut input);
        }
        (bytes, input.byte())
    } else {
        let bytes = input.take(MOST).to_vec();
        (bytes, choice)
    };
    if repair & 15 != 15 && bytes.len() >= LENGTH.end {
        let len = bytes.len() as u64;
        bytes[LENGTH].copy_from_slice(&len.to_le_bytes());
    }
    if repair & 7 != 7 {
        fix_checksum(&mut bytes);
    }
    Forged { bytes: AlignedBytes::copy_of(&bytes), rest: input }
}

/// One change, somewhere in a part of the file.
fn change(bytes: &mut Vec<u8>, parts: &[Range<usize>], input: &mut Input<'_>) {
    let action = input.byte();
    let part = input.pick(&[0, 1, 2, 3, 3, 4, 5, 6]);
    let part = parts.get(part).cloned().unwrap_or(FRONT);
    // A grown or cut file has moved on from where its parts were.
    let at = (part.start + input.below(part.len())).min(bytes.len().saturating_sub(1));
    let put = |bytes: &mut Vec<u8>, at: usize, value: &[u8]| {
        bytes.iter_mut().skip(at).zip(value).for_each(|(byte, &value)| *byte = value);
    };
    match action % 12 {
        0 => put(bytes, at, &[input.byte()]),
        1 => {
            let bit = 1 << (input.byte() % 8);
            bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= bit);
        }
        2 => put(bytes, at & !1, &input.pick(&EDGES).to_le_bytes()[..2]),
        3 => put(bytes, at & !3, &input.pick(&EDGES).to_le_bytes()[..4]),
        4 => put(bytes, at & !7, &input.pick(&EDGES).to_le_bytes()),
        5 => put(bytes, at & !3, &input.number().to_le_bytes()[..4]),
        6 => {
            let (value, len) = (input.byte(), input.byte());
            put(bytes, at, &vec![value; usize::from(len)]);
        }
        7 => {
            let value = input.take(16);
            put(bytes, at, value);
        }
        8 => {
            let from = input.below(bytes.len());
            let copied: Vec<u8> = bytes.iter().skip(from).take(64).copied().collect();
            put(bytes, at & !63, &copied);
        }
        9 => bytes.truncate(at),
        10 => add(bytes, at, i64::from(input.byte().cast_signed())),
        _ => resize(bytes, parts, input),
    }
}

/// Adds a small number to the 64-bit number around `at`.
fn add(bytes: &mut [u8], at: usize, number: i64) {
    if let Some((word, _)) = bytes.get_mut(at & !7..).and_then(|bytes| bytes.split_first_chunk_mut::<8>()) {
        *word = u64::from_le_bytes(*word).wrapping_add_signed(number).to_le_bytes();
    }
}

/// Makes a section longer or shorter by some bytes and moves what follows, with offsets and lengths that say so.
fn resize(bytes: &mut Vec<u8>, parts: &[Range<usize>], input: &mut Input<'_>) {
    let section = usize::from(input.byte()) % parts.len().saturating_sub(1).max(1);
    let amount = input.pick(&[1_usize, 2, 4, 16, 48, 64, 96, 128]);
    let (longer, value) = (input.byte().is_multiple_of(2), input.byte());
    let Some(end) = parts.get(section + 1).map(|part| part.end).filter(|&end| end <= bytes.len()) else { return };
    let sign = if longer {
        bytes.splice(end..end, vec![value; amount]);
        1
    } else {
        bytes.drain(end.saturating_sub(amount)..end);
        -1
    };
    let amount = sign * amount as i64;
    add(bytes, FRONT.start + 64 + section * 32 + 16, amount);
    for later in section + 1..6 {
        add(bytes, FRONT.start + 64 + later * 32 + 8, amount);
    }
}
