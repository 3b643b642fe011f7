//! A verified token as it is kept: everything that its verification found, and under which terms it was found.
//!
//! A hit must never answer differently from a fresh verification. So a verdict carries what could change under it: the
//! issuer's terms (rules and mapping), the key, the times, the claims that were read to find the application. All of it is compared on every hit, no flush is needed: a
//! removed key, a changed mapping, an expired token bite on the next request. What may change between two requests of
//! one token is no part of a verdict: plans, audiences of plans and applications, subscriptions are looked at every time, and so are revocations (`revoked`).

use std::sync::Arc;

use crate::api::{Accepted, Terms};
use crate::id::IssuerName;
use crate::identity::Identity;
use crate::revocation::Marks;
use crate::subscription::ClaimNames;
use crate::time::UnixTime;
use crate::token::{Algorithm, Key, KeySet, OwnedAudience, OwnedKeyHint, VerifiedToken};

/// What the verification of a token found.
#[derive(Debug)]
pub struct Verdict {
    /// Who is calling.
    pub identity: Arc<Identity>,
    /// Whom the token is for.
    pub audience: OwnedAudience,
    /// The claims that it was asked for to find its application.
    pub(super) names: Arc<ClaimNames>,
    /// What a revocation may name of it.
    pub(super) marks: Marks,
    key: Arc<Key>,
    terms: Terms,
    algorithm: Algorithm,
    key_hint: OwnedKeyHint,
    good_from: UnixTime,
    good_until: UnixTime,
}

// === impl Verdict ===

impl Verdict {
    pub(super) fn new(
        token: &VerifiedToken<'_>,
        identity: Arc<Identity>,
        names: Arc<ClaimNames>,
        accepted: &Accepted,
        marks: Marks,
    ) -> Self {
        Self {
            identity,
            names,
            marks,
            key: Arc::clone(token.key()),
            audience: token.audience().to_owned(),
            terms: accepted.terms,
            algorithm: token.algorithm(),
            key_hint: token.key_hint().to_owned(),
            good_from: token.good_from(),
            good_until: token.good_until(),
        }
    }

    /// Whose token it is.
    pub fn issuer(&self) -> &IssuerName {
        &self.identity.issuer
    }

    /// The key that would vouch for the token now, if a fresh verification would find the same.
    pub(super) fn still_good<'k>(
        &self,
        accepted: &Accepted,
        keys: &'k KeySet,
        names: &Arc<ClaimNames>,
        now: UnixTime,
    ) -> Option<&'k Arc<Key>> {
        // Had it been asked for other claims, it might stand for somebody else.
        if !Arc::ptr_eq(&self.names, names) {
            return None;
        }
        if self.terms != accepted.terms || now < self.good_from || now >= self.good_until {
            return None;
        }
        let key = keys.choose(self.key_hint.borrow(), self.algorithm).ok()?;
        // The same key by another id is one that a revocation may name.
        (key.is_same(&self.key) && key.kid() == self.key.kid()).then_some(key)
    }

    /// Whether its time is over.
    pub(super) fn is_over(&self, now: UnixTime) -> bool {
        now >= self.good_until
    }
}
