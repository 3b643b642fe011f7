//! What of a token a revocation may name, as it is kept with a token that is remembered.
//!
//! A state in which the token was found clean is a number that never comes again. So the comparison needs no order between
//! threads: whoever stores an old number has a token looked up once more, and nobody can store one of a state that was
//! not looked at.

use std::sync::atomic::{AtomicU64, Ordering};

use super::list::{HeldList, ListWhen};
use super::{Digest, DigestKey, Found, List, ListUnavailable, Named, Revocation, Revocations};
use crate::time::UnixTime;

/// What is kept of a token: what cannot be told from its holder, and where it was found clean.
#[derive(Debug)]
pub struct Marks {
    /// Of its `jti`.
    token: Option<Digest>,
    /// Of its own `sub`, before any mapping, where that makes another one of it.
    subject: Option<Box<Digest>>,
    issued_at: UnixTime,
    /// The generation of the set in which nothing named it.
    clean_in_set: AtomicU64,
    /// The version of its issuer's list in which nothing named it.
    clean_in_list: AtomicU64,
}

/// Whose token it is, as is known besides.
#[derive(Debug, Clone, Copy)]
pub struct Holder<'t> {
    /// The issuer.
    pub issuer: &'t str,
    /// The subject as it is mapped.
    pub subject: Option<&'t str>,
    /// The client.
    pub client: Option<&'t str>,
    /// The id of the key that vouches for the token.
    pub key_id: Option<&'t str>,
}

/// Where entries are looked for.
pub(super) trait Entries {
    /// Whether there may be any of this kind.
    fn has(&self, named: Named) -> bool;
    /// The entry, if it is there.
    fn find(&self, digest: &Digest) -> Option<Revocation>;
}

// === impl Marks ===

impl Marks {
    /// Of a token with these claims; `subject` is its own, where the mapped one is another. A token that does not say
    /// when it was issued counts as issued before anything.
    pub fn new(
        key: &DigestKey,
        issuer: &str,
        jti: Option<&str>,
        subject: Option<&str>,
        issued_at: Option<UnixTime>,
    ) -> Self {
        Self {
            token: jti.map(|jti| key.digest(Named::Token, issuer, jti)),
            subject: subject.map(|subject| Box::new(key.digest(Named::Subject, issuer, subject))),
            issued_at: issued_at.unwrap_or(UnixTime::from_millis(i64::MIN)),
            clean_in_set: AtomicU64::new(0),
            clean_in_list: AtomicU64::new(0),
        }
    }

    /// Whether an entry of the set takes the token back.
    ///
    /// # Errors
    /// The entry.
    pub fn judge<'h>(&self, set: &Revocations, holder: impl FnOnce() -> Holder<'h>) -> Result<(), Found> {
        // Before the look-up: what is added during it makes the next one look again.
        let generation = set.generation();
        if self.clean_in_set.load(Ordering::Relaxed) == generation {
            return Ok(());
        }
        self.look(set, set.key(), holder())?;
        self.clean_in_set.store(generation, Ordering::Relaxed);
        Ok(())
    }

    /// The same for the list of the token's issuer.
    ///
    /// # Errors
    /// The entry; or that the list is not there, where it must be.
    pub fn judge_list<'h>(
        &self,
        list: &List,
        when: ListWhen,
        key: &DigestKey,
        now: UnixTime,
        holder: impl FnOnce() -> Holder<'h>,
    ) -> Result<Result<(), Found>, ListUnavailable> {
        let held = list.held();
        let Some(held) = when.usable(held.as_deref(), now)? else {
            return Ok(Ok(()));
        };
        Ok(self.judge_held(held, key, holder))
    }

    fn judge_held<'h>(
        &self,
        held: &HeldList,
        key: &DigestKey,
        holder: impl FnOnce() -> Holder<'h>,
    ) -> Result<(), Found> {
        if self.clean_in_list.load(Ordering::Relaxed) == held.version() {
            return Ok(());
        }
        self.look(held.table(), key, holder())?;
        self.clean_in_list.store(held.version(), Ordering::Relaxed);
        Ok(())
    }

    fn look(&self, entries: &impl Entries, key: &DigestKey, holder: Holder<'_>) -> Result<(), Found> {
        let Holder {
            issuer,
            subject,
            client,
            key_id,
        } = holder;
        let judge = |named: Named, digest: Digest| match entries.find(&digest) {
            Some(Revocation { issued_before, .. }) if self.issued_at < issued_before => Err(Found {
                named,
                digest,
                issued_before,
            }),
            _ => Ok(()),
        };
        let text = |named: Named, name: Option<&str>| match name {
            Some(name) if entries.has(named) => judge(named, key.digest(named, issuer, name)),
            _ => Ok(()),
        };
        let marked = |named: Named, digest: Option<Digest>| match digest {
            Some(digest) if entries.has(named) => judge(named, digest),
            _ => Ok(()),
        };
        marked(Named::Token, self.token)?;
        marked(Named::Subject, self.subject.as_deref().copied())?;
        // Where `sub` is mapped, either name of the subject will do.
        text(Named::Subject, subject)?;
        text(Named::Client, client)?;
        text(Named::Key, key_id)?;
        text(Named::Issuer, Some(""))
    }
}
