//! Claims as header fields towards the upstream.
//!
//! Upstreams believe these fields, so two things must hold whatever a token says. A value is one field line: bytes
//! that a field value cannot carry (RFC 9110 section 5.5) are percent-encoded, `%` with them, or the request is
//! refused. And a name has one owner: [`canonical_header`] is the form in which servers that fold names (CGI, WSGI, PHP)
//! see it, so a caller's `x_user` is recognised as an `X-User` and removed.

use std::borrow::Cow;
use std::fmt::Write as _;

use http::{HeaderName, HeaderValue};

use crate::identity::{ClaimText, Identity, claim_text};

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
            let Some(text) = identity.claim(field.claim).and_then(claim_text) else {
                continue;
            };
            let value = match text {
                ClaimText::One(text) => HeaderValue::from_str(&self.encoding.encode(&text)?),
                ClaimText::Many(members) => HeaderValue::from_str(&self.join(&members)?),
            };
            let value = value.map_err(|_| HeaderError::Unsendable)?;
            rendered.push((field.name.clone(), value));
        }
        Ok(rendered)
    }
}

impl ClaimHeaders {
    /// The members, told apart by the separator: in one that holds it, or ends where it could begin, its characters are
    /// percent-encoded, or the request is refused. Otherwise a member `a,b` would be the members `a` and `b`.
    fn join(&self, members: &[Cow<'_, str>]) -> Result<String, HeaderError> {
        let separator: &str = &self.separator;
        let mut joined = String::new();
        for (place, member) in members.iter().enumerate() {
            let mut encoded = self.encoding.encode(member)?.into_owned();
            if runs_into(&encoded, separator) {
                if self.encoding == HeaderEncoding::Refuse {
                    return Err(HeaderError::Unsendable);
                }
                encoded = percent(&encoded, separator);
            }
            if place > 0 {
                joined.push_str(separator);
            }
            joined.push_str(&encoded);
            if joined.len() > VALUE_BYTES_MAX {
                return Err(HeaderError::TooLong);
            }
        }
        Ok(joined)
    }
}

// === impl HeaderEncoding ===

impl HeaderEncoding {
    fn encode(self, text: &str) -> Result<Cow<'_, str>, HeaderError> {
        if text.len() > VALUE_BYTES_MAX {
            return Err(HeaderError::TooLong);
        }
        // White space at either end would be lost on the way (RFC 9110 section 5.5).
        let trimmed = text.trim_matches(' ').len() == text.len();
        let plain = |byte: u8| matches!(byte, b' '..=b'~') && (byte != b'%' || self == Self::Refuse);
        if trimmed && text.bytes().all(plain) {
            return Ok(text.into());
        }
        if self == Self::Refuse {
            return Err(HeaderError::Unsendable);
        }
        let mut encoded = String::with_capacity(text.len() + 16);
        for byte in text.bytes() {
            let plain = plain(byte) && (byte != b' ' || trimmed);
            push_byte(&mut encoded, byte, plain);
        }
        if encoded.len() > VALUE_BYTES_MAX {
            Err(HeaderError::TooLong)
        } else {
            Ok(encoded.into())
        }
    }
}

/// Whether whoever looks for the separator behind the member would find it earlier: in the member, or across its end
/// (`|` before `||`).
fn runs_into(member: &str, separator: &str) -> bool {
    let across = |cut: usize| {
        separator
            .split_at_checked(cut)
            .is_some_and(|(begin, end)| separator.starts_with(end) && member.ends_with(begin))
    };
    !separator.is_empty() && (member.contains(separator) || (1..separator.len()).any(across))
}

/// Every byte that the separator has as `%XX`.
fn percent(member: &str, separator: &str) -> String {
    member.bytes().fold(String::new(), |mut encoded, byte| {
        push_byte(&mut encoded, byte, !separator.as_bytes().contains(&byte));
        encoded
    })
}

fn push_byte(encoded: &mut String, byte: u8, plain: bool) {
    if plain {
        encoded.push(char::from(byte));
    } else {
        // Writing to a String does not fail.
        let _ = write!(encoded, "%{byte:02X}");
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
            let shown = value.as_deref().map_err(|error| *error);
            assert_eq!(shown, expected, "{text:?} {encoding:?}");
        }
    }

    #[test]
    fn no_member_passes_for_two() {
        use HeaderEncoding::{Percent, Refuse};
        for (separator, members, encoding, expected) in [
            (",", &["cook", "waiter"][..], Percent, Ok("cook,waiter")),
            (",", &["cook,admin"], Percent, Ok("cook%2Cadmin")),
            (",", &["cook,admin"], Refuse, Err(HeaderError::Unsendable)),
            (", ", &["a, b", "c"], Percent, Ok("a%2C%20b, c")),
            (" ", &["a b", "c"], Percent, Ok("a%20b c")),
            ("|", &["100%", "|"], Percent, Ok("100%25|%7C")),
            ("", &["a", "b"], Percent, Ok("ab")),
            (",", &[], Percent, Ok("")),
            (",", &["a\nb", "c"], Percent, Ok("a%0Ab,c")),
            ("||", &["a|", "b"], Percent, Ok("a%7C||b")),
            ("||", &["a|", "b"], Refuse, Err(HeaderError::Unsendable)),
            ("||", &["a", "|b"], Percent, Ok("a|||b")),
            ("-+-", &["a-+", "b"], Percent, Ok("a%2D%2B-+-b")),
            (", ", &["a,", "b"], Percent, Ok("a,, b")),
        ] {
            let headers = ClaimHeaders {
                fields: Vec::new(),
                separator: separator.into(),
                encoding,
            };
            let members: Vec<Cow<'_, str>> = members.iter().map(|member| (*member).into()).collect();
            assert_eq!(
                headers.join(&members).as_deref().map_err(|error| *error),
                expected,
                "{separator} {members:?}"
            );
        }
    }

    #[test]
    fn names_that_servers_fold_are_one_name() {
        for name in ["X-User", "x_user", "X.User", "x-user", "X!USER"] {
            assert_eq!(canonical_header(name), "x-user");
        }
    }
}
