//! The control plane: what changes while traffic flows. It reads configuration, fetches keys, answers Prometheus, and
//! writes the gateway's cells through their doors; it never touches a request.
//!
//! It runs on threads of its own, so a slow issuer or an operator's query never slows a caller.

pub mod admin;
pub mod client;
mod complaints;
pub mod counting;
mod door;
pub mod fetch;
pub mod introspection;
pub mod keys;
mod lists;
pub mod load;
pub mod once;
pub mod private_file;
pub mod registrar;
pub mod reload;
pub mod state;
pub mod status;
pub mod token_service;
mod told;
pub mod watch;

use std::sync::Arc;

use crate::snapshot::Snapshot;

/// The door to the cell that holds the present snapshot.
pub trait Publish: Send + Sync {
    /// Puts a snapshot in place, in one step.
    fn publish(&self, snapshot: Arc<Snapshot>);
    /// The present snapshot.
    fn snapshot(&self) -> Arc<Snapshot>;
}
