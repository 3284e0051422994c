//! BERT and DistilBERT for masked language modelling: one encoder for both, which differ in names and token types.

mod config;
mod encoder;
mod folder;
mod head;
mod initialize;
mod names;
mod parameters;

pub use config::{Architecture, ModelConfig};
pub use encoder::{Encoder, Tokens};
pub use folder::{ModelFolder, save, write_tensors};
pub use head::MaskedLmHead;
pub use initialize::{StudentPlan, random, spread_layers, student_from_teacher};
pub use names::{Part, Slot, parameter_name, parameter_shapes};
pub use parameters::Parameters;

use crate::ops::Dropout;
use candle_core::{DType, Device, Result, Tensor};

/// Encoder and masked-LM head over one set of parameters.
#[derive(Debug)]
pub struct Model {
    /// Shape and architecture.
    pub config: ModelConfig,
    /// All tensors by Hugging Face name.
    pub parameters: Parameters,
    encoder: Encoder,
    head: MaskedLmHead,
}

impl Model {
    /// A model over `parameters`, computing in `dtype` (parameters keep their own type and are cast at use).
    pub fn new(config: ModelConfig, parameters: Parameters, dtype: DType) -> Result<Self> {
        Ok(Self {
            encoder: Encoder::new(&config, &parameters, dtype)?,
            head: MaskedLmHead::new(&config, &parameters, dtype)?,
            config,
            parameters,
        })
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

    /// The head's projection of hidden rows onto the vocabulary, not yet multiplied out.
    pub fn project(&self, hidden: &Tensor) -> Result<crate::ops::Projection> {
        self.head.project(hidden)
    }
}
