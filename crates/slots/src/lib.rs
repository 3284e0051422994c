//! Two places for a model in flash, called slots, that take turns: one holds the model in use while the other is written, and the
//! last write of an update makes the other one count. Wherever the power is cut, one of them holds a whole model.
//!
//! docs/updates.md has the layout and the argument; the test `power` cuts the power at every write. Nothing allocates, and flash is
//! reached through a small trait, [`Flash`].
//!
//! ```
//! use distil_slots::{Flash, Layout, Slots, UpdateError};
//!
//! /// Starts with the newest model that opens, and says in which slot it is.
//! fn boot<F: Flash>(slots: &Slots, flash: &mut F, opens: impl Fn(u32, u32) -> bool) -> Option<distil_slots::Slot> {
//!     let entries = slots.entries(flash);
//!     let mut good = entries.iter().flatten().filter(|entry| opens(slots.model_at(entry.slot), entry.len));
//!     good.next().map(|entry| entry.slot)
//! }
//!
//! fn update<F: Flash>(slots: &Slots, flash: &mut F, running: Option<distil_slots::Slot>, model: &[u8]) -> Result<(), UpdateError<F::Error>> {
//!     let mut update = slots.begin(flash, running, model.len() as u32)?;
//!     while !update.erase(flash)? {} // a sector at a time: feed the watchdog
//!     for piece in model.chunks(1000) {
//!         update.write(flash, piece)?; // as pieces arrive
//!     }
//!     update.commit(flash).map(|_| ())
//! }
//! ```
#![no_std]
#![forbid(unsafe_code)]

mod layout;
mod record;
mod slots;
mod update;

pub use layout::{Flash, Layout, LayoutError};
pub use record::{RECORD_LEN, record};
pub use slots::{Entry, Slot, Slots};
pub use update::{Update, UpdateError};
