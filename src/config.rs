//! The operator's TOML, exactly as written, every mistake with its place.
//!
//! This module knows the *language*: which tables and keys there are, what type and range each has. It does not know
//! what they mean: that an issuer must exist before a plan may name it is the domain's affair (see
//! [`crate::snapshot`]). It reports all mistakes of all files at once, because an operator at 3 a.m. should not have
//! to find them one restart at a time.
//!
//! What is not understood is refused, never skipped: a key that is spelled wrongly, or that this version does not
//! know, may be the very one that was meant to keep a door shut.

mod decode;
mod mistake;
mod outline;
mod place;
mod plain;
mod read;
mod schema;
mod source;
mod syntax;
mod table;
mod value;

#[cfg(test)]
mod tests;

pub use decode::known_keys;
pub use mistake::{Mistake, Mistakes};
pub use outline::{Setting, Spot, Written};
pub use place::{Located, Place};
pub use read::{FILE_BYTES_MAX, FILES_MAX, Files, parse};
pub use schema::*;
