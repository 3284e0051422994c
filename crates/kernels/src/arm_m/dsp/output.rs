//! From the exact sums of the int8 product to stored outputs, four of them side by side: one float
//! operation needs the result of the one before, so four chains keep the float unit busy.

use crate::native::panel::CHANNELS;
use crate::native::product::{Quad, Quads};
use crate::matrix::Epilogue;
use crate::operations::Int8Product;
use crate::scalar::{self, max};

/// Makes outputs of the sums of the rows from `row` on.
pub(super) fn finish(p: &Int8Product<'_>, quad: &Quad, row: usize, sums: &Quads, out: &mut [f32]) {
    let stride = p.output.stride;
    let rows = p.scales[row..].iter().zip(sums);
    for ((row, sums), out) in rows.zip(out[row * stride..].chunks_mut(stride)) {
        let mut values = [0.0; CHANNELS];
        for (i, value) in values.iter_mut().enumerate() {
            *value = sums[i] as f32 * (row.scale * quad.scales[i]) + quad.bias[i];
        }
        match p.output.epilogue {
            Epilogue::Store | Epilogue::Add => {}
            Epilogue::Gelu => values = values.map(scalar::gelu),
            Epilogue::Relu => values = values.map(|value| max(0.0, value)),
        }
        let out = &mut out[quad.column..][..quad.lanes.len()];
        for (out, &value) in out.iter_mut().zip(&values[quad.lanes.clone()]) {
            *out = if p.output.epilogue == Epilogue::Add { *out + value } else { value };
        }
    }
}

/// GELU of each value.
pub(super) fn gelu(x: &mut [f32]) {
    let (quads, rest) = x.as_chunks_mut::<CHANNELS>();
    quads.iter_mut().for_each(|quad| *quad = quad.map(scalar::gelu));
    rest.iter_mut().for_each(|x| *x = scalar::gelu(*x));
}
