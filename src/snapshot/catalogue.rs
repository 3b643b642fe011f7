//! Every API with every plan as it is written down, also those that no caller can see.
//! Requests look at what is on offer; who subscribes an application must know what is not, too, and why.

use super::apis::ApiDraft;
use crate::api::Security;
use crate::config::Validation;
use crate::id::{ApiName, PlanId, PlanName};

/// One API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: ApiName,
    /// Its plans, in the order written.
    pub plans: Vec<ListedPlan>,
}

/// One plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedPlan {
    /// Its id in all of the configuration.
    pub id: PlanId,
    /// Its name in its API.
    pub name: PlanName,
    /// The kind of credential it asks for.
    pub security: Security,
    /// A new subscription is accepted without anybody's doing.
    pub accepts_by_itself: bool,
}

pub(super) fn of(drafts: &[ApiDraft]) -> Vec<Listed> {
    let listed = drafts.iter().map(|api| Listed {
        name: ApiName::new(api.name.value.as_str()),
        plans: api
            .plans
            .iter()
            .map(|plan| ListedPlan {
                id: PlanId::of(&api.name.value, &plan.name.value),
                name: PlanName::new(plan.name.value.as_str()),
                security: plan.security,
                accepts_by_itself: plan.validation == Validation::Auto,
            })
            .collect(),
    });
    listed.collect()
}
