//! The composition root: cells, services, threads, listeners. Nothing is decided here; everything is put together.
//!
//! Start-up has one order. Sockets are bound first, so that a busy port ends the process at once (Pingora would try for
//! half a minute and then panic in a task). Then the control plane asks issuers for their keys, for a bounded time. Only
//! then do the listeners open; and only when they answer is the gateway ready.

mod administration;
mod bind;
mod explaining;
mod issuing;
mod log;
mod revocations;
mod signals;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pingora::apps::HttpServerApp;
use pingora::server::configuration::ServerConf;
use pingora::server::{RunArgs, Server, ShutdownWatch};
use pingora::services::ServiceReadyNotifier;
use pingora::services::background::{BackgroundService, background_service};
use pingora::services::listening::Service as ListeningService;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, mpsc};

pub use bind::{BindError, Bound, bind};
pub use log::{LogError, start_log};
pub use signals::{Hangups, catch_hangups};

use crate::api::Stages;
use crate::config::Mistakes;
use crate::control::Publish;
use crate::control::counting::Noting;
use crate::control::introspection::Introspector;
use crate::control::keys::Keeper;
use crate::control::load::{Loaded, load_and_make};
use crate::control::reload::{Reloader, note_applied};
use crate::control::state::StateError;
use crate::control::status::{Readiness, StatusEndpoints};
use crate::issuer::{KeyRing, KeySource, Trouble};
use crate::limit::{Counters, Forgeries, LocalCounters};
use crate::proxy::{
    Cell, ConnectionPool, Connections, CountsChanged, Gateway, Introspect, KeyMiss, Known, Verdicts, Waits,
};
use crate::revocation::Revocations;
use crate::snapshot::Snapshot;
use crate::subscription::Index;
use crate::telemetry::{Telemetry, TelemetryError};
use crate::time::{Clock, UnixTime};

/// How long the first key fetches may hold up the start: a little longer than one fetch may take.
const FIRST_KEYS_WAIT: Duration = Duration::from_secs(6);
/// How long the listeners may take to answer before the process gives up.
const LISTEN_WAIT: Duration = Duration::from_secs(10);
/// Between two looks at idle connections to upstreams.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// Between two looks at whether they answer.
const LISTEN_STEP: Duration = Duration::from_millis(5);
/// After the grace period: for what is left to be told that it ends.
const RUNTIME_SHUTDOWN_SECONDS: u64 = 1;

/// Why the gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is not acceptable.
    #[error("{0}")]
    Configuration(Mistakes),
    /// A listener's address cannot be bound.
    #[error("{0}")]
    Bind(#[from] BindError),
    /// What is kept on disk cannot be used.
    #[error("{0}")]
    State(#[from] StateError),
    /// What the configuration declares is taken in the store.
    #[error("{}", .0.join("\n"))]
    Conflict(Vec<String>),
    /// The admin API or the token service cannot be started.
    #[error("a listener of the control plane cannot be started: {0}")]
    Admin(#[from] std::io::Error),
    /// The access log cannot be opened.
    #[error("{0}")]
    Log(#[from] LogError),
    /// The metrics contradict each other.
    #[error("{0}")]
    Telemetry(#[from] TelemetryError),
}

/// A gateway that has its configuration and its sockets and has served nobody yet.
pub struct App {
    main: PathBuf,
    first: Loaded,
    snapshot: Arc<Snapshot>,
    listeners: Vec<Bound>,
    metrics: Option<Bound>,
    control: administration::Prepared,
    issuing: Option<issuing::Prepared>,
    telemetry: Arc<Telemetry>,
    key_ring: Arc<KeyRing>,
    stages: Arc<Stages>,
    counters: Arc<LocalCounters>,
    extra: Vec<AddService>,
    when_ready: Hook,
    at_exit: Hook,
}

type AddService = Box<dyn FnOnce(&mut Server) + Send>;
/// Something to do once.
type Hook = Box<dyn FnOnce() + Send>;

/// The control plane as a service: it has a thread of its own.
struct ControlPlane {
    /// Taken when the service starts.
    parts: Mutex<Option<ControlParts>>,
}

struct ControlParts {
    reloader: Reloader,
    first: Loaded,
    hangups: mpsc::Receiver<&'static str>,
    addresses: Vec<SocketAddr>,
    readiness: Arc<Readiness>,
    when_ready: Hook,
    connections: Arc<ConnectionPool>,
    introspector: Arc<Introspector>,
}

impl Publish for Cell {
    fn publish(&self, snapshot: Arc<Snapshot>) {
        Self::publish(self, snapshot);
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        Self::snapshot(self)
    }
}

// === impl App ===

impl App {
    /// Reads the configuration and binds its addresses.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn prepare(main: PathBuf) -> Result<Self, StartError> {
        let key_ring = Arc::new(KeyRing::default());
        let stages = Arc::new(Stages::default());
        let counters = Arc::new(LocalCounters::default());
        let mut first = load_and_make(&main, &key_ring, &stages, &*counters, 1);
        let snapshot = std::mem::replace(&mut first.snapshot, Err(Mistakes::default()));
        let snapshot = Arc::new(snapshot.map_err(StartError::Configuration)?);
        let listeners = snapshot
            .process
            .listeners
            .iter()
            .map(|address| bind(*address))
            .collect::<Result<_, _>>()?;
        let metrics = snapshot.process.metrics.map(bind).transpose()?;
        let control = administration::Prepared::new(&snapshot.process)?;
        let issuing = issuing::Prepared::new(&snapshot.process)?;
        let telemetry = Arc::new(Telemetry::new(env!("CARGO_PKG_VERSION"))?);
        Ok(Self {
            main,
            first,
            snapshot,
            listeners,
            metrics,
            control,
            issuing,
            telemetry,
            key_ring,
            stages,
            counters,
            extra: Vec::new(),
            when_ready: Box::new(|| {}),
            at_exit: Box::new(|| {}),
        })
    }

    /// Where callers connect, with the ports that the system chose.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().map(|bound| bound.address).collect()
    }

    /// Where Prometheus connects.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().map(|bound| bound.address)
    }

    /// Runs one more HTTP service in the same process, on one thread of its own.
    pub fn serve_beside<A>(&mut self, name: &'static str, bound: Bound, app: A)
    where
        A: HttpServerApp + Send + Sync + 'static,
    {
        self.extra.push(Box::new(move |server| {
            let mut service = ListeningService::new(name.to_owned(), app);
            service.threads = Some(1);
            server.add_service(bind::Prebound::new(service, vec![bound]));
        }));
    }

    /// Does this once the gateway is ready.
    pub fn when_ready(&mut self, hook: impl FnOnce() + Send + 'static) {
        self.when_ready = Box::new(hook);
    }

    /// Does this when the gateway has served its last request.
    pub fn at_exit(&mut self, hook: impl FnOnce() + Send + 'static) {
        self.at_exit = Box::new(hook);
    }

    /// Serves until a signal ends it.
    ///
    /// # Errors
    /// See [`StartError`]; nothing has been served then.
    pub fn run(self, hangups: Hangups) -> Result<(), StartError> {
        let Self {
            main,
            first,
            snapshot,
            listeners,
            metrics,
            control,
            issuing,
            telemetry,
            key_ring,
            stages,
            counters,
            extra,
            when_ready,
            at_exit,
        } = self;
        let readiness = Arc::new(Readiness::default());
        let index = Arc::new(Index::default());
        index.admit(&snapshot.declared);
        stages.retain(&snapshot.plans);
        stages.seal(&snapshot.plans, Clock.now());
        let cell = Arc::new(Cell::new(Arc::clone(&snapshot), Arc::clone(&telemetry)));
        let (access_log, flush) = log::access_log(snapshot.process.access_log.as_ref(), &telemetry)?;
        let verdicts = Arc::new(Verdicts::new(snapshot.process.token_cache_entries));
        let connections = Arc::new(ConnectionPool::new(
            snapshot.process.upstream_connections_idle_max,
        ));
        let forgeries = Arc::new(Forgeries::default());
        let revoked = Arc::new(Revocations::new(control.digest_key()?));
        let administration = control.begin(&index, &cell, &stages, &revoked)?;
        let counting = administration.count(&index, &snapshot.plans, &counters, &telemetry)?;
        let (counting, noting) = counting.unzip();
        watch_counters(&telemetry, &counters);
        watch_cells(&telemetry, &cell, &index, &verdicts);
        watch_forgeries(&telemetry, &cell, &forgeries);
        revocations::watch(&telemetry, &cell, &revoked);
        let store_troubles = administration.watch_store(&telemetry);
        note_applied(&telemetry, &snapshot);
        for warning in &snapshot.warnings {
            tracing::warn!(event = "configuration_warning", "{warning}");
        }

        let conf = server_conf(&snapshot);
        let mut server = Server::new_with_opt_and_conf(None, conf);
        server.bootstrap();

        let (keeper, desks) = Keeper::new(Arc::clone(&telemetry), Arc::clone(&revoked));
        let introspector = Arc::new(Introspector::new(Arc::clone(&forgeries), Arc::clone(&telemetry)));
        let reloader = Reloader {
            main,
            key_ring,
            stages,
            counters: Arc::clone(&counters) as Arc<dyn Counters>,
            index: Arc::clone(&index),
            cell: Arc::clone(&cell) as Arc<dyn Publish>,
            keeper,
            running: snapshot.process.clone(),
            telemetry: Arc::clone(&telemetry),
            registrar: administration.registrar(),
        };
        let addresses: Vec<SocketAddr> = listeners
            .iter()
            .chain(&metrics)
            .map(|bound| bound.address)
            .collect();
        if let Some(issuing) = issuing {
            issuing.serve(&cell, &index, administration.registrar(), &revoked, &telemetry)?;
        }
        let counters = counters as Arc<dyn Counters>;
        let spent = (&forgeries, &counters);
        administration.serve(&cell, &index, spent, &revoked, hangups.sender, &telemetry)?;
        for bound in &listeners {
            tracing::info!(event = "listening", name = "listener", address = %bound.address, "callers connect here");
        }
        let control = ControlPlane {
            parts: Mutex::new(Some(ControlParts {
                reloader,
                first,
                hangups: hangups.requests,
                addresses,
                readiness: Arc::clone(&readiness),
                when_ready,
                connections: Arc::clone(&connections),
                introspector: Arc::clone(&introspector),
            })),
        };
        let control = server.add_service(background_service("control", control));

        if let Some(bound) = metrics {
            tracing::info!(event = "listening", name = "metrics", address = %bound.address, "Prometheus connects here");
            let endpoints = StatusEndpoints {
                telemetry: Arc::clone(&telemetry),
                readiness: Arc::clone(&readiness),
                troubles: troubles(&cell, store_troubles),
            };
            let mut service = ListeningService::new("metrics".to_owned(), endpoints);
            service.threads = Some(1);
            server.add_service(bind::Prebound::new(service, vec![bound]));
        }

        let keys: KeyMiss = Box::new(move |issuer| {
            let (desks, issuer) = (Arc::clone(&desks), issuer.clone());
            Box::pin(async move { desks.ask(&issuer).await })
        });
        let answers: Introspect = Box::new(move |inquiry, budget| {
            Box::pin(Arc::clone(&introspector).ask(Arc::clone(inquiry), budget))
        });
        let known = Known {
            cell: Arc::clone(&cell),
            index,
            verdicts,
            forgeries,
            revocations: revoked,
            counters,
        };
        let waits = Waits { keys, answers };
        let gateway = Gateway::new(known, counts_changed(noting), access_log, waits, connections);
        let proxy = pingora::proxy::http_proxy(&server.configuration, gateway);
        let service = ListeningService::new("gateway".to_owned(), Connections::new(proxy, cell));
        let proxy = server.add_service(bind::Prebound::new(service, listeners));
        proxy.add_dependency(&control);
        for add in extra {
            add(&mut server);
        }

        let last = signals::Last::new(move || {
            flush.flush();
            if let Some(counting) = counting {
                counting.finish();
            }
            at_exit();
        });
        let shutdown_signal = signals::Shutdown::new(readiness, last.clone());
        signals::leave_when_drained(&server, telemetry, last.clone());
        server.run(RunArgs {
            shutdown_signal: Box::new(shutdown_signal),
        });
        last.act();
        tracing::info!(event = "stopped", "stopped");
        Ok(())
    }
}

// === impl ControlPlane ===

#[async_trait]
impl BackgroundService for ControlPlane {
    async fn start_with_ready_notifier(&self, mut shutdown: ShutdownWatch, ready: ServiceReadyNotifier) {
        let Some(parts) = self.parts.lock().await.take() else {
            return;
        };
        let ControlParts {
            mut reloader,
            first,
            hangups,
            addresses,
            readiness,
            when_ready,
            connections,
            introspector,
        } = parts;
        introspector.run_on(Handle::current());
        let issuers = reloader.cell.snapshot().issuers.clone();
        reloader.keeper.take_on(&issuers, FIRST_KEYS_WAIT).await;
        ready.notify_ready();
        let sweeping = revocations::sweep(reloader.registrar.clone());
        let reloading = reloader.run(first, hangups);
        let announcing = announce(addresses, readiness, when_ready);
        tokio::select! {
            () = async { tokio::join!(reloading, announcing, sweep(connections), sweeping); } => {}
            _ = shutdown.changed() => {}
        }
    }
}

/// Closes idle connections to upstreams that nobody needs any more.
async fn sweep(connections: Arc<ConnectionPool>) {
    let mut ticks = tokio::time::interval(SWEEP_INTERVAL);
    loop {
        let now = ticks.tick().await;
        connections.sweep(now.into_std());
    }
}

/// Says that the gateway is ready once all its listeners answer; ends the process if they never do.
async fn announce(addresses: Vec<SocketAddr>, readiness: Arc<Readiness>, when_ready: Hook) {
    let answering = async {
        for address in addresses {
            while TcpStream::connect(bind::reachable(address)).await.is_err() {
                tokio::time::sleep(LISTEN_STEP).await;
            }
        }
    };
    if tokio::time::timeout(LISTEN_WAIT, answering).await.is_err() {
        tracing::error!(event = "not_listening", "a listener does not answer; giving up");
        std::process::exit(crate::exit::CANNOT_BIND.into());
    }
    readiness.set(true);
    tracing::info!(event = "ready", "ready");
    when_ready();
}

/// Gauges that are read off the cells when Prometheus asks.
fn watch_cells(telemetry: &Telemetry, cell: &Arc<Cell>, index: &Arc<Index>, verdicts: &Arc<Verdicts>) {
    let (cell, index, verdicts) = (Arc::clone(cell), Arc::clone(index), Arc::clone(verdicts));
    telemetry.on_scrape(Box::new(move |telemetry| {
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let (applications, subscriptions) = index.counts();
        telemetry.applications.set(count(applications));
        telemetry.subscriptions.set(count(subscriptions));
        telemetry.token_cache_entries.set(count(verdicts.len()));
        telemetry.token_cache_evictions.raise_to(verdicts.evictions());
        let now = Clock.now();
        for issuer in &cell.snapshot().issuers {
            let name = issuer.name.as_str();
            if let Some(asked) = &issuer.introspection {
                let [active, inactive] = asked.answers.len();
                for (state, answers) in [("active", active), ("inactive", inactive)] {
                    telemetry
                        .introspection_answers
                        .child(&[name, state])
                        .set(count(answers));
                }
            }
            let Some(held) = issuer.ring.held() else {
                telemetry.jwks_keys.child(&[name]).set(0);
                continue;
            };
            let usable = issuer.keys(now).is_some();
            telemetry
                .jwks_keys
                .child(&[name])
                .set(if usable { count(held.keys.keys().len()) } else { 0 });
            if matches!(issuer.source, KeySource::Jwks(_)) {
                let age = now.since(held.fetched_at).as_secs();
                telemetry
                    .jwks_age
                    .child(&[name])
                    .set(i64::try_from(age).unwrap_or(i64::MAX));
            }
            for key in held.keys.keys() {
                if let Some(used) = key.history().last_used() {
                    telemetry
                        .key_last_used
                        .child(&[name, key.kid().unwrap_or_default()])
                        .set(used.seconds());
                }
            }
        }
    }));
}

/// Tells who has counted something that is to be kept.
fn counts_changed(noting: Option<Noting>) -> CountsChanged {
    let Some(noting) = noting else {
        return Box::new(|_| {});
    };
    Box::new(move |permit| {
        let Some(caller) = permit.caller() else { return };
        if let Some(subscription) = &caller.subscription {
            noting.subscription(subscription);
        }
        if let Some(application) = &caller.application {
            noting.application(application);
        }
    })
}

/// Who was forgotten for want of a place, when Prometheus asks.
fn watch_counters(telemetry: &Telemetry, counters: &Arc<LocalCounters>) {
    let counters = Arc::clone(counters);
    telemetry.on_scrape(Box::new(move |telemetry| {
        telemetry.limit_keys_forgotten.raise_to(counters.forgotten());
        telemetry.limit_uncounted.raise_to(counters.uncounted());
    }));
}

/// What bad tokens have cost, when Prometheus asks.
fn watch_forgeries(telemetry: &Telemetry, cell: &Arc<Cell>, forgeries: &Arc<Forgeries>) {
    let (cell, forgeries) = (Arc::clone(cell), Arc::clone(forgeries));
    telemetry.on_scrape(Box::new(move |telemetry| {
        for issuer in &cell.snapshot().issuers {
            let spent = telemetry.forgery_nanoseconds.child(&[issuer.name.as_str()]);
            spent.raise_to(forgeries.wasted_nanos(&issuer.name));
        }
    }));
}

/// As RFC 3339 writes it, to the second.
fn moment(time: UnixTime) -> String {
    jiff::Timestamp::from_second(time.seconds())
        .map_or_else(|_| "the beginning".to_owned(), |time| time.to_string())
}

/// Names the issuers whose keys are not here, or could not be refreshed in time, and says if the store fails.
fn troubles(
    cell: &Arc<Cell>,
    of_store: Box<dyn Fn() -> String + Send + Sync>,
) -> Box<dyn Fn() -> String + Send + Sync> {
    let cell = Arc::clone(cell);
    Box::new(move || {
        let now = Clock.now();
        let mut lines = of_store();
        for issuer in &cell.snapshot().issuers {
            lines.extend(revocations::trouble(issuer, now));
            let trouble = match issuer.trouble(now) {
                None => continue,
                Some(Trouble::NoKeys) => "no keys yet".to_owned(),
                Some(Trouble::Stale { since }) => format!("no usable keys, stale since {}", moment(since)),
                Some(Trouble::Late { fetched_at }) => {
                    format!("keys not refreshed since {}", moment(fetched_at))
                }
            };
            lines.push_str(&format!("issuer {}: {trouble}\n", issuer.name));
        }
        lines
    })
}

/// Pingora's settings. Whatever it leaves unbounded or sets for another kind of service is set here.
fn server_conf(snapshot: &Snapshot) -> ServerConf {
    let process = &snapshot.process;
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    // `ServerConf` multiplies this by the number of threads.
    ServerConf {
        threads: process.threads.unwrap_or_else(cores),
        upstream_keepalive_pool_size: process.upstream_connections_idle_max,
        grace_period_seconds: Some(process.grace_period.as_secs()),
        graceful_shutdown_timeout_seconds: Some(RUNTIME_SHUTDOWN_SECONDS),
        // How often a request may be tried is the upstream's `retries`; this is only the outer bound, which must hold
        // the largest of those and a few pooled connections that turn out to be closed.
        max_retries: 16,
        ..ServerConf::default()
    }
}
