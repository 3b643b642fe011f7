//! Who watches a decision. The decision itself measures nothing and tells nobody; an edge that wants to know how long
//! the signature check took, or which stages a request passed, looks on through this.

use crate::issuer::Issuer;
use crate::token::Probe;

/// Looks on. Every method does nothing unless overridden, and the compiler removes what does nothing.
pub trait Observer: Probe {
    /// A stage is passed.
    fn stage(&mut self, _stage: Stage) {}
    /// The issuer whose rules the token is held against.
    fn issuer(&mut self, _issuer: &Issuer) {}
    /// Whether the token was verified before.
    fn cache(&mut self, _result: CacheResult) {}
}

/// What the cache of verified tokens had to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheResult {
    /// The token was verified before, and is still as good.
    Hit,
    /// It was verified before, but something has changed since.
    Stale,
    /// It was not, or not lately.
    Miss,
}

/// The stages of a decision, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Host, path and method lead to a route.
    Route,
    /// The credential is one that a plan asks for.
    Credential,
    /// The token is verified.
    Token,
    /// The caller is identified.
    Identity,
    /// A subscription is in force, or none is needed.
    Subscription,
    /// The route's demands are met.
    Authorization,
}

impl Observer for () {}
