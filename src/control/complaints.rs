//! How often an operator is told of the same thing: when it begins, when it becomes another, and each minute.
//!
//! An issuer that is down fails every second; a log of nothing else would hide what matters.

use std::time::Duration;

use tokio::time::Instant;

/// How often an operator is told of the same thing.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(60);

/// What was said last, and when.
#[derive(Debug)]
pub(super) struct Complaints<T> {
    last: Option<(T, Instant)>,
}

// === impl Complaints ===

impl<T: PartialEq> Complaints<T> {
    /// Whether the operator is to be told of this.
    pub(super) fn is_due(&mut self, what: T) -> bool {
        let told = self
            .last
            .as_ref()
            .is_some_and(|(last, when)| *last == what && when.elapsed() < COMPLAINT_INTERVAL);
        if !told {
            self.last = Some((what, Instant::now()));
        }
        !told
    }

    /// It is over; whether there was anything.
    pub(super) fn end(&mut self) -> bool {
        self.last.take().is_some()
    }
}

impl<T> Default for Complaints<T> {
    fn default() -> Self {
        Self { last: None }
    }
}
