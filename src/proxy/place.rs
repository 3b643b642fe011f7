//! A place for each thread, so that threads keep apart what they need not share.
//!
//! A cache line that two cores write to goes back and forth between them, for tens of nanoseconds each time, and the more
//! cores there are the longer they wait for it. So what every request touches is there once for each thread.

use std::sync::atomic::{AtomicUsize, Ordering};

/// More threads than this share places.
pub(super) const PLACES: usize = 64;

/// Alone on its cache lines: processors fetch them in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Padded<T>(pub(super) T);

/// Threads take the places in turn, each the same one for its life.
pub(super) fn place_of_this_thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static PLACE: usize = NEXT.fetch_add(1, Ordering::Relaxed) % PLACES;
    }
    PLACE.with(|place| *place)
}
