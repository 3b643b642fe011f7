//! The control plane: everything that changes what the gateway knows while it runs.
//!
//! The data plane reads three cells: the snapshot, each issuer's key set, the subscription index. This module is
//! what writes them, and it does so only through their doors: it builds a whole new value and hands it over, or it
//! keeps the old one and says why. It never touches a request, and it runs on a thread of its own, so a slow disk
//! or a dead issuer costs callers nothing.
//!
//! * [`watch`] says when the configuration on disk may have changed.
//! * [`fetch`] brings an issuer's key set over HTTP, within bounds of size and time.

pub mod fetch;
pub mod watch;
