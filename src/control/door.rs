//! Listeners of the control plane - the admin API's, the token service's: connections, their bounds, and TLS.
//!
//! Whoever connects and says nothing must not keep out whoever is expected: an operator, a client. A connection has
//! [`PATIENCE`] for its handshake, and again for each request's head, which is also how long it may be idle. There are so
//! many at most; one more closes the oldest that has no expected request under way, up to the last byte of its answer
//! (`written`). A stranger's never has, so strangers push out each other, and an idle operator, but no operation.

mod body;
mod shown;
mod written;

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
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

pub(super) use body::{BodyError, read_body};
pub(super) use shown::{Shown, beginning, hexadecimal};
pub(super) use written::Progress;

use written::Watched;

/// How long a handshake, the head of a request and a pause between two requests may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a connection may be used. Its certificate is looked at once, and may have expired since.
const AGE_MAX: Duration = Duration::from_secs(10 * 60);
/// After a failure to accept, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// The TLS of the next connection; nothing: plain HTTP.
pub type Tls = Option<Box<dyn Fn() -> Arc<rustls::ServerConfig> + Send + Sync>>;

/// What is known of a connection, shared with its requests.
pub(super) struct Connection {
    /// From where.
    pub(super) peer: Option<IpAddr>,
    tls: Arc<Tls>,
    /// What it was accepted with.
    config: Option<Arc<rustls::ServerConfig>>,
    /// What its TLS has proven.
    pub(super) shown: Option<Shown>,
    /// What there is of an operator's on it. As long as there is something, it is not closed for the sake of another.
    pub(super) progress: Progress,
}

// === impl Connection ===

impl Connection {
    fn new(peer: Option<IpAddr>, tls: &Arc<Tls>, progress: Progress) -> Self {
        Self {
            peer,
            config: tls.as_ref().as_ref().map(|tls| tls()),
            tls: Arc::clone(tls),
            shown: None,
            progress,
        }
    }

    /// Whether it would be accepted with other certificates by now.
    pub(super) fn is_outdated(&self) -> bool {
        match (&self.config, self.tls.as_ref()) {
            (Some(config), Some(tls)) => !Arc::ptr_eq(config, &tls()),
            (None, _) | (_, None) => false,
        }
    }
}

/// Who listens.
pub(super) struct Door {
    /// Whose connections these are, in the log.
    pub(super) name: &'static str,
    /// At a time.
    pub(super) connections_max: usize,
    /// The head of a request, in bytes.
    pub(super) head_bytes_max: usize,
    /// Plain HTTP, or what connections are accepted with.
    pub(super) tls: Tls,
    /// Told of everybody who did not come through the handshake.
    pub(super) handshake_failed: Box<dyn Fn(Option<IpAddr>) + Send + Sync>,
}

struct Open {
    progress: Progress,
    task: AbortHandle,
}

/// Accepts for ever.
pub(super) async fn serve(listener: TcpListener, router: Router, door: Door) -> Infallible {
    // In the order in which they came.
    let mut open: Vec<Open> = Vec::new();
    let Door {
        name,
        connections_max,
        head_bytes_max,
        tls,
        handshake_failed,
    } = door;
    let (tls, handshake_failed) = (Arc::new(tls), Arc::from(handshake_failed));
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(event = "accept_failed", listener = name, %error, "no connection could be accepted");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        open.retain(|open| !open.task.is_finished());
        if open.len() >= connections_max {
            let idle = open.iter().position(|open| !open.progress.is_busy());
            match idle {
                Some(oldest) => open.remove(oldest).task.abort(),
                None => continue,
            }
        }
        let progress = Progress::default();
        let accepted = Connection::new(Some(peer.ip()), &tls, progress.clone());
        let failed = Arc::clone(&handshake_failed);
        let task = tokio::spawn(connection(
            stream,
            router.clone(),
            accepted,
            head_bytes_max,
            failed,
        ));
        open.push(Open {
            progress,
            task: task.abort_handle(),
        });
    }
}

async fn connection(
    stream: TcpStream,
    router: Router,
    mut connection: Connection,
    head_bytes_max: usize,
    handshake_failed: Arc<dyn Fn(Option<IpAddr>) + Send + Sync>,
) {
    let _ = stream.set_nodelay(true);
    let Some(config) = connection.config.clone() else {
        return http(stream, router, connection, head_bytes_max, AGE_MAX).await;
    };
    let handshake = timeout(PATIENCE, TlsAcceptor::from(config).accept(stream)).await;
    let Ok(Ok(stream)) = handshake else {
        return handshake_failed(connection.peer);
    };
    let (_, session) = stream.get_ref();
    let shown = session.peer_certificates().and_then(<[_]>::first);
    connection.shown = shown.map(|certificate| Shown::of(certificate));
    http(stream, router, connection, head_bytes_max, AGE_MAX).await;
}

async fn http(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    router: Router,
    connection: Connection,
    head_bytes_max: usize,
    age_max: Duration,
) {
    let stream = Watched::new(stream, connection.progress.clone());
    let connection = Arc::new(connection);
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Arc::clone(&connection));
        router.call(request)
    });
    let mut served = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .max_buf_size(head_bytes_max)
            .half_close(false)
            .serve_connection(TokioIo::new(stream), service)
    );
    // Whatever ends it is the caller's affair.
    if timeout(age_max, served.as_mut()).await.is_err() {
        served.as_mut().graceful_shutdown();
        let _ = timeout(PATIENCE, served).await;
    }
}

#[cfg(test)]
mod tests {
    use axum::extract::Request;
    use axum::middleware::{Next, from_fn};
    use axum::response::Response;
    use axum::routing::get;
    use http::StatusCode;
    use http::header::AUTHORIZATION;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    const ADDRESS: &str = "127.0.0.1:9180";
    const HEAD_BYTES_MAX: usize = 16 * 1024;

    /// A guard, behind which there is a long answer.
    fn router(answer: &'static str) -> Router {
        let guard = |mut request: Request, next: Next| async move {
            let connection = request.extensions_mut().remove::<Arc<Connection>>();
            let expected = request.headers().get(AUTHORIZATION);
            if expected.is_none_or(|value| value != "Bearer token") {
                let mut refused = Response::new(Body::from("{\"refused\":\"yes\"}"));
                *refused.status_mut() = StatusCode::UNAUTHORIZED;
                return refused;
            }
            let _busy = connection.map(|connection| connection.progress.begin());
            next.run(request).await
        };
        let router = Router::new().route("/", get(move || async move { answer }));
        router.layer(from_fn(guard))
    }

    #[tokio::test]
    async fn an_operator_waits_until_the_last_byte_of_the_answer_is_written() {
        for (length, token) in [(10, "token"), (1000, "token"), (100_000, "token"), (10, "wrong")] {
            let answer: &'static str = "x".repeat(length).leak();
            let (mut caller, stream) = duplex(64);
            let progress = Progress::default();
            let connection = Connection::new(None, &Arc::new(None), progress.clone());
            let served = tokio::spawn(http(stream, router(answer), connection, HEAD_BYTES_MAX, AGE_MAX));
            let asked = format!("GET / HTTP/1.1\r\nHost: {ADDRESS}\r\nAuthorization: Bearer {token}\r\n\r\n");
            caller.write_all(asked.as_bytes()).await.unwrap();
            let is_operator = token == "token";
            let mut text = Vec::new();
            let expected = if is_operator { answer } else { "\"}" };
            while !text.ends_with(expected.as_bytes()) {
                let mut byte = [0];
                assert_eq!(caller.read(&mut byte).await.unwrap(), 1);
                text.extend(byte);
                // Until what is left fits between the two.
                if text.len() + 100 < length {
                    assert!(progress.is_busy(), "after {} of {length} bytes", text.len());
                }
                assert!(is_operator || !progress.is_busy());
            }
            while progress.is_busy() {
                tokio::task::yield_now().await;
            }
            drop(caller);
            served.await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_connection_that_is_used_all_the_time_ends_all_the_same() {
        let (mut caller, stream) = duplex(1024);
        let connection = Connection::new(None, &Arc::new(None), Progress::default());
        let age_max = Duration::from_millis(100);
        let served = tokio::spawn(http(stream, router("short"), connection, HEAD_BYTES_MAX, age_max));
        let asked = format!("GET / HTTP/1.1\r\nHost: {ADDRESS}\r\n\r\n");
        let begun = std::time::Instant::now();
        let mut answers = 0;
        while caller.write_all(asked.as_bytes()).await.is_ok() {
            let mut text = [0; 1024];
            match caller.read(&mut text).await {
                Ok(read @ 1..) => answers += u32::from(text[..read].starts_with(b"HTTP/1.1 401 ")),
                Ok(0) | Err(_) => break,
            }
            assert!(begun.elapsed() < Duration::from_secs(5));
        }
        assert!(answers > 1 && begun.elapsed() >= age_max, "{answers}");
        served.await.unwrap();
    }
}
