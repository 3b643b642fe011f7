//! What the token service says when it gives out nothing: the error codes of RFC 6749 section 5.2 where it has one, and a
//! word of our own where it has none. Descriptions come from a fixed list: nothing that a client has sent is repeated.

use std::time::Duration;

/// Why there is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The request lacks something, has something twice, or contradicts itself.
    InvalidRequest(&'static str),
    /// Who asks could not be verified. Not who it might be, nor what was wrong.
    InvalidClient,
    /// Whoever asks may not.
    UnauthorizedClient(&'static str),
    /// There is no such grant here.
    UnsupportedGrantType,
    /// A scope that the application may not have, or none at all.
    InvalidScope,
    /// The request stands for more than one application, and does not say which.
    ApplicationAmbiguous,
    /// A claim that a client may not bring.
    ClaimRefused(&'static str),
    /// Too many wrong secrets from there, or for this client.
    TooManyAttempts(Duration),
    /// Too many wait already.
    Busy,
    /// No key signs at present, or the library failed.
    NoKey,
    /// This part of the token service is not configured.
    NotConfigured(&'static str),
}

// === impl Refusal ===

impl Refusal {
    /// The word for it: RFC 6749 section 5.2, or ours.
    pub const fn error(self) -> &'static str {
        match self {
            Self::InvalidRequest(_) => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::UnauthorizedClient(_) => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
            Self::ApplicationAmbiguous => "application_ambiguous",
            Self::ClaimRefused(_) => "invalid_claims",
            Self::TooManyAttempts(_) => "too_many_attempts",
            Self::Busy | Self::NoKey => "temporarily_unavailable",
            Self::NotConfigured(_) => "not_configured",
        }
    }

    /// The HTTP status.
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidRequest(_)
            | Self::UnauthorizedClient(_)
            | Self::UnsupportedGrantType
            | Self::InvalidScope
            | Self::ApplicationAmbiguous
            | Self::ClaimRefused(_) => 400,
            Self::InvalidClient => 401,
            Self::NotConfigured(_) => 404,
            Self::TooManyAttempts(_) => 429,
            Self::Busy | Self::NoKey => 503,
        }
    }

    /// A sentence for whoever writes the client.
    pub const fn description(self) -> &'static str {
        match self {
            Self::InvalidRequest(what)
            | Self::UnauthorizedClient(what)
            | Self::ClaimRefused(what)
            | Self::NotConfigured(what) => what,
            Self::InvalidClient => "the client could not be authenticated",
            Self::UnsupportedGrantType => "the only grant type here is client_credentials",
            Self::InvalidScope => "a scope is malformed, or not one that the application may have",
            Self::ApplicationAmbiguous => {
                "the request stands for more than one application; name one with app_id"
            }
            Self::TooManyAttempts(_) => "too many failed attempts; wait",
            Self::Busy => "too many requests wait already; try again",
            Self::NoKey => "no key signs at present",
        }
    }

    /// When to come again, in whole seconds.
    pub fn retry_after_seconds(self) -> Option<u64> {
        match self {
            Self::TooManyAttempts(wait) => Some(
                wait.as_millis()
                    .div_ceil(1000)
                    .try_into()
                    .unwrap_or(u64::MAX)
                    .max(1),
            ),
            Self::Busy => Some(1),
            Self::NoKey => Some(60),
            _ => None,
        }
    }
}
