//! Claims that an application brings along (`claimsSet`), and those that it may not: whatever says who somebody is, for
//! whom a token is, how long it lives or what it allows is the operator's.

use serde_json::{Map, Value};

use super::refusal::Refusal;
use crate::token::json::{self, JsonError, parse_object};

/// Claims that no client sets: those of RFC 7519 section 4.1, ours, those by which an application is found or a token
/// gains rights or is bound (RFC 6749, RFC 7800, RFC 8693, RFC 9068, OpenID Connect, WSO2's).
pub const RESERVED_CLAIMS: [&str; 24] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "app_id",
    "azp",
    "client_id",
    "consumerKey",
    "scope",
    "scp",
    "cnf",
    "act",
    "may_act",
    "acr",
    "amr",
    "auth_time",
    "nonce",
    "at_hash",
    "sid",
    "typ",
    "token_use",
];
/// The longest claims, as JSON: a token has 16 KiB at most, and goes into a header.
const CLAIMS_BYTES_MAX: usize = 4096;
/// So many claims.
const CLAIMS_MAX: usize = 64;

/// What applications may add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedClaims {
    /// All but [`RESERVED_CLAIMS`] and what an issuer's rules here read.
    DangerAny {
        /// What those rules read.
        except: Vec<Box<str>>,
    },
    /// These.
    AnyOf(Vec<Box<str>>),
}

/// A request for a token with claims of its own.
#[derive(Debug)]
pub struct CustomRequest {
    /// The claims.
    pub claims: Map<String, Value>,
    /// The scopes, if any are asked for.
    pub scope: Option<String>,
}

// === impl AllowedClaims ===

impl AllowedClaims {
    fn judge(&self, name: &str) -> Result<(), Refusal> {
        if RESERVED_CLAIMS.contains(&name) {
            return Err(Refusal::ClaimRefused(
                "claimsSet holds a claim that only the token service sets",
            ));
        }
        let allowed = match self {
            Self::DangerAny { except } => !except.iter().any(|own| **own == *name),
            Self::AnyOf(list) => list.iter().any(|own| **own == *name),
        };
        match allowed {
            true => Ok(()),
            false => Err(Refusal::ClaimRefused(
                "claimsSet holds a claim that applications may not set here",
            )),
        }
    }
}

// === impl CustomRequest ===

impl CustomRequest {
    /// Reads `{"claimsSet": {...}, "scope": "..."}`.
    ///
    /// # Errors
    /// When it is something else, or holds a claim that a client may not set.
    pub fn parse(text: &[u8], allowed: &AllowedClaims) -> Result<Self, Refusal> {
        let object = parse_object(text).map_err(|error| {
            Refusal::InvalidRequest(match error {
                JsonError::Syntax => "the body is no JSON object",
                JsonError::Duplicate => "a member of the body is there twice",
                JsonError::TooDeep => "the body is nested too deep",
            })
        })?;
        let mut claims = None;
        let mut scope = None;
        for (name, value) in object.iter() {
            match (name, value) {
                ("claimsSet", json::Value::Object(set)) => claims = Some(set),
                ("claimsSet", _) => return Err(Refusal::InvalidRequest("claimsSet is no object")),
                ("scope", json::Value::String(text)) => scope = Some(text.to_string()),
                ("scope", _) => return Err(Refusal::InvalidRequest("scope is no string")),
                _ => {
                    return Err(Refusal::InvalidRequest(
                        "the body has claimsSet and scope, and nothing else",
                    ));
                }
            }
        }
        let claims = claims.ok_or(Refusal::InvalidRequest("claimsSet is missing"))?;
        claims.iter().try_for_each(|(name, _)| allowed.judge(name))?;
        if claims.iter().count() > CLAIMS_MAX {
            return Err(Refusal::ClaimRefused("claimsSet holds more than 64 claims"));
        }
        let plain =
            |(name, value): (&str, &json::Value<'_>)| Ok((name.to_owned(), serde_json::to_value(value)?));
        let claims: Result<Map<String, Value>, serde_json::Error> = claims.iter().map(plain).collect();
        let claims = claims.map_err(|_| Refusal::InvalidRequest("claimsSet is no object"))?;
        if Value::Object(claims.clone()).to_string().len() > CLAIMS_BYTES_MAX {
            return Err(Refusal::ClaimRefused("claimsSet has more than 4096 bytes"));
        }
        Ok(Self { claims, scope })
    }
}
