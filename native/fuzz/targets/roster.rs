//! See `twitter_fuzz::roster`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: twitter_fuzz::roster::Input| input.check());
