//! Every truncation and every single-byte change of a small file of each kind: an error, or a file that can be used and
//! run. With the checksum as it was that is always an error; with the checksum repaired, the checks behind it have to hold.
//!
//! Not under Miri: these are millions of files.
#![cfg(not(miri))]

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use distil_forge::{Kind, Runner, file, fix_checksum, kinds, use_all};
use distil_format::{AlignedBytes, Artifact, OpenError, SectionKind, Xxh32};
use distil_runtime::Plan;

const HEADER_LEN: usize = 64;
const LENGTH: Range<usize> = 16..24;
const CHECKSUM: Range<usize> = 24..28;
/// One text, and a short one, since it is run a million times.
const TEXT: [(&str, Option<&str>); 1] = [("ab", None)];

/// Does `work` for every kind of file, on all processors.
fn for_each_kind(work: impl Fn(usize, Kind) + Sync) {
    let (kinds, next) = (kinds(), AtomicUsize::new(0));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads.min(kinds.len()) {
            scope.spawn(|| {
                while let Some(&kind) = kinds.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let number = kinds.iter().position(|other| *other == kind).expect("it is one of them");
                    work(number, kind);
                }
            });
        }
    });
}

/// Single bits, and the extremes.
fn few_values(byte: u8) -> impl Iterator<Item = u8> {
    (0..8).map(move |bit| byte ^ 1 << bit).chain([0, 0xFF]).filter(move |&value| value != byte)
}

fn all_values(byte: u8) -> impl Iterator<Item = u8> {
    (0..=0xFF).filter(move |&value| value != byte)
}

#[test]
fn every_truncation_is_an_error() {
    for_each_kind(|_, kind| {
        let whole = file(kind);
        for len in 0..whole.len() {
            let mut bytes = AlignedBytes::copy_of(&whole[..len]);
            assert!(Artifact::open(&bytes).is_err(), "{kind:?}: {len} bytes");
            if len >= LENGTH.end {
                bytes[LENGTH].copy_from_slice(&(len as u64).to_le_bytes());
                fix_checksum(&mut bytes);
                assert!(Artifact::open(&bytes).is_err(), "{kind:?}: {len} bytes, declared");
                assert!(Artifact::open_unverified(&bytes).is_err(), "{kind:?}: {len} bytes, by structure");
            }
        }
    });
}

#[test]
fn every_changed_byte_is_found_by_the_checksum() {
    for_each_kind(|_, kind| {
        let mut bytes = AlignedBytes::copy_of(&file(kind));
        // What stands before the checksum says whether there is one to look at.
        for at in 0..bytes.len() {
            let byte = bytes[at];
            for value in few_values(byte) {
                bytes[at] = value;
                let error = Artifact::open(&bytes).map(|_| ()).expect_err("a changed byte was accepted");
                let is_checksum = matches!(error, OpenError::Checksum { .. });
                assert!(at < CHECKSUM.start || is_checksum, "{kind:?}: byte {at} from {byte} to {value}: {error}");
            }
            bytes[at] = byte;
        }
    });
}

fn section(bytes: &[u8], wanted: SectionKind) -> Range<usize> {
    let artifact = Artifact::open(bytes).expect("the file opens");
    artifact.sections().find(|(kind, _)| *kind == wanted).expect("every file has it").1
}

/// The checksum of a file of which bytes change one after the other: what lies before them is not added up again.
struct Prefix {
    state: Xxh32,
    len: usize,
}

impl Prefix {
    /// The part of the file before `at`, or nothing while that is in the header.
    fn advance(&mut self, bytes: &[u8], at: usize) {
        if self.len == 0 && at >= HEADER_LEN {
            let mut header = bytes[..HEADER_LEN].to_vec();
            header[CHECKSUM].fill(0);
            self.state.update(&header);
            self.len = HEADER_LEN;
        }
        if self.len > 0 {
            self.state.update(&bytes[self.len..at]);
            self.len = at;
        }
    }

    fn fix(&self, bytes: &mut [u8]) {
        if self.len == 0 {
            return fix_checksum(bytes);
        }
        let mut state = self.state;
        state.update(&bytes[self.len..]);
        bytes[CHECKSUM].copy_from_slice(&state.finish().to_le_bytes());
    }
}

/// What became of a file.
#[derive(Default)]
struct Tally {
    opened: usize,
    refused: usize,
    finite: usize,
}

/// Uses and runs a file whose checksum is right. `also_refused`: by its structure alone, too, where no more is right.
fn try_file(bytes: &[u8], runner: &mut Runner, paint: u8, also_refused: bool, tally: &mut Tally) {
    let Ok(artifact) = Artifact::open_unverified(bytes) else {
        tally.refused += 1;
        return;
    };
    match artifact.verify() {
        Ok(()) => {
            use_all(&artifact, true);
            let answers = runner.answers(&artifact, &TEXT, Plan::SMALL, paint).expect("the file is small");
            tally.finite += usize::from(answers[0].is_ok());
            tally.opened += 1;
        }
        Err(error) => {
            assert!(!matches!(error, OpenError::Checksum { .. }), "the checksum was repaired");
            tally.refused += 1;
            if also_refused {
                use_all(&artifact, false);
                runner.answers(&artifact, &TEXT, Plan::LARGE, paint);
            }
        }
    }
}

#[test]
fn every_changed_byte_behind_a_good_checksum_is_an_error_or_harmless() {
    for_each_kind(|number, kind| {
        let (mut runner, mut tally) = (Runner::default(), Tally::default());
        let mut bytes = AlignedBytes::copy_of(&file(kind));
        let [trie, weights] = [SectionKind::Vocabulary, SectionKind::Weights].map(|kind| section(&bytes, kind));
        let mut prefix = Prefix { state: Xxh32::new(0), len: 0 };
        for at in (0..bytes.len()).filter(|at| !CHECKSUM.contains(at)) {
            prefix.advance(&bytes, at);
            let byte = bytes[at];
            let mut change = |value: u8, is_few: bool, tally: &mut Tally| {
                bytes[at] = value;
                prefix.fix(&mut bytes);
                try_file(&bytes, &mut runner, value, is_few, tally);
            };
            let before = tally.opened;
            few_values(byte).for_each(|value| change(value, true, &mut tally));
            // What is the same in every file takes all values in one of them: the vocabulary, and weights that are padding.
            let is_padding = weights.contains(&at) && tally.opened == before;
            if number == 0 || !(trie.contains(&at) || is_padding) {
                all_values(byte).for_each(|value| change(value, false, &mut tally));
            }
            bytes[at] = byte;
        }
        prefix.fix(&mut bytes);
        assert!(Artifact::open(&bytes).is_ok(), "every byte is as it was");
        let Tally { opened, refused, finite } = tally;
        println!("{kind:?}, {} bytes: {opened} opened, {finite} of them answered; {refused} refused", bytes.len());
        // Both happen: weights may be any number, structure may not.
        assert!(opened > 10_000 && refused > 100_000 && finite > 10_000, "{kind:?}");
    });
}
