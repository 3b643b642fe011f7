//! What lives at run time: applications, subscriptions and API keys as the store has them.
//!
//! One change at a time goes into the maps that are in use; the whole goes into maps of its own, which take their place.
//! Beside the look-ups stands what each application had when it last changed, so that what it has no longer can be
//! taken away, and one copy of each plan's id, because a million subscriptions have a handful of plans.

use std::sync::Arc;

use super::keys::{ClientKey, SubscriptionKey};
use super::owners::Owners;
use super::tables::{Map, Tables, bind, map, unbind};
use crate::id::{ApplicationId, IssuerName, PlanId};
use crate::subscription::api_key::ApiKeyHash;
use crate::subscription::{
    ApiKey, ApiKeyEntry, Application, ApplicationEntry, Change, ClaimSet, Standing, Subscription,
    SubscriptionEntry, Terms,
};

/// All of it.
#[derive(Debug)]
pub(super) struct State {
    pub(super) tables: Tables,
    /// Keys by their hash.
    pub(super) keys: Map<ApiKeyHash, Owners<ApiKey>>,
    key_ids: papaya::HashMap<Box<str>, Arc<ApiKey>>,
    held: papaya::HashMap<ApplicationId, Held>,
    plans: papaya::HashMap<PlanId, ()>,
}

/// What an application is known by.
#[derive(Debug, Default)]
struct Held {
    clients: Vec<(Option<IssuerName>, Box<str>)>,
    claim_sets: Vec<ClaimSet>,
}

/// The claim sets of an entry, without those that are empty.
pub(super) fn claim_sets(entry: &ApplicationEntry) -> impl Iterator<Item = ClaimSet> {
    entry.claim_sets.iter().cloned().filter_map(ClaimSet::new)
}

// === impl State ===

impl Default for State {
    fn default() -> Self {
        Self {
            tables: Tables::default(),
            keys: map(),
            // Requests do not look these up.
            key_ids: papaya::HashMap::default(),
            held: papaya::HashMap::default(),
            plans: papaya::HashMap::default(),
        }
    }
}

impl State {
    /// Applies one change. `before` is what was there before all changes, of which an entry that stays the same is kept.
    pub(super) fn apply(&self, change: Change, before: Option<&Self>) {
        match change {
            Change::Application {
                id,
                entry: Some(entry),
            } => self.put_application(id, entry, before),
            Change::Application { id, entry: None } => self.drop_application(&id),
            Change::Subscription {
                application,
                plan,
                entry: Some(entry),
            } => self.put_subscription(&application, &plan, entry, before, None),
            Change::Moved {
                application,
                from,
                to,
                entry,
            } => {
                let former = self.tables.subscription(&application, &from);
                self.put_subscription(&application, &to, entry, before, former.as_deref());
            }
            Change::Subscription {
                application,
                plan,
                entry: None,
            } => drop(
                self.tables
                    .subscriptions
                    .pin()
                    .remove(&SubscriptionKey { application, plan }),
            ),
            Change::ApiKey {
                id,
                entry: Some(entry),
            } => self.put_key(id, entry),
            Change::ApiKey { id, entry: None } => self.drop_key(&id),
        }
    }

    /// What it is known by is bound last and taken away first: who finds an application finds it as it is.
    fn put_application(&self, id: ApplicationId, entry: ApplicationEntry, before: Option<&Self>) {
        let claim_sets: Vec<ClaimSet> = claim_sets(&entry).collect();
        let ApplicationEntry {
            clients,
            claim_sets: _,
            audience,
            suspended,
        } = entry;
        let standing = Standing { suspended, audience };
        let applications = self.tables.applications.pin();
        let application = match applications.get(&id) {
            Some(application) => {
                application.change(&standing);
                Arc::clone(application)
            }
            None => {
                let last = before.and_then(|before| before.tables.application(&id));
                let application = match last {
                    Some(last) if last.has(&standing) => last,
                    Some(last) => Arc::new(last.with(standing)),
                    None => Arc::new(Application::new(id.clone(), standing)),
                };
                applications.insert(application.id.clone(), Arc::clone(&application));
                application
            }
        };
        let next = Held { clients, claim_sets };
        let held = self.held.pin();
        let none = Held::default();
        let last = held.get(&id).unwrap_or(&none);
        for client in last
            .clients
            .iter()
            .filter(|client| !next.clients.contains(client))
        {
            unbind(&self.tables.clients, ClientKey::of(client), id.as_str());
        }
        for set in last
            .claim_sets
            .iter()
            .filter(|set| !next.claim_sets.contains(set))
        {
            unbind(&self.tables.claim_sets, set.clone(), id.as_str());
        }
        for client in &next.clients {
            bind(&self.tables.clients, ClientKey::of(client), &application);
        }
        for set in &next.claim_sets {
            bind(&self.tables.claim_sets, set.clone(), &application);
        }
        held.insert(application.id.clone(), next);
    }

    fn drop_application(&self, id: &ApplicationId) {
        let held = self.held.pin();
        if let Some(last) = held.get(id) {
            for client in &last.clients {
                unbind(&self.tables.clients, ClientKey::of(client), id.as_str());
            }
            for set in &last.claim_sets {
                unbind(&self.tables.claim_sets, set.clone(), id.as_str());
            }
        }
        held.remove(id);
        self.tables.applications.pin().remove(id);
    }

    fn put_subscription(
        &self,
        application: &ApplicationId,
        plan: &PlanId,
        entry: SubscriptionEntry,
        before: Option<&Self>,
        former: Option<&Subscription>,
    ) {
        let SubscriptionEntry { status, from, until } = entry;
        let terms = Terms { status, from, until };
        if let Some(subscription) = self.tables.subscription(application, plan) {
            return subscription.change(terms);
        }
        let subscription = match before.and_then(|before| before.tables.subscription(application, plan)) {
            Some(subscription) if subscription.terms() == terms => subscription,
            Some(subscription) => Arc::new(subscription.under(terms)),
            None => {
                let new = Subscription::new(self.own_application(application), self.own_plan(plan), terms);
                Arc::new(match former {
                    Some(former) => new.after(former),
                    None => new,
                })
            }
        };
        let key = SubscriptionKey {
            application: subscription.application.clone(),
            plan: subscription.plan.clone(),
        };
        self.tables.subscriptions.pin().insert(key, subscription);
    }

    fn put_key(&self, id: Box<str>, entry: ApiKeyEntry) {
        let ApiKeyEntry {
            hash,
            application,
            plan,
            expires_at,
            revoked,
        } = entry;
        let key = Arc::new(ApiKey {
            id: id.clone(),
            application: self.own_application(&application),
            plan: self.own_plan(&plan),
            hash,
            expires_at,
            revoked,
        });
        let key_ids = self.key_ids.pin();
        if let Some(last) = key_ids.get(&id).filter(|last| last.hash != hash) {
            unbind(&self.keys, last.hash, &id);
        }
        bind(&self.keys, hash, &key);
        key_ids.insert(id, key);
    }

    fn drop_key(&self, id: &str) {
        let key_ids = self.key_ids.pin();
        if let Some(last) = key_ids.get(id) {
            unbind(&self.keys, last.hash, id);
        }
        key_ids.remove(id);
    }

    /// The id as the application has it, so that it is in memory once.
    fn own_application(&self, id: &ApplicationId) -> ApplicationId {
        let applications = self.tables.applications.pin();
        let known = applications.get_key_value(id);
        known.map_or_else(|| id.clone(), |(own, _)| own.clone())
    }

    fn own_plan(&self, id: &PlanId) -> PlanId {
        let plans = self.plans.pin();
        if let Some((own, ())) = plans.get_key_value(id) {
            return own.clone();
        }
        plans.insert(id.clone(), ());
        id.clone()
    }
}
