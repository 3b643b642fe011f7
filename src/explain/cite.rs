//! From the names that the domain has to the line that the operator wrote.
//! A key that is absent is cited at its table: its default decided.

use super::report::Cite;
use crate::id::PlanId;
use crate::snapshot::{ApiPlaces, ApplicationPlaces, IssuerPlaces, Places, PlanPlaces, Spot, Written};

/// The keys that say where an issuer's keys come from; an issuer has one of them, and may have `jwks`
/// beside `discovery`.
pub(super) const KEY_SOURCES: [&str; 4] = ["discovery", "jwks", "keys", "secrets"];

/// Looks places up.
#[derive(Clone, Copy)]
pub(super) struct Cites<'s> {
    places: &'s Places,
}

// === impl Cites ===

impl<'s> Cites<'s> {
    pub(super) const fn new(places: &'s Places) -> Self {
        Self { places }
    }

    pub(super) fn issuer_places(self, name: &str) -> Option<&'s IssuerPlaces> {
        self.places.issuers.get(name)
    }

    pub(super) fn api_places(self, name: &str) -> Option<&'s ApiPlaces> {
        self.places.apis.get(name)
    }

    pub(super) fn application_places(self, id: &str) -> Option<&'s ApplicationPlaces> {
        self.places.applications.get(id)
    }

    pub(super) fn plan_places(self, api: &str, plan: &str) -> Option<&'s PlanPlaces> {
        let plans = &self.api_places(api)?.plans;
        plans.iter().find(|own| *own.name == *plan)
    }

    pub(super) fn all(self) -> &'s Places {
        self.places
    }

    /// Without a `[server]` there is nothing to cite.
    pub(super) fn server(self, key: &str) -> Option<Cite> {
        self.places.server.as_ref().map(|table| cite(table, key))
    }

    pub(super) fn issuer(self, name: &str, key: &str) -> Option<Cite> {
        Some(cite(&self.issuer_places(name)?.table, key))
    }

    /// The first of these keys that was written; else the first of them.
    pub(super) fn issuer_any(self, name: &str, keys: &[&str]) -> Option<Cite> {
        let table = &self.issuer_places(name)?.table;
        let written = keys.iter().find(|key| table.key(key).is_some());
        Some(cite(table, written.or_else(|| keys.first())?))
    }

    pub(super) fn api(self, name: &str, key: &str) -> Option<Cite> {
        Some(cite(&self.api_places(name)?.table, key))
    }

    pub(super) fn plan(self, api: &str, plan: &str, key: &str) -> Option<Cite> {
        Some(cite(&self.plan_places(api, plan)?.table, key))
    }

    /// The first of these keys that was written; else the first of them.
    pub(super) fn plan_any(self, api: &str, plan: &str, keys: &[&str]) -> Option<Cite> {
        let table = &self.plan_places(api, plan)?.table;
        let written = keys.iter().find(|key| table.key(key).is_some());
        Some(cite(table, written.or_else(|| keys.first())?))
    }

    pub(super) fn route(self, api: &str, index: Option<usize>, key: &str) -> Option<Cite> {
        let routes = &self.api_places(api)?.routes;
        Some(cite(&routes.get(index?)?.table, key))
    }

    pub(super) fn upstream(self, name: &str, key: &str) -> Option<Cite> {
        Some(cite(self.places.upstreams.get(name)?, key))
    }

    pub(super) fn application(self, id: &str, key: &str) -> Option<Cite> {
        Some(cite(&self.application_places(id)?.table, key))
    }

    /// A limit of a level: its own key, or else that of the tier that it refers to.
    pub(super) fn limit(self, own: &Written, tier: Option<&str>, key: &str) -> Cite {
        let of_tier = || {
            self.places
                .tiers
                .get(tier?)
                .filter(|tier| tier.key(key).is_some())
        };
        match own.key(key) {
            Some(_) => cite(own, key),
            None => cite(of_tier().unwrap_or(own), key),
        }
    }

    /// The client id by which an application was found.
    pub(super) fn client_id(self, application: &str, issuer: &str, client: &str) -> Option<Cite> {
        let places = self.application_places(application)?;
        let own = |wanted: Option<&str>| {
            let mut ids = places.client_ids.iter();
            ids.find(|(issuer, id, _)| issuer.as_deref() == wanted && **id == *client)
        };
        let (_, _, spot) = own(Some(issuer)).or_else(|| own(None))?;
        Some(exact(spot, "application.client_ids"))
    }

    pub(super) fn subscription(self, application: &str, plan: &PlanId, key: &str) -> Option<Cite> {
        let table = self
            .places
            .subscriptions
            .get(&(application.into(), plan.clone()))?;
        Some(cite(table, key))
    }

    /// The plan's audiences, or else the issuer's.
    pub(super) fn audiences(self, api: &str, plan: &str, issuer: &str) -> Option<Cite> {
        let table = &self.plan_places(api, plan)?.table;
        let keys = ["audiences", "audience_from"];
        match keys.iter().find(|key| table.key(key).is_some()) {
            Some(key) => Some(cite(table, key)),
            None => self.issuer_any(issuer, &keys),
        }
    }

    /// The entry of `claim_headers` for this header.
    pub(super) fn claim_header(self, api: &str, header: &str) -> Option<Cite> {
        let headers = &self.api_places(api)?.claim_headers;
        let (_, _, spot) = headers
            .iter()
            .find(|(name, _, _)| name.eq_ignore_ascii_case(header))?;
        Some(exact(spot, "api.claim_headers"))
    }

    /// The mapping that feeds this local claim, and the remote claim that it reads.
    pub(super) fn mapping(self, issuer: &str, local: &str) -> Option<(&'s str, Cite)> {
        let own = self.issuer_places(issuer)?;
        let defaults = own.default_mapping.then_some(&self.places.default_mappings);
        let mut mappings = own.mappings.iter().chain(defaults.into_iter().flatten());
        let (remote, _, table) = mappings.find(|(_, own, _)| **own == *local)?;
        Some((remote, cite(table, "local_claim")))
    }
}

/// A key of a table.
pub(super) fn cite(table: &Written, key: &str) -> Cite {
    let found = table.key(key);
    Cite {
        key: format!("{}.{key}", table.table),
        default: found.is_none(),
        spot: found.unwrap_or_else(|| table.spot()),
    }
}

fn exact(spot: &Spot, key: &str) -> Cite {
    Cite {
        spot: spot.clone(),
        key: key.to_owned(),
        default: false,
    }
}
