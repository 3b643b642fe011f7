//! What is known of a key beside what it is made of: since when it is here, when it was last used, how many tokens it
//! has vouched for. An operator who wants to withdraw a key asks this; nothing is decided by it.
//!
//! A history is shared and not copied. When a set takes the place of another, a key that stays keeps its history, so
//! that a request which still holds the former set counts in the same place, and nothing is lost between the two.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use crate::time::UnixTime;

/// The history of one key, from when it was first seen until it goes.
#[derive(Debug, Default)]
pub struct KeyHistory {
    /// In milliseconds; 0: not yet told.
    first_seen: AtomicI64,
    /// 0: never.
    last_used_seconds: AtomicI64,
    tokens_verified: AtomicU64,
}

// === impl KeyHistory ===

impl KeyHistory {
    /// The key is here; only the first time counts.
    pub(super) fn begin(&self, now: UnixTime) {
        let _ = self
            .first_seen
            .compare_exchange(0, now.millis(), Ordering::Relaxed, Ordering::Relaxed);
    }

    /// When the key came; nothing, if it was never put in place.
    pub fn first_seen(&self) -> Option<UnixTime> {
        match self.first_seen.load(Ordering::Relaxed) {
            0 => None,
            millis => Some(UnixTime::from_millis(millis)),
        }
    }

    /// A request was permitted with a token of this key. An edge calls this; nothing decides by it.
    pub fn note_use(&self, now: UnixTime) {
        // Read before write: within one second, all cores share the line without fighting over it.
        if self.last_used_seconds.load(Ordering::Relaxed) != now.seconds() {
            self.last_used_seconds.store(now.seconds(), Ordering::Relaxed);
        }
    }

    /// When that was last, to the second.
    pub fn last_used(&self) -> Option<UnixTime> {
        match self.last_used_seconds.load(Ordering::Relaxed) {
            0 => None,
            seconds => Some(UnixTime::from_seconds(seconds)),
        }
    }

    /// A token was verified with the key, every check of it. An edge calls this, where a signature has just been
    /// checked: one addition is nothing beside that.
    pub fn note_verified(&self) {
        self.tokens_verified.fetch_add(1, Ordering::Relaxed);
    }

    /// How often that was. A token that is remembered counts once for as long as it is.
    pub fn tokens_verified(&self) -> u64 {
        self.tokens_verified.load(Ordering::Relaxed)
    }
}
