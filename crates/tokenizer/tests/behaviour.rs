//! What the tokenizer does, by example: each line can be checked by eye.

mod support;

use std::ops::ControlFlow;

use distil_tokenizer::{Settings, Token, Tokenizer, Vocabulary};
use support::{HashVocabulary, actual, expected};

const VOCABULARY: &str = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nturn\nthe\nlight\n##s\noff\n!\n[\n]\n\
    mask\ncafe\nœ\n中\nİ\ni\n##\u{307}\nstraße\nσ\n##ς\n##σ\n=\n각\n\u{1100}\n##\u{1161}\n##\u{11A8}\nCafé";

/// Tokens as `(entry, part of the text)`.
fn tokens(text: &str, change: impl Fn(&mut Settings)) -> Vec<(&'static str, &str)> {
    let vocabulary = HashVocabulary::new(VOCABULARY);
    let mut settings = vocabulary.settings().last().expect("settings with every switch on");
    change(&mut settings);
    let found = actual(&Tokenizer::new(&vocabulary, settings), text);
    assert_eq!(found, expected(&vocabulary.oracle(&settings), text));
    let entries: Vec<&str> = VOCABULARY.lines().collect();
    let part = |t: &Token| &text[t.start as usize..t.end as usize];
    found.iter().map(|t| (entries[t.id as usize], part(t))).collect()
}

fn cased(settings: &mut Settings) {
    settings.lowercase = false;
    settings.strip_accents = false;
}

#[test]
fn words_pieces_and_punctuation() {
    let found = tokens("Turn the\tLIGHTS off!", |_| ());
    let wanted = [("turn", "Turn"), ("the", "the"), ("light", "LIGHT"), ("##s", "S"), ("off", "off"), ("!", "!")];
    assert_eq!(found, wanted);
}

#[test]
fn pieces_that_continue_a_word_are_told_apart() {
    let vocabulary = HashVocabulary::new(VOCABULARY);
    let entries: Vec<&str> = VOCABULARY.lines().collect();
    for settings in vocabulary.settings() {
        let tokenizer = Tokenizer::new(&vocabulary, settings);
        let mut seen = 0;
        let text = "lights off! [MASK]s 각 σς σ zzz the\u{301}light İs σσσ ##s";
        let _ = tokenizer.for_each_piece(text, |token, continues| {
            assert_eq!(continues, entries[token.id as usize].starts_with("##"), "{token:?}");
            seen += usize::from(continues);
            ControlFlow::Continue(())
        });
        assert!(seen >= 4, "{seen}");
    }
}

#[test]
fn special_tokens_only_as_they_are_written() {
    let found = tokens("the[MASK]s [mask] [[SEP]", |_| ());
    let wanted = [
        ("the", "the"),
        ("[MASK]", "[MASK]"),
        ("[UNK]", "s"),
        ("[", "["),
        ("mask", "mask"),
        ("]", "]"),
        ("[", "["),
        ("[SEP]", "[SEP]"),
    ];
    assert_eq!(found, wanted);
}

#[test]
fn accents_go_with_or_without_composition() {
    assert_eq!(tokens("Café", |_| ()), [("cafe", "Café")]);
    // A mark of its own is not part of the token: it is no source of a character.
    assert_eq!(tokens("cafe\u{301}", |_| ()), [("cafe", "cafe")]);
    assert_eq!(tokens("≠", |_| ()), [("=", "≠")]);
    assert_eq!(tokens("Café", cased), [("Café", "Café")]);
}

#[test]
fn case_is_changed_one_character_at_a_time() {
    assert_eq!(tokens("STRASSE", |_| ()), [("[UNK]", "STRASSE")]);
    assert_eq!(tokens("STRAẞE", |_| ()), [("straße", "STRAẞE")]);
    assert_eq!(tokens("ΣΣ", |_| ()), [("σ", "Σ"), ("##σ", "Σ")]);
    assert_eq!(tokens("İ", |_| ()), [("i", "İ")]);
    assert_eq!(tokens("İ", cased), [("İ", "İ")]);
    // Two characters from one: both stand for it.
    let lower = |s: &mut Settings| s.strip_accents = false;
    assert_eq!(tokens("İ", lower), [("i", "İ"), ("##\u{307}", "İ")]);
}

#[test]
fn ideographs_and_syllables() {
    assert_eq!(tokens("the中中", |_| ()), [("the", "the"), ("中", "中"), ("中", "中")]);
    assert_eq!(tokens("the中", |s| s.split_cjk = false), [("[UNK]", "the中")]);
    let jamo = [("\u{1100}", "각"), ("##\u{1161}", "각"), ("##\u{11A8}", "각")];
    assert_eq!(tokens("각", |_| ()), jamo);
    assert_eq!(tokens("각", cased), [("각", "각")]);
}

#[test]
fn invisible_characters_join_words() {
    assert_eq!(tokens("li\u{AD}gh\0t\u{200B}s", |_| ()), [("light", "li\u{AD}gh\0t"), ("##s", "s")]);
    assert_eq!(tokens("", |_| ()), []);
    assert_eq!(tokens(" \u{3000}\u{FEFF}\n", |_| ()), []);
}

#[test]
fn the_caller_can_stop() {
    let vocabulary = HashVocabulary::new(VOCABULARY);
    let settings = vocabulary.settings().last().expect("settings");
    let mut seen = 0;
    let flow = Tokenizer::new(&vocabulary, settings).for_each("the light off", |_| {
        seen += 1;
        if seen == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!((flow, seen), (ControlFlow::Break(()), 2));
}

/// A vocabulary that answers with any length it likes.
struct Broken(usize);

impl Vocabulary for Broken {
    fn longest_match(&self, _: &[u8], _: bool) -> Option<(u32, usize)> {
        Some((7, self.0))
    }
}

#[test]
fn a_wrong_vocabulary_gives_wrong_tokens_but_no_panic() {
    let vocabulary = HashVocabulary::new(VOCABULARY);
    let text = "word wörd \u{10400}\u{10400} \u{302E}\u{302E} straße".repeat(3);
    for settings in vocabulary.settings() {
        for length in [0, 1, 2, 3, 5, 1000, usize::MAX] {
            let tokens = actual(&Tokenizer::new(Broken(length), settings), &text);
            assert!(tokens.iter().all(|t| t.start <= t.end && t.end as usize <= text.len()));
        }
    }
}
