//! Any text, tokenized with any vocabulary.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| distil_forge::targets::tokenize(input));
