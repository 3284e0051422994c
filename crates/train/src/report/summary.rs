//! The few figures that say how a run went.

use super::Run;
use super::run::Points;
use serde::Serialize;

/// Figures of one run; what its metrics do not have is `null`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Name of the run.
    pub name: String,
    /// Whether it ended with a model.
    pub finished: bool,
    /// Optimizer steps up to the last line.
    pub steps: usize,
    /// Passes over the data.
    pub epochs: Option<f64>,
    /// Training time in seconds, evaluations included.
    pub seconds: f64,
    /// Weighted loss of the last line.
    pub loss: Option<f64>,
    /// Masked-LM loss of the last line, on training text.
    pub loss_mlm: Option<f64>,
    /// Median over the lines.
    pub tokens_per_second: Option<f64>,
    /// Largest gradient norm of a line, before clipping.
    pub largest_gradient_norm: Option<f64>,
    /// Held-out evaluation with the lowest masked-LM loss.
    pub best: Option<BestHeldOut>,
    /// Damaged lines and what else should be known.
    pub notes: Vec<String>,
}

/// Held-out figures at the step with the lowest masked-LM loss.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BestHeldOut {
    /// The step.
    pub step: usize,
    /// Cross-entropy at the masked tokens, in nats.
    pub mlm_loss: f64,
    /// Share of the masked tokens predicted right.
    pub mlm_accuracy: Option<f64>,
    /// Share of the masked tokens with the teacher's most likely word.
    pub agreement: Option<f64>,
    /// `KL(teacher || student)` over the masked tokens, in nats.
    pub kl: Option<f64>,
    /// Mean cosine of the last hidden states.
    pub hidden_cosine: Option<f64>,
}

impl Summary {
    /// Takes the figures from the curves.
    pub fn of(run: &Run) -> Self {
        let values = |curve: &str| run.curves.get(curve).map(|points| points.iter().map(|p| p.1).collect::<Vec<_>>());
        Self {
            name: run.name.clone(),
            finished: run.finished,
            steps: run.steps(),
            epochs: run.last("epoch"),
            seconds: run.seconds,
            loss: run.last("loss"),
            loss_mlm: run.last("loss_mlm"),
            tokens_per_second: values("tokens_per_second").map(median),
            largest_gradient_norm: values("grad_norm").and_then(|v| v.into_iter().max_by(f64::total_cmp)),
            best: run.curves.get("held_out.mlm_loss").and_then(|points| best(run, points)),
            notes: run.notes.clone(),
        }
    }
}

fn best(run: &Run, losses: &Points) -> Option<BestHeldOut> {
    let &(step, mlm_loss) = losses.iter().min_by(|a, b| a.1.total_cmp(&b.1))?;
    let at = |name: &str| {
        let points = run.curves.get(&format!("held_out.{name}"))?;
        points.iter().find(|point| point.0 == step).map(|point| point.1)
    };
    Some(BestHeldOut {
        step: step as usize,
        mlm_loss,
        mlm_accuracy: at("mlm_accuracy"),
        agreement: at("agreement"),
        kl: at("kl"),
        hidden_cosine: at("hidden_cosine"),
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_come_from_the_step_with_the_lowest_held_out_loss() {
        let mut run = Run::default();
        let mut add = |name: &str, points: &[(f64, f64)]| run.curves.insert(name.into(), points.to_vec());
        add("tokens_per_second", &[(1.0, 10.0), (2.0, 40.0), (3.0, 30.0), (4.0, 20.0)]);
        add("held_out.mlm_loss", &[(2.0, 3.0), (4.0, 2.5), (6.0, 2.7)]);
        add("held_out.kl", &[(2.0, 0.3), (4.0, 0.2), (6.0, 0.1)]);
        let summary = Summary::of(&run);
        assert_eq!((summary.steps, summary.tokens_per_second, summary.loss), (6, Some(25.0), None));
        let best = summary.best.unwrap();
        assert_eq!((best.step, best.mlm_loss, best.kl, best.agreement), (4, 2.5, Some(0.2), None));
    }
}
