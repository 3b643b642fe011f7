//! The listener of the admin API: connections, their bounds, and TLS.
//!
//! Whoever connects and says nothing must not keep an operator out. A connection has [`PATIENCE`] for its handshake, and
//! again for each request's head, which is also how long it may be idle. There are [`CONNECTIONS_MAX`] at most; one more
//! closes the oldest that has no request of an operator under way. A stranger's never has, so strangers push out each
//! other, and an idle operator, but no operation.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::guard::Shown;

/// How long a handshake, the head of a request and a pause between two requests may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Connections at a time.
const CONNECTIONS_MAX: usize = 64;
/// The head of a request; the admin token and an idempotency key are short.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// After a failure to accept, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// The TLS of the next connection; nothing: plain HTTP.
pub type Tls = Option<Box<dyn Fn() -> Arc<rustls::ServerConfig> + Send + Sync>>;

/// What is known of a connection, shared with its requests.
#[derive(Debug, Default)]
pub(super) struct Connection {
    /// What its TLS has proven.
    pub(super) shown: Option<Shown>,
    /// Requests of an operator under way.
    busy: Arc<AtomicUsize>,
}

/// An operator's request under way; dropping it ends it.
pub(super) struct Busy(Arc<AtomicUsize>);

struct Open {
    busy: Arc<AtomicUsize>,
    task: AbortHandle,
}

// === impl Connection ===

impl Connection {
    /// Until the result is dropped, the connection is not closed for the sake of another.
    pub(super) fn busy(&self) -> Busy {
        self.busy.fetch_add(1, Ordering::Relaxed);
        Busy(Arc::clone(&self.busy))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Accepts for ever.
pub(super) async fn serve(listener: TcpListener, router: Router, tls: Tls) -> Infallible {
    // In the order in which they came.
    let mut open: Vec<Open> = Vec::new();
    loop {
        let (stream, _) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(event = "admin_accept_failed", %error, "no connection could be accepted");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        open.retain(|open| !open.task.is_finished());
        if open.len() >= CONNECTIONS_MAX {
            let idle = open
                .iter()
                .position(|open| open.busy.load(Ordering::Relaxed) == 0);
            match idle {
                Some(oldest) => open.remove(oldest).task.abort(),
                None => continue,
            }
        }
        let busy = Arc::new(AtomicUsize::new(0));
        let config = tls.as_ref().map(|tls| tls());
        let task = tokio::spawn(connection(stream, config, router.clone(), Arc::clone(&busy)));
        open.push(Open {
            busy,
            task: task.abort_handle(),
        });
    }
}

async fn connection(
    stream: TcpStream,
    config: Option<Arc<rustls::ServerConfig>>,
    router: Router,
    busy: Arc<AtomicUsize>,
) {
    let _ = stream.set_nodelay(true);
    let Some(config) = config else {
        return http(stream, router, Connection { shown: None, busy }).await;
    };
    let handshake = timeout(PATIENCE, TlsAcceptor::from(config).accept(stream)).await;
    let Ok(Ok(stream)) = handshake else {
        // Strangers make no lines of log.
        return;
    };
    let (_, session) = stream.get_ref();
    let shown = session.peer_certificates().and_then(<[_]>::first);
    let shown = shown.map(|certificate| Shown::of(certificate));
    http(stream, router, Connection { shown, busy }).await;
}

async fn http(stream: impl AsyncRead + AsyncWrite + Unpin, router: Router, connection: Connection) {
    let connection = Arc::new(connection);
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Arc::clone(&connection));
        router.call(request)
    });
    // Whatever ends it is the caller's affair.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(HEAD_BYTES_MAX)
        .half_close(false)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
