//! A token in a cookie, and the `Cookie` field without it (RFC 6265 section 4.2).
//!
//! Callers send `name=value`, separated by `; `, but what servers make of white space, quotes and pairs without `=`
//! differs. Whatever any of them could take for the cookie counts as it, and unless it is written in the one way that
//! all read alike, the request is refused.

use http::HeaderMap;
use http::header::COOKIE;

use super::CredentialError;

/// The value of the one cookie of this name.
pub(super) fn find<'r>(name: &str, headers: &'r HeaderMap) -> Result<Option<&'r str>, CredentialError> {
    let fields = || headers.get_all(COOKIE).iter();
    let pairs = || fields().flat_map(|field| field.as_bytes().split(|byte| *byte == b';'));
    if pairs().any(|pair| hides(pair, name)) {
        return Err(CredentialError::Malformed);
    }
    let mut named = pairs().filter(|pair| is_named(pair, name));
    let Some(pair) = named.next() else {
        return Ok(None);
    };
    if named.next().is_some() {
        return Err(CredentialError::Several);
    }
    let pair = pair.trim_ascii().strip_prefix(name.as_bytes());
    let value = pair
        .and_then(|rest| rest.strip_prefix(b"="))
        .filter(|value| !value.is_empty() && value.iter().copied().all(is_cookie_byte))
        .and_then(|value| str::from_utf8(value).ok());
    value.map(Some).ok_or(CredentialError::Malformed)
}

/// Whether a pair has this name, white space around it set aside.
pub(super) fn is_named(pair: &[u8], name: &str) -> bool {
    let own = pair.split(|byte| *byte == b'=').next().unwrap_or_default();
    own.trim_ascii() == name.as_bytes()
}

/// Whether some server would find the cookie inside this pair: behind white space, a comma or a quote (RFC 2109 took
/// commas, and servers still do).
fn hides(pair: &[u8], name: &str) -> bool {
    let name = name.as_bytes();
    let candidates = pair.windows(name.len()).enumerate().skip(1);
    candidates.filter(|(_, part)| *part == name).any(|(at, _)| {
        let before = pair.get(at - 1).copied().unwrap_or_default();
        let after = pair.get(at + name.len()..).unwrap_or_default().trim_ascii_start();
        // White space before all of the pair is the usual way to write it.
        let first = pair.get(..at).unwrap_or_default().trim_ascii_start().is_empty();
        !first && after.starts_with(b"=") && (before.is_ascii_whitespace() || matches!(before, b',' | b'"'))
    })
}

/// The field without the pairs that are ours; nothing if there are none.
pub(super) fn strip(field: &[u8], is_ours: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
    let pairs = || field.split(|byte| *byte == b';');
    if !pairs().any(&is_ours) {
        return None;
    }
    let kept: Vec<&[u8]> = pairs().filter(|pair| !is_ours(pair)).collect();
    if kept.iter().all(|pair| pair.trim_ascii().is_empty()) {
        return Some(Vec::new());
    }
    // The space after a semicolon that has gone with what stood before it.
    Some(kept.join(&b';').trim_ascii_start().to_vec())
}

/// A `cookie-octet` (RFC 6265 section 4.1.1); quotes, which some servers take off, are none.
const fn is_cookie_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\')
}
