//! Any bytes, opened and run.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| distil_forge::targets::run(input));
