//! Runs [`tollgate_fuzz::config`] on whatever libFuzzer makes.
//! The body is elsewhere, so that a stable test can replay the corpus without libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tollgate_fuzz::config::run(bytes));
