//! Rows that the runtime quantizes on the fly, before every matrix with integer weights.
//!
//! A row has the scale `max |x| / 127` and becomes `scale round(x 127 / max |x|)`, ties to even. The scale covers the
//! row, so nothing is cut off and every gradient passes straight through. A row below 1e-30 is all zeros.

use super::int8::{ROUND, largest};
use super::straight::straight;
use crate::ops::{for_rows, fused, slice};
use candle_core::{CpuStorage, CustomOp1, D, DType, Layout, Result, Shape, Tensor};

/// A row whose magnitudes all stay below it is all zeros.
const SMALLEST: f32 = 1e-30;

/// Rounds one row in place; returns its scale, 0 for a row of zeros.
#[inline(always)]
pub fn round_row(row: &mut [f32]) -> f32 {
    let largest = largest(row);
    if largest < SMALLEST {
        row.fill(0.0);
        return 0.0;
    }
    let (inverse, scale) = (127.0 / largest, largest / 127.0);
    for x in row {
        *x = ((*x * inverse + ROUND) - ROUND) * scale;
    }
    scale
}

/// Rounds every run of `width` neighbouring numbers of `x [n, k]` with a scale of its own; `width` divides k. A whole row
/// is what a matrix reads, a part of it the query, key or value of one head.
pub fn round_rows(x: &Tensor, width: usize) -> Result<Tensor> {
    if fused(x) { x.contiguous()?.apply_op1(RoundRows { width }) } else { composed(x, width) }
}

struct RoundRows {
    width: usize,
}

impl CustomOp1 for RoundRows {
    fn name(&self) -> &'static str {
        "round-rows"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut out = slice(x, layout)?.to_vec();
        for_rows(
            &mut out,
            self.width,
            #[inline(always)]
            |_, rows| {
                for row in rows.chunks_exact_mut(self.width) {
                    round_row(row);
                }
            },
        );
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, _x: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(grad.clone()))
    }
}

/// The same with candle's operations. Computed in float32; in a narrower type the result is rounded once more.
fn composed(x: &Tensor, width: usize) -> Result<Tensor> {
    let rows = x.detach().to_dtype(DType::F32)?.reshape(((), width))?;
    let largest = rows.abs()?.max_keepdim(D::Minus1)?;
    let there = largest.ge(f64::from(SMALLEST))?.to_dtype(DType::F32)?;
    let largest = largest.maximum(f64::from(SMALLEST))?;
    let inverse = (there * 127.0)?.broadcast_div(&largest)?;
    let magic = f64::from(ROUND);
    let steps = ((rows.broadcast_mul(&inverse)? + magic)? - magic)?;
    // A tensor of one number: divided by a plain number, candle multiplies by its reciprocal.
    let most = Tensor::new(127.0f32, x.device())?;
    let rounded = steps.broadcast_mul(&largest.broadcast_div(&most)?)?;
    straight(x, rounded.reshape(x.shape())?.to_dtype(x.dtype())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{distance, random};
    use candle_core::{Device, Var};

    #[test]
    fn fused_equals_composed_to_the_bit() {
        let mut values = random(&[70, 24], 1).flatten_all().unwrap().to_vec1::<f32>().unwrap();
        values[24..48].fill(0.0);
        values[48..72].fill(1e-31);
        values[72..96].fill(-2e-30);
        let x = Tensor::from_vec(values, (70, 24), &Device::Cpu).unwrap();
        for width in [24, 8, 4] {
            let fused = round_rows(&x, width).unwrap();
            let composed = composed(&x, width).unwrap();
            assert_eq!(distance(&fused, &composed), 0.0);
            let fused = fused.to_vec2::<f32>().unwrap();
            assert!(fused[1..3].iter().flatten().all(|&x| x == 0.0) && fused[3][0] < 0.0);
        }
        let (whole, heads) = (round_rows(&x, 24).unwrap(), round_rows(&x, 8).unwrap());
        let (coarse, fine) = (distance(&x, &whole), distance(&x, &heads));
        assert!(fine > 0.0 && fine <= coarse && coarse < 0.02, "{fine} {coarse}");
    }

    #[test]
    fn gradients_pass_straight_through() {
        for dtype in [DType::F32, DType::F64] {
            let x = Var::from_tensor(&random(&[5, 6], 2).to_dtype(dtype).unwrap()).unwrap();
            let weights = random(&[5, 6], 3).to_dtype(dtype).unwrap();
            let y = (round_rows(&x, 3).unwrap() * &weights).unwrap().sum_all().unwrap();
            let gradient = y.backward().unwrap().remove(&x).unwrap();
            assert_eq!(distance(&gradient.to_dtype(DType::F32).unwrap(), &weights.to_dtype(DType::F32).unwrap()), 0.0);
        }
    }
}
