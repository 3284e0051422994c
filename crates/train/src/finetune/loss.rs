//! Losses of a few scores a text, with gradients: small tensors, so candle's own operations do.

use candle_core::{D, Result, Tensor};

/// `log softmax` of the rows of `[n, labels]`.
pub fn log_softmax(scores: &Tensor) -> Result<Tensor> {
    // What is subtracted cancels out: nothing flows through it.
    let shifted = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?.detach())?;
    shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(D::Minus1)?.log()?)
}

/// Cross-entropy of `[n, labels]`, the mean over the texts weighted by `weights [n]`.
pub fn cross_entropy(scores: &Tensor, right: &[u32], weights: &[f64]) -> Result<Tensor> {
    let (n, labels) = scores.dims2()?;
    let total: f64 = weights.iter().sum();
    let mut share = vec![0.0f32; n * labels];
    for (i, (&label, weight)) in right.iter().zip(weights).enumerate() {
        share[i * labels + label as usize] = (weight / total) as f32;
    }
    let share = Tensor::from_vec(share, (n, labels), scores.device())?;
    (log_softmax(scores)? * share)?.sum_all()?.neg()
}

/// Squared differences of `[n, 1]` to `values [n]`, mean.
pub fn squares(scores: &Tensor, values: &Tensor) -> Result<Tensor> {
    (scores.flatten_all()? - values)?.sqr()?.mean_all()
}

/// Cross-entropy of every label by itself, `[n, labels]` scores and truths (0 to 1), mean over both:
/// `max(z, 0) - z y + log(1 + exp(-|z|))`.
pub fn binary_cross_entropy(scores: &Tensor, truth: &Tensor) -> Result<Tensor> {
    let softplus = (scores.relu()? + (scores.abs()?.neg()?.exp()? + 1.0)?.log()?)?;
    (softplus - (scores * truth)?)?.mean_all()
}

/// `T^2 KL(softmax(teacher / T) || softmax(student / T))` of `[n, labels]`, mean over the texts.
pub fn soft_cross_entropy(student: &Tensor, teacher: &Tensor, temperature: f64) -> Result<Tensor> {
    let n = student.dim(0)? as f64;
    let log = |scores: &Tensor| log_softmax(&(scores / temperature)?);
    let teacher = log(&teacher.detach())?;
    let divergence = (teacher.exp()? * (&teacher - log(student)?)?)?.sum_all()?;
    divergence * (temperature * temperature / n)
}

/// The same where every label is a question by itself: `T^2` times the mean divergence of two-way distributions.
pub fn soft_binary_cross_entropy(student: &Tensor, teacher: &Tensor, temperature: f64) -> Result<Tensor> {
    let teacher = (teacher.detach() / temperature)?;
    // sigmoid(z) = (1 + tanh(z / 2)) / 2
    let truth = ((&teacher * 0.5)?.tanh()? * 0.5)?.affine(1.0, 0.5)?;
    let own = binary_cross_entropy(&teacher, &truth)?;
    (binary_cross_entropy(&(student / temperature)?, &truth)? - own)? * (temperature * temperature)
}

/// Cross-entropy of the starts and of the ends of answers, averaged, mean over the windows: `scores [rows, 2]` over the tokens of each
/// window by itself, whose first rows are `starts`.
pub fn span_cross_entropy(scores: &Tensor, starts: &[usize], right: &[[u32; 2]]) -> Result<Tensor> {
    let (mut sum, n) = (Tensor::zeros((), scores.dtype(), scores.device())?, right.len() as f64);
    for (window, right) in starts.windows(2).zip(right) {
        let length = window[1] - window[0];
        let log = log_softmax(&scores.narrow(0, window[0], length)?.t()?.contiguous()?)?;
        let mut share = vec![0.0f32; 2 * length];
        for (side, &token) in right.iter().enumerate() {
            share[side * length + token as usize] = 0.5 / n as f32;
        }
        sum = (sum - (log * Tensor::from_vec(share, (2, length), scores.device())?)?.sum_all()?)?;
    }
    Ok(sum)
}

/// The same for a teacher's scores: [`soft_cross_entropy`] of the starts and of the ends over the tokens of each window, averaged.
pub fn soft_span_cross_entropy(
    student: &Tensor,
    teacher: &Tensor,
    starts: &[usize],
    temperature: f64,
) -> Result<Tensor> {
    let (mut sum, n) = (Tensor::zeros((), student.dtype(), student.device())?, (starts.len() - 1) as f64);
    for window in starts.windows(2) {
        let part = |scores: &Tensor| scores.narrow(0, window[0], window[1] - window[0])?.t()?.contiguous();
        // Starts and ends are two rows, over which it is a mean already.
        let loss = soft_cross_entropy(&part(student)?, &part(&teacher.detach())?, temperature)?;
        sum = (sum + (loss / n)?)?;
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{check_gradient, random};
    use candle_core::Device;

    fn value(loss: Result<Tensor>) -> f64 {
        f64::from(loss.unwrap().to_scalar::<f32>().unwrap())
    }

    fn scores() -> (Vec<[f64; 3]>, Tensor) {
        let rows = vec![[0.5, -1.0, 2.0], [30.0, 0.0, -30.0], [-0.25, 0.75, 0.0], [1.5, 1.0, -2.0]];
        let flat: Vec<f32> = rows.iter().flatten().map(|&v| v as f32).collect();
        (rows, Tensor::from_vec(flat, (4, 3), &Device::Cpu).unwrap())
    }

    fn log_probabilities(row: &[f64; 3]) -> [f64; 3] {
        let sum: f64 = row.iter().map(|z| z.exp()).sum();
        row.map(|z| z - sum.ln())
    }

    #[test]
    fn values_in_double_precision() {
        let (rows, tensor) = scores();
        let (right, weights) = ([2, 1, 0, 0], [1.0, 0.5, 2.0, 1.0]);
        let terms = rows.iter().zip(right).zip(weights).map(|((row, y), w)| -w * log_probabilities(row)[y as usize]);
        let expected = terms.sum::<f64>() / 4.5;
        assert!((value(cross_entropy(&tensor, &right, &weights)) - expected).abs() < 1e-5);

        let truth =
            Tensor::from_vec(vec![1f32, 0., 1., 1., 0., 0., 0., 1., 1., 0., 0., 1.], (4, 3), &Device::Cpu).unwrap();
        let flat: Vec<f64> = rows.iter().flatten().copied().collect();
        let y = truth.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let each = flat.iter().zip(y).map(|(z, y)| {
            let p = 1.0 / (1.0 + (-z).exp());
            // Far from 0 only one of the logarithms has a factor.
            if y > 0.5 { (1.0 + (-z).exp()).ln() } else { -(1.0 - p).max(f64::MIN_POSITIVE).ln() }
        });
        let expected = each.sum::<f64>() / 12.0;
        assert!((value(binary_cross_entropy(&tensor, &truth)) - expected).abs() < 1e-5);
    }

    #[test]
    fn soft_targets_in_double_precision() {
        let (rows, teacher) = scores();
        let student = random(&[4, 3], 5);
        let own = student.to_vec2::<f32>().unwrap();
        let t = 2.0;
        let mut expected = 0.0;
        for (row, own) in rows.iter().zip(&own) {
            let p = log_probabilities(&row.map(|z| z / t));
            let q = log_probabilities(&[0, 1, 2].map(|i| f64::from(own[i]) / t));
            expected += (0..3).map(|i| p[i].exp() * (p[i] - q[i])).sum::<f64>();
        }
        let expected = expected * t * t / 4.0;
        assert!((value(soft_cross_entropy(&student, &teacher, t)) - expected).abs() < 1e-5);
        assert!(value(soft_cross_entropy(&teacher, &teacher, t)).abs() < 1e-6, "nothing to learn from oneself");

        let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
        let kl = |p: f64, q: f64| {
            let term = |p: f64, q: f64| if p > 0.0 { p * (p / q).ln() } else { 0.0 };
            term(p, q) + term(1.0 - p, 1.0 - q)
        };
        let flat: Vec<f64> = own.iter().flatten().map(|&v| f64::from(v)).collect();
        let pairs = rows.iter().flatten().zip(&flat);
        let expected = pairs.map(|(a, b)| kl(sigmoid(a / t), sigmoid(b / t))).sum::<f64>() * t * t / 12.0;
        assert!((value(soft_binary_cross_entropy(&student, &teacher, t)) - expected).abs() < 1e-4);
    }

    #[test]
    fn spans_are_windows_by_themselves() {
        let (student, teacher) = (random(&[9, 2], 6), random(&[9, 2], 7));
        let column = |scores: &Tensor, first: usize, length: usize, side: usize| {
            scores.narrow(0, first, length).unwrap().narrow(1, side, 1).unwrap().t().unwrap().contiguous().unwrap()
        };
        let (starts, spans) = ([0, 4, 9], [[1, 3], [0, 2]]);
        let (mut hard, mut soft) = (0.0, 0.0);
        for (i, (first, length)) in [(0, 4), (4, 5)].into_iter().enumerate() {
            for (side, token) in spans[i].into_iter().enumerate() {
                let (mine, theirs) = (column(&student, first, length, side), column(&teacher, first, length, side));
                hard += value(cross_entropy(&mine, &[token], &[1.0])) / 4.0;
                soft += value(soft_cross_entropy(&mine, &theirs, 2.0)) / 4.0;
            }
        }
        assert!((value(span_cross_entropy(&student, &starts, &spans)) - hard).abs() < 1e-6);
        assert!((value(soft_span_cross_entropy(&student, &teacher, &starts, 2.0)) - soft).abs() < 1e-6);
    }

    #[test]
    fn gradients() {
        let (x, teacher) = (random(&[9, 4], 1), random(&[9, 4], 2));
        let right: Vec<u32> = (0..9).map(|i| i % 4).collect();
        let weights: Vec<f64> = (0..9).map(|i| 0.5 + f64::from(i % 3)).collect();
        let truth = (random(&[9, 4], 3).ge(0.0).unwrap()).to_dtype(candle_core::DType::F32).unwrap();
        check_gradient(std::slice::from_ref(&x), |v| cross_entropy(&v[0], &right, &weights));
        check_gradient(std::slice::from_ref(&x), |v| binary_cross_entropy(&v[0], &truth));
        check_gradient(std::slice::from_ref(&x), |v| soft_cross_entropy(&v[0], &teacher, 2.0));
        check_gradient(std::slice::from_ref(&x), |v| soft_binary_cross_entropy(&v[0], &teacher, 2.0));
        let (starts, spans) = ([0, 4, 9], [[1, 3], [0, 0]]);
        let (x, teacher) = (random(&[9, 2], 6), random(&[9, 2], 7));
        check_gradient(std::slice::from_ref(&x), |v| span_cross_entropy(&v[0], &starts, &spans));
        check_gradient(&[x], |v| soft_span_cross_entropy(&v[0], &teacher, &starts, 2.0));
        check_gradient(&[random(&[9, 1], 4)], |v| squares(&v[0], &random(&[9], 5)));
    }
}
