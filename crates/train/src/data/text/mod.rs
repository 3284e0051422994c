//! Text in whatever it comes: plain or JSON lines, compressed or not, Parquet; files, folders and patterns.

mod bad;
mod block;
mod inputs;
mod json;
mod lines;
mod parquet;

pub use bad::{BadLine, BadLines};
pub(super) use block::Block;
pub use inputs::{Compression, Format, Input, Inputs};
pub(super) use json::Field;

use crate::{Error, Result};
use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};

/// Why a file was not read to its end.
#[derive(Debug)]
pub(super) enum Stop {
    /// The file is damaged; the error says after how many lines or rows, all of which were given out.
    Damage(Error),
    /// It cannot be read at all, or has no such text: nothing that `--keep-going` should pass over.
    Unfit(Error),
    /// Nobody takes what is read any more.
    Closed,
}

/// Takes blocks of one file in turn: gives the full one away and brings an empty one. None: stop reading.
pub(super) type Exchange<'a> = dyn FnMut(Block) -> Option<Block> + 'a;

/// Reads a file into blocks, beginning with `block`; returns the last one, which may be empty. `read` counts the bytes
/// taken from the file, compressed or not.
pub(super) fn read(
    input: &Input,
    field: &Field,
    block: Block,
    read: &AtomicU64,
    exchange: &mut Exchange,
) -> Result<Block, Stop> {
    match input.format {
        Format::Parquet => parquet::read(input, field, block, read, exchange),
        Format::Plain | Format::JsonLines => lines::read(input, block, read, exchange),
    }
}

/// Counts the bytes that pass.
struct Counted<'a, R> {
    inner: R,
    read: &'a AtomicU64,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let bytes = self.inner.read(buffer)?;
        self.read.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(bytes)
    }
}
