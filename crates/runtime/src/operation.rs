//! What a layer is made of, for whoever measures where the time goes.

/// A step of a layer's work. Every part of a layer belongs to one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Rows made int8: what the products of a layer with integer weights read.
    Quantize,
    /// Rows times the keys' matrix.
    Keys,
    /// Rows times the values' matrix.
    Values,
    /// Rows times the queries' matrix.
    Queries,
    /// Keys, values and queries made int8 head by head, and laid out as matrices; transposed, where they are floats.
    Pack,
    /// Queries times keys.
    Scores,
    /// Softmax, and its probabilities made int8.
    Softmax,
    /// Probabilities times values.
    Context,
    /// The output projection and the residual sum.
    Output,
    /// The first matrix of the feed-forward block, and GELU.
    FeedForwardIn,
    /// Its second matrix, and the residual sum.
    FeedForwardOut,
    /// Both normalizations; what the first makes int8 is made in the same step.
    Norm,
}

impl Operation {
    /// All of them, in the order of a layer.
    pub const ALL: [Self; 12] = [
        Self::Quantize,
        Self::Keys,
        Self::Values,
        Self::Queries,
        Self::Pack,
        Self::Scores,
        Self::Softmax,
        Self::Context,
        Self::Output,
        Self::FeedForwardIn,
        Self::FeedForwardOut,
        Self::Norm,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quantize => "quantization",
            Self::Keys => "keys",
            Self::Values => "values",
            Self::Queries => "queries",
            Self::Pack => "heads to int8",
            Self::Scores => "scores",
            Self::Softmax => "softmax",
            Self::Context => "context",
            Self::Output => "output",
            Self::FeedForwardIn => "feed-forward 1 with GELU",
            Self::FeedForwardOut => "feed-forward 2",
            Self::Norm => "normalizations",
        }
    }
}

/// Told of each [`Operation`] when it is over; threads tell it of their own. It is compiled in: [`unwatched`] costs nothing.
pub(crate) trait Watch: Fn(Operation) + Sync {}

impl<W: Fn(Operation) + Sync> Watch for W {}

/// Nobody watches.
pub(crate) fn unwatched(_: Operation) {}

#[cfg(test)]
mod tests {
    use super::Operation;

    #[test]
    fn operations_are_numbered_in_their_order() {
        for (at, operation) in Operation::ALL.into_iter().enumerate() {
            assert_eq!(operation as usize, at);
        }
    }
}
