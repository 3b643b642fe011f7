//! An API key in a header field or a parameter of the query.
//!
//! It is found by the same rules as tokens are: what is there twice, or under a name that somebody behind us might fold,
//! is refused. Its text is not judged here: one that can be no key is looked up like any other, so that all keys that are
//! no good are refused alike.

use std::borrow::Cow;
use std::fmt;

use http::HeaderMap;

use super::{CredentialError, Source};

/// An API key, and where it was.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey<'r> {
    /// Visible ASCII, or empty where it was anything else.
    pub(super) text: Cow<'r, str>,
    /// The place.
    pub source: &'r Source,
}

/// Finds the one API key in these places.
///
/// # Errors
/// [`CredentialError::Several`], and [`CredentialError::Malformed`] for a name in another spelling.
pub fn extract_key<'r>(
    headers: &'r HeaderMap,
    query: Option<&'r str>,
    sources: impl Iterator<Item = &'r Source>,
) -> Result<Option<ApiKey<'r>>, CredentialError> {
    let mut found = None;
    for source in sources {
        let Some(text) = source.find_text(headers, query)? else {
            continue;
        };
        if found.replace(ApiKey { text, source }).is_some() {
            return Err(CredentialError::Several);
        }
    }
    Ok(found)
}

// === impl ApiKey ===

impl ApiKey<'_> {
    /// What the caller says is a key.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// Never the key.
impl fmt::Debug for ApiKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey")
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}
