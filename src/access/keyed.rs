//! The way of a request with an API key. The key leads to its plan, so there is nothing to choose.
//!
//! Every key that is no good is refused alike, whatever the reason: who guesses must not learn that a key was one. What
//! happens to the caller afterwards, that the application is suspended or the subscription paused, is no secret from
//! somebody who has the key.

use std::sync::Arc;

use super::shown::Shown;
use super::{Cause, DataPlane, Denial, Fact, Found, Observer, PlanOutcome, RequestView, agreement};
use crate::api::Plan;
use crate::credential;
use crate::subscription::{ApiKey, ApiKeyError, Application, RefusedKey, Subscription};
use crate::time::UnixTime;

/// A good key for a plan on offer, and whose it is.
pub(super) struct Recognised<'p> {
    pub(super) plan: &'p Arc<Plan>,
    pub(super) key: Arc<ApiKey>,
    pub(super) application: Arc<Application>,
}

/// Stages 3 and 4 for a key: it is good, and for a plan of this API that asks for keys.
pub(super) fn recognise<'p>(
    plane: &DataPlane<'_>,
    found: &Found<'p>,
    shown: &credential::ApiKey<'_>,
    now: UnixTime,
    observer: &mut impl Observer,
) -> Result<Recognised<'p>, Box<Denial>> {
    let refused = |error, key: Option<Arc<ApiKey>>| {
        let mut denial = Denial::new(Cause::ApiKey(error)).at(found.api).when(now);
        denial.application = key.map(|key| key.application.clone());
        denial
    };
    let known = plane.index.api_key(shown.text(), now);
    let (key, application) = known.map_err(|RefusedKey { error, key }| refused(error, key))?;
    let mut plans = found.api.plans.api_key(now);
    let Some(plan) = plans.find(|plan| plan.id == key.plan) else {
        return Err(refused(ApiKeyError::OtherPlan, Some(key)));
    };
    observer.found(Fact::ApiKey(&key));
    observer.found(Fact::Application(Some(&application)));
    Ok(Recognised {
        plan,
        key,
        application,
    })
}

/// Stage 6 for a key: its plan is for this request, and its subscription is in force.
pub(super) fn agree(
    plane: &DataPlane<'_>,
    found: &Found<'_>,
    recognised: &Recognised<'_>,
    request: &RequestView<'_>,
    now: UnixTime,
    observer: &mut impl Observer,
) -> Result<Option<Arc<Subscription>>, Box<Denial>> {
    let Recognised {
        plan, application, ..
    } = recognised;
    let refused = |cause| {
        let mut denial = Denial::new(cause).at(found.api);
        denial.plan = Some(Arc::clone(plan));
        denial.application = Some(application.id.clone());
        denial
    };
    if !Shown(None).selects(plan, request, found.path) {
        let outcome = PlanOutcome::NotSelected;
        observer.found(Fact::Plan { plan, outcome });
        return Err(refused(Cause::PlanNotSelected));
    }
    let agreed = agreement(plane, Ok(Some(application)), plan, now, observer);
    let outcome = PlanOutcome::of(&agreed);
    observer.found(Fact::Plan { plan, outcome });
    agreed.map_err(|error| refused(Cause::Subscription(error)))
}
