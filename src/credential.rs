//! The credential that a request carries, found and bounded, not judged.
//!
//! A bearer token comes in exactly one `Authorization` field (RFC 6750 section 2.1), or in exactly one of the other
//! places ([`Source`]) that the API's plans name. Were two tolerated, the gateway might check the first and the upstream
//! believe the second. Other schemes are none of ours: for us such a request carries nothing. An API key is found in the
//! places that plans name for keys, by [`extract_key`].

mod api_key;
mod cookie;
mod header;
mod query;
mod source;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use http::HeaderMap;
use http::header::AUTHORIZATION;

pub use api_key::{ApiKey, extract_key};
pub use source::{Source, SourceError, SourceKind, folds_to, strip_cookies, strip_query};

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential<'r> {
    /// Nothing that a plan could ask for.
    None,
    /// A bearer token.
    Bearer(Bearer<'r>),
    /// An API key.
    ApiKey(ApiKey<'r>),
}

/// A bearer token, and where it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer<'r> {
    /// Not empty, visible ASCII without spaces. Owned only where it had to be decoded.
    pub token: Cow<'r, str>,
    /// The place; nothing for `Authorization`, where every plan looks.
    pub source: Option<&'r Source>,
}

/// Why a credential cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CredentialError {
    /// There is none, and every plan on offer asks for one.
    Missing,
    /// There is one, and no plan on offer asks for its kind: a caller who shows a token is not anonymous.
    NotAccepted,
    /// There is one, and no plan for its issuer looks where it was.
    SourceNotAccepted,
    /// More than one `Authorization` field, or tokens in two places, or one place twice.
    Several,
    /// A place without a token or with several words, or bytes that are no visible ASCII.
    Malformed,
}

const SCHEME: &str = "bearer";

/// Finds the bearer token: in `Authorization`, and in each of `sources`.
///
/// # Errors
/// [`CredentialError::Several`] and [`CredentialError::Malformed`].
pub fn extract<'r>(
    headers: &'r HeaderMap,
    query: Option<&'r str>,
    sources: impl IntoIterator<Item = &'r Source>,
) -> Result<Credential<'r>, CredentialError> {
    let mut found = authorization(headers)?.map(|token| Bearer {
        token: token.into(),
        source: None,
    });
    for source in sources {
        let Some(token) = source.find(headers, query)? else {
            continue;
        };
        let source = Some(source);
        if found.replace(Bearer { token, source }).is_some() {
            return Err(CredentialError::Several);
        }
    }
    Ok(found.map_or(Credential::None, Credential::Bearer))
}

/// The token in the one `Authorization` field.
fn authorization(headers: &HeaderMap) -> Result<Option<&str>, CredentialError> {
    let mut fields = headers.get_all(AUTHORIZATION).iter();
    let Some(field) = fields.next() else {
        return Ok(None);
    };
    if fields.next().is_some() {
        return Err(CredentialError::Several);
    }
    let bytes = field.as_bytes();
    let is_bearer = bytes
        .get(..SCHEME.len())
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case(SCHEME.as_bytes()));
    if !is_bearer {
        return Ok(None);
    }
    let rest = bytes.get(SCHEME.len()..).unwrap_or_default();
    match rest.first() {
        None => return Err(CredentialError::Malformed),
        Some(b' ') => {}
        // `BearerXYZ` is another scheme; `to_str` refuses everything but visible ASCII, spaces and tabs.
        Some(byte) if is_token_byte(*byte) => {
            return field
                .to_str()
                .map(|_| None)
                .map_err(|_| CredentialError::Malformed);
        }
        // A tab, a comma: no scheme goes on like that, but somebody behind us might take it for a space.
        Some(_) => return Err(CredentialError::Malformed),
    }
    // Header values are trimmed of white space, but not of what is between scheme and token.
    let token = trim_spaces(rest);
    let text = std::str::from_utf8(token).map_err(|_| CredentialError::Malformed)?;
    word(text).map(Some)
}

fn trim_spaces(mut bytes: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] | [rest @ .., b' '] = bytes {
        bytes = rest;
    }
    bytes
}

/// The text, if it is one word of visible ASCII.
fn word(text: &str) -> Result<&str, CredentialError> {
    // Without an early end, so that it is done sixteen bytes at a time: tokens are long, and nearly always good.
    let is_graphic = text
        .bytes()
        .fold(true, |good, byte| good & byte.is_ascii_graphic());
    if text.is_empty() || !is_graphic {
        return Err(CredentialError::Malformed);
    }
    Ok(text)
}

/// A `tchar`, of which schemes and names are made (RFC 9110 sections 5.6.2 and 11.1).
const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

// === impl CredentialError ===

impl CredentialError {
    /// Every reason there is.
    pub const ALL: [Self; 5] = [
        Self::Missing,
        Self::NotAccepted,
        Self::SourceNotAccepted,
        Self::Several,
        Self::Malformed,
    ];

    /// The stable word for logs and metrics.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Missing => "missing_credentials",
            Self::NotAccepted => "credential_not_accepted",
            Self::SourceNotAccepted => "source_not_accepted",
            Self::Several => "several_credentials",
            Self::Malformed => "credential_malformed",
        }
    }
}
