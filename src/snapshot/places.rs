//! Where the operator wrote what a snapshot is made of: for explanations, beside everything that requests are decided by.
//!
//! The domain knows no lines: a plan is its terms, wherever they stand. Who explains a decision looks up here, by the
//! names that the domain has, which table and key it came from. Nothing here is read while requests are served.

use std::collections::{HashMap, VecDeque};

pub use crate::config::{Setting, Spot, Written};

use super::{forgery, issuers, server};
use crate::config::{ClaimMapping, Config, Limits, Located, Place, Security};
use crate::id::PlanId;

/// The places of one configuration.
#[derive(Debug, Default)]
pub struct Places {
    /// `[server]`, if there is one.
    pub server: Option<Written>,
    /// `[[claim_mapping]]`, in the order written: the remote claim, the local one.
    pub default_mappings: Vec<Mapped>,
    /// By name.
    pub issuers: HashMap<Box<str>, IssuerPlaces>,
    /// By name.
    pub upstreams: HashMap<Box<str>, Written>,
    /// `[[tier]]`, by name.
    pub tiers: HashMap<Box<str>, Written>,
    /// By name.
    pub apis: HashMap<Box<str>, ApiPlaces>,
    /// By id.
    pub applications: HashMap<Box<str>, ApplicationPlaces>,
    /// Every table but those of applications and subscriptions, in the order of the files, for whoever asks what is in
    /// force. Of a table that nobody wrote there are the defaults.
    pub tables: Vec<Written>,
    /// By the application's and the plan's id.
    pub subscriptions: HashMap<(Box<str>, PlanId), Written>,
}

/// A claim mapping: the remote claim, the local one, and where it was written.
pub type Mapped = (Box<str>, Box<str>, Written);

/// Where an issuer was written.
#[derive(Debug)]
pub struct IssuerPlaces {
    /// `[[issuer]]`
    pub table: Written,
    /// `[[issuer.claim_mapping]]`, in the order written: the remote claim, the local one.
    pub mappings: Vec<Mapped>,
    /// `[[claim_mapping]]` goes before them.
    pub default_mapping: bool,
}

/// Where an API was written.
#[derive(Debug)]
pub struct ApiPlaces {
    /// `[[api]]`
    pub table: Written,
    /// The context path, as written.
    pub context_path: Box<str>,
    /// The hosts, as written; none: every host.
    pub hosts: Vec<Box<str>>,
    /// Each header of `claim_headers`, with its claim.
    pub claim_headers: Vec<(Box<str>, Box<str>, Spot)>,
    /// The tier that it refers to.
    pub tier: Option<Box<str>>,
    /// `[[api.plan]]`, in the order written, on offer or not.
    pub plans: Vec<PlanPlaces>,
    /// `[[api.route]]`, in the order written.
    pub routes: Vec<RoutePlaces>,
}

/// Where a plan was written.
#[derive(Debug)]
pub struct PlanPlaces {
    /// Its name.
    pub name: Box<str>,
    /// The kind of credential, as written.
    pub security: &'static str,
    /// `[[api.plan]]`
    pub table: Written,
    /// The tier that it refers to.
    pub tier: Option<Box<str>>,
}

/// Where a route was written.
#[derive(Debug)]
pub struct RoutePlaces {
    /// The path, as written.
    pub path: Box<str>,
    /// The methods, as written; none: every method.
    pub methods: Vec<Box<str>>,
    /// `[[api.route]]`
    pub table: Written,
    /// The tier that it refers to.
    pub tier: Option<Box<str>>,
}

/// Where an application was written.
#[derive(Debug)]
pub struct ApplicationPlaces {
    /// `[[application]]`
    pub table: Written,
    /// Its client ids: the issuer if only one may vouch for it, and the id.
    pub client_ids: Vec<(Option<Box<str>>, Box<str>, Spot)>,
    /// The tier that it refers to.
    pub tier: Option<Box<str>>,
}

/// The tables that were written, by their paths, still to be handed out.
struct Tables(HashMap<&'static str, VecDeque<Written>>);

// === impl Places ===

impl Places {
    /// The places of what was written. Names that are there twice are mistakes, of which somebody else complains.
    pub(super) fn of(config: &mut Config) -> Self {
        let mut tables = Tables(HashMap::new());
        let mut all = Vec::new();
        let mut issuers = config.issuers.iter();
        for mut written in std::mem::take(&mut config.written) {
            match written.table {
                "issuer" => issuers
                    .next()
                    .into_iter()
                    .for_each(|issuer| issuers::fill(issuer, &mut written)),
                "server" => {
                    server::fill(&mut written);
                    forgery::fill(&config.server, &mut written);
                }
                _ => {}
            }
            if written.settings().next().is_some() {
                all.push(written.clone());
            }
            if !written.is_written() {
                continue;
            }
            tables.0.entry(written.table).or_default().push_back(written);
        }
        let mut places = Self {
            server: tables.next("server"),
            tables: all,
            default_mappings: tables.mappings("claim_mapping", &config.claim_mappings),
            ..Self::default()
        };
        for issuer in &config.issuers {
            let Some(table) = tables.next("issuer") else { break };
            let mappings = tables.mappings("issuer.claim_mapping", &issuer.claim_mappings);
            let name = issuer.name.value.as_str().into();
            places.issuers.insert(
                name,
                IssuerPlaces {
                    table,
                    mappings,
                    default_mapping: issuer.use_default_claim_mapping,
                },
            );
        }
        for upstream in &config.upstreams {
            let Some(table) = tables.next("upstream") else {
                break;
            };
            let name = upstream.name.value.as_str().into();
            places.upstreams.insert(name, table);
        }
        for tier in &config.tiers {
            let Some(table) = tables.next("tier") else { break };
            places.tiers.insert(tier.name.value.as_str().into(), table);
        }
        for api in &config.apis {
            let Some(api_places) = tables.api(api) else { break };
            let name = api.name.value.as_str().into();
            places.apis.insert(name, api_places);
        }
        for application in &config.applications {
            let Some(table) = tables.next("application") else {
                break;
            };
            let client_ids = application.client_ids.iter().map(|client| {
                let issuer = client.issuer.as_ref().map(|issuer| issuer.value.as_str().into());
                (issuer, client.id.value.as_str().into(), spot(&client.id.place))
            });
            let client_ids = client_ids.collect();
            let id = application.id.value.as_str().into();
            let tier = tier(&application.limits);
            places.applications.insert(
                id,
                ApplicationPlaces {
                    table,
                    client_ids,
                    tier,
                },
            );
        }
        for subscription in &config.subscriptions {
            let Some(table) = tables.next("subscription") else {
                break;
            };
            let plan = PlanId::of(&subscription.api.value, &subscription.plan.value);
            let application = subscription.application.value.as_str().into();
            places.subscriptions.insert((application, plan), table);
        }
        places
    }
}

// === impl Tables ===

impl Tables {
    /// The next table of this kind: they come in the order of the configuration's lists.
    fn next(&mut self, path: &'static str) -> Option<Written> {
        self.0.get_mut(path)?.pop_front()
    }

    fn mappings(&mut self, path: &'static str, written: &[ClaimMapping]) -> Vec<Mapped> {
        let mappings = written.iter().filter_map(|mapping| {
            let remote = mapping.remote_claim.value.as_str().into();
            let local = mapping.local_claim.value.as_str().into();
            Some((remote, local, self.next(path)?))
        });
        mappings.collect()
    }

    fn api(&mut self, api: &crate::config::Api) -> Option<ApiPlaces> {
        let table = self.next("api")?;
        let texts = |list: &[Located<String>]| list.iter().map(|text| text.value.as_str().into()).collect();
        let plans = api.plans.iter().filter_map(|plan| {
            Some(PlanPlaces {
                name: plan.name.value.as_str().into(),
                security: match plan.security.value {
                    Security::Jwt => "jwt",
                    Security::OAuth2 => "oauth2",
                    Security::ApiKey => "api_key",
                    Security::Keyless => "keyless",
                },
                table: self.next("api.plan")?,
                tier: tier(&plan.limits),
            })
        });
        let plans = plans.collect();
        let routes = api.routes.iter().filter_map(|route| {
            Some(RoutePlaces {
                path: route.path.value.as_str().into(),
                methods: texts(&route.methods),
                table: self.next("api.route")?,
                tier: tier(&route.limits),
            })
        });
        let routes = routes.collect();
        let headers = api.claim_headers.iter().map(|(name, claim)| {
            (
                name.value.as_str().into(),
                claim.value.as_str().into(),
                spot(&name.place),
            )
        });
        Some(ApiPlaces {
            table,
            context_path: api.context_path.value.as_str().into(),
            hosts: texts(&api.hosts),
            claim_headers: headers.collect(),
            tier: tier(&api.limits),
            plans,
            routes,
        })
    }
}

fn tier(limits: &Limits) -> Option<Box<str>> {
    limits.tier.as_ref().map(|tier| tier.value.as_str().into())
}

fn spot(place: &Place) -> Spot {
    Spot {
        file: std::sync::Arc::clone(&place.file),
        line: place.line,
        column: place.column,
    }
}
