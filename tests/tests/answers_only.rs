//! The last layer computed only where the head reads it: the same answers, bit for bit, and nothing else is to be had.

use distil_runtime::{Artifact, Candidate, Head, Kernels, Model, Plan, RunError, Session, arena_len};
use distil_tests::{SENTENCES, models, pooled};
use distil_tools::hf::Pooling;
use distil_tools::threads::Threads;

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// What the head says of the text encoded last.
fn answer(session: &mut Session<'_>, head: Head, tokens: usize) -> Vec<u32> {
    match head {
        Head::Embedding => bits(session.pooled().unwrap()),
        Head::SequenceClassification => {
            let answer = session.classification().unwrap();
            [bits(answer.logits()), bits(answer.values())].concat()
        }
        Head::TokenClassification => {
            (0..tokens).flat_map(|at| bits(session.token_classification(at).unwrap().logits())).collect()
        }
        Head::QuestionAnswering => bits(session.span_logits().unwrap().as_flattened()),
        Head::MaskedLm => {
            let mask = session.masks().next().expect("every sentence has a mask");
            let found = session.predict(mask, Some(7), &mut [Candidate::default(); 3]).unwrap();
            bits(&[found.max, found.sum, found.target.unwrap()])
        }
    }
}

#[test]
fn answers_are_those_of_all_rows() {
    for (name, fixture, storage) in models() {
        for cls in [false, true] {
            let bytes = pooled(&fixture, storage, Pooling { cls, normalize: true });
            let artifact = Artifact::open(&bytes).unwrap();
            let (head, h, most) = (artifact.config().head, artifact.config().hidden as usize, fixture.positions);
            let one = head == Head::SequenceClassification || head == Head::Embedding && cls;
            for kernels in Kernels::available() {
                let model = Model::with_isa(&artifact, kernels.isa()).unwrap();
                for (threads, plan) in [(1, Plan::FAST), (3, Plan::SMALL), (2, Plan::LARGE)] {
                    let (executor, plan) = (Threads::new(threads).unwrap(), plan.with_threads(threads));
                    let mut arena = vec![0xa5_u8; arena_len(&artifact, most, plan)];
                    for text in SENTENCES {
                        let case = format!("{name}, cls {cls}, {}, {threads} threads, {text}", kernels.isa());
                        let mut session = Session::with_plan(&model, &mut arena, most, plan, &executor).unwrap();
                        let tokens = session.encode(text, None).unwrap();
                        let (all, expected) = (bits(session.hidden()), answer(&mut session, head, tokens));
                        let mut session = session.answers_only(true);
                        assert_eq!(session.encode(text, None).unwrap(), tokens, "{case}");
                        assert_eq!(session.ids().len(), tokens, "{case}");
                        assert_eq!(answer(&mut session, head, tokens), expected, "{case}");
                        let rows = if one { 1 } else { tokens };
                        assert!(bits(session.hidden()) == all[..rows * h], "{case}");
                    }
                }
            }
        }
    }
}

#[test]
fn what_was_not_computed_is_refused() {
    let (_, fixture, storage) = models().into_iter().find(|(name, ..)| *name == "distilbert classes int8").unwrap();
    let bytes = pooled(&fixture, storage, Pooling { cls: false, normalize: true });
    let artifact = Artifact::open(&bytes).unwrap();
    let model = Model::new(&artifact).unwrap();
    let mut arena = vec![0; arena_len(&artifact, fixture.positions, Plan::FAST)];
    let mut session = Session::new(&model, &mut arena, fixture.positions).unwrap();
    let text = SENTENCES[1];

    // Asked for all rows, a session has them, until it is asked to classify.
    let tokens = session.encode(text, None).unwrap();
    let h = artifact.config().hidden as usize;
    assert_eq!(session.hidden().len(), tokens * h);
    let expected = bits(session.classification().unwrap().logits());
    let mean = bits(session.pooled().unwrap());
    assert_eq!(bits(session.classify(text, None).unwrap().logits()), expected);
    assert_eq!(session.hidden().len(), h);
    let error = session.pooled().unwrap_err();
    assert_eq!(error, RunError::Position { position: tokens - 1, tokens: 1 });
    assert_eq!(bits(session.classification().unwrap().logits()), expected);
    assert_eq!(bits(session.embed(text).unwrap()), mean, "a mean needs all rows, and has them");
    session.encode_ids(&[9_999_999], None).unwrap_err();
    assert!(session.hidden().is_empty() && session.classification().is_err());
}
