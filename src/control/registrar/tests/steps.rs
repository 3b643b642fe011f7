//! A batch reaches the index change by change, and a request may come between any two of them.
//! So what no request may find is looked for after every single step.

use super::*;
use crate::control::state::tests::Memory;

/// A registrar over a store with `a`, subscribed to two plans for keys, and with a key to each.
fn begun() -> (Registrar, Arc<Memory>) {
    let store = Arc::new(Memory::default());
    let (registrar, _) = registrar(&store);
    create(&registrar, json!({ "id": "a" }));
    for plan in ["keys", "spare"] {
        subscribe(&registrar, "a", "orders", plan);
        give(&registrar, plan);
    }
    (registrar, store)
}

fn give(registrar: &Registrar, plan: &str) {
    let new = serde_json::from_value(json!({ "key": format!("key-to-{plan}") })).unwrap();
    let subscription = format!("a:orders:{plan}");
    registrar
        .create_api_key(&actor(), &subscription, &new, None)
        .unwrap();
}

fn close(registrar: &Registrar, plan: &str) {
    let id = format!("a:orders:{plan}");
    registrar
        .act_on_subscription(&actor(), &id, Action::Close, &None)
        .unwrap();
}

fn move_on(registrar: &Registrar, from: &str, to: &str) {
    let to = Move { plan: to.to_owned() };
    registrar
        .move_subscription(&actor(), &format!("a:orders:{from}"), &to, &None)
        .unwrap();
}

/// The plan that a key opens.
fn opens(index: &Index, text: &str) -> Option<String> {
    let now = Clock.now();
    let (key, owner) = index.api_key(text, now).ok()?;
    let subscription = index.subscription(&owner.id, &key.plan)?;
    (owner.in_good_standing().is_ok() && subscription.in_force(now).is_ok()).then(|| key.plan.to_string())
}

/// What each key opens after each step of the last change, without what it opened before and after all of it.
fn found_between(store: &Arc<Memory>, before: &Index, last: Revision) -> Vec<String> {
    let Changes::Deltas { records, .. } = store.changes(last).unwrap() else {
        panic!("the store forgot its changes");
    };
    let changes = records
        .iter()
        .filter_map(|(key, record)| changes::change(key, record.as_ref()).unwrap());
    let texts = ["key-to-keys", "key-to-spare"];
    let seen = |index: &Index| texts.map(|text| opens(index, text));
    let (_, after) = registrar(store);
    let ends = [seen(before), seen(&after)];
    let mut odd = Vec::new();
    for change in in_order(changes.collect()) {
        let step = format!("{change:?}");
        before.change(change);
        for (place, found) in seen(before).into_iter().enumerate() {
            let granted = ends.iter().any(|end| end[place] == found);
            if found.is_some() && !granted {
                odd.push(format!("{} opens {found:?} after {step}", texts[place]));
            }
        }
    }
    assert_eq!(seen(before), seen(&after));
    odd
}

#[test]
fn no_step_of_a_change_opens_what_neither_its_beginning_nor_its_end_does() {
    type Act = fn(&Registrar);
    let rows: [(&str, Act, Act); 5] = [
        (
            "made anew after it was closed",
            |by| close(by, "keys"),
            |by| drop(subscribe(by, "a", "orders", "keys")),
        ),
        (
            "moved to where one was closed",
            |by| close(by, "spare"),
            |by| move_on(by, "keys", "spare"),
        ),
        (
            "moved from where one was closed, and back again",
            |by| {
                close(by, "spare");
                move_on(by, "keys", "spare");
            },
            |by| move_on(by, "spare", "keys"),
        ),
        (
            "the application removed",
            |_| {},
            |by| by.delete_application(&actor(), "a", &None).unwrap(),
        ),
        ("closed", |_| {}, |by| close(by, "keys")),
    ];
    for (row, first, then) in rows {
        let (registrar_one, store) = begun();
        first(&registrar_one);
        let (_, before) = registrar(&store);
        let last = store.revision().unwrap();
        then(&registrar_one);
        assert_eq!(found_between(&store, &before, last), [""; 0], "{row}");
    }
    // What the rows see at their ends is worth seeing.
    let (_, store) = begun();
    let (_, index) = registrar(&store);
    assert_eq!(opens(&index, "key-to-keys").as_deref(), Some("orders/keys"));
}
