//! A packed file against its float original: every tensor, the hidden states after every layer, and the outputs on given
//! texts.

mod agreement;
mod beside;
mod limits;

use distil_format::{Artifact, Head};
use distil_runtime::{Candidate, Model, Plan, Session, arena_len};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::Serialize;

use crate::error::Error;
use crate::float::Encoder;
use crate::hf;
use crate::pack::{self, Manifest, TensorError};
use crate::sequence::{Sequence, Sequencer};

pub use agreement::{Agreement, LayerReport};
pub use beside::{Beside, beside};
pub use limits::{LimitReport, Limits};

/// One tensor's error, measured on the stored values; its JSON.
#[derive(Clone, Debug, Serialize, JsonSchema)]
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
#[derive(Clone, Debug, Serialize, JsonSchema)]
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
    /// After the embeddings and after each layer.
    #[serde(skip)]
    pub layers: Vec<Agreement>,
}

/// How the head's outputs agree.
#[derive(Clone, Debug, Serialize, JsonSchema)]
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

/// A packed file against its original.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// Every tensor, in the file's order.
    pub tensors: Vec<TensorReport>,
    /// The hidden states after the embeddings and after each layer.
    pub layers: Vec<LayerReport>,
    /// Every text.
    pub texts: Vec<TextReport>,
}

impl Comparison {
    /// Runs every text through both. Texts are shared among the cores; no result depends on how many there are. `tick` is
    /// called after each.
    ///
    /// # Errors
    /// The first text's that fails.
    pub fn new(
        model: &Model<'_>,
        original: &hf::Model,
        tensors: Vec<TensorReport>,
        texts: &[String],
        tick: impl Fn() + Sync,
    ) -> Result<Self, Error> {
        let most = model.config().max_positions as usize;
        let arena = || vec![0; arena_len(model.artifact(), most, Plan::FAST)];
        let reports = texts.par_iter().map_init(arena, |arena, line| {
            let report = text(model, original, arena, line);
            tick();
            report
        });
        let mut texts: Vec<TextReport> = reports.collect::<Result<_, Error>>()?;
        let layers: Vec<_> = texts.iter_mut().map(|text| std::mem::take(&mut text.layers)).collect();
        Ok(Self { tensors, layers: LayerReport::over(&layers), texts })
    }

    /// The least cosine of the last hidden states of a text.
    pub fn min_hidden_cosine(&self) -> f64 {
        self.texts.iter().map(|text| text.hidden_cosine).fold(1.0, f64::min)
    }

    /// The largest relative error of the last hidden states of a text.
    pub fn max_hidden_error(&self) -> f64 {
        self.texts.iter().map(|text| text.hidden_error).fold(0.0, f64::max)
    }

    /// Share of answers with the same best candidate; `None` for an embedding, or if nothing was asked.
    pub fn agreement(&self) -> Option<f64> {
        let (mut answers, mut same) = (0, 0);
        for text in &self.texts {
            if let HeadReport::Best { answers: asked, same_best, .. } = text.head {
                (answers, same) = (answers + asked, same + same_best);
            }
        }
        (answers > 0).then(|| same as f64 / answers as f64)
    }

    /// The least cosine of the embeddings of a text; `None` for other heads.
    pub fn min_output_cosine(&self) -> Option<f64> {
        self.texts.iter().filter_map(TextReport::output_cosine).reduce(f64::min)
    }

    /// The mean cosine of the embeddings; `None` for other heads.
    pub fn mean_output_cosine(&self) -> Option<f64> {
        let cosines: Vec<f64> = self.texts.iter().filter_map(TextReport::output_cosine).collect();
        (!cosines.is_empty()).then(|| cosines.iter().sum::<f64>() / cosines.len() as f64)
    }
}

impl TextReport {
    /// Cosine of the two embeddings; `None` for other heads.
    pub fn output_cosine(&self) -> Option<f64> {
        match self.head {
            HeadReport::Embedding { output_cosine, .. } => Some(output_cosine),
            HeadReport::Best { .. } => None,
        }
    }
}

/// The error of every tensor of a packed file; `None` if the folder's model has another shape or head. `tick` is called
/// after each.
pub fn tensors(artifact: &Artifact<'_>, model: &hf::Model, tick: impl Fn() + Sync) -> Option<Vec<TensorReport>> {
    let config = artifact.config();
    let manifest = Manifest::from_cbor(artifact.manifest()).ok();
    let migrated = manifest.as_ref().map_or(&[][..], Manifest::migrated);
    let stored: Vec<_> = artifact.tensors().collect();
    stored
        .into_par_iter()
        .map(|tensor| {
            let source = pack::source(model, tensor.id)?;
            if (source.rows, source.cols) != config.shape(tensor.id) {
                return None;
            }
            let name = source.name.clone();
            let source = pack::migrate(tensor.id, source, migrated);
            let error = TensorError::between(&source.data, &pack::unpack(&tensor), tensor.cols);
            tick();
            Some(TensorReport { name: tensor.id.to_string(), source: name, dtype: tensor.dtype.name(), error })
        })
        .collect()
}

/// Runs `text` through both and compares.
pub fn text(model: &Model<'_>, original: &hf::Model, arena: &mut [u8], text: &str) -> Result<TextReport, Error> {
    let config = model.config();
    let most = config.max_positions as usize;
    let (sequence, truncated) = Sequencer::new(config, model.artifact().vocabulary()).truncated(text, most);
    let encoder = Encoder::new(original);
    let types: Vec<u32> = sequence.types.iter().map(|&segment| u32::from(segment)).collect();
    let mut states = Vec::with_capacity(config.layers as usize + 1);
    let hidden = encoder.observe(&sequence.ids, &types, |_, hidden| states.push(hidden.to_vec()));

    let mut session = Session::new(model, arena, most)?;
    let states_beside = beside(&mut session, config, &encoder, &sequence, &states)?;
    let head = match config.head {
        Head::Embedding => {
            let vectors = states_beside.embedding.expect("the same head");
            HeadReport::Embedding { output_cosine: vectors.cosine(), output_error: vectors.error() }
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
    let last = states_beside.last();
    Ok(TextReport {
        tokens: sequence.len(),
        truncated,
        hidden_cosine: last.cosine(),
        hidden_error: last.error(),
        head,
        layers: states_beside.layers,
    })
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
