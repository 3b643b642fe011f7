//! What decided against a request, and what may be done about it.
//!
//! A reason says which check failed; here stand the two sides of the comparison: what came, what is accepted, and the
//! line that says so. Advice is for operators, so it may name what callers are never told.

mod of_revocations;
mod of_terms;
mod of_tokens;

use super::cite::{Cites, cite};
use super::question::Question;
use super::record::Record;
use super::report::Cite;
use super::token::Shown;
use super::words;
use crate::access::{Cause, DataPlane, Denial, PlanOutcome, RequestError};
use crate::api::{HeaderError, Plan, Security, Stage};
use crate::authorization::ScopeMatch;
use crate::credential::CredentialError;
use crate::id::ApplicationId;
use crate::identity::IdentityError;
use crate::issuer::Issuer;
use crate::route::PathError;
use crate::subscription::SubscriptionError;
use crate::time::UnixTime;

/// Everything that is known about one request and its decision.
pub(super) struct Case<'c> {
    pub(super) plane: &'c DataPlane<'c>,
    pub(super) question: &'c Question,
    pub(super) record: &'c Record,
    /// What the token says of itself.
    pub(super) shown: Shown,
    pub(super) cites: Cites<'c>,
    pub(super) now: UnixTime,
}

/// A citation and a sentence.
#[derive(Debug, Default)]
pub(super) struct Advice {
    pub(super) place: Option<Cite>,
    pub(super) hint: Option<String>,
}

// === impl Advice ===

impl Advice {
    pub(super) fn new(place: Option<Cite>, hint: impl Into<String>) -> Self {
        Self {
            place,
            hint: Some(hint.into()),
        }
    }

    const fn place(place: Option<Cite>) -> Self {
        Self { place, hint: None }
    }
}

// === impl Case ===

impl Case<'_> {
    /// The issuer whose rules the token was held against.
    pub(super) fn issuer(&self) -> Option<&Issuer> {
        let issuers = &self.plane.snapshot.issuers;
        issuers.get(self.record.issuer?).map(|issuer| &**issuer)
    }

    pub(super) fn advise(&self, denial: &Denial) -> Advice {
        match &denial.cause {
            Cause::Request(error) => self.of_request(*error, denial),
            Cause::RouteNotFound => self.of_route(),
            Cause::MethodNotAllowed { allow } => self.of_method(allow),
            Cause::Credential(error) => self.of_credential(*error),
            Cause::Token(error) => self.of_token(*error),
            Cause::ApiKey(_) => Advice::new(
                None,
                match self.plane.index.has_key_secret() {
                    true => "callers are never told what is wrong with a key",
                    false => "API keys live in the state of a running gateway, which is not looked at here",
                },
            ),
            Cause::KeysUnavailable => self.of_keys(),
            Cause::IntrospectionUnavailable(_) => self.of_no_answer(),
            Cause::VerificationOverloaded(overdrawn) => self.of_overload(*overdrawn),
            Cause::Revoked => self.of_revocation(),
            Cause::RevocationsUnavailable => self.of_missing_list(),
            Cause::Identity(error) => self.of_identity(*error),
            Cause::Subscription(error) => self.of_subscription(*error, denial),
            Cause::PlanNotSelected => self.of_selection(),
            Cause::Resource(error) => self.of_resource(error, denial),
            Cause::Authorization { error, .. } => self.of_authorization(*error, denial),
            Cause::Header(error) => self.of_header(*error),
            Cause::LimitClaim(_) => self.of_limit_claim(denial),
            Cause::Limit(exceeded) => self.of_limit(*exceeded, denial),
        }
    }

    fn api(&self) -> &str {
        self.record.api.as_ref().map_or("", |api| api.name.as_str())
    }

    /// The plans of the API that are on offer, in the order written.
    fn on_offer(&self) -> impl Iterator<Item = &Plan> {
        let plans = self.record.api.iter().flat_map(|api| api.plans.all());
        plans
            .map(|plan| &**plan)
            .filter(|plan| plan.is_on_offer(self.now))
    }

    fn of_request(&self, error: RequestError, denial: &Denial) -> Advice {
        let http = &self.plane.snapshot.http;
        match error {
            RequestError::Path(PathError::DuplicateSlash) => {
                Advice::place(self.cites.server("duplicate_slashes"))
            }
            RequestError::Path(PathError::Parameters) => Advice::place(self.cites.server("path_parameters")),
            RequestError::TargetTooLong => Advice::new(
                self.cites.server("target_bytes_max"),
                format!("at most {} bytes are taken", http.target_bytes_max),
            ),
            RequestError::FieldsTooLarge => {
                let fields = self.question.header().headers.len();
                let (key, hint) = match fields > http.headers_max {
                    true => (
                        "headers_max",
                        format!("{fields} fields came, {} are taken", http.headers_max),
                    ),
                    false => (
                        "header_bytes_max",
                        format!("at most {} bytes are taken", http.header_bytes_max),
                    ),
                };
                Advice::new(self.cites.server(key), hint)
            }
            RequestError::BodyTooLarge => {
                let Some(api) = &denial.api else {
                    return Advice::default();
                };
                let own = self.cites.api(api.name.as_str(), "body_bytes_max");
                let place = match own {
                    Some(own) if own.default => self.cites.server("body_bytes_max").or(Some(own)),
                    own => own,
                };
                Advice::new(place, format!("at most {} bytes are taken", api.body_bytes_max))
            }
            RequestError::HostCount => Advice {
                place: None,
                hint: Some("a request of HTTP/1.1 has exactly one `Host`".to_owned()),
            },
            RequestError::Path(_)
            | RequestError::Host(_)
            | RequestError::PathEncoding
            | RequestError::Method
            | RequestError::ContentLength
            | RequestError::TransferEncoding => Advice::default(),
        }
    }

    fn of_route(&self) -> Advice {
        let Some((host, path)) = &self.record.place else {
            return Advice::default();
        };
        if let Some(api) = self.plane.snapshot.routes.api(host, path) {
            let name = api.name.as_str();
            let Some(places) = self.cites.api_places(name) else {
                return Advice::default();
            };
            return match api.plans.any_on_offer(self.now) {
                false => self.of_no_plan(api),
                true => {
                    let routes = words::list(places.routes.iter().map(|route| &*route.path));
                    let first = places.routes.first().map(|route| cite(&route.table, "path"));
                    let hint = format!("the API {name} has no route for this path; it has {routes}");
                    Advice::new(first.or_else(|| self.cites.api(name, "route")), hint)
                }
            };
        }
        self.of_nowhere(host, path)
    }

    /// No API has this host and path.
    fn of_nowhere(&self, host: &str, path: &str) -> Advice {
        let apis = &self.cites.all().apis;
        let below = |context: &str| {
            let context = context.trim_end_matches('/');
            let rest = path.strip_prefix(context).filter(|_| !context.is_empty());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let mut elsewhere: Vec<_> = apis.iter().filter(|(_, api)| below(&api.context_path)).collect();
        elsewhere.sort_by_key(|(name, _)| *name);
        if let Some((name, api)) = elsewhere.first() {
            let hint = format!(
                "the API {name} has this context path for other hosts: {}; the host is {host}",
                words::list(&api.hosts)
            );
            return Advice::new(Some(cite(&api.table, "hosts")), hint);
        }
        let mut contexts: Vec<&str> = apis.values().map(|api| &*api.context_path).collect();
        contexts.sort_unstable();
        contexts.dedup();
        let first = path.split('/').nth(1).unwrap_or_default();
        let meant = words::similar(&format!("/{first}"), contexts.iter().copied());
        let meant = meant.map_or_else(String::new, |meant| format!("; did you mean {meant}?"));
        let hint = format!(
            "no API has this path; context paths are {}{meant}",
            words::list(&contexts)
        );
        Advice::new(None, hint)
    }

    fn of_method(&self, allow: &str) -> Advice {
        let Some((host, path)) = &self.record.place else {
            return Advice::default();
        };
        let other = allow.split(", ").next().unwrap_or_default();
        let found = self.plane.snapshot.routes.find(host, path, other).ok();
        let place = found.and_then(|found| {
            let api = found.api.name.as_str();
            self.cites.route(api, found.route.index, "methods")
        });
        Advice::new(place, format!("this path has {allow}"))
    }

    fn of_credential(&self, error: CredentialError) -> Advice {
        let api = self.api();
        let mut on_offer = self.on_offer();
        let fields = self
            .question
            .header()
            .headers
            .get_all(http::header::AUTHORIZATION);
        match error {
            CredentialError::Missing => {
                let asking: Vec<_> = on_offer
                    .filter(|plan| plan.security != Security::Keyless)
                    .map(|plan| plan.name.as_str())
                    .collect();
                let names = words::list(&asking);
                let other = match fields.iter().next() {
                    Some(_) => "; there is an `Authorization` field, but not of the scheme Bearer",
                    None => "",
                };
                let place = asking
                    .first()
                    .and_then(|plan| self.cites.plan(api, plan, "security"));
                Advice::new(place, format!("these plans ask for a credential: {names}{other}"))
            }
            CredentialError::NotAccepted => {
                let plans: Vec<_> = on_offer.collect();
                let hint = match plans.iter().all(|plan| plan.security == Security::Keyless) {
                    true => "every plan on offer is keyless: send no token",
                    false => "no plan on offer takes a token: send an API key instead",
                };
                let first = plans.first();
                let place = first.and_then(|plan| self.cites.plan(api, plan.name.as_str(), "security"));
                Advice::new(place, hint)
            }
            CredentialError::SourceNotAccepted => {
                let first = on_offer.next();
                let place = first.and_then(|plan| self.cites.plan(api, plan.name.as_str(), "token_from"));
                Advice::new(place, "no plan for this issuer looks where the token was")
            }
            CredentialError::Several => {
                let hint = match fields.iter().count() {
                    count @ 2.. => format!("there are {count} `Authorization` fields; send one"),
                    _ => "there are credentials in several places; send one".to_owned(),
                };
                Advice::new(None, hint)
            }
            CredentialError::Malformed => Advice::new(None, "write `Bearer`, one space, and the token"),
        }
    }

    fn of_identity(&self, error: IdentityError) -> Advice {
        let Some(issuer) = self.issuer() else {
            return Advice::default();
        };
        let name = issuer.name.as_str();
        match error {
            IdentityError::SubjectType => {
                let subject = self.shown.claims.get("sub").cloned().unwrap_or_default();
                Advice::new(self.cites.issuer(name, "name"), format!("`sub` is {subject}"))
            }
            IdentityError::ClientIdType => Advice::place(self.cites.issuer(name, "client_id_claims")),
            IdentityError::ScopesType => Advice::place(self.cites.issuer(name, "scopes_claim")),
            IdentityError::SubjectMissing => {
                let mapping = self.cites.mapping(name, "sub").map(|(_, place)| place);
                Advice::place(mapping.or_else(|| self.cites.issuer(name, "claim_mapping")))
            }
            IdentityError::TransformationType
            | IdentityError::TransformationTooLong
            | IdentityError::JoinAmbiguous => Advice::place(self.cites.issuer(name, "claim_mapping")),
        }
    }

    fn of_subscription(&self, error: SubscriptionError, denial: &Denial) -> Advice {
        let application = denial.application.as_ref().map(|id| id.as_str());
        if let (Some(plan), true) = (&denial.plan, error != SubscriptionError::NotFound) {
            let plan_name = plan.name.as_str();
            if plan.life.at(self.now) == Stage::Closed {
                let hint = format!("the plan {plan_name} is closed, and so are all subscriptions to it");
                return Advice::new(self.stage_place(self.api(), plan), hint);
            }
            let place = self.terms_place(error, application, &plan.id);
            let mut considered = self.record.plans.iter();
            let terms = considered
                .find(|(own, _, _)| own.id == plan.id)
                .and_then(|(_, _, subscription)| subscription.as_ref())
                .map(|subscription| subscription.terms());
            let away = |time: Option<UnixTime>| {
                time.map_or_else(String::new, |time| words::moment_from_now(time, self.now))
            };
            let whose = application.unwrap_or("nobody");
            let what = format!("the subscription of {whose} to {plan_name}");
            let hint = match error {
                SubscriptionError::NotFound => return Advice::default(),
                SubscriptionError::Pending => {
                    let place = match place {
                        Some(place) if place.default => self
                            .cites
                            .plan(self.api(), plan_name, "validation")
                            .or(Some(place)),
                        place => place,
                    };
                    return Advice::new(place, format!("{what} waits for `status = \"accepted\"`"));
                }
                SubscriptionError::Paused => format!("{what} is paused"),
                SubscriptionError::Closed => format!("{what} is closed"),
                SubscriptionError::Rejected => format!("{what} is rejected"),
                SubscriptionError::NotStarted => {
                    format!("{what} begins at {}", away(terms.and_then(|terms| terms.from)))
                }
                SubscriptionError::Ended => {
                    format!("{what} ended at {}", away(terms.and_then(|terms| terms.until)))
                }
                SubscriptionError::ApplicationSuspended => format!("the application {whose} is suspended"),
                SubscriptionError::ApplicationAmbiguous => {
                    "the client id and the claim sets that the token matches are those of several applications"
                        .to_owned()
                }
            };
            return Advice::new(place, hint);
        }
        self.of_no_subscription(application)
    }

    /// No client id, no application, no subscription, or one to a plan for another audience.
    fn of_no_subscription(&self, application: Option<&str>) -> Advice {
        let identity = self.record.caller.as_ref().map(|caller| &caller.identity);
        let issuer = identity.map_or("", |identity| identity.issuer.as_str());
        let Some(client) = identity.and_then(|identity| identity.client_id.as_deref()) else {
            let hint = "the token has no client id: none of the issuer's `client_id_claims` is there";
            return Advice::new(self.cites.issuer(issuer, "client_id_claims"), hint);
        };
        let Some(application) = application else {
            let known = self.cites.all().applications.values();
            let known = known.flat_map(|application| &application.client_ids);
            let meant = words::similar(client, known.map(|(_, id, _)| &**id));
            let meant = meant.map_or_else(String::new, |meant| format!("; did you mean {meant}?"));
            let hint = format!("no application has the client id {client} of this issuer{meant}");
            return Advice::new(None, hint);
        };
        let considered = |wanted: fn(&PlanOutcome) -> bool| {
            let plans = self.record.plans.iter();
            words::list(
                plans
                    .filter(|(_, outcome, _)| wanted(outcome))
                    .map(|(plan, _, _)| plan.name.as_str()),
            )
        };
        let own = self.cites.all().subscriptions.keys();
        let mut own: Vec<&str> = own
            .filter(|(whose, _)| **whose == *application)
            .map(|(_, plan)| plan.as_str())
            .collect();
        // Those of the store, as far as this API goes.
        let id = ApplicationId::new(application);
        let plans = self.record.api.iter().flat_map(|api| api.plans.all());
        let kept = plans.filter(|plan| self.plane.index.subscription(&id, &plan.id).is_some());
        own.extend(kept.map(|plan| plan.id.as_str()));
        own.sort_unstable();
        own.dedup();
        let mut hint = format!(
            "{application} has no subscription to {}; it has: {}",
            considered(|outcome| matches!(outcome, PlanOutcome::Refused(_))),
            words::list(own)
        );
        let other = considered(|outcome| *outcome == PlanOutcome::OtherAudience);
        if other != "none" {
            hint.push_str(&format!("; the token's audience rules out {other}"));
        }
        Advice::new(self.cites.application(application, "id"), hint)
    }

    fn of_scopes(&self) -> Advice {
        let (Some(api), Some(route)) = (&self.record.api, &self.record.route) else {
            return Advice::default();
        };
        let has = |scope: &str| {
            let caller = self.record.caller.as_ref();
            caller.is_some_and(|caller| caller.identity.has_scope(scope))
        };
        let demanded = route.requirements.scopes.text().split(' ');
        let lacking = words::list(demanded.filter(|scope| !has(scope)));
        let how = match route.requirements.scopes.scope_match() {
            ScopeMatch::Any => "one of these is needed",
            ScopeMatch::All => "these are lacking",
        };
        let place = self.cites.route(api.name.as_str(), route.index, "scopes");
        Advice::new(place, format!("{how}: {lacking}"))
    }

    fn of_header(&self, error: HeaderError) -> Advice {
        let api = self.api();
        match error {
            HeaderError::Unsendable => Advice::place(self.cites.api(api, "claim_header_encoding")),
            HeaderError::TooLong => Advice::place(self.cites.api(api, "claim_headers")),
        }
    }
}
