//! Makes `src/tables.rs` from the Unicode data that the `tokenizers` crate uses, and checks that
//! the committed file is what it makes. To write the file again after an update:
//!
//! ```text
//! cargo test -p distil-tokenizer --test tables -- --ignored
//! ```

use std::fmt::Write as _;
use std::path::PathBuf;

use unicode_categories::UnicodeCategories as _;
use unicode_normalization_alignments::char::{canonical_combining_class, decompose_canonical};

// The numbers of `unicode::Base`, in its order, and its flag for a decomposition.
const PLAIN: u32 = 0;
const REMOVED: u32 = 1;
const SPACE: u32 = 2;
const PUNCTUATION: u32 = 3;
const CJK: u32 = 4;
const MARK: u32 = 5;
const KEPT_MARK: u32 = 6;
const DECOMPOSES: u32 = 8;

/// Pool indices are written as surrogates, which no decomposition contains.
const POOL: u32 = 0xD800;

fn nfd(c: char) -> Vec<char> {
    let mut out = Vec::new();
    decompose_canonical(c, |d| out.push(d));
    out
}

/// What is left of `c` after decomposition and removal of nonspacing marks.
fn kept(c: char) -> Vec<char> {
    nfd(c).into_iter().filter(|d| !d.is_mark_nonspacing()).collect()
}

fn is_hangul_syllable(c: char) -> bool {
    ('\u{AC00}'..='\u{D7A3}').contains(&c)
}

fn is_cjk(c: char) -> bool {
    matches!(c as u32,
        0x4E00..=0x9FFF | 0x3400..=0x4DBF | 0x20000..=0x2A6DF | 0x2A700..=0x2B73F
        | 0x2B740..=0x2B81F | 0x2B920..=0x2CEAF | 0xF900..=0xFAFF | 0x2F800..=0x2FA1F)
}

/// The class byte of one character. Each step is checked to be the only one that can apply, so
/// that one class per character is enough.
fn class(c: char) -> u32 {
    let white = matches!(c, '\t' | '\n' | '\r') || c.is_whitespace();
    let other = !matches!(c, '\t' | '\n' | '\r') && c.is_other();
    if c == '\0' || c == '\u{FFFD}' || other {
        return REMOVED;
    }
    if white {
        return SPACE;
    }
    let first = nfd(c)[0];
    let combining = canonical_combining_class(first) != 0;
    let kept = kept(c);
    let punctuation = c.is_ascii_punctuation() || c.is_punctuation();
    let facts = [kept.is_empty(), combining && !kept.is_empty(), is_cjk(c), punctuation];
    assert!(facts.iter().filter(|&&f| f).count() <= 1, "{c:?} would need two classes");
    let base = match facts {
        [true, ..] => MARK,
        [_, true, ..] => {
            assert_eq!(nfd(c), [c], "a kept mark that decomposes");
            KEPT_MARK
        }
        [_, _, true, _] => CJK,
        [_, _, _, true] => PUNCTUATION,
        _ => PLAIN,
    };
    base | if base != MARK && kept != [c] { DECOMPOSES } else { 0 }
}

/// `(first code point, value)` of every run of equal values over all code points.
fn runs(value: impl Fn(char) -> u32) -> Vec<(u32, u32)> {
    let mut out: Vec<(u32, u32)> = vec![(0, value('\0'))];
    // Surrogates are no characters: they take the value of what is before them.
    for c in '\0'..=char::MAX {
        let v = value(c);
        if out.last().is_none_or(|&(_, last)| last != v) {
            out.push((c as u32, v));
        }
    }
    out
}

fn array(out: &mut String, doc: &str, name: &str, unit: &str, values: &[u32]) {
    writeln!(out, "\n/// {doc}\n#[rustfmt::skip]").unwrap();
    write!(out, "pub(crate) static {name}: [{unit}; {}] = [", values.len()).unwrap();
    let mut column = usize::MAX;
    for v in values {
        let text = format!("0x{v:X},");
        if column.saturating_add(text.len() + 1) > 110 {
            out.push_str("\n    ");
            column = 4;
        }
        out.push_str(&text);
        column += text.len();
    }
    out.push_str("\n];\n");
}

fn render() -> String {
    let classes = runs(class);
    let packed: Vec<u32> = classes.iter().map(|&(start, class)| start << 8 | class).collect();
    let index: Vec<u32> =
        (0..=0x200u32).map(|block| classes.partition_point(|&(start, _)| start <= block << 8) as u32 - 1).collect();

    let (mut starts, mut offsets, mut values, mut pool) = (vec![], vec![], vec![], vec![]);
    let mut next = 0;
    for c in '\0'..=char::MAX {
        if class(c) & DECOMPOSES == 0 || is_hangul_syllable(c) {
            continue;
        }
        if c as u32 != next {
            starts.push(c as u32);
            offsets.push(values.len() as u32);
        }
        next = c as u32 + 1;
        let kept = kept(c);
        match kept[..] {
            [d] if (d as u32) < 0x1_0000 => values.push(d as u32),
            _ => {
                values.push(POOL + pool.len() as u32);
                pool.extend(kept.iter().map(|&d| d as u32));
                *pool.last_mut().unwrap() |= 1 << 31;
            }
        }
    }
    assert!(pool.len() < 0x800, "the pool outgrew the surrogates");

    let combining: Vec<u32> = runs(|c| u32::from(canonical_combining_class(nfd(c)[0])))
        .into_iter()
        .map(|(start, class)| start << 8 | class)
        .collect();

    let bytes = 4 * (packed.len() + starts.len() + pool.len() + combining.len())
        + 2 * (index.len() + offsets.len() + values.len());
    let mut out = String::new();
    write!(
        out,
        "//! Unicode data, {bytes} bytes in all. Made by `tests/tables.rs`: do not edit by hand.\n\
         //!\n\
         //! Facts are those of the Unicode versions that the `tokenizers` crate uses, so that both\n\
         //! treat every character alike.\n"
    )
    .unwrap();
    let o = &mut out;
    array(o, "Runs of equal class: first code point << 8 | class byte.", "CLASS_RUNS", "u32", &packed);
    array(
        o,
        "For each block of 256 code points below U+20000 the last run that starts at or before it.",
        "CLASS_INDEX",
        "u16",
        &index,
    );
    array(o, "First code point of each run of characters that decompose.", "DECOMPOSED_STARTS", "u32", &starts);
    array(o, "Where in `DECOMPOSED` each of these runs begins.", "DECOMPOSED_OFFSETS", "u16", &offsets);
    array(
        o,
        "What is left of a character: one character, or 0xD800 + an index into `DECOMPOSED_POOL`.",
        "DECOMPOSED",
        "u16",
        &values,
    );
    array(o, "Longer remainders; the top bit marks the last character of each.", "DECOMPOSED_POOL", "u32", &pool);
    array(
        o,
        "Runs of equal combining class of the first character decomposed: first code point << 8 | class.",
        "COMBINING_RUNS",
        "u32",
        &combining,
    );
    out
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/tables.rs")
}

#[test]
fn committed_tables_are_current() {
    let committed = std::fs::read_to_string(path()).expect("src/tables.rs is readable");
    assert!(
        committed == render(),
        "src/tables.rs is out of date: run `cargo test -p distil-tokenizer --test tables -- --ignored`"
    );
}

/// The scan takes marks that stay from the end of a decomposition, all of them at once.
#[test]
fn kept_marks_end_their_decomposition() {
    for c in '\0'..=char::MAX {
        let is_mark = |d: &char| class(*d) == KEPT_MARK;
        let kept = kept(c);
        let tail = kept.iter().skip_while(|d| !is_mark(d));
        assert!(tail.clone().all(is_mark), "{c:?}");
        // Without a starter before them they would have to be the character itself.
        assert!(tail.count() < kept.len() || kept.len() <= 1, "{c:?}");
    }
}

/// The size promised in the documentation.
#[test]
fn tables_are_small() {
    let text = render();
    let bytes = text.split_once("Unicode data, ").and_then(|(_, rest)| rest.split_once(' '));
    let bytes: usize = bytes.and_then(|(n, _)| n.parse().ok()).expect("a size");
    assert!(bytes < 15_000, "{bytes} bytes");
}

/// Lower-casing comes last and is followed by no second look at the class, so it must never turn
/// a letter into white space, punctuation or something else that is treated specially.
#[test]
fn lower_case_letters_are_plain() {
    for c in '\0'..=char::MAX {
        if c.to_lowercase().eq([c]) {
            continue;
        }
        assert_eq!(class(c) & !DECOMPOSES, PLAIN, "{c:?}");
        for lower in c.to_lowercase() {
            assert!(matches!(class(lower) & !DECOMPOSES, PLAIN | MARK), "{c:?}");
        }
    }
}

#[test]
#[ignore = "writes src/tables.rs"]
fn regenerate() {
    std::fs::write(path(), render()).expect("src/tables.rs is writable");
}
