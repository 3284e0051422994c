//! Repeated measurements of one thing.

use super::table::digits;

/// Measurements in one unit, at least one.
#[derive(Clone, Debug)]
pub(super) struct Samples(Vec<f64>);

impl Samples {
    /// Sorts them; `None` if there is none, or one that is not a number.
    pub(super) fn new(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        (!values.is_empty() && values.iter().all(|value| value.is_finite())).then_some(Self(values))
    }

    /// The value in the middle; of an even number the mean of the two.
    pub(super) fn median(&self) -> f64 {
        let (middle, odd) = (self.0.len() / 2, self.0.len() % 2 == 1);
        if odd { self.0[middle] } else { (self.0[middle - 1] + self.0[middle]) / 2.0 }
    }

    /// The smallest and the largest.
    pub(super) fn range(&self) -> (f64, f64) {
        (self.0[0], self.0[self.0.len() - 1])
    }

    /// `smallest..largest` in three digits.
    pub(super) fn spread(&self) -> String {
        let (least, most) = self.range();
        format!("{}..{}", digits(least), digits(most))
    }

    /// `median (smallest..largest)` in three digits.
    pub(super) fn shown(&self) -> String {
        format!("{} ({})", digits(self.median()), self.spread())
    }
}

/// How often `ours` goes into `theirs`, turn by turn: what happens to the machine in a turn happens to both.
pub(super) fn ratios(theirs: &[f64], ours: &[f64]) -> Option<Samples> {
    Samples::new(theirs.iter().zip(ours).map(|(theirs, ours)| theirs / ours).collect())
}

#[cfg(test)]
mod tests {
    use super::{Samples, ratios};

    #[test]
    fn the_middle_and_the_ends() {
        let odd = Samples::new(vec![3.0, 1.0, 2.0]).unwrap();
        assert_eq!((odd.median(), odd.range()), (2.0, (1.0, 3.0)));
        assert_eq!(Samples::new(vec![4.0, 1.0, 2.0, 3.0]).unwrap().median(), 2.5);
        assert_eq!(odd.shown(), "2.00 (1.00..3.00)");
        assert!(Samples::new(vec![]).is_none() && Samples::new(vec![f64::NAN]).is_none());
    }

    #[test]
    fn ratios_are_of_the_same_turn() {
        assert_eq!(ratios(&[2.0, 8.0, 9.0], &[1.0, 2.0, 3.0]).unwrap().median(), 3.0);
    }
}
