//! The optimizer's state as checkpoints keep it.

use super::AdamW;
use crate::Result;
use candle_core::Tensor;

impl AdamW {
    /// Steps taken so far: the corrections of the moments depend on it.
    pub fn steps(&self) -> usize {
        self.steps as usize
    }

    /// First and second moment of every trainable parameter, `[2, numbers]`, in order of their names.
    pub fn moments(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.state.iter().map(|(name, (moments, _))| (name.as_str(), moments))
    }

    /// Goes on from a saved state: `moments` gives the saved tensor for each name, which is to have the shape and place of the one
    /// that it replaces.
    pub fn restore(&mut self, steps: usize, mut moments: impl FnMut(&str, &Tensor) -> Result<Tensor>) -> Result<()> {
        for (name, (current, _)) in &mut self.state {
            *current = moments(name, current)?;
        }
        self.steps = steps as i32;
        Ok(())
    }
}
