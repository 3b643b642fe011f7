//! The maps of one origin: what a configuration declares, or what lives at run time.
//!
//! Both origins have the same look-ups. What differs is how they change: a configuration comes whole and takes keys over
//! from its predecessor, changes at run time come one by one and may leave a key with two owners.

use std::hash::Hash;
use std::sync::Arc;

use super::keys::{ClientKey, ClientRef, SubscriptionKey, SubscriptionRef};
use super::owners::{Owner, Owners};
use crate::id::{ApplicationId, PlanId};
use crate::subscription::{Application, ClaimSet, Subscription};

/// Keys come from operators; a stranger can only look them up, so a fast hash is enough.
pub(super) type Map<K, V> = papaya::HashMap<K, V, foldhash::fast::RandomState>;

/// Applications and subscriptions of one origin.
#[derive(Debug)]
pub(super) struct Tables {
    pub(super) applications: Map<ApplicationId, Arc<Application>>,
    pub(super) clients: Map<ClientKey, Owners<Application>>,
    pub(super) claim_sets: Map<ClaimSet, Owners<Application>>,
    pub(super) subscriptions: Map<SubscriptionKey, Arc<Subscription>>,
}

/// An empty map whose writers finish what makes it larger before they go on. If they did so little by little, as they do
/// where nothing is said, a map whose last entry came at a bad moment would have two tables from then on, and every
/// look-up would go through both.
pub(super) fn map<K: Hash + Eq, V>() -> Map<K, V> {
    papaya::HashMap::builder()
        .hasher(foldhash::fast::RandomState::default())
        .resize_mode(papaya::ResizeMode::Blocking)
        .build()
}

/// Adds an owner to a key.
pub(super) fn bind<K, T>(map: &Map<K, Owners<T>>, key: K, owner: &Arc<T>)
where
    K: Hash + Eq,
    T: Owner,
{
    let map = map.pin();
    let owners = match map.get(&key) {
        Some(owners) => owners.with(owner),
        None => Owners::One(Arc::clone(owner)),
    };
    map.insert(key, owners);
}

/// Takes an owner away from a key.
pub(super) fn unbind<K, T>(map: &Map<K, Owners<T>>, key: K, name: &str)
where
    K: Hash + Eq,
    T: Owner,
{
    let map = map.pin();
    match map.get(&key).map(|owners| owners.without(name)) {
        None => {}
        Some(Some(owners)) => drop(map.insert(key, owners)),
        Some(None) => drop(map.remove(&key)),
    }
}

// === impl Tables ===

impl Default for Tables {
    fn default() -> Self {
        Self {
            applications: map(),
            clients: map(),
            claim_sets: map(),
            subscriptions: map(),
        }
    }
}

impl Tables {
    pub(super) fn application(&self, id: &ApplicationId) -> Option<Arc<Application>> {
        self.applications.pin().get(id).map(Arc::clone)
    }

    pub(super) fn subscription(
        &self,
        application: &ApplicationId,
        plan: &PlanId,
    ) -> Option<Arc<Subscription>> {
        let key = SubscriptionRef {
            application: application.as_str(),
            plan: plan.as_str(),
        };
        self.subscriptions.pin().get(&key).map(Arc::clone)
    }

    /// Calls `each` for the owners of a client id, in tokens of exactly this issuer or in tokens of any.
    pub(super) fn for_client<E>(
        &self,
        issuer: Option<&str>,
        id: &str,
        mut each: impl FnMut(&Arc<Application>) -> Result<(), E>,
    ) -> Result<(), E> {
        let clients = self.clients.pin();
        let owners = clients.get(&ClientRef { issuer, id });
        owners.into_iter().flat_map(Owners::iter).try_for_each(&mut each)
    }
}
