//! The store in a file put to the test of all stores, and to what can happen to a file: cut, changed, or without space.
//! What fails beneath it here is a disk of the test's own, at each of its steps in turn.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64};

use redb::StorageBackend;

use super::super::store::Write;
use super::super::tests::{check, recovers};
use super::*;

/// What lies beneath a store, and after so many writes more has no space.
#[derive(Debug)]
struct Beneath {
    file: FileBackend,
    disk: Arc<Disk>,
}

#[derive(Debug, Default)]
struct Disk {
    is_full: AtomicBool,
    /// So many steps still succeed once it is full.
    left: AtomicI64,
}

impl Disk {
    fn step(&self) -> io::Result<()> {
        if self.is_full.load(Ordering::SeqCst) && self.left.fetch_sub(1, Ordering::SeqCst) <= 0 {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        Ok(())
    }
}

impl StorageBackend for Beneath {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.step()?;
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.step()?;
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.disk.step()?;
        self.file.write(offset, data)
    }
}

fn on_disk(path: PathBuf, disk: Arc<Disk>) -> Embedded {
    drop(Embedded::open(&path).unwrap());
    let opener: Opener = Box::new(move || {
        let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let file = FileBackend::new(file).map_err(|error| refused(&path, error))?;
        let disk = Arc::clone(&disk);
        builder()
            .create_with_backend(Beneath { file, disk })
            .map_err(|error| refused(&path, error))
    });
    Embedded::with_opener(opener).unwrap()
}

#[test]
fn whatever_fails_at_whichever_step_is_over_when_it_no_longer_does() {
    for left in 0..12 {
        let directory = tempfile::tempdir().unwrap();
        let disk = Arc::new(Disk::default());
        let store = on_disk(directory.path().join("t.redb"), Arc::clone(&disk));
        recovers(&store, &|is_full| {
            disk.left.store(left, Ordering::SeqCst);
            disk.is_full.store(is_full, Ordering::SeqCst);
        });
    }
}

#[test]
fn a_file_that_has_less_than_was_acknowledged_is_not_opened_anew() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.redb");
    let disk = Arc::new(Disk::default());
    let store = on_disk(path.clone(), Arc::clone(&disk));
    let earlier = std::fs::read(&path).unwrap();
    let put = |based_on| Batch {
        based_on: Revision(based_on),
        writes: vec![Write {
            key: Key::new(Kind::Application, "a"),
            value: Some(b"{}".to_vec()),
        }],
        note: Vec::new(),
    };
    store.commit(put(0)).unwrap();
    disk.is_full.store(true, Ordering::SeqCst);
    assert!(store.commit(put(1)).is_err());
    std::fs::write(&path, earlier).unwrap();
    disk.is_full.store(false, Ordering::SeqCst);
    let refused = store.commit(put(1));
    assert!(
        matches!(refused, Err(CommitError::Store(StoreError::Damaged(_)))),
        "{refused:?}"
    );
    assert!(matches!(store.revision(), Err(StoreError::Damaged(_))));
}

#[test]
fn it_keeps_what_a_store_promises() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.redb");
    check(&|| Box::new(Embedded::open(&path).unwrap()), true);
}

#[test]
fn a_file_that_is_no_whole_store_is_refused_and_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("t.redb");
    let store = Embedded::open(&path).unwrap();
    let write = |id: String| Write {
        key: Key::new(Kind::Application, id),
        value: Some(vec![b'x'; 3000]),
    };
    for number in 0..200 {
        let batch = Batch {
            based_on: Revision(number),
            writes: vec![write(format!("app-{number}"))],
            note: b"note".to_vec(),
        };
        store.commit(batch).unwrap();
    }
    assert!(
        matches!(Embedded::open(&path), Err(StoreError::Open { detail, .. }) if detail.contains("another process"))
    );
    drop(store);
    let whole = std::fs::read(&path).unwrap();
    let mut spoiled: Vec<(String, Vec<u8>)> = vec![
        ("empty".to_owned(), Vec::new()),
        ("half".to_owned(), whole[..whole.len() / 2].to_vec()),
        ("a quarter".to_owned(), whole[..whole.len() / 4].to_vec()),
        ("another file".to_owned(), b"SQLite format 3\0".repeat(400)),
        ("zeroes".to_owned(), vec![0; whole.len()]),
    ];
    // Every place in which a value lies: one changed byte anywhere in it must be seen.
    for place in [whole.len() / 3, whole.len() / 2, whole.len() * 2 / 3] {
        let Some(at) = whole[place..].iter().position(|byte| *byte == b'x') else {
            continue;
        };
        let mut changed = whole.clone();
        changed[place + at] = b'y';
        spoiled.push((format!("a byte changed at {}", place + at), changed));
    }
    for (what, bytes) in spoiled {
        std::fs::write(&path, &bytes).unwrap();
        let opened = Embedded::open(&path);
        match opened {
            Err(StoreError::Open { .. }) => {}
            Err(other) => panic!("{what}: {other}"),
            // A byte in a page that is no longer in use spoils nothing: then all must be there.
            Ok(store) => {
                let mut count = 0;
                store
                    .load(&mut |_, record| {
                        count += usize::from(record.value == vec![b'x'; 3000]);
                        Ok(())
                    })
                    .unwrap();
                assert_eq!(count, 200, "{what}");
                assert!(what.starts_with("a byte"), "{what}");
            }
        }
    }
}
