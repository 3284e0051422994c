//! Sums over TCP, in rank order.
//!
//! Ranks form a chain. Numbers go up it in chunks, each rank adding its own to what comes from below: rank 0 + rank 1 + ...,
//! in that order for every number, however it is packed. The last rank has the sum and sends it down again. All links work
//! at once and in both directions, so it takes about the time that one link needs for the data once each way, and no rank
//! holds more than two chunks besides its own numbers. (A ring moves 2 (n-1)/n times the data out of each machine, the
//! chain twice and for two ranks once; a ring adds each piece in an order of its own.)

use super::wire::wrong;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc;

/// Bytes in a chunk: large enough that system calls do not count, small enough that all links are soon busy.
const CHUNK: usize = 1 << 18;

/// The operations, so that ranks that have gone apart find out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// Sum of `f32`.
    Floats,
    /// Sum of `f64`.
    Doubles,
    /// Rank 0's bytes for all.
    Broadcast,
}

/// A number that can be summed over the chain.
pub(super) trait Number: Copy + Send {
    const OPERATION: Operation;
    const SIZE: usize;
    fn get(bytes: &[u8]) -> Self;
    fn put(self, bytes: &mut [u8]);
    fn plus(self, other: Self) -> Self;
}

macro_rules! number {
    ($type:ty, $operation:ident) => {
        impl Number for $type {
            const OPERATION: Operation = Operation::$operation;
            const SIZE: usize = size_of::<$type>();
            fn get(bytes: &[u8]) -> Self {
                Self::from_le_bytes(bytes.try_into().expect("exact chunks"))
            }
            fn put(self, bytes: &mut [u8]) {
                bytes.copy_from_slice(&self.to_le_bytes());
            }
            fn plus(self, other: Self) -> Self {
                self + other
            }
        }
    };
}

number!(f32, Floats);
number!(f64, Doubles);

/// A rank's connections to its neighbours.
#[derive(Debug)]
pub(super) struct Chain {
    /// To rank - 1; none at rank 0.
    pub(super) below: Option<TcpStream>,
    /// To rank + 1; none at the last rank.
    pub(super) above: Option<TcpStream>,
    /// Operations so far.
    pub(super) sequence: u64,
}

impl Chain {
    /// Replaces `data` by its sum over all ranks.
    pub(super) fn sum<T: Number>(&mut self, data: &mut [T]) -> io::Result<()> {
        self.meet(T::OPERATION, data.len() as u64)?;
        let (below, above) = (self.below.as_ref(), self.above.as_ref());
        let result = match above {
            None => sum_at_the_top(below, data),
            Some(above) => sum_between(below, above, data),
        };
        if result.is_err() {
            self.shutdown();
        }
        result
    }

    /// Rank 0's bytes.
    pub(super) fn broadcast(&mut self, bytes: Vec<u8>) -> io::Result<Vec<u8>> {
        let length = self.meet(Operation::Broadcast, bytes.len() as u64)?;
        let Some(mut below) = self.below.as_ref() else {
            if let Some(mut above) = self.above.as_ref() {
                above.write_all(&bytes)?;
            }
            return Ok(bytes);
        };
        let mut received = Vec::new();
        let mut left = length;
        while left > 0 {
            let start = received.len();
            received.resize(start + left.min(CHUNK as u64) as usize, 0);
            below.read_exact(&mut received[start..])?;
            if let Some(mut above) = self.above.as_ref() {
                above.write_all(&received[start..])?;
            }
            left -= (received.len() - start) as u64;
        }
        Ok(received)
    }

    /// Ends both connections, whoever is waiting on them.
    pub(super) fn shutdown(&self) {
        for link in [&self.below, &self.above].into_iter().flatten() {
            // It may be closed already.
            let _ = link.shutdown(Shutdown::Both);
        }
    }

    /// Announces an operation upwards and checks that the rank below announced the same; returns the length, for
    /// broadcasts that of rank 0.
    fn meet(&mut self, operation: Operation, mut length: u64) -> io::Result<u64> {
        self.sequence += 1;
        if let Some(mut below) = self.below.as_ref() {
            let mut header = [0; 17];
            below.read_exact(&mut header)?;
            let word = |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().expect("8 bytes"));
            let (theirs, sequence, their_length) = (header[0], word(1), word(9));
            if operation == Operation::Broadcast {
                length = their_length;
            }
            if (theirs, sequence, their_length) != (operation as u8, self.sequence, length) {
                return Err(wrong(format!(
                    "the ranks have gone apart: operation {} here is {operation:?} of {length}, \
                     the rank below is at operation {sequence}, {theirs} of {their_length}",
                    self.sequence
                )));
            }
        }
        if let Some(mut above) = self.above.as_ref() {
            let mut header = [0; 17];
            header[0] = operation as u8;
            header[1..9].copy_from_slice(&self.sequence.to_le_bytes());
            header[9..].copy_from_slice(&length.to_le_bytes());
            above.write_all(&header)?;
        }
        Ok(length)
    }
}

/// The last rank: what comes from below plus its own is the sum.
fn sum_at_the_top<T: Number>(below: Option<&TcpStream>, data: &mut [T]) -> io::Result<()> {
    let Some(mut below) = below else {
        return Ok(());
    };
    let mut bytes = vec![0; CHUNK];
    for chunk in data.chunks_mut(CHUNK / T::SIZE) {
        let bytes = &mut bytes[..chunk.len() * T::SIZE];
        below.read_exact(bytes)?;
        for (number, bytes) in chunk.iter_mut().zip(bytes.chunks_exact_mut(T::SIZE)) {
            *number = T::get(bytes).plus(*number);
            number.put(bytes);
        }
        below.write_all(bytes)?;
    }
    Ok(())
}

/// Any other rank: one thread carries numbers up, this one brings sums down. A chunk is overwritten by its sum only after it
/// has gone up: it passes from one thread to the other.
fn sum_between<T: Number>(below: Option<&TcpStream>, above: &TcpStream, data: &mut [T]) -> io::Result<()> {
    let (done, sums) = mpsc::channel::<&mut [T]>();
    std::thread::scope(|scope| {
        let up = scope.spawn(move || {
            let mut bytes = vec![0; CHUNK];
            let (mut below, mut above) = (below, above);
            for chunk in data.chunks_mut(CHUNK / T::SIZE) {
                let bytes = &mut bytes[..chunk.len() * T::SIZE];
                if let Some(below) = &mut below {
                    below.read_exact(bytes)?;
                    for (number, bytes) in chunk.iter().zip(bytes.chunks_exact_mut(T::SIZE)) {
                        T::get(bytes).plus(*number).put(bytes);
                    }
                } else {
                    for (number, bytes) in chunk.iter().zip(bytes.chunks_exact_mut(T::SIZE)) {
                        number.put(bytes);
                    }
                }
                above.write_all(bytes)?;
                // The other side is gone only after an error of its own, which is the one to report.
                if done.send(chunk).is_err() {
                    break;
                }
            }
            Ok(())
        });
        let down = || -> io::Result<()> {
            let mut bytes = vec![0; CHUNK];
            let (mut below, mut above) = (below, above);
            for chunk in sums {
                let bytes = &mut bytes[..chunk.len() * T::SIZE];
                above.read_exact(bytes)?;
                for (number, bytes) in chunk.iter_mut().zip(bytes.chunks_exact(T::SIZE)) {
                    *number = T::get(bytes);
                }
                if let Some(below) = &mut below {
                    below.write_all(bytes)?;
                }
            }
            Ok(())
        };
        let down = down();
        if down.is_err() {
            // The other thread may be waiting for a neighbour that waits for us.
            let _ = above.shutdown(Shutdown::Both);
            let _ = below.map(|below| below.shutdown(Shutdown::Both));
        }
        let up = up.join().unwrap_or_else(|_| Err(io::Error::other("the sending thread panicked")));
        down.and(up)
    })
}
