//! Runs a file with the plain kernels, in memory of a fixed size.

use distil_runtime::{
    Answer as Span, Artifact, Candidate, Isa, Model, Plan, RunError, Search, Session, SingleThread, arena_len,
};

/// Most tokens of a text.
const TOKENS: usize = 8;
/// Bytes of arena; a file that needs more is not run.
const ARENA: usize = 1 << 20;

/// What a file answered: the bits of every output, or why there are none.
pub type Answer = Result<Vec<u32>, RunError>;

/// Memory to run files in.
#[derive(Debug)]
pub struct Runner {
    arena: Vec<u8>,
}

impl Default for Runner {
    fn default() -> Self {
        Self { arena: vec![0; ARENA] }
    }
}

impl Runner {
    /// Asks a file everything that can be asked, about each text or pair of texts. `None` if it needs more memory than there
    /// is here, or the kernels do not take it.
    ///
    /// What was in the memory before must not matter, so it is painted with `paint`.
    ///
    /// # Panics
    /// If a session does not start in as much memory as it asks for, or an answer is not finite.
    pub fn answers(
        &mut self,
        artifact: &Artifact<'_>,
        texts: &[(&str, Option<&str>)],
        plan: Plan,
        paint: u8,
    ) -> Option<Vec<Answer>> {
        let model = Model::with_isa(artifact, Isa::Reference).ok()?;
        let tokens = TOKENS.min(artifact.config().max_positions as usize);
        let needed = arena_len(artifact, tokens, plan);
        assert_eq!(arena_len(artifact, usize::MAX, plan.with_threads(usize::MAX)), usize::MAX);
        let arena = self.arena.get_mut(..needed)?;
        arena.fill(paint);
        let session = Session::with_plan(&model, arena, tokens, plan, &SingleThread);
        let mut session = session.expect("the planned bytes are enough").truncating(true);
        let answers: Vec<Answer> = texts.iter().flat_map(|(text, pair)| ask(&mut session, text, *pair)).collect();
        for value in answers.iter().flatten().flatten() {
            assert!(f32::from_bits(*value).is_finite(), "an answer that is no number");
        }
        Some(answers)
    }
}

/// Every question about one text: of all heads, the one that the file has answers.
fn ask(session: &mut Session<'_>, text: &str, pair: Option<&str>) -> Vec<Answer> {
    let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    let mut answers = Vec::new();
    answers.push(session.encode(text, pair).map(|_| bits(session.hidden())));
    let tokens = session.ids().len();
    for position in 0..=tokens {
        assert_eq!(session.span(position).is_some(), position < tokens);
    }
    answers.push(session.pooled().map(bits));
    answers.push(session.classification().map(|answer| {
        assert!(answer.best() < answer.logits().len());
        let _ = (answer.label(), answer.probability(), answer.holding().count());
        bits(&[answer.logits(), answer.values()].concat())
    }));
    answers.push(session.token_classification(tokens / 2).map(|answer| bits(answer.values())));
    answers.push(session.tags().map(|tags| tags.map(|tag| tag.probability.to_bits()).collect()));
    answers.push(session.span_logits().map(|logits| bits(logits.as_flattened())));
    let mut top = [Candidate::default(); 3];
    answers.push(session.predict(tokens / 2, Some(1), &mut top).map(|answer| {
        let values = [answer.max, answer.sum, answer.target.unwrap_or(0.0)];
        let candidates = top.iter().take(answer.candidates);
        let mut all = bits(&values);
        for candidate in candidates {
            all.extend(bits(&[candidate.logit, candidate.probability]));
        }
        all
    }));
    let mut top = [Span::default(); 3];
    let found = session.answers("a", text, Search { longest: 3, overlap: 2 }, &mut top);
    answers.push(found.map(|found| {
        let spans = top.iter().take(found.found);
        let mut all = bits(&[found.no_answer]);
        for span in spans {
            assert!(text.get(span.range()).is_some());
            all.extend(bits(&[span.score, span.probability]));
        }
        all
    }));
    // The question before has put its own tokens in the place of the text's.
    let _ = session.encode(text, pair);
    let types = vec![0; session.ids().len()];
    let ids = session.ids().to_vec();
    answers.push(session.encode_ids(&ids, Some(&types)).map(|_| bits(session.hidden())));
    answers
}
