//! The answer contract: a status, a stable code, a sentence, and what RFC 6750, 7235 and 9110 want beside them.
//!
//! Codes are part of the product's contract with callers and dashboards: they are never renamed. One row of
//! `docs/denials.md` describes each; the page is generated from here.

use std::fmt::Write as _;

use crate::credential::{Source, SourceKind};

/// The stable codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(
    missing_docs,
    reason = "each is described by `describe`, from which docs/denials.md is generated"
)]
pub enum Code {
    BadRequest,
    RequestTimeout,
    BodyTooLarge,
    TargetTooLong,
    FieldsTooLarge,
    MethodRefused,
    RouteNotFound,
    MethodNotAllowed,
    InvalidRequest,
    MissingCredentials,
    InvalidToken,
    InvalidApiKey,
    InsufficientScope,
    ClaimRequired,
    AudienceRequired,
    PlanNotSelected,
    ResourceForbidden,
    SubscriptionNotFound,
    SubscriptionPending,
    SubscriptionPaused,
    SubscriptionClosed,
    SubscriptionRejected,
    SubscriptionNotStarted,
    SubscriptionEnded,
    ApplicationSuspended,
    ApplicationAmbiguous,
    RateLimited,
    QuotaExceeded,
    ConcurrencyExceeded,
    KeysUnavailable,
    RevocationsUnavailable,
    IntrospectionUnavailable,
    VerificationOverloaded,
    UpstreamError,
    UpstreamUnavailable,
    UpstreamTimeout,
    InternalError,
}

/// How a refusal looks from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<'a> {
    /// The code; it decides the status.
    pub code: Code,
    /// `WWW-Authenticate` (RFC 9110 section 11.6.1).
    pub challenge: Option<Challenge<'a>>,
    /// `Allow` (RFC 9110 section 10.2.1).
    pub allow: Option<&'a str>,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u32>,
}

/// A challenge of the Bearer scheme (RFC 6750 section 3), or of one for API keys, which has no registered name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Challenge<'a> {
    /// Nothing was presented: no error code (RFC 6750 section 3.1).
    Missing {
        /// The API's name.
        realm: &'a str,
        /// A bearer token would help.
        bearer: bool,
        /// Where an API key would help.
        keys: Vec<&'a Source>,
    },
    /// The API key is not acceptable; why is not said.
    InvalidApiKey {
        /// The API's name.
        realm: &'a str,
        /// Where keys are looked for.
        keys: Vec<&'a Source>,
    },
    /// The request is malformed.
    InvalidRequest,
    /// The token is not acceptable; a sentence from a fixed list.
    InvalidToken(&'static str),
    /// The token does not go far enough.
    InsufficientScope {
        /// What is needed.
        scope: &'a str,
    },
    /// The token does not go far enough, for another reason than its scopes.
    Insufficient,
}

// === impl Answer ===

impl<'a> Answer<'a> {
    /// Just a code.
    pub const fn new(code: Code) -> Self {
        Self {
            code,
            challenge: None,
            allow: None,
            retry_after: None,
        }
    }

    pub(super) fn challenge(mut self, challenge: Challenge<'a>) -> Self {
        self.challenge = Some(challenge);
        self
    }

    pub(super) fn allow(mut self, allow: &'a str) -> Self {
        self.allow = Some(allow);
        self
    }

    /// Come back after this many seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}

// === impl Challenge ===

impl Challenge<'_> {
    /// The field's value. Realms are names, scopes are scope tokens, descriptions are ours: none needs escaping.
    pub fn value(&self) -> String {
        match self {
            Challenge::Missing { realm, bearer, keys } => {
                let bearer = bearer.then(|| format!("Bearer realm=\"{realm}\""));
                let all: Vec<String> = bearer.into_iter().chain(of_keys(realm, keys)).collect();
                all.join(", ")
            }
            Challenge::InvalidApiKey { realm, keys } => of_keys(realm, keys).collect::<Vec<_>>().join(", "),
            Challenge::InvalidRequest => "Bearer error=\"invalid_request\"".to_owned(),
            Challenge::InvalidToken(description) => {
                format!("Bearer error=\"invalid_token\", error_description=\"{description}\"")
            }
            Challenge::InsufficientScope { scope } => {
                format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"")
            }
            Challenge::Insufficient => "Bearer error=\"insufficient_scope\"".to_owned(),
        }
    }
}

/// One challenge for each header that may hold a key.
fn of_keys(realm: &str, keys: &[&Source]) -> impl Iterator<Item = String> {
    let headers = keys.iter().filter(|source| source.kind() == SourceKind::Header);
    headers.map(move |source| {
        format!(
            "ApiKey realm=\"{realm}\", header=\"{}\"",
            field_name(source.name())
        )
    })
}

/// A field's name as people write it: `X-Api-Key`.
fn field_name(lower: &str) -> String {
    let words = lower.split('-').map(|word| {
        let mut chars = word.chars();
        let first = chars.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(chars).collect::<String>()
    });
    words.collect::<Vec<_>>().join("-")
}

// === impl Code ===

impl Code {
    /// Every code there is.
    pub const ALL: [Self; 37] = [
        Self::BadRequest,
        Self::RequestTimeout,
        Self::BodyTooLarge,
        Self::TargetTooLong,
        Self::FieldsTooLarge,
        Self::MethodRefused,
        Self::RouteNotFound,
        Self::MethodNotAllowed,
        Self::InvalidRequest,
        Self::MissingCredentials,
        Self::InvalidToken,
        Self::InvalidApiKey,
        Self::InsufficientScope,
        Self::ClaimRequired,
        Self::AudienceRequired,
        Self::PlanNotSelected,
        Self::ResourceForbidden,
        Self::SubscriptionNotFound,
        Self::SubscriptionPending,
        Self::SubscriptionPaused,
        Self::SubscriptionClosed,
        Self::SubscriptionRejected,
        Self::SubscriptionNotStarted,
        Self::SubscriptionEnded,
        Self::ApplicationSuspended,
        Self::ApplicationAmbiguous,
        Self::RateLimited,
        Self::QuotaExceeded,
        Self::ConcurrencyExceeded,
        Self::KeysUnavailable,
        Self::RevocationsUnavailable,
        Self::IntrospectionUnavailable,
        Self::VerificationOverloaded,
        Self::UpstreamError,
        Self::UpstreamUnavailable,
        Self::UpstreamTimeout,
        Self::InternalError,
    ];

    /// The word in bodies, logs and metrics.
    pub const fn word(self) -> &'static str {
        self.describe().1
    }

    /// The HTTP status.
    pub const fn status(self) -> u16 {
        self.describe().0
    }

    /// The status for callers who speak gRPC. Where our meaning is the same as HTTP's, it follows the table in gRPC's
    /// `http-grpc-status-mapping.md`; where gRPC has a better word for what has happened, it is that one.
    pub const fn grpc_status(self) -> u8 {
        match (self, self.status()) {
            // How the credential is presented is wrong, not an argument: UNAUTHENTICATED.
            (Self::InvalidRequest, _) | (_, 401) => 16,
            // PERMISSION_DENIED
            (_, 403) => 7,
            // NOT_FOUND
            (_, 404) => 5,
            // UNIMPLEMENTED
            (_, 405) => 12,
            // DEADLINE_EXCEEDED
            (_, 408) => 4,
            // RESOURCE_EXHAUSTED
            (_, 413 | 414 | 429 | 431) => 8,
            // UNAVAILABLE
            (_, 502..=504) => 14,
            // INTERNAL
            _ => 13,
        }
    }

    /// What a caller reads.
    pub const fn detail(self) -> &'static str {
        self.describe().2
    }

    /// Status, word, and the sentence for callers.
    const fn describe(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::BadRequest => (400, "bad_request", "The request is malformed."),
            Self::RequestTimeout => (408, "request_timeout", "The request did not arrive in time."),
            Self::BodyTooLarge => (413, "body_too_large", "The request body is too large."),
            Self::TargetTooLong => (414, "target_too_long", "The request target is too long."),
            Self::FieldsTooLarge => (
                431,
                "fields_too_large",
                "The request header fields are too many or too large.",
            ),
            Self::MethodRefused => (405, "method_refused", "TRACE and CONNECT are not served."),
            Self::RouteNotFound => (404, "route_not_found", "There is nothing here."),
            Self::MethodNotAllowed => (405, "method_not_allowed", "The method is not allowed here."),
            Self::InvalidRequest => (
                400,
                "invalid_request",
                "The credentials are not presented in a valid way.",
            ),
            Self::MissingCredentials => (401, "missing_credentials", "This API needs credentials."),
            Self::InvalidToken => (401, "invalid_token", "The token is not acceptable."),
            Self::InvalidApiKey => (401, "invalid_api_key", "The API key is not acceptable."),
            Self::InsufficientScope => (403, "insufficient_scope", "The token's scopes do not suffice."),
            Self::ClaimRequired => (
                403,
                "claim_required",
                "The token lacks a claim that is required here.",
            ),
            Self::AudienceRequired => (403, "audience_required", "The token is not meant for this route."),
            Self::PlanNotSelected => (
                403,
                "plan_not_selected",
                "No plan of this API is for this request.",
            ),
            Self::ResourceForbidden => (
                403,
                "resource_forbidden",
                "The plan does not include this resource.",
            ),
            Self::SubscriptionNotFound => (
                403,
                "subscription_not_found",
                "The application has no subscription to a plan of this API.",
            ),
            Self::SubscriptionPending => (
                403,
                "subscription_pending",
                "The subscription is not approved yet.",
            ),
            Self::SubscriptionPaused => (403, "subscription_paused", "The subscription is paused."),
            Self::SubscriptionClosed => (403, "subscription_closed", "The subscription is closed."),
            Self::SubscriptionRejected => (403, "subscription_rejected", "The subscription was rejected."),
            Self::SubscriptionNotStarted => {
                (403, "subscription_not_started", "The subscription has not begun.")
            }
            Self::SubscriptionEnded => (403, "subscription_ended", "The subscription has ended."),
            Self::ApplicationSuspended => (403, "application_suspended", "The application is suspended."),
            Self::ApplicationAmbiguous => (
                403,
                "application_ambiguous",
                "The token stands for more than one application.",
            ),
            Self::RateLimited => (429, "rate_limited", "Too many requests in a short time."),
            Self::QuotaExceeded => (429, "quota_exceeded", "The quota of this period is used up."),
            Self::ConcurrencyExceeded => (
                429,
                "concurrency_exceeded",
                "Too many requests are being answered at this moment.",
            ),
            Self::KeysUnavailable => (
                503,
                "keys_unavailable",
                "Tokens of this issuer cannot be verified at the moment.",
            ),
            Self::RevocationsUnavailable => (
                503,
                "revocations_unavailable",
                "Whether tokens of this issuer are revoked cannot be told at the moment.",
            ),
            Self::IntrospectionUnavailable => (
                503,
                "introspection_unavailable",
                "The token's issuer cannot be asked about it at the moment.",
            ),
            Self::VerificationOverloaded => (
                503,
                "verification_overloaded",
                "Tokens that were not verified before cannot be verified at the moment.",
            ),
            Self::UpstreamError => (502, "upstream_error", "The upstream did not give a valid answer."),
            Self::UpstreamUnavailable => (503, "upstream_unavailable", "No upstream can be reached."),
            Self::UpstreamTimeout => (504, "upstream_timeout", "The upstream did not answer in time."),
            Self::InternalError => (500, "internal_error", "The gateway failed."),
        }
    }

    /// The status in words (RFC 9110 section 15), the problem's `title`.
    pub const fn title(self) -> &'static str {
        match self.status() {
            400 => "Bad Request",
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "Not Found",
            405 => "Method Not Allowed",
            408 => "Request Timeout",
            413 => "Content Too Large",
            414 => "URI Too Long",
            429 => "Too Many Requests",
            431 => "Request Header Fields Too Large",
            502 => "Bad Gateway",
            503 => "Service Unavailable",
            504 => "Gateway Timeout",
            _ => "Internal Server Error",
        }
    }
}

/// The table of `docs/denials.md`.
pub fn describe() -> String {
    let mut page = String::from("| status | gRPC | code | detail |\n| --- | --- | --- | --- |\n");
    for code in Code::ALL {
        // Writing to a String does not fail.
        let _ = writeln!(
            page,
            "| {} | {} | `{}` | {} |",
            code.status(),
            code.grpc_status(),
            code.word(),
            code.detail()
        );
    }
    page
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_distinct_words_with_a_title() {
        let words: HashSet<_> = Code::ALL.iter().map(|code| code.word()).collect();
        assert_eq!(words.len(), Code::ALL.len());
        for code in Code::ALL {
            assert_eq!(
                code.title() == "Internal Server Error",
                code.status() == 500,
                "{code:?}"
            );
        }
    }
}
