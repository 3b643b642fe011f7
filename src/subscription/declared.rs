//! What a configuration says of callers. It is the whole of it each time: what is no longer in it is gone.
//!
//! Whoever compiles a configuration has seen to it that nothing in it is there twice, so the index need not look.

use super::{ClaimSet, Standing, Terms};
use crate::id::{ApplicationId, IssuerName, PlanId};

/// What one configuration declares.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Declared {
    /// Applications, no id, no client id and no claim set twice.
    pub applications: Vec<DeclaredApplication>,
    /// Subscriptions, at most one for an application and a plan.
    pub subscriptions: Vec<DeclaredSubscription>,
}

/// One declared application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredApplication {
    /// Its id.
    pub id: ApplicationId,
    /// Its client ids; without an issuer: in the tokens of any.
    pub clients: Vec<(Option<IssuerName>, Box<str>)>,
    /// Claims that stand for it: all of one set, any of the sets.
    pub claim_sets: Vec<ClaimSet>,
    /// Its standing.
    pub standing: Standing,
}

/// One declared subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredSubscription {
    /// Whose.
    pub application: ApplicationId,
    /// To what.
    pub plan: PlanId,
    /// Its terms.
    pub terms: Terms,
}
