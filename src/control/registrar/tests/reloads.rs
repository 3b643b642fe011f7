//! Configurations that take effect while operators change what is in the store.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
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
                registrar.adopt(&Declared::default(), || {}).unwrap();
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
