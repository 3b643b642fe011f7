//! Whose each client id and claim set of the store is: what must identify exactly one application.
//!
//! Only this is kept in memory, besides the index: to find out by the store would be to read every application for each
//! one that is written.

use std::collections::{BTreeMap, HashMap};

use crate::id::IssuerName;
use crate::subscription::{ApplicationEntry, Change};

/// Claims that stand for an application.
type ClaimSet = BTreeMap<Box<str>, Box<str>>;

/// In tokens of which issuer, or any, something is whose.
type Owned = (Option<IssuerName>, Box<str>);

/// Whose what is.
#[derive(Debug, Default)]
pub(super) struct Owners {
    /// By client id: in tokens of which issuer, and whose.
    clients: HashMap<Box<str>, Vec<Owned>>,
    /// By application.
    entries: HashMap<Box<str>, Held>,
}

/// What one application holds.
#[derive(Debug)]
struct Held {
    clients: Vec<Box<str>>,
    claim_sets: Vec<ClaimSet>,
}

// === impl Owners ===

impl Owners {
    /// Takes note of a change.
    pub(super) fn note(&mut self, change: &Change) {
        let Change::Application { id, entry } = change else {
            return;
        };
        self.forget(id.as_str());
        let Some(ApplicationEntry {
            clients,
            claim_sets,
            audience: _,
            suspended: _,
        }) = entry
        else {
            return;
        };
        for (issuer, client) in clients {
            let owners = self.clients.entry(client.clone()).or_default();
            owners.push((issuer.clone(), id.as_str().into()));
        }
        let held = Held {
            clients: clients.iter().map(|(_, client)| client.clone()).collect(),
            claim_sets: claim_sets
                .iter()
                .map(|set| set.iter().cloned().collect())
                .collect(),
        };
        self.entries.insert(id.as_str().into(), held);
    }

    fn forget(&mut self, id: &str) {
        let Some(held) = self.entries.remove(id) else {
            return;
        };
        for client in held.clients {
            if let Some(owners) = self.clients.get_mut(&client) {
                owners.retain(|(_, owner)| &**owner != id);
                if owners.is_empty() {
                    self.clients.remove(&client);
                }
            }
        }
    }

    /// Whose a client id is, or would be at the same time, in tokens of this issuer; without one: of any.
    pub(super) fn of(&self, issuer: Option<&str>, client: &str) -> Option<&str> {
        let owners = self.clients.get(client)?;
        let found = owners
            .iter()
            .find(|(own, _)| overlap(own.as_ref().map(IssuerName::as_str), issuer));
        found.map(|(_, owner)| &**owner)
    }

    /// Another application of which a token could be at the same time, by this set or one of its own: one set is part of
    /// the other.
    pub(super) fn of_claims(&self, set: &BTreeMap<String, String>, but: &str) -> Option<&str> {
        let found = self
            .entries
            .iter()
            .find(|(id, held)| &***id != but && held.claim_sets.iter().any(|own| meets(own, set)));
        found.map(|(id, _)| &**id)
    }
}

/// Whether one client id could be found by both in one token.
pub(super) fn overlap(a: Option<&str>, b: Option<&str>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a == b,
        (None, _) | (_, None) => true,
    }
}

/// Whether one token could be of both: one set is part of the other.
pub(super) fn meets(own: &ClaimSet, set: &BTreeMap<String, String>) -> bool {
    includes(own, set) || included(own, set)
}

fn includes(own: &ClaimSet, set: &BTreeMap<String, String>) -> bool {
    set.iter()
        .all(|(claim, value)| own.get(claim.as_str()).is_some_and(|own| **own == **value))
}

fn included(own: &ClaimSet, set: &BTreeMap<String, String>) -> bool {
    own.iter()
        .all(|(claim, value)| set.get(&**claim).is_some_and(|other| **other == **value))
}
