//! Answers that are remembered for a repeated request, and are too old by now.
//!
//! They are forgotten a few at a time, with each new one: whoever makes many pays for many, and no operation pays for all.
//! Their ids are the callers' and come in any order, so the few go round: each time on from where the last time ended. For
//! each that is added so many are looked at that those too old are never more than a small part of all.

use super::{Desk, Refusal, remove};
use crate::control::state::records::{self, IdempotencyRecord};
use crate::control::state::{Kind, Write};

/// So many are looked at with each new one.
const LOOKED_AT_ONCE: usize = 20;

impl Desk<'_> {
    /// Adds to writes that remember something those that forget some of what is too old. Gives the id up to which has
    /// been looked, if `writes` are committed; nothing: the next time begins at the first.
    pub(super) fn forget(
        &self,
        looked_at: Option<&str>,
        writes: &mut Vec<Write>,
    ) -> Result<Option<String>, Refusal> {
        let remembers = |write: &&Write| write.key.kind == Kind::Idempotency;
        let Some(new) = writes.iter().find(remembers).map(|write| write.key.id.clone()) else {
            return Ok(looked_at.map(ToOwned::to_owned));
        };
        let some = self
            .store
            .list(Kind::Idempotency, "", looked_at, LOOKED_AT_ONCE)?;
        let is_last = some.len() < LOOKED_AT_ONCE;
        let last = some.last().filter(|_| !is_last).map(|(key, _)| key.clone());
        for (key, record) in some {
            let record: IdempotencyRecord = records::read(&key, &record)?;
            if key != new && self.is_forgotten(&record) {
                writes.push(remove(Kind::Idempotency, &key));
            }
        }
        Ok(last)
    }
}
