//! See `twitter_fuzz::payload`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: twitter_fuzz::payload::Input| input.check());
