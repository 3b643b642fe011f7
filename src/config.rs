//! The operator's TOML, exactly as written, every mistake with its place.
//!
//! This module knows the *language*: which tables and keys there are, what type and range each has. It does not know
//! what they mean: that an issuer must exist before a plan may name it is the domain's affair (see
//! [`crate::snapshot`]). It reports all mistakes of all files at once, because an operator at 3 a.m. should not have
//! to find them one restart at a time.

mod place;
mod schema;

pub use place::{Located, Place};
pub use schema::*;
