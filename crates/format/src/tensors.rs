//! The tensors of a model: what each is for, its shape, and the order that the configuration implies. A tensor is found by computing its index: no search, no strings.

use core::fmt;

use crate::config::Config;
use crate::enums::{Head, named};

named! {
    /// What a tensor is for.
    enum Role, "tensor role" {
        /// One row a token, `[vocabulary][hidden]`; the masked-LM projection reads it too.
        WordEmbedding = 0, "word-embedding";
        /// One row a position, `[positions][hidden]`.
        PositionEmbedding = 1, "position-embedding";
        /// One row a segment, `[types][hidden]`; absent when the model has no token types.
        TokenTypeEmbedding = 2, "token-type-embedding";
        /// Gain of the normalization after the embeddings.
        EmbeddingNormWeight = 3, "embedding-norm-weight";
        /// Offset of the normalization after the embeddings.
        EmbeddingNormBias = 4, "embedding-norm-bias";
        /// Attention query, `[hidden][hidden]`, output channels first as all matrices.
        Query = 5, "query";
        /// Bias of the query.
        QueryBias = 6, "query-bias";
        /// Attention key, `[hidden][hidden]`.
        Key = 7, "key";
        /// Bias of the key.
        KeyBias = 8, "key-bias";
        /// Attention value, `[hidden][hidden]`.
        Value = 9, "value";
        /// Bias of the value.
        ValueBias = 10, "value-bias";
        /// Projection of the joined attention heads, `[hidden][hidden]`.
        AttentionOutput = 11, "attention-output";
        /// Bias of that projection.
        AttentionOutputBias = 12, "attention-output-bias";
        /// Gain of the normalization after attention.
        AttentionNormWeight = 13, "attention-norm-weight";
        /// Offset of the normalization after attention.
        AttentionNormBias = 14, "attention-norm-bias";
        /// First feed-forward matrix, `[intermediate][hidden]`.
        FeedForwardIn = 15, "feed-forward-in";
        /// Bias of the first feed-forward matrix.
        FeedForwardInBias = 16, "feed-forward-in-bias";
        /// Second feed-forward matrix, `[hidden][intermediate]`.
        FeedForwardOut = 17, "feed-forward-out";
        /// Bias of the second feed-forward matrix.
        FeedForwardOutBias = 18, "feed-forward-out-bias";
        /// Gain of the layer's last normalization.
        OutputNormWeight = 19, "output-norm-weight";
        /// Offset of the layer's last normalization.
        OutputNormBias = 20, "output-norm-bias";
        /// Transform before the masked-LM projection, `[hidden][hidden]`.
        MlmTransform = 21, "mlm-transform";
        /// Bias of the transform.
        MlmTransformBias = 22, "mlm-transform-bias";
        /// Gain of the normalization after the transform.
        MlmNormWeight = 23, "mlm-norm-weight";
        /// Offset of the normalization after the transform.
        MlmNormBias = 24, "mlm-norm-bias";
        /// One offset a token, `[vocabulary]`.
        MlmBias = 25, "mlm-bias";
        /// Transform of `[CLS]` before the classifier (BERT: the pooler), `[hidden][hidden]`.
        PreClassifier = 26, "pre-classifier";
        /// Bias of that transform.
        PreClassifierBias = 27, "pre-classifier-bias";
        /// One row a label, `[labels][hidden]`: of texts or of tokens.
        Classifier = 28, "classifier";
        /// Bias of the classifier.
        ClassifierBias = 29, "classifier-bias";
        /// Scores of an answer's first and last token, `[2][hidden]`.
        Span = 30, "span";
        /// Bias of those scores.
        SpanBias = 31, "span-bias";
    }
}

/// How a tensor is used, which decides how it may be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleKind {
    /// Rows are gathered: row-major, int8 or f32.
    Table,
    /// Rows are output channels of a matrix product: `Tile16`, int8 or f32.
    Matrix,
    /// A vector added to a product: row-major, f32 or f16.
    Bias,
    /// A vector of a normalization: row-major, f32.
    Norm,
}

const EMBEDDING: [Role; 5] = [
    Role::WordEmbedding,
    Role::PositionEmbedding,
    Role::TokenTypeEmbedding,
    Role::EmbeddingNormWeight,
    Role::EmbeddingNormBias,
];
/// Without token types.
const EMBEDDING_UNTYPED: [Role; 4] =
    [Role::WordEmbedding, Role::PositionEmbedding, Role::EmbeddingNormWeight, Role::EmbeddingNormBias];
const LAYER: [Role; 16] = [
    Role::Query,
    Role::QueryBias,
    Role::Key,
    Role::KeyBias,
    Role::Value,
    Role::ValueBias,
    Role::AttentionOutput,
    Role::AttentionOutputBias,
    Role::AttentionNormWeight,
    Role::AttentionNormBias,
    Role::FeedForwardIn,
    Role::FeedForwardInBias,
    Role::FeedForwardOut,
    Role::FeedForwardOutBias,
    Role::OutputNormWeight,
    Role::OutputNormBias,
];
const MASKED_LM: [Role; 5] =
    [Role::MlmTransform, Role::MlmTransformBias, Role::MlmNormWeight, Role::MlmNormBias, Role::MlmBias];
const CLASSIFICATION: [Role; 4] =
    [Role::PreClassifier, Role::PreClassifierBias, Role::Classifier, Role::ClassifierBias];
const TOKEN_CLASSIFICATION: [Role; 2] = [Role::Classifier, Role::ClassifierBias];
const QUESTION_ANSWERING: [Role; 2] = [Role::Span, Role::SpanBias];

impl Role {
    /// How the tensor is used.
    pub const fn kind(self) -> RoleKind {
        use Role::*;
        match self {
            WordEmbedding | PositionEmbedding | TokenTypeEmbedding => RoleKind::Table,
            Query | Key | Value | AttentionOutput | FeedForwardIn | FeedForwardOut | MlmTransform | PreClassifier
            | Classifier | Span => RoleKind::Matrix,
            QueryBias | KeyBias | ValueBias | AttentionOutputBias | FeedForwardInBias | FeedForwardOutBias
            | MlmTransformBias | MlmBias | PreClassifierBias | ClassifierBias | SpanBias => RoleKind::Bias,
            EmbeddingNormWeight | EmbeddingNormBias | AttentionNormWeight | AttentionNormBias | OutputNormWeight
            | OutputNormBias | MlmNormWeight | MlmNormBias => RoleKind::Norm,
        }
    }

    /// Whether every layer has its own.
    pub const fn is_per_layer(self) -> bool {
        let code = self.code();
        Role::Query.code() <= code && code <= Role::OutputNormBias.code()
    }
}

/// One tensor of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TensorId {
    /// What it is for.
    pub role: Role,
    /// Its layer, from 0; 0 for what is not in a layer.
    pub layer: u32,
}

impl fmt::Display for TensorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.role.is_per_layer() { write!(f, "layer.{}.{}", self.layer, self.role) } else { self.role.fmt(f) }
    }
}

impl Config {
    /// Every tensor of the model in the file's order: embeddings, layers, head.
    pub fn tensor_ids(&self) -> impl Iterator<Item = TensorId> + use<> {
        let global = |&role| TensorId { role, layer: 0 };
        let layers = (0..self.layers).flat_map(|layer| LAYER.iter().map(move |&role| TensorId { role, layer }));
        self.embedding_roles().iter().map(global).chain(layers).chain(self.head_roles().iter().map(global))
    }

    /// Tensors of the model.
    pub fn tensor_count(&self) -> usize {
        self.embedding_roles().len() + self.layers as usize * LAYER.len() + self.head_roles().len()
    }

    /// Place of a tensor in [`Config::tensor_ids`]; `None` when the model has no such tensor.
    pub fn index_of(&self, id: TensorId) -> Option<usize> {
        let place = |roles: &[Role]| roles.iter().position(|&role| role == id.role);
        let before = self.embedding_roles().len();
        if id.role.is_per_layer() {
            let inside = (id.role.code() - Role::Query.code()) as usize;
            return (id.layer < self.layers).then(|| before + id.layer as usize * LAYER.len() + inside);
        }
        if id.layer != 0 {
            return None;
        }
        place(self.embedding_roles())
            .or_else(|| place(self.head_roles()).map(|at| before + self.layers as usize * LAYER.len() + at))
    }

    /// Rows and columns of a tensor; a vector has one row.
    pub fn shape(&self, id: TensorId) -> (usize, usize) {
        use Role::*;
        let hidden = self.hidden as usize;
        let intermediate = self.intermediate as usize;
        match id.role {
            WordEmbedding => (self.vocab_size as usize, hidden),
            PositionEmbedding => (self.max_positions as usize, hidden),
            TokenTypeEmbedding => (self.type_vocab as usize, hidden),
            Query | Key | Value | AttentionOutput | MlmTransform | PreClassifier => (hidden, hidden),
            FeedForwardIn => (intermediate, hidden),
            FeedForwardOut => (hidden, intermediate),
            Classifier => (self.labels as usize, hidden),
            FeedForwardInBias => (1, intermediate),
            MlmBias => (1, self.vocab_size as usize),
            ClassifierBias => (1, self.labels as usize),
            Span => (2, hidden),
            SpanBias => (1, 2),
            EmbeddingNormWeight | EmbeddingNormBias | QueryBias | KeyBias | ValueBias | AttentionOutputBias
            | AttentionNormWeight | AttentionNormBias | FeedForwardOutBias | OutputNormWeight | OutputNormBias
            | MlmTransformBias | MlmNormWeight | MlmNormBias | PreClassifierBias => (1, hidden),
        }
    }

    fn embedding_roles(&self) -> &'static [Role] {
        if self.type_vocab > 0 { &EMBEDDING } else { &EMBEDDING_UNTYPED }
    }

    fn head_roles(&self) -> &'static [Role] {
        match self.head {
            Head::Embedding => &[],
            Head::MaskedLm => &MASKED_LM,
            Head::SequenceClassification => &CLASSIFICATION,
            Head::TokenClassification => &TOKEN_CLASSIFICATION,
            Head::QuestionAnswering => &QUESTION_ANSWERING,
        }
    }
}
