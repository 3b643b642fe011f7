//! What becomes of everybody who comes to the door: counted, and said in the log where somebody is turned away.
//! A guesser must be seen, and must not be able to fill a disk: of each outcome there is a line a minute at most, which
//! says how many there were since the last one, and has nothing in it that the caller has sent.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::control::told::Told;
use crate::telemetry::{Counter, Telemetry};

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
