//! A store that forgets: for tests, and as the second reading of the contract.
//! Where the two stores differ, one of them is wrong.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::super::store::{
    Batch, CHANGES_KEPT, Changes, CommitError, Key, Kind, Revision, Store, StoreError, Versioned,
};

/// Records in memory.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    revision: u64,
    records: BTreeMap<Key, Versioned>,
    changed: BTreeMap<u64, Vec<Key>>,
    notes: BTreeMap<u64, Vec<u8>>,
}

impl Store for Memory {
    fn revision(&self) -> Result<Revision, StoreError> {
        Ok(Revision(self.held.lock().unwrap().revision))
    }

    fn load(
        &self,
        visit: &mut dyn FnMut(Key, Versioned) -> Result<(), StoreError>,
    ) -> Result<Revision, StoreError> {
        let held = self.held.lock().unwrap();
        for (key, record) in &held.records {
            visit(key.clone(), record.clone())?;
        }
        Ok(Revision(held.revision))
    }

    fn get(&self, key: &Key) -> Result<Option<Versioned>, StoreError> {
        Ok(self.held.lock().unwrap().records.get(key).cloned())
    }

    fn list(
        &self,
        kind: Kind,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Versioned)>, StoreError> {
        let held = self.held.lock().unwrap();
        let found = held.records.iter().filter(|(key, _)| {
            key.kind == kind
                && key.id.starts_with(prefix)
                && after.is_none_or(|after| key.id.as_str() > after)
        });
        Ok(found
            .take(limit)
            .map(|(key, record)| (key.id.clone(), record.clone()))
            .collect())
    }

    fn commit(&self, batch: Batch) -> Result<Revision, CommitError> {
        batch.judge()?;
        let mut held = self.held.lock().unwrap();
        if batch.based_on.0 != held.revision {
            return Err(CommitError::Conflict(Revision(held.revision)));
        }
        held.revision += 1;
        let version = Revision(held.revision);
        let mut changed = Vec::new();
        for write in batch.writes {
            changed.push(write.key.clone());
            match write.value {
                Some(value) => held.records.insert(write.key, Versioned { version, value }),
                None => held.records.remove(&write.key),
            };
        }
        held.changed.insert(version.0, changed);
        if let Some(old) = version.0.checked_sub(CHANGES_KEPT) {
            held.changed.remove(&old);
        }
        if !batch.note.is_empty() {
            held.notes.insert(version.0, batch.note);
        }
        Ok(version)
    }

    fn changes(&self, after: Revision) -> Result<Changes, StoreError> {
        let held = self.held.lock().unwrap();
        if after.0 > held.revision || held.revision - after.0 >= CHANGES_KEPT {
            return Ok(Changes::Resync);
        }
        let mut keys: Vec<Key> = held
            .changed
            .range(after.0 + 1..)
            .flat_map(|(_, keys)| keys.clone())
            .collect();
        keys.sort_unstable();
        keys.dedup();
        Ok(Changes::Deltas {
            revision: Revision(held.revision),
            records: keys
                .into_iter()
                .map(|key| {
                    let record = held.records.get(&key).cloned();
                    (key, record)
                })
                .collect(),
        })
    }

    fn notes(&self, before: Option<Revision>, limit: usize) -> Result<Vec<(Revision, Vec<u8>)>, StoreError> {
        let held = self.held.lock().unwrap();
        let before = before.map_or(u64::MAX, |before| before.0);
        let newest_first = held.notes.range(..before).rev().take(limit);
        Ok(newest_first
            .map(|(number, note)| (Revision(*number), note.clone()))
            .collect())
    }
}

#[test]
fn it_keeps_what_a_store_promises_but_for_a_restart() {
    super::conformance::check(&|| Box::new(Memory::default()), false);
}
