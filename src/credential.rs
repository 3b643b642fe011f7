//! The credential that a request carries, found and bounded, not judged.
//!
//! A bearer token comes in exactly one `Authorization` field (RFC 6750 section 2.1). Were two tolerated, the gateway
//! might check the first and the upstream believe the second. Other schemes are none of ours: for us such a request
//! carries nothing.

use http::HeaderMap;
use http::header::AUTHORIZATION;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential<'r> {
    /// Nothing that a plan could ask for.
    None,
    /// A bearer token, not empty, without spaces.
    Bearer(&'r str),
}

/// Why a credential cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CredentialError {
    /// There is none, and every plan on offer asks for one.
    Missing,
    /// There is one, and no plan on offer asks for its kind: a caller who shows a token is not anonymous.
    NotAccepted,
    /// More than one `Authorization` field.
    Several,
    /// `Bearer` without a token or with several words, or bytes that are no visible ASCII.
    Malformed,
}

const SCHEME: &str = "bearer";

/// Finds the credential.
///
/// # Errors
/// [`CredentialError::Several`] and [`CredentialError::Malformed`].
pub fn extract(headers: &HeaderMap) -> Result<Credential<'_>, CredentialError> {
    let mut fields = headers.get_all(AUTHORIZATION).iter();
    let Some(field) = fields.next() else {
        return Ok(Credential::None);
    };
    if fields.next().is_some() {
        return Err(CredentialError::Several);
    }
    let bytes = field.as_bytes();
    let is_bearer = bytes
        .get(..SCHEME.len())
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case(SCHEME.as_bytes()));
    if !is_bearer {
        return Ok(Credential::None);
    }
    // `to_str` refuses everything but visible ASCII, spaces and tabs.
    let text = field.to_str().map_err(|_| CredentialError::Malformed)?;
    let rest = text.get(SCHEME.len()..).unwrap_or_default();
    match rest.bytes().next() {
        None => return Err(CredentialError::Malformed),
        Some(b' ') => {}
        // `BearerXYZ` is another scheme.
        Some(byte) if is_token_byte(byte) => return Ok(Credential::None),
        // A tab, a comma: no scheme goes on like that, but somebody behind us might take it for a space.
        Some(_) => return Err(CredentialError::Malformed),
    }
    let token = rest.trim_matches(' ');
    if token.is_empty() || token.bytes().any(|byte| byte.is_ascii_whitespace()) {
        return Err(CredentialError::Malformed);
    }
    Ok(Credential::Bearer(token))
}

/// A `tchar`, of which schemes are made (RFC 9110 sections 5.6.2 and 11.1).
const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

// === impl CredentialError ===

impl CredentialError {
    /// Every reason there is.
    pub const ALL: [Self; 4] = [Self::Missing, Self::NotAccepted, Self::Several, Self::Malformed];

    /// The stable word for logs and metrics.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Missing => "missing_credentials",
            Self::NotAccepted => "credential_not_accepted",
            Self::Several => "several_credentials",
            Self::Malformed => "credential_malformed",
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn one_bearer_token_in_one_field() {
        use CredentialError::{Malformed, Several};
        for (fields, expected) in [
            (&[][..], Ok(Credential::None)),
            (&["Bearer abc"], Ok(Credential::Bearer("abc"))),
            (&["bEaReR abc"], Ok(Credential::Bearer("abc"))),
            (&["Bearer   abc"], Ok(Credential::Bearer("abc"))),
            (&["Basic abc"], Ok(Credential::None)),
            (&["BearerXYZ"], Ok(Credential::None)),
            (&["Bearer\tabc"], Err(Malformed)),
            (&["Bearer,abc"], Err(Malformed)),
            (&["Bearer=abc"], Err(Malformed)),
            (&["Bearer-abc d"], Ok(Credential::None)),
            (&["abc"], Ok(Credential::None)),
            (&[""], Ok(Credential::None)),
            (&["Bearer"], Err(Malformed)),
            (&["Bearer "], Err(Malformed)),
            (&["Bearer a b"], Err(Malformed)),
            (&["Bearer a\tb"], Err(Malformed)),
            (&["Bearer \u{e9}"], Err(Malformed)),
            (&["Bearer abc", "Bearer abc"], Err(Several)),
            (&["Basic abc", "Bearer abc"], Err(Several)),
        ] {
            let mut headers = HeaderMap::new();
            for field in fields {
                headers.append(AUTHORIZATION, HeaderValue::from_bytes(field.as_bytes()).unwrap());
            }
            assert_eq!(extract(&headers), expected, "{fields:?}");
        }
    }
}
