//! What a configuration would take from what lives at run time. A reload that does so can be refused beforehand.
//!
//! At run time a collision harms nobody: what is declared holds. But an operator who did not mean it should hear of it
//! before callers do.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use super::Index;
use super::state::State;
use crate::id::{ApplicationId, IssuerName, PlanId};
use crate::subscription::{ClaimNames, ClaimSet, Declared, Status};

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
    /// A claim set, because one of the two is part of the other.
    ClaimSet {
        /// Whose it is at run time.
        application: ApplicationId,
        /// Whose it is in the configuration.
        declared: ApplicationId,
    },
    /// A subscription that is not over.
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
            Self::ClaimSet {
                application,
                declared,
            } => {
                write!(
                    f,
                    "a claim set of the declared `{declared}` would identify `{application}` in the store, too"
                )
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

// === impl State ===

impl State {
    /// The subscriptions of `declared` that are here, too, in a status that is wanted.
    fn subscriptions_of<'d>(
        &self,
        declared: &'d Declared,
        wanted: impl Fn(Status) -> bool,
    ) -> impl Iterator<Item = (&'d ApplicationId, &'d PlanId)> {
        let subscriptions = declared.subscriptions.iter();
        let pairs = subscriptions.map(|own| (&own.application, &own.plan));
        pairs.filter(move |(application, plan)| {
            let found = self.tables.subscription(application, plan);
            found.is_some_and(|found| wanted(found.terms().status))
        })
    }
}

// === impl Index ===

impl Index {
    /// What `declared` says of what lives at run time already, in no particular order.
    pub fn collisions(&self, declared: &Declared) -> Vec<Collision> {
        let state = self.state.load();
        let mut collisions = Vec::new();
        let mut clients: HashMap<&str, Vec<Option<&IssuerName>>> = HashMap::new();
        let applications = state.tables.applications.pin();
        for application in &declared.applications {
            if applications.contains_key(&application.id) {
                collisions.push(Collision::Application(application.id.clone()));
            }
            for (issuer, id) in &application.clients {
                clients.entry(id).or_default().push(issuer.as_ref());
            }
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
        collisions.extend(self.claim_collisions(&state, declared));
        let living = state.subscriptions_of(declared, |status| !status.is_over());
        collisions.extend(living.map(|(application, plan)| Collision::Subscription {
            application: application.clone(),
            plan: plan.clone(),
        }));
        collisions
    }

    /// Subscriptions of the store that are over, in whose place `declared` has one. They hinder nobody, but what is left
    /// of them, API keys above all, is not the declared one's.
    pub fn displaced(&self, declared: &Declared) -> Vec<(ApplicationId, PlanId)> {
        let state = self.state.load();
        let over = state.subscriptions_of(declared, Status::is_over);
        over.map(|(application, plan)| (application.clone(), plan.clone()))
            .collect()
    }
    /// Claim sets of which one is part of the other, once for each two applications. Each set is asked for the names of
    /// the other side, as a token would be: sets are many, the lists of names that they have are few.
    fn claim_collisions(&self, state: &State, declared: &Declared) -> Vec<Collision> {
        let sets = || {
            let applications = declared.applications.iter();
            applications.flat_map(|own| own.claim_sets.iter().map(move |set| (set, &own.id)))
        };
        let own: papaya::HashMap<ClaimSet, &ApplicationId> =
            sets().map(|(set, id)| (set.clone(), id)).collect();
        if own.is_empty() {
            return Vec::new();
        }
        let mut found = BTreeSet::new();
        let (own, kept) = (own.pin(), state.tables.claim_sets.pin());
        let names = self.claim_names.load();
        for (set, id) in sets() {
            for owners in names.parts(set).filter_map(|part| kept.get(&part)) {
                found.extend(owners.iter().map(|owner| (owner.id.as_str(), id.as_str())));
            }
        }
        let names = ClaimNames::of(sets().map(|(set, _)| set));
        for (set, owners) in &kept {
            for id in names.parts(set).filter_map(|part| own.get(&part)) {
                found.extend(owners.iter().map(|owner| (owner.id.as_str(), id.as_str())));
            }
        }
        // That both have an application of one id is told already.
        let others = found
            .into_iter()
            .filter(|(application, declared)| application != declared);
        let collision = |(application, declared)| Collision::ClaimSet {
            application: ApplicationId::new(application),
            declared: ApplicationId::new(declared),
        };
        others.map(collision).collect()
    }
}
