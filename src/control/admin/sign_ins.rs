//! What becomes of everybody who comes to the door: counted, and said in the log where somebody is turned away.
//! A guesser must be seen, and must not be able to fill a disk: of each outcome there is a line a minute at most, which
//! says how many there were since the last one, and has nothing in it that the caller has sent.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::telemetry::{Counter, Telemetry};

/// Between two lines of one outcome.
const PAUSE: Duration = Duration::from_secs(60);

/// How far somebody got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SignIn {
    /// In.
    Admitted,
    /// Without what is asked for.
    Unauthorized,
    /// On a connection that was accepted with other certificates.
    Reconnect,
    /// Under a name that is not ours.
    WrongHost,
    /// From a page in a browser.
    CrossOrigin,
    /// Not through the TLS handshake, where a certificate is asked for.
    HandshakeFailed,
}

/// Who counts them.
pub(super) struct SignIns([Place; SignIn::ALL.len()]);

struct Place {
    outcome: SignIn,
    counter: Arc<Counter>,
    told: Mutex<Told>,
}

/// What the log has of an outcome.
#[derive(Default)]
struct Told {
    last: Option<Instant>,
    untold: u64,
}

// === impl SignIn ===

impl SignIn {
    const ALL: [Self; 6] = [
        Self::Admitted,
        Self::Unauthorized,
        Self::Reconnect,
        Self::WrongHost,
        Self::CrossOrigin,
        Self::HandshakeFailed,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Admitted => "admitted",
            Self::Unauthorized => "unauthorized",
            Self::Reconnect => "reconnect",
            Self::WrongHost => "wrong_host",
            Self::CrossOrigin => "cross_origin",
            Self::HandshakeFailed => "handshake_failed",
        }
    }
}

// === impl SignIns ===

impl SignIns {
    pub(super) fn new(telemetry: &Telemetry) -> Self {
        Self(SignIn::ALL.map(|outcome| Place {
            outcome,
            counter: telemetry.admin_sign_ins.child(&[outcome.name()]),
            told: Mutex::default(),
        }))
    }

    pub(super) fn note(&self, outcome: SignIn, peer: Option<IpAddr>) {
        for place in self.0.iter().filter(|place| place.outcome == outcome) {
            place.counter.inc();
            if outcome == SignIn::Admitted {
                continue;
            }
            let mut told = place.told.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(count) = told.count(Instant::now()) {
                tracing::warn!(
                    event = "admin_refused",
                    outcome = outcome.name(),
                    peer = peer.map(tracing::field::display),
                    count,
                    "somebody was turned away at the admin API; there is one such line a minute"
                );
            }
        }
    }
}

// === impl Told ===

impl Told {
    /// How many a line would tell of, if one is due.
    fn count(&mut self, now: Instant) -> Option<u64> {
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
