//! Every character there is against the `tokenizers` crate.

mod support;

use distil_tokenizer::{Settings, Tokenizer};
use support::{Characters, actual};

#[test]
fn every_character_between_letters_in_every_setting() {
    let (lower, as_is): (Vec<_>, Vec<_>) = Characters::settings().partition(|s| s.lowercase);
    std::thread::scope(|scope| {
        scope.spawn(|| lower.iter().for_each(|s| check(*s, |c| format!("a{c}b "))));
        as_is.iter().for_each(|s| check(*s, |c| format!("a{c}b ")));
    });
}

/// Marks of three combining classes, of which two stay when accents are stripped: so the order
/// and the offsets that canonical ordering gives them are seen.
#[test]
fn every_character_before_marks() {
    for settings in Characters::settings().filter(|s| s.strip_accents && s.split_cjk) {
        check(settings, |c| format!("{c}\u{302E}\u{301}\u{1D165} "));
    }
}

/// Compares all characters, many to a text for speed.
fn check(settings: Settings, context: impl Fn(char) -> String) {
    let oracle = Characters::oracle(settings);
    let tokenizer = Tokenizer::new(Characters, settings);
    let all: Vec<char> = ('\0'..=char::MAX).collect();
    for chunk in all.chunks(512) {
        let text: String = chunk.iter().map(|&c| context(c)).collect();
        if actual(&tokenizer, &text) == oracle(&text) {
            continue;
        }
        // Name the first that fails alone.
        for &c in chunk {
            let text = context(c);
            assert_eq!(actual(&tokenizer, &text), oracle(&text), "{c:?} {settings:?}");
        }
        panic!("differs only together: {chunk:?} {settings:?}");
    }
}
