//! Outlier channels that calibration moved: smaller at one end of a product and larger, by the same power of two, at the
//! other, so that the model computes the same.

use std::borrow::Cow;

use distil_format::{Role, TensorId};
use serde::{Deserialize, Serialize};

use crate::hf::Tensor;

/// The most halvings of a channel.
pub const MOST_HALVINGS: u8 = 8;

/// What a channel belongs to, inside attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// Queries; the keys make up for them.
    Query,
    /// Keys; the queries make up for them.
    Key,
    /// Values; the projection after them makes up for them.
    Value,
}

/// A channel that was made smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Migrated {
    /// The layer.
    pub layer: u32,
    /// What it is a channel of.
    pub from: Activation,
    /// Which, from 0 to the width of the hidden states.
    pub channel: u32,
    /// How often it was halved, and its other end doubled.
    pub halvings: u8,
}

impl Migrated {
    /// Makes what this channel has to do with `tensor` smaller or larger. Nothing, if that is not part of `tensor`.
    pub fn apply(&self, id: TensorId, tensor: &mut Tensor) {
        if id.layer != self.layer {
            return;
        }
        let halved = 0.5f32.powi(i32::from(self.halvings.min(MOST_HALVINGS)));
        let factor = match (self.from, id.role) {
            (Activation::Query, Role::Query | Role::QueryBias)
            | (Activation::Key, Role::Key | Role::KeyBias)
            | (Activation::Value, Role::Value | Role::ValueBias) => halved,
            (Activation::Query, Role::Key | Role::KeyBias)
            | (Activation::Key, Role::Query | Role::QueryBias)
            | (Activation::Value, Role::AttentionOutput) => 1.0 / halved,
            _ => return,
        };
        let channel = self.channel as usize;
        if matches!(id.role, Role::Query | Role::Key | Role::Value) {
            let row = tensor.data.chunks_exact_mut(tensor.cols).nth(channel);
            row.into_iter().flatten().for_each(|weight| *weight *= factor);
        } else {
            let rows = tensor.data.chunks_exact_mut(tensor.cols);
            rows.filter_map(|row| row.get_mut(channel)).for_each(|weight| *weight *= factor);
        }
    }
}

/// A tensor of the float model with `channels` moved, which is what was rounded.
pub fn migrate<'a>(id: TensorId, tensor: &'a Tensor, channels: &[Migrated]) -> Cow<'a, Tensor> {
    let mut tensor = Cow::Borrowed(tensor);
    channels.iter().filter(|channel| channel.layer == id.layer).for_each(|channel| channel.apply(id, tensor.to_mut()));
    tensor
}
