//! Remembered answers under keys in no order: those that are too old go, wherever they stand, and no other does.
//! Of random keys the smallest are as fresh as any, so a test with keys in order would prove nothing.

use super::*;

fn remembered(store: &Memory) -> Vec<String> {
    let all = store.list(Kind::Idempotency, "", None, usize::MAX).unwrap();
    all.into_iter().map(|(key, _)| key).collect()
}

/// Puts answers there that were given so long ago.
fn put(store: &Memory, keys: impl Iterator<Item = String>, age_millis: i64) {
    let writes = keys.map(|key| {
        let record = IdempotencyRecord {
            request: "a".repeat(64),
            location: "gone".to_owned(),
            created_at: Clock.now().millis() - age_millis,
        };
        write(Kind::Idempotency, &key, &record).unwrap()
    });
    let batch = Batch {
        based_on: store.revision().unwrap(),
        writes: writes.collect(),
        note: Vec::new(),
    };
    store.commit(batch).unwrap();
}

/// A key that stands anywhere among the others.
fn scattered(number: u64) -> String {
    format!("{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

fn make(registrar: &Registrar, key: &str, id: &str) {
    let new: NewApplication = serde_json::from_value(json!({ "id": id })).unwrap();
    let repeatable = Repeatable {
        key: key.to_owned(),
        request: "r".to_owned(),
    };
    registrar
        .create_application(&actor(), &new, Some(&repeatable))
        .unwrap();
}

#[test]
fn answers_that_are_too_old_are_forgotten_wherever_their_keys_stand() {
    let store = Arc::new(Memory::default());
    let (registrar, _) = registrar(&store);
    // Fresh ones before all others and between them, as random keys would have it.
    put(&store, (0..30).map(|number| format!("!{number:02}")), 1000);
    put(&store, (0..100).map(scattered), REMEMBERED_MILLIS / 2);
    put(&store, (100..400).map(scattered), REMEMBERED_MILLIS);
    assert_eq!(remembered(&store).len(), 430);
    for number in 0..30 {
        make(&registrar, &scattered(1000 + number), &format!("app-{number}"));
    }
    let left = remembered(&store);
    assert_eq!(left.len(), 130 + 30, "what is fresh, and nothing else");
    for key in (0..100).map(scattered) {
        assert!(left.contains(&key), "{key} is remembered for a day");
    }

    // However many more there are: what is too old never gathers.
    for day in 0..5 {
        put(
            &store,
            (0..100).map(|number| scattered(10_000 + day * 100 + number)),
            REMEMBERED_MILLIS,
        );
        for number in 0..20 {
            let name = format!("{day}-{number}");
            make(&registrar, &scattered(20_000 + day * 20 + number), &name);
        }
        let left = remembered(&store).len() as u64;
        assert_eq!(left, 160 + (day + 1) * 20, "day {day}");
    }
}

#[test]
fn a_key_that_was_used_long_ago_can_be_used_again() {
    let store = Arc::new(Memory::default());
    let (registrar, _) = registrar(&store);
    put(&store, std::iter::once("again".to_owned()), REMEMBERED_MILLIS);
    make(&registrar, "again", "mobile");
    assert_eq!(remembered(&store), ["again"]);
    make(&registrar, "again", "mobile");
    assert_eq!(
        registrar.applications(None, 10).unwrap().items.len(),
        2,
        "and the declared one"
    );
}
