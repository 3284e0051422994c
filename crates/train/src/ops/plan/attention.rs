//! Attention over packed sequences.

use super::launch;
use crate::ops::machine::{Arg, Kind, Launch, Machine, mask_arguments};
use crate::ops::{Mask, Sequences};
use candle_core::{Result, bail};

/// Rows of a tile.
const TILE: usize = 64;

/// Where sequences lie, on the machine.
#[derive(Debug)]
pub(crate) struct Places<B> {
    /// First row of each sequence, then the number of rows.
    pub(crate) starts: B,
    /// Sequence and first row of each tile of 64 rows.
    pub(crate) tiles: B,
    /// Sequence of each row.
    pub(crate) sequence_of: B,
}

impl<B> Places<B> {
    pub(crate) fn new<M: Machine<Buffer = B>>(machine: &M, sequences: &Sequences) -> Result<Self> {
        let (mut tiles, mut sequence_of) = (vec![], vec![]);
        for (i, length) in sequences.lengths().enumerate() {
            tiles.extend((0..length).step_by(TILE).flat_map(|first| [i as u32, first as u32]));
            sequence_of.extend(std::iter::repeat_n(i as u32, length));
        }
        let starts: Vec<u32> = sequences.starts().iter().map(|&s| s as u32).collect();
        Ok(Self {
            starts: machine.upload(&starts)?,
            tiles: machine.upload(&tiles)?,
            sequence_of: machine.upload(&sequence_of)?,
        })
    }
}

/// Everything but the tensors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape<'a> {
    pub(crate) sequences: &'a Sequences,
    pub(crate) heads: usize,
    /// Numbers of a head.
    pub(crate) d: usize,
    pub(crate) mask: Option<Mask>,
}

impl Shape<'_> {
    fn rows(&self) -> usize {
        self.sequences.rows()
    }

    fn h(&self) -> usize {
        self.heads * self.d
    }

    /// Whether the tensor-core kernels apply.
    fn tiled(&self, kind: Kind) -> bool {
        kind == Kind::Bf16 && (self.d == 64 || self.d == 32)
    }

    /// `products`: how many matrices of all pairs are multiplied.
    fn launch(&self, name: &str, kind: Kind, products: usize) -> Result<Launch> {
        let flops = products * 2 * self.sequences.pairs() * self.h();
        if self.tiled(kind) {
            let tiles = self.sequences.lengths().map(|n| n.div_ceil(TILE)).sum();
            return Ok(launch(format!("attention{name}_d{}", self.d), [tiles, self.heads], 128, flops));
        }
        if self.d > 256 {
            bail!("attention on a GPU takes heads of at most 256 numbers, not {}; train on the CPU", self.d)
        }
        let kernel = format!("attention_simple{name}_{}", kind.suffix());
        Ok(launch(kernel, [self.rows().div_ceil(4), self.heads], 128, flops))
    }

    fn tail<'a, B>(&self, places: &'a Places<B>, kind: Kind) -> Vec<Arg<'a, B>> {
        let mut arguments = vec![Arg::In(&places.starts)];
        if self.tiled(kind) {
            arguments.extend([Arg::In(&places.tiles), Arg::U32(self.rows() as u32)]);
        } else {
            arguments.extend([Arg::In(&places.sequence_of), Arg::U32(self.rows() as u32), Arg::U32(self.d as u32)]);
        }
        arguments.push(Arg::F32(1.0 / (self.d as f32).sqrt()));
        arguments.extend(mask_arguments(self.mask.as_ref()));
        arguments
    }
}

/// The result `[rows, h]`, and the logarithms of the sums of exponentials `[heads, rows]` (`f32`, base 2).
pub(crate) fn attention<M: Machine>(
    machine: &M,
    kind: Kind,
    qkv: &M::Buffer,
    places: &Places<M::Buffer>,
    shape: Shape<'_>,
) -> Result<(M::Buffer, M::Buffer)> {
    let rows = shape.rows();
    let (out, sums) = (machine.uninit(kind, rows * shape.h())?, machine.uninit(Kind::F32, rows * shape.heads)?);
    let mut arguments = vec![Arg::In(qkv), Arg::Out(&out), Arg::Out(&sums)];
    arguments.extend(shape.tail(places, kind));
    machine.launch(&shape.launch("", kind, 2)?, &arguments)?;
    Ok((out, sums))
}

/// What the backward pass takes besides `qkv`.
#[derive(Debug)]
pub(crate) struct Saved<'a, B> {
    /// The result.
    pub(crate) out: &'a B,
    /// The logarithms.
    pub(crate) sums: &'a B,
}

/// The gradient of `qkv`.
pub(crate) fn attention_backward<M: Machine>(
    machine: &M,
    kind: Kind,
    qkv: &M::Buffer,
    saved: &Saved<'_, M::Buffer>,
    grad: &M::Buffer,
    places: &Places<M::Buffer>,
    shape: Shape<'_>,
) -> Result<M::Buffer> {
    let (rows, h) = (shape.rows(), shape.h());
    let (delta, dqkv) = (machine.uninit(Kind::F32, rows * shape.heads)?, machine.uninit(kind, rows * 3 * h)?);
    machine.launch(
        &launch(format!("attention_delta_{}", kind.suffix()), [rows.div_ceil(4), shape.heads], 128, 2 * rows * h),
        &[Arg::In(saved.out), Arg::In(grad), Arg::Out(&delta), Arg::U32(rows as u32), Arg::U32(shape.d as u32)],
    )?;
    // Each kernel writes its part of the gradient: scores, their gradient and a product each, two for keys and values.
    for (name, products, parts) in [("_keys", 4, 2), ("_queries", 3, 1)] {
        let written = (parts * rows * h * kind.size()) as u64;
        let mut arguments =
            vec![Arg::In(qkv), Arg::In(grad), Arg::In(saved.sums), Arg::In(&delta), Arg::Part(&dqkv, 0, written)];
        arguments.extend(shape.tail(places, kind));
        machine.launch(&shape.launch(name, kind, products)?, &arguments)?;
    }
    Ok(dqkv)
}
