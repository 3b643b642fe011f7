//! The plans of an API, laid out by kind of credential, so that choosing one is a look-up. Which of them are on offer is
//! a matter of the moment: a date may come, or an operator's hand, while a snapshot is in place.
//!
//! A caller with a token is never taken for an anonymous one: once a credential is presented, keyless is out. Several
//! JWT plans may accept the same issuer; then the caller's subscription decides which one it is, in the order in
//! which the plans are written. So do keyless plans, of which all but the last have a rule that says whom they are for.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use foldhash::HashMap;

use super::{Plan, Security, Stage};
use crate::credential::{Bearer, Source};
use crate::identity::ClaimMapping;
use crate::issuer::{Introspection, Issuer};
use crate::time::UnixTime;
use crate::token::{AlgorithmSet, Audience, Audiences, Rules};

/// All plans of an API. Only those on offer decide, which are published and deprecated ones.
#[derive(Debug, Default)]
pub struct Plans {
    /// By `iss`, byte for byte.
    jwt: HashMap<Box<str>, Accepted>,
    /// The issuer that is asked about tokens, one at the most: no two are shown each other's.
    oauth2: Option<Accepted>,
    /// In the order written; a key says for which of them it is.
    api_key: Vec<Arc<Plan>>,
    /// In the order written.
    keyless: Vec<Arc<Plan>>,
    /// In the order written.
    all: Vec<Arc<Plan>>,
    /// Each place once, with the plans that look there.
    sources: Vec<(Source, Vec<Arc<Plan>>)>,
    /// What a signature check costs at the least, by the algorithms of the issuers.
    least_check_price: Duration,
}

/// An issuer whose tokens the API accepts, and for which plans.
#[derive(Debug)]
pub struct Accepted {
    /// The issuer.
    pub issuer: Arc<Issuer>,
    /// How its claims become ours.
    pub mapping: Arc<ClaimMapping>,
    /// Rules and mapping in short.
    pub terms: Terms,
    /// The plans, in the order written, at least one.
    pub plans: Vec<OfferedPlan>,
}

/// A digest of an issuer's rules and claim mapping: what was verified under equal terms was verified alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms([u8; 32]);

/// A plan as offered to the tokens of one issuer.
#[derive(Debug)]
pub struct OfferedPlan {
    /// The plan.
    pub plan: Arc<Plan>,
    /// Whom a token must be for.
    pub audiences: Audiences,
}

// === impl Terms ===

impl Terms {
    /// The digest of these.
    pub fn of(rules: &Rules, mapping: &ClaimMapping) -> Self {
        // The derived form shows every field of both, also those that are yet to be added.
        Self::of_text(&format!("{rules:?} {mapping:?}"))
    }

    /// The digest of these for tokens that the issuer is asked about.
    pub fn of_answers(rules: &Rules, mapping: &ClaimMapping, introspection: &Introspection) -> Self {
        let Introspection {
            cache_ttl,
            required_claims,
            fingerprint,
            .. // how it is asked, not what its answers mean
        } = introspection;
        Self::of_text(&format!(
            "{rules:?} {mapping:?} {cache_ttl:?} {required_claims:?} {fingerprint:?}"
        ))
    }

    fn of_text(text: &str) -> Self {
        let mut bytes = [0; 32];
        for (to, from) in bytes.iter_mut().zip(digest(&SHA256, text.as_bytes()).as_ref()) {
            *to = *from;
        }
        Self(bytes)
    }
}

// === impl OfferedPlan ===

impl OfferedPlan {
    /// Whether the plan is on offer and may take a token that was there and is for these, its application being unknown
    /// yet.
    pub fn may_accept(&self, bearer: &Bearer<'_>, audience: Audience<'_>, now: UnixTime) -> bool {
        self.accepts(bearer, audience, || true) && self.plan.is_on_offer(now)
    }

    /// Whether the plan takes a token that was there and is for these; `names_application` as for
    /// [`Audiences::accept`].
    pub fn accepts(
        &self,
        bearer: &Bearer<'_>,
        audience: Audience<'_>,
        names_application: impl FnOnce() -> bool,
    ) -> bool {
        self.plan.looks_in(bearer.source) && self.audiences.accept(audience, names_application)
    }
}

// === impl Plans ===

impl Plans {
    /// Plans by issuer, the issuer that is asked, and all plans in the order written.
    pub fn new(jwt: HashMap<Box<str>, Accepted>, oauth2: Option<Accepted>, all: Vec<Arc<Plan>>) -> Self {
        let mut sources: Vec<(Source, Vec<Arc<Plan>>)> = Vec::new();
        for plan in &all {
            for source in &plan.sources {
                match sources.iter_mut().find(|(own, _)| own == source) {
                    Some((_, plans)) => plans.push(Arc::clone(plan)),
                    None => sources.push((source.clone(), vec![Arc::clone(plan)])),
                }
            }
        }
        sources.sort_by(|(one, _), (other, _)| one.cmp(other));
        let of = |security: Security| {
            let plans = all.iter().filter(move |plan| plan.security == security);
            plans.map(Arc::clone).collect()
        };
        let algorithms = jwt.values().map(|accepted| accepted.issuer.rules.algorithms);
        let least_check_price = algorithms.filter_map(AlgorithmSet::least_check_price).min();
        Self {
            least_check_price: least_check_price.unwrap_or_default(),
            jwt,
            oauth2,
            api_key: of(Security::ApiKey),
            keyless: of(Security::Keyless),
            all,
            sources,
        }
    }

    /// All plans, in the order written.
    pub fn all(&self) -> &[Arc<Plan>] {
        &self.all
    }

    /// Whether anything is on offer; if not, the API answers as if it did not exist.
    pub fn any_on_offer(&self, now: UnixTime) -> bool {
        self.all.iter().any(|plan| plan.is_on_offer(now))
    }

    /// Whether a bearer token can help.
    pub fn take_bearer(&self, now: UnixTime) -> bool {
        let mut plans = self.all.iter();
        plans.any(|plan| plan.security.takes_bearer() && plan.is_on_offer(now))
    }

    /// The plans for tokens that their issuer is asked about, if one of them is on offer.
    pub fn introspected(&self, now: UnixTime) -> Option<&Accepted> {
        let accepted = self.oauth2.as_ref()?;
        accepted.on_offer(now).next().map(|_| accepted)
    }

    /// Whether any plan on offer takes signed tokens.
    pub fn take_signed(&self, now: UnixTime) -> bool {
        let mut plans = self.all.iter();
        plans.any(|plan| plan.security == Security::Jwt && plan.is_on_offer(now))
    }

    /// The plans for tokens of this issuer, if one of them is on offer.
    pub fn for_issuer(&self, issuer: &str, now: UnixTime) -> Option<&Accepted> {
        let accepted = self.jwt.get(issuer)?;
        accepted.on_offer(now).next().map(|_| accepted)
    }

    /// The CPU time that a signature check takes at the least, nominally, whoever of the issuers the token is from.
    pub const fn least_check_price(&self) -> Duration {
        self.least_check_price
    }

    /// Where any of the plans on offer looks for tokens besides `Authorization`, each place once.
    pub fn sources(&self, now: UnixTime) -> impl Iterator<Item = &Source> {
        self.sources_of(move |plan| plan.security.takes_bearer() && plan.is_on_offer(now))
    }

    /// Where any of the plans on offer looks for API keys, each place once.
    pub fn key_sources(&self, now: UnixTime) -> impl Iterator<Item = &Source> {
        self.sources_of(move |plan| plan.security == Security::ApiKey && plan.is_on_offer(now))
    }

    /// Places that end here: what is there is no business of the upstream's. Those of closed plans are among them, so that
    /// a token that was looked for when its request was decided is taken out even if the plan was closed since.
    pub fn ended(&self, now: UnixTime) -> impl Iterator<Item = &Source> {
        self.sources_of(move |plan| plan.life.at(now) > Stage::Staging)
    }

    fn sources_of(&self, counts: impl Fn(&Plan) -> bool) -> impl Iterator<Item = &Source> {
        let looking = self
            .sources
            .iter()
            .filter(move |(_, plans)| plans.iter().any(|plan| counts(plan)));
        looking.map(|(source, _)| source)
    }

    /// The plans on offer for API keys, in the order written.
    pub fn api_key(&self, now: UnixTime) -> impl Iterator<Item = &Arc<Plan>> {
        self.api_key.iter().filter(move |plan| plan.is_on_offer(now))
    }

    /// The plans on offer for callers who present nothing, in the order written.
    pub fn keyless(&self, now: UnixTime) -> impl Iterator<Item = &Arc<Plan>> {
        self.keyless.iter().filter(move |plan| plan.is_on_offer(now))
    }
}

// === impl Accepted ===

impl Accepted {
    /// The plans on offer, in the order written.
    pub fn on_offer(&self, now: UnixTime) -> impl Iterator<Item = &OfferedPlan> {
        self.plans
            .iter()
            .filter(move |offered| offered.plan.is_on_offer(now))
    }

    /// The closed plans, in the order written.
    pub fn closed(&self, now: UnixTime) -> impl Iterator<Item = &Arc<Plan>> {
        let plans = self.plans.iter().map(|offered| &offered.plan);
        plans.filter(move |plan| plan.life.at(now) == Stage::Closed)
    }
}
