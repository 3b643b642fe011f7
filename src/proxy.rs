//! The edge where requests arrive: Pingora's `ProxyHttp`, and nothing that decides.
//!
//! What happens here is translation. A request becomes a [`RequestView`](crate::access::RequestView) (`view`),
//! [`evaluate`](crate::access::evaluate) decides (`decide`), a denial becomes an answer (`answer`), a permit becomes a
//! request to an upstream (`forward`), and when all is done one record and one count of each metric are made (`record`),
//! for permit and denial alike.

mod answer;
mod connection;
mod context;
mod decide;
mod deprecated;
mod failure;
mod forward;
mod grpc;
mod limited;
mod live;
mod meters;
mod overload;
mod place;
mod pool;
mod private;
mod record;
mod relay;
mod view;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::modules::http::HttpModules;
use pingora::proxy::{FailToProxy, ProxyHttp, Session};
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorType, Result};

pub use connection::Connections;
pub use decide::{Passed, decide};
pub use live::Cell;
pub use pool::ConnectionPool;
pub use record::AccessLog;

use self::context::{Context, Outcome, Watch};
use self::relay::Relay;
use crate::access::{Cause, Code, Counting, DataPlane, Denial, Permit, Proof, Verdict};
use crate::id::IssuerName;
use crate::issuer::Inquiry;
use crate::limit::{Counters, Forgeries, ForgeryBudget};
use crate::revocation::Revocations;
use crate::snapshot::Snapshot;
use crate::subscription::Index;
use crate::time::{Clock, UnixTime};
use crate::token::{Cache, TokenError};

/// How long a request body that nobody wants may hold up the refusal of its request.
const DRAIN_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(1);
/// A larger one is not taken: the connection is closed on it.
const DRAIN_BYTES_MAX: u64 = 64 * 1024;

/// Asked when a token names a key that is not here: whether the issuer's keys have been fetched anew since. How long
/// that may take, and how often it may happen, is the business of whoever answers.
pub type KeyMiss = Box<dyn Fn(&IssuerName) -> Fetched + Send + Sync>;

/// Told of each permit under which something was counted: whoever keeps counts looks whether that is to be kept.
pub type CountsChanged = Box<dyn Fn(&Permit) + Send + Sync>;

/// The answer to a [`KeyMiss`].
pub type Fetched = Pin<Box<dyn Future<Output = bool> + Send>>;

/// Asked when nothing can be said of a token before its issuer has been asked about it: whether something is known now.
/// What it may cost if the token turns out to be nothing is the snapshot's word.
pub type Introspect = Box<dyn Fn(&Arc<Inquiry>, ForgeryBudget) -> Fetched + Send + Sync>;

/// What may be waited for before a request is decided.
#[expect(missing_docs, reason = "see the types")]
pub struct Waits {
    pub keys: KeyMiss,
    pub answers: Introspect,
}

/// Tokens that were verified before.
pub type Verdicts = Cache<Arc<Verdict>>;

/// What decisions read, as it lives beside them.
#[expect(missing_docs, reason = "see `access::DataPlane`")]
pub struct Known {
    pub cell: Arc<Cell>,
    pub index: Arc<Index>,
    pub verdicts: Arc<Verdicts>,
    pub forgeries: Arc<Forgeries>,
    pub revocations: Arc<Revocations>,
    pub counters: Arc<dyn Counters>,
}

/// The gateway as Pingora runs it.
pub struct Gateway {
    cell: Arc<Cell>,
    index: Arc<Index>,
    verdicts: Arc<Verdicts>,
    forgeries: Arc<Forgeries>,
    counters: Arc<dyn Counters>,
    counts_changed: CountsChanged,
    revocations: Arc<Revocations>,
    overloads: overload::Overloads,
    access_log: Option<AccessLog>,
    waits: Waits,
    request_ids: view::RequestIds,
    relay: Relay,
    /// When the operator was last told of a failed request.
    complained_seconds: AtomicI64,
    /// Failed requests that the operator was not told of since.
    unsaid: AtomicU64,
}

// === impl Gateway ===

impl Gateway {
    /// A gateway that decides by this.
    pub fn new(
        known: Known,
        counts_changed: CountsChanged,
        access_log: Option<AccessLog>,
        waits: Waits,
        connections: Arc<ConnectionPool>,
    ) -> Self {
        let Known {
            cell,
            index,
            verdicts,
            forgeries,
            revocations,
            counters,
        } = known;
        Self {
            cell,
            index,
            verdicts,
            forgeries,
            counters,
            counts_changed,
            revocations,
            overloads: overload::Overloads::default(),
            access_log,
            waits,
            request_ids: view::RequestIds::new(),
            relay: Relay::new(connections),
            complained_seconds: AtomicI64::new(0),
            unsaid: AtomicU64::new(0),
        }
    }

    /// Looks at the request and decides, at this time. Nothing here waits.
    fn decide(&self, session: &Session, context: &mut Context, now: UnixTime) {
        let begun = Instant::now();
        let live = Arc::clone(&context.live);
        let plane = DataPlane {
            snapshot: &live.snapshot,
            index: &self.index,
            verdicts: &self.verdicts,
            forgeries: &self.forgeries,
            counting: Counting::Takes(&*self.counters),
            revocations: &self.revocations,
        };
        let mut watch = Watch::new(&live.meters);
        let decided = decide(
            &plane,
            session.req_header(),
            context.client.address,
            now,
            &mut watch,
        );
        context.decided = Instant::now();
        context.access_duration = context.decided.duration_since(begun);
        context.outcome = match decided {
            Ok(Passed { permit, path }) => {
                context.target = path;
                if let Some(Proof::Token { key, .. }) = permit.caller().map(|caller| &caller.proof) {
                    key.iter().for_each(|key| key.history().note_use(now));
                }
                (self.counts_changed)(&permit);
                Outcome::Permitted(permit)
            }
            Err(denial) => Outcome::Denied(denial),
        };
    }

    /// Whether something has come without which a request could not be decided. Waits for it if it may come.
    async fn has_come(&self, denial: &Denial, snapshot: &Snapshot) -> bool {
        if let Some(issuer) = denial.unless_keys_come() {
            return (self.waits.keys)(issuer).await;
        }
        match denial.unless_answered() {
            Some(inquiry) => (self.waits.answers)(inquiry, snapshot.forgery_budget).await,
            None => false,
        }
    }

    /// Tells the operator that a request failed for our or the upstream's sake: at most once a second, with the number of
    /// those that went unsaid. Each has its record in the access log and its counts.
    fn complain(&self, error: &Error, code: Code, session: &Session, context: &Context) {
        let now = context.now.seconds();
        if self.complained_seconds.swap(now, Ordering::Relaxed) == now {
            self.unsaid.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let unsaid = self.unsaid.swap(0, Ordering::Relaxed);
        let upstream = context
            .granted()
            .map_or("", |granted| granted.route.upstream.name.as_str());
        let request = self.request_summary(session, context);
        let code = code.word();
        tracing::error!(event = "request_failed", code, upstream, request, unsaid, %error, "a request failed");
    }
}

#[async_trait]
impl ProxyHttp for Gateway {
    type CTX = Context;

    fn new_ctx(&self) -> Context {
        Context::new(self.cell.live(), Clock.now())
    }

    /// No modules: each would cost an allocation a request.
    fn init_downstream_modules(&self, _modules: &mut HttpModules) {}

    async fn early_request_filter(&self, session: &mut Session, context: &mut Context) -> Result<()> {
        let http = &context.live.snapshot.http;
        // Pingora keeps HTTP/1.1 connections for ever unless told otherwise on every request. Where it has decided to
        // close it stays so: while shutting down, after HTTP/1.0, and when a request was framed in two ways, whose
        // remains must not be taken for a request (RFC 9112 section 6.1).
        if !session.is_process_shutting_down() && session.get_keepalive().is_some() {
            session.set_keepalive(Some(http.idle_timeout.as_secs()));
        }
        session.set_read_timeout(Some(http.read_timeout));
        session.set_write_timeout(Some(http.write_timeout));
        session.set_total_drain_timeout(Some(DRAIN_TIMEOUT));
        Ok(())
    }

    async fn request_filter(&self, session: &mut Session, context: &mut Context) -> Result<bool> {
        let http = &context.live.snapshot.http;
        (context.request_id, context.client) = self.request_ids.identify(session, http);
        self.decide(session, context, context.now);
        if let Outcome::Denied(denial) = &context.outcome
            && self.has_come(denial, &context.live.snapshot).await
        {
            // It may have waited through a reload, after which what the former snapshot names is gone.
            context.live = self.cell.live();
            self.decide(session, context, Clock.now());
        }
        let Outcome::Denied(denial) = &context.outcome else {
            return Ok(false);
        };
        let (budget, client) = (&context.live.snapshot.forgery_budget, context.client.address);
        let floods = match denial.cause {
            Cause::VerificationOverloaded(overdrawn) => {
                let issuer = denial.issuer.as_ref();
                self.overloads.note(issuer, overdrawn, client, context.now);
                true
            }
            Cause::Token(TokenError::SignatureInvalid | TokenError::Inactive) => {
                self.forgeries.is_notorious(budget, client, context.now)
            }
            _ => false,
        };
        if floods {
            self.overloads.hold(budget.hold, context.now).await;
        }
        if let Cause::Request(_) = denial.cause {
            // Whoever sends bad HTTP may mean something else with the bytes that follow.
            session.set_keepalive(None);
        } else if view::declared_body(session).is_some_and(|bytes| (1..=DRAIN_BYTES_MAX).contains(&bytes)) {
            // Closed on unread bytes, a connection is reset, and the reset may overtake the refusal. So the body is
            // taken, if it comes soon, and the connection is closed after the answer.
            let _ = tokio::time::timeout(DRAIN_TIMEOUT, session.drain_request_body()).await;
            session.set_keepalive(None);
        }
        let page = answer::Page::of_denial(denial, context);
        context.answer = Some(page.code());
        // A caller who has hung up is no failure of ours.
        page.send(session).await.map_err(Error::into_down)?;
        Ok(true)
    }

    /// Where Pingora asks whether the request goes on. A plain one is taken to its upstream and answered here.
    async fn proxy_upstream_filter(&self, session: &mut Session, context: &mut Context) -> Result<bool> {
        if !relay::is_plain(session.req_header()) {
            return Ok(true);
        }
        self.relay.run(session, context).await?;
        Ok(false)
    }

    async fn upstream_peer(&self, _session: &mut Session, context: &mut Context) -> Result<Box<HttpPeer>> {
        let live = Arc::clone(&context.live);
        let Some(upstream) = context.upstream(&live) else {
            return Error::e_explain(
                ErrorType::InternalError,
                "a request without a permit goes nowhere",
            );
        };
        context.attempt.get_or_insert(context.decided);
        context.body_bytes = 0; // a retry sends the body again
        let Some((place, peer)) = upstream.choose(&context.unreachable) else {
            return Error::e_explain(ErrorType::HTTPStatus(503), "no peer is left to try");
        };
        context.peer = Some((place, peer.address));
        Ok(peer.to_http_peer())
    }

    fn fail_to_connect(
        &self,
        _session: &mut Session,
        _peer: &HttpPeer,
        context: &mut Context,
        mut error: Box<Error>,
    ) -> Box<Error> {
        // Nothing was sent, so another peer may be asked, whatever the method.
        let live = Arc::clone(&context.live);
        if let (Some((place, _)), Some(upstream)) = (context.peer, context.upstream(&live)) {
            error.set_retry(context.connect_failed(upstream, place));
        }
        error
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        context: &mut Context,
    ) -> Result<()> {
        forward::request(session, request, context)
    }

    async fn request_body_filter(
        &self,
        _session: &mut Session,
        body: &mut Option<Bytes>,
        _end: bool,
        context: &mut Context,
    ) -> Result<()> {
        let Some(chunk) = body else { return Ok(()) };
        context.body_bytes = context.body_bytes.saturating_add(chunk.len() as u64);
        match context.granted() {
            Some(granted) if context.body_bytes <= granted.api.body_bytes_max => Ok(()),
            _ => Error::e_explain(ErrorType::HTTPStatus(413), "the request body is too large"),
        }
    }

    async fn upstream_response_filter(
        &self,
        _session: &mut Session,
        response: &mut ResponseHeader,
        context: &mut Context,
    ) -> Result<()> {
        if !response.status.is_informational() {
            context.first_byte.get_or_insert_with(Instant::now);
            return Ok(());
        }
        context.interim(response.status)
    }

    fn upstream_response_body_filter(
        &self,
        _session: &mut Session,
        _body: &mut Option<Bytes>,
        end: bool,
        context: &mut Context,
    ) -> Result<Option<std::time::Duration>> {
        if end {
            context.last_byte = Some(Instant::now());
            context.answered();
        }
        Ok(None)
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        context: &mut Context,
    ) -> Result<()> {
        *response = forward::answer(session, response, context)?;
        if forward::is_whole(session, response) {
            context.answered();
        }
        Ok(())
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &Error,
        context: &mut Context,
    ) -> FailToProxy {
        let code = failure::code(error);
        context.failure = code;
        if let Some(code) = code.filter(|code| code.status() >= 500) {
            self.complain(error, code, session, context);
        }
        // 100 and 103 are no answer yet.
        let unanswered = session
            .response_written()
            .is_none_or(|answer| answer.status.is_informational());
        if let (Some(code), true) = (code, unanswered) {
            session.set_keepalive(None);
            let page = answer::Page::of_failure(code, context);
            context.answer = Some(code);
            context.answered();
            // The caller may be gone; the log record says what happened either way.
            let _ = page.send(session).await;
        }
        FailToProxy {
            error_code: code.map_or(0, Code::status),
            can_reuse_downstream: false,
        }
    }

    async fn logging(&self, session: &mut Session, _error: Option<&Error>, context: &mut Context) {
        record::finish(session, context, self.access_log.as_ref());
        // Bytes were counted just now.
        if let Outcome::Permitted(permit) = &context.outcome {
            (self.counts_changed)(permit);
        }
    }

    /// What there is to say is said by `Gateway::complain`, not once for every request.
    fn suppress_error_log(&self, _session: &Session, _context: &Context, _error: &Error) -> bool {
        true
    }

    /// Method, path and request id; never the query, which may carry credentials.
    fn request_summary(&self, session: &Session, context: &Context) -> String {
        let request = session.req_header();
        let path: String = request
            .uri
            .path()
            .chars()
            .take(256)
            .flat_map(char::escape_default)
            .collect();
        format!("{} {path}, request {}", request.method, context.request_id)
    }
}
