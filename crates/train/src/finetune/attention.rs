//! How far a student's attention is from its teacher's: the divergence of MiniLM (Wang et al. 2020, "MiniLM: Deep Self-Attention
//! Distillation for Task-Agnostic Compression of Pre-Trained Transformers", section 3.1).

use super::loss::log_softmax;
use crate::ops::Sequences;
use candle_core::{DType, Result, Tensor};

/// Queries and keys of a layer, `[rows, heads d]` each; `d` need not be the teacher's.
pub type QueriesAndKeys = [Tensor; 2];

/// `KL(teacher || student)` of the distributions that each token has over those of its sequence, mean over tokens and heads.
pub fn divergence(
    student: &QueriesAndKeys,
    teacher: &QueriesAndKeys,
    sequences: &Sequences,
    heads: usize,
) -> Result<Tensor> {
    let mut sum = Tensor::zeros((), DType::F32, student[0].device())?;
    for window in sequences.starts().windows(2) {
        let rows = (window[0], window[1] - window[0]);
        let taught = log_distributions(teacher, rows, heads)?.detach();
        let difference = (&taught - log_distributions(student, rows, heads)?)?;
        sum = (sum + (taught.exp()? * difference)?.sum_all()?)?;
    }
    sum / (heads * sequences.rows()) as f64
}

/// `log softmax(Q K^T / sqrt(d))` of a sequence with these `(start, count)` rows, `[heads, count, count]`.
fn log_distributions([q, k]: &QueriesAndKeys, (start, count): (usize, usize), heads: usize) -> Result<Tensor> {
    let d = q.dim(1)? / heads;
    let split = |x: &Tensor| {
        let x = x.narrow(0, start, count)?.to_dtype(DType::F32)?;
        x.reshape((count, heads, d))?.transpose(0, 1)?.contiguous()
    };
    let scores = split(q)?.matmul(&split(k)?.t()?.contiguous()?)?;
    log_softmax(&(scores / (d as f64).sqrt())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::random;

    /// The same in double precision, written out.
    fn exact(student: &QueriesAndKeys, teacher: &QueriesAndKeys, lengths: &[usize], heads: usize) -> f64 {
        let distributions = |[q, k]: &QueriesAndKeys| -> Vec<Vec<f64>> {
            let [q, k] = [q, k].map(|x| x.to_vec2::<f32>().unwrap());
            let d = q[0].len() / heads;
            let (mut all, mut start) = (vec![], 0);
            for &n in lengths {
                for (head, i) in (0..heads).flat_map(|head| (start..start + n).map(move |i| (head, i))) {
                    let part = head * d..(head + 1) * d;
                    let dot = |j: usize| part.clone().map(|c| f64::from(q[i][c]) * f64::from(k[j][c])).sum::<f64>();
                    let powers: Vec<f64> = (start..start + n).map(|j| (dot(j) / (d as f64).sqrt()).exp()).collect();
                    let sum: f64 = powers.iter().sum();
                    all.push(powers.into_iter().map(|p| p / sum).collect());
                }
                start += n;
            }
            all
        };
        let (student, teacher) = (distributions(student), distributions(teacher));
        let rows = teacher.iter().zip(&student);
        let divergence = |(t, s): (&Vec<f64>, &Vec<f64>)| t.iter().zip(s).map(|(t, s)| t * (t / s).ln()).sum::<f64>();
        rows.map(divergence).sum::<f64>() / teacher.len() as f64
    }

    #[test]
    fn agrees_with_double_precision_and_is_zero_for_equals() {
        let (lengths, heads) = ([3, 1, 5], 2);
        let sequences = Sequences::new(lengths);
        // The student's heads are narrower.
        let student = [random(&[9, 8], 1), random(&[9, 8], 2)];
        let teacher = [random(&[9, 12], 3), random(&[9, 12], 4)];
        let found = divergence(&student, &teacher, &sequences, heads).unwrap().to_scalar::<f32>().unwrap();
        let exact = exact(&student, &teacher, &lengths, heads);
        assert!((f64::from(found) - exact).abs() < 1e-6 && exact > 0.01, "{found}, not {exact}");
        let same = divergence(&teacher, &teacher, &sequences, heads).unwrap().to_scalar::<f32>().unwrap();
        assert!(same.abs() < 1e-6, "{same}");
    }
}
