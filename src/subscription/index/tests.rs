//! Look-ups of what a configuration declares; what lives at run time is in `tests/state.rs`.
//! That any sequence of both is answered as a plain model answers is in `tests/model.rs`.

use super::*;
use crate::id::IssuerName;
use crate::subscription::{
    DeclaredApplication, DeclaredSubscription, Standing, Status, SubscriptionError, Terms,
};
use crate::time::UnixTime;

mod model;
mod state;

const NOW: UnixTime = UnixTime::from_seconds(1_000);

fn application(id: &str, clients: &[(Option<&str>, &str)]) -> DeclaredApplication {
    DeclaredApplication {
        id: ApplicationId::new(id),
        clients: clients
            .iter()
            .map(|(issuer, id)| (issuer.map(IssuerName::new), (*id).into()))
            .collect(),
        claim_sets: Vec::new(),
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
