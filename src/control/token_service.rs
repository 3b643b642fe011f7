//! The token service: the gateway as an issuer, on a listener and a thread of its own.
//!
//! It decides nothing: who may have which token is `issuing`'s. What stands here is HTTP - each endpoint is one line of
//! `ENDPOINTS` - and who it is that asks. A password takes a fiftieth of a second of a core, so whatever looks at one
//! runs on a few threads of its own, for a bounded number of requests at a time; who comes when all are taken is told to
//! come again. Nothing here slows a request that is decided.

mod answer;
mod endpoints;
mod identify;
mod metadata;
mod opaque;
mod who;

use std::convert::Infallible;
use std::net::{IpAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use axum::routing::{MethodFilter, on};
use tokio::sync::Semaphore;

use answer::{Answer, Fault};
use who::Asked;

use super::Publish;
use super::door::{self, Connection, Door, Progress, Tls, read_body};
use super::registrar::Registrar;
use super::told::ToldByKind;
use crate::issuer::{KeyFileKind, KeySource};
use crate::issuing::Refusal;
use crate::limit::Attempts;
use crate::revocation::Revocations;
use crate::snapshot::Snapshot;
use crate::subscription::Index;
use crate::telemetry::Telemetry;
use crate::time::{Clock, UnixTime};

/// Connections at a time.
const CONNECTIONS_MAX: usize = 512;
/// The head of a request: a token of another issuer may be in it.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// A body.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// Threads on which passwords are looked at. Two, so that one slow disk or one long hash does not hold up everybody.
const BLOCKING_THREADS: usize = 2;
/// Requests that wait for one of them or are there.
const WAITING_MAX: usize = 64;
/// Between two looks at whether a key's time is over.
const KEYS_INTERVAL: Duration = Duration::from_secs(1);

/// What the endpoints work with.
pub struct TokenApi {
    /// What is in force.
    pub cell: Arc<dyn Publish>,
    /// Who is who.
    pub index: Arc<Index>,
    /// Where tokens are taken back; `None`: nowhere.
    pub registrar: Option<Arc<Registrar>>,
    /// Which were.
    pub revocations: Arc<Revocations>,
    /// Where it is counted.
    pub telemetry: Arc<Telemetry>,
}

/// The same, with what only this listener has.
struct Service {
    api: TokenApi,
    attempts: Attempts,
    places: Arc<Semaphore>,
    told: ToldByKind,
}

/// One thing that can be asked.
struct Endpoint {
    filter: MethodFilter,
    path: &'static str,
    /// The word in metrics and logs.
    name: &'static str,
    run: fn(&Asked) -> Result<Answer, Fault>,
    /// Whether it looks at secrets.
    is_work: bool,
}

static ENDPOINTS: [Endpoint; 8] = [
    work(
        MethodFilter::POST,
        "/token",
        "token",
        endpoints::client_credentials,
    ),
    work(MethodFilter::GET, "/token", "user_token", endpoints::of_user),
    work(
        MethodFilter::POST,
        "/token/custom",
        "custom_token",
        endpoints::custom,
    ),
    work(MethodFilter::POST, "/revoke", "revoke", opaque::revoke),
    work(
        MethodFilter::POST,
        "/introspect",
        "introspect",
        opaque::introspect,
    ),
    page("/.well-known/jwks.json", "jwks", metadata::jwks),
    page(
        "/.well-known/openid-configuration",
        "metadata",
        metadata::metadata,
    ),
    page(
        "/.well-known/oauth-authorization-server",
        "metadata",
        metadata::metadata,
    ),
];

const fn work(
    filter: MethodFilter,
    path: &'static str,
    name: &'static str,
    run: fn(&Asked) -> Result<Answer, Fault>,
) -> Endpoint {
    Endpoint {
        filter,
        path,
        name,
        run,
        is_work: true,
    }
}

const fn page(path: &'static str, name: &'static str, run: fn(&Asked) -> Result<Answer, Fault>) -> Endpoint {
    Endpoint {
        filter: MethodFilter::GET,
        path,
        name,
        run,
        is_work: false,
    }
}

/// Serves on a thread of its own, for ever.
///
/// # Errors
/// When the thread cannot be started.
pub fn serve(api: TokenApi, listener: TcpListener, tls: Tls) -> std::io::Result<()> {
    let cell = Arc::clone(&api.cell);
    let handshakes = api.telemetry.token_requests.child(&["-", "handshake_failed"]);
    let service = Arc::new(Service {
        api,
        attempts: Attempts::default(),
        places: Arc::new(Semaphore::new(WAITING_MAX)),
        told: ToldByKind::default(),
    });
    let door = Door {
        name: "token_service",
        connections_max: CONNECTIONS_MAX,
        head_bytes_max: HEAD_BYTES_MAX,
        tls,
        handshake_failed: Box::new(move |_| handshakes.inc()),
    };
    let router = router(service);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build()?;
    std::thread::Builder::new()
        .name("token-service".to_owned())
        .spawn(move || {
            let served: std::io::Result<Infallible> = runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                tokio::spawn(keep_keys(cell));
                Ok(door::serve(listener, router, door).await)
            });
            let Err(error) = served;
            tracing::error!(event = "token_service_ended", %error, "the token service has ended");
        })?;
    Ok(())
}

fn router(service: Arc<Service>) -> Router {
    let mut router = Router::new();
    for endpoint in &ENDPOINTS {
        let handle = move |State(service): State<Arc<Service>>, request: Request| async move {
            let mut request = request;
            let connection = request.extensions_mut().remove::<Arc<Connection>>();
            // As long as somebody is known to ask, the connection is not closed for the sake of another.
            let progress = connection.as_ref().map(|connection| &connection.progress);
            let peer = connection.as_ref().and_then(|connection| connection.peer);
            let answered = answer(&service, endpoint, request, peer, progress).await;
            service.note(endpoint, answered.as_ref(), peer);
            answered.map_or_else(Fault::into_response, Answer::into_response)
        };
        router = router.route(endpoint.path, on(endpoint.filter, handle));
    }
    router
        .fallback(|| async { Fault::NotFound.into_response() })
        .method_not_allowed_fallback(|| async { Fault::Method.into_response() })
        .with_state(service)
}

async fn answer(
    service: &Arc<Service>,
    endpoint: &'static Endpoint,
    request: Request,
    peer: Option<IpAddr>,
    progress: Option<&Progress>,
) -> Result<Answer, Fault> {
    let (parts, body) = request.into_parts();
    let body = read_body(&parts.headers, body, BODY_BYTES_MAX).await?;
    let snapshot = service.api.cell.snapshot();
    let asked = Asked {
        client: who::client(&snapshot.http, &parts.headers, peer),
        service: Arc::clone(service),
        snapshot,
        endpoint: endpoint.name,
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body,
        now: Clock.now(),
    };
    if !endpoint.is_work {
        return (endpoint.run)(&asked);
    }
    let place = Arc::clone(&service.places).try_acquire_owned();
    let place = place.map_err(|_| Refusal::Busy)?;
    let _busy = progress.map(Progress::begin);
    let run = endpoint.run;
    let done = tokio::task::spawn_blocking(move || {
        let _place = place;
        run(&asked)
    });
    done.await.unwrap_or_else(|error| {
        tracing::error!(event = "token_service_failed", %error, "a request to the token service failed");
        Err(Fault::Failed)
    })
}

// === impl Service ===

impl Service {
    /// Counts what became of a request, and has it in the log: each token that was given out, and of refusals a line a
    /// minute of each kind, which says how many there were. Nothing in it is what a stranger has sent.
    fn note(&self, endpoint: &Endpoint, answered: Result<&Answer, &Fault>, peer: Option<IpAddr>) {
        let result = match answered {
            Ok(_) => "ok",
            Err(fault) => fault.word(),
        };
        self.api
            .telemetry
            .token_requests
            .child(&[endpoint.name, result])
            .inc();
        if answered.is_ok() {
            return;
        }
        if let Some(count) = self.told.count(result, Instant::now()) {
            tracing::warn!(
                event = "token_refused",
                endpoint = endpoint.name,
                reason = result,
                peer = peer.map(tracing::field::display),
                count,
                "the token service refused; there is one such line a minute"
            );
        }
    }
}

/// Takes keys whose time is over out of the rings of this gateway's own plans. A snapshot has what was announced when it
/// was compiled; as time goes on there can only be fewer.
async fn keep_keys(cell: Arc<dyn Publish>) {
    let mut ticks = tokio::time::interval(KEYS_INTERVAL);
    loop {
        ticks.tick().await;
        retire_keys(&cell.snapshot(), Clock.now());
    }
}

fn retire_keys(snapshot: &Snapshot, now: UnixTime) {
    let Some(service) = &snapshot.token_service else {
        return;
    };
    let announced = service.keys.announced(now).count();
    for issuer in &snapshot.issuers {
        let KeySource::Files(files) = &issuer.source else {
            continue;
        };
        let is_own = files.iter().any(|file| matches!(file.holds, KeyFileKind::Own(_)));
        let held = issuer.ring.held().map_or(0, |held| held.keys.keys().len());
        if is_own && held > announced {
            issuer.ring.install(service.keys.key_set(now), now);
            tracing::info!(
                event = "signing_key_over",
                keys = announced,
                "a signing key's time is over"
            );
        }
    }
}
