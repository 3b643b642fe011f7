//! Compact JWS (RFC 7515 section 3.1): three parts, one spelling.
//!
//! A token must have exactly one spelling: were padding, other alphabets or stray trailing bits tolerated, a revoked
//! or cached token could come back in another dress. Nothing is copied but the decoded header, claims and signature,
//! into buffers that the caller owns ([`Scratch`]).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::error::TokenError;

/// A longer token is refused unread. Real ones have 1 to 4 KiB; group claims may make them longer. This bounds the
/// work that a stranger can ask for.
pub const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// The longest signature of any algorithm here: RSA with 8192 bits.
const SIGNATURE_BYTES_MAX: usize = 1024;

/// The decoded bytes of one token; reusable.
#[derive(Debug, Default)]
pub struct Scratch {
    header: Vec<u8>,
    claims: Vec<u8>,
    signature: Vec<u8>,
}

/// A token taken apart, nothing judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts<'t> {
    /// What is signed: `BASE64URL(header) . BASE64URL(claims)`, as received.
    pub(super) signed: &'t [u8],
    /// The decoded header.
    pub(super) header: &'t [u8],
    /// The decoded claims.
    pub(super) claims: &'t [u8],
    /// The decoded signature.
    pub(super) signature: &'t [u8],
}

/// Splits and decodes.
pub(super) fn split<'t>(token: &'t str, scratch: &'t mut Scratch) -> Result<Parts<'t>, TokenError> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(TokenError::TooLong);
    }
    let mut parts = token.split('.');
    let (Some(header), Some(claims), Some(signature)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(TokenError::Parts);
    };
    match parts.count() {
        0 => {}
        // Dots also occur in JSON serialisations.
        2 if token.bytes().all(is_token_byte) => return Err(TokenError::Encrypted),
        _ => return Err(TokenError::Parts),
    }
    if header.is_empty() || claims.is_empty() || signature.is_empty() {
        return Err(TokenError::Parts);
    }
    decode(header, &mut scratch.header)?;
    decode(claims, &mut scratch.claims)?;
    decode(signature, &mut scratch.signature)?;
    if scratch.signature.len() > SIGNATURE_BYTES_MAX {
        return Err(TokenError::SignatureInvalid);
    }
    let signed = token
        .as_bytes()
        .get(..header.len() + 1 + claims.len())
        .ok_or(TokenError::Parts)?;
    Ok(Parts {
        signed,
        header: &scratch.header,
        claims: &scratch.claims,
        signature: &scratch.signature,
    })
}

/// Of the alphabet of RFC 4648 section 5, or what divides the parts.
const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

/// Canonical base64url without padding; `=`, `+`, `/`, white space and stray trailing bits are errors.
fn decode(text: &str, into: &mut Vec<u8>) -> Result<(), TokenError> {
    into.clear();
    URL_SAFE_NO_PAD
        .decode_vec(text, into)
        .map_err(|_| TokenError::Base64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(token: &str, expected: Result<(), TokenError>) {
        let mut scratch = Scratch::default();
        assert_eq!(
            split(token, &mut scratch).map(|_| ()),
            expected,
            "{}",
            token.get(..60).unwrap_or(token)
        );
    }

    #[test]
    fn a_token_has_three_parts_and_one_spelling() {
        check("e30.e30.YQ", Ok(()));
        for token in [
            "",
            ".",
            "..",
            "e30",
            "e30.e30",
            "e30.e30.",
            ".e30.YQ",
            "e30..YQ",
            "a.b.c.d",
            "a.b.c.d.e.f",
            "{\"kid\":\"a.b\",\"x\":\"c.d.e.f\"}",
        ] {
            check(token, Err(TokenError::Parts));
        }
        check("a.b.c.d.e", Err(TokenError::Encrypted));
        for token in [
            "e30=.e30.YQ",
            "e30.e30.YQ==",
            "e30.e30.YR",
            "e31.e30.YQ",
            "e30.e3x.YQ",
            "e30.e30.Y+",
            "e30.e30.Y/",
            "e30.e30.YQ ",
            " e30.e30.YQ",
            "e30.e30.Y\0",
            "e30.e30.Y",
            "e30.e30.YQ\n",
            "{}.{}.YQ",
            "\"e30\".e30.YQ",
        ] {
            check(token, Err(TokenError::Base64));
        }
        check(
            &format!("e30.e30.{}", "A".repeat(1400)),
            Err(TokenError::SignatureInvalid),
        );
    }

    #[test]
    fn the_bound_is_exact() {
        let token = |bytes: usize| format!("e30.{}.YQ", "A".repeat(bytes - 7));
        check(&token(TOKEN_BYTES_MAX - 1), Ok(()));
        check(&token(TOKEN_BYTES_MAX), Err(TokenError::Base64)); // a length of 4n+1 is no base64
        check(&token(TOKEN_BYTES_MAX + 1), Err(TokenError::TooLong));
    }
}
