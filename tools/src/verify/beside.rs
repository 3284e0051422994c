//! A text in the packed file beside the float model: after every layer, and as one vector. What `verify` and `report` show
//! comes from here.

use distil_format::Head;
use distil_runtime::Session;

use super::Agreement;
use crate::error::Error;
use crate::float::Encoder;
use crate::hf;
use crate::sequence::Sequence;

/// How near the packed file is to the float model on one text.
#[derive(Clone, Debug, PartialEq)]
pub struct Beside {
    /// Hidden states after the embeddings, then after each layer.
    pub layers: Vec<Agreement>,
    /// Both embeddings; `None` for other heads.
    pub embedding: Option<Agreement>,
}

impl Beside {
    /// The last hidden states.
    pub fn last(&self) -> &Agreement {
        self.layers.last().expect("the embeddings at least")
    }
}

/// Runs `sequence` in `session` and compares it with the float model's hidden states before the first layer and after each.
///
/// # Errors
/// If the session refuses the sequence.
pub fn beside(
    session: &mut Session<'_>,
    config: &distil_format::Config,
    encoder: &Encoder<'_>,
    sequence: &Sequence,
    float: &[Vec<f32>],
) -> Result<Beside, Error> {
    let mut layers = Vec::with_capacity(float.len());
    session.observe_ids(&sequence.ids, Some(&sequence.types), |done, packed| {
        layers.push(Agreement::between(packed, &float[done as usize], config.hidden as usize));
    })?;
    let embedding = if config.head == Head::Embedding {
        let pooling = hf::Pooling { cls: config.pooling == distil_format::Pooling::Cls, normalize: config.normalize };
        let (packed, float) =
            (session.pooled()?, encoder.pool(float.last().expect("the embeddings at least"), pooling));
        Some(Agreement::between(packed, &float, float.len()))
    } else {
        None
    };
    Ok(Beside { layers, embedding })
}
