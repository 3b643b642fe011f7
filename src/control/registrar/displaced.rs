//! Subscriptions of the store that are over, and in whose place a configuration declares one.
//!
//! They would not hinder the declared one, but they would be shown instead of it, and their API keys would open it. So they
//! are removed with their keys before it is in force, and the audit log says that the configuration has done it.

use super::audit::{Note, value};
use super::kept::Kept;
use super::subscriptions::{id_of, judge_living};
use super::{Actor, Ledger, Refusal, Registrar, Ruling, Shown, remove};
use crate::control::state::records::{self, SubscriptionRecord};
use crate::control::state::{Key, Kind, Revision};
use crate::subscription::Declared;

/// Who removes them, for the audit log.
const ACTOR: &str = "configuration";
const ACTION: &str = "subscription.declare";

// === impl Registrar ===

impl Registrar {
    /// Removes them, each with its keys.
    ///
    /// # Errors
    /// When one is not over any more, or the store fails.
    pub(super) fn remove_displaced(&self, ledger: &mut Ledger, declared: &Declared) -> Result<(), Refusal> {
        let actor = Actor(ACTOR.to_owned());
        for (application, plan) in self.index.displaced(declared) {
            let id = id_of(&application, &plan);
            let key = Key::new(Kind::Subscription, id.as_str());
            self.change_under(ledger, &actor, |desk| {
                let Some(kept) = desk.store.get(&key)? else {
                    return Ok(Ruling::unchanged(ACTION, &id, ()));
                };
                let record: SubscriptionRecord = records::read(&id, &kept)?;
                if judge_living(&record).is_ok() {
                    return Err(Refusal::Exists {
                        what: "a subscription",
                        id: id.clone(),
                    });
                }
                let before = record.view(&id, Some(kept.version), desk.now);
                let mut writes = vec![remove(Kind::Subscription, &id)];
                let keys = desk.keys_of(&id)?.into_iter();
                writes.extend(keys.map(|(key, _)| remove(Kind::ApiKey, &key)));
                Ok(Ruling {
                    writes,
                    note: Note::of(ACTION, &id).before(value(&before)),
                    outcome: (),
                })
            })?;
        }
        Ok(())
    }
}

// === impl Shown ===

impl Shown for () {
    fn written_by(&mut self, _: Revision) {}
}
