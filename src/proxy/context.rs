//! What one request carries through Pingora's phases.
//! It pins the snapshot by which it is decided and owns the one outcome, so that the end records what was decided.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;
use pingora::{Error, ErrorType, Result};

use super::live::{Handle, Live};
use super::meters::{InFlight, Meters};
use super::view::Client;
use crate::access::{CacheResult, Code, Denial, Granted, Observer, Permit};
use crate::issuer::Issuer;
use crate::time::UnixTime;
use crate::token::{Algorithm, Probe, TokenCheck};
use crate::upstream::{Tried, Upstream};

/// Interim answers (1xx) of an upstream to one request: a real one sends two at most.
const INFORMATIONAL_MAX: u32 = 16;

/// One request, from its header to its record.
pub struct Context {
    /// The snapshot that it sees, from its decision to the end.
    pub(super) live: Arc<Handle>,
    /// When it arrived.
    pub(super) now: UnixTime,
    /// The same moment, for measuring.
    pub(super) started: Instant,
    /// When it was decided, which is when a permitted one turns to its upstream.
    pub(super) decided: Instant,
    /// Its id, in logs and towards upstream and caller.
    pub(super) request_id: String,
    /// Who is calling, as far as trusted proxies tell.
    pub(super) client: Client,
    /// What was decided.
    pub(super) outcome: Outcome,
    /// The target to send upstream, if it is not the one that came.
    pub(super) target: Option<String>,
    /// How long the decision took, and what came before it.
    pub(super) access_duration: Duration,
    /// Peers that could not be reached.
    pub(super) unreachable: Tried,
    /// How often no connection could be made.
    pub(super) connect_failures: usize,
    /// The peer of the present attempt.
    pub(super) peer: Option<(usize, SocketAddr)>,
    /// When the upstream was first turned to.
    pub(super) attempt: Option<Instant>,
    /// When its answer began.
    pub(super) first_byte: Option<Instant>,
    /// How many interim answers (1xx) it sent.
    pub(super) informational: u32,
    /// When its answer ended.
    pub(super) last_byte: Option<Instant>,
    /// Body bytes sent upstream in the present attempt.
    pub(super) body_bytes: u64,
    /// What went wrong after the decision.
    pub(super) failure: Option<Code>,
    /// The code that the gateway itself answered with.
    pub(super) answer: Option<Code>,
    /// Counts the request as in flight until it is dropped, whatever happens.
    _in_flight: InFlight,
}

/// What was decided.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one for each request, in place: a box would be an allocation for each permit"
)]
pub(super) enum Outcome {
    /// Nothing yet.
    Undecided,
    /// It may pass.
    Permitted(Permit),
    /// It may not.
    Denied(Box<Denial>),
}

/// Looks on while a decision is made and measures the signature check.
pub(super) struct Watch<'m> {
    meters: &'m Meters,
    issuer: Option<usize>,
    begun: Option<Instant>,
}

// === impl Context ===

impl Context {
    pub(super) fn new(live: Arc<Handle>, now: UnixTime) -> Self {
        let in_flight = live.meters.in_flight();
        let started = Instant::now();
        Self {
            live,
            now,
            started,
            decided: started,
            request_id: String::new(),
            client: Client::default(),
            outcome: Outcome::Undecided,
            target: None,
            access_duration: Duration::ZERO,
            unreachable: Tried::default(),
            connect_failures: 0,
            peer: None,
            attempt: None,
            first_byte: None,
            informational: 0,
            last_byte: None,
            body_bytes: 0,
            failure: None,
            answer: None,
            _in_flight: in_flight,
        }
    }
}

impl Context {
    /// The permit and what it is for, if the request may pass.
    pub(super) fn granted(&self) -> Option<Granted<'_>> {
        match &self.outcome {
            Outcome::Permitted(permit) => permit.under(&self.live.snapshot),
            Outcome::Undecided | Outcome::Denied(_) => None,
        }
    }

    /// Where the request goes, if it may pass. It borrows from `live`, a handle of the caller's on the same snapshot, and
    /// so leaves the context free to be changed.
    pub(super) fn upstream<'l>(&self, live: &'l Live) -> Option<&'l Upstream> {
        match &self.outcome {
            Outcome::Permitted(permit) => Some(&*permit.route(&live.snapshot)?.upstream),
            Outcome::Undecided | Outcome::Denied(_) => None,
        }
    }

    /// Notes that a peer cannot be reached; whether another one may be tried.
    pub(super) fn connect_failed(&mut self, upstream: &Upstream, place: usize) -> bool {
        self.unreachable.insert(place);
        self.connect_failures += 1;
        self.connect_failures <= upstream.retries && self.connect_failures < upstream.peers()
    }

    /// The last of the answer is here: the request ends its place among those in flight before its caller has the answer
    /// in full, and may come again.
    pub(super) fn answered(&mut self) {
        if let Outcome::Permitted(permit) = &mut self.outcome {
            permit.usage_mut().release();
        }
    }

    /// One more interim answer (1xx).
    ///
    /// # Errors
    /// There were more than [`INFORMATIONAL_MAX`], or it is a switch of protocols, for which no upstream is asked.
    pub(super) fn interim(&mut self, status: StatusCode) -> Result<()> {
        let refused = |why| Err(Error::explain(ErrorType::InvalidHTTPHeader, why).into_up());
        if status == StatusCode::SWITCHING_PROTOCOLS {
            return refused("the upstream switches to a protocol that nobody asked for");
        }
        self.informational += 1;
        if self.informational > INFORMATIONAL_MAX {
            return refused("the upstream sends 1xx without end");
        }
        Ok(())
    }
}

// === impl Watch ===

impl<'m> Watch<'m> {
    pub(super) const fn new(meters: &'m Meters) -> Self {
        Self {
            meters,
            issuer: None,
            begun: None,
        }
    }
}

impl Probe for Watch<'_> {
    fn signature_begins(&mut self) {
        self.begun = Some(Instant::now());
    }

    fn signature_ends(&mut self, algorithm: Algorithm) {
        if let (Some(begun), Some(issuer)) = (self.begun.take(), self.issuer) {
            self.meters.signature_checked(issuer, algorithm, begun.elapsed());
        }
    }

    fn passed(&mut self, check: TokenCheck<'_>) {
        if let TokenCheck::Audience(key) = check {
            key.history().note_verified();
        }
    }
}

impl Observer for Watch<'_> {
    fn issuer(&mut self, issuer: &Issuer) {
        self.issuer = Some(issuer.index);
    }

    fn cache(&mut self, result: CacheResult) {
        self.meters.cache_asked(result);
    }
}
