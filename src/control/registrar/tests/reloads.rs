//! Configurations that take effect while operators change what is in the store, and what is left of former ones.
//! Both come at any time, so what one takes for granted the other may be about to take away.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::control::state::records::{SubscriptionRecord, SubscriptionStatus};
use crate::control::state::tests::Memory;

/// The application that a token with one claim stands for.
fn whose(index: &Index, claim: &str) -> Option<String> {
    let names = Arc::clone(&index.claim_names());
    let value = |place: usize| {
        names
            .names()
            .get(place)
            .filter(|own| ***own == *claim)
            .map(|_| "x")
    };
    let found = index.identify("acme", None, &names, value);
    found.ok().flatten().map(|found| found.id.to_string())
}

#[test]
fn no_reload_makes_tokens_be_asked_for_less_than_the_store_names() {
    let store = Arc::new(Memory::default());
    let (registrar, index) = registrar(&store);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                registrar
                    .adopt_declared(&Declared::default(), Vec::new, || {})
                    .unwrap();
            }
        });
        let names: Vec<String> = (0..100).map(|number| format!("claim-{number}")).collect();
        for (number, name) in names.iter().enumerate() {
            let id = format!("a{number}");
            let set = json!({ name.as_str(): "x" });
            create(&registrar, json!({ "id": id, "claim_sets": [set] }));
            // The reloads go on, so what one of them has lost shows in a later round at the latest.
            let lost = names
                .iter()
                .take(number + 1)
                .find(|name| whose(&index, name).is_none());
            if lost.is_some() {
                over.store(true, Ordering::Relaxed);
            }
            assert_eq!(lost, None);
        }
        over.store(true, Ordering::Relaxed);
    });
}

#[test]
fn nothing_is_moved_from_a_plan_of_which_nobody_knows_what_it_asked_for() {
    let store = Arc::new(Memory::default());
    let (registrar, _) = registrar(&store);
    create(&registrar, json!({ "id": "a" }));
    let record = SubscriptionRecord {
        status: SubscriptionStatus::Accepted,
        from: None,
        until: None,
        created_at: 1,
        updated_at: 1,
    };
    let writes =
        ["gold", "former"].map(|plan| write(Kind::Subscription, &format!("a:orders:{plan}"), &record));
    let batch = Batch {
        based_on: store.revision().unwrap(),
        writes: writes.into_iter().collect::<Result<_, _>>().unwrap(),
        note: Vec::new(),
    };
    store.commit(batch).unwrap();
    for (from, to, expected) in [
        (
            "former",
            "silver",
            "the plan `orders/former` is not configured any more",
        ),
        (
            "former",
            "keys",
            "the plan `orders/former` is not configured any more",
        ),
        (
            "gold",
            "keys",
            "the plan `keys` asks for another kind of credential",
        ),
        ("gold", "silver", "a:orders:silver"),
    ] {
        let to = Move { plan: to.to_owned() };
        let from = format!("a:orders:{from}");
        let found = shown(registrar.move_subscription(&actor(), &from, &to, &None));
        assert!(found.starts_with(expected), "{from}: {found}");
    }
}

#[test]
fn a_start_removes_what_is_over_and_declared() {
    let subscription = |status: &str| {
        let id = "declared:orders:gold";
        let record = json!({ "status": status, "created_at": 1, "updated_at": 1 });
        (Kind::Subscription, id.to_owned(), record)
    };
    let key = |number: u64| {
        let record = json!({ "hash": "0f".repeat(32), "prefix": "", "created_at": 1 });
        (Kind::ApiKey, format!("declared:orders:gold:{number}"), record)
    };
    for (kept, left) in [
        (vec![subscription("closed"), key(1), key(2)], Ok(0)),
        (vec![subscription("rejected")], Ok(0)),
        (vec![subscription("paused"), key(1)], Err(2)),
        // Without a subscription they are the declared one's.
        (vec![key(1), key(2)], Ok(2)),
    ] {
        let store = Arc::new(Memory::default());
        let writes = kept.iter().map(|(kind, id, record)| write(*kind, id, record));
        let batch = Batch {
            based_on: store.revision().unwrap(),
            writes: writes.collect::<Result<_, _>>().unwrap(),
            note: Vec::new(),
        };
        store.commit(batch).unwrap();
        let (registrar, _) = registrar(&store);
        let declared = &registrar.cell.snapshot().declared;
        let begun = registrar.adopt_declared(declared, Vec::new, || {});
        let mut count = 0;
        let counted = store.load(&mut |_, _| {
            count += 1;
            Ok(())
        });
        counted.unwrap();
        let found = if begun.is_ok() { Ok(count) } else { Err(count) };
        assert_eq!(found, left, "{kept:?}");
    }
}
