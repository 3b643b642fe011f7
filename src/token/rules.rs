//! What one issuer's tokens must be like, as an operator configured it and the compiler of snapshots judged it.
//! Rules are plain values that hold nothing of a token; the checks that use them stand in `verify` and `claims`.

use std::time::Duration;

use super::algorithm::AlgorithmSet;
use super::claims::Audience;
use super::header::short_media_type;
use super::profile::Profile;

/// An issuer's rules.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Exactly the token's `iss`.
    pub issuer: Box<str>,
    /// Allowed algorithms, not empty.
    pub algorithms: AlgorithmSet,
    /// Allowed values of `typ`.
    pub token_types: TokenTypes,
    /// What the tokens promise to be.
    pub profile: Profile,
    /// Tolerance for clocks that differ, at most 300 s.
    pub leeway: Duration,
    /// The longest `exp - iat`.
    pub max_lifetime: Option<Duration>,
    /// Claims that must be there and not null.
    pub required_claims: Vec<Box<str>>,
}

/// Token types, compared without case and without an `application/` prefix (RFC 7515 section 4.1.9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenTypes {
    allowed: Vec<Box<str>>,
    /// A token must have one.
    required: bool,
}

/// The audiences that a plan accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audiences {
    /// What is accepted.
    pub accepted: AcceptedAudiences,
    /// Besides, the audience of the application that the token turns out to be of.
    pub of_application: bool,
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
    /// From the values as an operator writes them; a token without `typ` is allowed as well.
    pub fn new<'a>(types: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            allowed: types
                .into_iter()
                .map(|name| short_media_type(name).into())
                .collect(),
            required: false,
        }
    }

    /// This one, and a token without `typ` is not allowed.
    pub fn only(token_type: &str) -> Self {
        Self {
            required: true,
            ..Self::new([token_type])
        }
    }

    /// The allowed ones, without prefix.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.allowed.iter().map(|name| &**name)
    }

    /// Whether a `typ` (already without prefix), or its absence, is allowed.
    pub(super) fn allow(&self, token_type: Option<&str>) -> bool {
        let Some(token_type) = token_type else {
            return !self.required;
        };
        self.allowed
            .iter()
            .any(|allowed| allowed.eq_ignore_ascii_case(token_type))
    }
}

// === impl Audiences ===

impl Audiences {
    /// Whether a token with this audience may be accepted, its application being unknown yet. What is refused here no
    /// application could change.
    pub fn may_accept(&self, audience: Audience<'_>) -> bool {
        self.accept(audience, || true)
    }

    /// Whether a token with this audience is accepted. `names_application` is asked where the application's audience
    /// counts: whether it is among the token's.
    pub fn accept(&self, audience: Audience<'_>, names_application: impl FnOnce() -> bool) -> bool {
        let AcceptedAudiences::AnyOf(accepted) = &self.accepted else {
            return true;
        };
        match audience {
            Audience::Absent => self.optional,
            Audience::One(_) | Audience::Many(_) => {
                accepted.iter().any(|own| audience.names(own)) || (self.of_application && names_application())
            }
        }
    }
}
