//! The power is cut at every write of an update, in the middle of it, and what is left is drawn by lot, bit by bit. After each cut the
//! device starts with the old model or the new one, and a later update succeeds.

use std::collections::HashMap;

use distil_slots::{Entry, Flash, Layout, Slot, Slots, UpdateError};

const SECTOR: u32 = 256;
const SLOT: u32 = 4 * SECTOR;
const UNIT: u32 = 32;

/// Why flash did not do it: there is no power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cut;

/// xorshift64 (Marsaglia 2003).
#[derive(Clone)]
struct Lot(u64);

impl Lot {
    fn draw(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Bits of a byte on their way to others, and how far they got: of 256 readings so many see them there.
#[derive(Clone, Copy)]
struct Weak {
    bits: u8,
    target: u8,
    far: u64,
}

impl Weak {
    fn read(self, byte: u8, lot: &mut Lot) -> u8 {
        let seen = (0..8).fold(0, |seen, bit| seen | u8::from(lot.draw() % 256 < self.far) << bit);
        let mixed = (self.target & seen) | (!self.target & !seen);
        (byte & !self.bits) | (mixed & self.bits)
    }
}

/// NOR flash that may lose its power.
#[derive(Clone)]
struct Nor {
    bytes: Vec<u8>,
    /// Bits that an interrupted write left between 0 and 1: they read differently after every start.
    weak: HashMap<usize, Weak>,
    /// Units that were programmed to the end since they were erased.
    whole: Vec<bool>,
    /// Writes until the power is cut, in the middle of one.
    left: Option<usize>,
    writes: usize,
    erases: Vec<u32>,
    lot: Lot,
}

impl Nor {
    fn new(seed: u64) -> Self {
        let len = 2 * SLOT as usize;
        Self {
            bytes: vec![0xFF; len],
            weak: HashMap::new(),
            whole: vec![false; len / UNIT as usize],
            left: None,
            writes: 0,
            erases: vec![0; len / SECTOR as usize],
            lot: Lot(seed.wrapping_mul(2).wrapping_add(0x9E37_79B9_7F4A_7C15)),
        }
    }

    /// Whether the power goes while this write is under way, and how far that got: hardly begun, all but done, or between.
    /// After that nothing works any more.
    fn cut_now(&mut self) -> Result<Option<u64>, Cut> {
        self.writes += 1;
        match self.left {
            None => Ok(None),
            Some(0) => Err(Cut),
            Some(left) => {
                self.left = Some(left - 1);
                let far = [0, 2, 128, 250, 255, 256][(self.lot.draw() % 6) as usize];
                Ok((left == 1).then_some(far))
            }
        }
    }

    /// Moves a byte to `target`, or some of its bits, which then are weak. Bits that are weak already may be anything.
    fn change(&mut self, at: usize, target: u8, cut: Option<u64>) {
        let bits = self.bytes[at] ^ target | self.weak.get(&at).map_or(0, |weak| weak.bits);
        match cut {
            Some(far) => {
                let weak = Weak { bits, target, far };
                self.bytes[at] = weak.read(self.bytes[at], &mut self.lot);
                self.weak.insert(at, weak);
            }
            None => {
                self.bytes[at] = target;
                self.weak.remove(&at);
            }
        }
    }

    /// Power again: weak bits read as they like.
    fn start(&mut self) {
        self.left = None;
        let mut weak: Vec<_> = self.weak.iter().map(|(&at, &weak)| (at, weak)).collect();
        weak.sort_unstable_by_key(|(at, _)| *at);
        for (at, weak) in weak {
            self.bytes[at] = weak.read(self.bytes[at], &mut self.lot);
        }
    }
}

impl Flash for Nor {
    type Error = Cut;

    fn read(&mut self, address: u32, bytes: &mut [u8]) -> Result<(), Cut> {
        if self.left == Some(0) {
            return Err(Cut);
        }
        bytes.copy_from_slice(&self.bytes[address as usize..][..bytes.len()]);
        Ok(())
    }

    fn erase(&mut self, address: u32) -> Result<(), Cut> {
        assert!(address.is_multiple_of(SECTOR));
        let cut = self.cut_now()?;
        self.erases[(address / SECTOR) as usize] += 1;
        for at in address..address + SECTOR {
            self.change(at as usize, 0xFF, cut);
        }
        for unit in address / UNIT..(address + SECTOR) / UNIT {
            // What was being erased is not to be programmed, but by chance it may read as if it were.
            self.whole[unit as usize] = cut.is_some();
        }
        cut.map_or(Ok(()), |_| Err(Cut))
    }

    fn program(&mut self, address: u32, bytes: &[u8]) -> Result<(), Cut> {
        assert!(address.is_multiple_of(UNIT) && bytes.len().is_multiple_of(UNIT as usize) && !bytes.is_empty());
        for (unit, part) in (address / UNIT..).zip(bytes.chunks(UNIT as usize)) {
            let cut = self.cut_now()?;
            assert!(!self.whole[unit as usize], "unit {unit} is programmed without having been erased");
            for (at, &byte) in ((unit * UNIT) as usize..).zip(part) {
                // Bits only go to 0.
                self.change(at, byte & (self.bytes[at] | self.weak.get(&at).map_or(0, |weak| weak.bits)), cut);
            }
            self.whole[unit as usize] = cut.is_none();
            if cut.is_some() {
                return Err(Cut);
            }
        }
        Ok(())
    }
}

fn slots() -> Slots {
    Slots::new(Layout::new([0, SLOT], SLOT, SECTOR, UNIT).expect("a good layout"))
}

/// A model: its number, and bytes that no two models share. Most do not end with a unit.
fn model(number: u32) -> Vec<u8> {
    let len = 300 + (number * 97 % 400) as usize;
    let mut lot = Lot(u64::from(number) + 77);
    number.to_le_bytes().into_iter().chain((4..len).map(|_| lot.draw() as u8)).collect()
}

/// What a device does at its start: it takes the first model that is whole.
fn boot(nor: &mut Nor) -> Option<(Entry, Vec<u8>)> {
    let slots = slots();
    let entries = slots.entries(nor);
    for entry in entries.into_iter().flatten() {
        assert_eq!(slots.verify(nor, &entry), Ok(true), "a slot with a record has its whole model: {entry:?}");
    }
    let entry = entries[0]?;
    let at = slots.model_at(entry.slot) as usize;
    Some((entry, nor.bytes[at..at + entry.len as usize].to_vec()))
}

fn update(nor: &mut Nor, running: Option<Slot>, model: &[u8]) -> Result<Entry, UpdateError<Cut>> {
    let mut update = slots().begin(nor, running, model.len() as u32)?;
    while !update.erase(nor)? {}
    for piece in model.chunks(45) {
        update.write(nor, piece)?;
    }
    update.commit(nor)
}

/// Flash after some updates, and the number of the model in it.
fn after(updates: u32, seed: u64) -> Nor {
    let mut nor = Nor::new(seed);
    for number in 1..=updates {
        let running = boot(&mut nor).map(|(entry, _)| entry.slot);
        update(&mut nor, running, &model(number)).expect("there is power");
    }
    nor.writes = 0;
    nor
}

/// The model that a start finds must be one of two; 0 is none.
fn start(nor: &mut Nor, old: u32, new: u32) -> u32 {
    nor.start();
    let found = boot(nor).map(|(_, bytes)| bytes);
    match found {
        None if old == 0 => 0,
        Some(bytes) if old > 0 && bytes == model(old) => old,
        Some(bytes) if bytes == model(new) => new,
        other => panic!("neither {old} nor {new} is there: {:?}", other.map(|bytes| bytes.len())),
    }
}

#[test]
fn a_cut_at_any_write_leaves_a_model() {
    let (mut cuts, mut new, mut kept) = (0, 0, 0);
    for old in 0..4 {
        let whole = after(old, 1);
        let running = boot(&mut whole.clone()).map(|(entry, _)| entry.slot);
        let mut counted = whole.clone();
        update(&mut counted, running, &model(old + 1)).expect("there is power");
        for at in 1..=counted.writes {
            for seed in 0..20 {
                let mut nor = whole.clone();
                nor.lot = Lot(seed * 1000 + at as u64 + 1);
                nor.left = Some(at);
                assert_eq!(update(&mut nor, running, &model(old + 1)), Err(UpdateError::Flash(Cut)));
                // Started often, so that weak bits are read in many ways: never is there no model.
                for _ in 0..5 {
                    let found = start(&mut nor, old, old + 1);
                    (new, kept) = (new + u32::from(found > old), kept + u32::from(found == old));
                }
                let running = boot(&mut nor).map(|(entry, _)| entry.slot);
                let entry = update(&mut nor, running, &model(old + 2)).expect("there is power");
                assert_eq!(running.map(Slot::other).unwrap_or(Slot::First), entry.slot);
                for _ in 0..3 {
                    assert_eq!(start(&mut nor, old + 2, old + 2), old + 2);
                }
                cuts += 1;
            }
        }
    }
    assert!(
        cuts > 1900 && new > 50 && kept > 5000,
        "{cuts} cuts: {new} starts with the new model, {kept} with the old"
    );
}

/// A commit that was cut may be seen at one start and not at the next; what was committed with power is never lost.
#[test]
fn cuts_upon_cuts_leave_a_model() {
    let mut whole = 0;
    for seed in 0..2000 {
        let mut nor = after(2, seed);
        let mut committed = 2;
        for next in 3..12 {
            nor.left = Some(1 + (nor.lot.draw() % 40) as usize);
            let running = boot(&mut nor).map(|(entry, _)| entry.slot);
            if update(&mut nor, running, &model(next)).is_ok() {
                committed = next;
                whole += 1;
            }
            for _ in 0..3 {
                nor.start();
                let (_, bytes) = boot(&mut nor).expect("there is a model");
                let number = u32::from_le_bytes(bytes[..4].try_into().expect("four bytes"));
                assert!((committed..=next).contains(&number), "{number} is older than {committed}");
                assert_eq!(bytes, model(number));
            }
        }
    }
    assert!(whole > 2000, "{whole} updates ended before the cut");
}

#[test]
fn slots_take_turns_and_wear_evenly() {
    let nor = after(40, 9);
    assert!(nor.erases.chunks(4).all(|slot| slot[0] == 20), "{:?}", nor.erases);
    assert!(nor.erases.iter().all(|&erases| erases <= 20), "a sector is erased once an update: {:?}", nor.erases);
}

#[test]
fn the_slot_in_use_is_kept_even_if_it_is_the_older_one() {
    let mut nor = after(5, 3);
    let (newest, _) = boot(&mut nor).expect("a model");
    // The newest has lost a bit after years: the device runs the other one, and says so.
    let older = newest.slot.other();
    let at = slots().model_at(newest.slot) as usize + 100;
    nor.bytes[at] ^= 1;
    assert_eq!(slots().verify(&mut nor, &newest), Ok(false));
    let entry = update(&mut nor, Some(older), &model(6)).expect("there is power");
    assert_eq!((entry.slot, entry.counter), (newest.slot, newest.counter + 1));
    assert_eq!(boot(&mut nor).expect("a model").1, model(6));
}

#[test]
fn what_cannot_be_is_refused() {
    let mut nor = Nor::new(4);
    let most = slots().room();
    assert_eq!(most, SLOT - SECTOR);
    for len in [0, most + 1] {
        assert_eq!(slots().begin(&mut nor, None, len).map(drop), Err(UpdateError::Length { len, most }));
    }
    let mut update = slots().begin(&mut nor, None, 50).expect("it fits");
    update.write(&mut nor, &[1; 40]).expect("there is power");
    assert_eq!(update.write(&mut nor, &[1; 11]), Err(UpdateError::Length { len: 51, most: 50 }));
    assert_eq!(update.commit(&mut nor), Err(UpdateError::Incomplete { given: 40, len: 50 }));
    // Flash that does not keep what is written.
    update.write(&mut nor, &[1; 10]).expect("there is power");
    nor.bytes[(SECTOR + 3) as usize] = 0;
    assert_eq!(update.commit(&mut nor), Err(UpdateError::ReadBack));
    assert_eq!(boot(&mut nor), None);
}
