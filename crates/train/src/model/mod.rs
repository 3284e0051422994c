//! BERT and DistilBERT with their heads: one encoder for both, which differ in names and token types.

mod classifier;
mod config;
mod encoder;
mod folder;
mod grid;
mod head;
mod initialize;
mod names;
mod output;
mod parameters;

pub use classifier::{RowHead, TextHead};
pub use config::{Architecture, ModelConfig};
pub use encoder::{Encoder, Tokens};
pub use folder::{ModelFolder, save, write_tensors};
pub use head::MaskedLmHead;
pub use initialize::{StudentPlan, new_parts, random, spread_layers, student_from_teacher};
pub use names::{Part, Slot, parameter_name, parameter_shapes};
pub use output::{Head, Labels, Problem};
pub use parameters::Parameters;

use crate::ops::{Dropout, Sequences};
use crate::qat::Grid;
use crate::rng::{Purpose, normal, stream};
use candle_core::{DType, Device, Result, Tensor, bail};
use grid::Source;

/// Name of the learned projection of hidden states, among the trained tensors.
pub const HIDDEN_PROJECTION: &str = "hidden_projection.weight";

/// Encoder and head over one set of parameters.
#[derive(Debug)]
pub struct Model {
    /// Shape and architecture.
    pub config: ModelConfig,
    /// All tensors by Hugging Face name.
    pub parameters: Parameters,
    encoder: Encoder,
    head: Outlet,
    projection: Option<Tensor>,
    grid: Option<Grid>,
}

/// The module of a [`Head`].
#[derive(Debug)]
enum Outlet {
    MaskedLm(MaskedLmHead),
    Texts(TextHead),
    Rows(RowHead),
}

impl Outlet {
    fn new(config: &ModelConfig, source: Source, dtype: DType) -> Result<Self> {
        Ok(match &config.head {
            Head::MaskedLm => Self::MaskedLm(MaskedLmHead::new(config, source, dtype)?),
            Head::Texts(labels) => Self::Texts(TextHead::new(config, source, labels.dropout, dtype)?),
            Head::Tokens(labels) => Self::Rows(RowHead::new(source, Part::Classifier, labels.dropout, dtype)?),
            Head::Spans { dropout } => Self::Rows(RowHead::new(source, Part::Spans, *dropout, dtype)?),
        })
    }
}

impl Model {
    /// A model over `parameters`, computing in `dtype` (parameters keep their own type and are cast at use).
    pub fn new(config: ModelConfig, parameters: Parameters, dtype: DType) -> Result<Self> {
        Self::build(config, parameters, dtype, None)
    }

    fn build(config: ModelConfig, parameters: Parameters, dtype: DType, grid: Option<Grid>) -> Result<Self> {
        let source = Source { parameters: &parameters, grid: grid.as_ref() };
        Ok(Self {
            encoder: Encoder::new(&config, source, dtype)?,
            head: Outlet::new(&config, source, dtype)?,
            projection: None,
            config,
            parameters,
            grid,
        })
    }

    /// Adds a learned projection of the last hidden state to `width`, so that it can be compared with the hidden state of a
    /// teacher of that width. It starts at random, is trained with the model and not saved with it.
    pub fn project_hidden_to(&mut self, width: usize, seed: u64) -> Result<()> {
        let hidden = self.config.hidden;
        let mut rng = stream(seed, Purpose::Projection, 0);
        // Keeps the length of a row, about.
        let scale = 1.0 / (hidden as f32).sqrt();
        let values: Vec<f32> = (0..width * hidden).map(|_| normal(&mut rng) * scale).collect();
        let weight = Tensor::from_vec(values, (width, hidden), self.device())?;
        self.projection = Some(self.parameters.train_extra(HIDDEN_PROJECTION, &weight)?);
        Ok(())
    }

    /// The last hidden state as it is compared with a teacher's: projected where the widths differ.
    pub fn compared(&self, last: &Tensor) -> Result<Tensor> {
        match &self.projection {
            Some(weight) => last.matmul(&weight.to_dtype(last.dtype())?.t()?),
            None => Ok(last.clone()),
        }
    }

    /// Where the model computes.
    pub fn device(&self) -> &Device {
        self.encoder.device()
    }

    /// The type it computes in.
    pub fn dtype(&self) -> DType {
        self.encoder.dtype()
    }

    /// All hidden states `[rows, hidden]`: after the embeddings, then after each layer.
    pub fn hidden_states(&self, tokens: &Tokens, dropout: &mut Dropout) -> Result<Vec<Tensor>> {
        self.encoder.forward(tokens, dropout)
    }

    /// [`Encoder::queries_and_keys`] over the hidden states that [`Self::hidden_states`] gives before layer `i`.
    pub fn queries_and_keys(&self, i: usize, states: &[Tensor]) -> Option<Result<[Tensor; 2]>> {
        self.encoder.queries_and_keys(i, states.get(i)?)
    }

    /// The head's projection of hidden rows onto the vocabulary, not yet multiplied out.
    pub fn project(&self, hidden: &Tensor) -> Result<crate::ops::Projection> {
        match &self.head {
            Outlet::MaskedLm(head) => head.project(hidden),
            _ => bail!("the model has no masked-LM head"),
        }
    }

    /// The scores of a fine-tuned model's head in `f32`, from the last hidden state `[rows, hidden]`: `[sequences, labels]` for texts,
    /// `[rows, labels]` for tokens, `[rows, 2]` for answers.
    pub fn scores(&self, last: &Tensor, sequences: &Sequences, dropout: &mut Dropout) -> Result<Tensor> {
        match &self.head {
            Outlet::Texts(head) => head.scores(last, sequences, dropout),
            Outlet::Rows(head) => head.scores(last, dropout),
            Outlet::MaskedLm(_) => bail!("the model is a masked LM and has no scores"),
        }
    }
}
