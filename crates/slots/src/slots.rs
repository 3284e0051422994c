//! What the slots hold.

use distil_format::Xxh32;

use crate::layout::{Flash, Layout};
use crate::record::{self, RECORD_LEN};

/// Bytes that are read at a time, on the stack.
pub(crate) const CHUNK: usize = 256;
/// Places for records that are looked at; a sector may have more.
const PLACES: u32 = 64;

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// The one that is written first.
    First,
    /// The other one.
    Second,
}

impl Slot {
    /// The other one.
    pub const fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }

    const fn number(self) -> usize {
        match self {
            Self::First => 0,
            Self::Second => 1,
        }
    }
}

/// A model that was written to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it is.
    pub slot: Slot,
    /// Each update's is one more than the newest model's, modulo 2^32.
    pub counter: u32,
    /// Bytes of the model.
    pub len: u32,
    /// XXH32 (seed 0) of all its bytes.
    pub checksum: u32,
}

impl Entry {
    /// Whether this one was written after another: serial numbers, as in RFC 1982, so that the counter may wrap around.
    const fn is_newer(self, other: Self) -> bool {
        self.counter.wrapping_sub(other.counter).cast_signed() > 0
    }
}

/// The two slots of a layout.
#[derive(Clone, Copy, Debug)]
pub struct Slots {
    pub(crate) layout: Layout,
}

impl Slots {
    /// The slots of a layout.
    pub const fn new(layout: Layout) -> Self {
        Self { layout }
    }

    /// Most bytes of a model.
    pub const fn room(&self) -> u32 {
        self.layout.len - self.layout.sector
    }

    /// Where the model in a slot starts; aligned as sectors are.
    pub const fn model_at(&self, slot: Slot) -> u32 {
        self.start(slot) + self.layout.sector
    }

    pub(crate) const fn start(&self, slot: Slot) -> u32 {
        self.layout.starts[slot.number()]
    }

    /// The slots with whole models, the newest first. Device programs try them in this order: what is open to doubt, as after years in
    /// flash, is the model itself, which has its own checksum.
    ///
    /// A slot that cannot be read counts as empty.
    pub fn entries<F: Flash>(&self, flash: &mut F) -> [Option<Entry>; 2] {
        let [first, second] = [Slot::First, Slot::Second].map(|slot| self.entry(flash, slot));
        match (first, second) {
            (Some(a), Some(b)) if b.is_newer(a) => [second, first],
            (None, _) => [second, None],
            _ => [first, second],
        }
    }

    fn entry<F: Flash>(&self, flash: &mut F, slot: Slot) -> Option<Entry> {
        self.places(slot).find_map(|address| {
            let mut bytes = [0; RECORD_LEN];
            flash.read(address, &mut bytes).ok()?;
            record::read(slot, &bytes, self.room())
        })
    }

    /// Addresses of the places for records.
    pub(crate) fn places(&self, slot: Slot) -> impl Iterator<Item = u32> + use<> {
        let (start, len) = (self.start(slot), RECORD_LEN as u32);
        (0..(self.layout.sector / len).min(PLACES)).map(move |place| start + place * len)
    }

    /// Whether the model of an entry is the one that was written, by a pass over its bytes.
    ///
    /// # Errors
    /// If flash cannot be read.
    pub fn verify<F: Flash>(&self, flash: &mut F, entry: &Entry) -> Result<bool, F::Error> {
        let mut state = Xxh32::new(0);
        let mut bytes = [0; CHUNK];
        let (mut address, end) = (self.model_at(entry.slot), self.model_at(entry.slot) + entry.len.min(self.room()));
        while address < end {
            let len = (end - address).min(CHUNK as u32);
            let part = &mut bytes[..len as usize];
            flash.read(address, part)?;
            state.update(part);
            address += len;
        }
        Ok(state.finish() == entry.checksum)
    }
}

#[cfg(test)]
mod tests {
    use super::{Entry, Slot};

    #[test]
    fn counters_wrap_around() {
        let with = |counter| Entry { slot: Slot::First, counter, len: 1, checksum: 0 };
        for (new, old) in [(1, 0), (0, u32::MAX), (5, u32::MAX - 5), (0x8000_0000, 0x7FFF_FFFF)] {
            assert!(with(new).is_newer(with(old)) && !with(old).is_newer(with(new)), "{new} after {old}");
        }
        assert!(!with(3).is_newer(with(3)));
    }
}
