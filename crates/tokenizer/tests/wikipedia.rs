//! Real text with BERT's real vocabulary against the `tokenizers` crate.

mod support;

use std::fs;

use distil_tokenizer::{Token, Tokenizer};
use support::{HashVocabulary, actual, expected, shared};

/// Every line, with the settings of the uncased and of the cased models.
#[test]
fn every_line_of_the_held_out_articles() {
    let (Some(text), Some(vocabulary)) = (shared("data/text/wiki-valid.txt"), shared("data/vocab/vocab.txt")) else {
        return;
    };
    let text = fs::read_to_string(text).expect("text");
    let vocabulary = HashVocabulary::new(&fs::read_to_string(vocabulary).expect("a vocabulary"));
    let models = vocabulary.settings().filter(|s| s.lowercase == s.strip_accents && s.split_cjk);
    for settings in models {
        let oracle = vocabulary.oracle(&settings);
        let tokenizer = Tokenizer::new(&vocabulary, settings);
        let mut tokens = vec![Token::default(); 8192];
        let mut total = 0;
        for (i, line) in text.lines().enumerate() {
            let n = tokenizer.tokenize(line, &mut tokens).expect("room for every line");
            assert_eq!(tokens[..n], expected(&oracle, line), "line {}: {line:?}", i + 1);
            total += n;
        }
        assert!(total > 300_000, "{total} tokens are too few for this text");
        // The whole text at once gives the same tokens: line ends are white space.
        assert_eq!(actual(&tokenizer, &text).len(), total);
    }
}
