//! Cosine distance between rows of student and teacher.

use super::storage::{dot, for_rows, slice, sum_rows, with_slice};
use candle_core::{CpuStorage, CustomOp2, D, DType, Layout, Result, Shape, Tensor};

/// Mean over rows of `1 - cos(student, teacher)`, a scalar. Nothing flows back to the teacher.
pub fn cosine_loss(student: &Tensor, teacher: &Tensor) -> Result<Tensor> {
    super::trace::cosine(student)?;
    #[cfg(feature = "cuda")]
    if student.device().is_cuda() {
        return super::gpu::cosine_loss(student, teacher);
    }
    if super::fused(student) {
        return student.contiguous()?.apply_op2(&teacher.detach().contiguous()?, Cosine);
    }
    let (s, t) = (student.to_dtype(DType::F32)?, teacher.detach().to_dtype(DType::F32)?);
    let norms = (s.sqr()?.sum(D::Minus1)? * t.sqr()?.sum(D::Minus1)?)?;
    let cosine = ((s * t)?.sum(D::Minus1)? / (norms + 1e-24)?.sqrt()?)?;
    cosine.mean_all()?.affine(-1.0, 1.0)
}

struct Cosine;

/// Cosine of two rows and the reciprocals of their lengths.
#[inline(always)]
fn cosine(s: &[f32], t: &[f32]) -> (f32, f32, f32) {
    let reciprocal = |x: &[f32]| 1.0 / dot(x, x).sqrt().max(1e-12);
    let (rs, rt) = (reciprocal(s), reciprocal(t));
    (dot(s, t) * rs * rt, rs, rt)
}

impl CustomOp2 for Cosine {
    fn name(&self) -> &'static str {
        "cosine-loss"
    }

    fn cpu_fwd(
        &self,
        s: &CpuStorage,
        s_layout: &Layout,
        t: &CpuStorage,
        t_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (n, h) = s_layout.shape().dims2()?;
        let (s, t) = (slice(s, s_layout)?, slice(t, t_layout)?);
        let sum = sum_rows(
            n,
            1,
            #[inline(always)]
            |start, end, sum| {
                for i in start..end {
                    sum[0] += 1.0 - cosine(&s[i * h..][..h], &t[i * h..][..h]).0;
                }
            },
        );
        Ok((CpuStorage::F32(vec![sum[0] / n as f32]), Shape::from(())))
    }

    // d(1 - cos)/ds = -(t / (|s| |t|) - cos s / |s|^2)
    fn bwd(&self, s: &Tensor, t: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (n, h) = s.dims2()?;
        let scale = -grad.to_scalar::<f32>()? / n as f32;
        let out = with_slice(s, |s| {
            with_slice(t, |t| {
                let mut out = s.to_vec();
                for_rows(
                    &mut out,
                    h,
                    #[inline(always)]
                    |first, rows| {
                        for (i, row) in rows.chunks_exact_mut(h).enumerate() {
                            let t = &t[(first + i) * h..][..h];
                            let (cos, rs, rt) = cosine(row, t);
                            for (v, t) in row.iter_mut().zip(t) {
                                *v = scale * (t * (rs * rt) - *v * (cos * rs * rs));
                            }
                        }
                    },
                );
                Ok(out)
            })
        })?;
        Ok((Some(Tensor::from_vec(out, (n, h), s.device())?), None))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_gradient, random};
    use super::*;

    #[test]
    fn agrees_with_the_composition() {
        let (s, t) = (random(&[70, 9], 1), random(&[70, 9], 2));
        let fused = cosine_loss(&s, &t).unwrap().to_scalar::<f32>().unwrap();
        let s = s.to_dtype(DType::F64).unwrap();
        let composed = cosine_loss(&s, &t).unwrap().to_scalar::<f32>().unwrap();
        assert!((fused - composed).abs() < 1e-6, "{fused} {composed}");
    }

    #[test]
    fn gradients_reach_the_student_only() {
        let teacher = random(&[70, 9], 2);
        check_gradient(&[random(&[70, 9], 1)], |v| cosine_loss(&v[0], &teacher));
        let var = candle_core::Var::from_tensor(&teacher).unwrap();
        let loss = cosine_loss(&random(&[70, 9], 1), var.as_tensor()).unwrap();
        assert!(loss.backward().unwrap().get(var.as_tensor()).is_none());
    }
}
