//! From values to places, and the round numbers beside an axis.

/// A straight or logarithmic axis.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    log: bool,
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// Values from `low` to `high` at places from `from` to `to`.
    pub fn linear((low, high): (f64, f64), (from, to): (f64, f64)) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        Self { log: false, low, high, from, to }
    }

    /// The same with equal steps for equal factors; `low` is positive.
    pub fn log((low, high): (f64, f64), (from, to): (f64, f64)) -> Self {
        let high = if high > low { high } else { low * 2.0 };
        Self { log: true, low, high, from, to }
    }

    /// From zero to a little above the largest value.
    pub fn from_zero(values: impl Iterator<Item = f64>, place: (f64, f64)) -> Self {
        let most = values.fold(0.0, f64::max);
        Self::linear((0.0, if most > 0.0 { most * 1.06 } else { 1.0 }), place)
    }

    /// From a little below the least value to a little above the largest; zero is among them if it is near.
    pub fn around(values: impl Iterator<Item = f64>, place: (f64, f64)) -> Self {
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
        let pad = match (high - low) * 0.06 {
            pad if pad > 0.0 => pad,
            _ => high.abs() * 0.1 + 1e-9,
        };
        let (low, high) = (low - pad, high + pad);
        let near = (high - low) * 0.5;
        let low = if (0.0..near).contains(&low) { 0.0 } else { low };
        let high = if high < 0.0 && -high < near { 0.0 } else { high };
        Self::linear((low, high), place)
    }

    /// The place of a value.
    pub fn at(&self, value: f64) -> f64 {
        let share = if self.log {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        self.from + share * (self.to - self.from)
    }

    /// Round numbers within, about `count` of them.
    pub fn ticks(&self, count: usize) -> Vec<f64> {
        if self.log { self.log_ticks(count) } else { self.linear_ticks(count) }
    }

    /// Multiples of 1, 2 or 5 times a power of ten.
    fn linear_ticks(&self, count: usize) -> Vec<f64> {
        let raw = (self.high - self.low) / count.max(1) as f64;
        let power = raw.log10().floor();
        let (factor, power) = [(1.0, power), (2.0, power), (5.0, power), (1.0, power + 1.0)]
            .into_iter()
            .find(|(factor, power)| factor * 10f64.powf(*power) >= raw * 0.999)
            .unwrap_or((1.0, power + 1.0));
        let step = factor * 10f64.powf(power);
        let first = (self.low / step - 1e-9).ceil();
        let ticks = (0..).map(|i| first + f64::from(i)).take_while(|i| i * step <= self.high + step * 1e-9);
        // Divided rather than multiplied where the step is a fraction: 0.3, not 0.30000000000000004.
        ticks.map(|i| if power < 0.0 { i * factor / 10f64.powf(-power) } else { i * step }).collect()
    }

    /// Powers of ten, with 2 and 5 between them where there is room.
    fn log_ticks(&self, count: usize) -> Vec<f64> {
        let decades = (self.high / self.low).log10();
        for factors in [&[1.0, 2.0, 5.0][..], &[1.0, 3.0], &[1.0]] {
            if decades * factors.len() as f64 <= count as f64 * 1.5 || factors.len() == 1 {
                let powers = self.low.log10().floor() as i32..=self.high.log10().ceil() as i32;
                let all = powers.flat_map(|power| factors.iter().map(move |factor| factor * 10f64.powi(power)));
                let inside: Vec<f64> = all.filter(|v| (self.low..=self.high).contains(v)).collect();
                return if inside.len() >= 2 { inside } else { Self { log: false, ..*self }.linear_ticks(count) };
            }
        }
        Vec::new()
    }
}

/// A number with as many digits as it needs, up to `digits` of them.
pub fn number(value: f64, digits: usize) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let size = value.abs().log10().floor() as i32;
    if !(-4..9).contains(&size) {
        return format!("{value:.*e}", digits.saturating_sub(1));
    }
    let decimals = (digits as i32 - 1 - size).max(0) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        let ticks = |low, high| Scale::linear((low, high), (0.0, 1.0)).ticks(5);
        assert_eq!(ticks(0.0, 1.0), [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]);
        assert_eq!(ticks(0.0, 0.31), [0.0, 0.1, 0.2, 0.3]);
        assert_eq!(ticks(-130.0, 90.0), [-100.0, -50.0, 0.0, 50.0]);
        assert_eq!(Scale::log((0.8, 120.0), (0.0, 1.0)).ticks(5), [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]);
        assert_eq!(Scale::log((1.0, 1e6), (0.0, 1.0)).ticks(4).len(), 7);
    }

    #[test]
    fn ends_are_at_their_places() {
        let scale = Scale::log((8.0, 512.0), (40.0, 400.0));
        let places = [8.0, 64.0, 512.0].map(|value| scale.at(value));
        assert!(places.iter().zip([40.0, 220.0, 400.0]).all(|(a, b)| (a - b).abs() < 1e-9), "{places:?}");
        assert_eq!(Scale::from_zero([0.0, 0.0].into_iter(), (10.0, 0.0)).at(0.0), 10.0);
        // A constant has an axis too.
        assert!(Scale::around([1.0].into_iter(), (0.0, 1.0)).at(1.0).is_finite());
        assert!(Scale::around([0.0].into_iter(), (0.0, 1.0)).at(0.0).is_finite());
    }

    #[test]
    fn numbers_have_the_digits_they_need() {
        let text = [0.0, 0.5, 1234.5, 0.012345, 2.0e-7, 3.0, 99.99].map(|value| number(value, 3));
        assert_eq!(text, ["0", "0.5", "1234", "0.0123", "2.00e-7", "3", "100"]);
    }
}
