//! Numbers that come back from JSON with every bit.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A number written as text with as many digits as it takes, NaN and infinities included. (JSON numbers have neither, and readers
/// may be off by the last bit.)
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub(crate) struct Exact(pub(crate) f64);

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:?}", self.0))
    }
}

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(|_| serde::de::Error::custom(format!("`{text}` is not a number")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, stream};
    use rand::Rng;

    #[test]
    fn every_bit_comes_back() {
        let mut rng = stream(1, Purpose::Order, 0);
        let random = (0..10_000).map(|_| f64::from_bits(rng.random()));
        for value in random.chain([0.0, -0.0, 0.1, f64::MAX, f64::MIN_POSITIVE, f64::INFINITY, f64::NEG_INFINITY]) {
            let text = serde_json::to_string(&Exact(value)).unwrap();
            let back: Exact = serde_json::from_str(&text).unwrap();
            assert!(back.0.to_bits() == value.to_bits() || (value.is_nan() && back.0.is_nan()), "{value:e}: {text}");
        }
        assert!(serde_json::from_str::<Exact>("\"1.0x\"").is_err());
    }
}
