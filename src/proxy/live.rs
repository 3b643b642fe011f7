//! The cell that holds the present snapshot, with the meters that belong to it.
//!
//! A request takes both at once when it begins and keeps them to its end, so it never counts for an API that its
//! snapshot does not know. What it takes is a handle of its own thread: if all threads counted their references to the
//! snapshot in one place, that place would go from core to core with every request.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::meters::Meters;
use super::place::{PLACES, Padded, place_of_this_thread};
use crate::snapshot::Snapshot;
use crate::telemetry::Telemetry;

/// A snapshot and its meters.
pub(super) struct Live {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) meters: Meters,
}

/// What the requests of one thread share.
pub(super) struct Handle(Arc<Live>);

/// Where the present snapshot is.
pub struct Cell {
    live: ArcSwap<Live>,
    /// One for each thread, all of the same snapshot, but for the moment in which it is replaced.
    handles: Box<[Padded<ArcSwap<Handle>>]>,
    telemetry: Arc<Telemetry>,
}

// === impl Live ===

impl Live {
    fn new(snapshot: Arc<Snapshot>, telemetry: &Telemetry) -> Self {
        let meters = Meters::resolve(&snapshot, telemetry);
        Self { snapshot, meters }
    }
}

// === impl Handle ===

impl Deref for Handle {
    type Target = Live;

    fn deref(&self) -> &Live {
        &self.0
    }
}

// === impl Cell ===

impl Cell {
    /// A cell with a first snapshot.
    pub fn new(snapshot: Arc<Snapshot>, telemetry: Arc<Telemetry>) -> Self {
        let live = Arc::new(Live::new(snapshot, &telemetry));
        let handle = |_| Padded(ArcSwap::from_pointee(Handle(Arc::clone(&live))));
        Self {
            handles: (0..PLACES).map(handle).collect(),
            live: ArcSwap::new(live),
            telemetry,
        }
    }

    /// Puts a snapshot in place: every request that begins after this has returned sees it. There is one writer.
    pub fn publish(&self, snapshot: Arc<Snapshot>) {
        let live = Arc::new(Live::new(snapshot, &self.telemetry));
        for Padded(handle) in &self.handles {
            handle.store(Arc::new(Handle(Arc::clone(&live))));
        }
        self.live.store(live);
    }

    /// The present snapshot.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.live.load().snapshot)
    }

    /// How long a connection may lie idle at present.
    pub(super) fn idle_timeout(&self) -> Duration {
        self.live.load().snapshot.http.idle_timeout
    }

    /// The present snapshot and its meters, for a request.
    pub(super) fn live(&self) -> Arc<Handle> {
        match self.handles.get(place_of_this_thread()) {
            Some(Padded(handle)) => handle.load_full(),
            // There is a place for every thread.
            None => Arc::new(Handle(self.live.load_full())),
        }
    }
}
