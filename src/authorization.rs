//! Whether a caller may do *this*: predicates over who is calling and what the route demands, and nothing else.
//! Scopes are compared byte for byte (RFC 6749 section 3.3); nobody's scope implies another.

/// What a route demands of its callers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Requirements {
    scopes: Vec<Box<str>>,
    scope_match: ScopeMatch,
    /// The scopes as a challenge names them (RFC 6750 section 3).
    challenge: Box<str>,
}

/// How many of the scopes a caller needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ScopeMatch {
    /// One of them.
    #[default]
    Any,
    /// Each of them.
    All,
}

/// What a caller lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuthorizationError {
    /// Scopes ([`Requirements::scopes_text`] names them).
    InsufficientScope,
}

// === impl Requirements ===

impl Requirements {
    /// Demands these scopes; none: demands nothing.
    pub fn scopes(scopes: Vec<Box<str>>, scope_match: ScopeMatch) -> Self {
        let challenge = scopes.join(" ").into();
        Self {
            scopes,
            scope_match,
            challenge,
        }
    }

    /// How many of the demanded scopes are needed.
    pub const fn scope_match(&self) -> ScopeMatch {
        self.scope_match
    }

    /// The demanded scopes, separated by spaces.
    pub fn scopes_text(&self) -> &str {
        &self.challenge
    }
}

/// Judges a caller of whom `has_scope` knows the scopes.
///
/// # Errors
/// What the caller lacks.
pub fn authorize(
    requirements: &Requirements,
    has_scope: impl Fn(&str) -> bool,
) -> Result<(), AuthorizationError> {
    let mut scopes = requirements.scopes.iter();
    let sufficient = match requirements.scope_match {
        _ if requirements.scopes.is_empty() => true,
        ScopeMatch::Any => scopes.any(|scope| has_scope(scope)),
        ScopeMatch::All => scopes.all(|scope| has_scope(scope)),
    };
    if sufficient {
        Ok(())
    } else {
        Err(AuthorizationError::InsufficientScope)
    }
}

/// A scope token of RFC 6749 section 3.3: visible ASCII but `"` and `\`.
pub fn is_scope(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_needs_one_and_all_needs_each() {
        for (needed, scope_match, held, expected) in [
            (&[][..], ScopeMatch::Any, &[][..], true),
            (&[], ScopeMatch::All, &[], true),
            (&["a", "b"], ScopeMatch::Any, &["b"], true),
            (&["a", "b"], ScopeMatch::All, &["b"], false),
            (&["a", "b"], ScopeMatch::All, &["b", "a", "c"], true),
            (&["a"], ScopeMatch::Any, &["A"], false),
            (&["a"], ScopeMatch::Any, &[], false),
        ] {
            let requirements =
                Requirements::scopes(needed.iter().map(|s| (*s).into()).collect(), scope_match);
            let result = authorize(&requirements, |scope| held.contains(&scope));
            assert_eq!(result.is_ok(), expected, "{needed:?} {scope_match:?} {held:?}");
        }
    }

    #[test]
    fn a_scope_is_visible_ascii() {
        assert!(is_scope("menu:read"));
        for bad in ["", "a b", "a\"", "a\\", "é", "a\n"] {
            assert!(!is_scope(bad), "{bad:?}");
        }
    }
}
