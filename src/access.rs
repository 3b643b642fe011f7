//! The decision: may this request pass, and on what terms? [`evaluate`] is the one function that a request's fate
//! depends on; its stages stand in the order in which they happen, one line each.
//!
//! It is synchronous and pure: no await, no lock, no clock, no I/O, no log, no metric. What it needs it borrows for the
//! length of one request ([`DataPlane`], [`RequestView`]), the time is an argument, and what it finds it returns: a
//! [`Permit`], which cannot be made in any other way, or a [`Denial`] that says why not. Closed by default: whatever is
//! not positively found is denied.

mod answer;
mod caller;
mod denial;
mod forgery;
mod keyed;
mod limits;
mod observer;
mod opaque;
mod reasons;
mod revoked;
mod shown;
#[cfg(test)]
mod tests;
mod verdict;
mod view;

use std::net::IpAddr;
use std::sync::Arc;

pub use answer::{Answer, Challenge, Code, describe};
pub use caller::{Caller, Proof};
pub use denial::{Cause, Denial, RequestError, subscription_code};
pub use limits::{Counting, LimitClaimError};
pub use observer::{CacheResult, Fact, Observer, PlanOutcome, Stage};
pub use reasons::describe_reasons;
pub use revoked::RevokedBy;
pub use verdict::Verdict;
pub use view::RequestView;

use crate::api::{Accepted, Api, Plan, RenderedHeaders, Route};
use crate::authorization::{authorize, authorize_claims};
use crate::credential::{Bearer, Credential, CredentialError, Source};
use crate::issuer::Keys;
use crate::limit::{Forgeries, Usage};
use crate::revocation::Revocations;
use crate::snapshot::Snapshot;
use crate::subscription::{Application, Index, Subscription, SubscriptionError};
use crate::time::UnixTime;
use crate::token::{Audience, Cache, Key, Scratch, TokenDigest, TokenError, UnverifiedToken};
use shown::Shown;

/// A longer token is verified every time: what is kept of a token grows with it, and real ones have 1 to 2 KiB.
const REMEMBERED_BYTES_MAX: usize = 4096;
/// Nor is what takes more than this: mapping may make much of a short claim.
const REMEMBERED_WEIGHT_MAX: usize = 8192;

/// What a decision reads: one snapshot from beginning to end, and the living index. Keys hang on the snapshot's
/// issuers.
#[derive(Debug, Clone, Copy)]
pub struct DataPlane<'p> {
    /// Routes, APIs, plans, issuers.
    pub snapshot: &'p Snapshot,
    /// Applications and subscriptions.
    pub index: &'p Index,
    /// Tokens that were verified before.
    pub verdicts: &'p Cache<Arc<Verdict>>,
    /// What tokens that turned out to be no good have cost lately.
    pub forgeries: &'p Forgeries,
    /// What callers have used of their limits, and whether this decision is counted.
    pub counting: Counting<'p>,
    /// Tokens that operators have taken back.
    pub revocations: &'p Revocations,
}

/// The request may pass. Holding one is the proof: only [`evaluate`] makes it.
///
/// ```compile_fail
/// fn forge(permit: tollgate::access::Permit) -> tollgate::access::Permit {
///     tollgate::access::Permit { caller: None, ..permit }
/// }
/// ```
///
/// It says where API, route and plan are in the snapshot by which it was decided, and counts no references to them: all
/// requests of all threads would meet on those counts. [`Permit::under`] finds them again.
#[derive(Debug)]
pub struct Permit {
    generation: u64,
    api: usize,
    route: usize,
    plan: usize,
    caller: Option<Caller>,
    headers: RenderedHeaders,
    usage: Usage,
    decided_at: UnixTime,
}

/// A permit beside what it is for.
#[derive(Debug, Clone, Copy)]
pub struct Granted<'p> {
    /// The permit.
    pub permit: &'p Permit,
    /// The API.
    pub api: &'p Api,
    /// The route.
    pub route: &'p Route,
    /// The plan under which the request passes.
    pub plan: &'p Plan,
}

/// The caller's plan and agreement.
struct Agreement<'p> {
    plan: &'p Arc<Plan>,
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
    observer.found(Fact::Request(request));
    let found = route(plane, request, now)?;
    observer.found(Fact::Route {
        api: found.api,
        route: found.route,
    });
    observer.stage(Stage::Route);
    let credential = credential(&found, request)?;
    observer.found(Fact::Credential(&credential));
    observer.stage(Stage::Credential);
    let (plan, caller) = match credential {
        Credential::None => (keyless(&found, request, observer)?, None),
        Credential::Bearer(bearer) => {
            let authentic = authenticate(plane, &found, &bearer, request.client, observer)?;
            revoked::judge(plane, &found, &authentic, observer)?;
            observer.found(Fact::Caller(&authentic.verdict));
            observer.stage(Stage::Identity);
            let agreement = agree(plane, &found, &bearer, &authentic, request, observer)?;
            observer.stage(Stage::Subscription);
            let Agreement {
                plan,
                application,
                subscription,
            } = agreement;
            let Authentic {
                accepted: _,
                verdict,
                key,
            } = authentic;
            (
                plan,
                Some(Caller {
                    proof: Proof::Token { verdict, key },
                    source: bearer.source.map(Source::kind),
                    application,
                    subscription,
                }),
            )
        }
        Credential::ApiKey(shown) => {
            let recognised = keyed::recognise(plane, &found, &shown, now, observer)?;
            observer.stage(Stage::ApiKey);
            let subscription = keyed::agree(plane, &found, &recognised, request, now, observer)?;
            observer.stage(Stage::Subscription);
            (
                recognised.plan,
                Some(Caller {
                    proof: Proof::ApiKey(recognised.key),
                    source: Some(shown.source.kind()),
                    application: Some(recognised.application),
                    subscription,
                }),
            )
        }
    };
    demand(&found, plan, caller.as_ref(), request)?;
    observer.stage(Stage::Authorization);
    let headers = render(&found, plan, caller.as_ref())?;
    contain(&found, plan, caller.as_ref(), request)?;
    let usage = limits::take(plane, &found, plan, caller.as_ref(), request.client, observer)?;
    observer.stage(Stage::Limits);
    Ok(Permit {
        generation: plane.snapshot.generation,
        api: found.api.index,
        route: found.route.place,
        plan: plan.index,
        caller,
        headers,
        usage,
        decided_at: now,
    })
}

/// What the stages after the first share.
struct Found<'p> {
    api: &'p Arc<Api>,
    route: &'p Arc<Route>,
    /// The path below the context path.
    path: &'p str,
    /// The moment for which it is decided; plans are on offer at moments.
    now: UnixTime,
}

/// A token that passed, who accepts it, and the key that vouches for it.
struct Authentic<'p> {
    accepted: &'p Accepted,
    verdict: Arc<Verdict>,
    /// Nothing if the issuer was asked.
    key: Option<Arc<Key>>,
}

/// Stage 1: host, path and method to a route; an API without a plan on offer is as good as none.
fn route<'p>(
    plane: &DataPlane<'p>,
    request: &RequestView<'p>,
    now: UnixTime,
) -> Result<Found<'p>, Box<Denial>> {
    use crate::route::NotFound;
    match plane
        .snapshot
        .routes
        .find(request.host, request.path, request.method)
    {
        Ok(found) if !found.api.plans.any_on_offer(now) => Err(Denial::new(Cause::RouteNotFound)),
        Ok(found) => Ok(Found {
            api: found.api,
            route: found.route,
            path: found.rest,
            now,
        }),
        Err(NotFound::Method { api, .. }) if !api.plans.any_on_offer(now) => {
            Err(Denial::new(Cause::RouteNotFound))
        }
        Err(NotFound::Method { api, allow }) => {
            Err(Denial::new(Cause::MethodNotAllowed { allow: allow.into() }).at(api))
        }
        Err(NotFound::Route) => Err(Denial::new(Cause::RouteNotFound)),
    }
}

/// Stages 2 and 3: what the request carries, and whether a plan on offer asks for it. A token that a plan asks for
/// decides alone: a key beside it makes no bad token good.
fn credential<'r>(found: &Found<'r>, request: &RequestView<'r>) -> Result<Credential<'r>, Box<Denial>> {
    let denied = |error| {
        Denial::new(Cause::Credential(error))
            .at(found.api)
            .when(found.now)
    };
    let (plans, now) = (&found.api.plans, found.now);
    let bearer =
        crate::credential::extract(request.headers, request.query, plans.sources(now)).map_err(denied)?;
    let key = crate::credential::extract_key(request.headers, request.query, plans.key_sources(now));
    match (bearer, key.map_err(denied)?) {
        (bearer @ Credential::Bearer(_), _) if plans.take_bearer(now) => Ok(bearer),
        (_, Some(key)) => Ok(Credential::ApiKey(key)),
        (Credential::None, None) if plans.keyless(now).next().is_none() => {
            Err(denied(CredentialError::Missing))
        }
        (Credential::None, None) => Ok(Credential::None),
        (_, None) => Err(denied(CredentialError::NotAccepted)),
    }
}

/// The plan for callers who present nothing: the first, in the order written, whose rule holds. If there is none, a
/// credential helps only where a plan asks for one.
fn keyless<'p>(
    found: &Found<'p>,
    request: &RequestView<'_>,
    observer: &mut impl Observer,
) -> Result<&'p Arc<Plan>, Box<Denial>> {
    let plans = &found.api.plans;
    let mut selected = plans.keyless(found.now).filter(|plan| {
        let selected = Shown(None).selects(plan, request, found.path);
        if !selected {
            let outcome = PlanOutcome::NotSelected;
            observer.found(Fact::Plan { plan, outcome });
        }
        selected
    });
    selected.next().ok_or_else(|| {
        let cause = match plans.take_bearer(found.now) || plans.api_key(found.now).next().is_some() {
            true => Cause::Credential(CredentialError::Missing),
            false => Cause::PlanNotSelected,
        };
        Denial::new(cause).at(found.api).when(found.now)
    })
}

/// Stages 4 and 5: a token that was verified before and is still as good, or else its verification.
fn authenticate<'p>(
    plane: &DataPlane<'p>,
    found: &Found<'p>,
    bearer: &Bearer<'_>,
    client: Option<IpAddr>,
    observer: &mut impl Observer,
) -> Result<Authentic<'p>, Box<Denial>> {
    if let Some(accepted) = opaque::asked(plane, found, bearer) {
        return opaque::authenticate(plane, found, accepted, bearer, client, observer);
    }
    let now = found.now;
    let digest = TokenDigest::of(&bearer.token);
    let tick = tick(now);
    if let Some(hit) = plane.verdicts.get(&digest, tick)
        && let Some(verdict) = hit.value()
    {
        let accepted = accepted(found, bearer, verdict.issuer().as_str())?;
        let keys = keys(found, accepted)?;
        let keys = keys.set().ok_or_else(|| keys_unavailable(found, accepted))?;
        let names = plane.index.claim_names();
        if let Some(key) = verdict.still_good(accepted, keys, &names, now)
            && any_plan_may_accept(accepted, bearer, verdict.audience.borrow(), now)
        {
            observer.issuer(&accepted.issuer);
            observer.cache(CacheResult::Hit);
            observer.stage(Stage::Token);
            return Ok(Authentic {
                accepted,
                verdict: Arc::clone(verdict),
                key: Some(Arc::clone(key)),
            });
        }
        observer.cache(CacheResult::Stale);
    } else {
        observer.cache(CacheResult::Miss);
    }
    forgery::admit(plane, found, client)?;
    let authentic = verify(plane, found, bearer, client, observer)?;
    if bearer.token.len() > REMEMBERED_BYTES_MAX
        || authentic.verdict.identity.weight() > REMEMBERED_WEIGHT_MAX
    {
        return Ok(authentic);
    }
    plane
        .verdicts
        .insert(digest, Arc::clone(&authentic.verdict), tick, |verdict| {
            verdict.is_over(now)
        });
    Ok(authentic)
}

/// The token, against the rules and keys of the issuer that it claims to come from, and then who is calling. What the
/// check of the signature costs is paid for before, and comes back to whoever turns out to be somebody.
fn verify<'p>(
    plane: &DataPlane<'_>,
    found: &Found<'p>,
    bearer: &Bearer<'_>,
    client: Option<IpAddr>,
    observer: &mut impl Observer,
) -> Result<Authentic<'p>, Box<Denial>> {
    let denied = |error| Denial::new(Cause::Token(error)).at(found.api);
    let mut scratch = Scratch::default();
    let unverified = UnverifiedToken::parse(&bearer.token, &mut scratch).map_err(denied)?;
    let accepted = accepted(found, bearer, unverified.claimed_issuer().map_err(denied)?)?;
    let issuer = &accepted.issuer;
    observer.issuer(issuer);
    let keys = keys(found, accepted)?;
    let keys = keys.set().ok_or_else(|| keys_unavailable(found, accepted))?;
    let by_issuer = |error| denied(error).by(issuer);
    let keyed = unverified
        .with_key(&issuer.rules, keys, observer)
        .map_err(by_issuer)?;
    let charge = forgery::charge(plane, found, accepted, client, &keyed)?;
    let token = keyed
        .verify(
            &issuer.rules,
            found.now,
            |audience| any_plan_may_accept(accepted, bearer, audience, found.now),
            observer,
        )
        .map_err(by_issuer)?;
    observer.stage(Stage::Token);
    let names = Arc::clone(&plane.index.claim_names());
    let identity = accepted.mapping.apply(&issuer.name, &token, names.names());
    let identity = identity.map_err(|error| Denial::new(Cause::Identity(error)).at(found.api).by(issuer))?;
    charge.refund();
    let marks = revoked::marks(plane, &token, &identity);
    let verdict = Arc::new(Verdict::new(&token, Arc::new(identity), names, accepted, marks));
    Ok(Authentic {
        accepted,
        verdict,
        key: Some(Arc::clone(token.key())),
    })
}

/// The plans that take tokens of this issuer; one that is on offer must look where the token was.
fn accepted<'p>(found: &Found<'p>, bearer: &Bearer<'_>, issuer: &str) -> Result<&'p Accepted, Box<Denial>> {
    let unknown = || Denial::new(Cause::Token(TokenError::IssuerUnknown)).at(found.api);
    let accepted = found.api.plans.for_issuer(issuer, found.now);
    let accepted = accepted.ok_or_else(unknown)?;
    at_its_place(found, accepted, bearer)?;
    Ok(accepted)
}

/// Whether a plan on offer looks where the token was.
fn at_its_place(found: &Found<'_>, accepted: &Accepted, bearer: &Bearer<'_>) -> Result<(), Box<Denial>> {
    if !accepted
        .on_offer(found.now)
        .any(|offered| offered.plan.looks_in(bearer.source))
    {
        let cause = Cause::Credential(CredentialError::SourceNotAccepted);
        return Err(Denial::new(cause).at(found.api).by(&accepted.issuer));
    }
    Ok(())
}

/// The issuer's keys. Without them nothing can be said about a token, not even about one that was good before.
fn keys(found: &Found<'_>, accepted: &Accepted) -> Result<Keys, Box<Denial>> {
    accepted
        .issuer
        .keys(found.now)
        .ok_or_else(|| keys_unavailable(found, accepted))
}

fn keys_unavailable(found: &Found<'_>, accepted: &Accepted) -> Box<Denial> {
    Denial::new(Cause::KeysUnavailable)
        .at(found.api)
        .by(&accepted.issuer)
}

/// Whether there is a plan for a token from there and for this audience, as far as can be said before the application is
/// known.
fn any_plan_may_accept(
    accepted: &Accepted,
    bearer: &Bearer<'_>,
    audience: Audience<'_>,
    now: UnixTime,
) -> bool {
    let mut plans = accepted.plans.iter();
    plans.any(|plan| plan.may_accept(bearer, audience, now))
}

/// The time in the cache's measure: seconds, of which 32 bits last until 2106.
fn tick(now: UnixTime) -> u32 {
    u32::try_from(now.seconds()).unwrap_or(0)
}

/// Stage 6: the first plan on offer, in the order written, that looks where the token was, whose audience it has, whose rule holds
/// and to which the caller has an agreement in force. If there is none, the most telling refusal answers: that of a
/// subscription which exists. Only here it is known whose token it is, so audiences are judged once more, and a token
/// that is for no plan is refused as such, before it is said that no plan is for the request.
fn agree<'p>(
    plane: &DataPlane<'_>,
    found: &Found<'_>,
    bearer: &Bearer<'_>,
    authentic: &Authentic<'p>,
    request: &RequestView<'_>,
    observer: &mut impl Observer,
) -> Result<Agreement<'p>, Box<Denial>> {
    let Authentic {
        accepted, verdict, ..
    } = authentic;
    let client = verdict.identity.client_id.as_deref();
    let issuer = verdict.issuer().as_str();
    let identified = plane.index.identify(issuer, client, &verdict.names, |place| {
        verdict.identity.asked(place)
    });
    if let Ok(application) = &identified {
        observer.found(Fact::Application(application.as_ref()));
    }
    let (application, ambiguous) = match identified {
        Ok(application) => (application, None),
        Err(error) => (None, Some(error)),
    };
    let audience = verdict.audience.borrow();
    let mut refusal: Option<(SubscriptionError, &Arc<Plan>)> = None;
    let mut passed_over = false;
    for offered in accepted.on_offer(found.now) {
        let plan = &offered.plan;
        let names_application = || {
            application
                .as_ref()
                .is_some_and(|application| application.is_named_in(audience))
        };
        if !offered.accepts(bearer, audience, names_application) {
            let outcome = match plan.looks_in(bearer.source) {
                true => PlanOutcome::OtherAudience,
                false => PlanOutcome::OtherPlace,
            };
            observer.found(Fact::Plan { plan, outcome });
            continue;
        }
        if !Shown(Some(verdict)).selects(plan, request, found.path) {
            passed_over = true;
            let outcome = PlanOutcome::NotSelected;
            observer.found(Fact::Plan { plan, outcome });
            continue;
        }
        let identified = ambiguous.map_or(Ok(application.as_ref()), Err);
        let agreed = agreement(plane, identified, plan, found.now, observer);
        let outcome = PlanOutcome::of(&agreed);
        observer.found(Fact::Plan { plan, outcome });
        match agreed {
            Ok(subscription) => {
                return Ok(Agreement {
                    plan,
                    application,
                    subscription,
                });
            }
            // The first refusal answers, unless it only says that there is nothing.
            Err(error) => match refusal {
                None => refusal = Some((error, plan)),
                Some((SubscriptionError::NotFound, _)) if error != SubscriptionError::NotFound => {
                    refusal = Some((error, plan));
                }
                Some(_) => {}
            },
        }
    }
    if let (Some((SubscriptionError::NotFound, _)), Some(application)) = (refusal, &application)
        && let Some(plan) = closed_to(plane, accepted, application, found.now)
    {
        let outcome = PlanOutcome::Closed;
        observer.found(Fact::Plan { plan, outcome });
        refusal = Some((SubscriptionError::Closed, plan));
    }
    let cause = match refusal {
        Some((error, _)) => Cause::Subscription(error),
        None if passed_over => Cause::PlanNotSelected,
        None => Cause::Token(TokenError::AudienceMismatch),
    };
    let mut denial = Denial::new(cause).at(found.api).by(&accepted.issuer);
    denial.plan = refusal.map(|(_, plan)| Arc::clone(plan));
    denial.identity = Some(Arc::clone(&verdict.identity));
    denial.application = application.map(|application| application.id.clone());
    Err(denial)
}

/// A plan that is closed, and that the application has subscribed to: that tells more than that it has no subscription
/// to another.
fn closed_to<'a>(
    plane: &DataPlane<'_>,
    accepted: &'a Accepted,
    application: &Application,
    now: UnixTime,
) -> Option<&'a Arc<Plan>> {
    let mut closed = accepted.closed(now);
    closed.find(|plan| plane.index.subscription(&application.id, &plan.id).is_some())
}

/// What one plan says to one application.
fn agreement(
    plane: &DataPlane<'_>,
    identified: Result<Option<&Arc<Application>>, SubscriptionError>,
    plan: &Plan,
    now: UnixTime,
    observer: &mut impl Observer,
) -> Result<Option<Arc<Subscription>>, SubscriptionError> {
    let application = identified?;
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
    observer.found(Fact::Subscription(&subscription));
    subscription.in_force(now)?;
    Ok(Some(subscription))
}

/// Stage 7: what the plan lets its callers reach and demands of them, then what the route demands.
fn demand(
    found: &Found<'_>,
    plan: &Arc<Plan>,
    caller: Option<&Caller>,
    request: &RequestView<'_>,
) -> Result<(), Box<Denial>> {
    let denied = |cause| Denial::new(cause).at(found.api).known(plan, caller);
    let lacking = |error| {
        denied(Cause::Authorization {
            error,
            route: Arc::clone(found.route),
        })
    };
    let reached = plan.resources.judge(found.path, request.method);
    reached.map_err(|error| denied(Cause::Resource(error)))?;
    let shown = Shown(caller.and_then(|caller| caller.verdict().map(|verdict| &**verdict)));
    authorize_claims(&plan.claims, &shown).map_err(lacking)?;
    authorize(&found.route.requirements, &shown).map_err(lacking)
}

/// Then the caller's claims as the upstream will read them.
fn render(
    found: &Found<'_>,
    plan: &Arc<Plan>,
    caller: Option<&Caller>,
) -> Result<RenderedHeaders, Box<Denial>> {
    let Some(identity) = caller.and_then(Caller::identity) else {
        return Ok(RenderedHeaders::new());
    };
    found.api.claim_headers.render(identity).map_err(|error| {
        Denial::new(Cause::Header(error))
            .at(found.api)
            .known(plan, caller)
    })
}

/// Last: a body that is announced to be larger than the API takes. One that only turns out to be is cut off on its way.
fn contain(
    found: &Found<'_>,
    plan: &Arc<Plan>,
    caller: Option<&Caller>,
    request: &RequestView<'_>,
) -> Result<(), Box<Denial>> {
    if request
        .body_bytes
        .is_none_or(|bytes| bytes <= found.api.body_bytes_max)
    {
        return Ok(());
    }
    let cause = Cause::Request(RequestError::BodyTooLarge);
    Err(Denial::new(cause).at(found.api).known(plan, caller))
}

// === impl Permit ===

impl Permit {
    /// What it is for. Nothing if this is another snapshot than the one by which it was decided: it says nothing there.
    pub fn under<'p>(&'p self, snapshot: &'p Snapshot) -> Option<Granted<'p>> {
        Some(Granted {
            permit: self,
            route: self.route(snapshot)?,
            api: snapshot.apis.get(self.api)?,
            plan: snapshot.plans.get(self.plan)?,
        })
    }

    /// The route alone, as [`Self::under`] finds it.
    pub fn route<'s>(&self, snapshot: &'s Snapshot) -> Option<&'s Route> {
        if snapshot.generation != self.generation {
            return None;
        }
        snapshot.listed_routes.get(self.route).map(AsRef::as_ref)
    }

    /// Who is calling; nobody under a keyless plan.
    pub const fn caller(&self) -> Option<&Caller> {
        self.caller.as_ref()
    }

    /// The moment for which it was decided.
    pub const fn decided_at(&self) -> UnixTime {
        self.decided_at
    }

    /// What was taken of the caller's limits. Dropping it ends the request's place among those in flight.
    pub const fn usage(&self) -> &Usage {
        &self.usage
    }

    /// The same, for whoever ends that place earlier.
    pub const fn usage_mut(&mut self) -> &mut Usage {
        &mut self.usage
    }

    /// The caller's claims as header fields.
    pub const fn headers(&self) -> &RenderedHeaders {
        &self.headers
    }
}
