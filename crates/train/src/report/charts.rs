//! Which curves make which chart.

use super::Run;
use super::run::Points;
use serde::Serialize;

/// One chart: the same quantity of all runs that have it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Chart {
    /// Identifier within the page: the curve's name.
    pub id: String,
    /// Heading.
    pub title: String,
    /// One sentence under the heading; may be empty.
    pub note: String,
    /// Whether values are shares, shown as percentages.
    pub percent: bool,
    /// Whether the page may smooth it: figures of single steps, not of evaluations.
    pub noisy: bool,
    /// Curves, in the order of the runs.
    pub series: Vec<Series>,
}

/// One curve of a chart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Series {
    /// Number of the run.
    pub run: usize,
    /// Drawn dashed: the teacher's figure beside the student's.
    pub teacher: bool,
    /// `[step, value]`, at most [`MOST_POINTS`] of them.
    pub points: Vec<[f64; 2]>,
}

/// Points of a curve on the page; more are averaged in groups.
pub const MOST_POINTS: usize = 3000;

/// Curve, heading, note.
const KNOWN: [(&str, &str, &str); 16] = [
    ("loss", "Loss", "Weighted sum of the losses."),
    ("loss_ce", "Soft targets", "T² KL(teacher ‖ student) at temperature T, a token."),
    ("loss_mlm", "Masked LM", "Cross-entropy at the masked tokens, in nats."),
    ("loss_cos", "Cosine", "1 − cos of the last hidden states."),
    ("loss_mse", "Squared logits", "Squared differences of the logits, summed over the vocabulary."),
    ("held_out.mlm_loss", "Held-out masked LM", "Cross-entropy in nats."),
    ("held_out.mlm_accuracy", "Held-out accuracy", "Masked tokens predicted right."),
    ("held_out.agreement", "Agreement with the teacher", "Same most likely word, at the masked tokens."),
    ("held_out.agreement_all", "Agreement, all tokens", "Same most likely word, at every token."),
    ("held_out.kl", "Held-out KL", "KL(teacher ‖ student) at the masked tokens, in nats."),
    ("held_out.kl_all", "Held-out KL, all tokens", "The same at every token."),
    ("held_out.hidden_cosine", "Hidden cosine", "Mean cosine of the last hidden states."),
    ("learning_rate", "Learning rate", ""),
    ("grad_norm", "Gradient norm", "Before clipping."),
    ("tokens_per_second", "Tokens a second", "Evaluations excluded."),
    ("skipped_steps", "Skipped steps", "Steps left out because a loss or gradient was not finite."),
];

/// Curves that are part of another chart, or make none.
const NOT_ALONE: [&str; 6] = [
    "epoch",
    "held_out.teacher_mlm_loss",
    "held_out.teacher_mlm_accuracy",
    "held_out.sequences",
    "held_out.tokens",
    "held_out.masked",
];

/// The charts of these runs: known curves first, then whatever else they report. A curve that is zero throughout, as the
/// loss of a term without weight, is left out.
pub fn charts(runs: &[Run]) -> Vec<Chart> {
    let mut names: Vec<&str> = runs.iter().flat_map(|run| run.curves.keys()).map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| !NOT_ALONE.contains(name));
    let place = |name: &str| KNOWN.iter().position(|known| known.0 == name).unwrap_or(KNOWN.len());
    names.sort_by_key(|name| place(name));
    let mut charts = Vec::new();
    for name in names {
        let mut series = series(runs, name, false);
        if series.is_empty() {
            continue;
        }
        let (title, mut note) = match KNOWN.get(place(name)) {
            Some((_, title, note)) => (title.to_string(), note.to_string()),
            None => (name.replace(['.', '_'], " "), String::new()),
        };
        if let Some(figure) = name.strip_prefix("held_out.") {
            series.extend(self::series(runs, &format!("held_out.teacher_{figure}"), true));
            if series.iter().any(|s| s.teacher) {
                note += " Dashed: the teacher.";
            }
        }
        let percent = name.ends_with("accuracy") || name.contains("agreement");
        let noisy = name != "learning_rate" && !name.starts_with("held_out.");
        charts.push(Chart { id: name.to_string(), title, note, percent, noisy, series });
    }
    charts
}

fn series(runs: &[Run], curve: &str, teacher: bool) -> Vec<Series> {
    let points = |run: &Run| run.curves.get(curve).filter(|points| points.iter().any(|p| p.1 != 0.0)).map(thin);
    let all = runs.iter().enumerate();
    all.filter_map(|(run, r)| points(r).map(|points| Series { run, teacher, points })).collect()
}

/// At most [`MOST_POINTS`] points with six digits; neighbours are averaged.
fn thin(points: &Points) -> Vec<[f64; 2]> {
    let group = points.len().div_ceil(MOST_POINTS).max(1);
    let mean = |group: &[(f64, f64)], f: fn(&(f64, f64)) -> f64| group.iter().map(f).sum::<f64>() / group.len() as f64;
    points.chunks(group).map(|group| [six_digits(mean(group, |p| p.0)), six_digits(mean(group, |p| p.1))]).collect()
}

fn six_digits(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(curves: &[(&str, f64)]) -> Run {
        let curves = curves.iter().map(|(name, value)| (name.to_string(), vec![(1.0, *value)])).collect();
        Run { curves, ..Run::default() }
    }

    #[test]
    fn known_curves_come_first_zeros_and_counts_are_left_out() {
        let a = run(&[("zeal", 1.0), ("loss_cos", 0.0), ("learning_rate", 0.1), ("loss", 2.0), ("epoch", 1.0)]);
        let b = run(&[("loss", 3.0), ("held_out.mlm_loss", 1.0), ("held_out.teacher_mlm_loss", 0.5)]);
        let charts = charts(&[a, b]);
        let ids: Vec<&str> = charts.iter().map(|chart| chart.id.as_str()).collect();
        assert_eq!(ids, ["loss", "held_out.mlm_loss", "learning_rate", "zeal"]);
        assert_eq!(charts[0].series.iter().map(|s| s.run).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(charts[1].series.iter().map(|s| (s.run, s.teacher)).collect::<Vec<_>>(), [(1, false), (1, true)]);
    }

    #[test]
    fn long_curves_are_averaged() {
        let points: Points = (0..7000).map(|i| (f64::from(i), f64::from(i) / 3.0)).collect();
        let thin = thin(&points);
        assert_eq!(thin.len(), 2334);
        assert_eq!(thin[0], [1.0, 0.333333]);
        assert_eq!(thin[2333], [6999.0, 2333.0]);
    }
}
