//! Tollgate, an edge API gateway: every request's token, plan and subscription are decided here, in microseconds.
//!
//! Read `ARCHITECTURE.md` first, then [`access`]: the one function that a request's fate depends on.

pub mod access;
pub mod api;
pub mod app;
pub mod authorization;
pub mod cli;
pub mod config;
pub mod control;
pub mod credential;
pub mod exit;
pub mod explain;
pub mod id;
pub mod identity;
pub mod issuer;
pub mod issuing;
pub mod limit;
pub mod mint;
pub mod predicate;
pub mod proxy;
pub mod revocation;
pub mod route;
pub mod secret;
pub mod snapshot;
pub mod subscription;
pub mod telemetry;
pub mod time;
pub mod token;
pub mod upstream;
