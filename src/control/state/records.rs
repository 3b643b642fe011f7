//! The shapes of what is kept: JSON, so that a record can be read by eye, with every member named.
//!
//! A member that this version does not know is an error, not something to be dropped when the record is written again:
//! an older gateway never quietly undoes what a newer one wrote. Times are milliseconds of Unix time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::store::{StoreError, Versioned};
use crate::revocation::Named;

/// A registered caller; its id is the record's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct ApplicationRecord {
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Client ids that stand for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub client_ids: Vec<ClientIdRecord>,
    /// Claims that stand for it: all of one set, any of the sets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claim_sets: Vec<BTreeMap<String, String>>,
    /// An audience of its own, instead of its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// None of its subscriptions is in force.
    #[serde(default)]
    pub suspended: bool,
    /// When it was made.
    pub created_at: i64,
    /// When it was last changed.
    pub updated_at: i64,
}

/// One client id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientIdRecord {
    /// Only in tokens of this issuer; nothing: in tokens of any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The client id, byte for byte.
    pub id: String,
}

/// An application's agreement to a plan; the record's id is `application:api:plan`, and names hold no colon. So an
/// application has one agreement to a plan at a time, and what a change is about can be read off its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubscriptionRecord {
    /// Where it is in its life.
    pub status: SubscriptionStatus,
    /// Not in force before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<i64>,
    /// Not in force at or after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
    /// When it was made.
    pub created_at: i64,
    /// When it was last changed.
    pub updated_at: i64,
}

/// Where a subscription is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the words of the subscription's life cycle")]
pub enum SubscriptionStatus {
    Pending,
    Accepted,
    Rejected,
    Paused,
    Closed,
}

/// An API key; the record's id is `application:api:plan:number`. The key itself is nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKeyRecord {
    /// HMAC-SHA256 of the key, in hexadecimal digits.
    pub hash: String,
    /// Its first characters, for people; of a key that somebody chose, nothing.
    pub prefix: String,
    /// No longer good from then on; set ahead when a key is renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// When it was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<i64>,
    /// When it was made.
    pub created_at: i64,
}

/// A plan's stage, changed at run time; the record's id is `api/plan`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanStageRecord {
    /// The stage.
    pub stage: PlanStage,
    /// When it was set.
    pub changed_at: i64,
}

/// Where a plan is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the words of the plan's life cycle")]
pub enum PlanStage {
    Staging,
    Published,
    Deprecated,
    Closed,
}

/// Tokens of an issuer that were taken back; the record's id is the digest of what it names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevocationRecord {
    /// Whose tokens.
    pub issuer: String,
    /// Which of them.
    #[serde(rename = "names")]
    pub named: RevokedName,
    /// Those that were issued before; nothing: whenever it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_before: Option<i64>,
    /// No token that it names can be alive from then on.
    pub expires_at: i64,
    /// When it was asked for last.
    pub revoked_at: i64,
}

/// What a revocation names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevokedName {
    /// One token, by its `jti`.
    Jti(String),
    /// Tokens of a subject.
    Subject(String),
    /// Tokens of a client.
    Client(String),
    /// Tokens that a key has signed, by its id.
    KeyId(String),
    /// Every token of the issuer.
    All,
}

// === impl RevokedName ===

impl RevokedName {
    /// Its kind and its text.
    pub fn parts(&self) -> (Named, &str) {
        match self {
            Self::Jti(jti) => (Named::Token, jti),
            Self::Subject(subject) => (Named::Subject, subject),
            Self::Client(client) => (Named::Client, client),
            Self::KeyId(kid) => (Named::Key, kid),
            Self::All => (Named::Issuer, ""),
        }
    }
}

/// What was answered to a request that carries an idempotency key; the record's id is that key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdempotencyRecord {
    /// What method, path and body come to under the store's secret, in hexadecimal digits: the same key with another
    /// request is a mistake.
    pub request: String,
    /// The path of what was made.
    pub location: String,
    /// When; it is forgotten a day later.
    pub created_at: i64,
}

/// Reads a record.
///
/// # Errors
/// [`StoreError::Damaged`] when it is none of this shape.
pub fn read<R: for<'r> Deserialize<'r>>(what: &str, record: &Versioned) -> Result<R, StoreError> {
    serde_json::from_slice(&record.value).map_err(|error| StoreError::Damaged(format!("{what}: {error}")))
}

/// Writes a record.
///
/// # Errors
/// Never for the shapes above; the store's own bound judges their length.
pub fn write<R: Serialize>(record: &R) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(record).map_err(|_| StoreError::Bounds("a record that cannot be written"))
}
