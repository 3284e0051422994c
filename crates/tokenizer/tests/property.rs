//! Random text against the `tokenizers` crate: ids and byte offsets, in every setting.

mod support;

use std::sync::LazyLock;

use distil_tokenizer::{Settings, Token, Tokenizer, TooManyTokens};
use proptest::prelude::*;
use proptest::sample::select;
use support::{Characters, HashVocabulary, actual, expected};

const SPECIAL: [&str; 5] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

/// Marks that are dropped, kept, reordered or spacing, and what decomposes into them.
#[rustfmt::skip]
const MARKS: &[char] = &[
    '\u{300}', '\u{301}', '\u{307}', '\u{323}', '\u{327}', '\u{328}', '\u{344}', '\u{345}',
    '\u{34F}', '\u{5B0}', '\u{5BC}', '\u{64B}', '\u{651}', '\u{93C}', '\u{94D}', '\u{958}',
    '\u{F71}', '\u{F73}', '\u{F75}', '\u{F81}', '\u{1B44}', '\u{1BAA}', '\u{1BF2}', '\u{302A}',
    '\u{302E}', '\u{302F}', '\u{1DF9}', '\u{1D157}', '\u{1D15E}', '\u{1D160}', '\u{1D164}',
    '\u{1D165}', '\u{1D166}', '\u{1D167}', '\u{1D16D}', '\u{1D16E}', '\u{1D172}', '\u{1D17B}',
    '\u{1D1BB}', '\u{1D1C0}', '\u{16FF0}', '\u{1E944}', '\u{1E94A}', '\u{10D24}', '\u{898}',
];

/// Other characters at which something happens: case that changes length, decompositions of every
/// kind, Hangul, ideographs, controls, spaces.
#[rustfmt::skip]
const TROUBLE: &[char] = &[
    'a', 'B', 'z', '0', '\'', '[', ']', '#', 'İ', 'ı', 'ß', 'ẞ', 'Σ', 'σ', 'ς', 'é', 'É', 'ñ', 'ệ',
    'Ǖ', 'ſ', 'ﬁ', 'Ω', 'K', 'Å', '≠', '≮', ';', '·', '`', '\u{2329}', '가', '각', '힣', '\u{1100}',
    '\u{1161}', '\u{11A8}', '中', '文', '豈', '\u{FA6C}', '\u{2F800}', '\u{2F801}', '\u{20000}',
    '\u{2B820}', 'あ', 'が', 'ゞ', '。', '\0', '\u{1}', '\t', '\n', '\r', '\u{B}', '\u{C}', '\u{1C}',
    '\u{7F}', '\u{85}', '\u{A0}', '\u{AD}', '\u{1680}', '\u{180E}', '\u{2000}', '\u{200B}',
    '\u{200D}', '\u{2028}', '\u{2029}', '\u{202F}', '\u{205F}', '\u{2060}', '\u{3000}', '\u{FEFF}',
    '\u{FFFD}', '\u{FFFF}', '\u{E000}', '\u{E0001}', '\u{10FFFF}', '😀', '—', '“', '¡', '$', '+',
    '^', '|', '~', '_', '-', ' ',
];

/// A vocabulary with pieces of several lengths over these characters, some of them missing so
/// that some words are unknown.
static VOCABULARY: LazyLock<HashVocabulary> = LazyLock::new(|| {
    let mut text = SPECIAL.join("\n");
    let mut add = |entry: &str| {
        text.push('\n');
        text.push_str(entry);
    };
    for (i, c) in MARKS.iter().chain(TROUBLE).enumerate() {
        for c in [*c].into_iter().chain(c.to_lowercase()).filter(|c| !c.is_whitespace()) {
            if i % 7 != 3 {
                add(&format!("{c}"));
            }
            if i % 5 != 3 {
                add(&format!("##{c}"));
            }
        }
    }
    for entry in ["az", "##az", "a0z", "##za", "##i\u{307}", "σς", "##eeee", "aaaaaaa", "##aaa", "##", "###"] {
        add(entry);
    }
    for c in 'b'..='y' {
        add(&format!("{c}"));
        add(&format!("##{c}"));
    }
    HashVocabulary::new(&text)
});

type CharacterOracle = Box<dyn Fn(&str) -> Vec<Token> + Send + Sync>;

/// Both oracles of every setting, made once.
struct Case {
    settings: Settings,
    oracle: tokenizers::Tokenizer,
    of_characters: Settings,
    characters: CharacterOracle,
}

static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| {
    let pairs = VOCABULARY.settings().zip(Characters::settings());
    pairs
        .map(|(settings, of_characters)| Case {
            settings,
            oracle: VOCABULARY.oracle(&settings),
            of_characters,
            characters: Box::new(Characters::oracle(of_characters)),
        })
        .collect()
});

fn agree(text: &str, case: usize) -> Result<(), TestCaseError> {
    let case = &CASES[case];
    let tokenizer = Tokenizer::new(&*VOCABULARY, case.settings);
    let wanted = expected(&case.oracle, text);
    prop_assert_eq!(&actual(&tokenizer, text), &wanted, "{:?} {:?}", text, case.settings);
    let tokenizer = Tokenizer::new(Characters, case.of_characters);
    let characters = actual(&tokenizer, text);
    prop_assert_eq!(characters, (case.characters)(text), "{:?} {:?}", text, case.of_characters);
    Ok(())
}

/// A text of pieces: special tokens whole, broken and in other case; runs of one character around
/// the longest word; words; single characters.
fn mixture() -> impl Strategy<Value = String> {
    let character = || select([MARKS, TROUBLE].concat()).prop_map(String::from);
    let piece = prop_oneof![
        12 => character(),
        4 => proptest::collection::vec(select(MARKS), 1..6).prop_map(String::from_iter),
        3 => "[a-zA-Z0-9]{1,8}",
        1 => select(&SPECIAL[..]).prop_map(String::from),
        1 => select(&["[mask]", "[CLS", "[[SEP]]", "[MASK] ", "[PA\u{301}D]", "[\0SEP]"][..])
            .prop_map(String::from),
        1 => any::<char>().prop_map(String::from),
        1 => (character(), 96..104usize).prop_map(|(c, n)| c.repeat(n)),
        2 => Just(" ".to_owned()),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mixtures(text in mixture(), case in 0..8usize) {
        agree(&text, case)?;
    }

    #[test]
    fn arbitrary_text(text in any::<String>(), case in 0..8usize) {
        agree(&text, case)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Words around the limit, of normalized characters of every length.
    #[test]
    fn long_words(
        parts in proptest::collection::vec((select([MARKS, TROUBLE].concat()), 1..60usize), 1..6),
        case in 0..8usize,
    ) {
        let text: String = parts.iter().flat_map(|&(c, n)| std::iter::repeat_n(c, n)).collect();
        agree(&text, case)?;
    }

    /// Runs of marks, as long as several words, that cannot be held in a buffer.
    #[test]
    fn runs_of_marks(
        start in select(&["", "e", "é", "\u{1D15E}", "\u{1D160}", "中", "[SEP]", " ", "\u{F73}"][..]),
        marks in proptest::collection::vec(select(MARKS), 1..400),
        end in select(&["", "b", "[", " a"][..]),
        case in 0..8usize,
    ) {
        let text: String = start.chars().chain(marks).chain(end.chars()).collect();
        agree(&text, case)?;
    }

    /// Too small a slice holds the first tokens, and the error says how many.
    #[test]
    fn too_little_room(text in mixture(), room in 0..10usize) {
        let tokenizer = Tokenizer::new(&*VOCABULARY, CASES[7].settings);
        let all = actual(&tokenizer, &text);
        let mut out = vec![Token::default(); room];
        match tokenizer.tokenize(&text, &mut out) {
            Ok(n) => prop_assert_eq!(&out[..n], &all[..]),
            Err(TooManyTokens { fitted }) => {
                prop_assert_eq!(fitted, room);
                prop_assert!(all.len() > room);
                prop_assert_eq!(&out[..], &all[..room]);
            }
        }
    }
}
