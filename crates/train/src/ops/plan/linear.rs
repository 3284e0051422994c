//! Affine maps of rows: products by cuBLAS, biases by own kernels.

use super::columns::{add_bias, column_sums};
use crate::ops::machine::{Kind, Machine, Matrix, Product};
use candle_core::Result;

/// Rows, inputs and outputs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) n: usize,
    pub(crate) k: usize,
    pub(crate) m: usize,
}

/// `x [n, k] W^T + bias`; `weight [m, k]` has the type of `x`.
pub(crate) fn linear<M: Machine>(
    machine: &M,
    kind: Kind,
    x: &M::Buffer,
    weight: &M::Buffer,
    bias: Option<&M::Buffer>,
    shape: Shape,
) -> Result<M::Buffer> {
    let Shape { n, k, m } = shape;
    let out = machine.uninit(kind, n * m)?;
    machine.product(&Product {
        a: Matrix::new(x, k),
        b: Matrix::new(weight, k).t(),
        out: Matrix::new(&out, m),
        m: n,
        n: m,
        k,
        add: false,
        kind,
        out_kind: kind,
    })?;
    if let Some(bias) = bias {
        add_bias(machine, kind, &out, bias, (n, m))?;
    }
    Ok(out)
}

/// The gradient of `x`.
pub(crate) fn input_gradient<M: Machine>(
    machine: &M,
    kind: Kind,
    grad: &M::Buffer,
    weight: &M::Buffer,
    shape: Shape,
) -> Result<M::Buffer> {
    let Shape { n, k, m } = shape;
    let dx = machine.uninit(kind, n * k)?;
    machine.product(&Product {
        a: Matrix::new(grad, m),
        b: Matrix::new(weight, k),
        out: Matrix::new(&dx, k),
        m: n,
        n: k,
        k: m,
        add: false,
        kind,
        out_kind: kind,
    })?;
    Ok(dx)
}

/// The gradient of the weights, `f32`.
pub(crate) fn weight_gradient<M: Machine>(
    machine: &M,
    kind: Kind,
    grad: &M::Buffer,
    x: &M::Buffer,
    shape: Shape,
) -> Result<M::Buffer> {
    let Shape { n, k, m } = shape;
    let dw = machine.uninit(Kind::F32, m * k)?;
    machine.product(&Product {
        a: Matrix::new(grad, m).t(),
        b: Matrix::new(x, k),
        out: Matrix::new(&dw, k),
        m,
        n: k,
        k: n,
        add: false,
        kind,
        out_kind: Kind::F32,
    })?;
    Ok(dw)
}

/// The gradient of the bias, `f32`.
pub(crate) fn bias_gradient<M: Machine>(machine: &M, kind: Kind, grad: &M::Buffer, shape: Shape) -> Result<M::Buffer> {
    let out = machine.uninit(Kind::F32, shape.m)?;
    column_sums(machine, kind, grad, &out, (shape.n, shape.m, shape.m), false)?;
    Ok(out)
}
