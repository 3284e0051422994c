//! Any model, written and read.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| distil_forge::targets::write_files(input));
