//! What a log is told of strangers. A guesser must be seen, and must not be able to fill a disk: of each kind of refusal
//! there is a line a minute at most, which says how many there were since the last one.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between two lines of one kind.
const PAUSE: Duration = Duration::from_secs(60);

/// What the log has of one kind.
#[derive(Debug, Default)]
pub(super) struct Told {
    last: Option<Instant>,
    untold: u64,
}

/// The same of several kinds, of a closed set.
#[derive(Debug, Default)]
pub(super) struct ToldByKind(Mutex<HashMap<&'static str, Told>>);

// === impl Told ===

impl Told {
    /// How many a line would tell of, if one is due.
    pub(super) fn count(&mut self, now: Instant) -> Option<u64> {
        self.untold = self.untold.saturating_add(1);
        let is_due = self
            .last
            .is_none_or(|last| now.saturating_duration_since(last) >= PAUSE);
        is_due.then(|| {
            self.last = Some(now);
            std::mem::take(&mut self.untold)
        })
    }
}

// === impl ToldByKind ===

impl ToldByKind {
    /// How many of this kind a line would tell of, if one is due.
    pub(super) fn count(&self, kind: &'static str, now: Instant) -> Option<u64> {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kinds.entry(kind).or_default().count(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_a_minute_tells_of_all_since_the_last_one() {
        let begun = Instant::now();
        let mut told = Told::default();
        for (seconds, expected) in [
            (0, Some(1)),
            (0, None),
            (30, None),
            (59, None),
            (60, Some(4)),
            (61, None),
            (500, Some(2)),
        ] {
            let now = begun + Duration::from_secs(seconds);
            assert_eq!(told.count(now), expected, "after {seconds} s");
        }
    }
}
