//! Every character there is, in every combination of settings, against the `tokenizers` crate.

mod support;

use distil_tokenizer::Tokenizer;
use support::{Characters, actual};

/// A character between letters; and before marks of three combining classes, of which two stay
/// when accents are stripped.
const CONTEXTS: [fn(char) -> String; 2] = [
    |c| format!("a{c}b "),
    |c| format!("é{c}\u{302E}\u{301}\u{1D165}[ "),
];

/// Many characters to a text, for speed.
#[test]
fn every_character() {
    let all: Vec<char> = ('\0'..=char::MAX).collect();
    let settings: Vec<_> = Characters::settings().collect();
    std::thread::scope(|scope| {
        for half in settings.chunks(4) {
            let all = &all;
            scope.spawn(move || {
                for &settings in half {
                    let oracle = Characters::oracle(settings);
                    let tokenizer = Tokenizer::new(Characters, settings);
                    for chunk in all.chunks(512) {
                        for context in CONTEXTS {
                            let text: String = chunk.iter().map(|&c| context(c)).collect();
                            if actual(&tokenizer, &text) != oracle(&text) {
                                find(&tokenizer, &oracle, context, chunk);
                            }
                        }
                    }
                }
            });
        }
    });
}

/// Names the first character of a failed chunk that fails alone.
fn find(
    tokenizer: &Tokenizer<Characters>,
    oracle: &impl Fn(&str) -> Vec<distil_tokenizer::Token>,
    context: fn(char) -> String,
    chunk: &[char],
) {
    for &c in chunk {
        let text = context(c);
        assert_eq!(
            actual(tokenizer, &text),
            oracle(&text),
            "{c:?} {:?}",
            tokenizer.settings()
        );
    }
    panic!(
        "differs only together: {chunk:?} {:?}",
        tokenizer.settings()
    );
}
