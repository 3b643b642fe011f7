//! Who may call what, changed while traffic flows: applications, subscriptions, API keys, plans' stages and revocations,
//! by an operator's word.
//!
//! Every operation goes the same way: read, judge, commit, apply, answer. The rules judge records and know no HTTP; the
//! batch that they come to is durable before the index hears of it, and the index knows it before the operator has an
//! answer. So what was acknowledged survives a crash, and the next request obeys it. What reaches the index comes from the
//! store's feed of changes alone, so that a batch of another gateway in a shared store would come the same way.
//!
//! What the configuration declares is shown here and changed there: it is read-only, and its names are taken.

mod api_keys;
mod applications;
mod audit;
mod displaced;
mod forgetting;
mod kept;
mod moved;
mod owners;
mod paging;
mod plans;
mod refusal;
mod revocations;
mod subscriptions;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use api_keys::{ApiKeyExpiry, ApiKeyRenewal, ApiKeyStatus, ApiKeyView, GivenApiKey, NewApiKey};
pub use applications::{ApplicationInput, ApplicationView, ClientIdInput, NewApplication};
pub use audit::{Along, AuditEntry};
pub use paging::Page;
pub use plans::PlanView;
pub use refusal::Refusal;
pub use revocations::{
    BATCH_MAX, NewRevocation, NewRevocations, RevocationFilter, RevocationView, Revoked, revocation_key,
};
pub use subscriptions::{
    Action, Dates, Filter, Move, NewSubscription, SubscriptionView, is_id as is_subscription_id,
};

use audit::Note;
use kept::Kept;
use owners::Owners;

use super::Publish;
use super::state::changes::RevocationChange;
use super::state::records::{self, IdempotencyRecord};
use super::state::{
    Batch, Changes, CommitError, Key, Kind, Revision, Store, StoreError, Versioned, Write, changes,
};
use crate::api::{Stage, Stages};
use crate::id::PlanId;
use crate::revocation::Revocations;
use crate::snapshot::Snapshot;
use crate::subscription::{Change, Declared, Index};
use crate::time::{Clock, UnixTime};

/// How often an operation is judged anew because another writer came first.
const ATTEMPTS_MAX: usize = 5;
/// How long the answer to a repeated request is remembered.
const REMEMBERED_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// Where applications, subscriptions and API keys are changed.
pub struct Registrar {
    store: Box<dyn Store>,
    index: Arc<Index>,
    cell: Arc<dyn Publish>,
    stages: Arc<Stages>,
    revocations: Arc<Revocations>,
    ledger: Mutex<Ledger>,
}

/// Who changes something, for the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor(pub String);

/// Where something was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// In the store: it can be changed.
    State,
    /// In the configuration: it can be read.
    Configuration,
}

/// Which version of a record an operation is meant for; nothing: whichever is there.
pub type Expected = Option<Vec<Revision>>;

/// A request that may be sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeatable {
    /// Its idempotency key.
    pub key: String,
    /// SHA-256 of what it asks, in hexadecimal digits. It is never kept: an API key that somebody chose could be guessed
    /// by it.
    pub request: String,
}

/// What the index knows of the store.
#[derive(Debug, Default)]
struct Ledger {
    applied: Revision,
    owners: Owners,
    /// Remembered answers have been looked at up to this id, in the present round.
    looked_at: Option<String>,
}

/// What an operation reads.
struct Desk<'d> {
    store: &'d dyn Store,
    index: &'d Index,
    owners: &'d Owners,
    snapshot: &'d Snapshot,
    /// What it read; at most one batch is based on it.
    based_on: Revision,
    now: UnixTime,
}

/// What an operation comes to.
struct Ruling<T> {
    writes: Vec<Write>,
    note: Note,
    outcome: T,
}

/// Something that shows a record, and learns which revision wrote it.
trait Shown {
    fn written_by(&mut self, revision: Revision);
}

// === impl Registrar ===

impl Registrar {
    /// Loads everything that the store holds into the index and the set of revocations, and puts plans where operators have moved them.
    ///
    /// # Errors
    /// When something cannot be read, or makes no sense.
    pub fn begin(
        store: Box<dyn Store>,
        index: Arc<Index>,
        cell: Arc<dyn Publish>,
        stages: Arc<Stages>,
        revocations: Arc<Revocations>,
    ) -> Result<Self, StoreError> {
        let registrar = Self {
            store,
            index,
            cell,
            stages,
            revocations,
            ledger: Mutex::new(Ledger::default()),
        };
        registrar.resync(&mut registrar.lock())?;
        Ok(registrar)
    }

    /// Lets a configuration take effect by `publish`, unless what it declares is taken in the store, or its plans meet
    /// those that operators have moved; says by whom then. Subscriptions of the store that are over make way. What is no
    /// longer declared is taken from the index after that. No operation comes in between: one that is judged by the new
    /// configuration has an index without what the former one declared.
    ///
    /// # Errors
    /// Every conflict, one a line; or the store's.
    pub fn adopt(&self, snapshot: &Snapshot, publish: impl FnOnce()) -> Result<(), Vec<String>> {
        self.adopt_declared(&snapshot.declared, || snapshot.keyless_meetings(), publish)
    }

    fn adopt_declared(
        &self,
        declared: &Declared,
        meetings: impl FnOnce() -> Vec<String>,
        publish: impl FnOnce(),
    ) -> Result<(), Vec<String>> {
        let mut ledger = self.lock();
        self.catch_up(&mut ledger)
            .map_err(|error| vec![error.to_string()])?;
        let collisions = self.index.collisions(declared);
        let collisions = collisions.iter().map(ToString::to_string);
        let conflicts: Vec<String> = collisions.chain(meetings()).collect();
        if !conflicts.is_empty() {
            return Err(conflicts);
        }
        self.remove_displaced(&mut ledger, declared)
            .map_err(|refusal| vec![refusal.to_string()])?;
        publish();
        self.index.retain(declared);
        Ok(())
    }

    /// The last revision.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn revision(&self) -> Result<Revision, StoreError> {
        self.store.revision()
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        // Whoever panicked has left the ledger behind the store, never ahead of it: the next one catches up.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Read, judge, commit, apply. A ruling without writes changes nothing.
    fn change<T: Shown>(
        &self,
        actor: &Actor,
        judge: impl Fn(&Desk<'_>) -> Result<Ruling<T>, Refusal>,
    ) -> Result<T, Refusal> {
        self.change_under(&mut self.lock(), actor, judge)
    }

    fn change_under<T: Shown>(
        &self,
        ledger: &mut Ledger,
        actor: &Actor,
        judge: impl Fn(&Desk<'_>) -> Result<Ruling<T>, Refusal>,
    ) -> Result<T, Refusal> {
        for _ in 0..ATTEMPTS_MAX {
            self.catch_up(ledger)?;
            let desk = Desk {
                store: &*self.store,
                index: &self.index,
                owners: &ledger.owners,
                snapshot: &self.cell.snapshot(),
                based_on: ledger.applied,
                now: Clock.now(),
            };
            let Ruling {
                mut writes,
                note,
                mut outcome,
            } = judge(&desk)?;
            if writes.is_empty() {
                return Ok(outcome);
            }
            let looked_at = desk.forget(ledger.looked_at.as_deref(), &mut writes)?;
            let batch = Batch {
                based_on: ledger.applied,
                note: note.along(&writes).text(actor, desk.now)?,
                writes,
            };
            match self.store.commit(batch) {
                Ok(revision) => {
                    ledger.looked_at = looked_at;
                    self.catch_up(ledger)?;
                    outcome.written_by(revision);
                    return Ok(outcome);
                }
                Err(CommitError::Conflict(_)) => {}
                Err(CommitError::Store(error)) => {
                    // It may be there all the same; then it has to be obeyed.
                    self.catch_up(ledger)?;
                    return Err(error.into());
                }
            }
        }
        Err(Refusal::Busy)
    }

    /// Brings the index to where the store is.
    fn catch_up(&self, ledger: &mut Ledger) -> Result<(), StoreError> {
        if self.store.revision()? == ledger.applied {
            return Ok(());
        }
        let (revision, records) = match self.store.changes(ledger.applied)? {
            Changes::Deltas { revision, records } => (revision, records),
            Changes::Resync => return self.resync(ledger),
        };
        let mut changes = Vec::with_capacity(records.len());
        let mut moved = Vec::new();
        // In force when it is dropped, which is before anybody is told.
        let mut revoked = self.revocations.change();
        for (key, record) in &records {
            // A stage whose record is gone has been passed all the same.
            moved.extend(
                record
                    .as_ref()
                    .map(|record| changes::moved_plan(key, record))
                    .transpose()?
                    .flatten(),
            );
            match changes::revocation(key, record.as_ref(), self.revocations.key())? {
                None => {}
                Some(RevocationChange::Put(named, digest, revocation)) => {
                    revoked.put(named, digest, revocation);
                }
                Some(RevocationChange::Removed(digest)) => revoked.remove(&digest),
            }
            changes.extend(changes::change(key, record.as_ref())?);
        }
        drop(revoked);
        self.restore(moved);
        for change in in_order(moved::told(changes)) {
            ledger.owners.note(&change);
            self.index.change(change);
        }
        ledger.applied = revision;
        Ok(())
    }

    fn resync(&self, ledger: &mut Ledger) -> Result<(), StoreError> {
        let mut moved = Vec::new();
        let mut owners = Owners::default();
        let successor = self.index.successor();
        let mut revoked = self.revocations.renew();
        let revision = self.store.load(&mut |key, record| {
            moved.extend(changes::moved_plan(&key, &record)?);
            if let Some(RevocationChange::Put(named, digest, revocation)) =
                changes::revocation(&key, Some(&record), self.revocations.key())?
            {
                revoked.put(named, digest, revocation);
            }
            if let Some(change) = changes::change(&key, Some(&record))? {
                owners.note(&change);
                successor.add(change);
            }
            Ok(())
        })?;
        revoked.finish();
        self.restore(moved);
        successor.take_over();
        *ledger = Ledger {
            applied: revision,
            owners,
            looked_at: ledger.looked_at.take(),
        };
        Ok(())
    }

    /// Puts plans where operators have moved them; those that are not declared now wait for it.
    fn restore(&self, moved: Vec<(PlanId, Stage, UnixTime)>) {
        for (plan, stage, since) in moved {
            self.stages.restore(&plan, stage, since);
        }
    }
}

// === impl Desk ===

impl Desk<'_> {
    /// What was made for the same request before, as it is now.
    ///
    /// # Errors
    /// When the key was used for another request, or what was made is gone, though there may be another one by its id.
    fn made_before<R: Kept>(
        &self,
        repeatable: Option<&Repeatable>,
    ) -> Result<Option<(String, R::View)>, Refusal> {
        let Some(IdempotencyRecord {
            request: _, // it is the same
            location,
            created_at,
        }) = self.remembered(repeatable)?
        else {
            return Ok(None);
        };
        if let Some((view, record)) = self.kept::<R>(&location)?
            && record.created_at() == created_at
        {
            return Ok(Some((location, view)));
        }
        Err(Refusal::Conflict(format!(
            "the {} `{location}` was made under this `Idempotency-Key`, and is gone since",
            R::WHAT
        )))
    }

    /// What was answered to the same request before.
    fn remembered(&self, repeatable: Option<&Repeatable>) -> Result<Option<IdempotencyRecord>, Refusal> {
        let Some(repeatable) = repeatable else {
            return Ok(None);
        };
        let key = Key::new(Kind::Idempotency, repeatable.key.as_str());
        let Some(record) = self.store.get(&key)? else {
            return Ok(None);
        };
        let record: IdempotencyRecord = records::read(&key.to_string(), &record)?;
        if self.is_forgotten(&record) {
            return Ok(None);
        }
        if record.request != self.sealed(repeatable)? {
            return Err(Refusal::KeyReused);
        }
        Ok(Some(record))
    }

    /// Writes that remember this answer.
    fn remember(&self, repeatable: Option<&Repeatable>, id: &str) -> Result<Vec<Write>, Refusal> {
        let Some(repeatable) = repeatable else {
            return Ok(Vec::new());
        };
        Ok(vec![write(
            Kind::Idempotency,
            &repeatable.key,
            &IdempotencyRecord {
                request: self.sealed(repeatable)?,
                location: id.to_owned(),
                created_at: self.now.millis(),
            },
        )?])
    }

    /// What is kept of what a request asks. It may hold an API key that somebody chose, so nobody must be able to try
    /// guesses; and it is never that of a key, which holds no space.
    fn sealed(&self, repeatable: &Repeatable) -> Result<String, Refusal> {
        self.hash(&format!("request {}", repeatable.request))
    }

    /// The hash of a text under the store's secret, in hexadecimal digits.
    fn hash(&self, text: &str) -> Result<String, Refusal> {
        let hash = self.index.key_hash(text);
        let hash = hash.ok_or_else(|| StoreError::Failed("its secret is not here".to_owned()))?;
        Ok(hash.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    fn is_forgotten(&self, record: &IdempotencyRecord) -> bool {
        self.now.millis().saturating_sub(record.created_at) >= REMEMBERED_MILLIS
    }
}

// === impl Ruling ===

impl<T> Ruling<T> {
    /// Everything is so already.
    fn unchanged(action: &'static str, target: &str, outcome: T) -> Self {
        Self {
            writes: Vec::new(),
            note: Note::of(action, target),
            outcome,
        }
    }
}

/// Whether the record that is there is one that was meant.
///
/// # Errors
/// [`Refusal::Stale`].
fn judge_version(record: &Versioned, expected: &Expected) -> Result<(), Refusal> {
    match expected {
        Some(versions) if !versions.contains(&record.version) => Err(Refusal::Stale),
        _ => Ok(()),
    }
}

fn write<R: serde::Serialize>(kind: Kind, id: &str, record: &R) -> Result<Write, StoreError> {
    Ok(Write {
        key: Key::new(kind, id),
        value: Some(records::write(record)?),
    })
}

fn remove(kind: Kind, id: &str) -> Write {
    Write {
        key: Key::new(kind, id),
        value: None,
    }
}

/// The order in which changes of one moment reach the index, so that no step between them grants what neither end does:
/// who finds an application finds its subscriptions, and what is taken away is gone before anything takes its place.
fn in_order(mut changes: Vec<Change>) -> Vec<Change> {
    changes.sort_by_key(turn);
    changes
}

fn turn(change: &Change) -> u8 {
    match change {
        // A key that was left behind must not find the subscription that is made anew.
        Change::Application { entry: None, .. } | Change::ApiKey { entry: None, .. } => 0,
        Change::Subscription { entry: Some(_), .. } | Change::Moved { .. } => 1,
        Change::ApiKey { entry: Some(_), .. } => 2,
        // Whoever is moved has the new subscription before the former one is gone.
        Change::Subscription { entry: None, .. } => 3,
        Change::Application { entry: Some(_), .. } => 4,
    }
}

/// RFC 3339, for people.
fn shown_time(millis: i64) -> String {
    jiff::Timestamp::from_millisecond(millis).map_or_else(|_| millis.to_string(), |time| time.to_string())
}

/// RFC 3339 to milliseconds.
fn read_time(member: &'static str, text: &str) -> Result<i64, Refusal> {
    text.parse::<jiff::Timestamp>()
        .map(jiff::Timestamp::as_millisecond)
        .map_err(|_| Refusal::invalid(member, "is no date-time with offset such as 2027-01-31T12:00:00Z"))
}
