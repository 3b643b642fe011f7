//! How the last fetch of an issuer's keys went, and what there is to complain about: for operators, never for a
//! decision. It stands beside the keys and not in a log, because whoever looks at an issuer asks for both.

use super::ring::Quarantined;
use super::{Issuer, KeySource};
use crate::time::UnixTime;

/// The last fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// When it ended.
    pub at: UnixTime,
    /// What came of it.
    pub result: AttemptResult,
    /// When the next one is due, unless a token with an unknown key prompts one before.
    pub next: UnixTime,
}

/// What came of a fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptResult {
    /// The set is in use.
    Taken,
    /// The set looks hijacked; the present one stays.
    Quarantined(Quarantined),
    /// There was no set.
    Failed {
        /// A word, as the metric has it.
        cause: &'static str,
        /// A sentence.
        detail: String,
    },
}

/// What is not as it should be with an issuer's keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// There are none yet.
    NoKeys,
    /// They are too old to be used.
    Stale {
        /// Since when.
        since: UnixTime,
    },
    /// They are used, but should have been refreshed long ago.
    Late {
        /// When they were fetched.
        fetched_at: UnixTime,
    },
}

// === impl Trouble ===

impl Trouble {
    /// One word out of three.
    pub const fn word(self) -> &'static str {
        match self {
            Self::NoKeys => "no_keys",
            Self::Stale { .. } => "stale",
            Self::Late { .. } => "late",
        }
    }
}

// === impl Issuer ===

impl Issuer {
    /// What is wrong with the issuer's keys at this moment, if anything is. Keys of files are here or were refused.
    pub fn trouble(&self, now: UnixTime) -> Option<Trouble> {
        let KeySource::Jwks(schedule) = &self.source else {
            return None;
        };
        let Some(held) = self.ring.held() else {
            return Some(Trouble::NoKeys);
        };
        let stale = held.fetched_at.plus(schedule.stale_after);
        let late = held.fetched_at.plus(schedule.refresh_interval.saturating_mul(2));
        if now >= stale {
            Some(Trouble::Stale { since: stale })
        } else {
            (now >= late).then_some(Trouble::Late {
                fetched_at: held.fetched_at,
            })
        }
    }
}
