//! Claims as header fields towards the upstream.
//!
//! Upstreams believe these fields, so two things must hold whatever a token says. A value is one field line: bytes
//! that a field value cannot carry (RFC 9110 section 5.5) are percent-encoded, `%` with them, or the request is
//! refused. And a name has one owner: [`canonical_header`] is the form in which servers that fold names (CGI, WSGI, PHP)
//! see it, so a caller's `x_user` is recognised as an `X-User` and removed.

use std::fmt::Write as _;

use http::{HeaderName, HeaderValue};

use crate::identity::{Identity, claim_text};

/// A longer value is refused: upstreams commonly take 8 KiB of header fields in all.
const VALUE_BYTES_MAX: usize = 4096;

/// The fields that an API sends upstream.
#[derive(Debug, Default)]
pub struct ClaimHeaders {
    /// In the order written.
    pub fields: Vec<ClaimHeader>,
    /// Between the members of an array.
    pub separator: Box<str>,
    /// What happens to bytes that a field cannot carry.
    pub encoding: HeaderEncoding,
}

/// One field.
#[derive(Debug, Clone)]
pub struct ClaimHeader {
    /// Its name.
    pub name: HeaderName,
    /// The claim's place among those that an identity keeps.
    pub claim: usize,
}

/// What happens to bytes that a field cannot carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HeaderEncoding {
    /// They become `%XX`, and so does `%`.
    #[default]
    Percent,
    /// The request is refused.
    Refuse,
}

/// Why claims cannot go upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HeaderError {
    /// A byte that a field cannot carry, and the operator said `refuse`.
    Unsendable,
    /// More than 4 KiB.
    TooLong,
}

/// Fields ready to send.
pub type RenderedHeaders = Vec<(HeaderName, HeaderValue)>;

// === impl ClaimHeaders ===

impl ClaimHeaders {
    /// The fields for this caller; absent and `null` claims give none.
    ///
    /// # Errors
    /// See [`HeaderError`].
    pub fn render(&self, identity: &Identity) -> Result<RenderedHeaders, HeaderError> {
        let mut rendered = Vec::with_capacity(self.fields.len());
        for field in &self.fields {
            let Some(text) = identity
                .claim(field.claim)
                .and_then(|claim| claim_text(claim, &self.separator))
            else {
                continue;
            };
            rendered.push((field.name.clone(), self.encoding.encode(&text)?));
        }
        Ok(rendered)
    }
}

// === impl HeaderEncoding ===

impl HeaderEncoding {
    fn encode(self, text: &str) -> Result<HeaderValue, HeaderError> {
        if text.len() > VALUE_BYTES_MAX {
            return Err(HeaderError::TooLong);
        }
        // White space at either end would be lost on the way (RFC 9110 section 5.5).
        let trimmed = text.trim_matches(' ').len() == text.len();
        let plain = trimmed
            && text
                .bytes()
                .all(|byte| matches!(byte, b' '..=b'~') && (byte != b'%' || self == Self::Refuse));
        if plain {
            return HeaderValue::from_str(text).map_err(|_| HeaderError::Unsendable);
        }
        if self == Self::Refuse {
            return Err(HeaderError::Unsendable);
        }
        let mut encoded = String::with_capacity(text.len() + 16);
        let last = text.len().saturating_sub(1);
        for (place, byte) in text.bytes().enumerate() {
            let inner_space = byte == b' ' && trimmed && place != 0 && place != last;
            if inner_space || (matches!(byte, b'!'..=b'~') && byte != b'%') {
                encoded.push(char::from(byte));
            } else {
                // Writing to a String does not fail.
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
        if encoded.len() > VALUE_BYTES_MAX {
            return Err(HeaderError::TooLong);
        }
        HeaderValue::from_str(&encoded).map_err(|_| HeaderError::Unsendable)
    }
}

// === impl HeaderError ===

impl HeaderError {
    /// Every reason there is.
    pub const ALL: [Self; 2] = [Self::Unsendable, Self::TooLong];

    /// The stable word for logs and metrics.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Unsendable => "claim_unsendable",
            Self::TooLong => "claim_too_long",
        }
    }
}

/// The form in which servers that fold header names see one: lower case, everything but letters and digits a `-`.
pub fn canonical_header(name: &str) -> String {
    name.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_one_field_line_whatever_the_claim_says() {
        use HeaderEncoding::{Percent, Refuse};
        let long = "x".repeat(VALUE_BYTES_MAX + 1);
        let wide = "é".repeat(VALUE_BYTES_MAX / 4);
        for (text, encoding, expected) in [
            ("alice", Percent, Ok("alice")),
            ("a b", Percent, Ok("a b")),
            ("", Percent, Ok("")),
            ("a\r\nX-Admin: 1", Percent, Ok("a%0D%0AX-Admin: 1")),
            ("a\0b", Percent, Ok("a%00b")),
            ("a\tb", Percent, Ok("a%09b")),
            ("a\u{7f}", Percent, Ok("a%7F")),
            ("é", Percent, Ok("%C3%A9")),
            ("100%", Percent, Ok("100%25")),
            (" a", Percent, Ok("%20a")),
            ("100%", Refuse, Ok("100%")),
            ("a\nb", Refuse, Err(HeaderError::Unsendable)),
            ("é", Refuse, Err(HeaderError::Unsendable)),
            (" a", Refuse, Err(HeaderError::Unsendable)),
            (&long, Percent, Err(HeaderError::TooLong)),
            (&wide, Percent, Err(HeaderError::TooLong)),
        ] {
            let value = encoding.encode(text);
            let shown = value
                .as_ref()
                .map(|value| value.to_str().unwrap_or("?"))
                .map_err(|error| *error);
            assert_eq!(shown, expected, "{text:?} {encoding:?}");
        }
    }

    #[test]
    fn names_that_servers_fold_are_one_name() {
        for name in ["X-User", "x_user", "X.User", "x-user", "X!USER"] {
            assert_eq!(canonical_header(name), "x-user");
        }
    }
}
