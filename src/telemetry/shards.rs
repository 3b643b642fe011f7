//! One number kept in several places, so that threads which count at once do not wait for each other.
//!
//! An addition to an atomic costs a nanosecond where the cache line is at hand, and tens of them where another core has
//! it. What every request moves is therefore in [`SHARDS`] places that share no cache line; a thread adds to its own, and
//! whoever reads adds them up.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Worker threads beyond this share; on machines with more cores two threads then meet on one cache line, which costs
/// tens of nanoseconds, against the memory of one more place for every series.
pub(super) const SHARDS: usize = 4;

/// One value for each group of threads.
#[derive(Debug, Default)]
pub(super) struct Sharded<T>([Padded<T>; SHARDS]);

/// Aligned to two cache lines because processors fetch them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Padded<T>(T);

// === impl Sharded ===

impl<T> Sharded<T> {
    /// The place of this thread, the same one for its life.
    pub(super) fn own(&self) -> &T {
        let [first, ..] = &self.0;
        // There is a place for every thread; the first stands in for an index that cannot be.
        &self.0.get(shard_of_this_thread()).unwrap_or(first).0
    }

    /// All of them, for whoever adds them up.
    pub(super) fn all(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|Padded(value)| value)
    }
}

/// Threads take the places in turn.
fn shard_of_this_thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static SHARD: usize = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS;
    }
    SHARD.with(|shard| *shard)
}
