//! Weights that are each finite and overflow together: an error, in every question that they reach.

use distil_forge::{Kind, Runner, Stored, file, fix_checksum};
use distil_format::{AlignedBytes, Artifact, Dtype, Head, Layout, Pooling, Role, RoleKind};
use distil_runtime::{Plan, RunError};

/// A large number whose sum with itself is infinite.
const LARGE: f32 = 3e38;

/// A file with the float tensors of some roles filled with one number.
fn filled(head: Head, value: f32, wanted: impl Fn(Role) -> bool) -> AlignedBytes {
    let kind = Kind { head, stored: Stored::All(Dtype::F32, Layout::Tile16) };
    let mut bytes = AlignedBytes::copy_of(&file(kind));
    let places: Vec<_> = {
        let artifact = Artifact::open(&bytes).expect("the file opens");
        let start = artifact.bytes().as_ptr().addr();
        let wanted = artifact.tensors().filter(|tensor| tensor.dtype == Dtype::F32 && wanted(tensor.id.role));
        wanted.map(|tensor| (tensor.data.as_ptr().addr() - start, tensor.data.len())).collect()
    };
    assert!(!places.is_empty());
    for (start, len) in places {
        bytes[start..start + len].as_chunks_mut().0.fill(value.to_le_bytes());
    }
    fix_checksum(&mut bytes);
    bytes
}

#[test]
fn hidden_states_that_overflow_are_an_error() {
    for &head in Head::ALL {
        // Tables and vectors have no padding, which would have to stay zero.
        for kind in [RoleKind::Table, RoleKind::Norm] {
            let bytes = filled(head, LARGE, |role| role.kind() == kind);
            let artifact = Artifact::open(&bytes).expect("every number is finite");
            let answers =
                Runner::default().answers(&artifact, &[("ab a é", None)], Plan::FAST, 0).expect("it is small");
            assert_eq!(answers[0], Err(RunError::NotFinite), "{head}, {kind:?}");
            // What was not encoded has no answers.
            assert!(answers.iter().all(Result::is_err), "{head}, {kind:?}: {answers:?}");
        }
    }
}

#[test]
fn outputs_that_overflow_are_an_error() {
    for &head in Head::ALL {
        let bytes = filled(head, LARGE, |role| role == Role::OutputNormBias);
        let artifact = Artifact::open(&bytes).expect("every number is finite");
        let answers = Runner::default().answers(&artifact, &[("ab a é", None)], Plan::FAST, 0).expect("it is small");
        assert!(answers[0].is_ok(), "{head}: hidden states are large, and finite");
        if artifact.config().pooling == Pooling::Mean {
            assert_eq!(answers[1], Err(RunError::NotFinite), "{head}: the sum of them is not");
        }
        if head == Head::MaskedLm {
            assert!(answers.contains(&Err(RunError::NotFinite)), "{head}: nor are its logits: {answers:?}");
        }
    }
}
