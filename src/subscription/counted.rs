//! What an application or a subscription has used of its limits, and whether somebody has been told that it changed.
//!
//! There may be a million entries, and a few of them call in a second. So an entry that has counted something says so,
//! once until it has been looked at, and nobody need look through all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::limit::Tally;

/// What was used.
#[derive(Debug, Default)]
pub struct Counted {
    /// The counts themselves. They are the subject's, whatever becomes of its entry.
    pub tally: Arc<Tally>,
    noted: AtomicBool,
}

// === impl Counted ===

impl Counted {
    /// The same counts, in another entry.
    pub(super) fn again(&self) -> Self {
        Self {
            tally: Arc::clone(&self.tally),
            noted: AtomicBool::default(),
        }
    }

    /// Whether something was counted that is to be kept, and nobody has been told yet. Whoever asks tells.
    pub fn note(&self) -> bool {
        self.tally.has_changed()
            && !self.noted.load(Ordering::Relaxed)
            && !self.noted.swap(true, Ordering::AcqRel)
    }

    /// Whoever was told looks: what is counted from here on is told anew. Whether there is anything to look at.
    pub fn look(&self) -> bool {
        self.noted.store(false, Ordering::Release);
        self.tally.take_changed()
    }
}
