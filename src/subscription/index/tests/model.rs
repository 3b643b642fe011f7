//! After any sequence of changes, resyncs and reloads the index answers as plain maps do that are searched from end to
//! end.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::subscription::{ApiKeyEntry, ApplicationEntry, ClaimSet, SubscriptionEntry};

const APPLICATIONS: [&str; 4] = ["a", "b", "c", "d"];
const ISSUERS: [Option<&str>; 3] = [None, Some("acme"), Some("globex")];
const CLIENTS: [&str; 3] = ["x", "y", "z"];
const KEYS: [&str; 3] = ["key-number-1", "key-number-2", "key-number-3"];

type Sets = Vec<Vec<(Box<str>, Box<str>)>>;
type Clients = Vec<(Option<IssuerName>, Box<str>)>;

#[derive(Debug, Clone)]
enum Step {
    Change(Change),
    Resync(Vec<Change>),
    Reload(Declared),
}

/// What is there, in the plainest form.
#[derive(Default)]
struct Model {
    declared: Declared,
    applications: BTreeMap<ApplicationId, ApplicationEntry>,
    subscriptions: BTreeMap<(ApplicationId, PlanId), SubscriptionEntry>,
    keys: BTreeMap<Box<str>, ApiKeyEntry>,
}

fn secret() -> ApiKeySecret {
    ApiKeySecret::new(&[7; 32])
}

// === impl Model ===

impl Model {
    fn apply(&mut self, change: Change) {
        match change {
            Change::Application {
                id,
                entry: Some(entry),
            } => drop(self.applications.insert(id, entry)),
            Change::Application { id, entry: None } => drop(self.applications.remove(&id)),
            Change::Subscription {
                application,
                plan,
                entry,
            } => match entry {
                Some(entry) => drop(self.subscriptions.insert((application, plan), entry)),
                None => drop(self.subscriptions.remove(&(application, plan))),
            },
            Change::Moved {
                application,
                from: _, // it goes by itself
                to,
                entry,
            } => drop(self.subscriptions.insert((application, to), entry)),
            Change::ApiKey {
                id,
                entry: Some(entry),
            } => drop(self.keys.insert(id, entry)),
            Change::ApiKey { id, entry: None } => drop(self.keys.remove(&id)),
        }
    }

    fn is_declared(&self, id: &ApplicationId) -> bool {
        self.declared.applications.iter().any(|own| own.id == *id)
    }

    fn identify(&self, issuer: &str, client: Option<&str>, claims: &[(&str, &str)]) -> String {
        let mut found: Vec<&ApplicationId> = Vec::new();
        let named = |clients: &Clients, issuer: Option<&str>| {
            let mut clients = clients.iter();
            client.is_some_and(|client| {
                clients.any(|(own, id)| own.as_ref().map(IssuerName::as_str) == issuer && **id == *client)
            })
        };
        let declared = |issuer| {
            let own = self.declared.applications.iter();
            own.filter(move |own| named(&own.clients, issuer))
                .map(|own| &own.id)
        };
        let own: Vec<_> = match declared(Some(issuer)).next() {
            Some(own) => vec![own],
            None => declared(None).collect(),
        };
        let in_force = || self.applications.iter().filter(|(id, _)| !self.is_declared(id));
        if own.is_empty() {
            let mine =
                |entry: &ApplicationEntry| named(&entry.clients, Some(issuer)) || named(&entry.clients, None);
            found.extend(in_force().filter(|(_, entry)| mine(entry)).map(|(id, _)| id));
        }
        found.extend(own);
        let holds = |set: &ClaimSet| set.members().all(|member| claims.contains(&member));
        let declared_sets = || {
            let own = self.declared.applications.iter();
            own.flat_map(|own| own.claim_sets.iter().map(move |set| (&own.id, set)))
        };
        found.extend(declared_sets().filter(|(_, set)| holds(set)).map(|(id, _)| id));
        for (id, entry) in in_force() {
            for set in entry.claim_sets.iter().cloned().filter_map(ClaimSet::new) {
                if holds(&set) && declared_sets().all(|(_, own)| *own != set) {
                    found.push(id);
                }
            }
        }
        found.sort();
        found.dedup();
        match found.as_slice() {
            [] => "nobody".to_owned(),
            [one] => one.to_string(),
            _ => "several".to_owned(),
        }
    }

    fn subscription(&self, application: &ApplicationId, plan: &PlanId) -> Option<Status> {
        let mut declared = self.declared.subscriptions.iter();
        if let Some(own) = declared.find(|own| own.application == *application && own.plan == *plan) {
            return Some(own.terms.status);
        }
        if self.is_declared(application) && self.applications.contains_key(application) {
            return None;
        }
        let key = (application.clone(), plan.clone());
        self.subscriptions.get(&key).map(|entry| entry.status)
    }

    fn key(&self, text: &str) -> Option<(String, String)> {
        let hash = secret().hash(text);
        let good: Vec<_> = self
            .keys
            .iter()
            .filter(|(_, key)| key.hash == hash && !key.revoked)
            .collect();
        let [(id, key)] = good.as_slice() else {
            return None;
        };
        let origins = [
            self.is_declared(&key.application),
            self.applications.contains_key(&key.application),
        ];
        (origins[0] != origins[1]).then(|| (id.to_string(), key.application.to_string()))
    }
}

#[track_caller]
fn check(index: &Index, model: &Model) {
    let plan = PlanId::of("orders", "gold");
    let names = Arc::clone(&index.claim_names());
    let claims: [&[(&str, &str)]; 5] = [
        &[],
        &[("tenant", "1")],
        &[("tenant", "1"), ("role", "1")],
        &[("tenant", "2"), ("role", "1")],
        &[("role", "2")],
    ];
    for issuer in ["acme", "globex", "other"] {
        for client in [None, Some("x"), Some("y"), Some("z")] {
            for claims in claims {
                let value = |place: usize| {
                    let name = names.names().get(place)?;
                    claims
                        .iter()
                        .find(|(own, _)| **own == **name)
                        .map(|(_, value)| *value)
                };
                let found = match index.identify(issuer, client, &names, value) {
                    Ok(Some(application)) => application.id.to_string(),
                    Ok(None) => "nobody".to_owned(),
                    Err(_) => "several".to_owned(),
                };
                assert_eq!(
                    found,
                    model.identify(issuer, client, claims),
                    "{issuer} {client:?} {claims:?}"
                );
            }
        }
    }
    for id in APPLICATIONS.map(ApplicationId::new) {
        let found = index.subscription(&id, &plan).map(|found| found.terms().status);
        assert_eq!(found, model.subscription(&id, &plan), "{id}");
    }
    for text in KEYS {
        let found = index.api_key(text, NOW).ok();
        let found = found.map(|(key, application)| (key.id.to_string(), application.id.to_string()));
        assert_eq!(found, model.key(text), "{text}");
    }
}

fn claim_sets() -> impl Strategy<Value = Sets> {
    let member = ("tenant|role", "1|2").prop_map(|(name, value)| (name.into(), value.into()));
    proptest::collection::vec(proptest::collection::vec(member, 0..3), 0..2)
}

fn clients() -> impl Strategy<Value = Clients> {
    let client = (
        prop::sample::select(&ISSUERS[..]),
        prop::sample::select(&CLIENTS[..]),
    );
    let client = client.prop_map(|(issuer, id)| (issuer.map(IssuerName::new), id.into()));
    proptest::collection::vec(client, 0..3)
}

fn id() -> impl Strategy<Value = ApplicationId> {
    prop::sample::select(&APPLICATIONS[..]).prop_map(ApplicationId::new)
}

fn status() -> impl Strategy<Value = Status> {
    prop::sample::select(vec![Status::Accepted, Status::Paused, Status::Closed])
}

fn change() -> impl Strategy<Value = Change> {
    let application =
        (clients(), claim_sets(), any::<bool>()).prop_map(|(clients, claim_sets, suspended)| {
            ApplicationEntry {
                clients,
                claim_sets,
                audience: None,
                suspended,
            }
        });
    let application = (id(), proptest::option::weighted(0.8, application))
        .prop_map(|(id, entry)| Change::Application { id, entry });
    let entry = status().prop_map(|status| SubscriptionEntry {
        status,
        from: None,
        until: None,
    });
    let subscription = (id(), proptest::option::weighted(0.8, entry)).prop_map(|(application, entry)| {
        Change::Subscription {
            application,
            plan: PlanId::of("orders", "gold"),
            entry,
        }
    });
    let entry =
        (prop::sample::select(&KEYS[..]), id(), any::<bool>()).prop_map(|(text, application, revoked)| {
            ApiKeyEntry {
                hash: secret().hash(text),
                application,
                plan: PlanId::of("orders", "gold"),
                expires_at: None,
                revoked,
            }
        });
    let key = ("k[123]", proptest::option::weighted(0.8, entry))
        .prop_map(|(id, entry)| Change::ApiKey { id: id.into(), entry });
    prop_oneof![3 => application, 2 => subscription, 2 => key]
}

/// What a configuration can declare: nothing that identifies an application is there twice.
fn declared() -> impl Strategy<Value = Declared> {
    let application = (id(), clients(), claim_sets());
    let subscriptions = proptest::collection::vec((id(), status()), 0..3);
    (proptest::collection::vec(application, 0..3), subscriptions).prop_map(|(applications, subscriptions)| {
        let mut declared = Declared::default();
        let (mut ids, mut names, mut sets) = (HashSet::new(), HashSet::new(), HashSet::new());
        for (id, clients, claim_sets) in applications {
            if !ids.insert(id.clone()) {
                continue;
            }
            let clients = clients
                .into_iter()
                .filter(|(_, client)| names.insert(client.clone()));
            let claim_sets = claim_sets.into_iter().filter_map(ClaimSet::new);
            declared.applications.push(DeclaredApplication {
                id,
                clients: clients.collect(),
                claim_sets: claim_sets.filter(|set| sets.insert(set.clone())).collect(),
                standing: Standing::default(),
            });
        }
        for (id, status) in subscriptions {
            if declared.subscriptions.iter().all(|own| own.application != id) {
                declared.subscriptions.push(subscription(id.as_str(), status));
            }
        }
        declared
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => change().prop_map(Step::Change),
        1 => proptest::collection::vec(change(), 0..8).prop_map(Step::Resync),
        2 => declared().prop_map(Step::Reload),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn after_any_sequence_the_index_answers_as_a_plain_model_does(
        steps in proptest::collection::vec(step(), 1..24),
    ) {
        let (index, mut model) = (Index::default(), Model::default());
        index.set_key_secret(secret());
        for step in steps {
            match step {
                Step::Change(change) => {
                    index.change(change.clone());
                    model.apply(change);
                }
                Step::Resync(changes) => {
                    index.resync(changes.clone().into_iter());
                    model.applications.clear();
                    model.subscriptions.clear();
                    model.keys.clear();
                    // A resync tells applications first, wherever they stand.
                    let is_application = |change: &Change| matches!(change, Change::Application { .. });
                    let (first, rest): (Vec<_>, Vec<_>) = changes.into_iter().partition(is_application);
                    first.into_iter().chain(rest).for_each(|change| model.apply(change));
                }
                Step::Reload(declared) => {
                    index.admit(&declared);
                    index.retain(&declared);
                    model.declared = declared;
                }
            }
            check(&index, &model);
        }
    }
}
