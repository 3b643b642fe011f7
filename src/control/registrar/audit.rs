//! The audit log: what each change was, written in the same batch as the change itself.
//! So there is no change without its note and no note without its change, whatever fails when.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Actor, Refusal, Registrar, shown_time};
use crate::control::state::{Revision, StoreError};
use crate::time::UnixTime;

/// What changes, for the log; values never hold secrets.
pub(super) struct Note {
    action: &'static str,
    target: String,
    before: Option<Value>,
    after: Option<Value>,
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
        } = self;
        let kept = Kept {
            at: now.millis(),
            actor: actor.0.clone(),
            action: action.to_owned(),
            target,
            before,
            after,
        };
        Ok(super::records::write(&kept)?)
    }
}

// === impl Registrar ===

impl Registrar {
    /// At most `limit` entries with a number below `before`, the newest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn audit(&self, before: Option<Revision>, limit: usize) -> Result<Vec<AuditEntry>, Refusal> {
        let notes = self.store.notes(before, limit)?;
        let entries = notes.into_iter().map(|(revision, note)| {
            let kept: Kept = serde_json::from_slice(&note)
                .map_err(|error| StoreError::Damaged(format!("note {}: {error}", revision.0)))?;
            Ok(AuditEntry {
                revision: revision.0,
                at: shown_time(kept.at),
                actor: kept.actor,
                action: kept.action,
                target: kept.target,
                before: kept.before,
                after: kept.after,
            })
        });
        entries.collect()
    }
}

/// A view as a note keeps it.
pub(super) fn value(view: &impl Serialize) -> Option<Value> {
    serde_json::to_value(view).ok()
}
