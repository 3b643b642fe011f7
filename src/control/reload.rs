//! Reload: on a change of files, on SIGHUP. All or nothing, and in an order in which no caller is hurt.
//!
//! 1. read, parse and compile everything; any mistake ends it here, the present snapshot stays;
//! 2. fetch the keys of new issuers, for a bounded time;
//! 3. close for good what is closed by now, and admit new applications and subscriptions to the index;
//! 4. put the new snapshot in place, in one step;
//! 5. when requests that began under the old one have decided, take away what is no longer declared;
//! 6. report: from now on every request sees the new configuration.
//!
//! From 3 to 5 no operator changes anything: what the new configuration gives free is not free before 5.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::Publish;
use super::keys::Keeper;
use super::load::{Loaded, load_and_make};
use super::registrar::Registrar;
use super::watch::Watcher;
use crate::api::{Stage, Stages};
use crate::config::Mistakes;
use crate::issuer::KeyRing;
use crate::limit::Counters;
use crate::snapshot::{ProcessSettings, Snapshot};
use crate::subscription::Index;
use crate::telemetry::Telemetry;
use crate::time::{Clock, UnixTime};

/// How long a reload waits for the keys of issuers that it brings.
const KEYS_WAIT: Duration = Duration::from_secs(3);
/// A request looks at its snapshot and at the index within microseconds of each other. What the old snapshot names is
/// taken from the index this much later.
const RETIRE_AFTER: Duration = Duration::from_millis(50);
/// How often it is looked, at the least, whether a date has closed a plan.
const SEAL_WITHIN: Duration = Duration::from_secs(60);

/// Keeps the running gateway as its files are.
pub struct Reloader {
    /// The main file.
    pub main: PathBuf,
    /// The rings of issuers' keys.
    pub key_ring: Arc<KeyRing>,
    /// How far plans were moved by hand.
    pub stages: Arc<Stages>,
    /// What callers have used of their limits.
    pub counters: Arc<dyn Counters>,
    /// Applications and subscriptions.
    pub index: Arc<Index>,
    /// Where snapshots go.
    pub cell: Arc<dyn Publish>,
    /// What the process was started with: a change of it needs a restart.
    pub running: ProcessSettings,
    /// Who fetches keys.
    pub keeper: Keeper,
    /// Where outcomes are counted.
    pub telemetry: Arc<Telemetry>,
    /// Who must agree to what a configuration declares.
    pub registrar: Option<Arc<Registrar>>,
}

// === impl Reloader ===

impl Reloader {
    /// Reloads on every change and every message, for ever.
    pub async fn run(mut self, first: Loaded, mut requests: mpsc::Receiver<&'static str>) {
        let Loaded {
            snapshot: _,
            watch,
            baseline,
        } = first;
        let mut watcher = Watcher::new(watch, baseline);
        loop {
            let cause = tokio::select! {
                () = watcher.changed() => "files changed",
                () = tokio::time::sleep(until_next_close(&self.cell.snapshot(), Clock.now())) => {
                    self.seal(self.cell.snapshot()).await;
                    continue;
                }
                Some(cause) = requests.recv() => cause,
            };
            let loaded = self.load().await;
            let Some(Loaded {
                snapshot,
                watch,
                baseline,
            }) = loaded
            else {
                continue;
            };
            watcher.watch(watch, baseline);
            match snapshot {
                Ok(snapshot) => self.apply(snapshot, cause).await,
                Err(mistakes) => self.refuse(&mistakes),
            }
        }
    }

    async fn load(&self) -> Option<Loaded> {
        let (main, key_ring) = (self.main.clone(), Arc::clone(&self.key_ring));
        let (stages, counters) = (Arc::clone(&self.stages), Arc::clone(&self.counters));
        let generation = self.cell.snapshot().generation.saturating_add(1);
        let loading = tokio::task::spawn_blocking(move || {
            load_and_make(&main, &key_ring, &stages, &*counters, generation)
        });
        match loading.await {
            Ok(loaded) => Some(loaded),
            Err(error) => {
                self.telemetry.config_reloads.child(&["failed"]).inc();
                tracing::error!(event = "reload_failed", %error, "loading the configuration failed");
                None
            }
        }
    }

    async fn apply(&mut self, snapshot: Snapshot, cause: &str) {
        let snapshot = Arc::new(snapshot);
        warn_about_restart(&self.running, &snapshot.process);
        for warning in &snapshot.warnings {
            tracing::warn!(event = "configuration_warning", "{warning}");
        }
        self.keeper.take_on(&snapshot.issuers, KEYS_WAIT).await;
        self.seal(self.cell.snapshot()).await;
        if let Err(conflicts) = self.adopt(&snapshot).await {
            self.keeper.let_go(&self.cell.snapshot().issuers);
            self.refuse_conflicts(&conflicts);
            return;
        }
        self.keeper.let_go(&snapshot.issuers);
        self.key_ring.retain(&snapshot.issuers);
        self.stages.retain(&snapshot.plans);
        self.seal(Arc::clone(&snapshot)).await;
        self.telemetry.config_reloads.child(&["success"]).inc();
        note_applied(&self.telemetry, &snapshot);
        tracing::info!(
            event = "configuration_applied",
            generation = snapshot.generation,
            apis = snapshot.apis.len(),
            issuers = snapshot.issuers.len(),
            cause,
            "configuration applied"
        );
    }

    /// What is closed by now stays closed, whatever is configured from now on. It waits for the store.
    async fn seal(&self, snapshot: Arc<Snapshot>) {
        let (stages, registrar) = (Arc::clone(&self.stages), self.registrar.clone());
        let sealing = tokio::task::spawn_blocking(move || {
            stages.seal(&snapshot.plans, Clock.now());
            if let Some(registrar) = registrar {
                registrar.record_closed(&snapshot);
            }
        });
        if let Err(error) = sealing.await {
            tracing::error!(event = "plans_not_recorded", %error, "plans that are closed were not recorded");
        }
    }

    /// Puts a snapshot in place, and takes away what it does not declare a moment later. It waits for the store, and
    /// operators' changes wait for it, so it has a thread of its own.
    async fn adopt(&self, snapshot: &Arc<Snapshot>) -> Result<(), Vec<String>> {
        let (snapshot, index) = (Arc::clone(snapshot), Arc::clone(&self.index));
        let (cell, registrar) = (Arc::clone(&self.cell), self.registrar.clone());
        let adopting = tokio::task::spawn_blocking(move || {
            let publish = || {
                index.admit(&snapshot.declared);
                cell.publish(Arc::clone(&snapshot));
                std::thread::sleep(RETIRE_AFTER);
            };
            match registrar {
                Some(registrar) => registrar.adopt(&snapshot, publish),
                None => {
                    publish();
                    index.retain(&snapshot.declared);
                    Ok(())
                }
            }
        });
        adopting
            .await
            .unwrap_or_else(|error| Err(vec![format!("the configuration was not put in place: {error}")]))
    }

    fn refuse_conflicts(&self, conflicts: &[String]) {
        let present = self.cell.snapshot();
        self.key_ring.retain(&present.issuers);
        self.stages.retain(&present.plans);
        self.telemetry.config_reloads.child(&["rejected"]).inc();
        for conflict in conflicts {
            tracing::error!(event = "configuration_mistake", "{conflict}");
        }
        tracing::error!(
            event = "configuration_rejected",
            mistakes = conflicts.len(),
            kept = self.cell.snapshot().generation,
            "configuration rejected, the present one stays"
        );
    }

    fn refuse(&self, mistakes: &Mistakes) {
        // Compiling may have made rings and cells for issuers and plans that now never come.
        let present = self.cell.snapshot();
        self.key_ring.retain(&present.issuers);
        self.stages.retain(&present.plans);
        self.telemetry.config_reloads.child(&["rejected"]).inc();
        for mistake in mistakes.iter() {
            tracing::error!(event = "configuration_mistake", "{}", mistake.one_line());
        }
        tracing::error!(
            event = "configuration_rejected",
            mistakes = mistakes.len(),
            kept = self.cell.snapshot().generation,
            "configuration rejected, the present one stays"
        );
    }
}

/// How long it is until the next date closes a plan, or until it is to be looked in any case: clocks are set.
fn until_next_close(snapshot: &Snapshot, now: UnixTime) -> Duration {
    let open = snapshot
        .plans
        .iter()
        .filter(|plan| plan.life.at(now) != Stage::Closed);
    let dates = open.filter_map(|plan| plan.life.schedule.close_at);
    dates
        .map(|date| date.since(now))
        .min()
        .map_or(SEAL_WITHIN, |next| next.min(SEAL_WITHIN))
}

/// Tells the metrics which configuration is in place.
pub fn note_applied(telemetry: &Telemetry, snapshot: &Snapshot) {
    telemetry
        .config_generation
        .set(i64::try_from(snapshot.generation).unwrap_or(i64::MAX));
    telemetry.config_last_success.set(Clock.now().seconds());
    let named = |name: &str| {
        snapshot
            .upstreams
            .iter()
            .any(|upstream| upstream.name.as_str() == name)
    };
    telemetry
        .upstream_peers_healthy
        .retain(|[upstream]| named(upstream));
    for upstream in &snapshot.upstreams {
        let peers = i64::try_from(upstream.peers()).unwrap_or(i64::MAX);
        telemetry
            .upstream_peers_healthy
            .child(&[upstream.name.as_str()])
            .set(peers);
    }
}

fn warn_about_restart(present: &ProcessSettings, next: &ProcessSettings) {
    let ProcessSettings {
        threads,
        grace_period,
        upstream_connections_idle_max,
        token_cache_entries,
        listeners,
        metrics,
        admin,
        token_service,
        state,
        access_log,
    } = present;
    for (key, same) in [
        ("server.threads", *threads == next.threads),
        ("server.grace_period", *grace_period == next.grace_period),
        (
            "server.upstream_connections_idle_max",
            *upstream_connections_idle_max == next.upstream_connections_idle_max,
        ),
        (
            "server.token_cache_entries",
            *token_cache_entries == next.token_cache_entries,
        ),
        ("listener", *listeners == next.listeners),
        ("metrics.address", *metrics == next.metrics),
        ("admin", *admin == next.admin),
        ("token_service.address", *token_service == next.token_service),
        ("state", *state == next.state),
        ("access_log.path", *access_log == next.access_log),
    ] {
        if !same {
            tracing::warn!(
                event = "restart_required",
                key,
                "a change of this key needs a restart"
            );
        }
    }
}
