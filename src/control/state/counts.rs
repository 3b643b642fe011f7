//! What callers have used of their quotas, as it is kept.
//!
//! It changes with every request, so it is none of what operators change: it has no revision, no note in the audit log, and
//! whoever follows changes hears nothing of it. A row is replaced as a whole; how often is up to whoever writes.

use super::store::StoreError;
use crate::limit::Kept;

/// Who has used something.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CountKey {
    /// What it is.
    pub kind: CountKind,
    /// Which one; of what kind it is, it has no other of this id.
    pub id: String,
}

/// What can have used something. The numbers are in files, and stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CountKind {
    /// All callers of an API: its name.
    Api = 1,
    /// All callers of a route: the API's name, the methods and the path.
    Route = 2,
    /// A subscription: the application's and the plan's id.
    Subscription = 3,
    /// An application: its id.
    Application = 4,
}

/// What one of them has used.
pub type Row = (CountKey, Vec<Kept>);

/// Keeps counts.
pub trait CountStore: Send + Sync {
    /// All that was kept.
    ///
    /// # Errors
    /// When it cannot be read, or makes no sense.
    fn load_counts(&self) -> Result<Vec<Row>, StoreError>;

    /// Keeps these in place of what was kept of the same, and nothing more of those that are gone. When it returns it is
    /// on disk.
    ///
    /// # Errors
    /// When it cannot be written; then nothing has changed.
    fn write_counts(&self, rows: &[Row], gone: &[CountKey]) -> Result<(), StoreError>;
}

// === impl CountKind ===

impl CountKind {
    /// The kind of this number.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Api),
            2 => Some(Self::Route),
            3 => Some(Self::Subscription),
            4 => Some(Self::Application),
            _ => None,
        }
    }
}
