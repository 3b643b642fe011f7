//! The store in a file of its own, on this machine (`redb`).
//!
//! Each batch is one transaction, on disk when it returns. The file is checked as a whole when it is opened: what was cut
//! short or damaged outside is an error then, and never a gateway that starts with less than it had. An empty file where
//! there was a store is such a case, too, so a store is only ever made where there is no file at all.
//!
//! `redb` uses nothing any more that has failed once, a full disk included. So what has failed is closed here, and opened
//! anew by the next call, with the same checks as at the start: a disk that has space again needs no restart. A file that
//! has less by then than was acknowledged is refused.

mod counts;

use std::fmt;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

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
pub struct Embedded {
    opener: Opener,
    /// Nothing after something beneath it has failed. Every call holds this for reading as long as it works, so it is
    /// closed under nobody's hands.
    held: RwLock<Option<Database>>,
    /// The last revision that was acknowledged or read.
    known: AtomicU64,
}

/// Opens the file of a store that is there; never makes one.
type Opener = Box<dyn Fn() -> Result<Database, StoreError> + Send + Sync>;

// === impl Embedded ===

impl Embedded {
    /// Opens the store, or makes one where there is no file. Takes a lock: a second process is refused.
    ///
    /// # Errors
    /// When the file cannot be opened, is locked, damaged, or not a store of ours.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let failed = |detail: String| cannot_open(path, detail);
        let made = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path);
        match made {
            Ok(file) => {
                let refused = |error| refused(path, error);
                let backend = FileBackend::new(file).map_err(refused)?;
                let database = builder().create_with_backend(backend).map_err(refused)?;
                begin(&database).map_err(|error| failed(error.to_string()))?;
                // The file's name is on disk only when its directory is.
                if let Some(directory) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                    File::open(directory)
                        .and_then(|directory| directory.sync_all())
                        .map_err(|error| failed(error.to_string()))?;
                }
                Ok(Self {
                    opener: opener(path),
                    held: RwLock::new(Some(database)),
                    known: AtomicU64::default(),
                })
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                Self::with_opener(opener(path))
            }
            Err(error) => Err(failed(error.to_string())),
        }
    }

    fn with_opener(opener: Opener) -> Result<Self, StoreError> {
        let database = opener()?;
        let known = revision(&reading(&database)?)?;
        Ok(Self {
            opener,
            held: RwLock::new(Some(database)),
            known: AtomicU64::new(known.0),
        })
    }

    /// Does this with the store. What has failed beneath it is closed.
    fn work<T>(&self, work: impl FnOnce(&Database) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let held = self.held()?;
        let outcome = match &*held {
            Some(database) => work(database),
            None => Err(StoreError::Failed("it is closed".to_owned())),
        };
        drop(held);
        if matches!(outcome, Err(StoreError::Failed(_))) {
            *self.held.write().unwrap_or_else(PoisonError::into_inner) = None;
        }
        outcome
    }

    /// Reads, and once more if it fails: another call may have failed beneath this one.
    fn read<T>(&self, read: impl Fn(&ReadTransaction) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let read = |database: &Database| read(&reading(database)?);
        match self.work(read) {
            Err(StoreError::Failed(_)) => self.work(read),
            outcome => outcome,
        }
    }

    /// The database, opened anew if it was closed.
    fn held(&self) -> Result<RwLockReadGuard<'_, Option<Database>>, StoreError> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        if held.is_some() {
            return Ok(held);
        }
        drop(held);
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        if held.is_none() {
            *held = Some(self.open_anew()?);
        }
        Ok(RwLockWriteGuard::downgrade(held))
    }

    fn open_anew(&self) -> Result<Database, StoreError> {
        let database = (self.opener)()?;
        let Revision(found) = revision(&reading(&database)?)?;
        let known = self.known.load(Ordering::Acquire);
        if found < known {
            return Err(StoreError::Damaged(format!(
                "after a failure it is at revision {found}, and was at {known} before"
            )));
        }
        tracing::warn!(
            event = "store_reopened",
            revision = found,
            "the store had failed and was opened anew"
        );
        Ok(database)
    }
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded").finish_non_exhaustive()
    }
}

fn opener(path: &Path) -> Opener {
    let path = path.to_owned();
    Box::new(move || {
        let length = std::fs::metadata(&path)
            .map_err(|error| cannot_open(&path, error.to_string()))?
            .len();
        if length == 0 {
            return Err(cannot_open(
                &path,
                "the file is empty; restore it from a backup".to_owned(),
            ));
        }
        let database = builder().open(&path).map_err(|error| refused(&path, error))?;
        judge_format(&database).map_err(|error| cannot_open(&path, error.to_string()))?;
        Ok(database)
    })
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .set_cache_size(CACHE_BYTES)
        .set_check_integrity_on_open(true);
    builder
}

fn cannot_open(path: &Path, detail: String) -> StoreError {
    StoreError::Open {
        path: path.display().to_string(),
        detail,
    }
}

fn refused(path: &Path, error: DatabaseError) -> StoreError {
    let detail = match error {
        DatabaseError::DatabaseAlreadyOpen => "another process has it open".to_owned(),
        DatabaseError::Storage(StorageError::Corrupted(detail)) => {
            format!("it is damaged ({detail}); restore it from a backup")
        }
        other => other.to_string(),
    };
    cannot_open(path, detail)
}

/// Makes the tables of a new store.
fn begin(database: &Database) -> Result<(), StoreError> {
    let transaction = writing(database)?;
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

fn judge_format(database: &Database) -> Result<(), StoreError> {
    let transaction = reading(database)?;
    let about = transaction.open_table(ABOUT).map_err(failed)?;
    match about.get(FORMAT).map_err(failed)?.map(|format| format.value()) {
        Some(FORMAT_NUMBER) => Ok(()),
        Some(other) => Err(StoreError::Damaged(format!(
            "it has format {other}, this version reads {FORMAT_NUMBER}"
        ))),
        None => Err(StoreError::Damaged("it does not say what it is".to_owned())),
    }
}

fn reading(database: &Database) -> Result<ReadTransaction, StoreError> {
    database.begin_read().map_err(failed)
}

fn writing(database: &Database) -> Result<WriteTransaction, StoreError> {
    let mut transaction = database.begin_write().map_err(failed)?;
    transaction
        .set_durability(Durability::Immediate)
        .map_err(failed)?;
    // After `kill -9` the next start need not walk through the whole file to find what is free.
    transaction.set_quick_repair(true);
    Ok(transaction)
}

impl Store for Embedded {
    fn revision(&self) -> Result<Revision, StoreError> {
        self.read(revision)
    }

    // Not tried again: `visit` may have seen a part already.
    fn load(
        &self,
        visit: &mut dyn FnMut(Key, Versioned) -> Result<(), StoreError>,
    ) -> Result<Revision, StoreError> {
        self.work(|database| {
            let transaction = reading(database)?;
            let records = transaction.open_table(RECORDS).map_err(failed)?;
            for entry in records.iter().map_err(failed)? {
                let (key, value) = entry.map_err(failed)?;
                let (kind, id) = key.value();
                visit(key_of(kind, id)?, versioned(value.value())?)?;
            }
            revision(&transaction)
        })
    }

    fn get(&self, key: &Key) -> Result<Option<Versioned>, StoreError> {
        self.read(|transaction| {
            let records = transaction.open_table(RECORDS).map_err(failed)?;
            let value = records.get((key.kind as u8, key.id.as_str())).map_err(failed)?;
            value.map(|value| versioned(value.value())).transpose()
        })
    }

    fn list(
        &self,
        kind: Kind,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Versioned)>, StoreError> {
        self.read(|transaction| {
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
        })
    }

    fn commit(&self, batch: Batch) -> Result<Revision, CommitError> {
        batch.judge()?;
        let written = self.work(|database| write(database, &batch))?;
        let revision = written.map_err(CommitError::Conflict)?;
        self.known.fetch_max(revision.0, Ordering::AcqRel);
        Ok(revision)
    }

    fn changes(&self, after: Revision) -> Result<Changes, StoreError> {
        self.read(|transaction| changes(transaction, after))
    }

    fn notes(&self, before: Option<Revision>, limit: usize) -> Result<Vec<(Revision, Vec<u8>)>, StoreError> {
        self.read(|transaction| {
            let notes = transaction.open_table(NOTES).map_err(failed)?;
            let before = before.map_or(u64::MAX, |before| before.0);
            let newest_first = notes.range(..before).map_err(failed)?.rev().take(limit);
            newest_first
                .map(|entry| {
                    let (number, note) = entry.map_err(failed)?;
                    Ok((Revision(number.value()), note.value().to_vec()))
                })
                .collect()
        })
    }
}

/// Writes a batch that was judged; its revision, or the one that came first.
fn write(database: &Database, batch: &Batch) -> Result<Result<Revision, Revision>, StoreError> {
    let transaction = writing(database)?;
    let next = {
        let mut about = transaction.open_table(ABOUT).map_err(failed)?;
        let last = about.get(REVISION).map_err(failed)?.map(|last| last.value());
        let last = last.ok_or_else(|| StoreError::Damaged("it has no revision".to_owned()))?;
        if Revision(last) != batch.based_on {
            return Ok(Err(Revision(last)));
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
    Ok(Ok(Revision(next)))
}

fn changes(transaction: &ReadTransaction, after: Revision) -> Result<Changes, StoreError> {
    let last = revision(transaction)?;
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
mod tests;
