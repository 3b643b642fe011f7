//! What changes at run time and must outlive the process: applications, subscriptions, API keys, stages of plans,
//! revocations.
//!
//! A [`Store`] keeps records and promises durability; it knows nothing of what they mean. Records mean something here:
//! [`records`] are the shapes that are kept.

pub mod changes;
pub mod records;

mod counts;
mod embedded;
mod open;
mod store;
mod watched;

#[cfg(test)]
pub(crate) mod tests;

pub use counts::{CountKey, CountKind, CountStore, Row};
pub use embedded::Embedded;
pub use open::{OpenState, StateError, open};
pub use store::{
    Batch, CHANGES_KEPT, Changes, CommitError, ID_BYTES_MAX, Key, Kind, NOTE_BYTES_MAX, Revision, Store,
    StoreError, VALUE_BYTES_MAX, Versioned, Write,
};
pub use watched::{Attempts, StoreHealth, Watched};
