//! A token in a header field of its own.
//!
//! Servers that fold names (CGI, WSGI, PHP) see `X_Access_Token` as `X-Access-Token`. A request that writes the name in
//! another spelling is refused, beside the right one or alone: somebody behind us might read what we did not.

use http::{HeaderMap, HeaderValue};

use super::{CredentialError, SCHEME, word};

/// The token in the one field of this name, which is in lower case: the whole value, or what follows `Bearer`.
pub(super) fn find<'r>(name: &str, headers: &'r HeaderMap) -> Result<Option<&'r str>, CredentialError> {
    let Some(value) = field(name, headers)? else {
        return Ok(None);
    };
    let text = value.to_str().map_err(|_| CredentialError::Malformed)?;
    let text = text.trim_matches(' ');
    let is_scheme = |word: &str| word.eq_ignore_ascii_case(SCHEME);
    let token = match text.split_once(' ') {
        Some((scheme, token)) if is_scheme(scheme) => token.trim_start_matches(' '),
        Some(_) => return Err(CredentialError::Malformed),
        None if is_scheme(text) => return Err(CredentialError::Malformed),
        None => text,
    };
    word(token).map(Some)
}

/// The text in the one field of this name, empty if it is anything but visible ASCII in one word.
pub(super) fn find_text<'r>(name: &str, headers: &'r HeaderMap) -> Result<Option<&'r str>, CredentialError> {
    let text = field(name, headers)?.map(|value| value.to_str().unwrap_or_default());
    Ok(text.map(|text| word(text).unwrap_or_default()))
}

/// The one field of this name.
fn field<'r>(name: &str, headers: &'r HeaderMap) -> Result<Option<&'r HeaderValue>, CredentialError> {
    let mut fields = headers.iter().filter(|(own, _)| folds_to(own.as_str(), name));
    let Some((own, value)) = fields.next() else {
        return Ok(None);
    };
    if fields.next().is_some() {
        return Err(CredentialError::Several);
    }
    if own.as_str() != name {
        return Err(CredentialError::Malformed);
    }
    Ok(Some(value))
}

/// Whether a server that folds names would take this one for `own`: case is nothing to it, and neither is what stands
/// for a `-`.
pub(super) fn folds_to(name: &str, own: &str) -> bool {
    let fold = |byte: u8| {
        if byte.is_ascii_alphanumeric() {
            byte.to_ascii_lowercase()
        } else {
            b'-'
        }
    };
    name.len() == own.len() && name.bytes().map(fold).eq(own.bytes())
}
