//! Places beside `Authorization` where a plan may look for tokens: a header field, a cookie, a query parameter.
//!
//! Finding and removing are two readings of one text, and they must agree: what is removed is everything that could have
//! been found, and whatever an upstream could take for it. So both go by the same names, compared in the same way.

use std::borrow::Cow;
use std::fmt;

use http::header::HeaderName;
use http::{HeaderMap, HeaderValue};

use super::{CredentialError, cookie, header, is_token_byte, query};

/// A place beside `Authorization`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    kind: SourceKind,
    /// A header's in lower case; the others byte for byte.
    name: Box<str>,
}

/// What kind of place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SourceKind {
    /// A header field whose value is the token, or `Bearer` and the token.
    Header,
    /// A cookie (RFC 6265).
    Cookie,
    /// A parameter of the query (RFC 6750 section 2.3).
    Query,
}

/// Why a name cannot be that of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// A header's.
    #[error(
        "the name may hold only letters, digits and `-`: upstreams that fold names would take others for the same"
    )]
    HeaderName,
    /// A cookie's.
    #[error("the name is no cookie's (RFC 6265 section 4.1.1)")]
    CookieName,
    /// A parameter's.
    #[error("the name may hold only letters, digits, `-`, `.`, `_` and `~`")]
    QueryName,
}

// === impl Source ===

impl Source {
    /// A place of this name.
    ///
    /// # Errors
    /// The name is none for this kind of place.
    pub fn new(kind: SourceKind, name: &str) -> Result<Self, SourceError> {
        let name: Box<str> = match kind {
            SourceKind::Header => {
                let plain = name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
                let parsed = HeaderName::from_bytes(name.as_bytes()).ok().filter(|_| plain);
                parsed.ok_or(SourceError::HeaderName)?.as_str().into()
            }
            SourceKind::Cookie if name.is_empty() || !name.bytes().all(is_token_byte) => {
                return Err(SourceError::CookieName);
            }
            SourceKind::Query if name.is_empty() || !name.bytes().all(query::is_unreserved) => {
                return Err(SourceError::QueryName);
            }
            SourceKind::Cookie | SourceKind::Query => name.into(),
        };
        Ok(Self { kind, name })
    }

    /// What kind of place it is.
    pub const fn kind(&self) -> SourceKind {
        self.kind
    }

    /// Its name; a header's in lower case.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text there, if there is one, empty if it is anything but visible ASCII in one word.
    pub(super) fn find_text<'r>(
        &self,
        headers: &'r HeaderMap,
        query: Option<&'r str>,
    ) -> Result<Option<Cow<'r, str>>, CredentialError> {
        match (self.kind, query) {
            (SourceKind::Header, _) => Ok(header::find_text(&self.name, headers)?.map(Cow::Borrowed)),
            (SourceKind::Query, Some(query)) => match query::find(&self.name, query) {
                Err(CredentialError::Malformed) => Ok(Some(Cow::Borrowed(""))),
                found => found,
            },
            // No key is looked for in a cookie.
            (SourceKind::Query, None) | (SourceKind::Cookie, _) => Ok(None),
        }
    }

    /// The token there, if there is one.
    pub(super) fn find<'r>(
        &self,
        headers: &'r HeaderMap,
        query: Option<&'r str>,
    ) -> Result<Option<Cow<'r, str>>, CredentialError> {
        match self.kind {
            SourceKind::Header => Ok(header::find(&self.name, headers)?.map(Cow::Borrowed)),
            SourceKind::Cookie => Ok(cookie::find(&self.name, headers)?.map(Cow::Borrowed)),
            SourceKind::Query => match query {
                Some(query) => query::find(&self.name, query),
                None => Ok(None),
            },
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`", self.kind.name(), self.name)
    }
}

// === impl SourceKind ===

impl SourceKind {
    /// Every kind there is.
    pub const ALL: [Self; 3] = [Self::Header, Self::Cookie, Self::Query];

    /// The word for configuration and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Cookie => "cookie",
            Self::Query => "query",
        }
    }
}

/// Whether a field of this name is one of the places, in whatever spelling.
pub fn folds_to<'s>(name: &str, sources: impl IntoIterator<Item = &'s Source>) -> bool {
    of(SourceKind::Header, sources).any(|own| header::folds_to(name, own))
}

/// A `Cookie` field without the cookies that are places, all others byte for byte; empty if nothing else was in it.
/// Nothing if it holds none of them.
pub fn strip_cookies<'s>(
    field: &HeaderValue,
    sources: impl IntoIterator<Item = &'s Source> + Clone,
) -> Option<Vec<u8>> {
    cookie::strip(field.as_bytes(), |pair| {
        of(SourceKind::Cookie, sources.clone()).any(|name| cookie::is_named(pair, name))
    })
}

/// A query without the parameters that are places, all others byte for byte and in order. Nothing if it holds none of
/// them.
pub fn strip_query<'s>(query: &str, sources: impl IntoIterator<Item = &'s Source> + Clone) -> Option<String> {
    query::strip(query, |parameter| {
        of(SourceKind::Query, sources.clone()).any(|name| query::is_named(parameter, name))
    })
}

/// The names of the places of one kind.
fn of<'s>(kind: SourceKind, sources: impl IntoIterator<Item = &'s Source>) -> impl Iterator<Item = &'s str> {
    let of_kind = sources.into_iter().filter(move |source| source.kind == kind);
    of_kind.map(Source::name)
}
