//! How the values of a tensor, or of activations, are spread.

use serde::Serialize;

/// Values summed up; its JSON.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Spread {
    /// The least value.
    pub min: f32,
    /// The largest value.
    pub max: f32,
    /// Root mean square.
    pub rms: f64,
    /// 999 of 1,000 values lie within plus and minus this; rounded upwards by at most 1/64.
    pub bulk: f32,
}

/// Bits of a float32 that a bin ignores: it keeps the exponent and 6 bits of the fraction.
const DROPPED: u32 = 17;
/// Bins for the size of a value, from 0 to the infinite.
const BINS: usize = 1 << (31 - DROPPED);
/// Squares are summed in units of 2^-60, as integers: the same sum in any order.
const UNIT: f64 = (1u64 << 60) as f64;

/// Takes in values in any order, from any number of threads; the result is the same.
#[derive(Clone, Debug)]
pub struct Gather {
    count: u64,
    min: f32,
    max: f32,
    squares: u128,
    bins: Vec<u64>,
}

impl Default for Gather {
    fn default() -> Self {
        Self { count: 0, min: f32::INFINITY, max: f32::NEG_INFINITY, squares: 0, bins: vec![0; BINS] }
    }
}

impl Gather {
    /// Takes in finite values.
    pub fn add(&mut self, values: &[f32]) {
        self.count += values.len() as u64;
        for &value in values {
            self.min = self.min.min(value);
            self.max = self.max.max(value);
            // Saturates for values above 10^9, which no model has.
            self.squares = self.squares.saturating_add((f64::from(value) * f64::from(value) * UNIT) as u128);
            self.bins[(value.abs().to_bits() >> DROPPED) as usize] += 1;
        }
    }

    /// Takes in what another has.
    pub fn merge(mut self, other: Self) -> Self {
        self.count += other.count;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.squares = self.squares.saturating_add(other.squares);
        self.bins.iter_mut().zip(other.bins).for_each(|(bin, more)| *bin += more);
        self
    }

    /// The spread; `None` if there was no value.
    pub fn spread(&self) -> Option<Spread> {
        let outside = self.count / 1000;
        let mut left = self.count;
        let last = self.bins.iter().rposition(|&count| {
            left -= count;
            left + outside < self.count
        })?;
        let edge = f32::from_bits(((last as u32 + 1) << DROPPED) - 1);
        Some(Spread {
            min: self.min,
            max: self.max,
            rms: (self.squares as f64 / UNIT / self.count as f64).sqrt(),
            // No "-0".
            bulk: edge.min(self.max.max(-self.min)) + 0.0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_in_a_thousand_is_left_out() {
        let mut gather = Gather::default();
        assert_eq!(gather.spread(), None);
        gather.add(&[-0.5; 999]);
        gather.add(&[8.0]);
        let spread = gather.spread().unwrap();
        assert_eq!((spread.min, spread.max), (-0.5, 8.0));
        assert!((0.5..=0.5 * (1.0 + 1.0 / 64.0)).contains(&spread.bulk), "{}", spread.bulk);
        assert!((spread.rms - ((999.0 * 0.25 + 64.0) / 1000.0f64).sqrt()).abs() < 1e-12);
        // A second one is one too many to leave out.
        gather.add(&[8.0]);
        assert_eq!(gather.spread().unwrap().bulk, 8.0);
    }

    #[test]
    fn order_and_cuts_do_not_matter() {
        let values: Vec<f32> = (0..5000).map(|i| ((i * 7919 % 5000) as f32 - 2500.0) * 1e-3).collect();
        let mut whole = Gather::default();
        whole.add(&values);
        let parts = values.rchunks(700).map(|part| {
            let mut gather = Gather::default();
            gather.add(part);
            gather
        });
        let merged = parts.fold(Gather::default(), Gather::merge);
        assert_eq!(merged.spread(), whole.spread());
    }

    #[test]
    fn zeros_alone_have_no_spread() {
        let mut gather = Gather::default();
        gather.add(&[0.0; 10]);
        assert_eq!(gather.spread(), Some(Spread { min: 0.0, max: 0.0, rms: 0.0, bulk: 0.0 }));
    }
}
