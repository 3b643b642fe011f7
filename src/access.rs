//! The decision: may this request pass, and on what terms? [`evaluate`] is the one function that a request's fate
//! depends on; its stages stand in the order in which they happen, one line each.
//!
//! It is synchronous and pure: no await, no lock, no clock, no I/O, no log, no metric. What it needs it borrows for the
//! length of one request ([`DataPlane`], [`RequestView`]), the time is an argument, and what it finds it returns: a
//! [`Permit`], which cannot be made in any other way, or a [`Denial`] that says why not. Closed by default: whatever is
//! not positively found is denied.

mod answer;
mod denial;
mod observer;
mod reasons;
#[cfg(test)]
mod tests;
mod view;

use std::sync::Arc;

pub use answer::{Answer, Challenge, Code, describe};
pub use denial::{Cause, Denial, RequestError};
pub use observer::{Observer, Stage};
pub use reasons::describe_reasons;
pub use view::RequestView;

use crate::api::{Accepted, Api, OfferedPlan, Plan, RenderedHeaders, Route};
use crate::authorization::authorize;
use crate::credential::{Credential, CredentialError};
use crate::identity::Identity;
use crate::snapshot::Snapshot;
use crate::subscription::{Application, Index, Subscription, SubscriptionError};
use crate::time::UnixTime;
use crate::token::{Key, Scratch, TokenError, UnverifiedToken};

/// What a decision reads: one snapshot from beginning to end, and the living index. Keys hang on the snapshot's
/// issuers.
#[derive(Debug, Clone, Copy)]
pub struct DataPlane<'p> {
    /// Routes, APIs, plans, issuers.
    pub snapshot: &'p Snapshot,
    /// Applications and subscriptions.
    pub index: &'p Index,
}

/// The request may pass. Holding one is the proof: only [`evaluate`] makes it.
///
/// ```compile_fail
/// fn forge(permit: tollgate::access::Permit) -> tollgate::access::Permit {
///     tollgate::access::Permit { caller: None, ..permit }
/// }
/// ```
#[derive(Debug)]
pub struct Permit {
    api: Arc<Api>,
    route: Arc<Route>,
    plan: Arc<Plan>,
    caller: Option<Caller>,
    headers: RenderedHeaders,
}

/// Who is calling, proven.
#[derive(Debug)]
pub struct Caller {
    /// After mapping.
    pub identity: Arc<Identity>,
    /// The key that vouched for it.
    pub key: Arc<Key>,
    /// The application, if one is known by the client id.
    pub application: Option<Arc<Application>>,
    /// The subscription in force, if the plan asks for one.
    pub subscription: Option<Arc<Subscription>>,
}

/// The caller's plan and agreement.
struct Agreement {
    plan: Arc<Plan>,
    application: Option<Arc<Application>>,
    subscription: Option<Arc<Subscription>>,
}

/// Decides.
///
/// # Errors
/// A [`Denial`] with the first stage's reason that fails.
pub fn evaluate(
    plane: &DataPlane<'_>,
    request: &RequestView<'_>,
    now: UnixTime,
    observer: &mut impl Observer,
) -> Result<Permit, Box<Denial>> {
    let found = route(plane, request)?;
    observer.stage(Stage::Route);
    let credential = credential(&found, request)?;
    observer.stage(Stage::Credential);
    let (plan, caller) = match credential {
        Credential::None => (keyless(&found)?, None),
        Credential::Bearer(token) => {
            let mut scratch = Scratch::default();
            let verified = verify(&found, token, &mut scratch, now, observer)?;
            observer.stage(Stage::Token);
            let identity = identify(&found, &verified)?;
            observer.stage(Stage::Identity);
            let agreement = agree(plane, &found, &verified, &identity, now)?;
            observer.stage(Stage::Subscription);
            (
                Arc::clone(&agreement.plan),
                Some(caller(verified, identity, agreement)),
            )
        }
    };
    demand(&found, &plan, caller.as_ref())?;
    observer.stage(Stage::Authorization);
    let headers = render(&found, &plan, caller.as_ref())?;
    Ok(Permit {
        api: Arc::clone(found.api),
        route: Arc::clone(found.route),
        plan,
        caller,
        headers,
    })
}

/// What the stages after the first share.
struct Found<'p> {
    api: &'p Arc<Api>,
    route: &'p Arc<Route>,
}

/// A token that passed, and who accepts it.
struct Verified<'p, 't> {
    accepted: &'p Accepted,
    token: crate::token::VerifiedToken<'t>,
}

/// Stage 1: host, path and method to a route; an API without a plan on offer is as good as none.
fn route<'p>(plane: &DataPlane<'p>, request: &RequestView<'_>) -> Result<Found<'p>, Box<Denial>> {
    use crate::route::NotFound;
    match plane
        .snapshot
        .routes
        .find(request.host, request.path, request.method)
    {
        Ok(found) if found.api.plans.is_empty() => Err(Denial::new(Cause::RouteNotFound)),
        Ok(found) => Ok(Found {
            api: found.api,
            route: found.route,
        }),
        Err(NotFound::Method { api, .. }) if api.plans.is_empty() => Err(Denial::new(Cause::RouteNotFound)),
        Err(NotFound::Method { api, allow }) => {
            Err(Denial::new(Cause::MethodNotAllowed { allow: allow.into() }).at(api))
        }
        Err(NotFound::Route) => Err(Denial::new(Cause::RouteNotFound)),
    }
}

/// Stages 2 and 3: what the request carries, and whether a plan on offer asks for it.
fn credential<'r>(found: &Found<'_>, request: &RequestView<'r>) -> Result<Credential<'r>, Box<Denial>> {
    let denied = |error| Err(Denial::new(Cause::Credential(error)).at(found.api));
    match crate::credential::extract(request.headers) {
        Ok(Credential::None) if found.api.plans.keyless().is_none() => denied(CredentialError::Missing),
        Ok(Credential::Bearer(_)) if !found.api.plans.offers().bearer => denied(CredentialError::NotAccepted),
        Ok(credential) => Ok(credential),
        Err(error) => denied(error),
    }
}

/// The plan for callers who present nothing.
fn keyless(found: &Found<'_>) -> Result<Arc<Plan>, Box<Denial>> {
    let missing = || Denial::new(Cause::Credential(CredentialError::Missing)).at(found.api);
    found.api.plans.keyless().map(Arc::clone).ok_or_else(missing)
}

/// Stage 4: the token, against the rules and keys of the issuer that it claims to come from.
fn verify<'p, 't>(
    found: &Found<'p>,
    token: &'t str,
    scratch: &'t mut Scratch,
    now: UnixTime,
    observer: &mut impl Observer,
) -> Result<Verified<'p, 't>, Box<Denial>> {
    let denied = |error| Denial::new(Cause::Token(error)).at(found.api);
    let unverified = UnverifiedToken::parse(token, scratch).map_err(denied)?;
    let claimed = unverified.claimed_issuer().map_err(denied)?;
    let accepted = found
        .api
        .plans
        .for_issuer(claimed)
        .ok_or_else(|| denied(TokenError::IssuerUnknown))?;
    let issuer = &accepted.issuer;
    observer.issuer(issuer);
    let unavailable = || Denial::new(Cause::KeysUnavailable).at(found.api).by(issuer);
    let keys = issuer.keys(now).ok_or_else(unavailable)?;
    let keys = keys.set().ok_or_else(unavailable)?;
    let audience_accepted = |audience: crate::token::Audience<'_>| {
        accepted.plans.iter().any(|plan| plan.audiences.accept(audience))
    };
    let token = unverified
        .verify(&issuer.rules, keys, now, audience_accepted, observer)
        .map_err(|error| denied(error).by(issuer))?;
    Ok(Verified { accepted, token })
}

/// Stage 5: who is calling.
fn identify(found: &Found<'_>, verified: &Verified<'_, '_>) -> Result<Arc<Identity>, Box<Denial>> {
    let issuer = &verified.accepted.issuer;
    let identity = verified.accepted.mapping.apply(&issuer.name, &verified.token);
    identity
        .map(Arc::new)
        .map_err(|error| Denial::new(Cause::Identity(error)).at(found.api).by(issuer))
}

/// Stage 6: the first plan, in the order written, whose audience the token has and to which the caller has an agreement
/// in force. If there is none, the most telling refusal answers: that of a subscription which exists.
fn agree(
    plane: &DataPlane<'_>,
    found: &Found<'_>,
    verified: &Verified<'_, '_>,
    identity: &Arc<Identity>,
    now: UnixTime,
) -> Result<Agreement, Box<Denial>> {
    let client = identity.client_id.as_deref();
    let application =
        client.and_then(|client_id| plane.index.application(identity.issuer.as_str(), client_id));
    let audience = verified.token.audience();
    let mut refusal: Option<(SubscriptionError, &Arc<Plan>)> = None;
    for OfferedPlan { plan, audiences } in &verified.accepted.plans {
        if !audiences.accept(audience) {
            continue;
        }
        match agreement(plane, application.as_ref(), plan, now) {
            Ok(subscription) => {
                return Ok(Agreement {
                    plan: Arc::clone(plan),
                    application,
                    subscription,
                });
            }
            Err(error) => match refusal {
                Some((SubscriptionError::NotFound, _)) | None => refusal = Some((error, plan)),
                Some(_) => {}
            },
        }
    }
    let (error, plan) = refusal.map_or((SubscriptionError::NotFound, None), |(error, plan)| {
        (error, Some(plan))
    });
    let mut denial = Denial::new(Cause::Subscription(error))
        .at(found.api)
        .by(&verified.accepted.issuer);
    denial.plan = plan.map(Arc::clone);
    denial.identity = Some(Arc::clone(identity));
    denial.application = application.map(|application| application.id.clone());
    Err(denial)
}

/// What one plan says to one application.
fn agreement(
    plane: &DataPlane<'_>,
    application: Option<&Arc<Application>>,
    plan: &Plan,
    now: UnixTime,
) -> Result<Option<Arc<Subscription>>, SubscriptionError> {
    if let Some(application) = application {
        application.in_good_standing()?;
    }
    if !plan.subscription_required {
        return Ok(None);
    }
    let application = application.ok_or(SubscriptionError::NotFound)?;
    let subscription = plane
        .index
        .subscription(&application.id, &plan.id)
        .ok_or(SubscriptionError::NotFound)?;
    subscription.in_force(now)?;
    Ok(Some(subscription))
}

fn caller(verified: Verified<'_, '_>, identity: Arc<Identity>, agreement: Agreement) -> Caller {
    let Agreement {
        plan: _,
        application,
        subscription,
    } = agreement;
    Caller {
        identity,
        key: Arc::clone(verified.token.key()),
        application,
        subscription,
    }
}

/// Stage 7: what the route demands.
fn demand(found: &Found<'_>, plan: &Arc<Plan>, caller: Option<&Caller>) -> Result<(), Box<Denial>> {
    let has_scope = |scope: &str| caller.is_some_and(|caller| caller.identity.has_scope(scope));
    authorize(&found.route.requirements, has_scope).map_err(|error| {
        let cause = Cause::Authorization {
            error,
            route: Arc::clone(found.route),
        };
        Denial::new(cause).at(found.api).known(plan, caller)
    })
}

/// Last: the caller's claims as the upstream will read them.
fn render(
    found: &Found<'_>,
    plan: &Arc<Plan>,
    caller: Option<&Caller>,
) -> Result<RenderedHeaders, Box<Denial>> {
    let Some(caller) = caller else {
        return Ok(RenderedHeaders::new());
    };
    found.api.claim_headers.render(&caller.identity).map_err(|error| {
        Denial::new(Cause::Header(error))
            .at(found.api)
            .known(plan, Some(caller))
    })
}

// === impl Permit ===

impl Permit {
    /// The API.
    pub const fn api(&self) -> &Arc<Api> {
        &self.api
    }

    /// The route.
    pub const fn route(&self) -> &Arc<Route> {
        &self.route
    }

    /// The plan under which the request passes.
    pub const fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Who is calling; nobody under a keyless plan.
    pub const fn caller(&self) -> Option<&Caller> {
        self.caller.as_ref()
    }

    /// The caller's claims as header fields.
    pub const fn headers(&self) -> &RenderedHeaders {
        &self.headers
    }
}
