//! Whether a caller may do *this*: predicates over what a caller can show and what plan and route demand, and nothing
//! else. Scopes and audiences are compared byte for byte (RFC 6749 section 3.3, RFC 7519 section 4.1.3); nobody's scope
//! implies another. Claims are those after the issuer's mapping. Who can show nothing meets no demand.

mod resources;

pub use resources::{ResourceError, Resources};

use crate::token::json::Value;
use crate::token::{Audience, Literal};

/// What a route demands of its callers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Requirements {
    /// Some or all of these scopes.
    pub scopes: RequiredScopes,
    /// Each of these claims.
    pub claims: Vec<RequiredClaim>,
    /// The token must be for one of these, besides what the plan demands; none: it need not.
    pub audiences: Vec<Box<str>>,
}

/// Scopes that are demanded; none: nothing is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RequiredScopes {
    scopes: Vec<Box<str>>,
    scope_match: ScopeMatch,
    /// The scopes as a challenge names them (RFC 6750 section 3).
    challenge: Box<str>,
}

/// How many of the scopes a caller needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ScopeMatch {
    /// One of them.
    #[default]
    Any,
    /// Each of them.
    All,
}

/// A claim that must be there with one of some values; a claim that is a list must have one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequiredClaim {
    /// Its place among the claims that are kept of a token.
    pub place: usize,
    /// The values, at least one.
    pub any_of: Vec<Literal>,
}

/// What a caller can show.
pub trait Evidence {
    /// Whether exactly this scope was granted.
    fn has_scope(&self, scope: &str) -> bool;

    /// The kept claim at this place.
    fn claim(&self, place: usize) -> Option<&Value<'static>>;

    /// Whom the token is for.
    fn audience(&self) -> Audience<'_>;
}

/// What a caller lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuthorizationError {
    /// Scopes ([`RequiredScopes::text`] names them).
    InsufficientScope,
    /// A claim with one of the values that are demanded.
    ClaimRequired,
    /// An audience that the route accepts.
    AudienceRequired,
}

// === impl RequiredScopes ===

impl RequiredScopes {
    /// Demands these scopes; none: demands nothing.
    pub fn new(scopes: Vec<Box<str>>, scope_match: ScopeMatch) -> Self {
        let challenge = scopes.join(" ").into();
        Self {
            scopes,
            scope_match,
            challenge,
        }
    }

    /// How many of the demanded scopes are needed.
    pub const fn scope_match(&self) -> ScopeMatch {
        self.scope_match
    }

    /// The demanded scopes, separated by spaces.
    pub fn text(&self) -> &str {
        &self.challenge
    }

    fn are_met(&self, evidence: &impl Evidence) -> bool {
        let mut scopes = self.scopes.iter();
        match self.scope_match {
            _ if self.scopes.is_empty() => true,
            ScopeMatch::Any => scopes.any(|scope| evidence.has_scope(scope)),
            ScopeMatch::All => scopes.all(|scope| evidence.has_scope(scope)),
        }
    }
}

// === impl RequiredClaim ===

impl RequiredClaim {
    /// Whether the claim, if there is one, has a value that is demanded.
    pub fn is_met_by(&self, claim: Option<&Value<'_>>) -> bool {
        claim.is_some_and(|value| self.any_of.iter().any(|literal| literal.is_in(value)))
    }
}

// === impl AuthorizationError ===

impl AuthorizationError {
    /// Every reason there is.
    pub const ALL: [Self; 3] = [
        Self::InsufficientScope,
        Self::ClaimRequired,
        Self::AudienceRequired,
    ];
}

/// Judges what a caller can show by what a route demands: scopes, claims, audience, in this order.
///
/// # Errors
/// The first thing that the caller lacks.
pub fn authorize(requirements: &Requirements, evidence: &impl Evidence) -> Result<(), AuthorizationError> {
    let Requirements {
        scopes,
        claims,
        audiences,
    } = requirements;
    if !scopes.are_met(evidence) {
        return Err(AuthorizationError::InsufficientScope);
    }
    authorize_claims(claims, evidence)?;
    let audience = evidence.audience();
    match audiences.is_empty() || audiences.iter().any(|own| audience.names(own)) {
        true => Ok(()),
        false => Err(AuthorizationError::AudienceRequired),
    }
}

/// Judges what a caller can show by the claims that are demanded, each of them.
///
/// # Errors
/// [`AuthorizationError::ClaimRequired`].
pub fn authorize_claims(
    claims: &[RequiredClaim],
    evidence: &impl Evidence,
) -> Result<(), AuthorizationError> {
    match claims
        .iter()
        .all(|claim| claim.is_met_by(evidence.claim(claim.place)))
    {
        true => Ok(()),
        false => Err(AuthorizationError::ClaimRequired),
    }
}

/// A scope token of RFC 6749 section 3.3: visible ASCII but `"` and `\`.
pub fn is_scope(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::json::{Object, parse_object};

    /// Scopes, claims of which the first is at place 0, and an audience.
    struct Shown<'s>(&'s [&'s str], Object<'static>, Audience<'s>);

    impl Evidence for Shown<'_> {
        fn has_scope(&self, scope: &str) -> bool {
            self.0.contains(&scope)
        }

        fn claim(&self, place: usize) -> Option<&Value<'static>> {
            self.1.iter().nth(place).map(|(_, value)| value)
        }

        fn audience(&self) -> Audience<'_> {
            self.2
        }
    }

    fn shown<'s>(scopes: &'s [&'s str], claims: &'static str, audience: Audience<'s>) -> Shown<'s> {
        Shown(scopes, parse_object(claims.as_bytes()).unwrap(), audience)
    }

    #[test]
    fn any_needs_one_and_all_needs_each() {
        for (needed, scope_match, held, expected) in [
            (&[][..], ScopeMatch::Any, &[][..], true),
            (&[], ScopeMatch::All, &[], true),
            (&["a", "b"], ScopeMatch::Any, &["b"], true),
            (&["a", "b"], ScopeMatch::All, &["b"], false),
            (&["a", "b"], ScopeMatch::All, &["b", "a", "c"], true),
            (&["a"], ScopeMatch::Any, &["A"], false),
            (&["a"], ScopeMatch::Any, &[], false),
        ] {
            let needed_scopes = needed.iter().map(|scope| (*scope).into()).collect();
            let requirements = Requirements {
                scopes: RequiredScopes::new(needed_scopes, scope_match),
                ..Requirements::default()
            };
            let result = authorize(&requirements, &shown(held, "{}", Audience::Absent));
            assert_eq!(result.is_ok(), expected, "{needed:?} {scope_match:?} {held:?}");
        }
    }

    #[test]
    fn each_claim_needs_one_of_its_values() {
        let text = |text: &str| Literal::Text(text.into());
        let requirements = Requirements {
            claims: vec![
                RequiredClaim {
                    place: 0,
                    any_of: vec![text("admin"), text("ops")],
                },
                RequiredClaim {
                    place: 1,
                    any_of: vec![Literal::Boolean(true)],
                },
            ],
            ..Requirements::default()
        };
        for (claims, expected) in [
            (r#"{"a":"admin","b":true}"#, true),
            (r#"{"a":["x","ops"],"b":true}"#, true),
            (r#"{"a":["x","ops"],"b":[true]}"#, true),
            (r#"{"a":"ops","b":false}"#, false),
            (r#"{"a":"ops","b":"true"}"#, false),
            (r#"{"a":"ops"}"#, false),
            (r#"{"a":"Admin","b":true}"#, false),
            (r#"{"a":"admin ops","b":true}"#, false),
            (r#"{"a":null,"b":true}"#, false),
            (r#"{"a":[],"b":true}"#, false),
            (r#"{"a":{"admin":1},"b":true}"#, false),
            ("{}", false),
        ] {
            let result = authorize(&requirements, &shown(&[], claims, Audience::Absent));
            let expected = if expected {
                Ok(())
            } else {
                Err(AuthorizationError::ClaimRequired)
            };
            assert_eq!(result, expected, "{claims}");
        }
    }

    #[test]
    fn a_route_is_for_tokens_that_are_for_it() {
        let requirements = Requirements {
            audiences: vec!["payments".into(), "billing".into()],
            ..Requirements::default()
        };
        for (audience, expected) in [
            (Audience::One("payments"), Ok(())),
            (
                Audience::One("Payments"),
                Err(AuthorizationError::AudienceRequired),
            ),
            (Audience::Absent, Err(AuthorizationError::AudienceRequired)),
            (Audience::Many(&[]), Err(AuthorizationError::AudienceRequired)),
        ] {
            let result = authorize(&requirements, &shown(&[], "{}", audience));
            assert_eq!(result, expected, "{audience:?}");
        }
    }

    #[test]
    fn a_scope_is_visible_ascii() {
        assert!(is_scope("menu:read"));
        for bad in ["", "a b", "a\"", "a\\", "é", "a\n"] {
            assert!(!is_scope(bad), "{bad:?}");
        }
    }
}
