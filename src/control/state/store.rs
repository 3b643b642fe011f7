//! The contract of a store: records by key, changed all or nothing, and a feed of what changed.
//!
//! It is small, so that another store can take the place of the embedded one, also one that several gateways share. What
//! it promises:
//!
//! * **Durable.** When [`Store::commit`] returns a revision, the batch survives `kill -9` and a power cut. When it
//!   returns an error, either nothing of the batch is there or, after [`StoreError::Failed`] only, all of it may be.
//! * **Atomic.** Nobody ever sees a part of a batch, after a crash neither.
//! * **In order.** Each batch makes one new [`Revision`], higher than every one before. A batch says on which revision it
//!   is based, and is refused if that is no longer the last: who decided by what it read need not fear what it did not.
//! * **Consistent.** [`Store::load`] shows everything as of one revision, and [`Store::changes`] what came after it. A
//!   reader who loads once and then follows the changes knows what the store knows.
//! * **Closed.** What cannot be read is an error, never an absent record.
//! * **Patient.** What fails beneath it, such as a full disk, fails the calls meanwhile and none after, and nothing that
//!   was acknowledged is lost by it.
//!
//! All of it blocks, on disks or on a network: callers are threads that may.

use std::fmt;

/// The longest id of a record.
pub const ID_BYTES_MAX: usize = 256;
/// The largest value of a record: the longest body of a change (64 KiB) and what its record says besides.
pub const VALUE_BYTES_MAX: usize = 72 * 1024;
/// The longest note that goes into the audit log with a batch: what was changed as it was before and as it is after.
pub const NOTE_BYTES_MAX: usize = 256 * 1024;
/// So many of the last revisions a store can tell the changes of, at least.
pub const CHANGES_KEPT: u64 = 10_000;

/// What a record is about. The numbers are written to disk and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// An application.
    Application = 1,
    /// A subscription.
    Subscription = 2,
    /// An API key, hashed.
    ApiKey = 3,
    /// A plan's stage, changed at run time.
    PlanStage = 4,
    /// Something revoked.
    Revocation = 5,
    /// The answer to a request that may be repeated.
    Idempotency = 6,
}

/// Names one record.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// What it is about.
    pub kind: Kind,
    /// Its id among those: 1 to [`ID_BYTES_MAX`] bytes.
    pub id: String,
}

/// The number of a batch; 0 is the empty store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Revision(pub u64);

/// A record as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned {
    /// The revision that wrote it last.
    pub version: Revision,
    /// What it says, at most [`VALUE_BYTES_MAX`].
    pub value: Vec<u8>,
}

/// One record's change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// Which.
    pub key: Key,
    /// What it says from now on; nothing: it is gone.
    pub value: Option<Vec<u8>>,
}

/// Changes that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// What the writer had read when it decided.
    pub based_on: Revision,
    /// The changes, no key twice, at least one.
    pub writes: Vec<Write>,
    /// What the audit log says of them; may be empty, then it says nothing.
    pub note: Vec<u8>,
}

/// What came after a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changes {
    /// These records, as they are at `revision`; nothing: gone. Each once, in no order.
    Deltas {
        /// The last revision.
        revision: Revision,
        /// What changed.
        records: Vec<(Key, Option<Versioned>)>,
    },
    /// Too much to tell: load everything.
    Resync,
}

/// Why a store does not do what it is asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It is not where it should be, or cannot be opened.
    #[error("the store {path} cannot be opened: {detail}")]
    Open {
        /// Where it should be.
        path: String,
        /// What is wrong.
        detail: String,
    },
    /// What it holds makes no sense: it was damaged, cut short, or written by another version.
    #[error("the store is damaged or not ours: {0}")]
    Damaged(String),
    /// Something beneath it failed; whether the change is there is not known.
    #[error("the store failed: {0}")]
    Failed(String),
    /// A key, value or note beyond its bound, a key twice, or an empty batch.
    #[error("not storable: {0}")]
    Bounds(&'static str),
}

/// Why a batch is not there.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// It is based on another revision than the last.
    #[error("the store has moved on to revision {}", .0.0)]
    Conflict(Revision),
    /// See [`StoreError`].
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Keeps records. See the promises above.
pub trait Store: Send + Sync {
    /// The last revision.
    ///
    /// # Errors
    /// When it cannot be read.
    fn revision(&self) -> Result<Revision, StoreError>;

    /// Shows every record, as of one revision, in the order of keys; returns that revision. Ends early when `visit`
    /// fails.
    ///
    /// # Errors
    /// When something cannot be read, or what `visit` says.
    fn load(
        &self,
        visit: &mut dyn FnMut(Key, Versioned) -> Result<(), StoreError>,
    ) -> Result<Revision, StoreError>;

    /// One record.
    ///
    /// # Errors
    /// When it cannot be read.
    fn get(&self, key: &Key) -> Result<Option<Versioned>, StoreError>;

    /// At most `limit` records of a kind, in the order of ids: those whose id begins with `prefix` and comes after
    /// `after`.
    ///
    /// # Errors
    /// When they cannot be read.
    fn list(
        &self,
        kind: Kind,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, Versioned)>, StoreError>;

    /// Makes a batch durable; returns its revision.
    ///
    /// # Errors
    /// [`CommitError::Conflict`] when another batch came first.
    fn commit(&self, batch: Batch) -> Result<Revision, CommitError>;

    /// What changed after `after`.
    ///
    /// # Errors
    /// When it cannot be read.
    fn changes(&self, after: Revision) -> Result<Changes, StoreError>;

    /// At most `limit` notes of the audit log with a number below `before`, the newest first. A note's number is its
    /// batch's revision.
    ///
    /// # Errors
    /// When they cannot be read.
    fn notes(&self, before: Option<Revision>, limit: usize) -> Result<Vec<(Revision, Vec<u8>)>, StoreError>;
}

// === impl Kind ===

impl Kind {
    /// Every kind there is.
    pub const ALL: [Self; 6] = [
        Self::Application,
        Self::Subscription,
        Self::ApiKey,
        Self::PlanStage,
        Self::Revocation,
        Self::Idempotency,
    ];

    /// The kind with this number.
    pub(super) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }
}

// === impl Key ===

impl Key {
    /// The key of a record.
    pub fn new(kind: Kind, id: impl Into<String>) -> Self {
        Self { kind, id: id.into() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.kind, self.id)
    }
}

// === impl Batch ===

impl Batch {
    /// Whether a store can take it.
    ///
    /// # Errors
    /// [`StoreError::Bounds`].
    pub(super) fn judge(&self) -> Result<(), StoreError> {
        if self.writes.is_empty() {
            return Err(StoreError::Bounds("a batch changes something"));
        }
        if self.note.len() > NOTE_BYTES_MAX {
            return Err(StoreError::Bounds("the note is too long"));
        }
        let mut keys: Vec<&Key> = self.writes.iter().map(|write| &write.key).collect();
        keys.sort_unstable();
        if keys.windows(2).any(|pair| matches!(pair, [a, b] if a == b)) {
            return Err(StoreError::Bounds("a batch changes a record once"));
        }
        for write in &self.writes {
            if write.key.id.is_empty() || write.key.id.len() > ID_BYTES_MAX {
                return Err(StoreError::Bounds("an id has 1 to 256 bytes"));
            }
            let value = write.value.as_ref();
            if value.is_some_and(|value| value.len() > VALUE_BYTES_MAX) {
                return Err(StoreError::Bounds("a value has at most 72 KiB"));
            }
        }
        Ok(())
    }
}
