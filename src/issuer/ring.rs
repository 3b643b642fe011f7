//! Where an issuer's keys are, and the one door through which fetched ones come in.
//!
//! A set is replaced whole and read without a lock. [`Ring::offer`] compares what was fetched with what was accepted
//! before, however long ago: keys that have grown stale serve nobody, and are still what a new set is judged by.

use std::sync::Arc;

use arc_swap::{ArcSwapOption, Guard};

use super::approval::Approval;
use super::attempt::Attempt;
use super::introspection::AnswersByIssuer;
use super::quarantine::{Suspicion, Terms, suspicion};
use super::revocation_list::ListKey;
use super::{Issuer, KeyAddress, KeySource};
use crate::id::IssuerName;
use crate::revocation::List;
use crate::time::UnixTime;
use crate::token::{Fingerprint, Jwks, Key, KeyHistory, KeySet, Skipped};

/// So many keys that are gone are remembered: years of rotations, or a document of a hostile issuer.
const RETIRED_MAX: usize = 200;

/// The present keys of one issuer from one source; replaced whole, read without a lock.
#[derive(Debug, Default)]
pub struct Ring {
    held: ArcSwapOption<HeldKeys>,
    attempt: ArcSwapOption<Attempt>,
}

/// Keys and since when they are here.
#[derive(Debug)]
pub struct HeldKeys {
    /// The keys.
    pub keys: KeySet,
    /// What else was in their document.
    pub skipped: Vec<Skipped>,
    /// When they were fetched.
    pub fetched_at: UnixTime,
    /// Ids of keys that are gone, and which keys they were; the newest last.
    retired: Vec<(Box<str>, Fingerprint)>,
    /// The approval that let these keys or earlier ones in; it lets nothing in again.
    spent: Option<Approval>,
}

/// The rings of all issuers, over all reloads.
#[derive(Debug, Default)]
pub struct KeyRing {
    rings: papaya::HashMap<(IssuerName, KeyAddress), Arc<Ring>>,
    /// Keys of files come in a new ring with every snapshot; what is known of each is here.
    histories: papaya::HashMap<KeyName, Arc<KeyHistory>>,
    /// What issuers have taken back.
    pub(super) lists: papaya::HashMap<ListKey, Arc<List>>,
    /// What issuers have answered when they were asked about tokens.
    pub(super) answers: AnswersByIssuer,
}

/// Whose key, under which id, and what it is made of.
type KeyName = (IssuerName, Option<Box<str>>, Fingerprint);

/// Keys in use by one decision.
pub struct Keys(Guard<Option<Arc<HeldKeys>>>);

/// What an accepted set brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Other keys than before.
    pub keys_changed: bool,
    /// Other keys were passed over than before.
    pub skipped_changed: bool,
    /// An operator's approval was needed.
    pub by_approval: bool,
}

/// A set that was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// Why.
    pub suspicion: Suspicion,
    /// What names its usable keys: the one that an operator may approve.
    pub fingerprint: Fingerprint,
    /// What names the keys that stay.
    pub held: Fingerprint,
}

// === impl Ring ===

impl Ring {
    /// A ring with keys that stay.
    pub fn with(keys: KeySet, fetched_at: UnixTime) -> Self {
        let ring = Self::default();
        ring.install(keys, fetched_at);
        ring
    }

    /// Puts keys in place that an operator names, unjudged: of files, and never what was fetched.
    pub fn install(&self, keys: KeySet, now: UnixTime) {
        self.replace(HeldKeys {
            keys,
            skipped: Vec::new(),
            fetched_at: now,
            retired: Vec::new(),
            spent: None,
        });
    }

    /// Puts a fetched set in place of the present one, in one step, unless it looks hijacked beside it.
    ///
    /// # Errors
    /// [`Quarantined`] says what looks wrong; the present set stays.
    pub fn offer(&self, jwks: Jwks, terms: &Terms, now: UnixTime) -> Result<Taken, Quarantined> {
        let Jwks { keys, skipped } = jwks;
        let held = self.held();
        let mut taken = Taken {
            keys_changed: true,
            skipped_changed: true,
            by_approval: false,
        };
        let mut spent = None;
        if let Some(held) = &held {
            spent = held.spent;
            let fingerprint = keys.fingerprint();
            if let Some(suspicion) = suspicion(held, &keys, &skipped, terms) {
                let approval = terms
                    .approval
                    .filter(|approval| approval.lets_in(fingerprint, now) && spent != Some(*approval));
                if approval.is_none() {
                    return Err(Quarantined {
                        suspicion,
                        fingerprint,
                        held: held.keys.fingerprint(),
                    });
                }
                spent = approval;
                taken.by_approval = true;
            }
            taken.keys_changed = held.keys.fingerprint() != fingerprint;
            taken.skipped_changed = held.skipped != skipped;
        }
        let retired = held
            .as_deref()
            .map_or_else(Vec::new, |held| held.retired_by(&keys));
        self.replace(HeldKeys {
            keys,
            skipped,
            fetched_at: now,
            retired,
            spent,
        });
        Ok(taken)
    }

    /// A document without any usable key: with keys to compare it with, it looks hijacked.
    pub fn offer_nothing(&self) -> Option<Quarantined> {
        Some(Quarantined {
            suspicion: Suspicion::NoUsableKey,
            fingerprint: KeySet::default().fingerprint(),
            held: self.held()?.keys.fingerprint(),
        })
    }

    fn replace(&self, mut held: HeldKeys) {
        let former = self.held.load();
        let recall = |key: &Key| former.as_ref()?.keys.history_of(key);
        held.keys = held.keys.with_histories(recall, held.fetched_at);
        self.held.store(Some(Arc::new(held)));
    }

    /// Notes how a fetch went.
    pub fn note_attempt(&self, attempt: Attempt) {
        self.attempt.store(Some(Arc::new(attempt)));
    }

    /// How the last fetch went, if there was one.
    pub fn attempt(&self) -> Option<Arc<Attempt>> {
        self.attempt.load_full()
    }

    /// The present keys, stale or not: for metrics and operators, never for a decision.
    pub fn held(&self) -> Option<Arc<HeldKeys>> {
        self.held.load_full()
    }

    /// The present keys for a decision, if they are fresh.
    pub(super) fn keys(&self, fresh: impl FnOnce(&HeldKeys) -> bool) -> Option<Keys> {
        let held = self.held.load();
        fresh(held.as_ref()?).then_some(Keys(held))
    }
}

// === impl HeldKeys ===

impl HeldKeys {
    /// What each key was that had this id: those that are here, and those that went.
    pub(super) fn known_by(&self, kid: &str) -> impl Iterator<Item = Fingerprint> {
        let present = self.keys.keys().iter().filter(move |key| key.kid() == Some(kid));
        let retired = self.retired.iter().filter(move |(id, _)| **id == *kid);
        present
            .map(|key| key.material())
            .chain(retired.map(|(_, material)| *material))
    }

    /// What is gone when these keys have taken the place of the present ones.
    fn retired_by(&self, keys: &KeySet) -> Vec<(Box<str>, Fingerprint)> {
        let is_here = |kid: &str| keys.keys().iter().any(|key| key.kid() == Some(kid));
        let present = self
            .keys
            .keys()
            .iter()
            .filter_map(|key| Some((key.kid()?.into(), key.material())));
        let mut retired: Vec<(Box<str>, Fingerprint)> = self.retired.clone();
        retired.extend(present);
        retired.retain(|(kid, _)| !is_here(kid));
        let excess = retired.len().saturating_sub(RETIRED_MAX);
        retired.drain(..excess);
        retired
    }
}

// === impl KeyRing ===

impl KeyRing {
    /// The ring for the keys of `issuer` from `address`; the same one in every snapshot that names both.
    pub fn ring(&self, issuer: &IssuerName, address: &KeyAddress) -> Arc<Ring> {
        let key = (issuer.clone(), address.clone());
        Arc::clone(self.rings.pin().get_or_insert_with(key, Arc::default))
    }

    /// A ring for keys of files, which stay. Those that the issuer had before go on with their histories.
    pub fn of_files(&self, issuer: &IssuerName, keys: KeySet, now: UnixTime) -> Arc<Ring> {
        let histories = self.histories.pin();
        let recall = |key: &Key| {
            let name = (issuer.clone(), key.kid().map(Into::into), key.material());
            Some(Arc::clone(
                histories.get_or_insert_with(name, || Arc::clone(key.history())),
            ))
        };
        Arc::new(Ring::with(keys.with_histories(recall, now), now))
    }

    /// Drops the rings that no issuer uses any more, and what is known of keys of files that are gone.
    pub fn retain(&self, issuers: &[Arc<Issuer>]) {
        self.retain_lists(issuers);
        self.retain_answers(issuers);
        self.histories.pin().retain(|(name, ..), history| {
            issuers.iter().any(|issuer| {
                let held = || issuer.ring.held();
                matches!(issuer.source, KeySource::Files(_))
                    && issuer.name == *name
                    && held().is_some_and(|held| {
                        held.keys
                            .keys()
                            .iter()
                            .any(|key| Arc::ptr_eq(key.history(), history))
                    })
            })
        });
        self.rings.pin().retain(|(name, address), _| {
            issuers.iter().any(|issuer| match &issuer.source {
                KeySource::Jwks(schedule) => issuer.name == *name && schedule.address == *address,
                KeySource::Files(_) => false,
            })
        });
    }
}

// === impl Keys ===

impl Keys {
    /// The key set; empty is impossible, but would deny.
    pub fn set(&self) -> Option<&KeySet> {
        self.0.as_ref().map(|held| &held.keys)
    }
}

#[cfg(test)]
mod tests;
