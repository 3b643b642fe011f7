//! One compiled configuration: immutable, and nothing in it can be wrong.
//!
//! This is the only place where the operator's words meet the domain. [`compile`] takes the written structs apart
//! completely (no `..`: a new key must be handled here before the crate compiles), checks every reference, and returns
//! a [`Snapshot`] or every mistake with its place. Files and the present time come in as arguments. Compiling changes
//! nothing that the running gateway sees.

mod admin;
mod api_keys;
mod apis;
mod audiences;
mod bearer_plans;
mod catalogue;
mod claims;
mod forgery;
mod headers;
mod issuers;
mod life;
mod limits;
mod places;
mod requirements;
mod routes;
mod secrets;
mod server;
mod subscribers;
#[cfg(test)]
mod tests;
mod token_from;
mod token_service;
mod upstreams;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use admin::{AdminSettings, ServerTls};
pub use catalogue::{Listed, ListedPlan};
pub use places::{
    ApiPlaces, ApplicationPlaces, IssuerPlaces, Mapped, Places, PlanPlaces, RoutePlaces, Setting, Spot,
    Written,
};
pub use server::{AccessLogSettings, HttpSettings, ProcessSettings};
pub use token_service::{MissingKey, TokenListener};

use crate::api::{Api, Plan, Route, Stages};
use crate::config::{self, Config, Files, Located, Mistake, Mistakes, Place};
use crate::id::{ApplicationId, PlanId};
use crate::identity::ClaimPath;
use crate::issuer::{Issuer, KeyRing};
use crate::issuing::TokenService;
use crate::limit::{Counters, ForgeryBudget, Limits};
use crate::route::Table;
use crate::subscription::Declared;
use crate::time::UnixTime;
use crate::token::Skipped;
use crate::upstream::Upstream;

/// One compiled configuration.
#[derive(Debug)]
pub struct Snapshot {
    /// Which one it is: each that is put in place has a higher number than the one before.
    pub generation: u64,
    /// Host, path and method to API and route.
    pub routes: Table<Arc<Api>, Arc<Route>>,
    /// All routes, each at its `place`, with what stands for an API that lists none.
    pub listed_routes: Vec<Arc<Route>>,
    /// All APIs, each at its `index`.
    pub apis: Vec<Arc<Api>>,
    /// All plans, on offer or not, each at its `index`.
    pub plans: Vec<Arc<Plan>>,
    /// The API of each plan, by the plan's index.
    pub plan_apis: Vec<Arc<Api>>,
    /// Every API and plan that is written down, on offer or not.
    pub catalogue: Vec<Listed>,
    /// All issuers.
    pub issuers: Vec<Arc<Issuer>>,
    /// All upstreams.
    pub upstreams: Vec<Arc<Upstream>>,
    /// Applications and subscriptions as the configuration declares them.
    pub declared: Declared,
    /// What declared applications may use of all APIs together.
    pub application_limits: foldhash::HashMap<ApplicationId, Arc<Limits>>,
    /// What the gateway gives out itself, if it is an issuer.
    pub token_service: Option<Arc<TokenService>>,
    /// Key files that are to be made before this one can serve.
    pub missing_keys: Vec<MissingKey>,
    /// How HTTP is spoken.
    pub http: HttpSettings,
    /// How much CPU time may go into tokens that turn out to be no good.
    pub forgery_budget: ForgeryBudget,
    /// What only a restart can change.
    pub process: ProcessSettings,
    /// Where approvals of key sets are, or may be one day.
    pub approvals: PathBuf,
    /// What was passed over, for the operator's log.
    pub warnings: Vec<String>,
    /// Where it was written.
    pub places: Places,
}

/// What compiling needs besides the configuration.
#[derive(Clone, Copy)]
pub struct Inputs<'i> {
    /// Where key files are read.
    pub files: &'i dyn Files,
    /// The rings of issuers whose keys are fetched.
    pub key_ring: &'i KeyRing,
    /// How far plans were moved by hand.
    pub stages: &'i Stages,
    /// What callers have used so far.
    pub counters: &'i dyn Counters,
    /// The present time: the age of keys that come from files.
    pub now: UnixTime,
    /// The number of the new snapshot.
    pub generation: u64,
}

/// Compiles a configuration.
///
/// # Errors
/// Every mistake, with its place.
pub fn compile(mut config: Config, inputs: Inputs<'_>) -> Result<Snapshot, Mistakes> {
    let mut mistakes = Mistakes::default();
    let places = Places::of(&mut config);
    let Config {
        server,
        listeners,
        metrics,
        access_log,
        state,
        admin,
        counters,
        tiers,
        token_service,
        users,
        claim_mappings,
        keys,
        issuers,
        upstreams,
        apis,
        applications,
        subscriptions,
        files,
        written: _, // in `places`
    } = config;
    if listeners.is_empty() {
        mistakes.push(server::no_listener(
            files.first().map_or_else(|| Path::new(""), PathBuf::as_path),
        ));
    }
    let mut warnings = Vec::new();
    let mut kept = KeptClaims::default();
    let main = files.first().map_or_else(|| Path::new(""), PathBuf::as_path);
    let approvals_path = issuers::approvals_path(&keys, main);
    let token_listener = token_service.as_ref().and_then(|written| {
        let listener = token_service::listener(written, inputs, &mut warnings, &mut mistakes)?;
        Some((written.address.place.clone(), listener))
    });
    let own =
        token_service.map(|written| token_service::draft(written, inputs, &mut warnings, &mut mistakes));
    let mut shared = issuers::Shared {
        default_map: claims::map(claim_mappings, &mut mistakes),
        audience: server.audience.as_ref().map(|audience| audience.value.clone()),
        approvals: issuers::approvals(&approvals_path, &issuers, inputs, &mut warnings),
        own,
    };
    let edges = server::Edges {
        listeners,
        metrics,
        access_log,
        state,
        admin,
        token_service: token_listener,
    };
    let forgery_budget = forgery::compile(&server, &mut mistakes);
    let (mut http, process) = server::compile(server, edges, inputs, &mut kept, &mut warnings, &mut mistakes);
    let issuers = issuers::compile(issuers, &shared, inputs, &mut warnings, &mut mistakes);
    let upstreams = upstreams::compile(upstreams, &mut mistakes);
    life::judge_security(&apis, inputs.stages, &mut mistakes);
    let config::Counters {
        kind: config::CountersKind::Local,
    } = counters;
    let tiers = limits::Tiers::compile(tiers, inputs.counters, &mut mistakes);
    let around = apis::Around {
        http: &http,
        shared: &shared,
        issuers: &issuers,
        upstreams: &upstreams,
        tiers: &tiers,
    };
    let drafts = apis::drafts(apis, around, &mut kept, &mut mistakes);
    let clients = applications
        .iter()
        .map(token_service::WrittenClient::of)
        .collect();
    let issuing = issue(
        &mut shared,
        clients,
        users,
        &issuers,
        &mut warnings,
        &mut mistakes,
    );
    let (token_service, missing_keys) = issuing.unzip();
    let (declared, application_limits) = subscribers::compile(
        applications,
        subscriptions,
        subscribers::Known {
            issuers: &issuers,
            apis: &drafts,
            tiers: &tiers,
        },
        inputs.now,
        &mut warnings,
        &mut mistakes,
    );
    let catalogue = catalogue::of(&drafts);
    let published = apis::publish(drafts, &issuers, &kept, inputs.stages, &mut mistakes);
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    if process.state.is_none() && tiers.keep_counts() {
        let warning =
            "quotas are counted, and there is no [state] to keep the counts: they begin anew with a restart";
        warnings.push(warning.to_owned());
    }
    http.own(
        published
            .apis
            .iter()
            .flat_map(|api| &api.claim_headers.fields)
            .map(|field| &field.name),
    );
    Ok(Snapshot {
        generation: inputs.generation,
        routes: published.routes,
        listed_routes: published.listed_routes,
        apis: published.apis,
        plans: published.plans,
        plan_apis: published.plan_apis,
        catalogue,
        issuers: issuers.into_iter().map(|issuer| issuer.issuer).collect(),
        upstreams: upstreams
            .into_iter()
            .filter_map(|(_, upstream)| upstream)
            .collect(),
        declared,
        application_limits,
        token_service: token_service.map(Arc::new),
        missing_keys: missing_keys.unwrap_or_default(),
        http,
        forgery_budget,
        process,
        approvals: approvals_path,
        warnings,
        places,
    })
}

/// The gateway as an issuer, if it is one.
fn issue(
    shared: &mut issuers::Shared,
    clients: Vec<token_service::WrittenClient>,
    users: Vec<config::User>,
    issuers: &[issuers::Draft],
    warnings: &mut Vec<String>,
    mistakes: &mut Mistakes,
) -> Option<(TokenService, Vec<MissingKey>)> {
    match shared.own.take() {
        Some(own) => Some(token_service::compile(own, clients, users, issuers, mistakes)),
        None => {
            token_service::unused(&clients, &users, warnings);
            None
        }
    }
}

// === impl Snapshot ===

impl Snapshot {
    /// The plan of this id, on offer or not.
    pub fn plan(&self, id: &PlanId) -> Option<&Arc<Plan>> {
        self.plans.iter().find(|plan| plan.id == *id)
    }
}

/// The local claims that something asks for, each once.
#[derive(Debug, Default)]
struct KeptClaims {
    paths: Vec<ClaimPath>,
}

/// Names that must be unique, and where each was first.
#[derive(Debug, Default)]
struct Names {
    first: HashMap<String, Place>,
}

// === impl KeptClaims ===

impl KeptClaims {
    /// The place of a claim among the kept ones.
    fn place(&mut self, text: &str) -> usize {
        let path = ClaimPath::parse(text);
        let known = self.paths.iter().position(|own| *own == path);
        known.unwrap_or_else(|| {
            self.paths.push(path);
            self.paths.len() - 1
        })
    }
}

// === impl Names ===

impl Names {
    /// Whether the name is new; if not, says where it was before.
    fn claim(&mut self, what: &str, name: &str, place: &Place, mistakes: &mut Mistakes) -> bool {
        if let Some(first) = self.first.get(name) {
            mistakes.push(Mistake::new(
                place.clone(),
                format!("{what} `{}` is defined twice; first at {first}", shown(name)),
            ));
            return false;
        }
        self.first.insert(name.to_owned(), place.clone());
        true
    }
}

/// A mistake about a value, quoting it.
fn mistake<T: AsRef<str>>(value: &Located<T>, what: &str, says: impl std::fmt::Display) -> Mistake {
    Mistake::new(
        value.place.clone(),
        format!("{what} `{}` {says}", shown(value.value.as_ref())),
    )
}

/// A value that breaks a rule; the rule is a sentence of its own.
fn refused<T: AsRef<str>>(value: &Located<T>, what: &str, rule: impl std::fmt::Display) -> Mistake {
    Mistake::new(
        value.place.clone(),
        format!("{what} `{}`: {rule}", shown(value.value.as_ref())),
    )
}

/// A reference to something that is not there, with the most similar name that is.
fn unknown<'n>(value: &Located<String>, what: &str, known: impl Iterator<Item = &'n str>) -> Mistake {
    let mistake = Mistake::new(
        value.place.clone(),
        format!("there is no {what} `{}`", shown(&value.value)),
    );
    let similar = known
        .map(|name| (strsim::damerau_levenshtein(name, &value.value), name))
        .filter(|(distance, _)| *distance <= value.value.chars().count().div_ceil(3))
        .min();
    match similar {
        Some((_, name)) => mistake.help(format!("did you mean `{}`?", shown(name))),
        None => mistake,
    }
}

/// A text as a message shows it: at most 80 characters.
fn shown(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((cut, _)) => format!("{}…", text.get(..cut).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// One line for each key that was passed over.
fn skipped_keys(issuer: &str, skipped: &[Skipped]) -> Vec<String> {
    skipped
        .iter()
        .map(|skipped| {
            let kid = skipped.kid.as_deref().unwrap_or("without kid");
            format!(
                "issuer {issuer}: key {} ({kid}) is not used: {}",
                skipped.index, skipped.error
            )
        })
        .collect()
}
