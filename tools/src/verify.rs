//! A packed file against its float original: every tensor, and the outputs on given texts.

use distil_format::{Artifact, Head};
use distil_runtime::{Candidate, Model, Session};
use serde::Serialize;

use crate::error::Error;
use crate::eval::stats::cosine;
use crate::float::Encoder;
use crate::hf;
use crate::pack::{self, TensorError};
use crate::sequence::{Sequence, Sequencer};

/// One tensor's error, measured on the stored values; its JSON.
#[derive(Clone, Debug, Serialize)]
pub struct TensorReport {
    /// Its name in the packed file.
    pub name: String,
    /// Its name in the source.
    pub source: String,
    /// Its stored type.
    pub dtype: &'static str,
    /// The error.
    #[serde(flatten)]
    pub error: TensorError,
}

/// One text's agreement; its JSON.
#[derive(Clone, Debug, Serialize)]
pub struct TextReport {
    /// Tokens.
    pub tokens: usize,
    /// Whether the text lost its end.
    pub truncated: bool,
    /// Cosine of packed and float hidden states, all tokens as one vector.
    pub hidden_cosine: f64,
    /// `|packed - float| / |float|` of the hidden states.
    pub hidden_error: f64,
    /// The head's output.
    #[serde(flatten)]
    pub head: HeadReport,
}

/// How the head's outputs agree.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum HeadReport {
    /// Two vectors.
    Embedding {
        /// Their cosine.
        output_cosine: f64,
        /// Relative L2 error of the packed one.
        output_error: f64,
    },
    /// Answers of which the best one counts.
    Best {
        /// Answers asked for: 1 for a classifier of texts, one for each token for a classifier of tokens, 2 for question
        /// answering (where the answer starts and ends); for a masked-LM head the `[MASK]`s, or where there is none all
        /// word pieces.
        answers: usize,
        /// Those where packed and float have the same best candidate.
        same_best: usize,
        /// The largest difference of the best candidate's logit.
        logit_difference: f64,
    },
}

/// The error of every tensor of a packed file; `None` if the folder's model has another shape or head.
pub fn tensors(artifact: &Artifact<'_>, model: &hf::Model) -> Option<Vec<TensorReport>> {
    let config = artifact.config();
    artifact
        .tensors()
        .map(|tensor| {
            let source = pack::source(model, tensor.id)?;
            if (source.rows, source.cols) != config.shape(tensor.id) {
                return None;
            }
            let error = TensorError::between(&source.data, &pack::unpack(&tensor), tensor.cols);
            Some(TensorReport {
                name: tensor.id.to_string(),
                source: source.name.clone(),
                dtype: tensor.dtype.name(),
                error,
            })
        })
        .collect()
}

/// Runs `text` through both and compares.
pub fn text(model: &Model<'_>, original: &hf::Model, arena: &mut [u8], text: &str) -> Result<TextReport, Error> {
    let config = model.config();
    let most = config.max_positions as usize;
    let (sequence, truncated) = Sequencer::new(config, model.artifact().vocabulary()).truncated(text, most);
    let mut session = Session::new(model, arena, most)?;
    session.encode_ids(&sequence.ids, Some(&sequence.types))?;

    let encoder = Encoder::new(original);
    let types: Vec<u32> = sequence.types.iter().map(|&segment| u32::from(segment)).collect();
    let hidden = encoder.hidden(&sequence.ids, &types);
    let (hidden_cosine, hidden_error) = (cosine(session.hidden(), &hidden), relative(session.hidden(), &hidden));
    let head = match config.head {
        Head::Embedding => {
            let pooling =
                hf::Pooling { cls: config.pooling == distil_format::Pooling::Cls, normalize: config.normalize };
            let (packed, float) = (session.pooled()?, encoder.pool(&hidden, pooling));
            HeadReport::Embedding { output_cosine: cosine(packed, &float), output_error: relative(packed, &float) }
        }
        Head::SequenceClassification => {
            let float = encoder.classes(&hidden).expect("the same head");
            compared([(session.classification()?.logits().to_vec(), float)])
        }
        Head::TokenClassification => {
            let float = encoder.token_classes(&hidden).expect("the same head");
            let rows = float.chunks_exact(config.labels as usize).enumerate();
            let rows: Result<Vec<_>, Error> = rows
                .map(|(at, float)| Ok((session.token_classification(at)?.logits().to_vec(), float.to_vec())))
                .collect();
            compared(rows?)
        }
        Head::QuestionAnswering => {
            let float = encoder.spans(&hidden).expect("the same head");
            let packed = session.span_logits()?;
            compared([0, 1].map(|end| {
                let column = |scores: &[[f32; 2]]| scores.iter().map(|both| both[end]).collect();
                (column(packed), column(&float))
            }))
        }
        Head::MaskedLm => masked_lm(&mut session, &encoder, &sequence, &hidden, config.mask_id)?,
    };
    Ok(TextReport { tokens: sequence.len(), truncated, hidden_cosine, hidden_error, head })
}

fn masked_lm(
    session: &mut Session<'_>,
    encoder: &Encoder<'_>,
    sequence: &Sequence,
    hidden: &[f32],
    mask: u32,
) -> Result<HeadReport, Error> {
    let masks: Vec<usize> = session.masks().collect();
    let pieces = || (0..sequence.len()).filter(|&at| !sequence.spans[at].is_empty()).collect();
    let positions: Vec<usize> = if sequence.ids.contains(&mask) { masks } else { pieces() };
    let width = hidden.len() / sequence.len();
    let (mut same_best, mut logit_difference) = (0, 0.0f64);
    for &position in &positions {
        let float = encoder.vocabulary(&hidden[position * width..(position + 1) * width]).expect("the same head");
        let best = best(&float);
        let mut top = [Candidate::default(); 1];
        let packed = session.predict(position, Some(best as u32), &mut top)?;
        same_best += usize::from(top[0].id as usize == best);
        let difference = packed.target.unwrap_or(f32::MIN) - float[best];
        logit_difference = logit_difference.max(f64::from(difference.abs()));
    }
    Ok(HeadReport::Best { answers: positions.len(), same_best, logit_difference })
}

/// Scores, packed and float, of one question after the other.
fn compared(questions: impl IntoIterator<Item = (Vec<f32>, Vec<f32>)>) -> HeadReport {
    let (mut answers, mut same_best, mut logit_difference) = (0, 0, 0.0f64);
    for (packed, float) in questions {
        let expected = best(&float);
        answers += 1;
        same_best += usize::from(best(&packed) == expected);
        logit_difference = logit_difference.max(f64::from((packed[expected] - float[expected]).abs()));
    }
    HeadReport::Best { answers, same_best, logit_difference }
}

/// The index of the largest score, the first one on a tie.
fn best(scores: &[f32]) -> usize {
    (0..scores.len()).fold(0, |best, at| if scores[at] > scores[best] { at } else { best })
}

/// `|a - b| / |b|`.
fn relative(a: &[f32], b: &[f32]) -> f64 {
    TensorError::between(b, a, b.len()).relative
}
