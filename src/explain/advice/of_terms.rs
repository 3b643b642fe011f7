//! What plans and routes ask for beyond a credential: rules, resources, claims and audiences.
//! The claims that are lacking are named here; a caller is never told.

use super::{Advice, Case};
use crate::access::{Denial, PlanOutcome};
use crate::authorization::{AuthorizationError, RequiredClaim, ResourceError};
use crate::explain::words;

// === impl Case ===

impl Case<'_> {
    /// No plan's rule holds: the first that was passed over is shown.
    pub(super) fn of_selection(&self) -> Advice {
        let api = self.api();
        let plans = self.record.plans.iter();
        let passed_over: Vec<&str> = plans
            .filter(|(_, outcome, _)| *outcome == PlanOutcome::NotSelected)
            .map(|(plan, _, _)| plan.name.as_str())
            .collect();
        let first = passed_over.first();
        let place = first.and_then(|plan| self.cites.plan(api, plan, "selection_rule"));
        let names = words::list(&passed_over);
        Advice::new(
            place,
            format!("the selection rules of these do not hold: {names}"),
        )
    }

    pub(super) fn of_resource(&self, error: &ResourceError, denial: &Denial) -> Advice {
        let Some(plan) = &denial.plan else {
            return Advice::default();
        };
        let name = plan.name.as_str();
        let place = self.cites.plan(self.api(), name, "resources");
        let hint = match error {
            ResourceError::Forbidden => format!("the plan {name} does not include this path and method"),
            ResourceError::Method { allow } => format!("at this path the plan {name} includes {allow}"),
        };
        Advice::new(place, hint)
    }

    pub(super) fn of_authorization(&self, error: AuthorizationError, denial: &Denial) -> Advice {
        match error {
            AuthorizationError::InsufficientScope => self.of_scopes(),
            AuthorizationError::ClaimRequired => self.of_claims(denial),
            AuthorizationError::AudienceRequired => {
                let route = self.record.route.as_ref();
                let place = route.and_then(|route| self.cites.route(self.api(), route.index, "audiences"));
                let accepted = route.map_or(&[][..], |route| &route.requirements.audiences);
                let hint = format!("the token must be for one of these: {}", words::list(accepted));
                Advice::new(place, hint)
            }
        }
    }

    fn of_claims(&self, denial: &Denial) -> Advice {
        let (Some(plan), Some(route)) = (&denial.plan, &self.record.route) else {
            return Advice::default();
        };
        let (api, name) = (self.api(), plan.name.as_str());
        let of_plan = self.lacking(&plan.claims);
        let (place, lacking) = match of_plan.is_empty() {
            false => (self.cites.plan(api, name, "claims"), of_plan),
            true => {
                let place = self.cites.route(api, route.index, "claims");
                (place, self.lacking(&route.requirements.claims))
            }
        };
        let lacking = words::list(&lacking);
        Advice::new(
            place,
            format!("absent, or with none of the values that are asked for: {lacking}"),
        )
    }

    /// The names of the claims that the caller does not have as they are demanded.
    fn lacking(&self, claims: &[RequiredClaim]) -> Vec<String> {
        let identity = self.record.caller.as_ref().map(|caller| &caller.identity);
        let accepted = identity
            .zip(self.record.api.as_ref())
            .and_then(|(identity, api)| api.plans.for_issuer(identity.issuer.as_str(), self.now));
        let name = |claim: &RequiredClaim| {
            let path = accepted.and_then(|accepted| accepted.mapping.kept.get(claim.place));
            path.map_or("any claim", |path| path.as_str()).to_owned()
        };
        let lacking = claims.iter().filter(|claim| {
            let value = identity.and_then(|identity| identity.claim(claim.place));
            !claim.is_met_by(value)
        });
        lacking.map(name).collect()
    }
}
