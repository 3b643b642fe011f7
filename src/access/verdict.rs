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
use crate::token::{
    Algorithm, AnsweredToken, Key, KeySet, OwnedAudience, OwnedKeyHint, VerifiedToken, Vouched,
};

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
    /// Nothing if the issuer was asked.
    signed: Option<Signed>,
    terms: Terms,
    good_from: UnixTime,
    good_until: UnixTime,
}

/// By which key a token was signed, and how it names it.
#[derive(Debug)]
struct Signed {
    key: Arc<Key>,
    algorithm: Algorithm,
    hint: OwnedKeyHint,
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
        let signed = Signed {
            key: Arc::clone(token.key()),
            algorithm: token.algorithm(),
            hint: token.key_hint().to_owned(),
        };
        Self {
            signed: Some(signed),
            ..Self::vouched(token, identity, names, accepted, marks)
        }
    }

    /// What the issuer's answer about a token says.
    pub(super) fn of_answer(
        token: &AnsweredToken<'_>,
        identity: Arc<Identity>,
        names: Arc<ClaimNames>,
        accepted: &Accepted,
        marks: Marks,
    ) -> Self {
        Self::vouched(token, identity, names, accepted, marks)
    }

    fn vouched(
        token: &impl Vouched,
        identity: Arc<Identity>,
        names: Arc<ClaimNames>,
        accepted: &Accepted,
        marks: Marks,
    ) -> Self {
        Self {
            identity,
            names,
            marks,
            signed: None,
            audience: token.audience().to_owned(),
            terms: accepted.terms,
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
        if !self.still_holds(accepted, names, now) {
            return None;
        }
        let signed = self.signed.as_ref()?;
        let key = keys.choose(signed.hint.borrow(), signed.algorithm).ok()?;
        // The same key by another id is one that a revocation may name.
        (key.is_same(&signed.key) && key.kid() == signed.key.kid()).then_some(key)
    }

    /// Whether the issuer's answer still counts, and would be read in the same way.
    pub(super) fn answer_still_good(
        &self,
        accepted: &Accepted,
        names: &Arc<ClaimNames>,
        now: UnixTime,
    ) -> bool {
        self.signed.is_none() && self.still_holds(accepted, names, now)
    }

    fn still_holds(&self, accepted: &Accepted, names: &Arc<ClaimNames>, now: UnixTime) -> bool {
        // Had it been asked for other claims, it might stand for somebody else.
        Arc::ptr_eq(&self.names, names)
            && self.terms == accepted.terms
            && self.good_from <= now
            && now < self.good_until
    }

    /// Whether its time is over.
    pub(super) fn is_over(&self, now: UnixTime) -> bool {
        now >= self.good_until
    }
}
