//! What things are found by, as it is kept and as it is asked for: a question borrows its texts.
//!
//! The two forms of one key hash alike, because both hash the same borrowed texts.

use std::hash::{Hash, Hasher};

use papaya::Equivalent;

use crate::id::{ApplicationId, IssuerName, PlanId};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClientKey {
    pub(super) issuer: Option<IssuerName>,
    pub(super) id: Box<str>,
}

pub(super) struct ClientRef<'k> {
    pub(super) issuer: Option<&'k str>,
    pub(super) id: &'k str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SubscriptionKey {
    pub(super) application: ApplicationId,
    pub(super) plan: PlanId,
}

pub(super) struct SubscriptionRef<'k> {
    pub(super) application: &'k str,
    pub(super) plan: &'k str,
}

// === impl ClientKey ===

impl ClientKey {
    pub(super) fn of((issuer, id): &(Option<IssuerName>, Box<str>)) -> Self {
        Self {
            issuer: issuer.clone(),
            id: id.clone(),
        }
    }
}

impl Hash for ClientKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.issuer.as_ref().map(IssuerName::as_str), &*self.id).hash(state);
    }
}

impl Hash for ClientRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.issuer, self.id).hash(state);
    }
}

impl Equivalent<ClientKey> for ClientRef<'_> {
    fn equivalent(&self, key: &ClientKey) -> bool {
        self.issuer == key.issuer.as_ref().map(IssuerName::as_str) && self.id == &*key.id
    }
}

// === impl SubscriptionKey ===

impl Hash for SubscriptionKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.application.as_str(), self.plan.as_str()).hash(state);
    }
}

impl Hash for SubscriptionRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.application, self.plan).hash(state);
    }
}

impl Equivalent<SubscriptionKey> for SubscriptionRef<'_> {
    fn equivalent(&self, key: &SubscriptionKey) -> bool {
        self.application == key.application.as_str() && self.plan == key.plan.as_str()
    }
}
