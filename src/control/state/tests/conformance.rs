//! What every store must do, as a test that any of them can be put to.
//! One story, told in order: each step stands on what came before, as it does for whoever uses a store.

use std::collections::BTreeMap;

use super::super::store::{
    Batch, Changes, CommitError, ID_BYTES_MAX, Key, Kind, NOTE_BYTES_MAX, Revision, Store, StoreError,
    VALUE_BYTES_MAX, Write,
};

fn put(kind: Kind, id: &str, value: &str) -> Write {
    Write {
        key: Key::new(kind, id),
        value: Some(value.into()),
    }
}

fn take(kind: Kind, id: &str) -> Write {
    Write {
        key: Key::new(kind, id),
        value: None,
    }
}

fn batch(based_on: u64, writes: Vec<Write>, note: &str) -> Batch {
    Batch {
        based_on: Revision(based_on),
        writes,
        note: note.into(),
    }
}

/// Everything, as text: key to (version, value).
fn all(store: &dyn Store) -> (Revision, BTreeMap<String, (u64, String)>) {
    let mut all = BTreeMap::new();
    let revision = store
        .load(&mut |key, record| {
            let value = String::from_utf8(record.value).unwrap();
            all.insert(key.to_string(), (record.version.0, value));
            Ok(())
        })
        .unwrap();
    (revision, all)
}

/// Puts a store to the test. `open` opens it, again and again; `outlives` says whether what it holds outlives it.
pub(in super::super) fn check(open: &dyn Fn() -> Box<dyn Store>, outlives: bool) {
    use Kind::{ApiKey, Application, Subscription};
    let store = open();
    assert_eq!(store.revision().unwrap(), Revision(0));
    assert_eq!(all(&*store), (Revision(0), BTreeMap::new()));
    assert_eq!(
        store.changes(Revision(0)).unwrap(),
        Changes::Deltas {
            revision: Revision(0),
            records: vec![]
        }
    );

    // One batch, one revision, for all of its records.
    let first = vec![
        put(Application, "a", "1"),
        put(Application, "b", "1"),
        put(Subscription, "a:1", "1"),
    ];
    assert_eq!(
        store.commit(batch(0, first, "made a and b")).unwrap(),
        Revision(1)
    );
    let second = vec![
        put(Application, "a", "2"),
        take(Application, "b"),
        put(ApiKey, "a:1:k", ""),
    ];
    assert_eq!(store.commit(batch(1, second, "")).unwrap(), Revision(2));
    let expected = BTreeMap::from([
        ("Application a".to_owned(), (2, "2".to_owned())),
        ("Subscription a:1".to_owned(), (1, "1".to_owned())),
        ("ApiKey a:1:k".to_owned(), (2, String::new())),
    ]);
    assert_eq!(all(&*store), (Revision(2), expected.clone()));
    assert_eq!(
        store.get(&Key::new(Application, "a")).unwrap().unwrap().value,
        b"2"
    );
    assert_eq!(store.get(&Key::new(Application, "b")).unwrap(), None);
    assert_eq!(store.get(&Key::new(Subscription, "a")).unwrap(), None);

    // Whoever decided by what is no longer so is refused, and nothing of the batch is there.
    for stale in [0, 1, 3, u64::MAX] {
        let refused = store.commit(batch(stale, vec![put(Application, "c", "1")], "late"));
        assert!(
            matches!(refused, Err(CommitError::Conflict(Revision(2)))),
            "{stale}: {refused:?}"
        );
    }
    let bounds = [
        vec![],
        vec![put(Application, "", "1")],
        vec![put(Application, &"i".repeat(ID_BYTES_MAX + 1), "1")],
        vec![put(Application, "c", &"v".repeat(VALUE_BYTES_MAX + 1))],
        vec![put(Application, "c", "1"), take(Application, "c")],
    ];
    for writes in bounds {
        let refused = store.commit(batch(2, writes.clone(), ""));
        assert!(
            matches!(refused, Err(CommitError::Store(StoreError::Bounds(_)))),
            "{refused:?}"
        );
    }
    let long = "n".repeat(NOTE_BYTES_MAX + 1);
    assert!(
        store
            .commit(batch(2, vec![put(Application, "c", "1")], &long))
            .is_err()
    );
    assert_eq!(all(&*store), (Revision(2), expected));

    // What changed, each record once, as it is now.
    let told = |after: u64| match store.changes(Revision(after)).unwrap() {
        Changes::Deltas {
            revision,
            mut records,
        } => {
            records.sort_by(|(a, _), (b, _)| a.cmp(b));
            let records = records.into_iter().map(|(key, record)| {
                let value = record.map(|record| String::from_utf8(record.value).unwrap());
                (key.to_string(), value)
            });
            (revision.0, records.collect::<Vec<_>>())
        }
        Changes::Resync => panic!("a resync after {after}"),
    };
    let one = |key: &str, value: Option<&str>| (key.to_owned(), value.map(str::to_owned));
    assert_eq!(told(2), (2, vec![]));
    assert_eq!(
        told(1),
        (
            2,
            vec![
                one("Application a", Some("2")),
                one("Application b", None),
                one("ApiKey a:1:k", Some(""))
            ]
        )
    );
    assert_eq!(told(0).1.len(), 4);
    // A revision that is yet to come is somebody else's: start again.
    assert_eq!(store.changes(Revision(3)).unwrap(), Changes::Resync);

    // In the order of ids, page by page.
    let writes = (0..50)
        .map(|i| put(Subscription, &format!("b:{i:02}"), "x"))
        .collect();
    store.commit(batch(2, writes, "fifty")).unwrap();
    let page = |prefix: &str, after: Option<&str>, limit| -> Vec<String> {
        let found = store.list(Subscription, prefix, after, limit).unwrap();
        found.into_iter().map(|(id, _)| id).collect()
    };
    assert_eq!(page("", None, 2), ["a:1", "b:00"]);
    assert_eq!(page("b:", None, 2), ["b:00", "b:01"]);
    assert_eq!(page("b:", Some("b:01"), 2), ["b:02", "b:03"]);
    assert_eq!(page("b:", Some("b:48"), 10), ["b:49"]);
    assert_eq!(page("b:", Some("b:49"), 10), Vec::<String>::new());
    assert_eq!(page("b:", Some("a:9"), 1), ["b:00"]);
    assert_eq!(page("b:", Some("c"), 1), Vec::<String>::new());
    assert_eq!(page("c", None, 10), Vec::<String>::new());
    assert_eq!(page("", None, 0), Vec::<String>::new());

    // Notes, the newest first; a batch without one leaves none.
    let notes = |before: Option<u64>, limit| -> Vec<(u64, String)> {
        let notes = store.notes(before.map(Revision), limit).unwrap();
        notes
            .into_iter()
            .map(|(number, note)| (number.0, String::from_utf8(note).unwrap()))
            .collect()
    };
    let (made, fifty) = ((1, "made a and b".to_owned()), (3, "fifty".to_owned()));
    assert_eq!(notes(None, 10), [fifty.clone(), made.clone()]);
    assert_eq!(notes(Some(3), 10), std::slice::from_ref(&made));
    assert_eq!(notes(None, 1), [fifty]);
    assert_eq!(notes(Some(1), 10), []);

    // A reader who ends early ends the reading.
    let mut seen = 0;
    let stopped = store.load(&mut |_, _| {
        seen += 1;
        Err(StoreError::Damaged("enough".to_owned()))
    });
    assert!(stopped.is_err() && seen == 1);

    // Many writers, one winner for each revision.
    let wins: usize = std::thread::scope(|scope| {
        let store = &*store;
        #[expect(
            clippy::needless_collect,
            reason = "all writers start before the first is waited for"
        )]
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                scope.spawn(move || {
                    (0..20)
                        .filter(|i| {
                            let last = store.revision().unwrap().0;
                            let write = put(Application, &format!("w{writer}"), &i.to_string());
                            store.commit(batch(last, vec![write], "")).is_ok()
                        })
                        .count()
                })
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).sum()
    });
    assert_eq!(store.revision().unwrap().0, 3 + wins as u64);

    if outlives {
        let before = all(&*store);
        drop(store);
        let store = open();
        assert_eq!(all(&*store), before);
        assert_eq!(store.notes(None, 10).unwrap().len(), 2);
        assert!(matches!(
            store.changes(Revision(1)).unwrap(),
            Changes::Deltas { .. }
        ));
    }
}

/// Puts a store to the test that what fails beneath it ends nothing: `fill` makes it fail, and lets it work again.
pub(in super::super) fn recovers(store: &dyn Store, fill: &dyn Fn(bool)) {
    let put = |name: &str| vec![put(Kind::Application, name, &"v".repeat(VALUE_BYTES_MAX))];
    let mut kept: BTreeMap<String, u64> = BTreeMap::new();
    for round in 0..3 {
        let last = store.revision().unwrap().0;
        let revision = store
            .commit(batch(last, put(&format!("before-{round}")), "before"))
            .unwrap();
        kept.insert(format!("Application before-{round}"), revision.0);

        fill(true);
        let mut lost = 0;
        for _ in 0..5 {
            // While it fails, it may fail to be read as well; it must not invent anything.
            let last = store.revision().map_or(revision.0, |last| last.0);
            let refused = store.commit(batch(last, put(&format!("full-{round}")), "full"));
            match refused {
                Ok(written) => {
                    kept.insert(format!("Application full-{round}"), written.0);
                }
                Err(CommitError::Store(StoreError::Failed(_) | StoreError::Open { .. })) => lost += 1,
                Err(other) => panic!("{other}"),
            }
        }
        assert!(lost > 0, "it was never full");
        fill(false);

        // Nothing was lost, and nobody waits for a restart.
        let (now, records) = all(store);
        for (key, version) in &kept {
            assert!(
                records.get(key).is_some_and(|(found, _)| found >= version),
                "{key}"
            );
        }
        let after = store
            .commit(batch(now.0, put(&format!("after-{round}")), "after"))
            .unwrap();
        kept.insert(format!("Application after-{round}"), after.0);
        assert!(matches!(
            store.changes(revision).unwrap(),
            Changes::Deltas { revision, .. } if revision == after
        ));
    }
}
