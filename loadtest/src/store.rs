//! Stores of the gateway, filled before it starts.
//!
//! Written by the gateway's own code, in place of a million calls of its admin API. The large one is kept from run to run
//! and every gateway gets a copy, since two cannot open one file.

use std::fs;
use std::path::{Path, PathBuf};

use tollgate::control::state::records::{
    ApiKeyRecord, ApplicationRecord, ClientIdRecord, SubscriptionRecord, SubscriptionStatus, write,
};
use tollgate::control::state::{Batch, Key, Kind, OpenState, Store as _, Write, open};

use crate::failure::{Result, While as _};
use crate::gateway::{API, APPLICATION, PLAN};
use crate::places;
use crate::scenario::SUBSCRIPTIONS;
use crate::terminal::progress;
use crate::tokens::caller;

/// An application has this many; one of them is to the plan that is called.
const SUBSCRIPTIONS_EACH: usize = 10;
const BATCH: usize = 20_000;

/// A store with the hash of one API key, for a subscription of the configuration.
pub(crate) fn with_api_key(path: &Path, key: &str) -> Result<()> {
    let state = open(path).during(path.display())?;
    let hash = state.api_key_secret().during(path.display())?.hash(key);
    let record = ApiKeyRecord {
        hash: hash.iter().map(|byte| format!("{byte:02x}")).collect(),
        prefix: key.chars().take(4).collect(),
        expires_at: None,
        revoked_at: None,
        created_at: 0,
    };
    let id = format!("{APPLICATION}:{API}:{PLAN}:1");
    let value = write(&record).during("a record")?;
    commit(&state, vec![set(Kind::ApiKey, id, value)])
}

/// A copy of the store with a million subscriptions, which is made if it is not there.
pub(crate) fn with_subscriptions(path: &Path) -> Result<()> {
    let made = filled()?;
    for extension in ["redb", "redb.secret"] {
        let (from, to) = (made.with_extension(extension), path.with_extension(extension));
        fs::copy(&from, &to).during(from.display())?;
    }
    Ok(())
}

fn filled() -> Result<PathBuf> {
    let directory = places::kept("stores")?;
    let path = directory.join(format!("{SUBSCRIPTIONS}.redb"));
    if path.exists() {
        return Ok(path);
    }
    // Renamed when it is whole: a run that was cut short leaves nothing that looks like a store.
    let partial = places::private_directory(&directory.join("partial"))?;
    fs::remove_dir_all(&partial).during(partial.display())?;
    let partial = places::private_directory(&partial)?.join("store.redb");
    fill(&partial, SUBSCRIPTIONS)?;
    for extension in ["redb.secret", "redb"] {
        let (from, to) = (partial.with_extension(extension), path.with_extension(extension));
        fs::rename(&from, &to).during(from.display())?;
    }
    Ok(path)
}

fn fill(path: &Path, count: usize) -> Result<()> {
    let state = open(path).during(path.display())?;
    let mut writes = Vec::with_capacity(BATCH + SUBSCRIPTIONS_EACH + 1);
    for number in 0..count / SUBSCRIPTIONS_EACH {
        let id = format!("application-{number}");
        let application = ApplicationRecord {
            client_ids: vec![ClientIdRecord {
                issuer: None,
                id: caller(number),
            }],
            ..ApplicationRecord::default()
        };
        writes.push(set(
            Kind::Application,
            id.clone(),
            write(&application).during("a record")?,
        ));
        let others = (1..SUBSCRIPTIONS_EACH).map(|other| format!("other-{other}"));
        for plan in others.chain([PLAN.to_owned()]) {
            let subscription = SubscriptionRecord {
                status: SubscriptionStatus::Accepted,
                from: None,
                until: None,
                created_at: 0,
                updated_at: 0,
            };
            let value = write(&subscription).during("a record")?;
            writes.push(set(Kind::Subscription, format!("{id}:{API}:{plan}"), value));
        }
        if writes.len() >= BATCH {
            commit(&state, std::mem::take(&mut writes))?;
            progress(&format!(
                "a store with {count} subscriptions: {} applications",
                number + 1
            ));
        }
    }
    if writes.is_empty() {
        return Ok(());
    }
    commit(&state, writes)
}

fn set(kind: Kind, id: String, value: Vec<u8>) -> Write {
    Write {
        key: Key::new(kind, id),
        value: Some(value),
    }
}

fn commit(state: &OpenState, writes: Vec<Write>) -> Result<()> {
    let batch = Batch {
        based_on: state.store.revision().during("the store")?,
        writes,
        note: Vec::new(),
    };
    state.store.commit(batch).map(drop).during("the store")
}

#[cfg(test)]
mod tests {
    use tollgate::control::state::{Kind, Store as _, open};

    use super::{fill, with_api_key};

    #[test]
    fn a_store_is_filled_with_what_the_gateway_reads() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("many.redb");
        fill(&path, 50).unwrap();
        let state = open(&path).unwrap();
        let count = |kind| state.store.list(kind, "", None, 100).unwrap().len();
        assert_eq!((count(Kind::Application), count(Kind::Subscription)), (5, 50));

        let path = directory.path().join("key.redb");
        with_api_key(&path, "a-key-of-forty-characters").unwrap();
        assert!(open(&path).is_ok());
    }
}
