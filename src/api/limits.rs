//! What callers may use of an API, and under which plan: limits that were judged, each beside where it is counted.
//!
//! What is counted belongs to none of these: it is older than the snapshot, and outlives it. So a limit that changes holds
//! for what was used before, too.

use std::sync::Arc;

use crate::limit::{Limits, Tally};

/// Limits of all callers together, and what they have used.
#[derive(Debug)]
pub struct Limited {
    /// How much there is.
    pub limits: Arc<Limits>,
    /// How much was used.
    pub tally: Arc<Tally>,
}

/// Limits of a plan that ask the same claims: of each subscription, caller or value of a claim.
#[derive(Debug)]
pub struct Part {
    /// How much there is, at the most.
    pub limits: Arc<Limits>,
    /// Under which name keys are counted: that of the plan, and that of the claim if there is one.
    pub scope: Box<str>,
    /// The place of the claim whose values are counted apart.
    pub key: Option<usize>,
    /// The place of the claim that says how many requests there are, at most so many as the limits say.
    pub requests: Option<usize>,
}
