//! An API: what is published, under which plans, by which routes. Nothing in it can be wrong: whoever compiles a
//! snapshot has seen to it that issuers exist, audiences are named and upstreams have peers.

mod headers;
mod life;
mod limits;
mod plans;

use std::sync::Arc;

pub use headers::{
    ClaimHeader, ClaimHeaders, HeaderEncoding, HeaderError, RenderedHeaders, canonical_header,
};
pub use life::{Life, Schedule, Stage, StageError, Stages};
pub use limits::{Limited, Part};
pub use plans::{Accepted, OfferedPlan, Plans, Terms};

use crate::authorization::{RequiredClaim, Requirements, Resources};
use crate::credential::Source;
use crate::id::{ApiName, PlanId, PlanName};
use crate::predicate::Predicate;
use crate::time::UnixTime;
use crate::upstream::Upstream;

/// What is published.
#[derive(Debug)]
pub struct Api {
    /// Its name.
    pub name: ApiName,
    /// Its place among the APIs of the snapshot, for what is kept beside a snapshot (meters).
    pub index: usize,
    /// Its plans, on offer or not.
    pub plans: Plans,
    /// Claims that go upstream as headers.
    pub claim_headers: ClaimHeaders,
    /// Where it is published; no slash at the end, empty for the root.
    pub context_path: Box<str>,
    /// The path goes upstream without the context path.
    pub strip_context_path: bool,
    /// The credential goes upstream as it came, wherever it was.
    pub forward_credential: bool,
    /// The longest request body, in bytes.
    pub body_bytes_max: u64,
    /// What all callers together may use.
    pub limits: Option<Limited>,
}

/// Where a request goes, and what it must be able to show.
#[derive(Debug)]
pub struct Route {
    /// Its place among the routes of its API, as written; nothing if the API lists none and all that is below its
    /// context path is let through to its plans.
    pub index: Option<usize>,
    /// Its place among all routes of the snapshot.
    pub place: usize,
    /// Where it goes.
    pub upstream: Arc<Upstream>,
    /// What it must show.
    pub requirements: Requirements,
    /// What all callers together may use.
    pub limits: Option<Limited>,
}

/// The terms under which an API may be called.
#[derive(Debug)]
pub struct Plan {
    /// Its id in all of the configuration.
    pub id: PlanId,
    /// Its name in its API.
    pub name: PlanName,
    /// Its place among the plans of the snapshot, for what is kept beside a snapshot (meters).
    pub index: usize,
    /// Where it is in its life.
    pub life: Life,
    /// The kind of credential it asks for.
    pub security: Security,
    /// Callers need a subscription.
    pub subscription_required: bool,
    /// Where tokens may be besides `Authorization`; for API keys, where they are.
    pub sources: Vec<Source>,
    /// Which requests it is for; `None`: every one.
    pub selection_rule: Option<Predicate>,
    /// What it lets callers reach.
    pub resources: Resources,
    /// Claims that its callers must have, each of them.
    pub claims: Vec<RequiredClaim>,
    /// What each of its callers may use.
    pub limits: Box<[Part]>,
}

/// The kind of credential that a plan asks for, in the order of preference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Security {
    /// A bearer token that is a signed JWT.
    Jwt,
    /// A bearer token that its issuer is asked about.
    OAuth2,
    /// An API key.
    ApiKey,
    /// None.
    Keyless,
}

// === impl Plan ===

impl Plan {
    /// Whether callers may use it at `now`.
    pub fn is_on_offer(&self, now: UnixTime) -> bool {
        self.life.at(now).is_on_offer()
    }

    /// Whether the plan looks for tokens there; nothing stands for `Authorization`, where every plan looks.
    pub fn looks_in(&self, source: Option<&Source>) -> bool {
        source.is_none_or(|source| self.sources.contains(source))
    }
}

// === impl Security ===

impl Security {
    /// Every kind there is.
    pub const ALL: [Self; 4] = [Self::Jwt, Self::OAuth2, Self::ApiKey, Self::Keyless];

    /// Whether callers show a bearer token.
    pub const fn takes_bearer(self) -> bool {
        matches!(self, Self::Jwt | Self::OAuth2)
    }

    /// The word for configuration, logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jwt => "jwt",
            Self::OAuth2 => "oauth2",
            Self::ApiKey => "api_key",
            Self::Keyless => "keyless",
        }
    }
}
