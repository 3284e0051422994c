//! The metrics of GLUE, in `f64`.

/// Share of equal entries.
pub fn accuracy(predicted: &[u32], right: &[u32]) -> f64 {
    let equal = predicted.iter().zip(right).filter(|(a, b)| a == b).count();
    equal as f64 / right.len() as f64
}

/// F1 of label 1: `2 TP / (2 TP + FP + FN)`; 0 where label 1 is neither predicted nor right.
pub fn f1(predicted: &[u32], right: &[u32]) -> f64 {
    let pairs = predicted.iter().zip(right);
    let (mut both, mut either) = (0usize, 0usize);
    for (&p, &r) in pairs {
        both += usize::from(p == 1 && r == 1);
        either += usize::from(p == 1) + usize::from(r == 1);
    }
    if either == 0 { 0.0 } else { 2.0 * both as f64 / either as f64 }
}

/// Mean of the F1 of every label, each weighing the same; a label that is neither predicted nor right is left out.
pub fn macro_f1(predicted: &[u32], right: &[u32], labels: usize) -> f64 {
    let is = |all: &[u32], label: u32| all.iter().map(|&l| u32::from(l == label)).collect::<Vec<_>>();
    let occurs = |label: &u32| predicted.contains(label) || right.contains(label);
    let each: Vec<f64> =
        (0..labels as u32).filter(occurs).map(|label| f1(&is(predicted, label), &is(right, label))).collect();
    each.iter().sum::<f64>() / each.len().max(1) as f64
}

/// F1 over all (text, label) pairs of sets of labels.
pub fn micro_f1(predicted: &[Vec<u32>], right: &[Vec<u32>]) -> f64 {
    let both: usize =
        predicted.iter().zip(right).map(|(p, r)| p.iter().filter(|label| r.contains(label)).count()).sum();
    let either: usize = predicted.iter().chain(right).map(Vec::len).sum();
    if either == 0 { 0.0 } else { 2.0 * both as f64 / either as f64 }
}

/// Matthews correlation (Gorodkin's for more than two labels); 0 where one side has one label only.
pub fn matthews(predicted: &[u32], right: &[u32]) -> f64 {
    let labels = predicted.iter().chain(right).max().map_or(0, |&label| label as usize + 1);
    let n = right.len() as f64;
    let (mut equal, mut p, mut r) = (0.0, vec![0.0; labels], vec![0.0; labels]);
    for (&a, &b) in predicted.iter().zip(right) {
        equal += f64::from(u8::from(a == b));
        p[a as usize] += 1.0;
        r[b as usize] += 1.0;
    }
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let covariance = equal * n - product(&p, &r);
    let spread = (n * n - product(&p, &p)) * (n * n - product(&r, &r));
    if spread > 0.0 { covariance / spread.sqrt() } else { 0.0 }
}

/// Pearson correlation; NaN where one side is constant.
pub fn pearson(a: &[f64], b: &[f64]) -> f64 {
    let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        let (x, y) = (x - mean_a, y - mean_b);
        ab += x * y;
        aa += x * x;
        bb += y * y;
    }
    if aa > 0.0 && bb > 0.0 { ab / (aa.sqrt() * bb.sqrt()) } else { f64::NAN }
}

/// Spearman correlation: Pearson's of the ranks, equal values having the mean of theirs.
pub fn spearman(a: &[f64], b: &[f64]) -> f64 {
    pearson(&ranks(a), &ranks(b))
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    for equal in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let first = order.partition_point(|&i| values[i] < values[equal[0]]);
        equal.iter().for_each(|&i| ranks[i] = first as f64 + (equal.len() as f64 + 1.0) / 2.0);
    }
    ranks
}

/// Median, and mean and standard deviation (of a sample) of some scores.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Spread {
    /// The one in the middle, or the mean of the two there.
    pub median: f64,
    /// Mean.
    pub mean: f64,
    /// Standard deviation of a sample; 0 of one score.
    pub deviation: f64,
    /// Lowest.
    pub lowest: f64,
    /// Highest.
    pub highest: f64,
}

impl Spread {
    /// Of at least one score.
    pub fn of(scores: &[f64]) -> Self {
        let mut sorted = scores.to_vec();
        sorted.sort_by(f64::total_cmp);
        let n = sorted.len();
        let mean = sorted.iter().sum::<f64>() / n as f64;
        let squares: f64 = sorted.iter().map(|score| (score - mean).powi(2)).sum();
        Self {
            median: (sorted[(n - 1) / 2] + sorted[n / 2]) / 2.0,
            mean,
            deviation: if n > 1 { (squares / (n - 1) as f64).sqrt() } else { 0.0 },
            lowest: sorted[0],
            highest: sorted[n - 1],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-12, "{a}, not {b}");
    }

    #[test]
    fn two_labels() {
        // TP 2, FP 1, FN 1, TN 2.
        let (predicted, right) = ([1, 1, 1, 0, 0, 0], [1, 1, 0, 1, 0, 0]);
        close(accuracy(&predicted, &right), 4.0 / 6.0);
        close(f1(&predicted, &right), 2.0 / 3.0);
        // (2 x 2 - 1 x 1) / sqrt(3 x 3 x 3 x 3)
        close(matthews(&predicted, &right), 1.0 / 3.0);
        // TP 3, FP 0, FN 1, TN 1: 3 / sqrt(3 x 4 x 1 x 2).
        close(matthews(&[1, 1, 1, 0, 0], &[1, 1, 1, 1, 0]), 3.0 / 24f64.sqrt());
        close(matthews(&[1, 1, 1], &[1, 0, 1]), 0.0);
        close(f1(&[0, 0], &[0, 0]), 0.0);
    }

    #[test]
    fn more_labels() {
        let (predicted, right) = ([0, 1, 2, 2, 1], [0, 1, 2, 1, 0]);
        close(accuracy(&predicted, &right), 0.6);
        // F1 of label 0: 2/3; of 1: 1/2; of 2: 2/3.
        close(macro_f1(&predicted, &right, 4), (2.0 / 3.0 + 0.5 + 2.0 / 3.0) / 3.0);
        // c = 3, s = 5; predicted 1, 2, 2; right 2, 2, 1: (15 - 8) / sqrt((25 - 9)(25 - 9)).
        close(matthews(&predicted, &right), 7.0 / 16.0);
        // 2 pairs of 3 predicted and 3 right.
        close(micro_f1(&[vec![0, 1], vec![], vec![2]], &[vec![0], vec![1], vec![2]]), 4.0 / 6.0);
    }

    #[test]
    fn correlations() {
        close(pearson(&[1.0, 2.0, 3.0], &[2.0, 4.0, 6.0]), 1.0);
        close(pearson(&[1.0, 2.0, 3.0], &[1.0, 3.0, 2.0]), 0.5);
        // Deviations -1.5, -0.5, 0.5, 1.5 and -1, 1, -1, 1: 2 / sqrt(5 x 4).
        close(pearson(&[1.0, 2.0, 3.0, 4.0], &[0.0, 2.0, 0.0, 2.0]), 2.0 / 20f64.sqrt());
        // However far apart.
        close(spearman(&[1.0, 10.0, 1e9], &[-5.0, 0.0, 0.1]), 1.0);
        // 1 - 6 sum(d^2) / (n (n^2 - 1)) with d = 0, 1, 1, 0.
        close(spearman(&[1.0, 2.0, 3.0, 4.0], &[1.0, 3.0, 2.0, 4.0]), 1.0 - 12.0 / 60.0);
        // Ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4: 4.5 / sqrt(4.5 x 5).
        close(spearman(&[0.0, 7.0, 7.0, 9.0], &[1.0, 2.0, 3.0, 4.0]), 4.5 / 22.5f64.sqrt());
        assert!(pearson(&[1.0, 1.0], &[1.0, 2.0]).is_nan());
    }

    #[test]
    fn spread_of_seeds() {
        let spread = Spread::of(&[3.0, 1.0, 2.0]);
        assert_eq!((spread.median, spread.mean, spread.deviation), (2.0, 2.0, 1.0));
        assert_eq!((spread.lowest, spread.highest), (1.0, 3.0));
        let even = Spread::of(&[1.0, 4.0]);
        assert_eq!(even.median, 2.5);
        assert_eq!(Spread::of(&[5.0]).deviation, 0.0);
    }
}
