//! What all records have in common that operators change: each is found, judged by its version, replaced whole, and shown.
//! The rules differ; that nothing is changed in another version than was meant, or without a note, does not.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::audit::{Note, value};
use super::{Actor, Desk, Expected, Refusal, Registrar, Ruling, Shown, judge_version, write};
use crate::control::state::records;
use crate::control::state::{Key, Kind, Revision, Versioned};
use crate::snapshot::Snapshot;
use crate::time::UnixTime;

/// A record that operators change.
pub(super) trait Kept: Serialize + DeserializeOwned {
    /// Where it is in the store.
    const KIND: Kind;
    /// What it is called.
    const WHAT: &'static str;
    /// As it is shown.
    type View: Shown + Serialize;

    /// As it is shown at `now`.
    fn view(&self, id: &str, version: Option<Revision>, now: UnixTime) -> Self::View;

    /// What it says at this moment, which is more than what is kept where something else has changed it.
    fn at(self, id: &str, desk: &Desk<'_>) -> Self {
        let _ = (id, desk);
        self
    }

    /// When it was made, in milliseconds of Unix time.
    fn created_at(&self) -> i64;

    /// Whether the configuration declares one of this id.
    fn is_declared(snapshot: &Snapshot, id: &str) -> bool;
}

// === impl Desk ===

impl Desk<'_> {
    /// One that can be changed, in the version that is meant.
    pub(super) fn own<R: Kept>(&self, id: &str, expected: &Expected) -> Result<(R::View, R), Refusal> {
        let key = Key::new(R::KIND, id);
        let Some(kept) = self.store.get(&key)? else {
            return Err(if R::is_declared(self.snapshot, id) {
                Refusal::ReadOnly {
                    what: R::WHAT,
                    id: id.to_owned(),
                }
            } else {
                Refusal::not_found(R::WHAT, id)
            });
        };
        judge_version(&kept, expected)?;
        self.now_of(&key, &kept)
    }

    /// One of the store, if it is there.
    pub(super) fn kept<R: Kept>(&self, id: &str) -> Result<Option<(R::View, R)>, Refusal> {
        let key = Key::new(R::KIND, id);
        let kept = self.store.get(&key)?;
        kept.map(|kept| self.now_of(&key, &kept)).transpose()
    }

    fn now_of<R: Kept>(&self, key: &Key, kept: &Versioned) -> Result<(R::View, R), Refusal> {
        let record = records::read::<R>(&key.to_string(), kept)?.at(&key.id, self);
        Ok((record.view(&key.id, Some(kept.version), self.now), record))
    }
}

// === impl Registrar ===

impl Registrar {
    /// Puts what `revise` makes of a record in its place; nothing: it is so already.
    pub(super) fn revise<R: Kept>(
        &self,
        actor: &Actor,
        id: &str,
        action: &'static str,
        expected: &Expected,
        revise: impl Fn(&Desk<'_>, &R) -> Result<Option<R>, Refusal>,
    ) -> Result<R::View, Refusal> {
        self.change(actor, |desk| {
            let (before, old) = desk.own::<R>(id, expected)?;
            let Some(record) = revise(desk, &old)? else {
                return Ok(Ruling::unchanged(action, id, before));
            };
            let writes = vec![write(R::KIND, id, &record)?];
            let outcome = record.view(id, None, desk.now);
            let note = Note::of(action, id).before(value(&before)).after(value(&outcome));
            Ok(Ruling {
                writes,
                note,
                outcome,
            })
        })
    }
}

/// A record as it is shown.
///
/// # Errors
/// When it cannot be read.
pub(super) fn read<R: Kept>(id: &str, kept: &Versioned, now: UnixTime) -> Result<R::View, Refusal> {
    let record: R = records::read(id, kept)?;
    Ok(record.view(id, Some(kept.version), now))
}
