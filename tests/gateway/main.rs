//! The whole gateway, from outside: the real binary on real sockets, between callers and upstreams that are written
//! by hand and keep every byte.
//!
//! Nothing here knows how the gateway is built inside. A test starts it with a configuration ([`harness::Gateway`]),
//! calls it, and looks at four things only: the answer, what arrived at the upstream, the access log and the metrics.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on says so and ends"
)]

mod admin;
mod commands;
mod decisions;
mod explain;
mod floods;
mod grpc;
mod harness;
mod headers;
mod introspection;
mod issuing;
mod keep_alive;
mod keys;
mod limits;
mod lives;
mod metrics;
mod operate;
mod relay;
mod reload;
mod revocations;
mod start;
mod upstreams;
mod world;
