//! The values on their way through the float model, for whoever wants to know their ranges.

use super::{Encoder, add, gelu, linear};

/// A place in the model where values can be looked at. Packed models quantize what is there to int8, one scale a token
/// (keys and values: one a token and head).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Point {
    /// The normalized sum of the embeddings.
    Embeddings,
    /// Queries of all heads.
    Query,
    /// Keys of all heads.
    Key,
    /// Values of all heads.
    Value,
    /// The attention's weighted values, before their projection.
    Context,
    /// After the attention's residual sum and normalization.
    AttentionNorm,
    /// The wide vector of the feed-forward block, after GELU.
    FeedForward,
    /// After the layer's last residual sum and normalization.
    Output,
}

impl Point {
    /// Every point of a layer, in the order of the computation.
    pub const LAYER: [Self; 7] =
        [Self::Query, Self::Key, Self::Value, Self::Context, Self::AttentionNorm, Self::FeedForward, Self::Output];

    /// The name people read.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Embeddings => "embeddings",
            Self::Query => "query",
            Self::Key => "key",
            Self::Value => "value",
            Self::Context => "attention",
            Self::AttentionNorm => "attention-norm",
            Self::FeedForward => "feed-forward",
            Self::Output => "output",
        }
    }

    /// Every point of a model with its layer, in the order of the computation.
    pub fn all(layers: usize) -> impl Iterator<Item = (Self, usize)> {
        let inside = (0..layers).flat_map(|layer| Self::LAYER.map(|point| (point, layer)));
        std::iter::once((Self::Embeddings, 0)).chain(inside)
    }
}

impl Encoder<'_> {
    /// [`Encoder::hidden`], showing `see` the values at each [`Point`] of each layer, in the order of [`Point::all`].
    ///
    /// # Panics
    ///
    /// As [`Encoder::hidden`].
    pub fn trace(&self, ids: &[u32], types: &[u32], mut see: impl FnMut(Point, usize, &[f32])) -> Vec<f32> {
        assert!(ids.len() == types.len() && ids.len() <= self.model.config.positions, "too many tokens");
        let mut x = self.embed(ids, types);
        see(Point::Embeddings, 0, &x);
        for (index, layer) in self.model.weights.layers.iter().enumerate() {
            for (point, projection) in
                [(Point::Query, &layer.query), (Point::Key, &layer.key), (Point::Value, &layer.value)]
            {
                see(point, index, &linear(&x, projection));
            }
            let context = self.attention(layer, &x);
            see(Point::Context, index, &context);
            add(&mut x, &linear(&context, &layer.attention_output));
            self.normalize(&layer.attention_norm, &mut x);
            see(Point::AttentionNorm, index, &x);
            let mut inner = linear(&x, &layer.feed_forward_in);
            inner.iter_mut().for_each(|value| *value = gelu(*value));
            see(Point::FeedForward, index, &inner);
            add(&mut x, &linear(&inner, &layer.feed_forward_out));
            self.normalize(&layer.output_norm, &mut x);
            see(Point::Output, index, &x);
        }
        x
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;
    use crate::hf::{Architecture, Model};

    #[test]
    fn the_way_is_that_of_the_answer() {
        let folder = tempfile::tempdir().unwrap();
        let fixture = Fixture { architecture: Architecture::Bert, ..Fixture::default() };
        fixture.write(folder.path()).unwrap();
        let model = Model::read(folder.path(), None).unwrap();
        let encoder = Encoder::new(&model);
        let (ids, types) = ([2, 50, 60, 3], [0, 0, 1, 1]);
        let mut seen = Vec::new();
        let hidden = encoder.trace(&ids, &types, |point, layer, values| seen.push((point, layer, values.len())));
        assert_eq!(hidden, encoder.hidden(&ids, &types));
        let order: Vec<_> = seen.iter().map(|&(point, layer, _)| (point, layer)).collect();
        assert_eq!(order, Point::all(2).collect::<Vec<_>>());
        let wide = |point| point == Point::FeedForward;
        assert!(seen.iter().all(|&(point, _, len)| len == if wide(point) { 4 * 128 } else { 4 * 64 }));
    }
}
