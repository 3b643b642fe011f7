//! Where in the claims something is: a name, a dotted path, or a JSON pointer.
//!
//! A bare name first matches a claim that is literally so named, URLs and dots included, and is then read as a dotted
//! path. A text that begins with `/` is always a pointer (RFC 6901).

use crate::token::json::Value;

/// A place in the claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimPath {
    text: Box<str>,
    steps: Vec<Box<str>>,
    pointer: bool,
}

// === impl ClaimPath ===

impl ClaimPath {
    /// Every text is some path; one that leads nowhere finds nothing.
    pub fn parse(text: &str) -> Self {
        let (pointer, steps) = match text.strip_prefix('/') {
            Some(rest) => (
                true,
                rest.split('/')
                    .map(|step| step.replace("~1", "/").replace("~0", "~").into())
                    .collect(),
            ),
            None => (false, text.split('.').map(Into::into).collect()),
        };
        Self {
            text: text.into(),
            steps,
            pointer,
        }
    }

    /// As the operator wrote it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Names of the claims of a token in which it may lead somewhere.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let first = self.steps().map(|(first, _)| first);
        self.literal().into_iter().chain(first)
    }

    /// The name that a claim may literally have.
    pub(super) fn literal(&self) -> Option<&str> {
        if self.pointer { None } else { Some(&self.text) }
    }

    /// The first step and the rest; nothing if a literal look-up has said it all.
    pub(super) fn steps(&self) -> Option<(&str, &[Box<str>])> {
        let (first, rest) = self.steps.split_first()?;
        if rest.is_empty() && !self.pointer {
            None
        } else {
            Some((first, rest))
        }
    }
}

/// Follows the steps through objects by name and arrays by index.
pub(super) fn descend<'c, 't>(value: &'c Value<'t>, steps: &[Box<str>]) -> Option<&'c Value<'t>> {
    steps.iter().try_fold(value, |value, step| match value {
        Value::Object(object) => object.get(step),
        Value::Array(members) => step.parse::<usize>().ok().and_then(|index| members.get(index)),
        _ => None,
    })
}
