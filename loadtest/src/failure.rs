//! One error: a sentence for the person who started the run.
//! Nobody handles failures of a load test but by reading them, so there is nothing to match on.

use std::fmt::Display;

/// Ends the run.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Failure(String);

pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// Errors of others, told with what was being done.
pub(crate) trait While<T> {
    fn during(self, what: impl Display) -> Result<T>;
}

impl Failure {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl<T, E: Display> While<T> for std::result::Result<T, E> {
    fn during(self, what: impl Display) -> Result<T> {
        self.map_err(|error| Failure(format!("{what}: {error}")))
    }
}
