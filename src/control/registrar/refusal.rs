//! Why an operation does not come about: a closed set, of which the HTTP side makes problems.
//! A refusal never holds a secret, so it may be shown to whoever asked.

use crate::control::state::StoreError;

/// Why not.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// There is no such thing.
    #[error("there is no {what} `{id}`")]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// Its id.
        id: String,
    },
    /// A member of the request breaks a rule.
    #[error("`{member}` {rule}")]
    Invalid {
        /// Which.
        member: &'static str,
        /// The rule; completes the sentence.
        rule: String,
    },
    /// It is there already.
    #[error("there is already {what} `{id}`")]
    Exists {
        /// What, with its article.
        what: &'static str,
        /// Its id.
        id: String,
    },
    /// It contradicts something that is there.
    #[error("{0}")]
    Conflict(String),
    /// It is declared in the configuration, which alone can change it.
    #[error("the {what} `{id}` is declared in the configuration; change it there")]
    ReadOnly {
        /// What.
        what: &'static str,
        /// Its id.
        id: String,
    },
    /// The record has changed since it was read.
    #[error("it has changed since it was read; read it again")]
    Stale,
    /// An idempotency key was used for another request.
    #[error("this `Idempotency-Key` was used for another request")]
    KeyReused,
    /// Others change things faster than this can be judged.
    #[error("too many changes at once; try again")]
    Busy,
    /// The store says no.
    #[error("{0}")]
    Store(#[from] StoreError),
}

// === impl Refusal ===

impl Refusal {
    /// A member breaks a rule.
    pub(super) fn invalid(member: &'static str, rule: impl Into<String>) -> Self {
        Self::Invalid {
            member,
            rule: rule.into(),
        }
    }

    /// There is no such thing.
    pub(super) fn not_found(what: &'static str, id: &str) -> Self {
        // It came from outside, and may be as long as a request.
        let id = id.chars().filter(|c| !c.is_control()).take(80).collect();
        Self::NotFound { what, id }
    }
}
