//! Tollgate, an edge API gateway: every request's token, plan and subscription are decided here, in microseconds.
//!
//! Read `ARCHITECTURE.md` first.

pub mod config;
pub mod control;
