//! Scores of classifiers, by the definitions of scikit-learn; what would be divided by zero is 0.

/// Share of the answers that are right; 0 for none.
pub fn accuracy<T: PartialEq>(said: &[T], right: &[T]) -> f64 {
    let same = said.iter().zip(right).filter(|(said, right)| said == right).count();
    share(same, right.len())
}

/// How often something was said and was right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Said and right.
    pub both: usize,
    /// Said.
    pub said: usize,
    /// Right.
    pub right: usize,
}

impl Tally {
    /// One more case.
    pub fn add(&mut self, said: bool, right: bool) {
        self.both += usize::from(said && right);
        self.said += usize::from(said);
        self.right += usize::from(right);
    }

    /// The sums of both.
    pub fn plus(self, more: Self) -> Self {
        Self { both: self.both + more.both, said: self.said + more.said, right: self.right + more.right }
    }

    /// Share of what was said that is right.
    pub fn precision(self) -> f64 {
        share(self.both, self.said)
    }

    /// Share of what is right that was said.
    pub fn recall(self) -> f64 {
        share(self.both, self.right)
    }

    /// Harmonic mean of precision and recall: `2 both / (said + right)`.
    pub fn f1(self) -> f64 {
        share(2 * self.both, self.said + self.right)
    }
}

/// F1 of one class against all others.
pub fn f1_of(class: usize, said: &[usize], right: &[usize]) -> f64 {
    let mut tally = Tally::default();
    said.iter().zip(right).for_each(|(&said, &right)| tally.add(said == class, right == class));
    tally.f1()
}

/// Mean of the F1 of every class that is said or right somewhere.
pub fn macro_f1(said: &[usize], right: &[usize]) -> f64 {
    let classes: std::collections::BTreeSet<usize> = said.iter().chain(right).copied().collect();
    classes.iter().map(|&class| f1_of(class, said, right)).sum::<f64>() / classes.len().max(1) as f64
}

/// Matthews' correlation for any number of classes (Gorodkin 2004), from -1 to 1; 0 if only one class was said, or only one
/// is right.
pub fn matthews(said: &[usize], right: &[usize]) -> f64 {
    let classes = said.iter().chain(right).max().map_or(0, |most| most + 1);
    let count = |list: &[usize]| {
        let mut counts = vec![0.0; classes];
        list.iter().for_each(|&class| counts[class] += 1.0);
        counts
    };
    let (said_counts, right_counts, all): (Vec<f64>, Vec<f64>, f64) = (count(said), count(right), right.len() as f64);
    let product = |a: &[f64], b: &[f64]| all * all - a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let same = said.iter().zip(right).filter(|(said, right)| said == right).count() as f64;
    // The same sums as the covariances of the indicators of all classes, scaled.
    let together = same * all - (all * all - product(&said_counts, &right_counts));
    let spread = product(&said_counts, &said_counts) * product(&right_counts, &right_counts);
    if spread == 0.0 { 0.0 } else { together / spread.sqrt() }
}

/// F1 over sets of labels: over all decisions together (micro), and the mean over the labels (macro).
pub fn f1_of_sets(said: &[Vec<bool>], right: &[Vec<bool>]) -> (f64, f64) {
    let labels = right.first().map_or(0, Vec::len);
    let mut tallies = vec![Tally::default(); labels];
    for (said, right) in said.iter().zip(right) {
        for (tally, (&said, &right)) in tallies.iter_mut().zip(said.iter().zip(right)) {
            tally.add(said, right);
        }
    }
    let all = tallies.iter().fold(Tally::default(), |sum, &tally| sum.plus(tally));
    (all.f1(), tallies.iter().map(|tally| tally.f1()).sum::<f64>() / labels.max(1) as f64)
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-12, "{a} and {b}");
    }

    /// True positives 3, false positives 1, false negatives 2, true negatives 4: the textbook's formulas by hand.
    #[test]
    fn two_classes() {
        let said = [1, 1, 1, 1, 0, 0, 0, 0, 0, 0];
        let right = [1, 1, 1, 0, 1, 1, 0, 0, 0, 0];
        near(accuracy(&said, &right), 0.7);
        near(f1_of(1, &said, &right), 2.0 * 3.0 / (2.0 * 3.0 + 1.0 + 2.0));
        near(f1_of(0, &said, &right), 2.0 * 4.0 / (2.0 * 4.0 + 2.0 + 1.0));
        near(matthews(&said, &right), (3.0 * 4.0 - 1.0 * 2.0) / (4.0f64 * 5.0 * 5.0 * 6.0).sqrt());
    }

    #[test]
    fn more_classes_are_the_covariance_of_their_indicators() {
        let (said, right) = ([0, 1, 2, 2, 1, 0, 2], [0, 2, 2, 2, 1, 1, 0]);
        let covariance = |a: &[usize], b: &[usize]| {
            let n = a.len() as f64;
            let of = |class: usize| {
                let mean = |list: &[usize]| list.iter().filter(|&&other| other == class).count() as f64 / n;
                let (mean_a, mean_b) = (mean(a), mean(b));
                let term = |(&a, &b): (&usize, &usize)| {
                    (f64::from(u8::from(a == class)) - mean_a) * (f64::from(u8::from(b == class)) - mean_b)
                };
                a.iter().zip(b).map(term).sum::<f64>()
            };
            (0..3).map(of).sum::<f64>()
        };
        let expected = covariance(&said, &right) / (covariance(&said, &said) * covariance(&right, &right)).sqrt();
        near(matthews(&said, &right), expected);
        near(matthews(&right, &right), 1.0);
        // 0: 1 of 2 and 2; 1: 1 of 2 and 2; 2: 2 of 3 and 3. Of 5 classes the others do not occur.
        near(macro_f1(&said, &right), (0.5 + 0.5 + 2.0 / 3.0) / 3.0);
    }

    #[test]
    fn nothing_to_divide_by_is_zero() {
        assert_eq!(matthews(&[1, 1, 1], &[1, 0, 1]), 0.0);
        assert_eq!(matthews(&[1, 0, 1], &[1, 1, 1]), 0.0);
        assert_eq!(f1_of(1, &[0, 0], &[0, 0]), 0.0);
        assert_eq!((Tally::default().precision(), Tally::default().recall(), Tally::default().f1()), (0.0, 0.0, 0.0));
        assert_eq!(accuracy::<usize>(&[], &[]), 0.0);
    }

    /// Label 0: 2 of 3 said and 2 right; label 1: never said, once right; label 2: neither.
    #[test]
    fn sets_of_labels() {
        let said = [[true, false, false], [true, false, false], [true, false, false]].map(Vec::from);
        let right = [[true, false, false], [true, true, false], [false, false, false]].map(Vec::from);
        let (micro, all) = f1_of_sets(&said, &right);
        near(micro, 2.0 * 2.0 / (3.0 + 3.0));
        near(all, (2.0 * 2.0 / (3.0 + 2.0) + 0.0 + 0.0) / 3.0);
        assert_eq!(f1_of_sets(&[], &[]), (0.0, 0.0));
    }
}
