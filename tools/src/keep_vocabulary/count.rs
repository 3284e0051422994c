//! Which entries a text needs, and how often; lines on all cores, with the same result on any number of them.

use rayon::prelude::*;

use crate::sequence::Sequencer;

/// Lines between two reports of progress.
const STEP: usize = 4096;
/// Every tenth line stands for new text.
const HELD_OUT: usize = 10;

/// How often each entry occurs: in the held-out lines, and in all others.
pub(super) struct Counts {
    held_out: Vec<u64>,
    others: Vec<u64>,
    lines: usize,
}

impl Counts {
    pub(super) fn of(
        lines: &[&str],
        sequencer: &Sequencer<'_>,
        entries: usize,
        mut progress: impl FnMut(usize),
    ) -> Self {
        let mut counts = Self { held_out: vec![0; entries], others: vec![0; entries], lines: lines.len() };
        let empty = || (vec![0; entries], vec![0; entries]);
        for (step, part) in lines.chunks(STEP).enumerate() {
            let lines = part.par_iter().enumerate().map(|(index, line)| (step * STEP + index, line));
            let (held_out, others) = lines
                .fold(empty, |(mut held_out, mut others): (Vec<u64>, Vec<u64>), (number, line)| {
                    let counts = if is_held_out(number) { &mut held_out } else { &mut others };
                    sequencer.plain(line).ids.iter().for_each(|&id| counts[id as usize] += 1);
                    (held_out, others)
                })
                .reduce(empty, |a, b| (sum(a.0, &b.0), sum(a.1, &b.1)));
            counts.held_out = sum(counts.held_out, &held_out);
            counts.others = sum(counts.others, &others);
            progress(step * STEP + part.len());
        }
        counts
    }

    /// Occurrences of an entry.
    pub(super) fn all(&self, id: usize) -> u64 {
        self.held_out[id] + self.others[id]
    }

    /// Tokens of the text.
    pub(super) fn tokens(&self) -> u64 {
        self.held_out.iter().chain(&self.others).sum()
    }

    /// Share of the held-out tokens whose entries the other lines need too, or which are `always` there.
    pub(super) fn expected(&self, always: impl Fn(usize) -> bool) -> Option<f64> {
        let tokens: u64 = self.held_out.iter().sum();
        let kept = |id: &usize| self.others[*id] > 0 || always(*id);
        let same: u64 = (0..self.held_out.len()).filter(kept).map(|id| self.held_out[id]).sum();
        (self.lines >= HELD_OUT && tokens > 0).then(|| same as f64 / tokens as f64)
    }
}

fn is_held_out(line: usize) -> bool {
    line % HELD_OUT == HELD_OUT - 1
}

fn sum(mut a: Vec<u64>, b: &[u64]) -> Vec<u64> {
    a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
    a
}

/// How many tokens are the same `before` and `after`, where entry number i of the second is number `ids[i]` of the first.
pub(super) fn same(
    lines: &[&str],
    before: &Sequencer<'_>,
    after: &Sequencer<'_>,
    ids: &[usize],
    mut progress: impl FnMut(usize),
) -> u64 {
    let in_line = |line: &&str| {
        let (before, after) = (before.plain(line), after.plain(line));
        // Both lists ascend by place; a token is the same where place and entry are.
        let mut others = after.spans.iter().zip(&after.ids).peekable();
        let mut same = 0;
        for (span, &id) in before.spans.iter().zip(&before.ids) {
            while others.next_if(|(other, _)| (other.start, other.end) < (span.start, span.end)).is_some() {}
            same += u64::from(
                others.peek().is_some_and(|&(other, &new)| other == span && ids[new as usize] == id as usize),
            );
        }
        same
    };
    let mut same = 0;
    for (step, part) in lines.chunks(STEP).enumerate() {
        same += part.par_iter().map(in_line).sum::<u64>();
        progress(step * STEP + part.len());
    }
    same
}
