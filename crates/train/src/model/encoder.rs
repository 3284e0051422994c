//! The post-LN transformer encoder over packed sequences.

use super::config::{Architecture, ModelConfig};
use super::grid::Source;
use super::names::{Part, Slot};
use crate::ops::{
    Dropout, Looked, Mask, Sequences, attention, dropout_rows, embeddings, layer_norm, linear, linear_gelu,
    linear_stacked, residual_norm,
};
use crate::qat::{self, Parameter};
use candle_core::{D, DType, Device, Result, Tensor};
use std::sync::Arc;

/// The input of an encoder: the real tokens of a batch, one sequence after another, without padding.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// Token ids, `[rows]`.
    ids: Tensor,
    /// Position of each token in its sequence, `[rows]`.
    positions: Tensor,
    /// Both on the host.
    on_host: [Arc<[u32]>; 2],
    /// Token type of each token where not all are 0.
    types: Option<Arc<[u32]>>,
    /// Where the sequences begin.
    pub sequences: Arc<Sequences>,
}

impl Tokens {
    /// Uploads ids and positions of packed sequences.
    pub fn new(ids: &[u32], positions: &[u32], sequences: Sequences, device: &Device) -> Result<Self> {
        Ok(Self {
            ids: Tensor::new(ids, device)?,
            positions: Tensor::new(positions, device)?,
            on_host: [ids.into(), positions.into()],
            types: None,
            sequences: Arc::new(sequences),
        })
    }
}

impl Tokens {
    /// The same with a token type for each token; none, or all 0, for one segment. DistilBERT does not look at them.
    pub fn with_types(mut self, types: &[u32]) -> Self {
        self.types = types.iter().any(|&kind| kind > 0).then(|| types.into());
        self
    }
}

/// Weight and bias of a matrix or LayerNorm.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    weight: Parameter,
    bias: Parameter,
}

impl Pair {
    pub(super) fn new(source: Source, part: Part) -> Result<Self> {
        Ok(Self { weight: source.get(part, Slot::Weight)?, bias: source.get(part, Slot::Bias)? })
    }

    /// Weight and bias of a matrix that rows of type `dtype` are multiplied by.
    pub(super) fn matrix(source: Source, part: Part, dtype: DType) -> Result<Self> {
        let Self { weight, bias } = Self::new(source, part)?;
        Ok(Self { weight: weight.settled(dtype)?, bias })
    }

    pub(super) fn linear(&self, x: &Tensor) -> Result<Tensor> {
        linear(&self.rows(x)?, &self.weight.value()?, &self.bias.value()?)
    }

    pub(super) fn linear_gelu(&self, x: &Tensor) -> Result<Tensor> {
        linear_gelu(&self.rows(x)?, &self.weight.value()?, &self.bias.value()?)
    }

    /// Several matrices over the same rows.
    fn stacked(pairs: [&Self; 3], x: &Tensor) -> Result<Tensor> {
        let [q, k, v] = pairs;
        let weights = [&q.weight.value()?, &k.weight.value()?, &v.weight.value()?];
        let biases = [&q.bias.value()?, &k.bias.value()?, &v.bias.value()?];
        linear_stacked(&q.rows(x)?, &weights, &biases)
    }

    /// On the grid, the rows are rounded as the runtime rounds them for a matrix of integers.
    fn rows(&self, x: &Tensor) -> Result<Tensor> {
        if self.on_grid() { qat::round_rows(x, x.dim(D::Minus1)?) } else { Ok(x.clone()) }
    }

    fn on_grid(&self) -> bool {
        self.weight.on_grid()
    }

    pub(super) fn norm(&self, x: &Tensor, eps: f64) -> Result<Tensor> {
        layer_norm(x, self.weight.tensor(), self.bias.tensor(), eps)
    }

    fn residual_norm(&self, y: &Tensor, residual: &Tensor, mask: Option<Mask>, eps: f64) -> Result<Tensor> {
        residual_norm(y, residual, mask, self.weight.tensor(), self.bias.tensor(), eps)
    }
}

/// Embeddings and layers.
#[derive(Debug)]
pub struct Encoder {
    words: Parameter,
    positions: Parameter,
    token_types: Option<Parameter>,
    norm: Pair,
    layers: Vec<Layer>,
    eps: f64,
    dropout: f64,
    dtype: DType,
}

impl Encoder {
    pub(super) fn new(config: &ModelConfig, source: Source, dtype: DType) -> Result<Self> {
        let token_types = (config.type_vocab > 0).then(|| source.get(Part::TokenTypes, Slot::Weight)).transpose()?;
        Ok(Self {
            words: source.get(Part::Words, Slot::Weight)?,
            positions: source.get(Part::Positions, Slot::Weight)?,
            token_types,
            norm: Pair::new(source, Part::EmbeddingNorm)?,
            layers: (0..config.layers).map(|i| Layer::new(config, source, i, dtype)).collect::<Result<_>>()?,
            eps: config.layer_norm_eps,
            dropout: config.dropout,
            dtype,
        })
    }

    /// Where the tensors are.
    pub fn device(&self) -> &Device {
        self.words.tensor().device()
    }

    /// The type of the activations.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Hidden states `[rows, hidden]` after the embeddings and after each layer.
    pub fn forward(&self, tokens: &Tokens, dropout: &mut Dropout) -> Result<Vec<Tensor>> {
        let mask = |dropout: &mut Dropout, len| dropout.mask(self.dropout, len);
        let first = if self.words.on_grid() || self.positions.on_grid() {
            let x = self.sum_on_grid(tokens)?;
            let x = self.norm.norm(&x.to_dtype(self.dtype)?, self.eps)?;
            dropout_rows(&x, mask(dropout, x.elem_count()))?
        } else if let (Some(table), Some(types)) = (&self.token_types, &tokens.types) {
            let (table, places) = self.places_by_type(table.tensor(), types, tokens)?;
            let on_host = [tokens.on_host[0].clone(), places.clone()];
            let looked = Looked {
                words: self.words.tensor(),
                positions: &table,
                types: None,
                ids: &tokens.ids,
                places: &Tensor::new(&*places, tokens.ids.device())?,
                on_host: &on_host,
                gamma: self.norm.weight.tensor(),
                beta: self.norm.bias.tensor(),
                eps: self.eps,
            };
            let len = tokens.ids.elem_count() * self.words.tensor().dim(1)?;
            embeddings(&looked, mask(dropout, len), self.dtype)?
        } else {
            let looked = Looked {
                words: self.words.tensor(),
                positions: self.positions.tensor(),
                types: self.token_types.as_ref().map(Parameter::tensor),
                ids: &tokens.ids,
                places: &tokens.positions,
                on_host: &tokens.on_host,
                gamma: self.norm.weight.tensor(),
                beta: self.norm.bias.tensor(),
                eps: self.eps,
            };
            let len = tokens.ids.elem_count() * self.words.tensor().dim(1)?;
            embeddings(&looked, mask(dropout, len), self.dtype)?
        };
        let mut states = vec![first];
        for layer in &self.layers {
            states.push(layer.forward(&states[states.len() - 1], &tokens.sequences, dropout)?);
        }
        Ok(states)
    }

    /// Queries and keys of layer `i` over the hidden states that it reads, `[rows, hidden]`; none where there is no such layer.
    pub fn queries_and_keys(&self, i: usize, x: &Tensor) -> Option<Result<[Tensor; 2]>> {
        let layer = self.layers.get(i)?;
        let both = || Ok([layer.query.linear(x)?, layer.key.linear(x)?]);
        Some(both())
    }

    /// The sum of the embeddings with the values of the packed file.
    fn sum_on_grid(&self, tokens: &Tokens) -> Result<Tensor> {
        let mut x = (self.words.rows(&tokens.ids)? + self.positions.rows(&tokens.positions)?)?;
        match (&self.token_types, &tokens.types) {
            (Some(table), Some(types)) => {
                x = (x + table.tensor().index_select(&Tensor::new(&**types, tokens.ids.device())?, 0)?)?;
            }
            (Some(table), None) => x = x.broadcast_add(&table.tensor().get(0)?)?,
            (None, _) => {}
        }
        Ok(x)
    }

    /// A table with a row for every position and type, their sum, and the place of each token in it: two tables are looked up as one,
    /// as the operation has room for one type only.
    fn places_by_type(&self, types: &Tensor, of: &[u32], tokens: &Tokens) -> Result<(Tensor, Arc<[u32]>)> {
        let positions = self.positions.tensor();
        let kinds = types.dim(0)?;
        let sums = (0..kinds).map(|kind| positions.broadcast_add(&types.get(kind)?)).collect::<Result<Vec<_>>>()?;
        let count = positions.dim(0)? as u32;
        let places = tokens.on_host[1].iter().zip(of).map(|(place, kind)| kind * count + place);
        Ok((Tensor::cat(&sums, 0)?, places.collect()))
    }
}

#[derive(Debug)]
struct Layer {
    query: Pair,
    key: Pair,
    value: Pair,
    attention_output: Pair,
    attention_norm: Pair,
    feed_forward_in: Pair,
    feed_forward_out: Pair,
    output_norm: Pair,
    heads: usize,
    eps: f64,
    /// After the attention's output projection, which DistilBERT leaves alone.
    attention_output_dropout: f64,
    dropout: f64,
    attention_dropout: f64,
}

impl Layer {
    fn new(config: &ModelConfig, source: Source, i: usize, dtype: DType) -> Result<Self> {
        let (matrix, norm) = (|part| Pair::matrix(source, part, dtype), |part| Pair::new(source, part));
        Ok(Self {
            query: matrix(Part::Query(i))?,
            key: matrix(Part::Key(i))?,
            value: matrix(Part::Value(i))?,
            attention_output: matrix(Part::AttentionOutput(i))?,
            attention_norm: norm(Part::AttentionNorm(i))?,
            feed_forward_in: matrix(Part::FeedForwardIn(i))?,
            feed_forward_out: matrix(Part::FeedForwardOut(i))?,
            output_norm: norm(Part::OutputNorm(i))?,
            heads: config.heads,
            eps: config.layer_norm_eps,
            attention_output_dropout: match config.architecture {
                Architecture::Bert => config.dropout,
                Architecture::DistilBert => 0.0,
            },
            dropout: config.dropout,
            attention_dropout: config.attention_dropout,
        })
    }

    fn forward(&self, x: &Tensor, sequences: &Arc<Sequences>, dropout: &mut Dropout) -> Result<Tensor> {
        let qkv = Pair::stacked([&self.query, &self.key, &self.value], x)?;
        let mask = dropout.mask(self.attention_dropout, self.heads * sequences.pairs());
        let attention = if self.query.on_grid() { qat::attention } else { attention };
        let context = attention(&qkv, sequences, self.heads, mask)?;
        let mut residual = |y: &Tensor, p: f64, x: &Tensor, norm: &Pair| {
            let mask = dropout.mask(p, y.elem_count());
            norm.residual_norm(y, x, mask, self.eps)
        };
        let x =
            residual(&self.attention_output.linear(&context)?, self.attention_output_dropout, x, &self.attention_norm)?;
        let inner = self.feed_forward_in.linear_gelu(&x)?;
        residual(&self.feed_forward_out.linear(&inner)?, self.dropout, &x, &self.output_norm)
    }
}

#[cfg(test)]
mod tests {
    use super::super::initialize::random;
    use super::super::names::parameter_shapes;
    use super::super::parameters::Parameters;
    use super::*;
    use crate::rng::{Purpose, stream};

    /// Output of a layer whose feed-forward network is switched off, so that only dropout after the attention can show.
    fn output(architecture: Architecture, index: u64) -> Vec<f32> {
        let config = ModelConfig {
            architecture,
            vocab_size: 20,
            hidden: 32,
            layers: 1,
            heads: 2,
            intermediate: 64,
            max_positions: 16,
            type_vocab: 0,
            layer_norm_eps: 1e-12,
            dropout: 0.5,
            attention_dropout: 0.0,
            initializer_range: 0.5,
            pad_id: 0,
            head: crate::model::Head::MaskedLm,
        };
        let parameters = random(&config, 1, &Device::Cpu).unwrap();
        let mut tensors: std::collections::BTreeMap<String, Tensor> =
            parameters.all().into_iter().map(|(name, tensor)| (name.to_string(), tensor)).collect();
        for (part, _, name, _) in parameter_shapes(&config) {
            if part == Part::FeedForwardOut(0) {
                tensors.insert(name.clone(), tensors[&name].zeros_like().unwrap());
            }
        }
        let parameters = Parameters::frozen(&config, tensors).unwrap();
        let layer = Layer::new(&config, Source { parameters: &parameters, grid: None }, 0, DType::F32).unwrap();
        let x = crate::ops::testing::random(&[6, 32], 3);
        let mut dropout = Dropout::on(stream(1, Purpose::Dropout, index));
        let y = layer.forward(&x, &Arc::new(Sequences::new([6])), &mut dropout).unwrap();
        y.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn only_bert_drops_out_after_the_attention() {
        assert_eq!(output(Architecture::DistilBert, 0), output(Architecture::DistilBert, 1));
        assert_ne!(output(Architecture::Bert, 0), output(Architecture::Bert, 1));
    }
}
