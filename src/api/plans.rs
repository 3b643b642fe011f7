//! The plans on offer, laid out by kind of credential, so that choosing one is a look-up.
//!
//! A caller with a token is never taken for an anonymous one: once a credential is presented, keyless is out. Several
//! JWT plans may accept the same issuer; then the caller's subscription decides which one it is, in the order in
//! which the plans are written. So do keyless plans, of which all but the last have a rule that says whom they are for.

use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};

use super::Plan;
use crate::credential::{Bearer, Source};
use crate::identity::ClaimMapping;
use crate::issuer::Issuer;
use crate::token::{Audience, Audiences, Rules};

/// The plans that callers may use: published and deprecated ones.
#[derive(Debug, Default)]
pub struct Plans {
    /// By `iss`, byte for byte.
    jwt: HashMap<Box<str>, Accepted>,
    /// In the order written.
    keyless: Vec<Arc<Plan>>,
    sources: Vec<Source>,
}

/// An issuer whose tokens the API accepts, and for which plans.
#[derive(Debug)]
pub struct Accepted {
    /// The issuer.
    pub issuer: Arc<Issuer>,
    /// How its claims become ours.
    pub mapping: Arc<ClaimMapping>,
    /// Rules and mapping in short.
    pub terms: Terms,
    /// The plans, in the order written, at least one.
    pub plans: Vec<OfferedPlan>,
}

/// A digest of an issuer's rules and claim mapping: what was verified under equal terms was verified alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms([u8; 32]);

/// A plan as offered to the tokens of one issuer.
#[derive(Debug)]
pub struct OfferedPlan {
    /// The plan.
    pub plan: Arc<Plan>,
    /// Whom a token must be for.
    pub audiences: Audiences,
}

/// What kinds of plan an API offers, for challenges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offers {
    /// A bearer token can help.
    pub bearer: bool,
}

// === impl Terms ===

impl Terms {
    /// The digest of these.
    pub fn of(rules: &Rules, mapping: &ClaimMapping) -> Self {
        // The derived form shows every field of both, also those that are yet to be added.
        let text = format!("{rules:?} {mapping:?}");
        let mut bytes = [0; 32];
        for (to, from) in bytes.iter_mut().zip(digest(&SHA256, text.as_bytes()).as_ref()) {
            *to = *from;
        }
        Self(bytes)
    }
}

// === impl OfferedPlan ===

impl OfferedPlan {
    /// Whether the plan may take a token that was there and is for these, its application being unknown yet.
    pub fn may_accept(&self, bearer: &Bearer<'_>, audience: Audience<'_>) -> bool {
        self.accepts(bearer, audience, || true)
    }

    /// Whether the plan takes a token that was there and is for these; `names_application` as for
    /// [`Audiences::accept`].
    pub fn accepts(
        &self,
        bearer: &Bearer<'_>,
        audience: Audience<'_>,
        names_application: impl FnOnce() -> bool,
    ) -> bool {
        self.plan.looks_in(bearer.source) && self.audiences.accept(audience, names_application)
    }
}

// === impl Plans ===

impl Plans {
    /// Plans by issuer, and keyless plans in the order written.
    pub fn new(jwt: HashMap<Box<str>, Accepted>, keyless: Vec<Arc<Plan>>) -> Self {
        let offered = jwt.values().flat_map(|accepted| &accepted.plans);
        let mut sources: Vec<Source> = offered
            .flat_map(|offered| offered.plan.sources.iter().cloned())
            .collect();
        sources.sort();
        sources.dedup();
        Self {
            jwt,
            keyless,
            sources,
        }
    }

    /// Whether nothing is on offer: the API then answers as if it did not exist.
    pub fn is_empty(&self) -> bool {
        self.jwt.is_empty() && self.keyless.is_empty()
    }

    /// What is on offer.
    pub fn offers(&self) -> Offers {
        Offers {
            bearer: !self.jwt.is_empty(),
        }
    }

    /// The plans for tokens of this issuer.
    pub fn for_issuer(&self, issuer: &str) -> Option<&Accepted> {
        self.jwt.get(issuer)
    }

    /// Where any of them looks for tokens besides `Authorization`, each place once.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// The plans for callers who present nothing, in the order written.
    pub fn keyless(&self) -> &[Arc<Plan>] {
        &self.keyless
    }
}
