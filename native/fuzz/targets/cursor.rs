//! See `twitter_fuzz::cursor`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: twitter_fuzz::cursor::Input| input.check());
