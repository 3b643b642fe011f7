//! Why a request may not pass, and how that looks from outside.
//!
//! Causes are facts about the request, one closed enum. What the caller is told follows from the cause in one exhaustive
//! match, so a new cause cannot come without its answer; the precise reason is for the operator.

use std::sync::Arc;

use super::answer::{Answer, Challenge, Code};
use super::{Caller, LimitClaimError};
use crate::api::{Api, HeaderError, Plan, Route};
use crate::authorization::{AuthorizationError, ResourceError};
use crate::credential::CredentialError;
use crate::id::{ApplicationId, IssuerName};
use crate::identity::{Identity, IdentityError};
use crate::issuer::{Inquiry, Issuer};
use crate::limit::{Bucket, Exceeded, LimitKind, Overdrawn};
use crate::route::{HostError, PathError};
use crate::subscription::{ApiKeyError, SubscriptionError};
use crate::time::UnixTime;
use crate::token::TokenError;

/// A refusal, with what was known when it was made.
#[derive(Debug)]
pub struct Denial {
    /// Why.
    pub cause: Cause,
    /// The API, if one was found.
    pub api: Option<Arc<Api>>,
    /// The plan, if the caller's was found.
    pub plan: Option<Arc<Plan>>,
    /// The issuer against whose rules the token was held.
    pub issuer: Option<IssuerName>,
    /// Who is calling, if proven.
    pub identity: Option<Arc<Identity>>,
    /// The application, if known.
    pub application: Option<ApplicationId>,
    /// When it was made, where plans on offer are named.
    when: Option<UnixTime>,
}

/// Everything that a request can be refused for.
#[derive(Debug)]
pub enum Cause {
    /// The HTTP itself is not acceptable.
    Request(RequestError),
    /// No such route, or an API without a plan on offer.
    RouteNotFound,
    /// The path exists, the method does not.
    MethodNotAllowed {
        /// The methods that do.
        allow: Box<str>,
    },
    /// The credential is missing or malformed.
    Credential(CredentialError),
    /// The token is not acceptable.
    Token(TokenError),
    /// The API key is not acceptable.
    ApiKey(ApiKeyError),
    /// The issuer's keys are not here: nothing can be said about the token.
    KeysUnavailable,
    /// The issuer must be asked about the token, and has not answered: nothing is said about it.
    IntrospectionUnavailable(Arc<Inquiry>),
    /// Nothing is left for the check of a token that was never seen: nothing is said about it.
    VerificationOverloaded(Overdrawn),
    /// The token was taken back before its time.
    Revoked,
    /// The issuer's list of what it has taken back is not here, and must be: nothing is said about the token.
    RevocationsUnavailable,
    /// The claims do not make an identity.
    Identity(IdentityError),
    /// No subscription in force.
    Subscription(SubscriptionError),
    /// No plan's selection rule holds for the request.
    PlanNotSelected,
    /// The plan does not let its callers reach this.
    Resource(ResourceError),
    /// The plan or the route demands more.
    Authorization {
        /// What is lacking.
        error: AuthorizationError,
        /// The route.
        route: Arc<Route>,
    },
    /// The caller's claims cannot be told to the upstream.
    Header(HeaderError),
    /// A claim that a limit asks cannot be counted by.
    LimitClaim(LimitClaimError),
    /// A limit is exceeded.
    Limit(Exceeded),
}

/// What can be wrong with the HTTP of a request before anything is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestError {
    /// The path (RFC 3986).
    Path(PathError),
    /// The authority (RFC 9110 section 7.2).
    Host(HostError),
    /// No `Host` in HTTP/1.1, or several.
    HostCount,
    /// The path is no UTF-8.
    PathEncoding,
    /// TRACE or CONNECT.
    Method,
    /// Path and query are too long.
    TargetTooLong,
    /// Too many header fields, or too large.
    FieldsTooLarge,
    /// The body is too large.
    BodyTooLarge,
    /// `Content-Length` is no number, or there are several.
    ContentLength,
    /// `Transfer-Encoding` is anything but `chunked`, once.
    TransferEncoding,
}

// === impl Denial ===

impl Denial {
    /// How many reasons there are to refuse a token.
    pub const REJECTIONS: usize =
        TokenError::ALL.len() + IdentityError::ALL.len() + HeaderError::ALL.len() + 2;

    /// A denial of which nothing but the cause is known yet.
    pub fn new(cause: Cause) -> Box<Self> {
        Box::new(Self {
            cause,
            api: None,
            plan: None,
            issuer: None,
            identity: None,
            application: None,
            when: None,
        })
    }

    /// The API is known.
    pub(super) fn at(mut self: Box<Self>, api: &Arc<Api>) -> Box<Self> {
        self.api = Some(Arc::clone(api));
        self
    }

    /// The time is known, and with it which plans are on offer.
    pub(super) fn when(mut self: Box<Self>, now: UnixTime) -> Box<Self> {
        self.when = Some(now);
        self
    }

    /// The issuer is known.
    pub(super) fn by(mut self: Box<Self>, issuer: &Issuer) -> Box<Self> {
        self.issuer = Some(issuer.name.clone());
        self
    }

    /// The plan and the caller are known.
    pub(super) fn known(mut self: Box<Self>, plan: &Arc<Plan>, caller: Option<&Caller>) -> Box<Self> {
        self.plan = Some(Arc::clone(plan));
        if let Some(caller) = caller {
            self.issuer = caller.verdict().map(|verdict| verdict.issuer().clone());
            self.identity = caller.identity().map(Arc::clone);
            self.application = caller
                .application
                .as_ref()
                .map(|application| application.id.clone());
        }
        self
    }

    /// How it looks from outside.
    pub fn answer(&self) -> Answer<'_> {
        let realm = self.api.as_ref().map_or("tollgate", |api| api.name.as_str());
        let plans = || self.api.as_ref().map(|api| &api.plans).zip(self.when);
        let keys = || plans().map_or_else(Vec::new, |(plans, now)| plans.key_sources(now).collect());
        // Of an API that is not known nothing is said but what a token would have to be.
        let bearer = || plans().is_none_or(|(plans, now)| plans.take_bearer(now));
        match &self.cause {
            Cause::Request(error) => Answer::new(error.code()),
            Cause::RouteNotFound => Answer::new(Code::RouteNotFound),
            Cause::MethodNotAllowed { allow } => Answer::new(Code::MethodNotAllowed).allow(allow),
            Cause::Credential(CredentialError::Missing) => {
                Answer::new(Code::MissingCredentials).challenge(Challenge::Missing {
                    realm,
                    bearer: bearer(),
                    keys: keys(),
                })
            }
            Cause::Credential(CredentialError::NotAccepted) => Answer::new(Code::InvalidToken).challenge(
                Challenge::InvalidToken("No plan of this API takes a bearer token"),
            ),
            Cause::Credential(CredentialError::SourceNotAccepted) => Answer::new(Code::InvalidToken)
                .challenge(Challenge::InvalidToken(
                    "No plan of this API takes the token from where it was",
                )),
            Cause::Credential(CredentialError::Several | CredentialError::Malformed) => {
                Answer::new(Code::InvalidRequest).challenge(Challenge::InvalidRequest)
            }
            Cause::ApiKey(_) => {
                Answer::new(Code::InvalidApiKey).challenge(Challenge::InvalidApiKey { realm, keys: keys() })
            }
            Cause::Token(error) => {
                Answer::new(Code::InvalidToken).challenge(Challenge::InvalidToken(error.description()))
            }
            Cause::Revoked => {
                Answer::new(Code::InvalidToken).challenge(Challenge::InvalidToken("The token is revoked"))
            }
            Cause::RevocationsUnavailable => {
                Answer::new(Code::RevocationsUnavailable).retry_after(KEYS_RETRY_SECONDS)
            }
            Cause::Identity(_) | Cause::Header(_) => Answer::new(Code::InvalidToken)
                .challenge(Challenge::InvalidToken("The token's claims are not acceptable")),
            // 503, not 401: a client throws its tokens away on 401, and these may be good.
            Cause::KeysUnavailable => Answer::new(Code::KeysUnavailable).retry_after(KEYS_RETRY_SECONDS),
            Cause::IntrospectionUnavailable(_) => {
                Answer::new(Code::IntrospectionUnavailable).retry_after(INTROSPECTION_RETRY_SECONDS)
            }
            // Not 401 either: most of those who are met by a budget that others have spent have good tokens.
            Cause::VerificationOverloaded(overdrawn) => {
                Answer::new(Code::VerificationOverloaded).retry_after(overdrawn.retry_after_seconds())
            }
            Cause::Subscription(error) => Answer::new(subscription_code(*error)),
            Cause::Authorization {
                error: AuthorizationError::InsufficientScope,
                route,
            } => {
                let scope = route.requirements.scopes.text();
                Answer::new(Code::InsufficientScope).challenge(Challenge::InsufficientScope { scope })
            }
            // The token is good and does not go far enough; of what it lacks nothing is said.
            Cause::Authorization {
                error: AuthorizationError::ClaimRequired,
                route: _,
            } => Answer::new(Code::ClaimRequired).challenge(Challenge::Insufficient),
            Cause::Authorization {
                error: AuthorizationError::AudienceRequired,
                route: _,
            } => Answer::new(Code::AudienceRequired).challenge(Challenge::Insufficient),
            Cause::LimitClaim(_) => Answer::new(Code::ClaimRequired).challenge(Challenge::Insufficient),
            Cause::Limit(exceeded) => {
                let wait = u32::try_from(exceeded.retry_after_seconds()).unwrap_or(u32::MAX);
                Answer::new(limit_code(exceeded.kind)).retry_after(wait)
            }
            Cause::PlanNotSelected => Answer::new(Code::PlanNotSelected),
            Cause::Resource(ResourceError::Forbidden) => Answer::new(Code::ResourceForbidden),
            Cause::Resource(ResourceError::Method { allow }) => {
                Answer::new(Code::MethodNotAllowed).allow(allow)
            }
        }
    }

    /// The precise reason: a word of a closed set, for logs, metrics and verbose errors.
    pub const fn reason(&self) -> &'static str {
        match &self.cause {
            Cause::Request(error) => error.reason(),
            Cause::Credential(error) => error.reason(),
            Cause::Token(error) => error.reason(),
            Cause::ApiKey(error) => error.reason(),
            Cause::Identity(error) => error.reason(),
            Cause::Header(error) => error.reason(),
            Cause::RouteNotFound => Code::RouteNotFound.word(),
            Cause::MethodNotAllowed { .. } => Code::MethodNotAllowed.word(),
            Cause::KeysUnavailable => Code::KeysUnavailable.word(),
            Cause::Revoked => "revoked",
            Cause::RevocationsUnavailable => Code::RevocationsUnavailable.word(),
            Cause::IntrospectionUnavailable(_) => Code::IntrospectionUnavailable.word(),
            Cause::VerificationOverloaded(overdrawn) => match overdrawn.bucket {
                Bucket::Issuer => "issuer_budget_spent",
                Bucket::Source => "source_budget_spent",
            },
            Cause::LimitClaim(error) => error.reason(),
            Cause::Limit(exceeded) => match exceeded.kind {
                LimitKind::Rate => "rate_exceeded",
                LimitKind::SpikeArrest => "spike_arrested",
                LimitKind::Quota => Code::QuotaExceeded.word(),
                LimitKind::Bandwidth => "bandwidth_exceeded",
                LimitKind::Concurrency => Code::ConcurrencyExceeded.word(),
            },
            Cause::Subscription(error) => subscription_code(*error).word(),
            Cause::PlanNotSelected => Code::PlanNotSelected.word(),
            Cause::Resource(ResourceError::Forbidden) => Code::ResourceForbidden.word(),
            Cause::Resource(ResourceError::Method { .. }) => "resource_method_not_allowed",
            Cause::Authorization { error, .. } => match error {
                AuthorizationError::InsufficientScope => Code::InsufficientScope.word(),
                AuthorizationError::ClaimRequired => Code::ClaimRequired.word(),
                AuthorizationError::AudienceRequired => Code::AudienceRequired.word(),
            },
        }
    }

    /// The plan under which the caller was refused something; not one that did not take the caller.
    pub fn under(&self) -> Option<&Arc<Plan>> {
        match self.cause {
            Cause::Subscription(_) => None,
            _ => self.plan.as_ref(),
        }
    }

    /// The issuer that may have published the token's key in the meantime. The denial stands unless it has; whoever can
    /// wait may ask it and decide again.
    pub fn unless_keys_come(&self) -> Option<&IssuerName> {
        match self.cause {
            Cause::Token(TokenError::KeyUnknown) => self.issuer.as_ref(),
            _ => None,
        }
    }

    /// What the issuer must be asked before the request can be decided. The denial stands unless it answers; whoever can
    /// wait may ask it and decide again.
    pub const fn unless_answered(&self) -> Option<&Arc<Inquiry>> {
        match &self.cause {
            Cause::IntrospectionUnavailable(inquiry) => Some(inquiry),
            _ => None,
        }
    }

    /// Where the reason stands among [`Self::REJECTIONS`], if it is the token that was refused: for the count of
    /// rejections by issuer and reason.
    pub const fn rejection(&self) -> Option<usize> {
        match self.cause {
            Cause::Token(error) => Some(error as usize),
            Cause::Identity(error) => Some(TokenError::ALL.len() + error as usize),
            Cause::Header(error) => Some(TokenError::ALL.len() + IdentityError::ALL.len() + error as usize),
            Cause::Credential(CredentialError::SourceNotAccepted) => Some(Self::REJECTIONS - 2),
            Cause::Revoked => Some(Self::REJECTIONS - 1),
            _ => None,
        }
    }
}

/// What a caller does while keys, or a list of revocations, are on their way: come back soon.
const KEYS_RETRY_SECONDS: u32 = 5;

/// The same while an issuer does not answer.
const INTROSPECTION_RETRY_SECONDS: u32 = 2;

/// The code for a caller who is beyond a limit.
const fn limit_code(kind: LimitKind) -> Code {
    match kind {
        LimitKind::Rate | LimitKind::SpikeArrest => Code::RateLimited,
        LimitKind::Quota | LimitKind::Bandwidth => Code::QuotaExceeded,
        LimitKind::Concurrency => Code::ConcurrencyExceeded,
    }
}

/// The code for a caller who has no subscription in force.
pub const fn subscription_code(error: SubscriptionError) -> Code {
    match error {
        SubscriptionError::NotFound => Code::SubscriptionNotFound,
        SubscriptionError::Pending => Code::SubscriptionPending,
        SubscriptionError::Paused => Code::SubscriptionPaused,
        SubscriptionError::Closed => Code::SubscriptionClosed,
        SubscriptionError::Rejected => Code::SubscriptionRejected,
        SubscriptionError::NotStarted => Code::SubscriptionNotStarted,
        SubscriptionError::Ended => Code::SubscriptionEnded,
        SubscriptionError::ApplicationSuspended => Code::ApplicationSuspended,
        SubscriptionError::ApplicationAmbiguous => Code::ApplicationAmbiguous,
    }
}

// === impl RequestError ===

impl RequestError {
    /// The code for callers.
    pub const fn code(self) -> Code {
        match self {
            Self::Path(_)
            | Self::Host(_)
            | Self::HostCount
            | Self::PathEncoding
            | Self::ContentLength
            | Self::TransferEncoding => Code::BadRequest,
            Self::Method => Code::MethodRefused,
            Self::TargetTooLong => Code::TargetTooLong,
            Self::FieldsTooLarge => Code::FieldsTooLarge,
            Self::BodyTooLarge => Code::BodyTooLarge,
        }
    }

    /// The stable word for logs.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Path(error) => error.reason(),
            Self::Host(_) => "host_malformed",
            Self::HostCount => "host_missing_or_doubled",
            Self::PathEncoding => "path_not_utf8",
            Self::Method => "method_refused",
            Self::TargetTooLong => "target_too_long",
            Self::FieldsTooLarge => "fields_too_large",
            Self::BodyTooLarge => "body_too_large",
            Self::ContentLength => "content_length_malformed",
            Self::TransferEncoding => "transfer_encoding_refused",
        }
    }
}
