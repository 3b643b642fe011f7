//! What was taken back before its time: tokens by their id, or all tokens of somebody that were issued before a moment.
//!
//! An entry names one thing of one issuer. It is kept and found by a keyed hash of what it names ([`Digest`]), so an entry
//! has one size however long the name is, a look-up takes the same time however many entries there are, and nobody
//! without the key can make two names meet. Two places hold entries: the set that operators fill ([`Revocations`]), and a
//! list that an issuer publishes ([`List`]), each its own.
//!
//! No look-up asks for the time: an entry counts as long as it is there, and whoever puts it there takes it away when no
//! token that it names can be alive any more. So what was found clean once stays so until entries are added, and a token
//! that is remembered carries the state in which it was found clean ([`Marks`]): to ask again costs a comparison.

mod digest;
mod document;
mod list;
mod marks;
mod set;

#[cfg(test)]
mod tests;

pub use digest::{Digest, DigestKey, NoDigest};
pub use document::{DocumentError, Format, LIST_BYTES_MAX, LIST_ENTRIES_MAX, parse_list};
pub use list::{HeldList, List, ListUnavailable, ListWhen, Table};
pub use marks::{Holder, Marks};
pub use set::{Changing, Renewal, Revocations};

use crate::time::UnixTime;

/// The longest name, in bytes: what is longer cannot be named.
pub const NAME_BYTES_MAX: usize = 2048;

/// What an entry names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Named {
    /// One token, by its `jti` (RFC 7519 section 4.1.7).
    Token = 1,
    /// Tokens of a subject.
    Subject = 2,
    /// Tokens of a client.
    Client = 3,
    /// Tokens that a key has signed, by its id.
    Key = 4,
    /// Every token of the issuer.
    Issuer = 5,
}

/// Until when tokens that an entry names must have been issued to be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revocation {
    /// Those that were issued before; those that do not say when they were issued are among them.
    pub issued_before: UnixTime,
    /// From then on no token can be alive that it names.
    pub expires_at: UnixTime,
}

/// An entry that names a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// What it names.
    pub named: Named,
    /// What it is found by.
    pub digest: Digest,
    /// Tokens that were issued before are taken back.
    pub issued_before: UnixTime,
}

/// Later than anything: whenever a token was issued.
pub const ALWAYS: UnixTime = UnixTime::from_millis(i64::MAX);

// === impl Named ===

impl Named {
    /// Everything that can be named.
    pub const ALL: [Self; 5] = [Self::Token, Self::Subject, Self::Client, Self::Key, Self::Issuer];

    /// The word for it, as operators write it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Token => "jti",
            Self::Subject => "subject",
            Self::Client => "client",
            Self::Key => "key_id",
            Self::Issuer => "all",
        }
    }
}

// === impl Revocation ===

impl Revocation {
    /// What both say together: the later times.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            issued_before: self.issued_before.max(other.issued_before),
            expires_at: self.expires_at.max(other.expires_at),
        }
    }
}
