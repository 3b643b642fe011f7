//! A store under watch: whether it does what it is asked at the moment, and how often it did not.
//!
//! Requests are decided without it, so nobody would notice a store that fails before an operator needs it. What it says
//! is in the log; that it fails is for whoever looks at `/ready` and the metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::store::{Batch, Changes, CommitError, Key, Kind, Revision, Store, StoreError, Versioned};

/// A store and what is noted of it.
pub struct Watched<S> {
    store: Arc<S>,
    health: Arc<StoreHealth>,
}

/// How a store does.
#[derive(Debug, Default)]
pub struct StoreHealth {
    /// Reading it.
    pub reads: Attempts,
    /// Writing it.
    pub writes: Attempts,
}

/// Attempts of one kind.
#[derive(Debug, Default)]
pub struct Attempts {
    last_failed: AtomicBool,
    failures: AtomicU64,
}

// === impl Watched ===

impl<S: Store> Watched<S> {
    /// Watches this store.
    pub fn new(store: impl Into<Arc<S>>, health: Arc<StoreHealth>) -> Self {
        let store = store.into();
        Self { store, health }
    }

    fn read<T>(&self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        self.health.reads.note(outcome.as_ref().err());
        outcome
    }
}

impl<S: Store> Store for Watched<S> {
    fn revision(&self) -> Result<Revision, StoreError> {
        self.read(self.store.revision())
    }

    fn load(
        &self,
        visit: &mut dyn FnMut(Key, Versioned) -> Result<(), StoreError>,
    ) -> Result<Revision, StoreError> {
        self.read(self.store.load(visit))
    }

    fn get(&self, key: &Key) -> Result<Option<Versioned>, StoreError> {
        self.read(self.store.get(key))
    }

    fn list(
        &self,
        kind: Kind,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Versioned)>, StoreError> {
        self.read(self.store.list(kind, prefix, after, limit))
    }

    fn commit(&self, batch: Batch) -> Result<Revision, CommitError> {
        let outcome = self.store.commit(batch);
        self.health.writes.note(match &outcome {
            // Who came second has not learnt whether it can be written.
            Err(CommitError::Conflict(_)) => return outcome,
            Err(CommitError::Store(error)) => Some(error),
            Ok(_) => None,
        });
        outcome
    }

    fn changes(&self, after: Revision) -> Result<Changes, StoreError> {
        self.read(self.store.changes(after))
    }

    fn notes(&self, before: Option<Revision>, limit: usize) -> Result<Vec<(Revision, Vec<u8>)>, StoreError> {
        self.read(self.store.notes(before, limit))
    }
}

// === impl Attempts ===

impl Attempts {
    /// Whether the last one failed.
    pub fn last_failed(&self) -> bool {
        self.last_failed.load(Ordering::Relaxed)
    }

    /// How many have failed.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    fn note(&self, error: Option<&StoreError>) {
        let failed = match error {
            None => false,
            // That is the caller's, not the store's.
            Some(StoreError::Bounds(_)) => return,
            Some(StoreError::Open { .. } | StoreError::Damaged(_) | StoreError::Failed(_)) => true,
        };
        self.last_failed.store(failed, Ordering::Relaxed);
        self.failures.fetch_add(u64::from(failed), Ordering::Relaxed);
    }
}
