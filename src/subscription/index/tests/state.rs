//! What lives at run time: that every change is seen by the next look-up, and what holds where two say something of the
//! same.

use super::*;
use crate::subscription::{ApiKeyEntry, ApplicationEntry, ClaimSet, SubscriptionEntry};

fn put(id: &str, clients: &[(Option<&str>, &str)], sets: &[&[(&str, &str)]]) -> Change {
    let set = |members: &&[(&str, &str)]| {
        let members = members.iter();
        members
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect()
    };
    Change::Application {
        id: ApplicationId::new(id),
        entry: Some(ApplicationEntry {
            clients: application(id, clients).clients,
            claim_sets: sets.iter().map(set).collect(),
            audience: None,
            suspended: false,
        }),
    }
}

fn gone(id: &str) -> Change {
    Change::Application {
        id: ApplicationId::new(id),
        entry: None,
    }
}

fn subscribe(application: &str, status: Status) -> Change {
    Change::Subscription {
        application: ApplicationId::new(application),
        plan: PlanId::of("orders", "gold"),
        entry: Some(SubscriptionEntry {
            status,
            from: None,
            until: None,
        }),
    }
}

fn key(id: &str, text: &str, application: &str, revoked: bool) -> Change {
    Change::ApiKey {
        id: id.into(),
        entry: Some(ApiKeyEntry {
            hash: secret().hash(text),
            application: ApplicationId::new(application),
            plan: PlanId::of("orders", "gold"),
            expires_at: Some(UnixTime::from_seconds(2_000)),
            revoked,
        }),
    }
}

fn secret() -> ApiKeySecret {
    ApiKeySecret::new(&[7; 32])
}

fn index(changes: impl IntoIterator<Item = Change>) -> Index {
    let index = Index::default();
    index.set_key_secret(secret());
    changes.into_iter().for_each(|change| index.change(change));
    index
}

fn declare(application: DeclaredApplication, subscriptions: Vec<DeclaredSubscription>) -> Declared {
    Declared {
        applications: vec![application],
        subscriptions,
    }
}

/// Who a token with these claims stands for.
fn whose(index: &Index, client: Option<&str>, claims: &[(&str, &str)]) -> String {
    let names = Arc::clone(&index.claim_names());
    let value = |place: usize| {
        let name = names.names().get(place)?;
        claims
            .iter()
            .find(|(own, _)| **own == **name)
            .map(|(_, value)| *value)
    };
    match index.identify("acme", client, &names, value) {
        Ok(Some(application)) => application.id.to_string(),
        Ok(None) => "nobody".to_owned(),
        Err(error) => format!("{error:?}"),
    }
}

#[test]
fn claim_sets_identify_by_all_of_one_and_any_of_them() {
    let (administrator, developer) = (
        [("sub", "Administrator"), ("name", "srna")],
        [("sub", "Developer"), ("name", "lnar")],
    );
    let index = index([
        put("mobile", &[(None, "m")], &[&administrator, &developer]),
        put("web", &[(None, "w")], &[&[("tenant", "acme")]]),
    ]);
    for (client, claims, expected) in [
        (None, &administrator[..], "mobile"),
        (
            None,
            &[("name", "lnar"), ("sub", "Developer"), ("more", "x")],
            "mobile",
        ),
        (None, &[("sub", "Administrator")], "nobody"),
        (None, &[("sub", "Administrator"), ("name", "lnar")], "nobody"),
        (None, &[("tenant", "acme")], "web"),
        (None, &[("tenant", "Acme")], "nobody"),
        (Some("m"), &administrator, "mobile"),
        (Some("w"), &administrator, "ApplicationAmbiguous"),
        (
            None,
            &[("sub", "Developer"), ("name", "lnar"), ("tenant", "acme")],
            "ApplicationAmbiguous",
        ),
        (Some("unknown"), &administrator, "mobile"),
    ] {
        assert_eq!(whose(&index, client, claims), expected, "{client:?} {claims:?}");
    }
    index.change(gone("mobile"));
    assert_eq!(whose(&index, None, &administrator), "nobody");
    index.resync([put("web", &[], &[])].into_iter());
    assert!(
        index.claim_names().names().is_empty(),
        "nothing is asked for in vain"
    );
}

#[test]
fn a_client_id_with_two_owners_is_neithers_whichever_came_first() {
    let (a, b) = (
        put("a", &[(None, "x")], &[]),
        put("b", &[(Some("acme"), "x")], &[]),
    );
    for changes in [[a.clone(), b.clone()], [b, a]] {
        let index = index(changes);
        assert_eq!(whose(&index, Some("x"), &[]), "ApplicationAmbiguous");
        index.change(put("a", &[], &[]));
        assert_eq!(whose(&index, Some("x"), &[]), "b");
        index.change(gone("b"));
        assert_eq!(whose(&index, Some("x"), &[]), "nobody");
    }
}

#[test]
fn a_declared_claim_set_collides_with_what_it_is_part_of_and_with_its_parts() {
    let index = index([
        put("pair", &[], &[&[("sub", "s"), ("tenant", "acme")]]),
        put("one", &[], &[&[("sub", "other")], &[("group", "g")]]),
    ]);
    type Row<'r> = (&'r [(&'r str, &'r str)], &'r [&'r str]);
    let rows: [Row<'_>; 9] = [
        (&[("sub", "s"), ("tenant", "acme")], &["pair"]),
        (&[("tenant", "acme")], &["pair"]),
        (&[("sub", "s")], &["pair"]),
        (&[("sub", "s"), ("tenant", "acme"), ("more", "x")], &["pair"]),
        (&[("sub", "other"), ("more", "x")], &["one"]),
        (&[("sub", "other"), ("group", "g")], &["one"]),
        (
            &[("group", "g"), ("sub", "s"), ("tenant", "acme")],
            &["one", "pair"],
        ),
        (&[("sub", "s"), ("tenant", "globex")], &[]),
        (&[("sub", "acme")], &[]),
    ];
    for (set, expected) in rows {
        let members = set.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let mut new = application("new", &[]);
        new.claim_sets.extend(ClaimSet::new(members.collect()));
        let expected: Vec<Collision> = expected
            .iter()
            .map(|application| Collision::ClaimSet {
                application: ApplicationId::new(*application),
                declared: ApplicationId::new("new"),
            })
            .collect();
        assert_eq!(index.collisions(&declare(new, vec![])), expected, "{set:?}");
    }
}

#[test]
fn only_a_subscription_that_is_not_over_collides_with_a_declared_one() {
    for (status, collides) in [
        (Status::Pending, true),
        (Status::Accepted, true),
        (Status::Paused, true),
        (Status::Rejected, false),
        (Status::Closed, false),
    ] {
        let index = index([subscribe("a", status)]);
        let subscriptions = vec![subscription("a", Status::Accepted)];
        let declared = declare(application("a", &[]), subscriptions);
        let found = (
            index.collisions(&declared).len(),
            index.displaced(&declared).len(),
        );
        let expected = if collides { (1, 0) } else { (0, 1) };
        assert_eq!(found, expected, "{status:?}");
    }
}

#[test]
fn what_is_declared_holds_and_is_told_beforehand() {
    let index = index([
        put("a", &[(None, "x"), (None, "y")], &[&[("tenant", "acme")]]),
        subscribe("a", Status::Accepted),
        put("b", &[(None, "z")], &[]),
        subscribe("b", Status::Accepted),
        key("k", "a-key-of-a", "a", false),
    ]);
    let declared = declare(
        application("a", &[(Some("acme"), "z")]),
        vec![subscription("b", Status::Paused)],
    );
    assert_eq!(
        index.collisions(&declared),
        [
            Collision::Application(ApplicationId::new("a")),
            Collision::ClientId {
                id: "z".into(),
                application: ApplicationId::new("b"),
            },
            Collision::Subscription {
                application: ApplicationId::new("b"),
                plan: PlanId::of("orders", "gold"),
            },
        ]
    );
    let plan = PlanId::of("orders", "gold");
    let status = |id: &str| {
        let subscription = index.subscription(&ApplicationId::new(id), &plan);
        subscription.map(|subscription| subscription.terms().status)
    };
    let good = || index.api_key("a-key-of-a", NOW).is_ok();
    assert!(good());
    apply(&index, &declared);
    // The store's `a` is not in force, and neither is what was agreed with it.
    assert_eq!(whose(&index, Some("x"), &[]), "nobody");
    assert_eq!(whose(&index, None, &[("tenant", "acme")]), "nobody");
    assert_eq!(whose(&index, Some("z"), &[]), "a");
    assert_eq!((status("a"), status("b")), (None, Some(Status::Paused)));
    assert!(!good());
    // Changes of the store do not touch what is declared, and a reload does not touch the store's.
    index.change(subscribe("b", Status::Accepted));
    index.change(gone("a"));
    assert_eq!(whose(&index, Some("z"), &[]), "a");
    assert_eq!(
        (status("a"), status("b")),
        (Some(Status::Accepted), Some(Status::Paused))
    );
    assert!(good(), "a key for a subscription of the declared application");
    apply(&index, &Declared::default());
    assert_eq!(whose(&index, Some("z"), &[]), "b");
    assert_eq!(status("b"), Some(Status::Accepted));
    assert!(!good());
}

#[test]
fn a_resync_replaces_everything_and_keeps_the_entries_that_stay() {
    let all = |status| {
        [
            put("a", &[(None, "a")], &[]),
            subscribe("a", status),
            subscribe("b", status),
        ]
    };
    let index = index(
        all(Status::Accepted)
            .into_iter()
            .chain([put("old", &[(None, "old")], &[])]),
    );
    let plan = PlanId::of("orders", "gold");
    let find = || index.subscription(&ApplicationId::new("a"), &plan).unwrap();
    let before = find();
    index.resync(all(Status::Accepted).into_iter());
    assert!(Arc::ptr_eq(&before, &find()));
    assert_eq!(whose(&index, Some("old"), &[]), "nobody");
    index.resync(all(Status::Paused).into_iter());
    assert_eq!(find().terms().status, Status::Paused);
    let before = find();
    index.change(subscribe("a", Status::Accepted));
    assert!(Arc::ptr_eq(&before, &find()));
    assert_eq!(before.in_force(NOW), Ok(()));
}

#[test]
fn a_key_is_good_until_it_is_revoked_or_expires() {
    let index = index([put("a", &[], &[]), key("k1", "key-number-1", "a", false)]);
    let error = |text: &str, now: i64| {
        let found = index.api_key(text, UnixTime::from_seconds(now));
        found.err().map(|refused| refused.error)
    };
    assert_eq!(error("key-number-1", 1_999), None);
    assert_eq!(error("key-number-1", 2_000), Some(ApiKeyError::Expired));
    assert_eq!(error("key-number-2", 1_000), Some(ApiKeyError::Unknown));
    assert_eq!(error("key", 1_000), Some(ApiKeyError::Malformed));
    index.change(key("k1", "key-number-1", "a", true));
    assert_eq!(error("key-number-1", 1_000), Some(ApiKeyError::Revoked));
    // A revoked key may be given out anew; a good one belongs to one.
    index.change(key("k2", "key-number-1", "a", false));
    assert_eq!(error("key-number-1", 1_000), None);
    index.change(key("k3", "key-number-1", "a", false));
    assert_eq!(error("key-number-1", 1_000), Some(ApiKeyError::Unknown));
    index.change(key("k3", "key-number-3", "a", false));
    assert_eq!(
        (error("key-number-1", 1_000), error("key-number-3", 1_000)),
        (None, None)
    );
    index.change(gone("a"));
    assert_eq!(error("key-number-3", 1_000), Some(ApiKeyError::Unknown));
    // Under another secret nothing is what it was.
    index.change(put("a", &[], &[]));
    assert_eq!(error("key-number-3", 1_000), None);
    index.set_key_secret(ApiKeySecret::new(&[8; 32]));
    assert_eq!(error("key-number-3", 1_000), Some(ApiKeyError::Unknown));
    let none = Index::default();
    none.change(key("k1", "key-number-1", "a", false));
    assert!(none.api_key("key-number-1", NOW).is_err());
}

#[test]
fn nothing_shows_a_key_or_its_hash() {
    let index = index([put("a", &[], &[]), key("k1", "key-number-1", "a", false)]);
    let shown = format!("{index:?}");
    assert!(shown.contains("k1") && !shown.contains("key-number-1"), "{shown}");
    let (key, _) = index.api_key("key-number-1", NOW).unwrap();
    assert_eq!(
        format!("{key:?}"),
        "ApiKey { id: \"k1\", application: \"a\", plan: \"orders/gold\", .. }"
    );
}
