//! Every instruction set of this machine, memory plan and number of threads gives the same bits in every output, for
//! whole sentences.

use distil_runtime::{Answer, Artifact, Candidate, Head, Isa, Kernels, Model, Plan, Search, Session, arena_len};
use distil_tests::{SENTENCES, models, packed};
use distil_tools::threads::Threads;

/// All that a session can say of a sentence, as bits.
fn outputs(model: &Model, arena: &mut [u8], text: &str) -> Vec<u32> {
    answers(model, Session::new(model, arena, model.config().max_positions as usize).unwrap(), text)
}

fn answers(model: &Model, mut session: Session, text: &str) -> Vec<u32> {
    let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    let tokens = session.encode(text, None).unwrap();
    let mut all = session.ids().to_vec();
    all.extend(bits(session.hidden()));
    assert_eq!(session.hidden().len(), tokens * model.config().hidden as usize);
    all.extend(bits(session.pooled().unwrap()));
    match model.config().head {
        Head::Embedding => {}
        Head::SequenceClassification => {
            let answer = session.classification().unwrap();
            all.extend(bits(answer.logits()));
            all.extend(bits(answer.values()));
        }
        Head::TokenClassification => {
            for position in 0..tokens {
                let answer = session.token_classification(position).unwrap();
                all.extend(bits(answer.logits()));
                all.extend(bits(answer.values()));
            }
            let tags = session.tags().unwrap();
            all.extend(tags.flat_map(|tag| [tag.start as u32, tag.label as u32, tag.probability.to_bits()]));
        }
        Head::QuestionAnswering => {
            all.extend(bits(session.span_logits().unwrap().as_flattened()));
            // More than once through the session: four windows of the longest sentence.
            let context = [text, text, text, text].join(" ");
            let mut top = [Answer::default(); 5];
            let search = Search { overlap: 30, longest: 12 };
            let found = session.answers("who was young?", &context, search, &mut top).unwrap();
            all.extend([found.found as u32, found.windows as u32, found.tokens as u32, found.no_answer.to_bits()]);
            all.extend(top.iter().flat_map(|answer| {
                [answer.start as u32, answer.end as u32, answer.score.to_bits(), answer.probability.to_bits()]
            }));
        }
        Head::MaskedLm => {
            let position = session.masks().next().expect("every sentence has a mask");
            let mut top = [Candidate::default(); 5];
            let prediction = session.predict(position, Some(7), &mut top).unwrap();
            all.extend(bits(&[prediction.max, prediction.sum, prediction.target.unwrap()]));
            all.extend(top.iter().flat_map(|c| [c.id, c.logit.to_bits(), c.probability.to_bits()]));
        }
    }
    all
}

#[test]
fn every_instruction_set_gives_the_same_bits() {
    let available: Vec<Isa> = Kernels::available().map(Kernels::isa).collect();
    for isa in Isa::ALL {
        if !available.contains(&isa) {
            eprintln!("SKIPPED: {isa} does not exist on this machine");
        }
    }
    for (name, fixture, storage) in models() {
        let bytes = packed(&fixture, storage);
        let artifact = Artifact::open(&bytes).unwrap();
        let mut arena = vec![0u8; arena_len(&artifact, fixture.positions, Plan::FAST)];
        let reference = Model::with_isa(&artifact, Isa::Reference).unwrap();
        for text in SENTENCES {
            let expected = outputs(&reference, &mut arena, text);
            assert!(expected.iter().any(|&bits| bits != 0));
            for &isa in &available {
                // Whatever the last run left in the arena must not matter.
                arena.fill(0xa5);
                let model = Model::with_isa(&artifact, isa).unwrap();
                assert!(outputs(&model, &mut arena, text) == expected, "{name} on {isa}: {text}");
            }
        }
    }
}

#[test]
fn every_plan_and_number_of_threads_gives_the_same_bits() {
    for (name, fixture, storage) in models() {
        let bytes = packed(&fixture, storage);
        let artifact = Artifact::open(&bytes).unwrap();
        let model = Model::new(&artifact).unwrap();
        let mut arena = vec![0u8; arena_len(&artifact, fixture.positions, Plan::FAST)];
        for text in SENTENCES {
            let expected = outputs(&model, &mut arena, text);
            for (threads, plan) in
                [1, 2, 3, 7].into_iter().flat_map(|n| [Plan::LARGE, Plan::FAST, Plan::SMALL].map(|plan| (n, plan)))
            {
                let (executor, plan) = (Threads::new(threads).unwrap(), plan.with_threads(threads));
                let mut arena = vec![0xa5_u8; arena_len(&artifact, fixture.positions, plan)];
                let session = Session::with_plan(&model, &mut arena, fixture.positions, plan, &executor).unwrap();
                assert!(answers(&model, session, text) == expected, "{name}, {threads} threads, {plan:?}: {text}");
            }
        }
    }
}

#[test]
fn different_inputs_give_different_bits() {
    let (_, fixture, storage) = models().remove(0);
    let bytes = packed(&fixture, storage);
    let artifact = Artifact::open(&bytes).unwrap();
    let model = Model::new(&artifact).unwrap();
    let mut arena = vec![0u8; arena_len(&artifact, fixture.positions, Plan::FAST)];
    let a = outputs(&model, &mut arena, "turn the [MASK] lights on");
    let b = outputs(&model, &mut arena, "turn the [MASK] lights off");
    assert_ne!(a, b);
}

#[test]
fn an_instruction_set_of_another_machine_is_refused() {
    let (_, fixture, storage) = models().remove(0);
    let bytes = packed(&fixture, storage);
    let artifact = Artifact::open(&bytes).unwrap();
    let foreign = if cfg!(target_arch = "x86_64") { Isa::Neon } else { Isa::Avx2 };
    let error = Model::with_isa(&artifact, foreign).unwrap_err();
    assert!(error.to_string().contains(foreign.name()), "{error}");
}
