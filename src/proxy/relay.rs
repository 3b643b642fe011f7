//! The short way of a request that has no body, which most have: to the upstream, and its answer back, one step after the
//! other.
//!
//! Pingora's own way must be ready for everything at once: a body still coming while the answer is already going, a cache,
//! an upgrade, HTTP/2 on either side. It runs two halves side by side with channels between them and costs half of what a
//! hop costs. Without a body there is nothing to run side by side. The protocol is Pingora's all the same: its sessions
//! frame both messages, and `forward` makes both headers, as it does for the long way. What is not plain goes the long
//! way, before anything is sent.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Instant;

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::request::Parts as RequestParts;
use http::{HeaderValue, Method, Version};
use pingora::connectors::TransportConnector;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::protocols::Stream;
use pingora::protocols::http::HttpTask;
use pingora::protocols::http::v1::client::HttpSession as Client;
use pingora::proxy::Session;
use pingora::upstreams::peer::Peer as _;
use pingora::{BError, Error, ErrorType, Result};

use super::context::Context;
use super::forward;
use super::pool::ConnectionPool;
use crate::upstream::Peer;

/// After so many pooled connections that turned out to be closed, a new one is made.
const STALE_MAX: u32 = 2;

/// Connections to upstreams, for requests that go the short way.
pub(super) struct Relay {
    connector: TransportConnector,
    pool: Arc<ConnectionPool>,
}

/// Whether a request is plain: it has no body, may be sent again if a pooled connection turns out to be closed (RFC 9110
/// section 9.2.2), and no field that is between caller and gateway alone, but a `Connection` that names no other.
pub(super) fn is_plain(request: &RequestParts) -> bool {
    request.version == Version::HTTP_11
        && matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS)
        && request.headers.iter().all(|(name, field)| match name.as_str() {
            "connection" => {
                field.as_bytes().eq_ignore_ascii_case(b"keep-alive")
                    || field.as_bytes().eq_ignore_ascii_case(b"close")
            }
            "content-length"
            | "transfer-encoding"
            | "expect"
            | "te"
            | "trailer"
            | "upgrade"
            | "keep-alive"
            | "http2-settings"
            | "proxy-connection"
            | "proxy-authenticate"
            | "proxy-authorization" => false,
            _ => true,
        })
}

// === impl Relay ===

impl Relay {
    pub(super) fn new(pool: Arc<ConnectionPool>) -> Self {
        Self {
            connector: TransportConnector::new(None),
            pool,
        }
    }

    /// Sends a plain request to its upstream and the answer to the caller. When this fails, the caller has had nothing, or
    /// an answer that is cut off.
    pub(super) async fn run(&self, session: &mut Session, context: &mut Context) -> Result<()> {
        let live = Arc::clone(&context.live);
        let Some(upstream) = context.upstream(&live) else {
            return Error::e_explain(
                ErrorType::InternalError,
                "a request without a permit goes nowhere",
            );
        };
        context.attempt.get_or_insert(context.decided);
        let mut stale = 0;
        loop {
            let Some((place, peer)) = upstream.choose(&context.unreachable) else {
                return Error::e_explain(ErrorType::HTTPStatus(503), "no peer is left to try");
            };
            context.peer = Some((place, peer.address));
            let pooled = if stale < STALE_MAX {
                self.pool.take(peer.connection_key)
            } else {
                None
            };
            let reused = pooled.is_some();
            let stream = match pooled {
                Some(stream) => stream,
                None => match self.connector.new_stream(peer.as_http_peer()).await {
                    Ok(stream) => stream,
                    // Nothing was sent, so another peer may be asked.
                    Err(_) if context.connect_failed(upstream, place) => continue,
                    Err(error) => return Err(error.into_up()),
                },
            };
            let mut client = client(stream, peer);
            match exchange(session, &mut client, context).await {
                Ok(last_byte) => {
                    context.last_byte = Some(last_byte);
                    self.put_away(client, peer, last_byte).await;
                    return Ok(());
                }
                Err(error) if reused && closed_meanwhile(&error, &client) => stale += 1,
                Err(error) => return Err(error),
            }
        }
    }

    async fn put_away(&self, mut client: Client, peer: &Peer, since: Instant) {
        client.respect_keepalive();
        if let Some(stream) = client.reuse().await
            && let Some(idle) = peer.as_http_peer().idle_timeout()
        {
            self.pool.put(peer.connection_key, stream, since + idle);
        }
    }
}

fn client(stream: Stream, peer: &Peer) -> Client {
    let options = &peer.as_http_peer().options;
    let mut client = Client::new(stream);
    client.read_timeout = options.read_timeout;
    client.write_timeout = options.write_timeout;
    client
}

/// A pooled connection that ended before it answered: the upstream had closed it before the request came.
fn closed_meanwhile(error: &BError, client: &Client) -> bool {
    let ended = matches!(
        error.etype(),
        ErrorType::ConnectionClosed | ErrorType::ReadError | ErrorType::WriteError
    );
    ended && *error.esource() == pingora::ErrorSource::Upstream && client.resp_header().is_none()
}

/// Asks the upstream and answers the caller. When the last of the answer came.
async fn exchange(session: &mut Session, client: &mut Client, context: &mut Context) -> Result<Instant> {
    let request: RequestHeader = forward::outgoing(session, session.req_header(), context)?;
    let head = request.method == Method::HEAD;
    let sent = client.write_request_header(Box::new(request)).await;
    sent.map_err(|error| error.into_up())?;
    loop {
        unless_gone(session, client.read_response()).await?;
        let Some(came) = client.resp_header() else {
            return Err(Error::explain(ErrorType::InvalidHTTPHeader, "no header was read").into_up());
        };
        if !came.status.is_informational() {
            break;
        }
        context.interim(came.status)?;
        let interim = forward::answer(session, came, context)?;
        write(session, vec![HttpTask::Header(Box::new(interim), false)]).await?;
    }
    let first_byte = Instant::now();
    context.first_byte = Some(first_byte);
    Ok(answer(session, client, context, head)
        .await?
        .unwrap_or(first_byte))
}

/// Sends the answer, whose header has been read, to the caller. When its last byte came, if that was not with the header.
async fn answer(
    session: &mut Session,
    client: &mut Client,
    context: &mut Context,
    head: bool,
) -> Result<Option<Instant>> {
    let mut ended = client.is_body_done();
    let Some(came) = client.resp_header() else {
        return Err(Error::explain(ErrorType::InvalidHTTPHeader, "no header was read").into_up());
    };
    let mut header = forward::answer(session, came, context)?;
    if !ended && !head {
        frame(&mut header)?;
    }
    let mut tasks = Vec::with_capacity(2);
    tasks.push(HttpTask::Header(Box::new(header), ended));
    // A short body came with the header, and goes with it.
    if !ended && let Some(chunk) = at_once(client.read_body_bytes()) {
        let chunk = chunk.map_err(|error| error.into_up())?;
        ended = client.is_body_done();
        tasks.push(HttpTask::Body(chunk, ended));
    }
    if ended {
        context.answered();
    }
    write(session, tasks).await?;
    let mut last_byte = None;
    while !ended {
        let chunk = unless_gone(session, client.read_body_bytes()).await?;
        ended = client.is_body_done();
        last_byte = ended.then(Instant::now);
        if ended {
            context.answered();
        }
        write(session, vec![HttpTask::Body(chunk, ended)]).await?;
    }
    Ok(last_byte)
}

/// A body that ends with the upstream's connection is sent in chunks, so that the caller's connection goes on and a body
/// that was cut off is known for one (RFC 9112 section 6.3).
fn frame(header: &mut ResponseHeader) -> Result<()> {
    let framed = [CONTENT_LENGTH, TRANSFER_ENCODING]
        .iter()
        .any(|name| header.headers.contains_key(name));
    if framed {
        return Ok(());
    }
    header.insert_header(TRANSFER_ENCODING, HeaderValue::from_static("chunked"))
}

async fn write(session: &mut Session, tasks: Vec<HttpTask>) -> Result<()> {
    let written = session.as_mut().response_duplex_vec(tasks).await;
    written.map(drop).map_err(|error| error.into_down())
}

/// What the upstream does, unless the caller hangs up meanwhile.
async fn unless_gone<T>(session: &mut Session, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        biased;
        done = work => done.map_err(|error| error.into_up()),
        gone = session.as_mut().read_body_or_idle(true) => match gone {
            Ok(_) => Err(Error::explain(ErrorType::ConnectionClosed, "the caller sends what no request announces").into_down()),
            Err(error) => Err(error.into_down()),
        },
    }
}

/// The result, if there is nothing to wait for.
fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut context = TaskContext::from_waker(Waker::noop());
    match Pin::as_mut(&mut future).poll(&mut context) {
        Poll::Ready(result) => Some(result),
        Poll::Pending => None,
    }
}
