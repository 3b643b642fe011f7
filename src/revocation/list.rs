//! The list that an issuer publishes of what it has taken back, as it was fetched last.
//!
//! A list is replaced whole, in one step. Each content has a version, which no other content ever has: a token that was
//! found clean in one is looked up again in the next, and a document that has not changed costs nothing.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwapOption, Guard};

use super::digest::AsItIs;
use super::marks::Entries;
use super::{Digest, DigestKey, Named, Revocation};
use crate::time::UnixTime;

/// Every content has another one; 0 is none.
static NEXT_VERSION: AtomicU64 = AtomicU64::new(1);

/// Where an issuer's list is. It outlives reloads.
#[derive(Debug, Default)]
pub struct List {
    held: ArcSwapOption<HeldList>,
}

/// A list and since when it is here.
#[derive(Debug)]
pub struct HeldList {
    table: Arc<Table>,
    version: u64,
    fetched_at: UnixTime,
}

/// What a list says.
#[derive(Debug, Default)]
pub struct Table {
    entries: HashMap<Digest, Revocation, BuildHasherDefault<AsItIs>>,
    has: [bool; Named::ALL.len()],
}

/// What becomes of tokens when the list is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListWhen {
    /// They are judged without it, or by the last that was there.
    Open,
    /// They are refused, from so long after the list was fetched last.
    ClosedAfter(Duration),
}

/// The list is not there, and must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListUnavailable;

// === impl List ===

impl List {
    /// Puts what was fetched in place.
    pub fn replace(&self, table: Table, now: UnixTime) {
        self.held.store(Some(Arc::new(HeldList {
            table: Arc::new(table),
            version: NEXT_VERSION.fetch_add(1, Ordering::Relaxed),
            fetched_at: now,
        })));
    }

    /// The list was fetched again, and is the same; says whether there was one.
    pub fn confirm(&self, now: UnixTime) -> bool {
        let held = self.held.load_full();
        if let Some(held) = &held {
            self.held.store(Some(Arc::new(HeldList {
                table: Arc::clone(&held.table),
                version: held.version,
                fetched_at: now,
            })));
        }
        held.is_some()
    }

    /// The present one, usable or not.
    pub fn held(&self) -> Guard<Option<Arc<HeldList>>> {
        self.held.load()
    }
}

// === impl HeldList ===

impl HeldList {
    /// When it was fetched, or found to be the same.
    pub const fn fetched_at(&self) -> UnixTime {
        self.fetched_at
    }

    /// What it says.
    pub fn table(&self) -> &Table {
        &self.table
    }

    pub(super) const fn version(&self) -> u64 {
        self.version
    }
}

// === impl Table ===

impl Table {
    /// Adds an entry; one that is there already says what both say.
    pub fn put(&mut self, key: &DigestKey, issuer: &str, named: Named, name: &str, revocation: Revocation) {
        let digest = key.digest(named, issuer, name);
        self.entries
            .entry(digest)
            .and_modify(|former| *former = former.and(revocation))
            .or_insert(revocation);
        if let Some(has) = self.has.get_mut(place(named)) {
            *has = true;
        }
    }

    /// How many entries it has.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl Entries for Table {
    fn has(&self, named: Named) -> bool {
        self.has.get(place(named)).copied().unwrap_or(true)
    }

    fn find(&self, digest: &Digest) -> Option<Revocation> {
        self.entries.get(digest).copied()
    }
}

const fn place(named: Named) -> usize {
    named as usize - Named::Token as usize
}

// === impl ListWhen ===

impl ListWhen {
    /// The list by which tokens are judged at `now`; nothing: by none.
    ///
    /// # Errors
    /// When there is none to judge by, or it is too old.
    pub fn usable(
        self,
        held: Option<&HeldList>,
        now: UnixTime,
    ) -> Result<Option<&HeldList>, ListUnavailable> {
        match (self, held) {
            (Self::Open, held) => Ok(held),
            (Self::ClosedAfter(after), Some(held)) if now < held.fetched_at.plus(after) => Ok(Some(held)),
            (Self::ClosedAfter(_), _) => Err(ListUnavailable),
        }
    }
}
