//! What one issuer's tokens must be like, as an operator configured it and the compiler of snapshots judged it.
//! Rules are plain values that hold nothing of a token; the checks that use them stand in `verify` and `claims`.

use std::time::Duration;

use super::algorithm::AlgorithmSet;
use super::claims::Audience;
use super::header::short_media_type;
use super::json::Value;

/// An issuer's rules.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Exactly the token's `iss`.
    pub issuer: Box<str>,
    /// Allowed algorithms, not empty.
    pub algorithms: AlgorithmSet,
    /// Allowed values of `typ`; an absent `typ` is allowed as well.
    pub token_types: TokenTypes,
    /// Tolerance for clocks that differ, at most 300 s.
    pub leeway: Duration,
    /// The longest `exp - iat`.
    pub max_lifetime: Option<Duration>,
    /// Claims that must be there and not null.
    pub required_claims: Vec<Box<str>>,
}

/// Token types, compared without case and without an `application/` prefix (RFC 7515 section 4.1.9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenTypes(Vec<Box<str>>);

/// The audiences that a plan accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audiences {
    /// What is accepted.
    pub accepted: AcceptedAudiences,
    /// Whether a token without `aud` is accepted.
    pub optional: bool,
}

/// See [`Audiences`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AcceptedAudiences {
    /// Every audience, and none: the operator said `danger-accept-any`.
    DangerAny,
    /// Any of these, byte for byte.
    AnyOf(Vec<Box<str>>),
}

// === impl TokenTypes ===

impl TokenTypes {
    /// From the values as an operator writes them.
    pub fn new<'a>(types: impl IntoIterator<Item = &'a str>) -> Self {
        Self(
            types
                .into_iter()
                .map(|name| short_media_type(name).into())
                .collect(),
        )
    }

    /// Whether a `typ` (already without prefix) is allowed.
    pub(super) fn allows(&self, token_type: &str) -> bool {
        self.0
            .iter()
            .any(|allowed| allowed.eq_ignore_ascii_case(token_type))
    }
}

// === impl Audiences ===

impl Audiences {
    /// Whether a token with this audience is accepted.
    pub fn accept(&self, audience: Audience<'_>) -> bool {
        let AcceptedAudiences::AnyOf(accepted) = &self.accepted else {
            return true;
        };
        match audience {
            Audience::Absent => self.optional,
            Audience::One(one) => accepted.iter().any(|own| **own == *one),
            Audience::Many(many) => many
                .iter()
                .filter_map(Value::as_str)
                .any(|one| accepted.iter().any(|own| **own == *one)),
        }
    }
}
