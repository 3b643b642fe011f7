//! One change of what is known of callers, as it comes from the store.
//!
//! A change says how an entry is from now on, never how it was: whoever applies the same one twice has done no harm.

use crate::id::{ApplicationId, IssuerName, PlanId};
use crate::time::UnixTime;

use super::Status;

/// How one entry is from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// An application; nothing: it is gone.
    Application {
        /// Which.
        id: ApplicationId,
        /// How it is.
        entry: Option<ApplicationEntry>,
    },
    /// A subscription; nothing: it is gone.
    Subscription {
        /// Whose.
        application: ApplicationId,
        /// To what.
        plan: PlanId,
        /// How it is.
        entry: Option<SubscriptionEntry>,
    },
    /// A subscription that takes the place of one to another plan of the same API: what was used goes on.
    Moved {
        /// Whose.
        application: ApplicationId,
        /// To what until now.
        from: PlanId,
        /// To what from now on.
        to: PlanId,
        /// How it is.
        entry: SubscriptionEntry,
    },
    /// An API key; nothing: it is gone.
    ApiKey {
        /// Its id, unique among all keys.
        id: Box<str>,
        /// How it is.
        entry: Option<ApiKeyEntry>,
    },
}

/// An application.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ApplicationEntry {
    /// Its client ids; without an issuer: in the tokens of any.
    pub clients: Vec<(Option<IssuerName>, Box<str>)>,
    /// Claims that stand for it: all of one set, any of the sets; `(claim, value)`.
    pub claim_sets: Vec<Vec<(Box<str>, Box<str>)>>,
    /// An audience of its own, instead of its id.
    pub audience: Option<Box<str>>,
    /// None of its subscriptions is in force.
    pub suspended: bool,
}

/// A subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubscriptionEntry {
    /// Where it is in its life.
    pub status: Status,
    /// Not in force before.
    pub from: Option<UnixTime>,
    /// Not in force at or after.
    pub until: Option<UnixTime>,
}

/// An API key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyEntry {
    /// HMAC-SHA256 of the key under the gateway's secret.
    pub hash: [u8; 32],
    /// Whose subscription.
    pub application: ApplicationId,
    /// To what.
    pub plan: PlanId,
    /// No longer good at or after.
    pub expires_at: Option<UnixTime>,
    /// It was taken back.
    pub revoked: bool,
}
