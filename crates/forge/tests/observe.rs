//! A session that is looked at on its way: what is shown is what is computed, and looking changes no bit.

use std::cell::RefCell;
use std::sync::Mutex;

use distil_forge::{Kind, Stored, file, kinds};
use distil_format::{AlignedBytes, Artifact, Dtype, Head, Layout};
use distil_runtime::{Executor, Isa, Model, Operation, Plan, RunError, Session, SingleThread, arena_len};

const TEXT: &str = "ab é";
const TOKENS: usize = 6;

/// A session over a small file, with the plain kernels.
fn with_session<T>(kind: Kind, plan: Plan, executor: &dyn Executor, use_it: impl FnOnce(&mut Session<'_>) -> T) -> T {
    let bytes = AlignedBytes::copy_of(&file(kind));
    let artifact = Artifact::open(&bytes).unwrap();
    let model = Model::with_isa(&artifact, Isa::Reference).unwrap();
    let mut arena = vec![0; arena_len(&artifact, TOKENS, plan)];
    use_it(&mut Session::with_plan(&model, &mut arena, TOKENS, plan, executor).unwrap())
}

#[test]
fn hidden_states_are_shown_on_their_way() {
    for kind in kinds() {
        with_session(kind, Plan::FAST, &SingleThread, |session| {
            let plain = session.encode(TEXT, None).unwrap();
            let last = session.hidden().to_vec();
            let mut seen = Vec::new();
            let tokens = session.observe(TEXT, None, |done, hidden| seen.push((done, hidden.to_vec()))).unwrap();
            assert_eq!((tokens, session.hidden()), (plain, &*last), "{kind:?}: looking changes nothing");
            assert_eq!(seen.iter().map(|(done, _)| *done).collect::<Vec<_>>(), [0, 1], "{kind:?}");
            assert_eq!(seen[1].1, last, "{kind:?}");
            assert!(seen[0].1.len() == last.len() && seen[0].1 != last, "{kind:?}: those of the embeddings");
            // As ids, the same.
            let (ids, mut again) = (session.ids().to_vec(), Vec::new());
            session.observe_ids(&ids, None, |done, hidden| again.push((done, hidden.to_vec()))).unwrap();
            assert_eq!(again, seen, "{kind:?}");
        });
    }
}

#[test]
fn nothing_is_shown_of_a_text_that_is_refused() {
    let kind = Kind { head: Head::Embedding, stored: Stored::All(Dtype::Int8, Layout::Tile16) };
    with_session(kind, Plan::FAST, &SingleThread, |session| {
        session.encode(TEXT, None).unwrap();
        let error = session.observe("a a a a a", None, |_, _| panic!("shown")).unwrap_err();
        assert_eq!(error, RunError::TooLong { tokens: 7, most: TOKENS });
        assert!(session.hidden().is_empty(), "the text before is gone, too");
        let watch = |_| panic!("told of");
        session.watch_ids(&[2, 99, 3], None, |_, _| panic!("shown"), &watch).unwrap_err();
    });
}

/// Two threads that take turns.
struct Turns;

impl Executor for Turns {
    fn threads(&self) -> usize {
        2
    }

    fn join(&self, left: &mut (dyn FnMut() + Send), right: &mut (dyn FnMut() + Send)) {
        left();
        right();
    }
}

#[test]
fn every_operation_of_a_layer_is_told_of() {
    for kind in kinds() {
        let plans: [(Plan, &dyn Executor); 3] =
            [(Plan::FAST, &SingleThread), (Plan::SMALL, &SingleThread), (Plan::FAST.with_threads(2), &Turns)];
        for (plan, executor) in plans {
            with_session(kind, plan, executor, |session| {
                session.encode(TEXT, None).unwrap();
                let (ids, hidden) = (session.ids().to_vec(), session.hidden().to_vec());
                let shown = RefCell::new(0);
                let told = Mutex::new(Vec::new());
                let observe = |_, _: &[f32]| *shown.borrow_mut() += 1;
                session.watch_ids(&ids, None, observe, &|operation| told.lock().unwrap().push(operation)).unwrap();
                assert_eq!((session.hidden(), shown.into_inner()), (&*hidden, 2), "{kind:?}: watching changes nothing");
                let told = told.into_inner().unwrap();
                for operation in Operation::ALL {
                    assert!(told.contains(&operation), "{kind:?}: {}", operation.name());
                }
                assert_eq!((told[0], told.last()), (Operation::Quantize, Some(&Operation::Norm)), "{kind:?}");
                let at = |operation| told.iter().position(|&one| one == operation).unwrap();
                let order = [Operation::Keys, Operation::Values, Operation::Queries, Operation::Scores];
                assert!(order.windows(2).all(|pair| at(pair[0]) < at(pair[1])), "{kind:?}: {told:?}");
            });
        }
    }
}
