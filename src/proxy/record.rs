//! The end of a request: every metric moved once, one line in the access log.
//! Whatever way a request took, it comes by here once, so that the numbers add up.

use std::io::Write as _;
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use pingora::proxy::Session;
use tracing_appender::non_blocking::NonBlocking;

use super::context::{Context, Outcome};
use super::meters::LimitOutcome;
use crate::access::{Caller, Cause, Code, Granted};
use crate::api::Api;
use crate::credential::{Credential, extract};
use crate::identity::Identity;
use crate::limit::{LevelName, LimitKind};
use crate::telemetry::AccessRecord;
use crate::time::Clock;

/// Bytes of the token's digest that are logged: enough to tell any two tokens apart.
const DIGEST_BYTES: usize = 16;

/// The access log: lines go to a thread of their own, so a slow disk never holds a worker. When that thread cannot
/// keep up, lines are dropped and counted.
pub struct AccessLog {
    writer: NonBlocking,
}

/// What of a request is known to whom.
struct Facts<'c> {
    outcome: &'static str,
    reason: Option<&'static str>,
    api: Option<(usize, &'c str)>,
    plan: Option<(usize, &'c str)>,
    issuer: Option<&'c str>,
    application: Option<&'c str>,
    identity: Option<&'c Identity>,
    granted: Option<Granted<'c>>,
}

/// Durations of one request.
struct Times {
    total: Duration,
    /// Waiting for the upstream excluded.
    added: Duration,
    /// From turning to the upstream to the first byte of its answer.
    upstream: Option<Duration>,
}

// === impl AccessLog ===

impl AccessLog {
    /// Writes lines to `writer`.
    pub const fn new(writer: NonBlocking) -> Self {
        Self { writer }
    }
}

/// Counts, measures and records a finished request.
pub(super) fn finish(session: &Session, context: &Context, log: Option<&AccessLog>) {
    let answer = session
        .response_written()
        .filter(|answer| !answer.status.is_informational());
    let status = answer.map_or(0, |answer| answer.status.as_u16());
    let facts = Facts::of(context);
    let times = Times::of(context);
    let meters = &context.live.meters;
    let api = facts.api.map(|(index, _)| index);
    if let Some(api_meters) = meters.api(api) {
        match &context.outcome {
            Outcome::Permitted(_) => api_meters.permitted(),
            Outcome::Denied(denial) => api_meters.denied(denial.answer().code),
            Outcome::Undecided => api_meters.denied(Code::InternalError),
        }
        api_meters.duration.observe(times.total);
        api_meters.added.observe(times.added);
    }
    if let Outcome::Denied(denial) = &context.outcome {
        meters.token_rejected(denial);
    }
    if let Outcome::Denied(denial) = &context.outcome
        && let Cause::VerificationOverloaded(overdrawn) = denial.cause
    {
        meters.verification_refused(denial.issuer.as_ref(), overdrawn.bucket);
    }
    // A refusal is one in whatever protocol it was told: gRPC's is a 200.
    let class_of = context
        .answer
        .filter(|_| status != 0)
        .map_or(status, Code::status);
    meters.answered(api, facts.plan.map(|(index, _)| index), class_of);
    limits(session, context);
    meters.decided(
        facts.granted.map(|granted| granted.plan.security),
        context.access_duration,
    );
    if let (Some(granted), Some(took)) = (facts.granted, times.upstream) {
        meters.upstream(granted.route.upstream.index, took);
    }
    if let Some(log) = log {
        // A number or nothing, whoever wrote it.
        let grpc_status = answer
            .and_then(|answer| answer.headers.get("grpc-status"))
            .and_then(|status| status.to_str().ok()?.parse().ok());
        write(session, context, &facts, &times, (status, grpc_status), log);
    }
}

/// Counts what the limits said, and the bytes that a quota of bytes is for.
fn limits(session: &Session, context: &Context) {
    let meters = &context.live.meters;
    if let Some(granted) = context.granted() {
        let (plan, usage) = (granted.plan.index, granted.permit.usage());
        for (_, kind) in usage.admitted() {
            meters.limited(plan, kind, LimitOutcome::Admitted);
        }
        for (_, kind) in usage.reported() {
            meters.limited(plan, kind, LimitOutcome::Reported);
        }
        if usage.counts_bytes() {
            let bytes = session
                .body_bytes_read()
                .saturating_add(session.body_bytes_sent());
            usage.bytes(bytes as u64, Clock.now());
        }
    }
    if let Outcome::Denied(denial) = &context.outcome
        && let (Cause::Limit(exceeded), Some(plan)) = (&denial.cause, &denial.plan)
    {
        meters.limited(plan.index, exceeded.kind, LimitOutcome::Denied);
    }
}

/// The limit that was exceeded, whether that was a denial or was only reported.
fn exceeded(context: &Context) -> Option<(LevelName, LimitKind)> {
    match &context.outcome {
        Outcome::Permitted(permit) => permit.usage().reported().next(),
        Outcome::Denied(denial) => match &denial.cause {
            Cause::Limit(exceeded) => Some((exceeded.level, exceeded.kind)),
            _ => None,
        },
        Outcome::Undecided => None,
    }
}

// === impl Facts ===

impl<'c> Facts<'c> {
    fn of(context: &'c Context) -> Self {
        match &context.outcome {
            Outcome::Undecided => Self {
                outcome: Code::InternalError.word(),
                reason: None,
                api: None,
                plan: None,
                issuer: None,
                application: None,
                identity: None,
                granted: None,
            },
            Outcome::Permitted(permit) => {
                let granted = context.granted();
                let caller = permit.caller();
                let identity = caller.and_then(Caller::identity).map(AsRef::as_ref);
                Self {
                    outcome: "permit",
                    reason: context.failure.map(Code::word),
                    api: granted.map(|granted| (granted.api.index, granted.api.name.as_str())),
                    plan: granted.map(|granted| (granted.plan.index, granted.plan.name.as_str())),
                    issuer: identity.map(|identity| identity.issuer.as_str()),
                    application: caller
                        .and_then(|caller| caller.application.as_ref())
                        .map(|application| application.id.as_str()),
                    identity,
                    granted,
                }
            }
            Outcome::Denied(denial) => Self {
                outcome: denial.answer().code.word(),
                reason: Some(denial.reason()),
                api: denial.api.as_ref().map(|api| (api.index, api.name.as_str())),
                plan: denial.plan.as_ref().map(|plan| (plan.index, plan.name.as_str())),
                issuer: denial.issuer.as_ref().map(|issuer| issuer.as_str()),
                application: denial
                    .application
                    .as_ref()
                    .map(|application| application.as_str()),
                identity: denial.identity.as_deref(),
                granted: None,
            },
        }
    }
}

// === impl Times ===

impl Times {
    fn of(context: &Context) -> Self {
        let end = Instant::now();
        let total = end.duration_since(context.started);
        let added = match context.attempt {
            None => total,
            Some(attempt) => {
                let answered = context.last_byte.or(context.first_byte).unwrap_or(end);
                attempt.duration_since(context.started) + end.saturating_duration_since(answered)
            }
        };
        let upstream = match (context.attempt, context.first_byte) {
            (Some(attempt), Some(first_byte)) => Some(first_byte.saturating_duration_since(attempt)),
            _ => None,
        };
        Self {
            total,
            added,
            upstream,
        }
    }
}

fn write(
    session: &Session,
    context: &Context,
    facts: &Facts<'_>,
    times: &Times,
    (status, grpc_status): (u16, Option<u8>),
    log: &AccessLog,
) {
    let request = session.req_header();
    let claims = claims(context, facts);
    let claims: Vec<(&str, &serde_json::Value)> = claims.iter().map(|(name, value)| (*name, value)).collect();
    let sources = api(context).into_iter();
    let sources = sources.flat_map(|api| api.plans.sources(context.now));
    let bearer = match extract(&request.headers, request.uri.query(), sources) {
        Ok(Credential::Bearer(bearer)) => Some(bearer),
        _ => None,
    };
    let digest = bearer.as_ref().map(|bearer| token_digest(&bearer.token));
    let source = bearer.and_then(|bearer| bearer.source);
    let exceeded = exceeded(context);
    let record = AccessRecord {
        time_unix_millis: u64::try_from(context.now.millis()).unwrap_or_default(),
        request_id: &context.request_id,
        client_ip: context.client.address,
        method: request.method.as_str(),
        host: request
            .headers
            .get(http::header::HOST)
            .and_then(|host| host.to_str().ok()),
        path: request.uri.path(),
        protocol: protocol(request.version),
        status,
        grpc_status,
        outcome: facts.outcome,
        reason: facts.reason,
        api: facts.api.map(|(_, name)| name),
        plan: facts.plan.map(|(_, name)| name),
        issuer: facts.issuer,
        application: facts.application,
        client_id: facts.identity.and_then(|identity| identity.client_id.as_deref()),
        subject: facts.identity.and_then(|identity| identity.subject.as_deref()),
        token_digest: digest.as_deref(),
        token_from: source.map(|source| source.kind().name()),
        limit_level: exceeded.map(|(level, _)| level.name()),
        limit_kind: exceeded.map(|(_, kind)| kind.name()),
        claims: &claims,
        bytes_in: session.body_bytes_read() as u64,
        bytes_out: session.body_bytes_sent() as u64,
        duration_us: micros(times.total),
        added_us: micros(times.added),
        upstream: facts.granted.map(|granted| granted.route.upstream.name.as_str()),
        upstream_address: context.peer.map(|(_, address)| address),
        upstream_us: times.upstream.map(micros),
    };
    let mut line = Vec::with_capacity(512);
    record.write_line(&mut line);
    // The writer takes whole lines and never blocks; what it drops it counts.
    let _ = log.writer.clone().write_all(&line);
}

/// The API that was asked for, if one was found.
fn api(context: &Context) -> Option<&Api> {
    match &context.outcome {
        Outcome::Undecided => None,
        Outcome::Permitted(_) => context.granted().map(|granted| granted.api),
        Outcome::Denied(denial) => denial.api.as_deref(),
    }
}

fn claims<'c>(context: &'c Context, facts: &Facts<'c>) -> Vec<(&'c str, serde_json::Value)> {
    let Some(identity) = facts.identity else {
        return Vec::new();
    };
    let wanted = context.live.snapshot.http.log_claims.iter();
    wanted
        .filter_map(|(name, place)| {
            let value = serde_json::to_value(identity.claim(*place)?).ok()?;
            Some((name.as_ref(), value))
        })
        .collect()
}

/// The first half of the token's SHA-256, in hexadecimal: tells tokens apart, gives none away.
fn token_digest(token: &str) -> String {
    use std::fmt::Write as _;
    let digest = digest(&SHA256, token.as_bytes());
    digest.as_ref().iter().take(DIGEST_BYTES).fold(
        String::with_capacity(2 * DIGEST_BYTES),
        |mut text, byte| {
            // Writing to a String does not fail.
            let _ = write!(text, "{byte:02x}");
            text
        },
    )
}

fn protocol(version: http::Version) -> &'static str {
    match version {
        http::Version::HTTP_09 | http::Version::HTTP_10 => "HTTP/1.0",
        http::Version::HTTP_11 => "HTTP/1.1",
        http::Version::HTTP_2 => "HTTP/2",
        _ => "HTTP/3",
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
