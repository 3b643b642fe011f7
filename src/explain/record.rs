//! The notes of one decision, taken while it is made.
//! Whatever a stage finds is kept; nothing is looked up or judged again.

use std::sync::Arc;

use super::opaque::Said;
use crate::access::{self, Fact, Observer, PlanOutcome, RequestView, RevokedBy};
use crate::api::{Api, Plan, Route};
use crate::credential::Credential;
use crate::issuer::Issuer;
use crate::limit::Standing;
use crate::revocation;
use crate::secret::Secret;
use crate::subscription::{ApiKey, Application, Subscription};
use crate::time::UnixTime;
use crate::token::{Algorithm, Probe, TokenCheck};

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// The host and the canonical path, once the request is acceptable HTTP.
    pub(super) place: Option<(String, String)>,
    /// Stages that were passed.
    pub(super) passed: Vec<access::Stage>,
    pub(super) api: Option<Arc<Api>>,
    pub(super) route: Option<Arc<Route>>,
    /// The bearer token; for display it is taken apart again.
    pub(super) token: Option<Secret<String>>,
    /// Where it was, if not in `Authorization`.
    pub(super) source: Option<String>,
    /// Where an API key was. The key itself is not kept.
    pub(super) key_source: Option<String>,
    /// The API key, if it is good.
    pub(super) api_key: Option<Arc<ApiKey>>,
    /// The issuer's place in the snapshot.
    pub(super) issuer: Option<usize>,
    /// What the token passed.
    pub(super) checks: Checks,
    /// What has taken the token back.
    pub(super) revoked: Option<(revocation::Found, RevokedBy)>,
    /// What the token's issuer said of it, if it is one that is asked.
    pub(super) said: Option<Said>,
    pub(super) caller: Option<Arc<access::Verdict>>,
    /// Looked for or not; found or not.
    pub(super) application: Option<Option<Arc<Application>>>,
    /// Plans in the order in which they were considered, each with what there was of a subscription.
    pub(super) plans: Vec<(Arc<Plan>, PlanOutcome, Option<Arc<Subscription>>)>,
    /// Every limit that the request comes by, in the order in which they are asked.
    pub(super) limits: Vec<Standing>,
    subscription: Option<Arc<Subscription>>,
}

/// What a token passed.
#[derive(Debug, Default)]
pub(super) struct Checks {
    pub(super) algorithm: Option<Algorithm>,
    pub(super) token_type: bool,
    /// The id of the key, if it has one.
    pub(super) key: Option<Option<String>>,
    pub(super) signature: bool,
    pub(super) times: Option<(UnixTime, UnixTime)>,
    pub(super) audience: bool,
}

// === impl Record ===

impl Record {
    fn request(&mut self, request: &RequestView<'_>) {
        self.place = Some((request.host.to_owned(), request.path.to_owned()));
    }
}

impl Probe for Record {
    fn passed(&mut self, check: TokenCheck<'_>) {
        let checks = &mut self.checks;
        match check {
            TokenCheck::Algorithm(algorithm) => checks.algorithm = Some(algorithm),
            TokenCheck::Type(_) => checks.token_type = true,
            TokenCheck::Key(key) => checks.key = Some(key.kid().map(ToOwned::to_owned)),
            TokenCheck::Signature => checks.signature = true,
            TokenCheck::Times { from, until } => checks.times = Some((from, until)),
            TokenCheck::Audience(_) => checks.audience = true,
        }
    }
}

impl Observer for Record {
    fn stage(&mut self, stage: access::Stage) {
        self.passed.push(stage);
    }

    fn issuer(&mut self, issuer: &Issuer) {
        self.issuer = Some(issuer.index);
    }

    fn found(&mut self, fact: Fact<'_>) {
        match fact {
            Fact::Request(request) => self.request(request),
            Fact::Route { api, route } => {
                self.api = Some(Arc::clone(api));
                self.route = Some(Arc::clone(route));
            }
            Fact::Credential(Credential::None) => {}
            Fact::Credential(Credential::Bearer(bearer)) => {
                self.token = Some(Secret::new(bearer.token.clone().into_owned()));
                self.source = bearer.source.map(ToString::to_string);
            }
            Fact::Credential(Credential::ApiKey(key)) => self.key_source = Some(key.source.to_string()),
            Fact::ApiKey(key) => self.api_key = Some(Arc::clone(key)),
            Fact::Revoked(entry, by) => self.revoked = Some((entry, by)),
            Fact::Answer { issuer: _, answer } => self.said = Some(Said::of(answer)),
            Fact::Caller(verdict) => self.caller = Some(Arc::clone(verdict)),
            Fact::Application(application) => self.application = Some(application.map(Arc::clone)),
            Fact::Subscription(subscription) => self.subscription = Some(Arc::clone(subscription)),
            Fact::Limit(standing) => self.limits.push(*standing),
            Fact::Plan { plan, outcome } => {
                let subscription = self.subscription.take();
                self.plans.push((Arc::clone(plan), outcome, subscription));
            }
        }
    }
}
