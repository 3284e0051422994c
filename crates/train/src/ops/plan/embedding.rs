//! Embeddings: look-ups, their sum, LayerNorm and dropout; and the gradients of the tables.

use super::columns::{column_sums, sum_partials};
use super::launch;
use super::norm::Shape;
use crate::ops::Mask;
use crate::ops::machine::{Arg, Kind, Machine, mask_arguments};
use candle_core::Result;

/// What is looked up.
#[derive(Debug)]
pub(crate) struct Tables<'a, B> {
    /// `[vocabulary, h]`, `f32`.
    pub(crate) words: &'a B,
    /// `[positions, h]`, `f32`.
    pub(crate) positions: &'a B,
    /// `[types, h]`, `f32`: the first row is added everywhere.
    pub(crate) types: Option<&'a B>,
    /// Word and position of each row.
    pub(crate) ids: &'a B,
    pub(crate) places: &'a B,
}

impl<B> Tables<'_, B> {
    fn arguments(&self, shape: Shape) -> Vec<Arg<'_, B>> {
        // A row of each table for each row of the result; positions repeat and stay in cache.
        let read = (4 * shape.n * shape.h) as u64;
        vec![
            Arg::Part(self.words, 0, read),
            Arg::Part(self.positions, 0, read),
            self.types.map_or(Arg::Null, |types| Arg::Part(types, 0, 4 * shape.h as u64)),
            Arg::In(self.ids),
            Arg::In(self.places),
        ]
    }
}

/// `dropout(LayerNorm(word + position + type))`.
pub(crate) fn embedding_norm<M: Machine>(
    machine: &M,
    kind: Kind,
    tables: &Tables<'_, M::Buffer>,
    (gamma, beta): (&M::Buffer, &M::Buffer),
    shape: Shape,
    mask: Option<&Mask>,
) -> Result<M::Buffer> {
    let out = machine.uninit(kind, shape.n * shape.h)?;
    let mut arguments = tables.arguments(shape);
    arguments.extend([Arg::In(gamma), Arg::In(beta), Arg::Out(&out)]);
    arguments.extend(shape.arguments());
    arguments.extend(mask_arguments(mask));
    machine.launch(&shape.forward("embedding_norm", kind)?, &arguments)?;
    Ok(out)
}

/// Gradients of the sum of the embeddings `[n, h]` and of gamma and beta `[2, h]`, both `f32`.
pub(crate) fn embedding_norm_backward<M: Machine>(
    machine: &M,
    kind: Kind,
    tables: &Tables<'_, M::Buffer>,
    gamma: &M::Buffer,
    grad: &M::Buffer,
    shape: Shape,
    mask: Option<&Mask>,
) -> Result<(M::Buffer, M::Buffer)> {
    let (launch, parts) = shape.backward("embedding_norm_backward", kind)?;
    let dz = machine.uninit(Kind::F32, shape.n * shape.h)?;
    let partial = machine.uninit(Kind::F32, parts * 2 * shape.h)?;
    let mut arguments = tables.arguments(shape);
    arguments.extend([Arg::In(gamma), Arg::In(grad), Arg::Out(&dz), Arg::Out(&partial)]);
    arguments.extend(shape.arguments());
    arguments.extend(mask_arguments(mask));
    machine.launch(&launch, &arguments)?;
    let parameters = machine.uninit(Kind::F32, 2 * shape.h)?;
    sum_partials(machine, &partial, &parameters, (parts, 2 * shape.h), false)?;
    Ok((dz, parameters))
}

/// Rows sorted by the table entry they looked up, long lists cut into runs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Lookups {
    /// Rows, by entry.
    order: Vec<u32>,
    /// Where runs begin in `order`, then its length.
    bounds: Vec<u32>,
    /// Entries that occur.
    entries: Vec<u32>,
    /// First run of each entry, then their number.
    firsts: Vec<u32>,
}

/// Rows of a run: enough to keep a block busy, few enough that frequent words are shared out.
const RUN: usize = 32;

impl Lookups {
    pub(crate) fn new(indices: &[u32]) -> Self {
        let mut order: Vec<u32> = (0..indices.len() as u32).collect();
        order.sort_by_key(|&row| indices[row as usize]);
        let (mut bounds, mut entries, mut firsts) = (vec![0], vec![], vec![]);
        let mut start = 0;
        for rows in order.chunk_by(|&a, &b| indices[a as usize] == indices[b as usize]) {
            entries.push(indices[rows[0] as usize]);
            firsts.push(bounds.len() as u32 - 1);
            bounds.extend(rows.chunks(RUN).scan(start, |end, run| {
                *end += run.len() as u32;
                Some(*end)
            }));
            start += rows.len() as u32;
        }
        firsts.push(bounds.len() as u32 - 1);
        Self { order, bounds, entries, firsts }
    }
}

/// Gradient `[entries, h]` (`f32`) of a table, given the gradient `dz [n, h]` of the rows looked up.
pub(crate) fn table_gradient<M: Machine>(
    machine: &M,
    dz: &M::Buffer,
    lookups: &Lookups,
    entries: usize,
    h: usize,
) -> Result<M::Buffer> {
    let table = machine.zeros(Kind::F32, entries * h)?;
    let runs = lookups.bounds.len() - 1;
    if runs == 0 {
        return Ok(table);
    }
    let [order, bounds, used, firsts] =
        [&lookups.order, &lookups.bounds, &lookups.entries, &lookups.firsts].map(|values| machine.upload(values));
    let partial = machine.uninit(Kind::F32, runs * h)?;
    let threads = h.next_multiple_of(32).min(256);
    machine.launch(
        &launch("embedding_runs", [runs, 1], threads, lookups.order.len() * h),
        &[Arg::In(dz), Arg::In(&order?), Arg::In(&bounds?), Arg::Out(&partial), Arg::U32(h as u32)],
    )?;
    let written = (4 * lookups.entries.len() * h) as u64;
    machine.launch(
        &launch("embedding_entries", [lookups.entries.len(), 1], threads, runs * h),
        &[Arg::In(&partial), Arg::In(&used?), Arg::In(&firsts?), Arg::Part(&table, 0, written), Arg::U32(h as u32)],
    )?;
    Ok(table)
}

/// Gradient `[types, h]` of the token types, of which only the first occurs.
pub(crate) fn type_gradient<M: Machine>(
    machine: &M,
    dz: &M::Buffer,
    types: usize,
    (n, h): (usize, usize),
) -> Result<M::Buffer> {
    let table = machine.zeros(Kind::F32, types * h)?;
    column_sums(machine, Kind::F32, dz, &table, (n, h, h), false)?;
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lookups_keep_the_order_of_rows() {
        let indices: Vec<u32> = (0..100).map(|i| if i % 3 == 0 { 7 } else { i % 5 }).collect();
        let lookups = Lookups::new(&indices);
        assert_eq!(lookups.entries, [0, 1, 2, 3, 4, 7]);
        // 34 rows of entry 7 take two runs.
        assert_eq!(lookups.firsts, [0, 1, 2, 3, 4, 5, 7]);
        let last = &lookups.order[lookups.bounds[5] as usize..];
        assert!(last.windows(2).all(|w| w[0] < w[1]) && last.len() == 34);
        assert_eq!(lookups.bounds.last(), Some(&100));
    }
}
