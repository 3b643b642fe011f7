//! A token in a parameter of the query, and the query without it (RFC 6750 section 2.3).
//!
//! Queries are read as forms are: `&` separates, names and values are percent-decoded once, `+` is a space. Names are
//! compared decoded, so that `access%5Ftoken` is found where `access_token` is meant. Some servers take `;` for a
//! separator, too; a parameter that would be ours to them is refused.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::{CredentialError, word};

/// The value of the one parameter of this name.
pub(super) fn find<'r>(name: &str, query: &'r str) -> Result<Option<Cow<'r, str>>, CredentialError> {
    if query.split(['&', ';']).any(|parameter| is_alias(parameter, name)) {
        return Err(CredentialError::Malformed);
    }
    let mut named = query.split('&').filter(|parameter| is_named(parameter, name));
    let Some(parameter) = named.next() else {
        return Ok(None);
    };
    if named.next().is_some() {
        return Err(CredentialError::Several);
    }
    if parameter.contains([';', '+']) {
        return Err(CredentialError::Malformed);
    }
    let (_, value) = parameter.split_once('=').ok_or(CredentialError::Malformed)?;
    let value = percent_decode_str(value).decode_utf8();
    let value = value.map_err(|_| CredentialError::Malformed)?;
    // No token has a `%`: one that is left was not followed by two digits, or was encoded itself.
    if value.contains('%') {
        return Err(CredentialError::Malformed);
    }
    word(&value)?;
    Ok(Some(value))
}

/// Whether a parameter has this name, or holds a part behind a `;` that has.
pub(super) fn is_named(parameter: &str, name: &str) -> bool {
    parameter.split(';').any(|part| {
        let own = part.split('=').next().unwrap_or_default();
        percent_decode_str(own).eq(name.bytes())
    })
}

/// Whether a parameter has another name that some servers take for this one: in other letters, with a dot, a blank or a
/// bracket for `_`, with blanks before, or with NUL and more behind.
fn is_alias(parameter: &str, name: &str) -> bool {
    let own = parameter.split('=').next().unwrap_or_default();
    let decoded = || percent_decode_str(own);
    let folded = decoded().skip_while(|byte| matches!(byte, b' ' | b'+')).map(fold);
    let wanted = name.bytes().map(fold);
    !decoded().eq(name.bytes()) && folded.take_while(|byte| *byte != 0).eq(wanted)
}

fn fold(byte: u8) -> u8 {
    match byte {
        b'.' | b' ' | b'+' | b'[' => b'_',
        other => other.to_ascii_lowercase(),
    }
}

/// The query without the parameters that are ours; nothing if there are none.
pub(super) fn strip(query: &str, is_ours: impl Fn(&str) -> bool) -> Option<String> {
    if !query.split('&').any(&is_ours) {
        return None;
    }
    let kept: Vec<&str> = query.split('&').filter(|parameter| !is_ours(parameter)).collect();
    Some(kept.join("&"))
}

/// Characters that mean themselves in a query, encoded or not (RFC 3986 section 2.3).
pub(super) const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}
