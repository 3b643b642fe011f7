//! The store in a file of its own, on this machine (`redb`).
//!
//! Each batch is one transaction, on disk when it returns. The file is checked as a whole when it is opened: what was cut
//! short or damaged outside is an error then, and never a gateway that starts with less than it had. An empty file where
//! there was a store is such a case, too, so a store is only ever made where there is no file at all.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use redb::backends::FileBackend;
use redb::{
    Builder, Database, DatabaseError, Durability, ReadTransaction, ReadableDatabase as _, ReadableTable as _,
    StorageError, TableDefinition, WriteTransaction,
};

use super::store::{
    Batch, CHANGES_KEPT, Changes, CommitError, Key, Kind, Revision, Store, StoreError, Versioned,
};

/// `(kind, id)` to the revision that wrote it, in eight bytes, and its value.
const RECORDS: TableDefinition<'_, (u8, &str), &[u8]> = TableDefinition::new("records");
/// Revision to the keys that it changed: kind, length of the id in two bytes, id, again and again.
const CHANGED: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("changed");
/// Revision to its note.
const NOTES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("notes");
/// What the store says of itself.
const ABOUT: TableDefinition<'_, &str, u64> = TableDefinition::new("about");

const FORMAT: &str = "format";
const REVISION: &str = "revision";
/// The layout of the tables above. Another one is not read by guessing.
const FORMAT_NUMBER: u64 = 1;
/// Pages kept in memory. Decisions never read the store, so it need not be fast to read.
const CACHE_BYTES: usize = 32 * 1024 * 1024;
/// More changed records than this are told as a resync.
const DELTAS_MAX: usize = 10_000;
/// Length of a version before a value.
const VERSION_BYTES: usize = 8;

/// A store in a file.
#[derive(Debug)]
pub struct Embedded {
    database: Database,
}

// === impl Embedded ===

impl Embedded {
    /// Opens the store, or makes one where there is no file. Takes a lock: a second process is refused.
    ///
    /// # Errors
    /// When the file cannot be opened, is locked, damaged, or not a store of ours.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let failed = |detail: String| StoreError::Open {
            path: path.display().to_string(),
            detail,
        };
        let refused = |error: DatabaseError| match error {
            DatabaseError::DatabaseAlreadyOpen => failed("another process has it open".to_owned()),
            DatabaseError::Storage(StorageError::Corrupted(detail)) => {
                failed(format!("it is damaged ({detail}); restore it from a backup"))
            }
            other => failed(other.to_string()),
        };
        let made = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path);
        let mut builder = Builder::new();
        builder
            .set_cache_size(CACHE_BYTES)
            .set_check_integrity_on_open(true);
        match made {
            Ok(file) => {
                let backend = FileBackend::new(file).map_err(refused)?;
                let store = Self {
                    database: builder.create_with_backend(backend).map_err(refused)?,
                };
                store.begin().map_err(|error| failed(error.to_string()))?;
                // The file's name is on disk only when its directory is.
                if let Some(directory) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                    File::open(directory)
                        .and_then(|directory| directory.sync_all())
                        .map_err(|error| failed(error.to_string()))?;
                }
                Ok(store)
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                let length = std::fs::metadata(path)
                    .map_err(|error| failed(error.to_string()))?
                    .len();
                if length == 0 {
                    return Err(failed("the file is empty; restore it from a backup".to_owned()));
                }
                let store = Self {
                    database: builder.open(path).map_err(refused)?,
                };
                store.judge_format().map_err(|error| failed(error.to_string()))?;
                Ok(store)
            }
            Err(error) => Err(failed(error.to_string())),
        }
    }

    /// Makes the tables of a new store.
    fn begin(&self) -> Result<(), StoreError> {
        let transaction = self.writing()?;
        {
            transaction.open_table(RECORDS).map_err(failed)?;
            transaction.open_table(CHANGED).map_err(failed)?;
            transaction.open_table(NOTES).map_err(failed)?;
            let mut about = transaction.open_table(ABOUT).map_err(failed)?;
            about.insert(FORMAT, FORMAT_NUMBER).map_err(failed)?;
            about.insert(REVISION, 0).map_err(failed)?;
        }
        transaction.commit().map_err(failed)
    }

    fn judge_format(&self) -> Result<(), StoreError> {
        let transaction = self.reading()?;
        let about = transaction.open_table(ABOUT).map_err(failed)?;
        match about.get(FORMAT).map_err(failed)?.map(|format| format.value()) {
            Some(FORMAT_NUMBER) => Ok(()),
            Some(other) => Err(StoreError::Damaged(format!(
                "it has format {other}, this version reads {FORMAT_NUMBER}"
            ))),
            None => Err(StoreError::Damaged("it does not say what it is".to_owned())),
        }
    }

    fn reading(&self) -> Result<ReadTransaction, StoreError> {
        self.database.begin_read().map_err(failed)
    }

    fn writing(&self) -> Result<WriteTransaction, StoreError> {
        let mut transaction = self.database.begin_write().map_err(failed)?;
        transaction
            .set_durability(Durability::Immediate)
            .map_err(failed)?;
        // After `kill -9` the next start need not walk through the whole file to find what is free.
        transaction.set_quick_repair(true);
        Ok(transaction)
    }
}

impl Store for Embedded {
    fn revision(&self) -> Result<Revision, StoreError> {
        revision(&self.reading()?)
    }

    fn load(
        &self,
        visit: &mut dyn FnMut(Key, Versioned) -> Result<(), StoreError>,
    ) -> Result<Revision, StoreError> {
        let transaction = self.reading()?;
        let records = transaction.open_table(RECORDS).map_err(failed)?;
        for entry in records.iter().map_err(failed)? {
            let (key, value) = entry.map_err(failed)?;
            let (kind, id) = key.value();
            visit(key_of(kind, id)?, versioned(value.value())?)?;
        }
        revision(&transaction)
    }

    fn get(&self, key: &Key) -> Result<Option<Versioned>, StoreError> {
        let transaction = self.reading()?;
        let records = transaction.open_table(RECORDS).map_err(failed)?;
        let value = records.get((key.kind as u8, key.id.as_str())).map_err(failed)?;
        value.map(|value| versioned(value.value())).transpose()
    }

    fn list(
        &self,
        kind: Kind,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Versioned)>, StoreError> {
        let transaction = self.reading()?;
        let records = transaction.open_table(RECORDS).map_err(failed)?;
        let from = after.filter(|after| *after > prefix).unwrap_or(prefix);
        let range = records.range((kind as u8, from)..).map_err(failed)?;
        let mut found = Vec::new();
        for entry in range {
            if found.len() == limit {
                break;
            }
            let (key, value) = entry.map_err(failed)?;
            let (number, id) = key.value();
            if number != kind as u8 || !id.starts_with(prefix) {
                break;
            }
            if after != Some(id) {
                found.push((id.to_owned(), versioned(value.value())?));
            }
        }
        Ok(found)
    }

    fn commit(&self, batch: Batch) -> Result<Revision, CommitError> {
        batch.judge()?;
        let transaction = self.writing()?;
        let next = {
            let mut about = transaction.open_table(ABOUT).map_err(failed)?;
            let last = about.get(REVISION).map_err(failed)?.map(|last| last.value());
            let last = last.ok_or_else(|| StoreError::Damaged("it has no revision".to_owned()))?;
            if Revision(last) != batch.based_on {
                return Err(CommitError::Conflict(Revision(last)));
            }
            let next = last
                .checked_add(1)
                .ok_or(StoreError::Bounds("no revision is left"))?;
            about.insert(REVISION, next).map_err(failed)?;
            let mut records = transaction.open_table(RECORDS).map_err(failed)?;
            let mut changed = Vec::new();
            for write in &batch.writes {
                let key = (write.key.kind as u8, write.key.id.as_str());
                match &write.value {
                    Some(value) => {
                        let kept = [&next.to_le_bytes()[..], value].concat();
                        records.insert(key, kept.as_slice()).map_err(failed)?;
                    }
                    None => {
                        records.remove(key).map_err(failed)?;
                    }
                }
                push_key(&mut changed, &write.key);
            }
            let mut feed = transaction.open_table(CHANGED).map_err(failed)?;
            feed.insert(next, changed.as_slice()).map_err(failed)?;
            if let Some(old) = next.checked_sub(CHANGES_KEPT) {
                feed.remove(old).map_err(failed)?;
            }
            if !batch.note.is_empty() {
                let mut notes = transaction.open_table(NOTES).map_err(failed)?;
                notes.insert(next, batch.note.as_slice()).map_err(failed)?;
            }
            next
        };
        transaction.commit().map_err(failed)?;
        Ok(Revision(next))
    }

    fn changes(&self, after: Revision) -> Result<Changes, StoreError> {
        let transaction = self.reading()?;
        let last = revision(&transaction)?;
        if after > last || last.0 - after.0 >= CHANGES_KEPT {
            return Ok(Changes::Resync);
        }
        let feed = transaction.open_table(CHANGED).map_err(failed)?;
        let mut keys = Vec::new();
        for entry in feed.range(after.0 + 1..).map_err(failed)? {
            let (_, changed) = entry.map_err(failed)?;
            read_keys(changed.value(), &mut keys)?;
            if keys.len() > DELTAS_MAX {
                return Ok(Changes::Resync);
            }
        }
        keys.sort_unstable();
        keys.dedup();
        let records = transaction.open_table(RECORDS).map_err(failed)?;
        let records = keys.into_iter().map(|key| {
            let value = records.get((key.kind as u8, key.id.as_str())).map_err(failed)?;
            let value = value.map(|value| versioned(value.value())).transpose()?;
            Ok((key, value))
        });
        Ok(Changes::Deltas {
            revision: last,
            records: records.collect::<Result<_, StoreError>>()?,
        })
    }

    fn notes(&self, before: Option<Revision>, limit: usize) -> Result<Vec<(Revision, Vec<u8>)>, StoreError> {
        let transaction = self.reading()?;
        let notes = transaction.open_table(NOTES).map_err(failed)?;
        let before = before.map_or(u64::MAX, |before| before.0);
        let newest_first = notes.range(..before).map_err(failed)?.rev().take(limit);
        newest_first
            .map(|entry| {
                let (number, note) = entry.map_err(failed)?;
                Ok((Revision(number.value()), note.value().to_vec()))
            })
            .collect()
    }
}

fn revision(transaction: &ReadTransaction) -> Result<Revision, StoreError> {
    let about = transaction.open_table(ABOUT).map_err(failed)?;
    let last = about
        .get(REVISION)
        .map_err(failed)?
        .map(|last| Revision(last.value()));
    last.ok_or_else(|| StoreError::Damaged("it has no revision".to_owned()))
}

fn key_of(kind: u8, id: &str) -> Result<Key, StoreError> {
    let kind =
        Kind::from_number(kind).ok_or_else(|| StoreError::Damaged(format!("a record of kind {kind}")))?;
    Ok(Key::new(kind, id))
}

fn versioned(kept: &[u8]) -> Result<Versioned, StoreError> {
    let (version, value) = kept
        .split_first_chunk::<VERSION_BYTES>()
        .ok_or_else(|| StoreError::Damaged("a record without a version".to_owned()))?;
    Ok(Versioned {
        version: Revision(u64::from_le_bytes(*version)),
        value: value.to_vec(),
    })
}

fn push_key(changed: &mut Vec<u8>, key: &Key) {
    changed.push(key.kind as u8);
    // At most 256, which the batch was judged by.
    let length = u16::try_from(key.id.len()).unwrap_or(u16::MAX);
    changed.extend(length.to_le_bytes());
    changed.extend(key.id.as_bytes());
}

fn read_keys(mut changed: &[u8], keys: &mut Vec<Key>) -> Result<(), StoreError> {
    let damaged = || StoreError::Damaged("a list of changes that cannot be read".to_owned());
    while let Some((kind, rest)) = changed.split_first() {
        let (length, rest) = rest.split_first_chunk::<2>().ok_or_else(damaged)?;
        let (id, rest) = rest
            .split_at_checked(usize::from(u16::from_le_bytes(*length)))
            .ok_or_else(damaged)?;
        keys.push(key_of(*kind, std::str::from_utf8(id).map_err(|_| damaged())?)?);
        changed = rest;
    }
    Ok(())
}

/// Whatever `redb` says.
fn failed(error: impl Into<redb::Error>) -> StoreError {
    match error.into() {
        redb::Error::Corrupted(detail) => StoreError::Damaged(detail),
        error @ (redb::Error::TableDoesNotExist(_) | redb::Error::TableTypeMismatch { .. }) => {
            StoreError::Damaged(error.to_string())
        }
        other => StoreError::Failed(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::store::Write;
    use super::super::tests::check;
    use super::*;

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
}
