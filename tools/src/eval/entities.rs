//! Entities in a row of tags such as `B-PER I-PER O`, and their F1, as `conlleval` and seqeval (in its default mode) count
//! them: an entity is right if its type, its beginning and its end are.

use std::collections::BTreeSet;

use super::scores::Tally;

/// A type with its first and last word.
pub type Entity<'a> = (&'a str, usize, usize);

/// The entities of a sentence. A tag is `O`, or a letter (`B`, `I`, `E`, `S`) and a type with a `-` between them; an `I` that
/// follows nothing of its type begins an entity.
pub fn entities<'a>(tags: &[&'a str]) -> BTreeSet<Entity<'a>> {
    let (mut found, mut first) = (BTreeSet::new(), 0);
    let (mut before, mut before_kind) = ('O', "");
    for (at, tag) in tags.iter().copied().chain(["O"]).enumerate() {
        let (letter, kind) = split(tag);
        if ends(before, letter) || (before != 'O' && before_kind != kind) {
            found.insert((before_kind, first, at - 1));
        }
        if begins(before, letter) || (letter != 'O' && before_kind != kind) {
            first = at;
        }
        (before, before_kind) = (letter, kind);
    }
    found
}

/// Whether a tag is one of a scheme of entities.
pub fn is_tag(tag: &str) -> bool {
    tag == "O" || (matches!(tag.split_once('-'), Some(("B" | "I" | "E" | "S", kind)) if !kind.is_empty()))
}

/// Over all sentences: entities that were said, that are right, and that are both.
pub fn tally<'a>(sentences: impl IntoIterator<Item = (Vec<&'a str>, Vec<&'a str>)>) -> Tally {
    sentences.into_iter().fold(Tally::default(), |sum, (said, right)| {
        let (said, right) = (entities(&said), entities(&right));
        sum.plus(Tally { both: said.intersection(&right).count(), said: said.len(), right: right.len() })
    })
}

fn split(tag: &str) -> (char, &str) {
    let letter = tag.chars().next().unwrap_or('O');
    (letter, tag.split_once('-').map_or("", |(_, kind)| kind))
}

fn ends(before: char, letter: char) -> bool {
    matches!((before, letter), ('E' | 'S', _) | ('B' | 'I', 'B' | 'S' | 'O'))
}

fn begins(before: char, letter: char) -> bool {
    matches!((before, letter), (_, 'B' | 'S') | ('E' | 'S' | 'O', 'E' | 'I'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(tags: &str) -> Vec<Entity<'_>> {
        entities(&tags.split(' ').collect::<Vec<_>>()).into_iter().collect()
    }

    /// Expected values from seqeval's `get_entities`.
    #[test]
    fn entities_of_known_rows() {
        assert_eq!(of("B-PER I-PER O B-LOC"), [("LOC", 3, 3), ("PER", 0, 1)]);
        // Two beside each other, and a type that changes.
        assert_eq!(of("B-PER B-PER I-LOC I-LOC"), [("LOC", 2, 3), ("PER", 0, 0), ("PER", 1, 1)]);
        // An inside without a beginning is one.
        assert_eq!(of("O I-PER I-PER O I-LOC"), [("LOC", 4, 4), ("PER", 1, 2)]);
        assert_eq!(of("S-PER B-LOC I-LOC E-LOC O"), [("LOC", 1, 3), ("PER", 0, 0)]);
        assert_eq!(of("E-PER E-PER"), [("PER", 0, 0), ("PER", 1, 1)]);
        assert_eq!(of("B-MISC-A I-MISC-A"), [("MISC-A", 0, 1)]);
        assert!(of("O O").is_empty() && entities(&[]).is_empty());
    }

    /// One of two that were said is right, of three.
    #[test]
    fn precision_recall_and_f1() {
        let row = |tags: &'static str| tags.split(' ').collect::<Vec<_>>();
        let tally = tally([(row("B-PER I-PER O O"), row("B-PER I-PER O B-LOC")), (row("B-LOC O"), row("B-LOC I-LOC"))]);
        assert_eq!((tally.precision(), tally.recall()), (1.0 / 2.0, 1.0 / 3.0));
        assert!((tally.f1() - 0.4).abs() < 1e-15);
    }

    #[test]
    fn tags_of_other_kinds() {
        assert!(["O", "B-PER", "I-x", "E-a-b"].into_iter().all(is_tag));
        assert!(["NOUN", "B-", "B", "X-PER", ""].into_iter().all(|tag| !is_tag(tag)));
    }
}
