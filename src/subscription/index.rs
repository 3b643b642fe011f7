//! The lock-free index of applications, subscriptions and API keys.
//!
//! What it knows has two origins, and neither touches the other. A configuration declares; it comes whole, in two steps,
//! so that a reload never takes from a caller what both configurations grant: [`Index::admit`] before the new snapshot is
//! in place, [`Index::retain`] after. The store tells what lives at run time, change by change ([`Index::change`]) or
//! whole ([`Index::successor`]). Where both say something of the same, what is declared holds and the other is not in force:
//! a client id never passes silently from one application to another.
//!
//! Look-ups borrow their keys, allocate nothing and take no lock. There is one writer at a time, the control plane.

mod collisions;
mod keys;
mod owners;
mod state;
mod tables;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption, Guard};

pub use collisions::Collision;
use keys::{ClientKey, SubscriptionKey};
use owners::Owners;
use state::State;
use tables::Tables;

use super::api_key::{ApiKey, ApiKeyError, ApiKeyHash, ApiKeySecret, is_api_key};
use super::{Application, Change, ClaimNames, Declared, Subscription, SubscriptionError};
use crate::id::{ApplicationId, IssuerName, PlanId};
use crate::time::UnixTime;

/// Every application, subscription and API key there is.
#[derive(Debug, Default)]
pub struct Index {
    declared: Tables,
    state: ArcSwap<State>,
    /// The claims that claim sets of either origin name.
    claim_names: ArcSwap<ClaimNames>,
    secret: ArcSwapOption<ApiKeySecret>,
}

/// Why an API key is no good, and which it is.
#[derive(Debug)]
pub struct RefusedKey {
    /// Why.
    pub error: ApiKeyError,
    /// Which, if there is one.
    pub key: Option<Arc<ApiKey>>,
}

/// All that lives at run time, told anew entry by entry, while decisions go by what there was before.
#[must_use = "it changes nothing until it takes over"]
#[derive(Debug)]
pub struct Successor<'i> {
    index: &'i Index,
    before: Arc<State>,
    state: State,
}

/// The one application that everything in a token points to.
#[derive(Default)]
struct Identified(Option<Arc<Application>>);

// === impl Index ===

impl Index {
    /// The application that a token stands for: by its client id, and by its values for the claims that claim sets
    /// name. `claim` has the value for each place of `names`.
    ///
    /// # Errors
    /// [`SubscriptionError::ApplicationAmbiguous`] if it stands for more than one.
    pub fn identify<'v>(
        &self,
        issuer: &str,
        client_id: Option<&str>,
        names: &ClaimNames,
        claim: impl Fn(usize) -> Option<&'v str> + Copy,
    ) -> Result<Option<Arc<Application>>, SubscriptionError> {
        let state = self.state.load();
        let mut identified = Identified::default();
        if let Some(id) = client_id {
            self.by_client(&state, issuer, id, &mut identified)?;
        }
        for shown in names.shown(claim) {
            let declared = self.declared.claim_sets.pin();
            if let Some(owners) = declared.get(&shown) {
                owners.iter().try_for_each(|owner| identified.add(owner))?;
                continue;
            }
            let claim_sets = state.tables.claim_sets.pin();
            let owners = claim_sets.get(&shown);
            let owners = owners.into_iter().flat_map(Owners::iter);
            owners
                .filter(|owner| self.is_in_force(&owner.id))
                .try_for_each(|owner| identified.add(owner))?;
        }
        Ok(identified.0)
    }

    /// A client id that is declared, for this issuer or for any, is what is declared.
    fn by_client(
        &self,
        state: &State,
        issuer: &str,
        id: &str,
        identified: &mut Identified,
    ) -> Result<(), SubscriptionError> {
        for issuer in [Some(issuer), None] {
            self.declared
                .for_client(issuer, id, |owner| identified.add(owner))?;
            if identified.0.is_some() {
                return Ok(());
            }
        }
        for issuer in [Some(issuer), None] {
            state.tables.for_client(issuer, id, |owner| {
                if self.is_in_force(&owner.id) {
                    identified.add(owner)?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// The application that `client_id` stands for in tokens of `issuer` that show nothing else; nothing if there is
    /// none, or more than one.
    pub fn application(&self, issuer: &str, client_id: &str) -> Option<Arc<Application>> {
        let identified = self.identify(issuer, Some(client_id), &ClaimNames::default(), |_| None);
        identified.ok().flatten()
    }

    /// The subscription of an application to a plan, in force or not.
    pub fn subscription(&self, application: &ApplicationId, plan: &PlanId) -> Option<Arc<Subscription>> {
        self.declared.subscription(application, plan).or_else(|| {
            let state = self.state.load();
            let found = state.tables.subscription(application, plan)?;
            // It was agreed with the application of the store, which is not the one that is declared.
            let other =
                state.tables.applications.pin().contains_key(application) && !self.is_in_force(application);
            (!other).then_some(found)
        })
    }

    /// The application of this id that is in force.
    pub fn application_of(&self, id: &ApplicationId) -> Option<Arc<Application>> {
        let declared = self.declared.application(id);
        declared.or_else(|| self.state.load().tables.application(id))
    }

    /// The API key that a caller shows, and whose it is. Every text is hashed and looked up, also one that can be no
    /// key.
    ///
    /// # Errors
    /// Why it is no good, and which key it is if there is one.
    pub fn api_key(&self, text: &str, now: UnixTime) -> Result<(Arc<ApiKey>, Arc<Application>), RefusedKey> {
        let state = self.state.load();
        let refused = |error, key| Err(RefusedKey { error, key });
        let (mut good, mut bad, mut several) = (None, None, false);
        if let Some(secret) = &*self.secret.load() {
            let keys = state.keys.pin();
            for key in keys.get(&secret.hash(text)).into_iter().flat_map(Owners::iter) {
                match key.is_good(now) {
                    Ok(()) => several |= good.replace(Arc::clone(key)).is_some(),
                    Err(error) => bad = Some((error, Arc::clone(key))),
                }
            }
        }
        if !is_api_key(text) {
            return refused(ApiKeyError::Malformed, None);
        }
        let key = match (good, bad) {
            (Some(_), _) if several => return refused(ApiKeyError::Unknown, None),
            (Some(key), _) => key,
            (None, Some((error, key))) => return refused(error, Some(key)),
            (None, None) => return refused(ApiKeyError::Unknown, None),
        };
        let declared = self.declared.application(&key.application);
        let own = state.tables.application(&key.application);
        match (declared, own) {
            (Some(application), None) | (None, Some(application)) => Ok((key, application)),
            // A key of the store's application is none of the declared one.
            (Some(_), Some(_)) | (None, None) => refused(ApiKeyError::Unknown, Some(key)),
        }
    }

    /// The secret under which API keys are hashed. Without one no key is good.
    pub fn set_key_secret(&self, secret: ApiKeySecret) {
        self.secret.store(Some(Arc::new(secret)));
    }

    /// Whether there is one, so that there may be keys.
    pub fn has_key_secret(&self) -> bool {
        self.secret.load().is_some()
    }

    /// The hash of a text under the secret; nothing if there is none.
    pub fn key_hash(&self, text: &str) -> Option<ApiKeyHash> {
        let secret = self.secret.load();
        secret.as_ref().map(|secret| secret.hash(text))
    }

    /// Whether somebody was given the API key of this text, good or not.
    pub fn knows_key(&self, text: &str) -> bool {
        let state = self.state.load();
        let keys = state.keys.pin();
        self.key_hash(text).is_some_and(|hash| keys.contains_key(&hash))
    }

    /// The claims that claim sets name now.
    pub fn claim_names(&self) -> Guard<Arc<ClaimNames>> {
        self.claim_names.load()
    }

    /// How many applications and subscriptions there are.
    pub fn counts(&self) -> (usize, usize) {
        let state = self.state.load();
        (
            self.declared.applications.len() + state.tables.applications.len(),
            self.declared.subscriptions.len() + state.tables.subscriptions.len(),
        )
    }

    /// Applies one change of what lives at run time.
    pub fn change(&self, change: Change) {
        if let Change::Application {
            entry: Some(entry), ..
        } = &change
        {
            // Tokens are asked for a claim before anybody can be found by it.
            for set in state::claim_sets(entry) {
                let names = self.claim_names.load();
                if !names.cover(&set) {
                    self.claim_names.store(Arc::new(names.with(&set)));
                }
            }
        }
        self.state.load().apply(change, None);
    }

    /// Replaces all that lives at run time, in one step.
    #[cfg(test)]
    pub(crate) fn resync(&self, all: impl Iterator<Item = Change>) {
        let successor = self.successor();
        all.for_each(|change| successor.add(change));
        successor.take_over();
    }

    /// Begins with nothing that lives at run time; decisions see none of it until it takes over. What stays the same stays
    /// the same entry.
    pub fn successor(&self) -> Successor<'_> {
        Successor {
            index: self,
            before: self.state.load_full(),
            state: State::default(),
        }
    }

    /// Adds what is new and changes what changed in the configuration; takes nothing away.
    ///
    /// A client id is bound last: who finds its application finds the application's subscriptions, too.
    pub fn admit(&self, declared: &Declared) {
        let applications = self.declared.applications.pin();
        let clients = self.declared.clients.pin();
        let claim_sets = self.declared.claim_sets.pin();
        let subscriptions = self.declared.subscriptions.pin();
        let leaving = self.leaving(declared);
        for declared in &declared.subscriptions {
            let key = SubscriptionKey {
                application: declared.application.clone(),
                plan: declared.plan.clone(),
            };
            let create = || {
                let (application, plan) = (declared.application.clone(), declared.plan.clone());
                let former = leaving
                    .iter()
                    .find(|former| former.is_moved_to(&application, &plan));
                let new = Subscription::new(application, plan, declared.terms);
                Arc::new(match former {
                    Some(former) => new.after(former),
                    None => new,
                })
            };
            subscriptions
                .get_or_insert_with(key, create)
                .change(declared.terms);
        }
        for set in declared.applications.iter().flat_map(|own| &own.claim_sets) {
            let names = self.claim_names.load();
            if !names.cover(set) {
                self.claim_names.store(Arc::new(names.with(set)));
            }
        }
        for declared in &declared.applications {
            let create = || Arc::new(Application::new(declared.id.clone(), declared.standing.clone()));
            let application = applications.get_or_insert_with(declared.id.clone(), create);
            application.change(&declared.standing);
            for client in &declared.clients {
                clients.insert(ClientKey::of(client), Owners::One(Arc::clone(application)));
            }
            for set in &declared.claim_sets {
                claim_sets.insert(set.clone(), Owners::One(Arc::clone(application)));
            }
        }
    }

    /// Subscriptions that are declared and will be no longer.
    fn leaving(&self, declared: &Declared) -> Vec<Arc<Subscription>> {
        let present = self.declared.subscriptions.pin();
        if present.is_empty() {
            return Vec::new();
        }
        let stay: HashSet<(&str, &str)> = declared
            .subscriptions
            .iter()
            .map(|own| (own.application.as_str(), own.plan.as_str()))
            .collect();
        let leaving = present.values().filter(|own| {
            let key = (own.application.as_str(), own.plan.as_str());
            !stay.contains(&key)
        });
        leaving.map(Arc::clone).collect()
    }

    /// Takes away what is no longer declared.
    pub fn retain(&self, declared: &Declared) {
        let mut applications = HashSet::new();
        let mut clients = HashSet::new();
        let mut claim_sets = HashSet::new();
        for application in &declared.applications {
            applications.insert(application.id.as_str());
            claim_sets.extend(&application.claim_sets);
            for (issuer, id) in &application.clients {
                clients.insert((issuer.as_ref().map(IssuerName::as_str), &**id));
            }
        }
        let subscriptions: HashSet<(&str, &str)> = declared
            .subscriptions
            .iter()
            .map(|s| (s.application.as_str(), s.plan.as_str()))
            .collect();
        let own = &self.declared;
        own.clients
            .pin()
            .retain(|key, _| clients.contains(&(key.issuer.as_ref().map(IssuerName::as_str), &*key.id)));
        own.claim_sets.pin().retain(|set, _| claim_sets.contains(set));
        own.subscriptions
            .pin()
            .retain(|key, _| subscriptions.contains(&(key.application.as_str(), key.plan.as_str())));
        own.applications
            .pin()
            .retain(|id, _| applications.contains(id.as_str()));
        self.rename(&[&self.state.load()]);
    }

    /// Asks tokens for the claims that are named by what is declared and by these, and for no others.
    fn rename(&self, states: &[&State]) {
        let declared = self.declared.claim_sets.pin();
        let pins: Vec<_> = states.iter().map(|state| state.tables.claim_sets.pin()).collect();
        let sets = declared.keys().chain(pins.iter().flat_map(|pin| pin.keys()));
        let names = ClaimNames::of(sets);
        // Equal names stay the same names: whoever was asked for them need not be asked again.
        if **self.claim_names.load() != names {
            self.claim_names.store(Arc::new(names));
        }
    }

    /// Whether an application of the store is in force: none of its id is declared.
    fn is_in_force(&self, id: &ApplicationId) -> bool {
        !self.declared.applications.pin().contains_key(id)
    }
}

// === impl Successor ===

impl Successor<'_> {
    /// Adds an entry. Those of one application share its id in memory if the application comes first.
    pub fn add(&self, change: Change) {
        self.state.apply(change, Some(&self.before));
    }

    /// Takes the place of what there was before, in one step.
    pub fn take_over(self) {
        let Self { index, before, state } = self;
        let state = Arc::new(state);
        index.rename(&[&before, &state]);
        index.state.store(Arc::clone(&state));
        index.rename(&[&state]);
    }
}

// === impl Identified ===

impl Identified {
    fn add(&mut self, application: &Arc<Application>) -> Result<(), SubscriptionError> {
        match &self.0 {
            Some(other) if other.id != application.id => Err(SubscriptionError::ApplicationAmbiguous),
            Some(_) => Ok(()),
            None => {
                self.0 = Some(Arc::clone(application));
                Ok(())
            }
        }
    }
}
