//! The cell that holds the present snapshot, with the meters that belong to it.
//!
//! A request takes both at once when it begins and keeps them to its end, so it never counts for an API that its
//! snapshot does not know.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::meters::Meters;
use crate::snapshot::Snapshot;
use crate::telemetry::Telemetry;

/// A snapshot and its meters.
pub(super) struct Live {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) meters: Meters,
}

/// Where the present snapshot is.
pub struct Cell {
    live: ArcSwap<Live>,
    telemetry: Arc<Telemetry>,
}

// === impl Live ===

impl Live {
    fn new(snapshot: Arc<Snapshot>, telemetry: &Telemetry) -> Self {
        let meters = Meters::resolve(&snapshot, telemetry);
        Self { snapshot, meters }
    }
}

// === impl Cell ===

impl Cell {
    /// A cell with a first snapshot.
    pub fn new(snapshot: Arc<Snapshot>, telemetry: Arc<Telemetry>) -> Self {
        let live = Live::new(snapshot, &telemetry);
        Self {
            live: ArcSwap::from_pointee(live),
            telemetry,
        }
    }

    /// Puts a snapshot in place, in one step: requests that begin from now on see it.
    pub fn publish(&self, snapshot: Arc<Snapshot>) {
        self.live.store(Arc::new(Live::new(snapshot, &self.telemetry)));
    }

    /// The present snapshot.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.live.load().snapshot)
    }

    /// How long a connection may lie idle at present.
    pub(super) fn idle_timeout(&self) -> Duration {
        self.live.load().snapshot.http.idle_timeout
    }

    pub(super) fn live(&self) -> Arc<Live> {
        self.live.load_full()
    }
}
