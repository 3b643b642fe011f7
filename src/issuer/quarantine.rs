//! Whether a fetched key set looks hijacked, beside the one that was accepted before it.
//!
//! Who takes over an issuer's key server, or the way to it, shows keys of their own. What an issuer does of itself is
//! different: it adds a key beside the present ones, and withdraws one later, under an id that never comes back with
//! another key. So what no careful issuer does is not taken until an operator has looked at it. That is a tripwire,
//! not a wall: keys that are merely added are what every rotation looks like.
//!
//! There must be something to compare with: the first set of a ring is taken as it comes.

use std::fmt;

use super::approval::Approval;
use super::ring::HeldKeys;
use crate::token::{KeySet, Skipped};

/// What is taken without an operator having looked at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terms {
    /// A set that shares no key with the present one.
    pub allow_full_replacement: bool,
    /// The one set that an operator has looked at.
    pub approval: Option<Approval>,
}

/// Why a set looks hijacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Suspicion {
    /// It holds no key that could be used.
    NoUsableKey,
    /// A key id that is held, or was, comes with another key.
    KidReused(String),
    /// None of the present keys is in it.
    FullReplacement,
    /// A key that no careful issuer publishes, and that was not there before.
    BadKey(Box<Skipped>),
}

// === impl Suspicion ===

impl Suspicion {
    /// One word out of four, for logs.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::NoUsableKey => "no_usable_key",
            Self::KidReused(_) => "kid_reused",
            Self::FullReplacement => "full_replacement",
            Self::BadKey(_) => "bad_key",
        }
    }
}

impl fmt::Display for Suspicion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoUsableKey => f.write_str("the set holds no usable key"),
            Self::KidReused(kid) => write!(f, "the key id {kid:?} comes with another key than before"),
            Self::FullReplacement => f.write_str("none of the present keys is in the set"),
            Self::BadKey(bad) => match &bad.kid {
                Some(kid) => write!(f, "the new key {kid:?} is suspicious: {}", bad.error),
                None => write!(f, "a new key without id is suspicious: {}", bad.error),
            },
        }
    }
}

/// What looks wrong with a new set beside the held one; the worst first.
pub(super) fn suspicion(
    held: &HeldKeys,
    keys: &KeySet,
    skipped: &[Skipped],
    terms: &Terms,
) -> Option<Suspicion> {
    let old = held.keys.keys();
    let new = keys.keys();
    let mut reused = new.iter().filter_map(|key| {
        let kid = key.kid()?;
        let mut known = held.known_by(kid).peekable();
        let reused = known.peek().is_some() && !known.any(|material| material == key.material());
        reused.then(|| kid.to_owned())
    });
    if let Some(kid) = reused.next() {
        return Some(Suspicion::KidReused(kid));
    }
    // What was accepted with the held set is no news; its place in the document may be another.
    let is_known = |bad: &Skipped| {
        let mut known = held.skipped.iter();
        known.any(|known| known.kid == bad.kid && known.error == bad.error)
    };
    let mut bad = skipped.iter().filter(|key| key.is_suspicious());
    if let Some(bad) = bad.find(|bad| !is_known(bad)) {
        return Some(Suspicion::BadKey(Box::new(bad.clone())));
    }
    let shares_one = new
        .iter()
        .any(|key| old.iter().any(|old| old.material() == key.material()));
    if !shares_one && !terms.allow_full_replacement {
        return Some(Suspicion::FullReplacement);
    }
    None
}
