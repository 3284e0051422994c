//! The last steps of a matrix product: bias, epilogue, and the part of a group of 16 channels that
//! was asked for.

use core::ops::Range;

use super::simd::load_part;
use super::{Simd, functions};
use crate::LANES;
use crate::matrix::{Epilogue, Vector};
use crate::operations::Output;

/// A group of 16 channels and the ones among them that are stored.
#[derive(Clone, Copy)]
pub(super) struct Group<S: Simd> {
    /// How many channels to store.
    len: usize,
    /// Lane of the first of them.
    lane: usize,
    /// Where the first of them lies in an output row.
    offset: usize,
    bias: S::F32,
    epilogue: Epilogue,
}

impl<S: Simd> Group<S> {
    /// The group whose lane 0 is channel `first`, as far as `output` wants it: at least one
    /// channel.
    #[inline(always)]
    pub(super) fn new(s: S, output: &Output<'_>, first: usize) -> Self {
        let channels = wanted(output, first);
        let lane = channels.start - first;
        let bias = match output.bias {
            None => [0.0; LANES],
            Some(Vector::F32(values)) => part(&values[channels.clone()], lane),
            Some(Vector::F16(values)) => halves(part(&values[channels.clone()], lane)),
        };
        Group {
            lane,
            offset: channels.start - output.channels.start,
            len: channels.len(),
            bias: s.load(&bias),
            epilogue: output.epilogue,
        }
    }

    /// Where the group lies in an output row, if all of its channels are wanted.
    #[inline(always)]
    pub(super) fn whole(&self) -> Option<usize> {
        (self.len == LANES).then_some(self.offset)
    }

    /// The bias of each channel.
    #[inline(always)]
    pub(super) fn bias(&self) -> S::F32 {
        self.bias
    }

    /// Adds the bias, applies the epilogue and stores into the output row.
    #[inline(always)]
    pub(super) fn finish(&self, s: S, value: S::F32, row: &mut [f32]) {
        let mut value = s.add(value, self.bias);
        match self.epilogue {
            Epilogue::Store | Epilogue::Add => {}
            Epilogue::Gelu => value = functions::gelu(s, value),
            Epilogue::Relu => value = s.max(s.splat(0.0), value),
        }
        let out = &mut row[self.offset..][..self.len];
        if let Ok(out) = <&mut [f32; LANES]>::try_from(&mut *out) {
            if self.epilogue == Epilogue::Add {
                value = s.add(s.load(out), value);
            }
            s.store(value, out);
            return;
        }
        let mut lanes = [0.0; LANES];
        s.store(value, &mut lanes);
        let lanes = &lanes[self.lane..][..out.len()];
        if self.epilogue == Epilogue::Add {
            out.iter_mut().zip(lanes).for_each(|(out, &value)| *out += value);
        } else {
            out.copy_from_slice(lanes);
        }
    }
}

/// Up to 16 values from lane `lane` on; the other lanes are zero.
#[inline(always)]
pub(super) fn part<T: Copy + Default>(values: &[T], lane: usize) -> [T; LANES] {
    match values.try_into() {
        Ok(values) => values,
        Err(_) => {
            let mut lanes = [T::default(); LANES];
            lanes[lane..][..values.len()].copy_from_slice(values);
            lanes
        }
    }
}

/// 16 halves, given as bits: `f16_to_f32` of each, without its branches.
#[inline(always)]
fn halves(bits: [u16; LANES]) -> [f32; LANES] {
    let mut floats = [0.0; LANES];
    for (float, bits) in floats.iter_mut().zip(bits) {
        let bits = i32::from(bits);
        let magnitude = bits & 0x7fff;
        let denormal = (magnitude as f32 * (1.0 / 16_777_216.0)).to_bits() as i32;
        let large = if magnitude < 0x7c00 { 112 << 23 } else { 224 << 23 };
        let value = if magnitude < 0x0400 { denormal } else { (magnitude << 13).wrapping_add(large) };
        *float = f32::from_bits((value | (bits & 0x8000) << 16) as u32);
    }
    floats
}

/// The channels that `output` wants of the group whose first is `first`.
#[inline(always)]
pub(super) fn wanted(output: &Output<'_>, first: usize) -> Range<usize> {
    first.max(output.channels.start)..(first + LANES).min(output.channels.end)
}

/// Stores the first lanes of a value, as many as `out` has elements (at most 16).
#[inline(always)]
pub(super) fn store_first<S: Simd>(s: S, value: S::F32, out: &mut [f32]) {
    match <&mut [f32; LANES]>::try_from(&mut *out) {
        Ok(out) => s.store(value, out),
        Err(_) => super::simd::store_part(s, value, out),
    }
}

/// 16 floats from the start of `from`, or what there is of them.
#[inline(always)]
pub(super) fn load_first<S: Simd>(s: S, from: &[f32]) -> S::F32 {
    match from.first_chunk::<LANES>() {
        Some(from) => s.load(from),
        None => load_part(s, from, 0.0),
    }
}
