//! What a configuration would take from what lives at run time. A reload that does so can be refused beforehand.
//!
//! At run time a collision harms nobody: what is declared holds. But an operator who did not mean it should hear of it
//! before callers do.

use std::collections::{HashMap, HashSet};
use std::fmt;

use super::Index;
use crate::id::{ApplicationId, IssuerName, PlanId};
use crate::subscription::Declared;

/// Something that a configuration declares, and that lives at run time already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Collision {
    /// An application of this id.
    Application(ApplicationId),
    /// A client id, of the same issuer or because one of the two is of any.
    ClientId {
        /// The client id.
        id: Box<str>,
        /// Whose it is at run time.
        application: ApplicationId,
    },
    /// A claim set of this application.
    ClaimSet {
        /// Whose it is at run time.
        application: ApplicationId,
    },
    /// A subscription.
    Subscription {
        /// Whose.
        application: ApplicationId,
        /// To what.
        plan: PlanId,
    },
}

// === impl Collision ===

impl fmt::Display for Collision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Application(id) => write!(f, "the application `{id}` is in the store, too"),
            Self::ClientId { id, application } => {
                write!(f, "the client id `{id}` is that of `{application}` in the store")
            }
            Self::ClaimSet { application } => {
                write!(f, "a claim set of `{application}` in the store is declared, too")
            }
            Self::Subscription { application, plan } => {
                write!(
                    f,
                    "the subscription of `{application}` to `{plan}` is in the store, too"
                )
            }
        }
    }
}

// === impl Index ===

impl Index {
    /// What `declared` says of what lives at run time already, in no particular order.
    pub fn collisions(&self, declared: &Declared) -> Vec<Collision> {
        let state = self.state.load();
        let mut collisions = Vec::new();
        let mut clients: HashMap<&str, Vec<Option<&IssuerName>>> = HashMap::new();
        let mut claim_sets = HashSet::new();
        let applications = state.tables.applications.pin();
        for application in &declared.applications {
            if applications.contains_key(&application.id) {
                collisions.push(Collision::Application(application.id.clone()));
            }
            for (issuer, id) in &application.clients {
                clients.entry(id).or_default().push(issuer.as_ref());
            }
            claim_sets.extend(&application.claim_sets);
        }
        for (key, owners) in &state.tables.clients.pin() {
            let issuers = clients.get(&*key.id).map_or(&[][..], Vec::as_slice);
            let same = |own: &Option<&IssuerName>| match (own, &key.issuer) {
                (Some(own), Some(issuer)) => *own == issuer,
                (None, _) | (_, None) => true,
            };
            if issuers.iter().any(same) {
                collisions.extend(owners.iter().map(|owner| Collision::ClientId {
                    id: key.id.clone(),
                    application: owner.id.clone(),
                }));
            }
        }
        let own = state.tables.claim_sets.pin();
        for owners in claim_sets.into_iter().filter_map(|set| own.get(set)) {
            collisions.extend(owners.iter().map(|owner| Collision::ClaimSet {
                application: owner.id.clone(),
            }));
        }
        for subscription in &declared.subscriptions {
            let (application, plan) = (&subscription.application, &subscription.plan);
            if state.tables.subscription(application, plan).is_some() {
                collisions.push(Collision::Subscription {
                    application: application.clone(),
                    plan: plan.clone(),
                });
            }
        }
        collisions
    }
}
