//! A machine that runs nothing and counts what would run.

use super::{Arg, Kind, Launch, Machine, Product};
use candle_core::Result;
use std::cell::Cell;

/// Launches, bytes read and written, floating-point operations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) launches: u64,
    pub(crate) bytes: u64,
    pub(crate) flops: u64,
}

/// Counts what plans ask for.
#[derive(Debug, Default)]
pub(crate) struct Counting(Cell<Counted>);

impl Counting {
    /// A buffer that stands for an operand.
    pub(crate) fn operand(&self, kind: Kind, len: usize) -> u64 {
        (kind.size() * len) as u64
    }

    pub(crate) fn counted(&self) -> Counted {
        self.0.get()
    }

    pub(crate) fn count(&self, launches: u64, bytes: u64, flops: u64) {
        let mut sum = self.0.get();
        sum.launches += launches;
        sum.bytes += bytes;
        sum.flops += flops;
        self.0.set(sum);
    }
}

impl Machine for Counting {
    /// Bytes.
    type Buffer = u64;

    fn uninit(&self, kind: Kind, len: usize) -> Result<u64> {
        Ok(self.operand(kind, len))
    }

    fn zeros(&self, kind: Kind, len: usize) -> Result<u64> {
        let bytes = self.operand(kind, len);
        self.count(1, bytes, 0);
        Ok(bytes)
    }

    /// Copies from the host are not kernels.
    fn upload(&self, values: &[u32]) -> Result<u64> {
        Ok(self.operand(Kind::U32, values.len()))
    }

    fn launch(&self, launch: &Launch, arguments: &[Arg<'_, u64>]) -> Result<()> {
        let bytes = arguments.iter().map(|argument| match argument {
            Arg::In(bytes) | Arg::Out(bytes) => **bytes,
            Arg::Both(bytes) => 2 * **bytes,
            Arg::Part(_, _, bytes) => *bytes,
            Arg::Null | Arg::U32(_) | Arg::U64(_) | Arg::F32(_) => 0,
        });
        self.count(1, bytes.sum(), launch.flops);
        Ok(())
    }

    fn product(&self, p: &Product<'_, u64>) -> Result<()> {
        let size = p.kind.size();
        let out = p.m * p.n * p.out_kind.size() * if p.add { 2 } else { 1 };
        self.count(1, ((p.m * p.k + p.k * p.n) * size + out) as u64, 2 * (p.m * p.n * p.k) as u64);
        Ok(())
    }
}
