//! Applications and subscriptions, as declared.
//!
//! A client id identifies exactly one application. Were two to share one, a token would be whoever's the index found
//! first; so an overlap is refused here, also between "in tokens of this issuer" and "in tokens of any".

use std::collections::HashMap;
use std::sync::Arc;

use super::apis::{ApiDraft, PlanDraft, judge_name};
use super::issuers::Draft as IssuerDraft;
use super::limits::Tiers;
use super::{Names, mistake, shown, unknown};
use crate::api::{Schedule, Security, Stage};
use crate::config::{self, Located, Mistake, Mistakes, Place, Validation};
use crate::id::{ApplicationId, IssuerName, PlanId};
use crate::limit::Limits;
use crate::subscription::{
    ClaimSet, Declared, DeclaredApplication, DeclaredSubscription, Standing, Status, Terms,
};
use crate::time::UnixTime;

/// What callers refer to.
pub(super) struct Known<'k> {
    pub(super) issuers: &'k [IssuerDraft],
    pub(super) apis: &'k [ApiDraft],
    pub(super) tiers: &'k Tiers<'k>,
}

/// What is declared, and what applications may use.
pub(super) fn compile(
    applications: Vec<config::Application>,
    subscriptions: Vec<config::Subscription>,
    known: Known<'_>,
    now: UnixTime,
    warnings: &mut Vec<String>,
    mistakes: &mut Mistakes,
) -> (Declared, foldhash::HashMap<ApplicationId, Arc<Limits>>) {
    let Known { issuers, apis, tiers } = known;
    let mut limited = foldhash::HashMap::default();
    let mut ids = Names::default();
    let mut clients = Clients::default();
    let mut sets = ClaimSets::default();
    let mut declared = Declared::default();
    for application in applications {
        let config::Application {
            id,
            name: _,  // for people
            owner: _, // for people
            client_ids,
            claim_sets,
            audience,
            suspended,
            limits,
            client_secret_hash: _, // in `token_service`
            scopes: _,             // in `token_service`
        } = application;
        judge_name("the application", &id, mistakes);
        ids.claim("the application", &id.value, &id.place, mistakes);
        let mut own = Vec::new();
        for config::ClientId { issuer, id: client } in client_ids {
            if let Some(issuer) = &issuer {
                let known = |draft: &&IssuerDraft| draft.issuer.name.as_str() == issuer.value;
                if issuers.iter().find(known).is_none() {
                    let names = issuers.iter().map(|draft| draft.issuer.name.as_str());
                    mistakes.push(unknown(issuer, "issuer", names));
                }
            }
            let issuer = issuer.map(|issuer| issuer.value);
            clients.claim(issuer.as_deref(), &client, mistakes);
            own.push((issuer.map(IssuerName::new), client.value.into()));
        }
        if let Some(limits) = tiers.limits(limits, mistakes) {
            limited.insert(ApplicationId::new(id.value.as_str()), limits);
        }
        declared.applications.push(DeclaredApplication {
            id: ApplicationId::new(id.value),
            clients: own,
            claim_sets: claim_sets
                .into_iter()
                .filter_map(|set| sets.claim(set, mistakes))
                .collect(),
            standing: Standing {
                suspended,
                audience: audience.map(|audience| audience.value.into()),
            },
        });
    }
    let mut agreements = Names::default();
    for subscription in subscriptions {
        let place = subscription.plan.place.clone();
        if let Some((subscription, schedule)) = agreement(subscription, &ids, apis, &mut agreements, mistakes)
        {
            if is_late(&subscription.terms, &schedule, now) {
                warnings.push(format!(
                    "{place}: the subscription of {} to {} begins when the plan is deprecated already",
                    subscription.application, subscription.plan
                ));
            }
            declared.subscriptions.push(subscription);
        }
    }
    (declared, limited)
}

/// Whose each client id is.
#[derive(Default)]
struct Clients {
    by_id: HashMap<String, Vec<(Option<String>, Place)>>,
}

// === impl Clients ===

impl Clients {
    fn claim(&mut self, issuer: Option<&str>, client: &Located<String>, mistakes: &mut Mistakes) {
        let owners = self.by_id.entry(client.value.clone()).or_default();
        let overlaps = |own: &Option<String>| match (own.as_deref(), issuer) {
            (Some(own), Some(issuer)) => own == issuer,
            (None, _) | (_, None) => true,
        };
        if let Some((_, first)) = owners.iter().find(|(own, _)| overlaps(own)) {
            mistakes.push(mistake(
                client,
                "the client id",
                format!("would identify two applications, or one twice; first at {first}"),
            ));
        }
        owners.push((issuer.map(ToOwned::to_owned), client.place.clone()));
    }
}

/// Whose each claim set is. One that holds another's and more is not refused here: tokens that match both are.
#[derive(Default)]
struct ClaimSets {
    first: HashMap<ClaimSet, Place>,
}

// === impl ClaimSets ===

impl ClaimSets {
    fn claim(&mut self, written: Located<config::ClaimSet>, mistakes: &mut Mistakes) -> Option<ClaimSet> {
        let Located {
            value: members,
            place,
        } = written;
        let members = members
            .into_iter()
            .map(|(name, value)| (name.value.into(), value.value.into()));
        let set = ClaimSet::new(members.collect())?;
        if let Some(first) = self.first.get(&set) {
            let message =
                format!("the claim set would identify two applications, or one twice; first at {first}");
            mistakes.push(Mistake::new(place, message));
            return None;
        }
        self.first.insert(set.clone(), place);
        Some(set)
    }
}

fn agreement(
    written: config::Subscription,
    ids: &Names,
    apis: &[ApiDraft],
    agreements: &mut Names,
    mistakes: &mut Mistakes,
) -> Option<(DeclaredSubscription, Schedule)> {
    let config::Subscription {
        application,
        api,
        plan,
        status,
        from,
        until,
    } = written;
    if !ids.first.contains_key(&application.value) {
        mistakes.push(unknown(
            &application,
            "application",
            ids.first.keys().map(String::as_str),
        ));
    }
    let Some(found) = apis.iter().find(|draft| draft.name.value == api.value) else {
        mistakes.push(unknown(
            &api,
            "API",
            apis.iter().map(|draft| draft.name.value.as_str()),
        ));
        return None;
    };
    let Some(found) = found.plans.iter().find(|draft| draft.name.value == plan.value) else {
        let names = found.plans.iter().map(|draft| draft.name.value.as_str());
        mistakes.push(unknown(
            &plan,
            &format!("plan of the API `{}` called", shown(&api.value)),
            names,
        ));
        return None;
    };
    if found.security == Security::Keyless {
        mistakes.push(mistake(
            &plan,
            "the plan",
            "is keyless: there is nothing to subscribe to",
        ));
        return None;
    }
    let key = format!("{} to {}/{}", application.value, api.value, plan.value);
    agreements.claim("the subscription of", &key, &application.place, mistakes);
    if let (Some(from), Some(until)) = (&from, &until)
        && from.value >= until.value
    {
        mistakes.push(Mistake::new(
            until.place.clone(),
            "the subscription ends before it begins",
        ));
    }
    let moment = |seconds: Located<i64>| UnixTime::from_seconds(seconds.value);
    let declared = DeclaredSubscription {
        application: ApplicationId::new(application.value),
        plan: PlanId::of(&api.value, &plan.value),
        terms: Terms {
            status: compile_status(status.map(|status| status.value), found),
            from: from.map(moment),
            until: until.map(moment),
        },
    };
    Some((declared, found.schedule))
}

/// Whether a subscription is one of those that a deprecated plan should not have: a new one. It works all the same; an
/// operator who declares it may have promised it before. Without a beginning it cannot be told from an old one.
fn is_late(terms: &Terms, schedule: &Schedule, now: UnixTime) -> bool {
    let deprecated_at = match schedule.begins {
        Stage::Deprecated => Some(now),
        _ => schedule.deprecate_at,
    };
    let Some((from, deprecated_at)) = terms.from.zip(deprecated_at) else {
        return false;
    };
    terms.status == Status::Accepted && from >= deprecated_at
}

/// A closed plan has closed subscriptions only; otherwise what is written, or what the plan's validation starts with.
fn compile_status(written: Option<config::SubscriptionStatus>, plan: &PlanDraft) -> Status {
    if plan.schedule.begins == Stage::Closed {
        return Status::Closed;
    }
    match (written, plan.validation) {
        (Some(config::SubscriptionStatus::Pending), _) | (None, Validation::Manual) => Status::Pending,
        (Some(config::SubscriptionStatus::Accepted), _) | (None, Validation::Auto) => Status::Accepted,
        (Some(config::SubscriptionStatus::Rejected), _) => Status::Rejected,
        (Some(config::SubscriptionStatus::Paused), _) => Status::Paused,
        (Some(config::SubscriptionStatus::Closed), _) => Status::Closed,
    }
}
