//! See `twitter_fuzz::path`.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| twitter_fuzz::path::check(text));
