//! All metrics of one gateway in one struct, and the text that Prometheus scrapes.
//!
//! A field for each family, so that a metric which nobody registered cannot be counted, and whoever counts is checked
//! by the compiler down to the number of labels. The registry is the gateway's own, not the process-wide one of the
//! prometheus crate: two gateways in one test do not see each other, and a dependency cannot add series.
//!
//! A metric without labels is its one child, at zero from the start; a family's series appear with their first child.
//! Values that are only known by asking (the age of a key set) are set by hooks, which run before each scrape.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::core::Collector;
use prometheus::{Registry, TextEncoder};
use thiserror::Error;

use super::family::{CounterFamily, Family, GaugeFamily, HistogramFamily};
use super::instrument::{Counter, Gauge, Instrument, Level};
use super::names::{self, Named};

/// The `Content-Type` of [`Telemetry::render`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Sets what is computed at scrape time. It runs on the scraping thread, before every scrape, and must neither block
/// nor scrape.
pub type ScrapeHook = Box<dyn Fn(&Telemetry) + Send + Sync>;

/// Everything that is counted. What each field means is said at its constant in [`names`].
pub struct Telemetry {
    /// [`names::REQUESTS`]: `api`, `plan`, `status_class`.
    pub requests: CounterFamily<3>,
    /// [`names::DECISIONS`]: `api`, `outcome`.
    pub decisions: CounterFamily<2>,
    /// [`names::TOKEN_REJECTIONS`]: `issuer`, `reason`.
    pub token_rejections: CounterFamily<2>,
    /// [`names::REQUEST_DURATION`]: `api`.
    pub request_duration: HistogramFamily<1>,
    /// [`names::ACCESS_DURATION`]: `security`.
    pub access_duration: HistogramFamily<1>,
    /// [`names::ADDED_LATENCY`]: `api`.
    pub added_latency: HistogramFamily<1>,
    /// [`names::IN_FLIGHT_REQUESTS`].
    pub in_flight_requests: Arc<Level>,
    /// [`names::UPSTREAM_DURATION`]: `upstream`.
    pub upstream_duration: HistogramFamily<1>,
    /// [`names::UPSTREAM_PEERS_HEALTHY`]: `upstream`.
    pub upstream_peers_healthy: GaugeFamily<1>,
    /// [`names::TOKEN_VERIFY`]: `issuer`, `algorithm`.
    pub token_verify: HistogramFamily<2>,
    /// [`names::VERIFICATIONS_REFUSED`]: `issuer`, `bucket`.
    pub verifications_refused: CounterFamily<2>,
    /// [`names::FORGERY_NANOSECONDS`]: `issuer`.
    pub forgery_nanoseconds: CounterFamily<1>,
    /// [`names::LIMIT_DECISIONS`]: `api`, `plan`, `kind`, `outcome`.
    pub limit_decisions: CounterFamily<4>,
    /// [`names::LIMIT_KEYS_FORGOTTEN`].
    pub limit_keys_forgotten: Arc<Counter>,
    /// [`names::LIMIT_UNCOUNTED`].
    pub limit_uncounted: Arc<Counter>,
    /// [`names::COUNTS_KEPT`].
    pub counts_kept: Arc<Gauge>,
    /// [`names::INTROSPECTIONS`]: `issuer`, `result`.
    pub introspections: CounterFamily<2>,
    /// [`names::INTROSPECTION_DURATION`]: `issuer`.
    pub introspection_duration: HistogramFamily<1>,
    /// [`names::INTROSPECTION_ANSWERS`]: `issuer`, `state`.
    pub introspection_answers: GaugeFamily<2>,
    /// [`names::JWKS_REFRESHES`]: `issuer`, `result`.
    pub jwks_refreshes: CounterFamily<2>,
    /// [`names::JWKS_AGE`]: `issuer`.
    pub jwks_age: GaugeFamily<1>,
    /// [`names::JWKS_KEYS`]: `issuer`.
    pub jwks_keys: GaugeFamily<1>,
    /// [`names::JWKS_QUARANTINED`]: `issuer`.
    pub jwks_quarantined: GaugeFamily<1>,
    /// [`names::KEY_LAST_USED`]: `issuer`, `kid`.
    pub key_last_used: GaugeFamily<2>,
    /// [`names::REVOCATIONS`].
    pub revocations: Arc<Gauge>,
    /// [`names::REVOCATION_LIST_REFRESHES`]: `issuer`, `result`.
    pub revocation_list_refreshes: CounterFamily<2>,
    /// [`names::REVOCATION_LIST_AGE`]: `issuer`.
    pub revocation_list_age: GaugeFamily<1>,
    /// [`names::REVOCATION_LIST_ENTRIES`]: `issuer`.
    pub revocation_list_entries: GaugeFamily<1>,
    /// [`names::TOKEN_CACHE_HITS`].
    pub token_cache_hits: Arc<Counter>,
    /// [`names::TOKEN_CACHE_MISSES`].
    pub token_cache_misses: Arc<Counter>,
    /// [`names::TOKEN_CACHE_STALE`].
    pub token_cache_stale: Arc<Counter>,
    /// [`names::TOKEN_CACHE_EVICTIONS`].
    pub token_cache_evictions: Arc<Counter>,
    /// [`names::TOKEN_CACHE_ENTRIES`].
    pub token_cache_entries: Arc<Gauge>,
    /// [`names::CONFIG_RELOADS`]: `result`.
    pub config_reloads: CounterFamily<1>,
    /// [`names::CONFIG_GENERATION`].
    pub config_generation: Arc<Gauge>,
    /// [`names::CONFIG_LAST_SUCCESS`].
    pub config_last_success: Arc<Gauge>,
    /// [`names::SUBSCRIPTIONS`].
    pub subscriptions: Arc<Gauge>,
    /// [`names::APPLICATIONS`].
    pub applications: Arc<Gauge>,
    /// [`names::ADMIN_SIGN_INS`]: `outcome`.
    pub admin_sign_ins: CounterFamily<1>,
    /// [`names::TOKEN_REQUESTS`]
    pub token_requests: CounterFamily<2>,
    /// [`names::STORE_FAILING`].
    pub store_failing: Arc<Gauge>,
    /// [`names::STORE_FAILURES`]: `operation`.
    pub store_failures: CounterFamily<1>,
    /// [`names::ACCESS_LOG_LINES_DROPPED`].
    pub access_log_lines_dropped: Arc<Counter>,
    registry: Registry,
    hooks: Mutex<Vec<Arc<ScrapeHook>>>,
}

/// Why telemetry could not be set up or read.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// Two metrics have one name, or a name is not one. A mistake in [`names`], found at the start.
    #[error("metric {name} cannot be registered: {source}")]
    Register {
        /// The metric.
        name: &'static str,
        /// What the registry has against it.
        source: prometheus::Error,
    },
    /// The text could not be written.
    #[error("metrics cannot be written as text: {0}")]
    Render(#[source] prometheus::Error),
}

/// Registers families one by one, each with its own count of folds.
struct Registrar {
    registry: Registry,
    folded: CounterFamily<1>,
}

// === impl Telemetry ===

impl Telemetry {
    /// All families, registered. `version` becomes the label of `tollgate_build_info`.
    pub fn new(version: &str) -> Result<Self, TelemetryError> {
        let registrar = Registrar::new()?;
        registrar.family(&names::BUILD_INFO)?.child(&[version]).set(1);
        registrar.process()?;
        Ok(Self {
            requests: registrar.family(&names::REQUESTS)?,
            decisions: registrar.family(&names::DECISIONS)?,
            token_rejections: registrar.family(&names::TOKEN_REJECTIONS)?,
            request_duration: registrar.family(&names::REQUEST_DURATION)?,
            access_duration: registrar.family(&names::ACCESS_DURATION)?,
            added_latency: registrar.family(&names::ADDED_LATENCY)?,
            in_flight_requests: registrar.single(&names::IN_FLIGHT_REQUESTS)?,
            upstream_duration: registrar.family(&names::UPSTREAM_DURATION)?,
            upstream_peers_healthy: registrar.family(&names::UPSTREAM_PEERS_HEALTHY)?,
            token_verify: registrar.family(&names::TOKEN_VERIFY)?,
            verifications_refused: registrar.family(&names::VERIFICATIONS_REFUSED)?,
            forgery_nanoseconds: registrar.family(&names::FORGERY_NANOSECONDS)?,
            limit_decisions: registrar.family(&names::LIMIT_DECISIONS)?,
            limit_keys_forgotten: registrar.single(&names::LIMIT_KEYS_FORGOTTEN)?,
            limit_uncounted: registrar.single(&names::LIMIT_UNCOUNTED)?,
            counts_kept: registrar.single(&names::COUNTS_KEPT)?,
            introspections: registrar.family(&names::INTROSPECTIONS)?,
            introspection_duration: registrar.family(&names::INTROSPECTION_DURATION)?,
            introspection_answers: registrar.family(&names::INTROSPECTION_ANSWERS)?,
            jwks_refreshes: registrar.family(&names::JWKS_REFRESHES)?,
            jwks_age: registrar.family(&names::JWKS_AGE)?,
            jwks_keys: registrar.family(&names::JWKS_KEYS)?,
            jwks_quarantined: registrar.family(&names::JWKS_QUARANTINED)?,
            key_last_used: registrar.family(&names::KEY_LAST_USED)?,
            revocations: registrar.single(&names::REVOCATIONS)?,
            revocation_list_refreshes: registrar.family(&names::REVOCATION_LIST_REFRESHES)?,
            revocation_list_age: registrar.family(&names::REVOCATION_LIST_AGE)?,
            revocation_list_entries: registrar.family(&names::REVOCATION_LIST_ENTRIES)?,
            token_cache_hits: registrar.single(&names::TOKEN_CACHE_HITS)?,
            token_cache_misses: registrar.single(&names::TOKEN_CACHE_MISSES)?,
            token_cache_stale: registrar.single(&names::TOKEN_CACHE_STALE)?,
            token_cache_evictions: registrar.single(&names::TOKEN_CACHE_EVICTIONS)?,
            token_cache_entries: registrar.single(&names::TOKEN_CACHE_ENTRIES)?,
            config_reloads: registrar.family(&names::CONFIG_RELOADS)?,
            config_generation: registrar.single(&names::CONFIG_GENERATION)?,
            config_last_success: registrar.single(&names::CONFIG_LAST_SUCCESS)?,
            subscriptions: registrar.single(&names::SUBSCRIPTIONS)?,
            applications: registrar.single(&names::APPLICATIONS)?,
            admin_sign_ins: registrar.family(&names::ADMIN_SIGN_INS)?,
            token_requests: registrar.family(&names::TOKEN_REQUESTS)?,
            store_failing: registrar.single(&names::STORE_FAILING)?,
            store_failures: registrar.family(&names::STORE_FAILURES)?,
            access_log_lines_dropped: registrar.single(&names::ACCESS_LOG_LINES_DROPPED)?,
            registry: registrar.registry,
            hooks: Mutex::default(),
        })
    }

    /// Adds a hook. Hooks run in the order in which they were added; none is ever removed, so they are added when the
    /// gateway is put together and not later.
    pub fn on_scrape(&self, hook: ScrapeHook) {
        self.hooks().push(Arc::new(hook));
    }

    /// The text exposition format 0.0.4: families ordered by name, series by label values.
    pub fn render(&self) -> Result<String, TelemetryError> {
        // Copied, because a hook may want the lock as well.
        let hooks = self.hooks().clone();
        for hook in hooks {
            hook(self);
        }
        TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .map_err(TelemetryError::Render)
    }

    /// A list of hooks is whole at every moment, so a poisoned lock is as good as any.
    fn hooks(&self) -> MutexGuard<'_, Vec<Arc<ScrapeHook>>> {
        self.hooks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Registrar ===

impl Registrar {
    fn new() -> Result<Self, TelemetryError> {
        // The count of folds counts its own as well, though it has one series for each metric and never folds.
        let named = &names::METRIC_SERIES_FOLDED;
        let folded = Family::new(named, Arc::default()).map_err(refused(named.name))?;
        let registrar = Self {
            registry: Registry::new(),
            folded,
        };
        registrar.register(named.name, registrar.folded.clone())?;
        Ok(registrar)
    }

    fn family<M: Instrument, const N: usize>(
        &self,
        named: &'static Named<M, N>,
    ) -> Result<Family<M, N>, TelemetryError> {
        let folded = self.folded.child(&[named.name]);
        let family = Family::new(named, folded).map_err(refused(named.name))?;
        self.register(named.name, family.clone())?;
        Ok(family)
    }

    fn single<M: Instrument>(&self, named: &'static Named<M, 0>) -> Result<Arc<M>, TelemetryError> {
        Ok(self.family(named)?.child(&[]))
    }

    #[cfg(target_os = "linux")]
    fn process(&self) -> Result<(), TelemetryError> {
        self.register(
            "process",
            prometheus::process_collector::ProcessCollector::for_self(),
        )
    }

    #[cfg(not(target_os = "linux"))]
    fn process(&self) -> Result<(), TelemetryError> {
        Ok(())
    }

    fn register(
        &self,
        name: &'static str,
        collector: impl Collector + 'static,
    ) -> Result<(), TelemetryError> {
        self.registry.register(Box::new(collector)).map_err(refused(name))
    }
}

fn refused(name: &'static str) -> impl Fn(prometheus::Error) -> TelemetryError {
    move |source| TelemetryError::Register { name, source }
}

#[cfg(test)]
mod tests;
