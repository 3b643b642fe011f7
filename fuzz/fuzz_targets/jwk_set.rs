//! Runs [`tollgate_fuzz::jwk_set`] on whatever libFuzzer makes.
//! The body is elsewhere, so that a stable test can replay the corpus without libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tollgate_fuzz::jwk_set::run(bytes));
