//! The weights of a checked file as the kernels take them, read in place.

use distil_format::{Artifact, Config, Dtype, Head, Layout, Role, Tensor};
use distil_kernels::{Group, Isa, Kernels, Matrix, Scales, Vector, cast};

use crate::error::ModelError;
use crate::linear::Linear;

/// A packed model with the instruction set chosen to run it.
#[derive(Clone, Copy, Debug)]
pub struct Model<'a> {
    artifact: &'a Artifact<'a>,
    kernels: Kernels,
}

/// Scale and shift of a layer normalization, `[hidden]` each.
#[derive(Clone, Copy)]
pub(crate) struct Norm<'a> {
    pub(crate) weight: &'a [f32],
    pub(crate) bias: &'a [f32],
}

/// The tables, `[entries][hidden]`, summed into a token's first hidden state.
pub(crate) struct Embeddings<'a> {
    pub(crate) word: Matrix<'a>,
    pub(crate) position: Matrix<'a>,
    pub(crate) token_type: Option<Matrix<'a>>,
    pub(crate) norm: Norm<'a>,
}

/// One transformer layer.
pub(crate) struct Layer<'a> {
    pub(crate) query: Linear<'a>,
    pub(crate) key: Linear<'a>,
    pub(crate) value: Linear<'a>,
    pub(crate) attention_output: Linear<'a>,
    pub(crate) attention_norm: Norm<'a>,
    pub(crate) feed_forward_in: Linear<'a>,
    pub(crate) feed_forward_out: Linear<'a>,
    pub(crate) output_norm: Norm<'a>,
}

/// Masked-LM head: transform, norm, and the projection tied to the word embeddings.
pub(crate) struct MaskedLm<'a> {
    pub(crate) transform: Linear<'a>,
    pub(crate) norm: Norm<'a>,
    pub(crate) projection: Linear<'a>,
}

/// Classification head over the first token.
pub(crate) struct Classifier<'a> {
    pub(crate) pre: Linear<'a>,
    pub(crate) out: Linear<'a>,
}

impl<'a> Model<'a> {
    /// Takes the fastest instruction set of this machine.
    ///
    /// # Errors
    /// [`ModelError::Tensor`] if a tensor cannot be read by the kernels.
    pub fn new(artifact: &'a Artifact<'a>) -> Result<Self, ModelError> {
        Self::with_kernels(artifact, Kernels::detect())
    }

    /// Forces an instruction set. The outputs are the same bits with every one.
    ///
    /// # Errors
    /// [`ModelError::Isa`] if this machine lacks it, else as [`Model::new`].
    pub fn with_isa(artifact: &'a Artifact<'a>, isa: Isa) -> Result<Self, ModelError> {
        Self::with_kernels(artifact, Kernels::with_isa(isa).map_err(ModelError::Isa)?)
    }

    fn with_kernels(artifact: &'a Artifact<'a>, kernels: Kernels) -> Result<Self, ModelError> {
        let model = Self { artifact, kernels };
        model.embeddings()?;
        for i in 0..artifact.config().layers {
            model.layer(i)?;
        }
        match artifact.config().head {
            Head::Embedding => {}
            Head::MaskedLm => _ = model.masked_lm()?,
            Head::SequenceClassification => _ = model.classifier()?,
            Head::TokenClassification => _ = model.token_classifier()?,
            Head::QuestionAnswering => _ = model.span()?,
        }
        Ok(model)
    }

    /// Shapes, head and token ids.
    pub fn config(&self) -> &'a Config {
        self.artifact.config()
    }

    /// The checked file.
    pub fn artifact(&self) -> &'a Artifact<'a> {
        self.artifact
    }

    /// The instruction set in use.
    pub fn isa(&self) -> Isa {
        self.kernels.isa()
    }

    pub(crate) fn kernels(&self) -> Kernels {
        self.kernels
    }

    pub(crate) fn embeddings(&self) -> Result<Embeddings<'a>, ModelError> {
        let has_types = self.config().type_vocab > 0;
        Ok(Embeddings {
            word: self.table(Role::WordEmbedding, "word embedding")?,
            position: self.table(Role::PositionEmbedding, "position embedding")?,
            token_type: if has_types {
                Some(self.table(Role::TokenTypeEmbedding, "token type embedding")?)
            } else {
                None
            },
            norm: self.norm(Role::EmbeddingNormWeight, Role::EmbeddingNormBias, 0, "embedding norm")?,
        })
    }

    pub(crate) fn layer(&self, i: u32) -> Result<Layer<'a>, ModelError> {
        use Role::*;
        Ok(Layer {
            query: self.linear(Query, QueryBias, i, "query")?,
            key: self.linear(Key, KeyBias, i, "key")?,
            value: self.linear(Value, ValueBias, i, "value")?,
            attention_output: self.linear(AttentionOutput, AttentionOutputBias, i, "attention output")?,
            attention_norm: self.norm(AttentionNormWeight, AttentionNormBias, i, "attention norm")?,
            feed_forward_in: self.linear(FeedForwardIn, FeedForwardInBias, i, "first feed-forward")?,
            feed_forward_out: self.linear(FeedForwardOut, FeedForwardOutBias, i, "second feed-forward")?,
            output_norm: self.norm(OutputNormWeight, OutputNormBias, i, "output norm")?,
        })
    }

    pub(crate) fn masked_lm(&self) -> Result<MaskedLm<'a>, ModelError> {
        Ok(MaskedLm {
            transform: self.linear(Role::MlmTransform, Role::MlmTransformBias, 0, "masked-LM transform")?,
            norm: self.norm(Role::MlmNormWeight, Role::MlmNormBias, 0, "masked-LM norm")?,
            projection: self.linear(Role::WordEmbedding, Role::MlmBias, 0, "masked-LM projection")?,
        })
    }

    pub(crate) fn classifier(&self) -> Result<Classifier<'a>, ModelError> {
        Ok(Classifier {
            pre: self.linear(Role::PreClassifier, Role::PreClassifierBias, 0, "pre-classifier")?,
            out: self.linear(Role::Classifier, Role::ClassifierBias, 0, "classifier")?,
        })
    }

    /// Head that labels every token.
    pub(crate) fn token_classifier(&self) -> Result<Linear<'a>, ModelError> {
        self.linear(Role::Classifier, Role::ClassifierBias, 0, "classifier")
    }

    /// Head that scores every token as the first and as the last of an answer.
    pub(crate) fn span(&self) -> Result<Linear<'a>, ModelError> {
        self.linear(Role::Span, Role::SpanBias, 0, "answer span")
    }

    fn tensor(&self, role: Role, layer: u32, name: &'static str) -> Result<Tensor<'a>, ModelError> {
        self.artifact.tensor(role, layer).ok_or(ModelError::Tensor(name))
    }

    fn linear(&self, weight: Role, bias: Role, layer: u32, name: &'static str) -> Result<Linear<'a>, ModelError> {
        let weight = matrix(&self.tensor(weight, layer, name)?);
        let bias = vector(&self.tensor(bias, layer, name)?);
        weight.zip(bias).map(|(weight, bias)| Linear { weight, bias }).ok_or(ModelError::Tensor(name))
    }

    fn norm(&self, weight: Role, bias: Role, layer: u32, name: &'static str) -> Result<Norm<'a>, ModelError> {
        let weight = cast::f32s(self.tensor(weight, layer, name)?.data);
        let bias = cast::f32s(self.tensor(bias, layer, name)?.data);
        weight.zip(bias).map(|(weight, bias)| Norm { weight, bias }).ok_or(ModelError::Tensor(name))
    }

    fn table(&self, role: Role, name: &'static str) -> Result<Matrix<'a>, ModelError> {
        matrix(&self.tensor(role, 0, name)?).ok_or(ModelError::Tensor(name))
    }
}

fn matrix<'a>(tensor: &Tensor<'a>) -> Option<Matrix<'a>> {
    let layout = match tensor.layout {
        Layout::RowMajor => distil_kernels::Layout::RowMajor,
        Layout::Tile16 => distil_kernels::Layout::Tile16,
        Layout::Tile8 => distil_kernels::Layout::Tile8,
        Layout::Tile4 => distil_kernels::Layout::Tile4,
    };
    let (n, k) = (tensor.rows, tensor.cols);
    let group = match tensor.dtype {
        Dtype::F32 => return Matrix::float(cast::f32s(tensor.data)?, n, k, layout).ok(),
        Dtype::F16 => return None,
        Dtype::Int8 => None,
        Dtype::Int4G32 | Dtype::Int3G32 => Some(Group::Of32),
        Dtype::Int4G64 => Some(Group::Of64),
    };
    let scales = Scales::Bf16(cast::u16s(tensor.scales)?);
    match group {
        None => Matrix::int8(cast::i8s(tensor.data), scales, n, k, layout),
        Some(group) => {
            let (elements, groups) = tensor.grouped()?;
            match tensor.dtype {
                Dtype::Int3G32 => Matrix::int3(elements, groups, scales, n, k, layout),
                _ => Matrix::int4(elements, groups, group, scales, n, k, layout),
            }
        }
    }
    .ok()
}

fn vector<'a>(tensor: &Tensor<'a>) -> Option<Vector<'a>> {
    match tensor.dtype {
        Dtype::F32 => cast::f32s(tensor.data).map(Vector::F32),
        Dtype::F16 => cast::u16s(tensor.data).map(Vector::F16),
        Dtype::Int8 | Dtype::Int4G32 | Dtype::Int4G64 | Dtype::Int3G32 => None,
    }
}
