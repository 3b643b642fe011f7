//! APIs, plans and routes.
//!
//! It goes in two rounds. [`drafts`] judges everything that stands in the configuration; [`publish`] then lays out the
//! plans and the route table, when it is known which claims anything asks for. Conflicts between APIs and between routes
//! are found there, so both rounds are gone through even if the first has found mistakes.

use std::collections::HashMap;
use std::sync::Arc;

use super::api_keys;
use super::audiences::{self, Said};
use super::issuers::{Draft as IssuerDraft, Shared};
use super::limits::{Of, Tiers};
use super::requirements::{compile_claims, compile_resources, compile_rule, judge_keyless};
use super::routes::{self, RouteDraft};
use super::server::HttpSettings;
use super::upstreams::{Upstreams, find_upstream};
use super::{KeptClaims, Names, headers, mistake, refused, shown};
use super::{bearer_plans, life, token_from};
use crate::api::{
    Accepted, Api, ClaimHeader, ClaimHeaders, HeaderEncoding, Life, Limited, OfferedPlan, Part, Plan, Plans,
    Route, Schedule, Security, Stages, Terms,
};
use crate::authorization::{RequiredClaim, Requirements, Resources};
use crate::config::{self, Located, Mistake, Mistakes, Place};
use crate::credential::Source;
use crate::id::{ApiName, PlanId, PlanName, parse_name};
use crate::identity::{ClaimMapping, ClaimPath};
use crate::limit::Subject;
use crate::predicate::Predicate;
use crate::route::{ContextPath, HostPattern, Table, TableBuilder, TableError};
use crate::upstream::Upstream;

/// An API that has been judged.
#[derive(Debug)]
pub(super) struct ApiDraft {
    pub(super) name: Located<String>,
    hosts: Vec<HostPattern>,
    context: Option<ContextPath>,
    public_uri: Option<Box<str>>,
    strip_context_path: bool,
    upstream: Option<Arc<Upstream>>,
    claim_headers: ClaimHeaders,
    forward_credential: bool,
    body_bytes_max: u64,
    limits: Option<Limited>,
    pub(super) plans: Vec<PlanDraft>,
    routes: Vec<RouteDraft>,
}

/// A plan that has been judged.
#[derive(Debug)]
pub(super) struct PlanDraft {
    pub(super) name: Located<String>,
    pub(super) security: Security,
    pub(super) schedule: Schedule,
    pub(super) validation: config::Validation,
    subscription_required: bool,
    sources: Vec<Source>,
    pub(super) issuers: Vec<Located<String>>,
    audiences: Said,
    selection_rule: Option<Predicate>,
    resources: Resources,
    claims: Vec<RequiredClaim>,
    limits: Box<[Part]>,
}

/// What requests find.
pub(super) struct Published {
    pub(super) routes: Table<Arc<Api>, Arc<Route>>,
    pub(super) listed_routes: Vec<Arc<Route>>,
    pub(super) apis: Vec<Arc<Api>>,
    pub(super) plans: Vec<Arc<Plan>>,
    pub(super) plan_apis: Vec<Arc<Api>>,
}

/// What APIs refer to.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) http: &'a HttpSettings,
    pub(super) shared: &'a Shared,
    pub(super) issuers: &'a [IssuerDraft],
    pub(super) upstreams: &'a Upstreams,
    pub(super) tiers: &'a Tiers<'a>,
}

pub(super) fn drafts(
    written: Vec<config::Api>,
    around: Around<'_>,
    kept: &mut KeptClaims,
    mistakes: &mut Mistakes,
) -> Vec<ApiDraft> {
    let Around {
        http,
        shared: _,
        issuers,
        upstreams,
        tiers,
    } = around;
    let mut names = Names::default();
    let mut drafts = Vec::new();
    for api in written {
        let config::Api {
            name,
            version: _, // for people
            hosts,
            context_path,
            public_uri,
            strip_context_path,
            upstream,
            claim_headers,
            claim_header_separator,
            claim_header_encoding,
            forward_credential,
            body_bytes_max,
            limits: own_limits,
            plans,
            routes,
        } = api;
        judge_name("the API", &name, mistakes);
        names.claim("the API", &name.value, &name.place, mistakes);
        let hosts = compile_hosts(&hosts, mistakes);
        let context = ContextPath::parse(&context_path.value);
        let context = context
            .map_err(|error| mistakes.push(refused(&context_path, "the context path", error)))
            .ok();
        let upstream = find_upstream(&upstream, upstreams, mistakes);
        let claim_headers = ClaimHeaders {
            fields: headers::fields(claim_headers, http, kept, mistakes),
            separator: headers::separator(claim_header_separator, mistakes),
            encoding: match claim_header_encoding {
                config::HeaderEncoding::Percent => HeaderEncoding::Percent,
                config::HeaderEncoding::Refuse => HeaderEncoding::Refuse,
            },
        };
        let plans = compile_plans(&name.value, plans, &claim_headers.fields, around, kept, mistakes);
        bearer_plans::judge(&plans, issuers, mistakes);
        api_keys::tell_apart(
            &name,
            plans.iter().map(|plan| (plan.security, &*plan.sources)),
            mistakes,
        );
        let public_uri = audiences::public_uri(public_uri, mistakes);
        if public_uri.is_none() && plans.iter().any(|plan| plan.asks_for_uri(issuers)) {
            mistakes.push(
                mistake(&name, "the API", "has no `public_uri`").help(
                    "a plan of it, or an issuer of such a plan, has \"request_uri\" in `audience_from`",
                ),
            );
        }
        let routes = routes
            .into_iter()
            .enumerate()
            .filter_map(|(index, route)| {
                routes::compile(
                    route,
                    index,
                    &name.value,
                    upstream.as_ref(),
                    around,
                    kept,
                    mistakes,
                )
            })
            .collect();
        let subject = || Subject::Api(ApiName::new(name.value.as_str()));
        let limits = tiers.limited(own_limits, subject, mistakes);
        drafts.push(ApiDraft {
            name,
            hosts,
            context,
            public_uri,
            strip_context_path,
            upstream,
            claim_headers,
            forward_credential,
            body_bytes_max: body_bytes_max.unwrap_or(http.body_bytes_max),
            limits,
            plans,
            routes,
        });
    }
    drafts
}

pub(super) fn publish(
    drafts: Vec<ApiDraft>,
    issuers: &[IssuerDraft],
    kept: &KeptClaims,
    stages: &Stages,
    mistakes: &mut Mistakes,
) -> Published {
    let mut mappings = Mappings {
        issuers,
        kept: kept.paths.as_slice().into(),
        made: HashMap::new(),
    };
    let mut table = TableBuilder::new();
    let mut published = Published {
        routes: TableBuilder::new().build(),
        listed_routes: vec![],
        apis: vec![],
        plans: vec![],
        plan_apis: vec![],
    };
    for draft in drafts {
        let ApiDraft {
            name,
            hosts,
            context,
            public_uri,
            strip_context_path,
            upstream,
            claim_headers,
            forward_credential,
            body_bytes_max,
            limits,
            plans,
            routes,
        } = draft;
        // What is missing was a mistake in the first round.
        let (Some(context), Some(upstream)) = (context, upstream) else {
            continue;
        };
        let first_plan = published.plans.len();
        let offered = offer(
            &name.value,
            public_uri.as_deref(),
            plans,
            &mut mappings,
            stages,
            &mut published.plans,
        );
        let api = Arc::new(Api {
            name: ApiName::new(name.value.as_str()),
            index: published.apis.len(),
            plans: offered,
            claim_headers,
            context_path: context.as_str().trim_end_matches('/').into(),
            strip_context_path,
            forward_credential,
            body_bytes_max,
            limits,
        });
        published
            .plan_apis
            .extend((first_plan..published.plans.len()).map(|_| Arc::clone(&api)));
        published.apis.push(Arc::clone(&api));
        let places: Vec<Place> = routes.iter().map(|route| route.place.clone()).collect();
        let listed = routes
            .into_iter()
            .map(|route| {
                let RouteDraft {
                    place: _, // in `places`
                    index,
                    pattern,
                    methods,
                    upstream,
                    requirements,
                    limits,
                } = route;
                let route = published.list(Some(index), upstream, requirements, limits);
                (pattern, methods, route)
            })
            .collect();
        let open = published.list(None, upstream, Requirements::default(), None);
        match table.insert(&hosts, &context, api, listed, Some(open)) {
            Ok(()) => {}
            Err(error @ TableError::ApiConflict) => mistakes.push(mistake(
                &name,
                "the API",
                format!("cannot be told apart: {error}"),
            )),
            Err(error @ TableError::RouteConflict { index, other }) => {
                let place = places.get(index).unwrap_or(&name.place).clone();
                let first = places
                    .get(other)
                    .map(|place| format!("; first at {place}"))
                    .unwrap_or_default();
                mistakes.push(Mistake::new(place, format!("{error}{first}")));
            }
        }
    }
    published.routes = table.build();
    published
}

// === impl PlanDraft ===

impl PlanDraft {
    fn asks_for_uri(&self, issuers: &[IssuerDraft]) -> bool {
        let named = |draft: &&IssuerDraft| {
            let name = draft.issuer.name.as_str();
            self.issuers.iter().any(|issuer| issuer.value == name)
        };
        let mut drafts = issuers.iter().filter(named);
        drafts.any(|draft| audiences::ask_for_uri(&draft.audiences, &self.audiences))
    }
}

/// One mapping an issuer, shared by all APIs.
struct Mappings<'d> {
    issuers: &'d [IssuerDraft],
    kept: Arc<[ClaimPath]>,
    made: HashMap<String, (Arc<ClaimMapping>, Terms)>,
}

// === impl Mappings ===

impl<'d> Mappings<'d> {
    fn of(&mut self, name: &str) -> Option<(&'d IssuerDraft, Arc<ClaimMapping>, Terms)> {
        let draft = self
            .issuers
            .iter()
            .find(|draft| draft.issuer.name.as_str() == name)?;
        let (mapping, terms) = self.made.entry(name.to_owned()).or_insert_with(|| {
            let mapping = ClaimMapping {
                default: draft.default_map.clone(),
                own: draft.own_map.clone(),
                scopes: draft.scopes.clone(),
                client_ids: draft.client_ids.clone(),
                kept: Arc::clone(&self.kept),
            };
            let terms = Terms::of(&draft.issuer.rules, &mapping);
            (Arc::new(mapping), terms)
        });
        Some((draft, Arc::clone(mapping), *terms))
    }
}

/// Lays out the plans. Closed ones are among them: who had a subscription is told so.
fn offer(
    api: &str,
    public_uri: Option<&str>,
    drafts: Vec<PlanDraft>,
    mappings: &mut Mappings<'_>,
    stages: &Stages,
    all: &mut Vec<Arc<Plan>>,
) -> Plans {
    let mut jwt = foldhash::HashMap::default();
    let mut oauth2: Option<Accepted> = None;
    let mut own = Vec::new();
    for draft in drafts {
        let id = PlanId::of(api, &draft.name.value);
        let plan = Arc::new(Plan {
            life: Life::new(draft.schedule, stages.cell(&id)),
            id,
            name: PlanName::new(draft.name.value.as_str()),
            index: all.len(),
            security: draft.security,
            subscription_required: draft.subscription_required,
            sources: draft.sources,
            selection_rule: draft.selection_rule,
            resources: draft.resources,
            claims: draft.claims,
            limits: draft.limits,
        });
        all.push(Arc::clone(&plan));
        own.push(Arc::clone(&plan));
        for name in &draft.issuers {
            let Some((issuer, mapping, terms)) = mappings.of(&name.value) else {
                continue;
            };
            let audiences = audiences::accepted(
                &issuer.audiences,
                &draft.audiences,
                issuer.audience_optional,
                public_uri,
            );
            let Some(audiences) = audiences else {
                continue;
            };
            if let (Security::OAuth2, Some(introspection)) = (draft.security, &issuer.issuer.introspection) {
                let accepted = oauth2.get_or_insert_with(|| Accepted {
                    issuer: Arc::clone(&issuer.issuer),
                    terms: Terms::of_answers(&issuer.issuer.rules, &mapping, introspection),
                    mapping,
                    plans: Vec::new(),
                });
                accepted.plans.push(OfferedPlan {
                    plan: Arc::clone(&plan),
                    audiences,
                });
                continue;
            }
            jwt.entry(name.value.as_str().into())
                .or_insert_with(|| Accepted {
                    issuer: Arc::clone(&issuer.issuer),
                    mapping,
                    terms,
                    plans: Vec::new(),
                })
                .plans
                .push(OfferedPlan {
                    plan: Arc::clone(&plan),
                    audiences,
                });
        }
    }
    Plans::new(jwt, oauth2, own)
}

fn compile_plans(
    api: &str,
    written: Vec<config::Plan>,
    claim_headers: &[ClaimHeader],
    around: Around<'_>,
    kept: &mut KeptClaims,
    mistakes: &mut Mistakes,
) -> Vec<PlanDraft> {
    let Around {
        http,
        shared,
        issuers,
        upstreams: _,
        tiers,
    } = around;
    let mut names = Names::default();
    let mut keyless: Vec<(Place, Schedule)> = Vec::new();
    let mut plans = Vec::new();
    for plan in written {
        let config::Plan {
            name,
            security,
            issuers: accepted_issuers,
            token_from,
            api_key,
            audiences,
            audience_from,
            stage,
            publish_at,
            deprecate_at,
            close_at,
            validation,
            subscription_validation,
            selection_rule,
            resources,
            claims,
            limits: own_limits,
        } = plan;
        judge_name("the plan", &name, mistakes);
        names.claim("the plan", &name.value, &name.place, mistakes);
        let written = life::Written {
            stage,
            publish_at,
            deprecate_at,
            close_at,
        };
        let schedule = life::compile(written, mistakes);
        let gateway = shared.audience.as_deref();
        let own_audiences = Said::new(audiences.clone(), &audience_from, gateway, mistakes);
        let misplaced = [
            accepted_issuers.first().map(|issuer| ("issuers", &issuer.place)),
            token_from
                .as_ref()
                .map(|token_from| ("token_from", &token_from.place)),
            audiences
                .as_ref()
                .map(|audiences| ("audiences", &audiences.place)),
            audience_from
                .first()
                .map(|source| ("audience_from", &source.place)),
            subscription_validation
                .as_ref()
                .map(|flag| ("subscription_validation", &flag.place)),
            claims.first().map(|claim| ("claims", &claim.name.place)),
        ];
        let security = match security.value {
            config::Security::Jwt | config::Security::OAuth2 => {
                bearer_plans::judge_issuers(
                    &name,
                    &accepted_issuers,
                    &own_audiences,
                    audience_from.first(),
                    issuers,
                    mistakes,
                );
                match security.value {
                    config::Security::OAuth2 => Security::OAuth2,
                    _ => Security::Jwt,
                }
            }
            config::Security::ApiKey => {
                refuse_misplaced(
                    "an API key plan",
                    "keys belong to subscriptions and have no claims",
                    misplaced,
                    mistakes,
                );
                Security::ApiKey
            }
            config::Security::Keyless => {
                refuse_misplaced(
                    "a keyless plan",
                    "it asks callers for nothing",
                    misplaced,
                    mistakes,
                );
                judge_keyless(&name, selection_rule.is_none(), schedule, &mut keyless, mistakes);
                Security::Keyless
            }
        };
        let selection_rule =
            selection_rule.and_then(|rule| compile_rule(&rule, !security.takes_bearer(), kept, mistakes));
        let subscription_required = subscription_validation.is_none_or(|flag| flag.value);
        let of = match subscription_required && security != Security::Keyless {
            true => Of::Subscriptions(security),
            false => Of::Callers(security),
        };
        let id = PlanId::of(api, &name.value);
        let limits = tiers.of_plan(own_limits, (&id, of), kept, mistakes);
        plans.push(PlanDraft {
            name,
            security,
            schedule,
            validation,
            subscription_required,
            sources: match security {
                Security::ApiKey => api_keys::compile(api_key.as_ref(), claim_headers, http, mistakes),
                Security::Jwt | Security::OAuth2 | Security::Keyless => {
                    api_keys::refuse(api_key.as_ref(), security, mistakes);
                    token_from::compile(token_from.as_ref(), claim_headers, http, mistakes)
                }
            },
            issuers: accepted_issuers,
            audiences: own_audiences,
            selection_rule,
            resources: compile_resources(resources, mistakes),
            claims: compile_claims(claims, kept),
            limits,
        });
    }
    plans
}

/// Keys that mean nothing for a plan of this kind.
fn refuse_misplaced(
    kind: &str,
    because: &str,
    misplaced: [Option<(&str, &Place)>; 6],
    mistakes: &mut Mistakes,
) {
    for (key, place) in misplaced.into_iter().flatten() {
        let message = format!("{kind} takes no `{key}`: {because}");
        mistakes.push(Mistake::new(place.clone(), message));
    }
}

// === impl Published ===

impl Published {
    fn list(
        &mut self,
        index: Option<usize>,
        upstream: Arc<Upstream>,
        requirements: Requirements,
        limits: Option<Limited>,
    ) -> Arc<Route> {
        let route = Arc::new(Route {
            index,
            place: self.listed_routes.len(),
            upstream,
            requirements,
            limits,
        });
        self.listed_routes.push(Arc::clone(&route));
        route
    }
}

fn compile_hosts(written: &[Located<String>], mistakes: &mut Mistakes) -> Vec<HostPattern> {
    if written.is_empty() {
        return vec![HostPattern::Any];
    }
    let parse = |host: &Located<String>, mistakes: &mut Mistakes| {
        HostPattern::parse(&host.value)
            .map_err(|error| mistakes.push(refused(host, "the host", error)))
            .ok()
    };
    written.iter().filter_map(|host| parse(host, mistakes)).collect()
}

/// Whether a name is one; says so if not.
pub(super) fn judge_name(what: &str, name: &Located<String>, mistakes: &mut Mistakes) -> bool {
    match parse_name(&name.value) {
        Ok(_) => true,
        Err(error) => {
            let message = format!("the name of {what} `{}` {error}", shown(&name.value));
            mistakes.push(Mistake::new(name.place.clone(), message));
            false
        }
    }
}
