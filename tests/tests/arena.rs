//! A session lives in exactly the bytes that the plan names, wherever they lie.

use distil_runtime::{Artifact, Model, Plan, RunError, Session, SessionError, SingleThread, arena_len};
use distil_tests::{INT8, models, packed};
use distil_tools::fixture::Fixture;

const GUARD: usize = 256;
const PAINT: u8 = 0xc3;

#[test]
fn the_planned_bytes_suffice_and_nothing_around_them_is_touched() {
    for (name, fixture, storage) in models() {
        let bytes = packed(&fixture, storage);
        let artifact = Artifact::open(&bytes).unwrap();
        let model = Model::new(&artifact).unwrap();
        let plans = [Plan::LARGE, Plan::FAST, Plan::SMALL, Plan::FAST.with_threads(2), Plan::SMALL.with_threads(3)];
        for (tokens, plan) in [2, 3, 8, 17, 33, 128].into_iter().flat_map(|tokens| plans.map(|plan| (tokens, plan))) {
            let needed = arena_len(&artifact, tokens, plan);
            // Every offset from a cache line, so that the slack for alignment is really enough.
            for offset in [0, 1, 31, 63] {
                let mut memory = vec![PAINT; GUARD + offset + needed + GUARD];
                let arena = &mut memory[GUARD + offset..][..needed];
                let session = Session::with_plan(&model, arena, tokens, plan, &SingleThread).unwrap();
                let mut session = session.truncating(true);
                session.encode(&"a long text of many words ".repeat(40), None).unwrap();
                assert_eq!(session.ids().len(), tokens, "{name}");
                session.pooled().unwrap();
                assert!(memory[..GUARD + offset].iter().all(|&byte| byte == PAINT), "{name}: written before the arena");
                assert!(
                    memory[GUARD + offset + needed..].iter().all(|&b| b == PAINT),
                    "{name}: written behind the arena"
                );
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_an_error_that_says_how_much_is_needed() {
    let (_, fixture, storage) = models().remove(0);
    let bytes = packed(&fixture, storage);
    let artifact = Artifact::open(&bytes).unwrap();
    let model = Model::new(&artifact).unwrap();
    let needed = arena_len(&artifact, 16, Plan::FAST);
    let mut arena = vec![0u8; needed];

    let error = Session::new(&model, &mut arena[..needed - 1], 16).unwrap_err();
    assert_eq!(error, SessionError::Arena { needed, given: needed - 1 });
    for asked in [0, 1, 129] {
        let error = Session::new(&model, &mut arena, asked).unwrap_err();
        assert_eq!(error, SessionError::Tokens { asked, most: 128 });
    }

    let mut session = Session::new(&model, &mut arena, 16).unwrap();
    let text = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen";
    let error = session.encode(text, None).unwrap_err();
    assert!(matches!(error, RunError::TooLong { tokens: 17.., most: 16 }), "{error:?}");
    assert!(session.ids().is_empty() && session.hidden().is_empty());
    assert!(matches!(session.pooled().unwrap_err(), RunError::Position { .. }));
    assert_eq!(session.encode_ids(&[2, 512, 3], None).unwrap_err(), RunError::TokenId(512));
    assert_eq!(session.encode_ids(&[2, 3], Some(&[0, 1])).unwrap_err(), RunError::TokenType(1));
    assert_eq!(session.encode_ids(&[2, 3], Some(&[0])).unwrap_err(), RunError::Ids);
    assert_eq!(session.encode_ids(&[], None).unwrap_err(), RunError::Ids);
    assert!(matches!(session.classify("text", None).unwrap_err(), RunError::Head { .. }));
    assert_eq!(session.fill_mask("no gap here", &mut []).unwrap_err(), RunError::NoMask);
    assert_eq!(session.encode_ids(&[2, 3], None).unwrap(), 2);
}

#[test]
fn a_pair_is_truncated_from_its_longer_text() {
    let (_, fixture, storage) = models().remove(1);
    let bytes = packed(&fixture, storage);
    let artifact = Artifact::open(&bytes).unwrap();
    let model = Model::new(&artifact).unwrap();
    let mut arena = vec![0u8; arena_len(&artifact, 12, Plan::FAST)];
    let mut session = Session::new(&model, &mut arena, 12).unwrap().truncating(true);
    let (short, long) = ("yes or no", "the people of the world and the house of the man on the way to work");
    session.encode(short, Some(long)).unwrap();
    let with_pair = session.ids().to_vec();
    session.encode(short, None).unwrap();
    let alone = session.ids().to_vec();
    assert_eq!(with_pair.len(), 12);
    assert_eq!(with_pair[..alone.len()], alone[..], "the short text is whole");
    assert_eq!(with_pair[11], artifact.config().sep_id);
}

/// The real shape, with random weights: a plan depends on sizes and types alone.
#[test]
fn distilbert_at_128_tokens_needs_what_its_plans_promise() {
    let fixture = Fixture {
        hidden: 768,
        layers: 6,
        heads: 12,
        intermediate: 3072,
        vocab_size: 30_522,
        positions: 512,
        ..models().remove(0).1
    };
    let bytes = packed(&fixture, INT8);
    let artifact = Artifact::open(&bytes).unwrap();
    for (plan, most) in [(Plan::FAST, 1_600_000), (Plan::SMALL, 800_000)] {
        let needed = arena_len(&artifact, 128, plan);
        println!("arena of DistilBERT at 128 tokens, {plan:?}: {needed} bytes");
        assert!(needed <= most, "{plan:?}: {needed}");
    }
}
