//! From the notes of a decision to its stages in words, each with the lines of the configuration that decided it.
//! How a stage ended is read off the notes and the denial; nothing is judged a second time.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::advice::{self, Case};
use super::cite::{Cites, cite};
use super::question::Question;
use super::record::Record;
use super::report::{Cite, Denied, Explanation, Line, Outcome, Stage, StoreRecord, Verdict};
use super::token::Shown;
use super::words;
use crate::access::{self, Cause, DataPlane, Denial, Granted, PlanOutcome};
use crate::api;
use crate::id::PlanId;
use crate::proxy::Passed;
use crate::subscription::{Subscription, SubscriptionError};
use crate::time::UnixTime;

/// The stages, in the order of the decision.
const STAGES: [&str; 11] = [
    "request",
    "route",
    "credential",
    "token",
    "api_key",
    "identity",
    "subscription",
    "authorization",
    "headers",
    "limits",
    "upstream",
];

pub(super) fn tell(
    plane: &DataPlane<'_>,
    question: &Question,
    client: Option<IpAddr>,
    now: UnixTime,
    record: &Record,
    decided: &Result<Passed, Box<Denial>>,
) -> Explanation {
    let case = Case {
        plane,
        question,
        record,
        shown: match (&record.said, &record.token) {
            (Some(said), _) => Shown::of_answer(said.claims()),
            (None, Some(token)) => Shown::of(token.expose()),
            (None, None) => Shown::default(),
        },
        cites: Cites::new(&plane.snapshot.places),
        now,
    };
    let denial = decided.as_ref().err();
    let passed = decided.as_ref().ok();
    let granted = passed.and_then(|passed| Some((passed.permit.under(plane.snapshot)?, passed)));
    let refusing = denial.map(|denial| stage_of(denial));
    let refused_under = denial.and_then(|denial| denial.plan.as_deref());
    let plan = granted.map(|(granted, _)| granted.plan).or(refused_under);
    let stages = STAGES.map(|name| Stage {
        name,
        outcome: case.outcome(name, refusing),
        lines: match name {
            "route" => case.route(),
            "credential" => case.credential(),
            "token" => case.token(denial.map(|denial| &**denial)),
            "api_key" => case.api_key(denial.map(|denial| &**denial)),
            "identity" => case.identity(),
            "subscription" => case.subscription(),
            "authorization" => case.authorization(),
            "limits" => case.limits(plan),
            "headers" => granted.map_or_else(Vec::new, |(granted, _)| case.headers(granted)),
            "upstream" => granted.map_or_else(Vec::new, |(granted, passed)| case.upstream(granted, passed)),
            _ => Vec::new(),
        },
    });
    Explanation {
        at: now,
        request: case.request(client),
        stages: stages.into(),
        verdict: match denial {
            None => Verdict::Permitted,
            Some(denial) => Verdict::Denied(Box::new(case.denied(denial))),
        },
        issuer: case.issuer().map(|issuer| issuer.name.clone()),
        notes: Vec::new(),
    }
}

/// The stage that refused.
fn stage_of(denial: &Denial) -> &'static str {
    match &denial.cause {
        Cause::Request(_) => "request",
        Cause::RouteNotFound | Cause::MethodNotAllowed { .. } => "route",
        Cause::Credential(_) => "credential",
        Cause::Token(_)
        | Cause::KeysUnavailable
        | Cause::IntrospectionUnavailable(_)
        | Cause::VerificationOverloaded(_)
        | Cause::Revoked
        | Cause::RevocationsUnavailable => "token",
        Cause::ApiKey(_) => "api_key",
        Cause::Identity(_) => "identity",
        // Without a credential there is no stage in which a subscription is looked for.
        Cause::PlanNotSelected if denial.identity.is_none() && denial.application.is_none() => "credential",
        Cause::PlanNotSelected | Cause::Subscription(_) => "subscription",
        Cause::Resource(_) | Cause::Authorization { .. } => "authorization",
        Cause::Header(_) => "headers",
        Cause::LimitClaim(_) | Cause::Limit(_) => "limits",
    }
}

// === impl Case ===

impl Case<'_> {
    fn outcome(&self, name: &str, refusing: Option<&'static str>) -> Outcome {
        if refusing == Some(name) {
            return Outcome::Denied;
        }
        let passed = |stage| self.record.passed.contains(&stage);
        let chosen = passed(access::Stage::Credential);
        let (token, key) = (self.record.token.is_some(), self.record.key_source.is_some());
        match name {
            "token" | "identity" if chosen && !token => Outcome::NotApplicable,
            "subscription" if chosen && !token && !key => Outcome::NotApplicable,
            // Whoever sends no key need not hear of keys.
            "api_key" if !key => Outcome::NotApplicable,
            // A body that is too large is found out last, and nothing goes upstream then.
            "limits" if refusing.is_none() && self.record.limits.is_empty() => Outcome::NotApplicable,
            _ if refusing.is_none() => Outcome::Passed,
            "request" => Outcome::Passed,
            "route" if passed(access::Stage::Route) => Outcome::Passed,
            "credential" if passed(access::Stage::Credential) => Outcome::Passed,
            "token" if passed(access::Stage::Token) => Outcome::Passed,
            "api_key" if passed(access::Stage::ApiKey) => Outcome::Passed,
            "identity" if passed(access::Stage::Identity) => Outcome::Passed,
            "subscription" if passed(access::Stage::Subscription) => Outcome::Passed,
            "authorization" if passed(access::Stage::Authorization) => Outcome::Passed,
            // Whoever comes to the limits has its headers.
            "headers" if refusing == Some("limits") => Outcome::Passed,
            _ => Outcome::NotReached,
        }
    }

    /// The request as the gateway reads it.
    fn request(&self, client: Option<IpAddr>) -> Vec<Line> {
        let header = self.question.header();
        let target = String::from_utf8_lossy(header.raw_path()).into_owned();
        let mut lines = vec![
            Line::plain("method", header.method.as_str()),
            Line::plain("target", words::without_query(&target)),
        ];
        match &self.record.place {
            Some((host, path)) => {
                lines.push(Line::plain("host", host));
                lines.push(Line::plain("path", path));
            }
            None => {
                let host = header.headers.get(http::header::HOST);
                let host = host.map(|host| String::from_utf8_lossy(host.as_bytes()).into_owned());
                lines.push(Line::new("host", host.clone().unwrap_or_default(), host));
            }
        }
        if let Some(client) = client {
            lines.push(Line::plain("client", client.to_string()));
        }
        lines
    }

    fn route(&self) -> Vec<Line> {
        let (Some(api), Some(route)) = (&self.record.api, &self.record.route) else {
            return Vec::new();
        };
        let name = api.name.as_str();
        let mut lines = vec![
            Line::plain("api", name).at(self.cites.api(name, "name")),
            Line::plain(
                "context_path",
                if api.context_path.is_empty() {
                    "/"
                } else {
                    &api.context_path
                },
            )
            .at(self.cites.api(name, "context_path")),
        ];
        let written = self.cites.api_places(name);
        match route.index.and_then(|index| written?.routes.get(index)) {
            Some(route) => {
                let methods = match route.methods.is_empty() {
                    true => "every method".to_owned(),
                    false => words::list(&route.methods),
                };
                let text = format!("{} ({methods})", route.path);
                let value = json!({ "path": route.path, "methods": route.methods });
                lines.push(Line::new("route", text, value).at(Some(cite(&route.table, "path"))));
            }
            None => {
                let text = "every path and method: the API lists no routes";
                lines.push(Line::new("route", text, Value::Null).at(self.cites.api(name, "route")));
            }
        }
        lines
    }

    fn credential(&self) -> Vec<Line> {
        let Some(api) = &self.record.api else {
            return Vec::new();
        };
        let plans = api.plans.all().iter();
        let mut lines: Vec<Line> = plans.map(|plan| self.offered(api, plan)).collect();
        let carried = match &self.record.token {
            _ if self.record.key_source.is_some() => {
                let place = self.record.key_source.as_deref().unwrap_or_default();
                (format!("an API key in {place}"), json!("api_key"))
            }
            Some(_) => {
                let place = self.record.source.as_deref().unwrap_or("Authorization");
                (format!("a bearer token in {place}"), json!("bearer"))
            }
            None if self.record.passed.contains(&access::Stage::Credential) => {
                ("nothing that a plan asks for".to_owned(), Value::Null)
            }
            None => return lines,
        };
        lines.push(Line::new("credential", carried.0, carried.1));
        lines
    }

    fn token(&self, denial: Option<&Denial>) -> Vec<Line> {
        if self.record.token.is_none() {
            return Vec::new();
        }
        if let (Some(said), Some(issuer)) = (&self.record.said, self.issuer()) {
            return self.opaque(issuer, said);
        }
        let mut lines = self.shown.lines(self.record.checks.signature);
        if let Some(issuer) = self.issuer() {
            let name = issuer.name.as_str();
            let cause = denial.map(|denial| &denial.cause);
            if let Some(Cause::KeysUnavailable | Cause::VerificationOverloaded(_)) = cause {
                // Nothing was checked.
                lines.push(Line::plain("issuer", name).at(self.cites.issuer(name, "name")));
            } else {
                let audiences = self.audiences(name);
                lines.extend(self.shown.checked(
                    issuer,
                    &self.record.checks,
                    self.now,
                    self.cites,
                    audiences,
                ));
            }
        }
        lines
    }

    /// The audiences of the plan that accepts the token's; of the first, if none does.
    pub(super) fn audiences(&self, issuer: &str) -> Option<Cite> {
        let api = self.record.api.as_ref()?;
        let mut considered = self.record.plans.iter();
        let accepting = considered
            .find(|(_, outcome, _)| !matches!(outcome, PlanOutcome::OtherAudience | PlanOutcome::OtherPlace));
        let first = || {
            api.plans
                .for_issuer(issuer, self.now)?
                .on_offer(self.now)
                .next()
                .map(|offered| &offered.plan)
        };
        let plan = accepting.map(|(plan, _, _)| plan).or_else(first)?;
        self.cites
            .audiences(api.name.as_str(), plan.name.as_str(), issuer)
    }

    /// Of the key its id, never its text; of one that is no good why, which callers are not told.
    fn api_key(&self, denial: Option<&Denial>) -> Vec<Line> {
        if let Some(key) = &self.record.api_key {
            let value = json!({ "id": key.id, "plan": key.plan.as_str() });
            let record = StoreRecord {
                kind: "api_key",
                id: key.id.to_string(),
            };
            return vec![Line::new("key", format!("{}, for {}", key.id, key.plan), value).of(Some(record))];
        }
        match denial {
            Some(denial) if self.record.key_source.is_some() && matches!(denial.cause, Cause::ApiKey(_)) => {
                vec![Line::new("key", denial.meaning(), denial.reason())]
            }
            _ => Vec::new(),
        }
    }

    fn identity(&self) -> Vec<Line> {
        let Some(caller) = &self.record.caller else {
            return Vec::new();
        };
        let identity = &caller.identity;
        let issuer = identity.issuer.as_str();
        let mut lines = Vec::new();
        if let Some(subject) = &identity.subject {
            lines.push(Line::plain("subject", &**subject));
        }
        if let Some(client) = &identity.client_id {
            lines.push(Line::plain("client_id", &**client).at(self.cites.issuer(issuer, "client_id_claims")));
        }
        let scopes: Vec<&str> = identity.scopes().collect();
        lines.push(
            Line::new("scopes", words::list(&scopes), json!(scopes))
                .at(self.cites.issuer(issuer, "scopes_claim")),
        );
        let accepted = self
            .record
            .api
            .as_ref()
            .and_then(|api| api.plans.for_issuer(issuer, self.now));
        for (index, path) in accepted
            .iter()
            .flat_map(|accepted| accepted.mapping.kept.iter().enumerate())
        {
            let Some(claim) = identity.claim(index) else {
                continue;
            };
            let local = path.as_str();
            let value = serde_json::to_value(claim).unwrap_or_default();
            let (from, place) = match self.cites.mapping(issuer, local) {
                Some((remote, place)) => (format!(", from {remote}"), Some(place)),
                None => (String::new(), None),
            };
            let text = format!("{local} = {value}{from}");
            lines.push(Line::new("claim", text, json!({ "local": local, "value": value })).at(place));
        }
        lines
    }

    fn subscription(&self) -> Vec<Line> {
        let Some(found) = &self.record.application else {
            return Vec::new();
        };
        let caller = self.record.caller.as_ref().map(|caller| &caller.identity);
        let issuer = caller.map_or("", |caller| caller.issuer.as_str());
        let mut lines = Vec::new();
        match found {
            Some(application) => {
                let id = application.id.as_str();
                let client = caller
                    .and_then(|caller| caller.client_id.as_deref())
                    .unwrap_or("");
                let place = self.cites.client_id(id, issuer, client);
                lines.push(
                    Line::plain("application", id)
                        .at(place.or_else(|| self.cites.application(id, "id")))
                        .of(self.application_record(id)),
                );
            }
            None => lines.push(Line::new("application", "none", Value::Null)),
        }
        for (plan, outcome, subscription) in &self.record.plans {
            let (api, name) = match &self.record.api {
                Some(api) => (api.name.as_str(), plan.name.as_str()),
                None => continue,
            };
            let mut record = None;
            let (word, text, place) = match outcome {
                PlanOutcome::OtherAudience => {
                    let text = "the token is not for its audiences".to_owned();
                    ("other_audience", text, self.cites.audiences(api, name, issuer))
                }
                PlanOutcome::OtherPlace => {
                    let text = "it does not look where the token was".to_owned();
                    ("other_place", text, self.cites.plan(api, name, "token_from"))
                }
                PlanOutcome::NotSelected => {
                    let text = "its selection rule does not hold".to_owned();
                    ("not_selected", text, self.cites.plan(api, name, "selection_rule"))
                }
                PlanOutcome::Closed => {
                    let text = "it is closed, and so are all subscriptions to it".to_owned();
                    record = self.plan_record(plan);
                    ("closed", text, self.stage_place(api, plan))
                }
                PlanOutcome::Refused(error) => {
                    let code = access::subscription_code(*error);
                    let text = code.detail().trim_end_matches('.').to_owned();
                    let application = found.as_ref().map(|found| found.id.as_str());
                    let place = self.terms_place(*error, application, &plan.id);
                    record = self.terms_record(*error, application, &plan.id);
                    if record.is_some() {
                        lines.push(told(name, code.word(), text).of(record));
                        continue;
                    }
                    let place = place.or_else(|| self.cites.plan(api, name, "subscription_validation"));
                    (code.word(), text, place)
                }
                PlanOutcome::Agreed => match subscription {
                    Some(subscription) => {
                        let text = format!("the subscription is in force{}", self.dates(subscription));
                        let place = self.cites.subscription(
                            subscription.application.as_str(),
                            &subscription.plan,
                            "application",
                        );
                        record = self.subscription_record(subscription.application.as_str(), &plan.id);
                        ("agreed", text, place)
                    }
                    None => {
                        let place = self.cites.plan(api, name, "subscription_validation");
                        ("agreed", "needs no subscription".to_owned(), place)
                    }
                },
            };
            lines.push(told(name, word, text).at(place).of(record));
        }
        lines
    }

    /// What stands behind a refusal: the key of the subscription, or of the application.
    pub(super) fn terms_place(
        &self,
        error: SubscriptionError,
        application: Option<&str>,
        plan: &PlanId,
    ) -> Option<Cite> {
        let application = application?;
        let key = match error {
            SubscriptionError::NotFound | SubscriptionError::ApplicationAmbiguous => return None,
            SubscriptionError::ApplicationSuspended => {
                return self.cites.application(application, "suspended");
            }
            SubscriptionError::NotStarted => "from",
            SubscriptionError::Ended => "until",
            SubscriptionError::Pending
            | SubscriptionError::Paused
            | SubscriptionError::Closed
            | SubscriptionError::Rejected => "status",
        };
        self.cites.subscription(application, plan, key)
    }

    /// The same, where it lives at run time.
    pub(super) fn terms_record(
        &self,
        error: SubscriptionError,
        application: Option<&str>,
        plan: &PlanId,
    ) -> Option<StoreRecord> {
        match error {
            SubscriptionError::NotFound | SubscriptionError::ApplicationAmbiguous => None,
            SubscriptionError::ApplicationSuspended => self.application_record(application?),
            SubscriptionError::NotStarted
            | SubscriptionError::Ended
            | SubscriptionError::Pending
            | SubscriptionError::Paused
            | SubscriptionError::Closed
            | SubscriptionError::Rejected => self.subscription_record(application?, plan),
        }
    }

    /// An application that no configuration declares is one of the store.
    fn application_record(&self, application: &str) -> Option<StoreRecord> {
        let declared = self.cites.application_places(application).is_some();
        (!declared).then(|| StoreRecord {
            kind: "application",
            id: application.to_owned(),
        })
    }

    fn subscription_record(&self, application: &str, plan: &PlanId) -> Option<StoreRecord> {
        let declared = self
            .cites
            .subscription(application, plan, "application")
            .is_some();
        (!declared).then(|| StoreRecord {
            kind: "subscription",
            id: format!("{application}:{}", plan.as_str().replace('/', ":")),
        })
    }

    fn dates(&self, subscription: &Subscription) -> String {
        let terms = subscription.terms();
        let said = |word: &str, time: Option<UnixTime>| {
            time.map_or_else(String::new, |time| {
                format!(", {word} {}", words::moment_from_now(time, self.now))
            })
        };
        said("from", terms.from) + &said("until", terms.until)
    }

    fn authorization(&self) -> Vec<Line> {
        use crate::authorization::ScopeMatch;
        let tried = self.record.passed.contains(&access::Stage::Credential)
            && (self.record.token.is_none() && self.record.key_source.is_none()
                || self.record.passed.contains(&access::Stage::Subscription));
        let (Some(api), Some(route), true) = (&self.record.api, &self.record.route, tried) else {
            return Vec::new();
        };
        let demanded: Vec<&str> = route
            .requirements
            .scopes
            .text()
            .split(' ')
            .filter(|s| !s.is_empty())
            .collect();
        let place = self.cites.route(api.name.as_str(), route.index, "scopes");
        if demanded.is_empty() {
            return vec![Line::new("scopes", "none are demanded", json!([])).at(place)];
        }
        let how = match route.requirements.scopes.scope_match() {
            ScopeMatch::Any => "one of",
            ScopeMatch::All => "all of",
        };
        let held: Vec<&str> = self
            .record
            .caller
            .iter()
            .flat_map(|caller| caller.identity.scopes())
            .collect();
        let match_place = self.cites.route(api.name.as_str(), route.index, "scope_match");
        vec![
            Line::new(
                "scopes",
                format!("demanded: {how} {}", words::list(&demanded)),
                json!(demanded),
            )
            .at(place),
            Line::new("held", words::list(&held), json!(held)).at(match_place),
        ]
    }

    /// What the upstream is told of the caller.
    fn headers(&self, granted: Granted<'_>) -> Vec<Line> {
        let api = granted.api.name.as_str();
        let mut lines: Vec<Line> = granted
            .permit
            .headers()
            .iter()
            .map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes());
                let text = format!("{name}: {value}");
                Line::new("header", text, json!({ "name": name.as_str(), "value": value }))
                    .at(self.cites.claim_header(api, name.as_str()))
            })
            .collect();
        let (text, kept) = match granted.api.forward_credential {
            true => ("goes upstream as it came", true),
            false => ("is taken away", false),
        };
        if self
            .question
            .header()
            .headers
            .contains_key(http::header::AUTHORIZATION)
        {
            lines.push(Line::new("authorization", text, kept).at(self.cites.api(api, "forward_credential")));
        }
        lines
    }

    fn upstream(&self, granted: Granted<'_>, passed: &Passed) -> Vec<Line> {
        let (api, route) = (granted.api.name.as_str(), granted.route);
        let own = self
            .cites
            .route(api, route.index, "upstream")
            .filter(|place| !place.default);
        let name = route.upstream.name.as_str();
        vec![
            Line::plain("plan", granted.plan.name.as_str()).at(self.cites.plan(
                api,
                granted.plan.name.as_str(),
                "name",
            )),
            Line::plain("upstream", name).at(own.or_else(|| self.cites.api(api, "upstream"))),
            Line::new(
                "peers",
                route.upstream.peers().to_string(),
                route.upstream.peers(),
            )
            .at(self.cites.upstream(name, "peers")),
            Line::plain(
                "target",
                words::without_query(&passed.upstream_target(granted, self.question.header())),
            )
            .at(self.cites.api(api, "strip_context_path")),
        ]
    }

    fn denied(&self, denial: &Denial) -> Denied {
        let answer = denial.answer();
        let advice::Advice { place, hint } = self.advise(denial);
        let record = match (&denial.cause, &denial.plan) {
            (Cause::Subscription(error), Some(plan)) => {
                let application = denial.application.as_ref().map(|id| id.as_str());
                let of_plan = (plan.life.at(self.now) == api::Stage::Closed).then(|| self.plan_record(plan));
                of_plan.unwrap_or_else(|| self.terms_record(*error, application, &plan.id))
            }
            (Cause::Revoked, _) => self.revocation_record(),
            _ => None,
        };
        Denied {
            stage: stage_of(denial),
            status: answer.code.status(),
            code: answer.code.word(),
            reason: denial.reason(),
            detail: answer.code.detail(),
            meaning: denial.meaning(),
            challenge: answer.challenge.map(|challenge| challenge.value()),
            allow: answer.allow.map(ToOwned::to_owned),
            retry_after: answer.retry_after,
            place,
            record,
            hint,
        }
    }
}

/// What a plan says to the caller.
fn told(plan: &str, outcome: &str, text: impl std::fmt::Display) -> Line {
    let value = json!({ "plan": plan, "outcome": outcome });
    Line::new("plan", format!("{plan}: {text}"), value)
}
