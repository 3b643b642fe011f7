//! What each fuzz target does with its input, apart from libFuzzer.
//! The stable test `tests/corpora.rs` of the gateway includes this file and replays `corpus/` through it.

pub mod config;
pub mod credential;
pub mod jwk_set;
pub mod jws;
pub mod keys;
pub mod oracle;
pub mod path;
pub mod shape;
