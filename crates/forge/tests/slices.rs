//! A file that is opened in slices is accepted or rejected as one that is opened at once, with the same error, whatever the slices are.
//!
//! Not under Miri: these are hundreds of thousands of openings.
#![cfg(not(miri))]

use distil_forge::{file, fix_checksum, forge, kinds};
use distil_format::{AlignedBytes, Artifact, OpenError, Opening};

/// The checksum of a file that opens, or what the error says: a number in it may be none, which equals nothing.
type Verdict = Result<u32, String>;

fn verdict(result: Result<Artifact<'_>, OpenError>) -> Verdict {
    result.map(|artifact| artifact.checksum()).map_err(|error| format!("{error:?}"))
}

/// Opens in slices; `next` gives the length of each. Also gives the number of steps.
fn in_slices(bytes: &[u8], mut next: impl FnMut() -> usize) -> (Verdict, usize) {
    let mut opening = Opening::new(bytes);
    let (mut steps, mut done) = (0, opening.done());
    loop {
        let result = opening.step(next());
        steps += 1;
        assert!(opening.done() >= done && opening.done() <= opening.len() && opening.len() == bytes.len());
        done = opening.done();
        match result {
            Ok(None) => assert!(steps <= bytes.len() + 1000, "an opening goes on for ever"),
            result => {
                let found = verdict(result.map(|artifact| artifact.expect("it is over")));
                let again = opening.step(1).map(|artifact| artifact.expect("it is over"));
                assert_eq!(verdict(again), found, "the same again");
                return (found, steps);
            }
        }
    }
}

fn at_once(bytes: &[u8]) -> Verdict {
    verdict(Artifact::open(bytes))
}

/// The verdict by the two steps that opening is made of, written down as they are documented.
fn by_definition(bytes: &[u8]) -> Verdict {
    verdict(Artifact::open_unverified(bytes).and_then(|artifact| artifact.verify().map(|()| artifact)))
}

#[test]
fn slices_of_any_length_open_every_kind_of_file() {
    for kind in kinds() {
        let bytes = AlignedBytes::copy_of(&file(kind));
        let whole = at_once(&bytes);
        assert!(whole.is_ok(), "{kind:?}");
        assert_eq!(by_definition(&bytes), whole);
        for len in [0, 1, 63, 64, 65, 200, 1000, 4096, usize::MAX] {
            let (sliced, steps) = in_slices(&bytes, || len);
            assert_eq!(sliced, whole, "{kind:?} in slices of {len}");
            assert!(len < usize::MAX || steps == 1, "{kind:?}: all at once took {steps} steps");
        }
        let (_, steps) = in_slices(&bytes, || 64);
        assert!(steps >= bytes.len() / 192, "{kind:?}: {} bytes in {steps} steps are no slices", bytes.len());
    }
}

#[test]
fn every_changed_byte_is_the_same_error_in_slices() {
    let mut errors = 0;
    for (number, kind) in kinds().into_iter().enumerate() {
        let mut bytes = AlignedBytes::copy_of(&file(kind));
        for at in 0..bytes.len() {
            let byte = bytes[at];
            for value in [byte ^ 1 << (at % 8), [0xFF, 0x80, 0][at % 3]] {
                bytes[at] = value;
                // With a checksum that lets the other checks speak, and now and then with that of the good file.
                for repair in [true, false].into_iter().take(1 + usize::from(at % 8 == 0)) {
                    let mut file = AlignedBytes::copy_of(&bytes);
                    if repair {
                        fix_checksum(&mut file);
                    }
                    let whole = at_once(&file);
                    let slice = [1, 64, 320][(at + number) % 3];
                    assert_eq!(
                        in_slices(&file, || slice).0,
                        whole,
                        "{kind:?}: byte {at} to {value:#x}, slices of {slice}"
                    );
                    if repair || whole.is_ok() {
                        assert_eq!(by_definition(&file), whole, "{kind:?}: byte {at} to {value:#x}");
                    }
                    errors += usize::from(whole.is_err());
                }
            }
            bytes[at] = byte;
        }
        for len in 0..bytes.len() {
            let part = AlignedBytes::copy_of(&bytes[..len]);
            assert_eq!(in_slices(&part, || 64).0, at_once(&part), "{kind:?}: {len} bytes");
        }
    }
    assert!(errors > 10_000, "{errors}");
}

#[test]
fn a_misaligned_file_is_refused_at_the_first_step() {
    let bytes = file(kinds()[0]);
    let mut longer = vec![0];
    longer.extend(&bytes);
    let aligned = AlignedBytes::copy_of(&longer);
    assert_eq!(in_slices(&aligned[1..], || 64), (Err("Misaligned".into()), 1));
}

/// Files and slices drawn from a generator (xorshift64, Marsaglia 2003), the same ones in every run.
#[test]
fn any_file_in_any_slices() {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut draw = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let mut opened = 0;
    for _ in 0..20_000 {
        let input: Vec<u8> = (0..draw(200)).map(|_| draw(256) as u8).collect();
        let forged = forge(&input);
        let whole = at_once(&forged.bytes);
        assert_eq!(in_slices(&forged.bytes, || draw(3000)).0, whole, "{input:?}");
        opened += usize::from(whole.is_ok());
    }
    assert!((1000..19_000).contains(&opened), "{opened}");
}
