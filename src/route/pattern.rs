//! What an operator publishes: a context path, path patterns below it, and methods.
//!
//! A pattern that could never match is a mistake, so each literal must be written as a request's path will arrive: in
//! the canonical form of [`normalise`]. Three kinds of segment are all there is, whole segments each; this is what
//! makes precedence explainable: literal before parameter before wildcard, from left to right.

use std::borrow::Cow;

use super::path::{PATH_SEGMENTS_MAX, PathPolicy, normalise};

#[cfg(test)]
mod tests;

/// The path under which an API lives: `/`, or `/orders/v2` without a trailing slash.
///
/// It matches at segment borders: `/orders` has `/orders`, `/orders/` and `/orders/x` below it, never `/ordersx`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ContextPath(Box<str>);

/// Why a text is no context path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ContextPathError {
    /// Not starting with `/`.
    #[error("a context path starts with `/`")]
    NotAbsolute,
    /// Ending in `/`, and not `/` itself.
    #[error("a context path does not end in `/`")]
    TrailingSlash,
    /// With `{`, `}` or `*`.
    #[error("a context path has no parameters and no wildcard")]
    Pattern,
    /// Not in the form in which requests arrive.
    #[error(
        "a context path must be written as it will be matched: normalised, at most {PATH_SEGMENTS_MAX} segments"
    )]
    NotCanonical,
}

/// A path pattern below a context path: `/menu`, `/menu/{id}`, `/files/{*rest}`, `/files/*`.
///
/// `{name}` matches one segment that is not empty. A wildcard matches one or more characters to the end of the path,
/// slashes included: `/files/*` has `/files/a` and `/files/a/b`, but neither `/files` nor `/files/`. A trailing slash
/// counts: `/menu` and `/menu/` are two patterns.
///
/// Equal patterns match the same paths: names of parameters do not count.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RoutePattern {
    segments: Box<[Segment]>,
}

/// One segment of a [`RoutePattern`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Segment {
    /// This text; empty for a trailing slash.
    Literal(Box<str>),
    /// Any segment that is not empty.
    Parameter,
    /// The rest of the path. Only ever the last.
    Wildcard,
}

/// Why a text is no path pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RoutePatternError {
    /// Not starting with `/`.
    #[error("a path pattern starts with `/`")]
    NotAbsolute,
    /// A brace or `*` inside a segment.
    #[error("`{{name}}`, `{{*name}}` and `*` must be whole segments")]
    PartialSegment,
    /// A name that is empty or not of letters, digits, `_` and `-`.
    #[error("a parameter is named with letters, digits, `_` and `-`")]
    Name,
    /// Something after a wildcard.
    #[error("a wildcard must be the last segment")]
    WildcardNotLast,
    /// A literal not in the form in which requests arrive.
    #[error(
        "a path pattern must be written as it will be matched: normalised, at most {PATH_SEGMENTS_MAX} segments"
    )]
    NotCanonical,
}

/// The methods of a route: every one, or a list.
///
/// Where GET is, HEAD is too (RFC 9110 section 9.3.2); so a route with GET and another with HEAD alone overlap.
///
/// "Every one" is meant literally: TRACE and CONNECT are refused before anything is routed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MethodSet {
    /// Sorted, without duplicates, never empty; `None` is every method.
    names: Option<Box<[Box<str>]>>,
}

/// Why a list is no set of methods. `index` is that of the method in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MethodSetError {
    /// A list without methods.
    #[error("no method is named")]
    Empty,
    /// Not a token (RFC 9110 section 5.6.2).
    #[error("not a method")]
    NotAToken {
        /// Which one.
        index: usize,
    },
    /// Methods are case-sensitive (RFC 9110 section 9.1); one in lower case is a mistake.
    #[error("methods are written in upper case")]
    LowerCase {
        /// Which one.
        index: usize,
    },
    /// TRACE and CONNECT are never passed on.
    #[error("TRACE and CONNECT are never routed")]
    NotRoutable {
        /// Which one.
        index: usize,
    },
}

/// Takes the first segment off `path`, which starts with `/`: `/a/b` is `a` and `/b`. `None` if nothing is left.
pub(super) fn split_segment(path: &str) -> Option<(&str, &str)> {
    let below = path.strip_prefix('/')?;
    below.split_at_checked(below.find('/').unwrap_or(below.len()))
}

fn is_canonical(path: &str) -> bool {
    matches!(normalise(path, PathPolicy::default()), Ok(Cow::Borrowed(_)))
}

// === impl ContextPath ===

impl ContextPath {
    /// Reads a context path.
    ///
    /// # Errors
    ///
    /// Any [`ContextPathError`].
    pub fn parse(text: &str) -> Result<Self, ContextPathError> {
        if !text.starts_with('/') {
            return Err(ContextPathError::NotAbsolute);
        }
        if text.contains(['{', '}', '*']) {
            return Err(ContextPathError::Pattern);
        }
        if !is_canonical(text) {
            return Err(ContextPathError::NotCanonical);
        }
        if text.len() > 1 && text.ends_with('/') {
            return Err(ContextPathError::TrailingSlash);
        }
        Ok(Self(text.into()))
    }

    /// The path as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The segments from the root; none for `/`.
    pub(super) fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|segment| !segment.is_empty())
    }
}

// === impl RoutePattern ===

impl RoutePattern {
    /// Reads a path pattern.
    ///
    /// # Errors
    ///
    /// Any [`RoutePatternError`].
    pub fn parse(text: &str) -> Result<Self, RoutePatternError> {
        let below = text.strip_prefix('/').ok_or(RoutePatternError::NotAbsolute)?;
        let mut segments = Vec::new();
        let mut texts = below.split('/').peekable();
        while let Some(text) = texts.next() {
            let is_last = texts.peek().is_none();
            let segment = Segment::parse(text)?;
            match segment {
                Segment::Wildcard if !is_last => return Err(RoutePatternError::WildcardNotLast),
                // Only a trailing slash leaves an empty segment.
                Segment::Literal(text) if text.is_empty() && !is_last => {
                    return Err(RoutePatternError::NotCanonical);
                }
                segment => segments.push(segment),
            }
        }
        if segments.len() > PATH_SEGMENTS_MAX {
            return Err(RoutePatternError::NotCanonical);
        }
        Ok(Self {
            segments: segments.into(),
        })
    }

    /// The same pattern without a slash at its end; `/` stays.
    #[must_use]
    pub fn without_trailing_slash(self) -> Self {
        match &*self.segments {
            [others @ .., Segment::Literal(last)] if last.is_empty() && !others.is_empty() => Self {
                segments: others.into(),
            },
            _ => self,
        }
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.segments
    }
}

// === impl Segment ===

impl Segment {
    fn parse(text: &str) -> Result<Self, RoutePatternError> {
        if text == "*" {
            return Ok(Self::Wildcard);
        }
        if let Some(inner) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
            let (segment, name) = match inner.strip_prefix('*') {
                Some(name) => (Self::Wildcard, name),
                None => (Self::Parameter, inner),
            };
            if name.contains(['{', '}', '*']) {
                return Err(RoutePatternError::PartialSegment);
            }
            let is_name = name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
            return if is_name && !name.is_empty() {
                Ok(segment)
            } else {
                Err(RoutePatternError::Name)
            };
        }
        if text.contains(['{', '}', '*']) {
            return Err(RoutePatternError::PartialSegment);
        }
        if !is_canonical(&format!("/{text}")) {
            return Err(RoutePatternError::NotCanonical);
        }
        Ok(Self::Literal(text.into()))
    }
}

// === impl MethodSet ===

impl MethodSet {
    /// Every method.
    pub const fn any() -> Self {
        Self { names: None }
    }

    /// Reads a list of methods. Order and duplicates do not matter.
    ///
    /// # Errors
    ///
    /// Any [`MethodSetError`]; an empty list is not every method.
    pub fn parse<'m>(methods: impl IntoIterator<Item = &'m str>) -> Result<Self, MethodSetError> {
        let mut names: Vec<Box<str>> = Vec::new();
        for (index, method) in methods.into_iter().enumerate() {
            if method.is_empty() || !method.bytes().all(is_token_byte) {
                return Err(MethodSetError::NotAToken { index });
            }
            if method.bytes().any(|byte| byte.is_ascii_lowercase()) {
                return Err(MethodSetError::LowerCase { index });
            }
            match method {
                "TRACE" | "CONNECT" => return Err(MethodSetError::NotRoutable { index }),
                "GET" => names.extend(["GET".into(), "HEAD".into()]),
                _ => names.push(method.into()),
            }
        }
        if names.is_empty() {
            return Err(MethodSetError::Empty);
        }
        names.sort_unstable();
        names.dedup();
        Ok(Self {
            names: Some(names.into()),
        })
    }

    /// Whether a request with `method` belongs to the route.
    pub fn contains(&self, method: &str) -> bool {
        match &self.names {
            None => true,
            Some(names) => names.iter().any(|name| **name == *method),
        }
    }

    /// Whether some method is in both.
    pub fn overlaps(&self, other: &Self) -> bool {
        match (&self.names, &other.names) {
            (Some(names), Some(_)) => names.iter().any(|name| other.contains(name)),
            _ => true,
        }
    }

    /// The methods by name, sorted; none if it is every method.
    pub(super) fn names(&self) -> &[Box<str>] {
        self.names.as_deref().unwrap_or_default()
    }
}

/// RFC 9110 section 5.6.2, `tchar`.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
