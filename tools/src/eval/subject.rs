//! What is measured: a packed file in the runtime, or its folder in float.

use distil_format::{Config, Head, Vocabulary};
use distil_runtime::{Answer, Model, Plan, Search, Session, arena_len};

use super::mlm::Guess;
use crate::error::Error;
use crate::float::{Bounds, Encoder, Found};
use crate::hf;
use crate::pack;
use crate::sequence::{Sequence, Sequencer};

/// A model that can be asked for embeddings or masked tokens.
pub enum Subject<'a> {
    /// A packed file, as a device runs it.
    Packed(&'a Model<'a>),
    /// A Hugging Face folder in float, with its vocabulary in packed form.
    Float {
        /// The model.
        model: &'a hf::Model,
        /// Its configuration as packing would make it.
        config: Config,
        /// Its vocabulary.
        vocabulary: Vocabulary<'a>,
    },
}

impl<'a> Subject<'a> {
    /// The float original with its vocabulary; `packed_vocabulary` comes from
    /// [`build_vocabulary`](distil_format::build_vocabulary).
    pub fn float(model: &'a hf::Model, vocabulary: &hf::Vocabulary, packed_vocabulary: Vocabulary<'a>) -> Self {
        let config = pack::config(model, vocabulary, model.pooling);
        Self::Float { model, config, vocabulary: packed_vocabulary }
    }

    /// Shape and head.
    pub fn config(&self) -> &Config {
        match self {
            Self::Packed(model) => model.config(),
            Self::Float { config, .. } => config,
        }
    }

    /// Its label names; none without a classifier.
    pub fn labels(&self) -> Vec<String> {
        match self {
            Self::Packed(model) => (0..).map_while(|index| model.artifact().label(index).map(str::to_owned)).collect(),
            Self::Float { model, .. } => model.labels.clone(),
        }
    }

    /// Its tokenizer.
    pub fn sequencer(&self) -> Sequencer<'a> {
        match self {
            Self::Packed(model) => Sequencer::new(model.config(), model.artifact().vocabulary()),
            Self::Float { config, vocabulary, .. } => Sequencer::new(config, *vocabulary),
        }
    }

    /// `packed`, or `float` for the original.
    pub fn path_name(&self) -> &'static str {
        match self {
            Self::Packed(_) => "packed",
            Self::Float { .. } => "float",
        }
    }

    /// Bytes of working memory that the answers need; one slice for each thread.
    pub fn arena_len(&self) -> usize {
        match self {
            Self::Packed(model) => arena_len(model.artifact(), model.config().max_positions as usize, Plan::FAST),
            Self::Float { .. } => 0,
        }
    }

    /// The pooled vector of a sequence.
    pub fn embed(&self, arena: &mut [u8], sequence: &Sequence) -> Result<Vec<f32>, Error> {
        match self {
            Self::Packed(model) => {
                let mut session = Session::new(model, arena, model.config().max_positions as usize)?;
                session.encode_ids(&sequence.ids, Some(&sequence.types))?;
                Ok(session.pooled()?.to_vec())
            }
            Self::Float { model, .. } => {
                let encoder = Encoder::new(model);
                Ok(encoder.pool(&encoder.hidden(&sequence.ids, &segments(sequence)), model.pooling))
            }
        }
    }

    /// The label scores of a sequence, before softmax.
    ///
    /// # Panics
    ///
    /// If the model has another head: the caller looked.
    pub fn classes(&self, arena: &mut [u8], sequence: &Sequence) -> Result<Vec<f32>, Error> {
        match self {
            Self::Packed(model) => {
                let most = model.config().max_positions as usize;
                let mut session = Session::new(model, arena, most)?.answers_only(true);
                session.encode_ids(&sequence.ids, Some(&sequence.types))?;
                Ok(session.classification()?.logits().to_vec())
            }
            Self::Float { model, .. } => {
                let encoder = Encoder::new(model);
                Ok(encoder.classes(&encoder.hidden(&sequence.ids, &segments(sequence))).expect("a classifier"))
            }
        }
    }

    /// The number of the best label of each token at `positions`, the first one on a tie.
    ///
    /// # Panics
    ///
    /// If the model has another head: the caller looked.
    pub fn tags(&self, arena: &mut [u8], sequence: &Sequence, positions: &[usize]) -> Result<Vec<usize>, Error> {
        match self {
            Self::Packed(model) => {
                let mut session = Session::new(model, arena, model.config().max_positions as usize)?;
                session.encode_ids(&sequence.ids, Some(&sequence.types))?;
                positions.iter().map(|&at| Ok(best(session.token_classification(at)?.logits()))).collect()
            }
            Self::Float { model, .. } => {
                let encoder = Encoder::new(model);
                let scores = encoder.token_classes(&encoder.hidden(&sequence.ids, &segments(sequence)));
                let (scores, labels) = (scores.expect("a classifier of tokens"), model.labels.len());
                Ok(positions.iter().map(|&at| best(&scores[at * labels..(at + 1) * labels])).collect())
            }
        }
    }

    /// The answer to a question about a context, in windows of `tokens` tokens; a question of more than half a window
    /// loses its end.
    ///
    /// # Panics
    ///
    /// If the model has another head: the caller looked.
    pub fn answer(&self, arena: &mut [u8], question: &str, context: &str, tokens: usize) -> Result<Found, Error> {
        let search = Search::default();
        match self {
            Self::Packed(model) => {
                let mut session = Session::new(model, arena, tokens)?.truncating(true);
                let mut best = [Answer::default()];
                let said = session.answers(question, context, search, &mut best)?;
                let best = (said.found > 0).then(|| (best[0].range(), best[0].score));
                Ok(Found { best, no_answer: said.no_answer, windows: said.windows })
            }
            Self::Float { model, config, .. } => {
                let sequencer = self.sequencer();
                let mut question = sequencer.pieces_of(question);
                question.truncate((tokens - 3) / 2);
                let bounds = Bounds { tokens, overlap: search.overlap, longest: search.longest };
                let added = (config.cls_id, config.sep_id);
                let found = Encoder::new(model).answer(&question, &sequencer.pieces_of(context), added, bounds);
                Ok(found.expect("a question answering head, and room"))
            }
        }
    }

    /// What a masked-LM head says at the `targets`: positions, and the tokens that stood there.
    ///
    /// # Panics
    ///
    /// If the model has another head: the caller looked.
    pub fn guess(&self, arena: &mut [u8], sequence: &Sequence, targets: &[(usize, u32)]) -> Result<Vec<Guess>, Error> {
        assert_eq!(self.config().head, Head::MaskedLm);
        match self {
            Self::Packed(model) => {
                let mut session = Session::new(model, arena, model.config().max_positions as usize)?;
                session.encode_ids(&sequence.ids, Some(&sequence.types))?;
                let mut best = [distil_runtime::Candidate::default(); 1];
                let guess = |&(position, target): &(usize, u32)| {
                    let found = session.predict(position, Some(target), &mut best)?;
                    let logit = f64::from(found.target.unwrap_or(f32::MIN));
                    let loss = f64::from(found.max) + f64::from(found.sum).ln() - logit;
                    Ok(Guess { correct: best[0].id == target, loss })
                };
                targets.iter().map(guess).collect()
            }
            Self::Float { model, .. } => {
                let encoder = Encoder::new(model);
                let hidden = encoder.hidden(&sequence.ids, &segments(sequence));
                let width = model.config.hidden;
                let rows: Vec<f32> =
                    targets.iter().flat_map(|(at, _)| &hidden[at * width..(at + 1) * width]).copied().collect();
                let scores = encoder.vocabulary(&rows).expect("a masked-LM head");
                let scores = scores.chunks_exact(model.config.vocab_size);
                Ok(scores.zip(targets).map(|(scores, &(_, target))| Guess::from_scores(scores, target)).collect())
            }
        }
    }
}

/// The place of the largest score, the first one on a tie.
pub(super) fn best(scores: &[f32]) -> usize {
    (0..scores.len()).fold(0, |best, at| if scores[at] > scores[best] { at } else { best })
}

fn segments(sequence: &Sequence) -> Vec<u32> {
    sequence.types.iter().map(|&segment| u32::from(segment)).collect()
}
