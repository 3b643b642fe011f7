//! The lock-free index of applications and subscriptions.
//!
//! Two look-ups decide: client id to application (by issuer and id, then by id alone), and application and plan to
//! subscription. Both borrow their keys, allocate nothing and take no lock. Changes come as the whole of what is
//! declared, in two steps, so that a reload never takes from a caller what both configurations grant: [`Index::admit`]
//! before the new snapshot is in place, [`Index::retain`] after.

use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use papaya::Equivalent;

use super::{Application, Standing, Subscription, Terms};
use crate::id::{ApplicationId, IssuerName, PlanId};

/// Every application and subscription there is.
#[derive(Debug, Default)]
pub struct Index {
    applications: papaya::HashMap<ApplicationId, Arc<Application>>,
    clients: papaya::HashMap<ClientKey, Arc<Application>>,
    subscriptions: papaya::HashMap<SubscriptionKey, Arc<Subscription>>,
}

/// What one configuration declares.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Declared {
    /// Applications, no id and no client id twice.
    pub applications: Vec<DeclaredApplication>,
    /// Subscriptions, at most one for an application and a plan.
    pub subscriptions: Vec<DeclaredSubscription>,
}

/// One declared application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredApplication {
    /// Its id.
    pub id: ApplicationId,
    /// Its client ids; without an issuer: in the tokens of any.
    pub clients: Vec<(Option<IssuerName>, Box<str>)>,
    /// Its standing.
    pub standing: Standing,
}

/// One declared subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredSubscription {
    /// Whose.
    pub application: ApplicationId,
    /// To what.
    pub plan: PlanId,
    /// Its terms.
    pub terms: Terms,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct ClientKey {
    issuer: Option<IssuerName>,
    id: Box<str>,
}

struct ClientRef<'k> {
    issuer: Option<&'k str>,
    id: &'k str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct SubscriptionKey {
    application: ApplicationId,
    plan: PlanId,
}

struct SubscriptionRef<'k> {
    application: &'k str,
    plan: &'k str,
}

// === impl Index ===

impl Index {
    /// The application that `client_id` stands for in tokens of `issuer`.
    pub fn application(&self, issuer: &str, client_id: &str) -> Option<Arc<Application>> {
        let clients = self.clients.pin();
        clients
            .get(&ClientRef {
                issuer: Some(issuer),
                id: client_id,
            })
            .or_else(|| {
                clients.get(&ClientRef {
                    issuer: None,
                    id: client_id,
                })
            })
            .cloned()
    }

    /// The subscription of an application to a plan, in force or not.
    pub fn subscription(&self, application: &ApplicationId, plan: &PlanId) -> Option<Arc<Subscription>> {
        let key = SubscriptionRef {
            application: application.as_str(),
            plan: plan.as_str(),
        };
        self.subscriptions.pin().get(&key).cloned()
    }

    /// How many applications and subscriptions there are.
    pub fn counts(&self) -> (usize, usize) {
        (self.applications.len(), self.subscriptions.len())
    }

    /// Adds what is new and changes what changed; takes nothing away.
    ///
    /// A client id is bound last: who finds its application finds the application's subscriptions, too.
    pub fn admit(&self, declared: &Declared) {
        let applications = self.applications.pin();
        let clients = self.clients.pin();
        let subscriptions = self.subscriptions.pin();
        for declared in &declared.subscriptions {
            let key = SubscriptionKey {
                application: declared.application.clone(),
                plan: declared.plan.clone(),
            };
            let create = || {
                Arc::new(Subscription::new(
                    declared.application.clone(),
                    declared.plan.clone(),
                    declared.terms,
                ))
            };
            subscriptions
                .get_or_insert_with(key, create)
                .change(declared.terms);
        }
        for declared in &declared.applications {
            let create = || Arc::new(Application::new(declared.id.clone(), declared.standing.clone()));
            let application = applications.get_or_insert_with(declared.id.clone(), create);
            application.change(&declared.standing);
            for (issuer, id) in &declared.clients {
                let key = ClientKey {
                    issuer: issuer.clone(),
                    id: id.clone(),
                };
                clients.insert(key, Arc::clone(application));
            }
        }
    }

    /// Takes away what is no longer declared.
    pub fn retain(&self, declared: &Declared) {
        let mut applications = HashSet::new();
        let mut clients = HashSet::new();
        for application in &declared.applications {
            applications.insert(application.id.as_str());
            for (issuer, id) in &application.clients {
                clients.insert((issuer.as_ref().map(IssuerName::as_str), &**id));
            }
        }
        let subscriptions: HashSet<(&str, &str)> = declared
            .subscriptions
            .iter()
            .map(|s| (s.application.as_str(), s.plan.as_str()))
            .collect();
        self.clients
            .pin()
            .retain(|key, _| clients.contains(&(key.issuer.as_ref().map(IssuerName::as_str), &*key.id)));
        self.subscriptions
            .pin()
            .retain(|key, _| subscriptions.contains(&(key.application.as_str(), key.plan.as_str())));
        self.applications
            .pin()
            .retain(|id, _| applications.contains(id.as_str()));
    }
}

// === impl ClientKey ===

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

#[cfg(test)]
mod tests {
    use super::super::{Status, SubscriptionError};
    use super::*;
    use crate::time::UnixTime;

    const NOW: UnixTime = UnixTime::from_seconds(1_000);

    fn application(id: &str, clients: &[(Option<&str>, &str)]) -> DeclaredApplication {
        DeclaredApplication {
            id: ApplicationId::new(id),
            clients: clients
                .iter()
                .map(|(issuer, id)| (issuer.map(IssuerName::new), (*id).into()))
                .collect(),
            standing: Standing::default(),
        }
    }

    fn subscription(application: &str, status: Status) -> DeclaredSubscription {
        DeclaredSubscription {
            application: ApplicationId::new(application),
            plan: PlanId::of("orders", "gold"),
            terms: Terms {
                status,
                from: None,
                until: None,
            },
        }
    }

    fn apply(index: &Index, declared: &Declared) {
        index.admit(declared);
        index.retain(declared);
    }

    fn find(index: &Index, issuer: &str, client: &str) -> Option<String> {
        index
            .application(issuer, client)
            .map(|application| application.id.to_string())
    }

    #[test]
    fn a_client_id_is_found_by_issuer_first_and_by_exact_bytes() {
        let index = Index::default();
        let mobile = application("mobile", &[(None, "mobile-app"), (Some("acme"), "m1")]);
        apply(
            &index,
            &Declared {
                applications: vec![mobile],
                subscriptions: vec![],
            },
        );
        for (issuer, client, expected) in [
            ("acme", "mobile-app", Some("mobile")),
            ("globex", "mobile-app", Some("mobile")),
            ("acme", "m1", Some("mobile")),
            ("globex", "m1", None),
            ("acme", "M1", None),
            ("acme", "mobile-app ", None),
            ("acme", "", None),
        ] {
            assert_eq!(
                find(&index, issuer, client).as_deref(),
                expected,
                "{issuer} {client}"
            );
        }
    }

    #[test]
    fn an_entry_outlives_every_change_of_its_terms() {
        let index = Index::default();
        let declared = |status| Declared {
            applications: vec![application("a", &[(None, "a")])],
            subscriptions: vec![subscription("a", status)],
        };
        apply(&index, &declared(Status::Accepted));
        let plan = PlanId::of("orders", "gold");
        let before = index.subscription(&ApplicationId::new("a"), &plan).unwrap();
        assert_eq!(before.in_force(NOW), Ok(()));
        apply(&index, &declared(Status::Paused));
        assert_eq!(before.in_force(NOW), Err(SubscriptionError::Paused));
        apply(&index, &declared(Status::Accepted));
        let after = index.subscription(&ApplicationId::new("a"), &plan).unwrap();
        assert!(Arc::ptr_eq(&before, &after));
    }

    #[test]
    fn what_is_no_longer_declared_is_gone() {
        let index = Index::default();
        let both = Declared {
            applications: vec![
                application("a", &[(None, "a")]),
                application("b", &[(None, "b"), (None, "b2")]),
            ],
            subscriptions: vec![
                subscription("a", Status::Accepted),
                subscription("b", Status::Accepted),
            ],
        };
        apply(&index, &both);
        assert_eq!(index.counts(), (2, 2));
        let one = Declared {
            applications: vec![application("b", &[(None, "b")])],
            subscriptions: vec![],
        };
        apply(&index, &one);
        assert_eq!(index.counts(), (1, 0));
        assert_eq!(find(&index, "acme", "a"), None);
        assert_eq!(find(&index, "acme", "b2"), None);
        assert_eq!(find(&index, "acme", "b").as_deref(), Some("b"));
    }

    #[test]
    fn a_client_id_that_moves_is_never_without_an_owner() {
        let index = Index::default();
        let owned_by = |id: &str| Declared {
            applications: vec![application(id, &[(None, "client")])],
            subscriptions: vec![],
        };
        apply(&index, &owned_by("a"));
        index.admit(&owned_by("b"));
        assert_eq!(find(&index, "acme", "client").as_deref(), Some("b"));
        index.retain(&owned_by("b"));
        assert_eq!(find(&index, "acme", "client").as_deref(), Some("b"));
    }

    #[test]
    fn a_client_id_that_moves_finds_its_new_owner_subscribed() {
        let index = Index::default();
        let owned_by = |id: &str| Declared {
            applications: vec![application(id, &[(None, "client")])],
            subscriptions: vec![subscription(id, Status::Accepted)],
        };
        let plan = PlanId::of("orders", "gold");
        let rounds = 300;
        index.admit(&owned_by("a-0"));
        let over = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    let owner = index.application("acme", "client").unwrap();
                    assert!(index.subscription(&owner.id, &plan).is_some(), "{}", owner.id);
                }
            });
            for round in 1..rounds {
                // Many subscriptions, of which the one that counts comes last.
                let mut next = owned_by(&format!("a-{round}"));
                let own = next.subscriptions.remove(0);
                next.subscriptions = (0..100)
                    .map(|other| subscription(&format!("other-{other}"), Status::Accepted))
                    .chain([own])
                    .collect();
                index.admit(&next);
            }
            over.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    }
}
