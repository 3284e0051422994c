//! Any bytes, opened.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| distil_forge::targets::open(input));
