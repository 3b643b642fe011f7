//! What the gateway says about itself: metrics for Prometheus, and one line for each request.
//!
//! This is mechanism. It knows how a number is counted, named, bounded and written; the domain does not appear in it,
//! and the edges call it with facts that the core returned. Three promises hold whatever they call it with:
//!
//! * **Counting costs atomics.** A child (one label set of one family) is resolved when a snapshot is compiled or an
//!   edge starts, and kept. `inc`, `set` and `observe` then take no lock and allocate nothing.
//! * **Memory has an end.** No family has more than [`SERIES_MAX`] children; further label sets share one child named
//!   `other`, and how often that happened is itself a metric.
//! * **No value can forge output.** Label values are escaped in the exposition, every text in an access line is bounded
//!   and escaped, so that a hostile path or `kid` stays inside its quotes.

mod access_log;
mod family;
mod histogram;
mod instrument;
pub mod names;
mod registry;
mod shards;

pub use access_log::{AccessRecord, CLAIMS_MAX, LINE_BYTES_MAX, PATH_BYTES_MAX, TEXT_BYTES_MAX};
pub use family::{CounterFamily, Family, GaugeFamily, HistogramFamily, LABEL_BYTES_MAX, OTHER, SERIES_MAX};
pub use histogram::{Buckets, Histogram, OBSERVATION_MAX};
pub use instrument::{Counter, Gauge, Instrument, Level};
pub use names::describe;
pub use registry::{CONTENT_TYPE, ScrapeHook, Telemetry, TelemetryError};
