//! Held-out evaluation: masked-LM loss and accuracy, and how close a student is to its teacher.

use crate::Result;
use crate::data::{Dataset, Masker};
use crate::model::Model;
use crate::ops::{Dropout, IGNORE, Targets, cosine_loss, vocabulary_statistics};
use crate::rng::{Purpose, stream};
use crate::trainer::micro::MicroBatches;
use candle_core::{DType, Tensor};
use serde::Serialize;

/// Figures over held-out text.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// Sequences evaluated.
    pub sequences: usize,
    /// Tokens evaluated.
    pub tokens: usize,
    /// Masked tokens.
    pub masked: usize,
    /// Cross-entropy at the masked tokens, in nats.
    pub mlm_loss: f64,
    /// Share of the masked tokens predicted right.
    pub mlm_accuracy: f64,
    /// Against the teacher.
    #[serde(flatten)]
    pub teacher: Option<Agreement>,
}

/// How close the student is to the teacher.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Agreement {
    /// The teacher's own cross-entropy at the same masked tokens.
    pub teacher_mlm_loss: f64,
    /// The teacher's own accuracy at them.
    pub teacher_mlm_accuracy: f64,
    /// Share of the masked tokens with the same most likely word.
    pub agreement: f64,
    /// The same over all tokens.
    pub agreement_all: f64,
    /// `KL(teacher || student)` at temperature 1 over the masked tokens, in nats.
    pub kl: f64,
    /// The same over all tokens.
    pub kl_all: f64,
    /// Mean cosine of the last hidden states over all tokens; none when the widths differ.
    pub hidden_cosine: Option<f64>,
}

/// How to evaluate.
#[derive(Clone, Copy, Debug)]
pub struct EvaluationOptions {
    /// Sequences in a batch.
    pub batch_size: usize,
    /// At most this many sequences, spread over the text; 0: all.
    pub limit: usize,
    /// Seed of the masking.
    pub seed: u64,
}

#[derive(Clone, Copy, Default)]
struct Sums {
    tokens: usize,
    masked: usize,
    nll: f64,
    right: usize,
    teacher_nll: f64,
    teacher_right: usize,
    agree: usize,
    agree_all: usize,
    kl: f64,
    kl_all: f64,
    cosine: f64,
}

/// Evaluates with dropout off. The masks depend on the options and the text alone, so models can be compared.
pub fn evaluate(
    model: &Model,
    teacher: Option<&Model>,
    data: &Dataset,
    masker: &Masker,
    options: EvaluationOptions,
    mut progress: impl FnMut(usize),
) -> Result<Evaluation> {
    let chosen = choose(data, options.limit);
    let mut sums = Sums::default();
    // A whole batch at once, unless the device's memory is too small for it.
    let mut micro = MicroBatches::of(usize::MAX);
    for (index, sequences) in chosen.chunks(options.batch_size.max(1)).enumerate() {
        let mut rng = stream(options.seed, Purpose::Evaluation, index as u64);
        let batch = data.batch(sequences, masker, &mut rng)?;
        micro.each((0, batch), |(_, piece), _| {
            let mut next = sums;
            next.add(model, teacher, piece)?;
            sums = next;
            Ok(())
        })?;
        progress(sequences.len());
    }
    let masked = sums.masked.max(1) as f64;
    let tokens = sums.tokens.max(1) as f64;
    Ok(Evaluation {
        sequences: chosen.len(),
        tokens: sums.tokens,
        masked: sums.masked,
        mlm_loss: sums.nll / masked,
        mlm_accuracy: sums.right as f64 / masked,
        teacher: teacher.map(|teacher| Agreement {
            teacher_mlm_loss: sums.teacher_nll / masked,
            teacher_mlm_accuracy: sums.teacher_right as f64 / masked,
            agreement: sums.agree as f64 / masked,
            agreement_all: sums.agree_all as f64 / tokens,
            kl: sums.kl / masked,
            kl_all: sums.kl_all / tokens,
            hidden_cosine: (teacher.config.hidden == model.config.hidden).then_some(sums.cosine / tokens),
        }),
    })
}

/// Sequence numbers, evenly spread when limited, in order of length.
fn choose(data: &Dataset, limit: usize) -> Vec<u32> {
    let n = data.len();
    let count = if limit == 0 { n } else { limit.min(n) };
    let mut chosen: Vec<u32> = (0..count).map(|i| (i * n / count) as u32).collect();
    let lengths: Vec<usize> = data.lengths().collect();
    chosen.sort_by_key(|&i| lengths[i as usize]);
    chosen
}

impl Sums {
    fn add(&mut self, model: &Model, teacher: Option<&Model>, batch: &crate::data::Batch) -> Result<()> {
        let device = model.device();
        let tokens = batch.tokens(device)?;
        let last = |model: &Model| -> Result<Tensor> {
            let mut states = model.hidden_states(&tokens, &mut Dropout::off())?;
            let last = states.pop().map(|last| last.detach());
            last.ok_or_else(|| crate::Error::Config("a model without layers".into()))
        };
        let hidden = last(model)?;
        self.tokens += batch.rows();
        let targets = |labels: Vec<u32>, teacher| Targets {
            labels,
            teacher,
            temperature: 1.0,
            alpha_ce: 1.0,
            alpha_mse: 0.0,
            alpha_mlm: 1.0,
        };
        let Some(teacher) = teacher else {
            let (rows, labels) = batch.labelled();
            if rows.is_empty() {
                return Ok(());
            }
            let rows = hidden.index_select(&Tensor::new(rows, device)?, 0)?;
            let statistics = vocabulary_statistics(&model.project(&rows)?, &targets(labels.clone(), None))?;
            for (s, label) in statistics.iter().zip(labels) {
                self.masked += 1;
                self.nll += f64::from(s.nll);
                self.right += usize::from(s.top == label);
            }
            return Ok(());
        };
        let teacher_hidden = last(teacher)?;
        if teacher.config.hidden == model.config.hidden {
            let cosine = cosine_loss(&hidden, &teacher_hidden)?.to_dtype(DType::F64)?;
            self.cosine += (1.0 - cosine.to_scalar::<f64>()?) * batch.rows() as f64;
        }
        let projection = teacher.project(&teacher_hidden)?;
        let compared = targets(batch.labels.clone(), Some(projection));
        let statistics = vocabulary_statistics(&model.project(&hidden)?, &compared)?;
        for (s, &label) in statistics.iter().zip(&batch.labels) {
            let agree = usize::from(s.top == s.teacher_top);
            self.agree_all += agree;
            self.kl_all += f64::from(s.kl);
            if label != IGNORE {
                self.masked += 1;
                self.nll += f64::from(s.nll);
                self.right += usize::from(s.top == label);
                self.teacher_nll += f64::from(s.teacher_nll);
                self.teacher_right += usize::from(s.teacher_top == label);
                self.agree += agree;
                self.kl += f64::from(s.kl);
            }
        }
        Ok(())
    }
}

impl Evaluation {
    /// One line for people.
    pub fn text(&self) -> String {
        let mut text =
            format!("held-out masked-LM loss {:.4}, accuracy {:.2}%", self.mlm_loss, 100.0 * self.mlm_accuracy);
        if let Some(teacher) = &self.teacher {
            text += &format!(
                " (teacher {:.4}, {:.2}%), agreement {:.2}%, KL {:.4}",
                teacher.teacher_mlm_loss,
                100.0 * teacher.teacher_mlm_accuracy,
                100.0 * teacher.agreement,
                teacher.kl
            );
            if let Some(cosine) = teacher.hidden_cosine {
                text += &format!(", hidden cosine {cosine:.4}");
            }
        }
        text
    }
}
