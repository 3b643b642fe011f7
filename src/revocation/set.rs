//! The entries that operators make: a lock-free map, and a number that grows whenever entries come.
//!
//! Whoever adds an entry adds it first and raises the number then; whoever asks reads the number first and looks then. So
//! a request that begins after the number was raised finds the entry, also where its token was found clean a moment ago.
//! The number is raised by dropping what was borrowed to make changes ([`Changing`]), so nobody can forget it.

use std::collections::HashSet;
use std::hash::BuildHasherDefault;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};

use super::digest::AsItIs;
use super::marks::Entries;
use super::{Digest, DigestKey, Named, Revocation};
use crate::time::UnixTime;

/// Entries at most; with what they are found by, some 80 bytes each.
const REVOCATIONS_MAX: usize = 4_000_000;

type Hasher = BuildHasherDefault<AsItIs>;

/// What operators have taken back.
#[derive(Debug)]
pub struct Revocations {
    key: DigestKey,
    entries: papaya::HashMap<Digest, Entry, Hasher>,
    /// Of each kind how many, so that nothing is hashed in vain.
    counts: [AtomicUsize; Named::ALL.len()],
    generation: AtomicU64,
    /// No entry is over before, in milliseconds of Unix time.
    next_expiry: AtomicI64,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    named: Named,
    revocation: Revocation,
}

/// Changes of one moment.
#[derive(Debug)]
pub struct Changing<'r> {
    set: &'r Revocations,
    has_added: bool,
}

/// Everything anew. Until it is done, what was there counts besides.
#[derive(Debug)]
pub struct Renewal<'r> {
    changing: Changing<'r>,
    seen: HashSet<Digest, Hasher>,
}

// === impl Revocations ===

impl Revocations {
    /// Entries at most.
    pub const MAX: usize = REVOCATIONS_MAX;

    /// An empty set, whose names are hashed under this key.
    pub fn new(key: DigestKey) -> Self {
        Self {
            key,
            entries: papaya::HashMap::with_hasher(Hasher::default()),
            counts: Default::default(),
            generation: AtomicU64::new(0),
            next_expiry: AtomicI64::new(i64::MAX),
        }
    }

    /// The key under which names are hashed, here and in lists.
    pub const fn key(&self) -> &DigestKey {
        &self.key
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Begins changes, which are in force when what is returned is dropped, at the latest.
    pub const fn change(&self) -> Changing<'_> {
        Changing {
            set: self,
            has_added: false,
        }
    }

    /// Begins anew.
    pub fn renew(&self) -> Renewal<'_> {
        Renewal {
            changing: self.change(),
            seen: HashSet::default(),
        }
    }

    /// At most `limit` entries that are over at `now`.
    pub fn expired(&self, now: UnixTime, limit: usize) -> Vec<Digest> {
        let mut found = Vec::new();
        if now.millis() < self.next_expiry.load(Ordering::Acquire) {
            return found;
        }
        // Entries that come from now on lower it again; those that came before are met on the walk.
        self.next_expiry.swap(i64::MAX, Ordering::AcqRel);
        let mut next = i64::MAX;
        for (digest, entry) in &self.entries.pin() {
            let expires_at = entry.revocation.expires_at;
            // Those that are found stay until they are removed: the next walk finds them, if nobody has.
            next = next.min(expires_at.millis());
            if expires_at <= now && found.len() < limit {
                found.push(*digest);
            }
        }
        self.next_expiry.fetch_min(next, Ordering::AcqRel);
        found
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    fn count(&self, named: Named) -> &AtomicUsize {
        let [token, subject, client, key, issuer] = &self.counts;
        match named {
            Named::Token => token,
            Named::Subject => subject,
            Named::Client => client,
            Named::Key => key,
            Named::Issuer => issuer,
        }
    }
}

/// With a key of its own.
impl Default for Revocations {
    fn default() -> Self {
        Self::new(DigestKey::random())
    }
}

impl Entries for Revocations {
    fn has(&self, named: Named) -> bool {
        self.count(named).load(Ordering::Acquire) > 0
    }

    fn find(&self, digest: &Digest) -> Option<Revocation> {
        self.entries.pin().get(digest).map(|entry| entry.revocation)
    }
}

// === impl Changing ===

impl Changing<'_> {
    /// Puts an entry in place of a former one.
    pub fn put(&mut self, named: Named, digest: Digest, revocation: Revocation) {
        let set = self.set;
        let former = set
            .entries
            .pin()
            .insert(digest, Entry { named, revocation })
            .copied();
        if former.is_none() {
            set.count(named).fetch_add(1, Ordering::AcqRel);
        }
        set.next_expiry
            .fetch_min(revocation.expires_at.millis(), Ordering::AcqRel);
        self.has_added = true;
    }

    /// Takes an entry away.
    pub fn remove(&mut self, digest: &Digest) {
        let set = self.set;
        let removed = set.entries.pin().remove(digest).map(|entry| entry.named);
        if let Some(named) = removed {
            set.count(named).fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        if self.has_added {
            self.set.generation.fetch_add(1, Ordering::AcqRel);
        }
    }
}

// === impl Renewal ===

impl Renewal<'_> {
    /// One that is there.
    pub fn put(&mut self, named: Named, digest: Digest, revocation: Revocation) {
        self.changing.put(named, digest, revocation);
        self.seen.insert(digest);
    }

    /// That was all: what was not put is gone.
    pub fn finish(mut self) {
        let set = self.changing.set;
        if set.len() == self.seen.len() {
            return;
        }
        let mut gone = Vec::new();
        for (digest, _) in &set.entries.pin() {
            if !self.seen.contains(digest) {
                gone.push(*digest);
            }
        }
        for digest in gone {
            self.changing.remove(&digest);
        }
    }
}
