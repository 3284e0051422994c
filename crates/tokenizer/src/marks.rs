//! Combining marks that survive accent stripping, in canonical order.
//!
//! Canonical decomposition sorts each run of combining characters (those with a combining class
//! other than 0) by class, keeping the order of equals. Most of them are nonspacing marks and are
//! dropped afterwards, so their order does not matter. A few stay: spacing ones, and those that
//! the Unicode version of the tables does not call nonspacing. Their order matters, and so do
//! their offsets, which have a quirk: source characters are handed out to the sorted sequence in
//! text order, one for each character that was the first of a decomposition. So the k-th of those
//! gets the k-th source character of the run, whichever it came from.
//!
//! A run may be longer than any buffer. Instead of storing it, it is read again for each
//! combining class among the marks that stay, of which there are few: time stays linear.

use crate::scan::Source;
use crate::unicode::{self, Base};

/// A run of combining characters in the text, from just after its starter.
pub(crate) struct Run<'a> {
    text: &'a str,
    start: usize,
    /// Whether marks from the decomposition of the starter take part.
    with_starter: bool,
}

impl<'a> Run<'a> {
    /// The run at `start`, after a starter whose decomposition ends in marks that stay.
    pub(crate) fn after(text: &'a str, start: usize) -> Self {
        Self { text, start, with_starter: true }
    }

    /// The run that the mark at `at` is part of.
    pub(crate) fn around(text: &'a str, at: usize) -> Self {
        let mut start = at;
        for (before, c) in text[..at].char_indices().rev() {
            match combining(c) {
                Some(0) => break,
                Some(_) => start = before,
                None => {}
            }
        }
        Self { text, start, with_starter: false }
    }

    /// Calls `take` with each mark that stays, in canonical order, and the source character it is
    /// said to come from. `starter` and its source are used if the run is [`Run::after`] it.
    /// Gives the offset after the run.
    pub(crate) fn for_each_kept(
        &self,
        starter: char,
        starter_source: Source,
        mut take: impl FnMut(char, Source),
    ) -> usize {
        // Sources are handed out in order, so one cursor over the run is enough.
        let mut handed = 0;
        let mut sources = self.items();
        let mut source = starter_source;
        let mut at_least = 1;
        while let Some(class) = self.kept().chain(self.starter_kept(starter)).fold(None, |low, k| {
            let class = unicode::combining_class(k);
            if class < at_least { low } else { Some(low.map_or(class, |l: u8| l.min(class))) }
        }) {
            let mut count = self.items().filter(|item| item.class < class).count();
            let mut hand = |count: usize| {
                while handed < count {
                    handed += 1;
                    if let Some(item) = sources.next() {
                        source = item.source;
                    }
                }
                source
            };
            for mark in self.starter_kept(starter) {
                if unicode::combining_class(mark) == class {
                    take(mark, hand(count));
                }
            }
            for item in self.items().filter(|item| item.class == class) {
                count += 1;
                if is_kept(item.c) {
                    take(item.c, hand(count));
                }
            }
            let Some(next) = class.checked_add(1) else {
                break;
            };
            at_least = next;
        }
        self.items().last().map_or(self.start, |item| item.at + item.c.len_utf8())
    }

    /// The combining characters of the run.
    fn items(&self) -> impl Iterator<Item = Item> + use<'a> {
        let start = self.start;
        self.text[start..]
            .char_indices()
            .filter_map(move |(i, c)| {
                let at = start + i;
                combining(c).map(|class| Item { c, at, class, source: Source::new(at, c) })
            })
            .take_while(|item| item.class != 0)
    }

    /// Those of them that stay.
    fn kept(&self) -> impl Iterator<Item = char> + use<'a> {
        self.items().map(|item| item.c).filter(|c| is_kept(*c))
    }

    /// The marks that stay from the decomposition of the starter.
    fn starter_kept(&self, starter: char) -> impl Iterator<Item = char> + use<> {
        let decomposed = if self.with_starter { unicode::decompose(starter) } else { unicode::Decomposed::Done };
        decomposed.filter(|c| is_kept(*c))
    }
}

/// One character of a run.
struct Item {
    c: char,
    at: usize,
    class: u8,
    source: Source,
}

/// Combining class of a character; none for one that the clean-up removes, which is not there.
fn combining(c: char) -> Option<u8> {
    (unicode::class(c).base != Base::Removed).then(|| unicode::combining_class(c))
}

fn is_kept(c: char) -> bool {
    unicode::class(c).base == Base::KeptMark
}
