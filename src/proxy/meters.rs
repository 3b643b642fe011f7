//! The metrics that requests move, resolved when a snapshot is put in place: on the way of a request, counting is an
//! addition to a number that is already at hand.
//!
//! What hardly ever happens (a certain denial of a certain API) is resolved when it first does, and then kept.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use foldhash::HashMap;

use crate::access::{CacheResult, Code, Denial};
use crate::api::Security;
use crate::id::IssuerName;
use crate::limit::{Bucket, LimitKind};
use crate::snapshot::Snapshot;
use crate::telemetry::{Counter, CounterFamily, Histogram, HistogramFamily, Level, Telemetry};
use crate::token::Algorithm;

/// The label of what has no API, no plan, no issuer. Names begin with a letter or digit, so it is nobody's.
const NONE: &str = "-";
/// Status classes, and what closed without one.
const CLASSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

/// All that one snapshot's requests move.
pub(super) struct Meters {
    /// By the API's index; the last is for requests without an API.
    apis: Vec<ApiMeters>,
    /// By the plan's index.
    plans: Vec<RequestCounters>,
    /// The same.
    limits: Vec<LimitCounters>,
    /// By the issuer's index; the last is for tokens whose issuer nobody accepts.
    issuers: Vec<IssuerMeters>,
    /// The places of the issuers among these, by name: a token that is refused has no more.
    issuer_places: HashMap<IssuerName, usize>,
    /// By the upstream's index.
    upstreams: Vec<Arc<Histogram>>,
    access: [Arc<Histogram>; Security::ALL.len()],
    access_denied: Arc<Histogram>,
    cache_hits: Arc<Counter>,
    cache_misses: Arc<Counter>,
    cache_stale: Arc<Counter>,
    in_flight: Arc<Level>,
}

pub(super) struct ApiMeters {
    name: Box<str>,
    permits: Lazy,
    denials: [Lazy; Code::ALL.len()],
    without_plan: RequestCounters,
    decisions: CounterFamily<2>,
    pub(super) duration: Arc<Histogram>,
    pub(super) added: Arc<Histogram>,
}

struct IssuerMeters {
    name: Box<str>,
    rejections: CounterFamily<2>,
    by_reason: [Lazy; Denial::REJECTIONS],
    verify: HistogramFamily<2>,
    by_algorithm: [OnceLock<Arc<Histogram>>; Algorithm::ALL.len()],
    refused: CounterFamily<2>,
    overloads: [Lazy; Bucket::ALL.len()],
}

/// What a limit said.
#[derive(Debug, Clone, Copy)]
pub(super) enum LimitOutcome {
    Admitted,
    Denied,
    Reported,
}

struct LimitCounters {
    labels: (Box<str>, Box<str>),
    decisions: CounterFamily<4>,
    by_kind: [[Lazy; LimitOutcome::NAMES.len()]; LimitKind::ALL.len()],
}

struct RequestCounters {
    labels: (Box<str>, Box<str>),
    requests: CounterFamily<3>,
    by_class: [Lazy; CLASSES.len()],
}

/// A counter that is resolved when it first counts.
#[derive(Default)]
struct Lazy(OnceLock<Arc<Counter>>);

/// One request in flight; dropping it ends the flight.
pub(super) struct InFlight(Arc<Level>);

// === impl Meters ===

impl Meters {
    pub(super) fn resolve(snapshot: &Snapshot, telemetry: &Telemetry) -> Self {
        let names = snapshot.apis.iter().map(|api| api.name.as_str()).chain([NONE]);
        let plans = snapshot.plans.iter().zip(&snapshot.plan_apis);
        let limits = plans.clone();
        let issuers = snapshot
            .issuers
            .iter()
            .map(|issuer| issuer.name.as_str())
            .chain([NONE]);
        Self {
            apis: names.map(|name| ApiMeters::new(name, telemetry)).collect(),
            plans: plans
                .map(|(plan, api)| RequestCounters::new(api.name.as_str(), plan.name.as_str(), telemetry))
                .collect(),
            limits: limits
                .map(|(plan, api)| LimitCounters {
                    labels: (api.name.as_str().into(), plan.name.as_str().into()),
                    decisions: telemetry.limit_decisions.clone(),
                    by_kind: Default::default(),
                })
                .collect(),
            issuers: issuers.map(|name| IssuerMeters::new(name, telemetry)).collect(),
            issuer_places: snapshot
                .issuers
                .iter()
                .map(|issuer| (issuer.name.clone(), issuer.index))
                .collect(),
            upstreams: snapshot
                .upstreams
                .iter()
                .map(|upstream| telemetry.upstream_duration.child(&[upstream.name.as_str()]))
                .collect(),
            access: Security::ALL.map(|security| telemetry.access_duration.child(&[security.name()])),
            access_denied: telemetry.access_duration.child(&["denied"]),
            cache_hits: Arc::clone(&telemetry.token_cache_hits),
            cache_misses: Arc::clone(&telemetry.token_cache_misses),
            cache_stale: Arc::clone(&telemetry.token_cache_stale),
            in_flight: Arc::clone(&telemetry.in_flight_requests),
        }
    }

    /// The meters of an API, or of what has none.
    pub(super) fn api(&self, index: Option<usize>) -> Option<&ApiMeters> {
        index
            .and_then(|index| self.apis.get(index))
            .or_else(|| self.apis.last())
    }

    /// Counts an answered request.
    pub(super) fn answered(&self, api: Option<usize>, plan: Option<usize>, status: u16) {
        let counters = match plan {
            Some(plan) => self.plans.get(plan),
            None => self.api(api).map(|api| &api.without_plan),
        };
        if let Some(counters) = counters {
            counters.count(status);
        }
    }

    /// Counts a denial, if it is a token that was refused.
    pub(super) fn token_rejected(&self, denial: &Denial) {
        let Some(reason) = denial.rejection() else {
            return;
        };
        if let Some(meters) = self.issuer(denial.issuer.as_ref())
            && let Some(counter) = meters.by_reason.get(reason)
        {
            counter.inc(|| meters.rejections.child(&[&meters.name, denial.reason()]));
        }
    }

    /// Counts a token that was not verified because a budget was spent.
    pub(super) fn verification_refused(&self, issuer: Option<&IssuerName>, bucket: Bucket) {
        if let Some(meters) = self.issuer(issuer)
            && let Some(counter) = meters.overloads.get(bucket as usize)
        {
            counter.inc(|| meters.refused.child(&[&meters.name, bucket.name()]));
        }
    }

    /// Counts what a kind of limit said to a caller of this plan.
    pub(super) fn limited(&self, plan: usize, kind: LimitKind, outcome: LimitOutcome) {
        let Some(meters) = self.limits.get(plan) else {
            return;
        };
        let counters = meters.by_kind.get(kind as usize);
        if let Some(counter) = counters.and_then(|counters| counters.get(outcome as usize)) {
            let (api, plan) = &meters.labels;
            let name = LimitOutcome::NAMES
                .get(outcome as usize)
                .copied()
                .unwrap_or_default();
            counter.inc(|| meters.decisions.child(&[api, plan, kind.name(), name]));
        }
    }

    /// The meters of an issuer, or of what has none.
    fn issuer(&self, name: Option<&IssuerName>) -> Option<&IssuerMeters> {
        name.and_then(|name| self.issuer_places.get(name))
            .and_then(|place| self.issuers.get(*place))
            .or_else(|| self.issuers.last())
    }

    /// Measures a signature check.
    pub(super) fn signature_checked(&self, issuer: usize, algorithm: Algorithm, took: Duration) {
        let Some(meters) = self.issuers.get(issuer) else {
            return;
        };
        let Some(slot) = meters.by_algorithm.get(algorithm as usize) else {
            return;
        };
        slot.get_or_init(|| meters.verify.child(&[&meters.name, algorithm.name()]))
            .observe(took);
    }

    /// Counts a look into the cache of verified tokens.
    pub(super) fn cache_asked(&self, result: CacheResult) {
        match result {
            CacheResult::Hit => self.cache_hits.inc(),
            CacheResult::Stale => self.cache_stale.inc(),
            CacheResult::Miss => self.cache_misses.inc(),
        }
    }

    /// Measures a decision.
    pub(super) fn decided(&self, security: Option<Security>, took: Duration) {
        let histogram = match security {
            Some(security) => self.access.get(security as usize).unwrap_or(&self.access_denied),
            None => &self.access_denied,
        };
        histogram.observe(took);
    }

    /// Measures how long an upstream took to begin its answer.
    pub(super) fn upstream(&self, index: usize, took: Duration) {
        if let Some(histogram) = self.upstreams.get(index) {
            histogram.observe(took);
        }
    }

    /// One more request in flight.
    pub(super) fn in_flight(&self) -> InFlight {
        self.in_flight.inc();
        InFlight(Arc::clone(&self.in_flight))
    }
}

// === impl LimitOutcome ===

impl LimitOutcome {
    const NAMES: [&str; 3] = ["admitted", "denied", "reported"];
}

// === impl ApiMeters ===

impl ApiMeters {
    fn new(name: &str, telemetry: &Telemetry) -> Self {
        Self {
            name: name.into(),
            permits: Lazy::default(),
            denials: [const { Lazy(OnceLock::new()) }; Code::ALL.len()],
            without_plan: RequestCounters::new(name, NONE, telemetry),
            decisions: telemetry.decisions.clone(),
            duration: telemetry.request_duration.child(&[name]),
            added: telemetry.added_latency.child(&[name]),
        }
    }

    /// Counts a permit.
    pub(super) fn permitted(&self) {
        self.permits.inc(|| self.decisions.child(&[&self.name, "permit"]));
    }

    /// Counts a denial.
    pub(super) fn denied(&self, code: Code) {
        if let Some(counter) = self.denials.get(code as usize) {
            counter.inc(|| self.decisions.child(&[&self.name, code.word()]));
        }
    }
}

// === impl IssuerMeters ===

impl IssuerMeters {
    fn new(name: &str, telemetry: &Telemetry) -> Self {
        Self {
            name: name.into(),
            rejections: telemetry.token_rejections.clone(),
            by_reason: [const { Lazy(OnceLock::new()) }; Denial::REJECTIONS],
            verify: telemetry.token_verify.clone(),
            by_algorithm: [const { OnceLock::new() }; Algorithm::ALL.len()],
            refused: telemetry.verifications_refused.clone(),
            overloads: Default::default(),
        }
    }
}

// === impl RequestCounters ===

impl RequestCounters {
    fn new(api: &str, plan: &str, telemetry: &Telemetry) -> Self {
        Self {
            labels: (api.into(), plan.into()),
            requests: telemetry.requests.clone(),
            by_class: Default::default(),
        }
    }

    fn count(&self, status: u16) {
        let class = usize::from(status / 100);
        let (Some(counter), Some(label)) = (self.by_class.get(class), CLASSES.get(class)) else {
            return;
        };
        let (api, plan) = &self.labels;
        counter.inc(|| self.requests.child(&[api, plan, label]));
    }
}

// === impl Lazy ===

impl Lazy {
    fn inc(&self, resolve: impl FnOnce() -> Arc<Counter>) {
        self.0.get_or_init(resolve).inc();
    }
}

// === impl InFlight ===

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}
