//! Writing a model to the slot that is not in use.

use core::fmt;

use distil_format::Xxh32;

use crate::layout::Flash;
use crate::record::{RECORD_LEN, record};
use crate::slots::{Entry, Slot, Slots};

/// A model on its way into a slot. Given up at any point, or cut off with the power, it leaves the other slot as it was.
#[derive(Clone, Copy, Debug)]
pub struct Update {
    slots: Slots,
    slot: Slot,
    counter: u32,
    len: u32,
    /// Bytes of the slot that are erased, its records first.
    erased: u32,
    /// Bytes of the model that are in flash.
    written: u32,
    state: Xxh32,
    /// The start of a unit that is not whole yet.
    pending: [u8; RECORD_LEN],
    pending_len: usize,
}

impl Slots {
    /// Starts an update with a model of `len` bytes. `running` is the slot of the model in use, which must not be touched; without it,
    /// that is the newest.
    ///
    /// If the model in use was committed just when the power was cut, its record may read well today and not tomorrow. So
    /// before the other slot is given up, the record is written once more, next to the old one.
    ///
    /// # Errors
    /// [`UpdateError::Length`], or [`UpdateError::Flash`] if that record cannot be written.
    pub fn begin<F: Flash>(
        &self,
        flash: &mut F,
        running: Option<Slot>,
        len: u32,
    ) -> Result<Update, UpdateError<F::Error>> {
        if len == 0 || len > self.room() {
            return Err(UpdateError::Length { len, most: self.room() });
        }
        let entries = self.entries(flash);
        let kept = running.or(entries[0].map(|newest| newest.slot));
        let slot = kept.map_or(Slot::First, Slot::other);
        if let Some(entry) = entries.into_iter().flatten().find(|entry| Some(entry.slot) == kept) {
            self.renew(flash, &entry)?;
        }
        let counter = entries[0].map_or(1, |newest| newest.counter.wrapping_add(1));
        let (state, pending) = (Xxh32::new(0), [0; RECORD_LEN]);
        Ok(Update { slots: *self, slot, counter, len, erased: 0, written: 0, state, pending, pending_len: 0 })
    }

    /// Writes an entry's record to the next place that is free. Without one, there have been so many that some of them are sound.
    fn renew<F: Flash>(&self, flash: &mut F, entry: &Entry) -> Result<(), UpdateError<F::Error>> {
        let wanted = record(entry.counter, entry.len, entry.checksum);
        for address in self.places(entry.slot) {
            let mut found = [0; RECORD_LEN];
            let blank = flash.read(address, &mut found).is_ok() && found == [0xFF; RECORD_LEN];
            if blank {
                flash.program(address, &wanted).map_err(UpdateError::Flash)?;
                flash.read(address, &mut found).map_err(UpdateError::Flash)?;
                if found == wanted {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

impl Update {
    /// Where the model goes.
    pub const fn slot(&self) -> Slot {
        self.slot
    }

    /// Erases the next sector; whether that was the last one. The first is that of the records, so that the slot stops counting
    /// before anything in it changes.
    ///
    /// # Errors
    /// [`UpdateError::Flash`].
    pub fn erase<F: Flash>(&mut self, flash: &mut F) -> Result<bool, UpdateError<F::Error>> {
        let needed = self.slots.layout.sector.saturating_add(self.len);
        if self.erased < needed {
            flash.erase(self.slots.start(self.slot) + self.erased).map_err(UpdateError::Flash)?;
            self.erased += self.slots.layout.sector;
        }
        Ok(self.erased >= needed)
    }

    /// Writes the next bytes of the model, in pieces of any length; erases first what was not erased yet.
    ///
    /// # Errors
    /// [`UpdateError::Flash`], or [`UpdateError::Length`] if they are more than was said.
    pub fn write<F: Flash>(&mut self, flash: &mut F, mut bytes: &[u8]) -> Result<(), UpdateError<F::Error>> {
        while !self.erase(flash)? {}
        let left = self.len - self.written - self.pending_len as u32;
        if bytes.len() > left as usize {
            return Err(UpdateError::Length { len: self.len - left + bytes.len() as u32, most: self.len });
        }
        self.state.update(bytes);
        let unit = self.slots.layout.unit as usize;
        if self.pending_len > 0 {
            let (first, rest) = bytes.split_at(bytes.len().min(unit - self.pending_len));
            self.pending[self.pending_len..self.pending_len + first.len()].copy_from_slice(first);
            self.pending_len += first.len();
            bytes = rest;
            if self.pending_len < unit {
                return Ok(());
            }
            let whole = self.pending;
            self.program(flash, &whole[..unit])?;
            self.pending_len = 0;
        }
        let (whole, rest) = bytes.split_at(bytes.len() / unit * unit);
        self.program(flash, whole)?;
        self.pending[..rest.len()].copy_from_slice(rest);
        self.pending_len = rest.len();
        Ok(())
    }

    fn program<F: Flash>(&mut self, flash: &mut F, bytes: &[u8]) -> Result<(), UpdateError<F::Error>> {
        if !bytes.is_empty() {
            flash.program(self.slots.model_at(self.slot) + self.written, bytes).map_err(UpdateError::Flash)?;
            self.written += bytes.len() as u32;
        }
        Ok(())
    }

    /// Reads the model back and, if it is what was written, writes the record: from then on it is the newest.
    ///
    /// # Errors
    /// [`UpdateError::Incomplete`] if bytes are missing, [`UpdateError::ReadBack`] if flash does not hold what was written,
    /// [`UpdateError::Flash`]. The other slot is as it was.
    pub fn commit<F: Flash>(mut self, flash: &mut F) -> Result<Entry, UpdateError<F::Error>> {
        let given = self.written + self.pending_len as u32;
        if given < self.len {
            return Err(UpdateError::Incomplete { given, len: self.len });
        }
        if self.pending_len > 0 {
            let unit = self.slots.layout.unit as usize;
            let mut last = self.pending;
            last[self.pending_len..].fill(0xFF);
            self.program(flash, &last[..unit])?;
        }
        let (slot, counter, len) = (self.slot, self.counter, self.len);
        let entry = Entry { slot, counter, len, checksum: self.state.finish() };
        if !self.slots.verify(flash, &entry).map_err(UpdateError::Flash)? {
            return Err(UpdateError::ReadBack);
        }
        let (address, wanted) = (self.slots.start(slot), record(counter, len, entry.checksum));
        flash.program(address, &wanted).map_err(UpdateError::Flash)?;
        let mut found = [0; RECORD_LEN];
        flash.read(address, &mut found).map_err(UpdateError::Flash)?;
        if found == wanted { Ok(entry) } else { Err(UpdateError::ReadBack) }
    }
}

/// Why an update stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateError<E> {
    /// The model has no byte, or more than there is room for, or than was said.
    Length {
        /// Bytes of the model.
        len: u32,
        /// The most there can be.
        most: u32,
    },
    /// The model is not whole yet.
    Incomplete {
        /// Bytes that were given.
        given: u32,
        /// Bytes that it has.
        len: u32,
    },
    /// Flash does not hold what was written.
    ReadBack,
    /// Flash could not be read, erased or programmed.
    Flash(E),
}

impl<E> UpdateError<E> {
    /// The error's number, one of those in docs/error-codes.md.
    pub const fn number(&self) -> u8 {
        match self {
            Self::Length { .. } => 70,
            Self::Incomplete { .. } => 71,
            Self::ReadBack => 72,
            Self::Flash(_) => 73,
        }
    }
}

impl<E: fmt::Display> fmt::Display for UpdateError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { len, most } => {
                write!(f, "the model has {len} bytes; the slot takes 1 to {most}: pack a smaller model")
            }
            Self::Incomplete { given, len } => {
                write!(f, "only {given} of {len} bytes were written; write the rest or start again")
            }
            Self::ReadBack => {
                f.write_str("flash does not hold what was written; start again, and if that fails replace it")
            }
            Self::Flash(error) => write!(f, "flash: {error}"),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> core::error::Error for UpdateError<E> {}
