//! Names as types, so that a plan is never looked up with an issuer's name.
//!
//! Each is an `Arc<str>`: cloning one for a log record or a permit costs a reference count, no allocation. Names of
//! APIs, plans, upstreams and applications are written by operators and appear in URLs, metrics and logs, so their
//! alphabet is small ([`parse_name`]); an issuer's name is whatever its tokens say in `iss`, byte for byte.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// The longest operator-given name, in bytes: it becomes a metric label and part of keys.
pub const NAME_BYTES_MAX: usize = 64;

/// Why a text is no name. Its `Display` completes the sentence "the name …".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Empty.
    #[error("is empty")]
    Empty,
    /// More than [`NAME_BYTES_MAX`] bytes.
    #[error("is longer than 64 bytes")]
    TooLong,
    /// A character outside the alphabet, or a first character that is no letter or digit.
    #[error("may hold only letters, digits, `.`, `_` and `-`, and begins with a letter or digit")]
    Alphabet,
}

/// Accepts `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`.
///
/// # Errors
/// Says which rule the text breaks.
pub fn parse_name(text: &str) -> Result<&str, NameError> {
    let Some(first) = text.bytes().next() else {
        return Err(NameError::Empty);
    };
    if text.len() > NAME_BYTES_MAX {
        return Err(NameError::TooLong);
    }
    let alphabet = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if !first.is_ascii_alphanumeric() || !text.bytes().all(alphabet) {
        return Err(NameError::Alphabet);
    }
    Ok(text)
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $type(Arc<str>);

        impl $type {
            /// Takes the text as it is; whoever accepts text from outside judges it first.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name!(
    /// An API's name, unique in a configuration.
    ApiName
);
name!(
    /// A plan's name, unique in its API.
    PlanName
);
name!(
    /// A plan in all of the configuration: `api/plan`. Names hold no `/`, so two plans never share an id.
    PlanId
);
name!(
    /// An issuer's name: exactly the `iss` of its tokens.
    IssuerName
);
name!(
    /// An upstream's name.
    UpstreamName
);
name!(
    /// An application's id.
    ApplicationId
);

// === impl PlanId ===

impl PlanId {
    /// The id of `plan` in `api`.
    pub fn of(api: &str, plan: &str) -> Self {
        Self::new(format!("{api}/{plan}"))
    }

    /// The name of its API.
    pub fn api(&self) -> &str {
        self.as_str().split_once('/').map_or("", |(api, _)| api)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_a_small_alphabet_and_a_bound() {
        for good in ["a", "orders", "orders-v2", "9.x_y", &"n".repeat(64)] {
            assert_eq!(parse_name(good), Ok(good));
        }
        for (bad, error) in [
            ("", NameError::Empty),
            (&"n".repeat(65), NameError::TooLong),
            ("-", NameError::Alphabet),
            ("a/b", NameError::Alphabet),
            ("a b", NameError::Alphabet),
            ("é", NameError::Alphabet),
            ("a\n", NameError::Alphabet),
        ] {
            assert_eq!(parse_name(bad), Err(error), "{bad:?}");
        }
    }
}
