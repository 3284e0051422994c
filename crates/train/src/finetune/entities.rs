//! Entities in a row of tags such as `B-PER I-PER O`, as `conlleval` and seqeval (in its default mode) count them: one is right where its
//! type, its beginning and its end are.

use std::collections::HashSet;

/// Type, first word and last word.
pub type Entity<'a> = (&'a str, usize, usize);

/// How many entities were said, are right, and both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Said and right.
    pub both: usize,
    /// Said.
    pub said: usize,
    /// Right.
    pub right: usize,
}

impl Count {
    /// Of rows of tags that were said, each beside the one that is right.
    pub fn of<'a>(rows: impl IntoIterator<Item = (Vec<&'a str>, Vec<&'a str>)>) -> Self {
        let mut count = Self::default();
        for (said, right) in rows {
            let said: HashSet<Entity<'_>> = entities(&said).into_iter().collect();
            let right = entities(&right);
            count.both += right.iter().filter(|entity| said.contains(*entity)).count();
            count.said += said.len();
            count.right += right.len();
        }
        count
    }

    /// Share of what was said that is right; 0 of nothing.
    pub fn precision(self) -> f64 {
        share(self.both, self.said)
    }

    /// Share of what is right that was said; 0 of nothing.
    pub fn recall(self) -> f64 {
        share(self.both, self.right)
    }

    /// Their harmonic mean, `2 both / (said + right)`; 0 of nothing.
    pub fn f1(self) -> f64 {
        share(2 * self.both, self.said + self.right)
    }
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Whether a tag is one of a scheme of entities: `O`, or `B`, `I`, `E` or `S` and a type with `-` between them.
pub fn is_tag(tag: &str) -> bool {
    tag == "O" || matches!(tag.split_once('-'), Some(("B" | "I" | "E" | "S", kind)) if !kind.is_empty())
}

/// The entities of a sentence in their order. `B` and `S` begin one; so do an `I` or an `E` that follow nothing, another type, or an end. An
/// entity ends with `E` or `S`, and before whatever begins another or is outside.
pub fn entities<'a>(tags: &[&'a str]) -> Vec<Entity<'a>> {
    let mut found = vec![];
    // The entity under way, while its last tag lets it go on.
    let mut open: Option<Entity<'a>> = None;
    for (word, tag) in tags.iter().enumerate() {
        let (letter, kind) = tag.split_once('-').unwrap_or((tag, ""));
        if letter == "O" {
            found.extend(open.take());
            continue;
        }
        match &mut open {
            Some((known, _, last)) if matches!(letter, "I" | "E") && *known == kind => *last = word,
            _ => {
                found.extend(open.take());
                open = Some((kind, word, word));
            }
        }
        if matches!(letter, "E" | "S") {
            found.extend(open.take());
        }
    }
    found.extend(open);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(tags: &str) -> Vec<&str> {
        tags.split(' ').collect()
    }

    /// Expected values are those of seqeval's `get_entities`.
    #[test]
    fn entities_of_known_rows() {
        for (tags, expected) in [
            ("B-PER I-PER O B-LOC", vec![("PER", 0, 1), ("LOC", 3, 3)]),
            // Two of a type beside each other, and a type that changes within.
            ("B-PER B-PER I-PER", vec![("PER", 0, 0), ("PER", 1, 2)]),
            ("B-PER I-LOC I-LOC", vec![("PER", 0, 0), ("LOC", 1, 2)]),
            // An inside that follows nothing, as IOB1 writes all of them.
            ("I-PER I-PER O I-LOC", vec![("PER", 0, 1), ("LOC", 3, 3)]),
            ("I-PER B-PER I-PER", vec![("PER", 0, 0), ("PER", 1, 2)]),
            ("S-PER B-LOC I-LOC E-LOC I-LOC", vec![("PER", 0, 0), ("LOC", 1, 3), ("LOC", 4, 4)]),
            ("E-PER E-PER", vec![("PER", 0, 0), ("PER", 1, 1)]),
            ("B-PER S-PER", vec![("PER", 0, 0), ("PER", 1, 1)]),
            ("B-MISC-A I-MISC-A", vec![("MISC-A", 0, 1)]),
            ("O O", vec![]),
        ] {
            assert_eq!(entities(&row(tags)), expected, "{tags}");
        }
        assert!(entities(&[]).is_empty());
    }

    #[test]
    fn precision_recall_and_f1() {
        // The end of the second one's only entity is wrong: one right of two said, of three.
        let count = Count::of([
            (row("B-PER I-PER O O"), row("B-PER I-PER O B-LOC")),
            (row("B-LOC O"), row("B-LOC I-LOC")),
            (row("O"), row("O")),
        ]);
        assert_eq!(count, Count { both: 1, said: 2, right: 3 });
        assert_eq!((count.precision(), count.recall(), count.f1()), (0.5, 1.0 / 3.0, 0.4));
        assert_eq!(Count::of([(row("O"), row("O"))]).f1(), 0.0);
    }

    #[test]
    fn tags_of_other_kinds() {
        assert!(["O", "B-PER", "I-x", "E-a-b", "S-y"].into_iter().all(is_tag));
        assert!(["NOUN", "B-", "B", "X-PER", "", "BI-PER"].into_iter().all(|tag| !is_tag(tag)));
    }
}
