//! What an issuer's tokens promise to be, beyond RFC 7519: nothing, or access tokens as in RFC 9068.
//!
//! An issuer that follows RFC 9068 marks its access tokens by their `typ`, so that an ID token, signed by the same key
//! for the same client, cannot pass for one. That helps only if the mark is asked for.

use super::error::TokenError;
use super::json::{Object, Value};

/// What an issuer's tokens promise to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// What the issuer's other rules say.
    #[default]
    Jwt,
    /// Access tokens with `typ` `at+jwt` and all the claims of RFC 9068 section 2.2.
    AccessToken,
}

/// The type of an access token (RFC 9068 section 2.1).
pub const ACCESS_TOKEN_TYPE: &str = "at+jwt";

/// The claims of RFC 9068 section 2.2 that are texts; the others (`iss`, `exp`, `iat`, `aud`) have checks of their own.
const TEXTS: [&str; 3] = ["sub", "client_id", "jti"];

// === impl Profile ===

impl Profile {
    /// Whether the claims are there that the profile asks for. Their times and audience have been found well formed
    /// where they are present.
    pub(super) fn judge(self, claims: &Object<'_>) -> Result<(), TokenError> {
        match self {
            Self::Jwt => return Ok(()),
            Self::AccessToken => {}
        }
        if claims.get("iat").is_none() {
            return Err(TokenError::ClaimMissing);
        }
        for name in TEXTS {
            match claims.get(name) {
                None | Some(Value::Null) => return Err(TokenError::ClaimMissing),
                Some(Value::String(text)) if !text.is_empty() => {}
                Some(_) => return Err(TokenError::ClaimType),
            }
        }
        match claims.get("aud") {
            None => Err(TokenError::AudienceMissing),
            Some(_) => Ok(()),
        }
    }
}
