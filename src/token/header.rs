//! The JOSE header: what it may say, and what it may not.
//!
//! The header is written by whoever made the token, so it only *names* things: an algorithm that must be on a list, a
//! key that must already be here. Parameters that would bring a key along or fetch one (`jwk`, `jku`, `x5u`, `x5c`) mean
//! nothing here (RFC 8725 section 3.10): only that they are of their type is seen, because a reader behind us may refuse
//! what is not. Extensions that change what is signed or how are refused.

use super::error::TokenError;
use super::hint::KeyHint;
use super::json::{JsonError, Object, Value, parse_object};

/// The header parameters that matter.
#[derive(Debug)]
pub(super) struct Header<'t> {
    object: Object<'t>,
}

// === impl Header ===

impl<'t> Header<'t> {
    /// Reads the header and refuses what no issuer's rules could allow.
    pub(super) fn parse(text: &'t [u8]) -> Result<Self, TokenError> {
        let object = parse_object(text).map_err(|error| match error {
            JsonError::Syntax => TokenError::HeaderJson,
            JsonError::Duplicate => TokenError::DuplicateMember,
            JsonError::TooDeep => TokenError::TooDeep,
        })?;
        for (name, value) in object.iter() {
            if !has_its_type(name, value) {
                return Err(TokenError::HeaderType);
            }
            match name {
                // RFC 7519 section 5.2: the claims would be another token.
                "cty" if value.as_str().is_some_and(is_jwt) => return Err(TokenError::TypeNotAllowed),
                // RFC 7515 section 4.1.11: whoever does not understand an extension must refuse; we know none.
                // RFC 7797 section 7: unencoded payloads are not for JWTs.
                "crit" | "b64" => return Err(TokenError::CriticalExtension),
                // RFC 7516 section 4.1: these make it an encrypted token.
                "enc" | "zip" => return Err(TokenError::Encrypted),
                _ => {}
            }
        }
        Ok(Self { object })
    }

    /// `alg`, if it is a string.
    pub(super) fn algorithm(&self) -> Option<&str> {
        self.text("alg")
    }

    /// How it names its key.
    pub(super) fn key_hint(&self) -> KeyHint<'_> {
        let kid = self.text("kid").map(KeyHint::Kid);
        kid.or_else(|| self.text("x5t#S256").map(KeyHint::Sha256))
            .or_else(|| self.text("x5t").map(KeyHint::Sha1))
            .unwrap_or(KeyHint::None)
    }

    /// `typ` without an `application/` prefix (RFC 7515 section 4.1.9).
    pub(super) fn token_type(&self) -> Option<&str> {
        self.text("typ").map(short_media_type)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.object.get(name).and_then(Value::as_str)
    }
}

/// Whether a registered parameter has the type of RFC 7515 section 4.1. `alg` is judged where algorithms are.
fn has_its_type(name: &str, value: &Value<'_>) -> bool {
    match (name, value) {
        ("kid" | "typ" | "cty" | "jku" | "x5u" | "x5t" | "x5t#S256", value) => value.as_str().is_some(),
        ("x5c", Value::Array(chain)) => chain.iter().all(|link| link.as_str().is_some()),
        ("jwk", Value::Object(_)) => true,
        ("x5c" | "jwk", _) => false,
        _ => true,
    }
}

/// `application/at+jwt` and `at+jwt` are one type (RFC 7515 section 4.1.9).
pub(super) fn short_media_type(media_type: &str) -> &str {
    const PREFIX: &str = "application/";
    match media_type.get(..PREFIX.len()) {
        Some(prefix) if prefix.eq_ignore_ascii_case(PREFIX) => media_type.get(PREFIX.len()..).unwrap_or(""),
        _ => media_type,
    }
}

fn is_jwt(media_type: &str) -> bool {
    short_media_type(media_type).eq_ignore_ascii_case("jwt")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_and_wrong_types_are_refused() {
        for (text, expected) in [
            (r#"{"alg":"RS256"}"#, Ok(())),
            (
                r#"{"alg":"RS256","kid":"k","typ":"JWT","jku":"http://127.0.0.1/","x5c":[],"jwk":{}}"#,
                Ok(()),
            ),
            (
                r#"{"alg":"RS256","crit":["exp"]}"#,
                Err(TokenError::CriticalExtension),
            ),
            (r#"{"alg":"RS256","crit":[]}"#, Err(TokenError::CriticalExtension)),
            (
                r#"{"alg":"RS256","b64":true}"#,
                Err(TokenError::CriticalExtension),
            ),
            (
                r#"{"alg":"RSA-OAEP","enc":"A128GCM"}"#,
                Err(TokenError::Encrypted),
            ),
            (r#"{"alg":"RS256","zip":"DEF"}"#, Err(TokenError::Encrypted)),
            (r#"{"alg":"RS256","kid":1}"#, Err(TokenError::HeaderType)),
            (r#"{"alg":"RS256","kid":null}"#, Err(TokenError::HeaderType)),
            (r#"{"alg":"RS256","typ":["JWT"]}"#, Err(TokenError::HeaderType)),
            (r#"{"alg":"RS256","jku":1}"#, Err(TokenError::HeaderType)),
            (r#"{"alg":"RS256","x5u":null}"#, Err(TokenError::HeaderType)),
            (r#"{"alg":"RS256","x5t":[]}"#, Err(TokenError::HeaderType)),
            (r#"{"alg":"RS256","x5t#S256":{}}"#, Err(TokenError::HeaderType)),
            (r#"{"alg":"RS256","x5c":"AA"}"#, Err(TokenError::HeaderType)),
            (r#"{"alg":"RS256","x5c":["AA",1]}"#, Err(TokenError::HeaderType)),
            (r#"{"alg":"RS256","jwk":"AA"}"#, Err(TokenError::HeaderType)),
            (r#"{"alg":"RS256","cty":"JWT"}"#, Err(TokenError::TypeNotAllowed)),
            (
                r#"{"alg":"RS256","alg":"none"}"#,
                Err(TokenError::DuplicateMember),
            ),
            ("[]", Err(TokenError::HeaderJson)),
        ] {
            assert_eq!(Header::parse(text.as_bytes()).map(|_| ()), expected, "{text}");
        }
    }

    #[test]
    fn a_media_type_may_leave_out_application() {
        assert_eq!(short_media_type("application/at+jwt"), "at+jwt");
        assert_eq!(short_media_type("APPLICATION/JWT"), "JWT");
        assert_eq!(short_media_type("at+jwt"), "at+jwt");
        assert_eq!(short_media_type("é"), "é");
    }
}
