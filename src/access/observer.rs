//! Who watches a decision. The decision itself measures nothing and tells nobody; an edge that wants to know how long
//! the signature check took, or which stages a request passed, looks on through this.

use std::sync::Arc;

use super::revoked::RevokedBy;
use super::{RequestView, Verdict};
use crate::api::{Api, Plan, Route};
use crate::credential::Credential;
use crate::issuer::{Answer, Issuer};
use crate::limit::Standing;
use crate::revocation;
use crate::subscription::{ApiKey, Application, Subscription, SubscriptionError};
use crate::token::Probe;

/// Looks on. Every method does nothing unless overridden, and the compiler removes what does nothing.
pub trait Observer: Probe {
    /// A stage is passed.
    fn stage(&mut self, _stage: Stage) {}
    /// The issuer whose rules the token is held against.
    fn issuer(&mut self, _issuer: &Issuer) {}
    /// Whether the token was verified before.
    fn cache(&mut self, _result: CacheResult) {}
    /// Something was found on the way.
    fn found(&mut self, _fact: Fact<'_>) {}
}

/// What a decision finds on its way, for whoever explains it. It is lent: an observer that does nothing costs nothing.
#[derive(Debug, Clone, Copy)]
pub enum Fact<'f> {
    /// What came: it is acceptable HTTP.
    Request(&'f RequestView<'f>),
    /// What is asked for.
    Route {
        /// The API.
        api: &'f Arc<Api>,
        /// Its route.
        route: &'f Arc<Route>,
    },
    /// What the request carries.
    Credential(&'f Credential<'f>),
    /// What an issuer that is asked about the token has said of it.
    Answer {
        /// The issuer.
        issuer: &'f Arc<Issuer>,
        /// What it said; nothing if it was not asked lately.
        answer: Option<&'f Answer>,
    },
    /// Who is calling.
    Caller(&'f Arc<Verdict>),
    /// The API key that the caller has.
    ApiKey(&'f Arc<ApiKey>),
    /// The application that the token stands for or the key belongs to, if any.
    Application(Option<&'f Arc<Application>>),
    /// What there is between the application and a plan, in force or not.
    Subscription(&'f Arc<Subscription>),
    /// A plan was considered, in the order written. What was found of a subscription to it was told before.
    Plan {
        /// The plan.
        plan: &'f Arc<Plan>,
        /// What it says to the caller.
        outcome: PlanOutcome,
    },
    /// How a limit stands, where nothing is taken ([`super::Counting::Asks`]).
    Limit(&'f Standing),
    /// The token was taken back, by this entry.
    Revoked(revocation::Found, RevokedBy),
}

/// What a plan says to a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlanOutcome {
    /// The token is not for one of its audiences.
    OtherAudience,
    /// It does not look where the token was.
    OtherPlace,
    /// It is not for this request: its selection rule does not hold.
    NotSelected,
    /// It is closed, and the caller had a subscription to it.
    Closed,
    /// There is no agreement in force.
    Refused(SubscriptionError),
    /// The caller may call under it.
    Agreed,
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
    /// The API key is good, for a plan of this API.
    ApiKey,
    /// The caller is identified.
    Identity,
    /// A subscription is in force, or none is needed.
    Subscription,
    /// The route's demands are met.
    Authorization,
    /// No limit is exceeded.
    Limits,
}

impl Observer for () {}

// === impl PlanOutcome ===

impl PlanOutcome {
    pub(super) const fn of<T>(agreed: &Result<T, SubscriptionError>) -> Self {
        match agreed {
            Ok(_) => Self::Agreed,
            Err(error) => Self::Refused(*error),
        }
    }
}
