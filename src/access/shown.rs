//! What a caller has shown, as demands and selection rules ask for it. Who is nobody has shown nothing: no scope, no
//! claim, no audience.

use super::{RequestView, Verdict};
use crate::api::Plan;
use crate::authorization::Evidence;
use crate::predicate::Facts;
use crate::token::Audience;
use crate::token::json::Value;

/// The verified token of a caller, or nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown<'c>(pub(super) Option<&'c Verdict>);

// === impl Shown ===

impl Shown<'_> {
    /// Whether a plan is for this request: it has no rule, or its rule holds. `path` is below the context path.
    pub(super) fn selects(self, plan: &Plan, request: &RequestView<'_>, path: &str) -> bool {
        let Some(rule) = &plan.selection_rule else {
            return true;
        };
        rule.holds(&Facts {
            method: request.method,
            path,
            headers: request.headers,
            client: request.client,
            claim: |place| self.0.and_then(|verdict| verdict.identity.claim(place)),
        })
    }
}

impl Evidence for Shown<'_> {
    fn has_scope(&self, scope: &str) -> bool {
        self.0.is_some_and(|verdict| verdict.identity.has_scope(scope))
    }

    fn claim(&self, place: usize) -> Option<&Value<'static>> {
        self.0.and_then(|verdict| verdict.identity.claim(place))
    }

    fn audience(&self) -> Audience<'_> {
        self.0
            .map_or(Audience::Absent, |verdict| verdict.audience.borrow())
    }
}
