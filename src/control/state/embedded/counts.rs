//! Counts of quotas in a table of their own: one transaction for all that has changed in a second.
//!
//! A store that was made before there were counts has no such table, and then nothing was counted. Nor has one of a
//! version that does not know it forgotten anything: the table stays where it is.

use redb::{ReadableTable as _, TableDefinition, TableError};

use super::{Embedded, failed, reading, writing};
use crate::control::state::{CountKey, CountKind, CountStore, Row, StoreError};
use crate::limit::Kept;

/// `(kind, id)` to what was used: a slot in one byte and its word in eight, again and again.
const COUNTS: TableDefinition<'_, (u8, &str), &[u8]> = TableDefinition::new("counts");

const WORD_BYTES: usize = 8;

impl CountStore for Embedded {
    fn load_counts(&self) -> Result<Vec<Row>, StoreError> {
        self.work(|database| {
            let transaction = reading(database)?;
            let table = match transaction.open_table(COUNTS) {
                Ok(table) => table,
                Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
                Err(error) => return Err(failed(error)),
            };
            let mut rows = Vec::new();
            for entry in table.iter().map_err(failed)? {
                let (key, value) = entry.map_err(failed)?;
                let (kind, id) = key.value();
                let kind = CountKind::from_number(kind)
                    .ok_or_else(|| StoreError::Damaged(format!("a count of kind {kind}")))?;
                let id = id.to_owned();
                rows.push((CountKey { kind, id }, words(value.value())?));
            }
            Ok(rows)
        })
    }

    fn write_counts(&self, rows: &[Row], gone: &[CountKey]) -> Result<(), StoreError> {
        self.work(|database| {
            let transaction = writing(database)?;
            {
                let mut table = transaction.open_table(COUNTS).map_err(failed)?;
                for key in gone {
                    table.remove((key.kind as u8, key.id.as_str())).map_err(failed)?;
                }
                for (key, kept) in rows {
                    let value = bytes(kept);
                    table
                        .insert((key.kind as u8, key.id.as_str()), value.as_slice())
                        .map_err(failed)?;
                }
            }
            transaction.commit().map_err(failed)
        })
    }
}

fn bytes(kept: &[Kept]) -> Vec<u8> {
    let words = kept.iter().flat_map(|kept| {
        let word = kept.word.to_le_bytes();
        std::iter::once(kept.slot).chain(word)
    });
    words.collect()
}

fn words(mut bytes: &[u8]) -> Result<Vec<Kept>, StoreError> {
    let damaged = || StoreError::Damaged("a count that cannot be read".to_owned());
    let mut words = Vec::with_capacity(bytes.len() / (WORD_BYTES + 1));
    while let Some((slot, rest)) = bytes.split_first() {
        let (word, rest) = rest.split_first_chunk::<WORD_BYTES>().ok_or_else(damaged)?;
        words.push(Kept {
            slot: *slot,
            word: u64::from_le_bytes(*word),
        });
        bytes = rest;
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_kept_by_whose_they_are_until_they_are_gone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("t.redb");
        let key = |kind, id: &str| CountKey {
            kind,
            id: id.to_owned(),
        };
        let kept = |word| {
            vec![
                Kept { slot: 3, word },
                Kept {
                    slot: 0,
                    word: u64::MAX,
                },
            ]
        };
        let (api, subscription) = (
            key(CountKind::Api, "a"),
            key(CountKind::Subscription, "a orders/gold"),
        );
        let store = Embedded::open(&path).unwrap();
        assert_eq!(store.load_counts().unwrap(), []);
        let rows = [(api.clone(), kept(1)), (subscription.clone(), kept(2))];
        store.write_counts(&rows, &[]).unwrap();
        store.write_counts(&[(api.clone(), kept(7))], &[]).unwrap();
        drop(store);
        let store = Embedded::open(&path).unwrap();
        let now = vec![(api.clone(), kept(7)), (subscription.clone(), kept(2))];
        assert_eq!(store.load_counts().unwrap(), now);
        store.write_counts(&[], &[api]).unwrap();
        assert_eq!(store.load_counts().unwrap(), [(subscription, kept(2))]);
    }

    #[test]
    fn what_is_cut_short_is_damaged() {
        for length in 0..20 {
            let whole = length % 9 == 0;
            assert_eq!(words(&vec![1; length]).is_ok(), whole, "{length} bytes");
        }
    }
}
