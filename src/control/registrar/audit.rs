//! The audit log: what each change was, written in the same batch as the change itself.
//! So there is no change without its note and no note without its change, whatever fails when. What goes along with a change
//! is read off its batch, so that no operation forgets to tell of it.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::api_keys::number_of;
use super::{Actor, Refusal, Registrar, Write, shown_time};
use crate::control::state::{Kind, Revision, StoreError};
use crate::time::UnixTime;

/// Ids of what went along that one entry tells, so that a note keeps its bound: with the longest ids, 25 KiB.
const IDS_MAX: usize = 100;
/// A page ends after so many bytes of notes, and those that were read along with the last of them.
const PAGE_BYTES: usize = 1024 * 1024;
/// Notes read from the store at once; each may have hundreds of thousands of bytes.
const NOTES_AT_ONCE: usize = 8;

/// What changes, for the log; values never hold secrets.
pub(super) struct Note {
    action: &'static str,
    target: String,
    before: Option<Value>,
    after: Option<Value>,
    removed: Option<Along>,
    moved: Option<Along>,
}

/// Subscriptions and API keys that went along with a change, besides its target.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Along {
    /// How many subscriptions.
    pub subscriptions: usize,
    /// How many API keys.
    pub api_keys: usize,
    /// Their ids before the change, in their order; the first 100.
    pub ids: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    at: i64,
    actor: String,
    action: String,
    target: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    removed: Option<Along>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    moved: Option<Along>,
}

/// One entry of the audit log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AuditEntry {
    /// Its number: the revision of the change.
    pub revision: u64,
    /// When.
    pub at: String,
    /// Who.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// To what.
    pub target: String,
    /// How it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// How it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
    /// What was removed with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub removed: Option<Along>,
    /// API keys that have another subscription since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved: Option<Along>,
}

// === impl Along ===

impl Along {
    /// Of these records; nothing if there are none.
    fn of(mut records: Vec<(Kind, &str)>) -> Option<Self> {
        records.sort_unstable_by_key(|(_, id)| *id);
        let count = |wanted: Kind| records.iter().filter(|(kind, _)| *kind == wanted).count();
        let ids = records.iter().take(IDS_MAX).map(|(_, id)| (*id).to_owned());
        let along = Self {
            subscriptions: count(Kind::Subscription),
            api_keys: count(Kind::ApiKey),
            ids: ids.collect(),
        };
        (!records.is_empty()).then_some(along)
    }
}

// === impl Note ===

impl Note {
    /// A note of what was done to what.
    pub(super) fn of(action: &'static str, target: &str) -> Self {
        Self {
            action,
            target: target.to_owned(),
            before: None,
            after: None,
            removed: None,
            moved: None,
        }
    }

    /// What goes along with it, by the batch that it is the note of.
    pub(super) fn along(self, writes: &[Write]) -> Self {
        // A key has its number for good, and no other key ever had it.
        let keys = writes.iter().filter(|write| write.key.kind == Kind::ApiKey);
        let written: HashSet<u64> = keys
            .filter(|write| write.value.is_some())
            .map(|write| number_of(&write.key.id))
            .collect();
        let gone = writes.iter().filter(|write| {
            write.value.is_none()
                && matches!(write.key.kind, Kind::Subscription | Kind::ApiKey)
                && write.key.id != self.target
        });
        let gone = gone.map(|write| (write.key.kind, write.key.id.as_str()));
        let (moved, removed): (Vec<_>, Vec<_>) =
            gone.partition(|(kind, id)| *kind == Kind::ApiKey && written.contains(&number_of(id)));
        Self {
            removed: Along::of(removed),
            moved: Along::of(moved),
            ..self
        }
    }

    /// How it was.
    pub(super) fn before(self, before: Option<Value>) -> Self {
        Self { before, ..self }
    }

    /// How it is.
    pub(super) fn after(self, after: Option<Value>) -> Self {
        Self { after, ..self }
    }

    /// As it is kept.
    pub(super) fn text(self, actor: &Actor, now: UnixTime) -> Result<Vec<u8>, Refusal> {
        let Self {
            action,
            target,
            before,
            after,
            removed,
            moved,
        } = self;
        let kept = Kept {
            at: now.millis(),
            actor: actor.0.clone(),
            action: action.to_owned(),
            target,
            before,
            after,
            removed,
            moved,
        };
        Ok(super::records::write(&kept)?)
    }
}

// === impl Registrar ===

impl Registrar {
    /// At most `limit` entries with a number below `before`, the newest first; fewer than there are where they are long.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn audit(&self, before: Option<Revision>, limit: usize) -> Result<Vec<AuditEntry>, Refusal> {
        let mut entries: Vec<AuditEntry> = Vec::new();
        let mut bytes = 0_usize;
        let mut before = before;
        while entries.len() < limit && bytes < PAGE_BYTES {
            let wanted = NOTES_AT_ONCE.min(limit.saturating_sub(entries.len()));
            let notes = self.store.notes(before, wanted)?;
            if notes.is_empty() {
                break;
            }
            for (revision, note) in notes {
                before = Some(revision);
                bytes = bytes.saturating_add(note.len());
                entries.push(read(revision, &note)?);
            }
        }
        Ok(entries)
    }
}

fn read(revision: Revision, note: &[u8]) -> Result<AuditEntry, Refusal> {
    let kept: Kept = serde_json::from_slice(note)
        .map_err(|error| StoreError::Damaged(format!("note {}: {error}", revision.0)))?;
    Ok(AuditEntry {
        revision: revision.0,
        at: shown_time(kept.at),
        actor: kept.actor,
        action: kept.action,
        target: kept.target,
        before: kept.before,
        after: kept.after,
        removed: kept.removed,
        moved: kept.moved,
    })
}

/// A view as a note keeps it.
pub(super) fn value(view: &impl Serialize) -> Option<Value> {
    serde_json::to_value(view).ok()
}
