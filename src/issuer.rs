//! An issuer: the rules for its tokens, and the ring that holds its keys.
//!
//! A snapshot *names* issuers; their keys live in the [`KeyRing`], which outlives every snapshot. So a reload drops no
//! key, and a rotation needs no reload. A ring belongs to an issuer *and* the place its keys come from: keys from an
//! address that the operator has since replaced are never used again.

mod approval;
mod attempt;
mod discovery;
mod introspection;
mod jwks_url;
mod quarantine;
mod revocation_list;
mod ring;
mod via;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use approval::{APPROVAL_LIFETIME, Approval, Approvals, ApprovalsError};
pub use attempt::{Attempt, AttemptResult, Trouble};
pub use discovery::{DiscoveryError, jwks_uri};
pub use introspection::{
    Active, Answer, Answers, Asked, ClientCredentials, ClientMethod, Inquiry, Introspection,
};
pub use jwks_url::{JwksUrl, JwksUrlError};
pub use quarantine::{Suspicion, Terms};
pub use revocation_list::{LIST_FETCH_TIMEOUT, ListSchedule, ListSource};
pub use ring::{HeldKeys, KeyRing, Keys, Quarantined, Ring, Taken};
pub use via::{Authorities, AuthoritiesError, ProxyUrl, ProxyUrlError, Via};

use crate::id::IssuerName;
use crate::time::UnixTime;
use crate::token::Rules;

/// An issuer as one snapshot knows it.
#[derive(Debug)]
pub struct Issuer {
    /// Its name: exactly the `iss` of its tokens.
    pub name: IssuerName,
    /// Its place among the issuers of the snapshot, for what is kept beside a snapshot (meters).
    pub index: usize,
    /// What its tokens must be like.
    pub rules: Rules,
    /// Where its keys come from.
    pub source: KeySource,
    /// Where its keys are.
    pub ring: Arc<Ring>,
    /// Where it says which of its tokens it has taken back; nothing: nowhere.
    pub revocations: Option<Box<ListSource>>,
    /// How it is asked about tokens; nothing: not at all.
    pub introspection: Option<Introspection>,
}

/// Where an issuer's keys come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// Files, read when the snapshot was compiled.
    Files(Vec<KeyFile>),
    /// A JWKS document that is fetched again and again.
    Jwks(Box<JwksSchedule>),
}

/// A file with keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFile {
    /// What is in it.
    pub holds: KeyFileKind,
    /// Where it is.
    pub path: PathBuf,
}

/// What is in a file with keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyFileKind {
    /// A key set: all keys of the issuer.
    Jwks,
    /// The public key of this id.
    PublicKey(Box<str>),
    /// The shared secret of this id.
    Secret(Box<str>),
    /// The private key of this id, with which this gateway signs: the issuer is the gateway itself.
    Own(Box<str>),
}

/// Where a key set that is fetched is found. It is part of what a ring belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum KeyAddress {
    /// The document itself.
    Jwks(JwksUrl),
    /// A document that says where it is (OpenID Connect Discovery 1.0 section 4). What it says may change; the ring
    /// stays, so new keys are judged by those that were there before.
    Discovery(JwksUrl),
}

/// How a JWKS document is kept fresh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JwksSchedule {
    /// Where it is.
    pub address: KeyAddress,
    /// By what way it is asked for.
    pub via: Via,
    /// How often it is fetched unprompted.
    pub refresh_interval: Duration,
    /// The least time between two fetches for the sake of unknown key ids.
    pub cooldown: Duration,
    /// How long a request with an unknown key id may wait for a fetch.
    pub wait: Duration,
    /// How long the last good keys serve when fetches fail.
    pub stale_after: Duration,
    /// What is taken without an operator having looked at it.
    pub terms: Terms,
}

// === impl Issuer ===

impl Issuer {
    /// The issuer's keys, if they are here and not stale.
    pub fn keys(&self, now: UnixTime) -> Option<Keys> {
        match &self.source {
            KeySource::Jwks(schedule) => self
                .ring
                .keys(|held| now < held.fetched_at.plus(schedule.stale_after)),
            KeySource::Files(_) => self.ring.keys(|_| true),
        }
    }
}

// === impl KeyAddress ===

impl KeyAddress {
    /// The URL that is asked first.
    pub const fn url(&self) -> &JwksUrl {
        match self {
            Self::Jwks(url) | Self::Discovery(url) => url,
        }
    }
}
