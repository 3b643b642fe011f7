//! Every metric there is: its name, its labels, its help, and for a histogram its buckets with their reason.
//!
//! Dashboards and alerts are written against these constants, so a name or a label is changed with the care of an
//! interface; `docs/metrics.md` is generated from them. Base units throughout, as Prometheus asks. A label's values are
//! configured names or closed sets; the one exception is `kid`, which comes from the key set of a configured issuer,
//! and no label ever comes from a request.

mod revocations;

use std::time::Duration;

pub use revocations::{REVOCATION_LIST_AGE, REVOCATION_LIST_ENTRIES, REVOCATION_LIST_REFRESHES, REVOCATIONS};

use super::histogram::{Buckets, Histogram};
use super::instrument::{Counter, Gauge, Instrument, Level};

/// A metric of kind `M` with `N` labels.
#[derive(Debug)]
pub struct Named<M: Instrument, const N: usize> {
    /// With its unit and, for a counter, `_total`.
    pub name: &'static str,
    /// One sentence.
    pub help: &'static str,
    /// In the order in which a child's values are given.
    pub labels: [&'static str; N],
    /// A histogram's buckets.
    pub settings: M::Settings,
}

/// A metric as the documentation shows it.
#[derive(Debug, Clone, Copy)]
pub struct Description {
    /// With its unit.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// In the order in which they are exposed.
    pub labels: &'static [&'static str],
    /// One sentence.
    pub help: &'static str,
}

// === requests ===

/// Every request once, when it is finished.
pub const REQUESTS: Named<Counter, 3> = Named::counter(
    "tollgate_requests_total",
    "Requests answered, by the class of the status that the caller saw, or would have seen instead of gRPC's 200.",
    ["api", "plan", "status_class"],
);

/// Every request once, when it is decided.
pub const DECISIONS: Named<Counter, 2> = Named::counter(
    "tollgate_decisions_total",
    "Decisions of the access phase: permit, or the code of the denial.",
    ["api", "outcome"],
);

/// The detail behind the denials that concern a token; the caller is not told as much.
pub const TOKEN_REJECTIONS: Named<Counter, 2> = Named::counter(
    "tollgate_token_rejections_total",
    "Tokens refused, by the reason that the access log gives.",
    ["issuer", "reason"],
);

/// From the request's header to the last byte of the answer, the upstream's time included.
///
/// This is what a caller feels, from half a millisecond (an upstream on the same machine) to the minute after which
/// callers have given up: the ladder 1, 2.5, 5 of most dashboards, so that objectives such as 100 ms or 1 s are bounds
/// and need no interpolation.
pub const REQUEST_DURATION: Named<Histogram, 1> = Named::histogram(
    "tollgate_request_duration_seconds",
    "Time from the request's header to the last byte of the answer.",
    ["api"],
    Buckets::new(&[
        Duration::from_micros(500),
        Duration::from_millis(1),
        Duration::from_micros(2_500),
        Duration::from_millis(5),
        Duration::from_millis(10),
        Duration::from_millis(25),
        Duration::from_millis(50),
        Duration::from_millis(100),
        Duration::from_millis(250),
        Duration::from_millis(500),
        Duration::from_secs(1),
        Duration::from_millis(2_500),
        Duration::from_secs(5),
        Duration::from_secs(10),
        Duration::from_secs(30),
        Duration::from_secs(60),
    ]),
);

/// The access phase alone.
///
/// A token that is in the cache costs about 1 us, a signature check 15 to 50 us and every other stage a few, so the
/// buckets are dense there and tell the two apart. Above a millisecond the thread did not run; above 20 ms something
/// is plainly broken.
pub const ACCESS_DURATION: Named<Histogram, 1> = Named::histogram(
    "tollgate_access_duration_seconds",
    "Time spent deciding: token, subscription, authorization, limits.",
    ["security"],
    Buckets::new(&[
        Duration::from_micros(1),
        Duration::from_micros(2),
        Duration::from_micros(5),
        Duration::from_micros(10),
        Duration::from_micros(20),
        Duration::from_micros(50),
        Duration::from_micros(100),
        Duration::from_micros(200),
        Duration::from_micros(500),
        Duration::from_millis(2),
        Duration::from_millis(20),
    ]),
);

/// What the gateway itself adds: the whole request without the waits for the upstream.
///
/// A bare proxy hop costs about 25 us and the access phase up to 50 more. Dense from 10 to 500 us, where a change of
/// ours shows; then thinly up to a second, which means that the gateway has more work than processors.
pub const ADDED_LATENCY: Named<Histogram, 1> = Named::histogram(
    "tollgate_added_latency_seconds",
    "Time spent in the gateway, waits for the upstream excluded.",
    ["api"],
    Buckets::new(&[
        Duration::from_micros(10),
        Duration::from_micros(20),
        Duration::from_micros(50),
        Duration::from_micros(75),
        Duration::from_micros(100),
        Duration::from_micros(150),
        Duration::from_micros(200),
        Duration::from_micros(350),
        Duration::from_micros(500),
        Duration::from_millis(1),
        Duration::from_millis(2),
        Duration::from_millis(5),
        Duration::from_millis(10),
        Duration::from_millis(50),
        Duration::from_millis(250),
        Duration::from_secs(1),
    ]),
);

/// Requests between header and last byte.
pub const IN_FLIGHT_REQUESTS: Named<Level, 0> =
    Named::level("tollgate_in_flight_requests", "Requests being answered now.", []);

// === upstreams ===

/// From the connection's choice to the first byte of the upstream's answer.
///
/// From 200 us, below which no upstream on a network answers, to the read timeout of 30 s that is the default, and one
/// bound above it for those who allow more.
pub const UPSTREAM_DURATION: Named<Histogram, 1> = Named::histogram(
    "tollgate_upstream_duration_seconds",
    "Time until the first byte of the upstream's answer.",
    ["upstream"],
    Buckets::new(&[
        Duration::from_micros(200),
        Duration::from_micros(500),
        Duration::from_millis(1),
        Duration::from_micros(2_500),
        Duration::from_millis(5),
        Duration::from_millis(10),
        Duration::from_millis(25),
        Duration::from_millis(50),
        Duration::from_millis(100),
        Duration::from_millis(250),
        Duration::from_millis(500),
        Duration::from_secs(1),
        Duration::from_millis(2_500),
        Duration::from_secs(5),
        Duration::from_secs(10),
        Duration::from_secs(30),
        Duration::from_secs(60),
    ]),
);

/// Nothing checks the health of peers in this version, so it is the number of those configured.
pub const UPSTREAM_PEERS_HEALTHY: Named<Gauge, 1> = Named::gauge(
    "tollgate_upstream_peers_healthy",
    "Peers of the upstream that requests are sent to; without health checks, all of them.",
    ["upstream"],
);

// === issuers ===

/// Signature checks alone; what the cache answers is not in it.
///
/// One check costs about 15 us (RS256), 37 us (EdDSA) and 49 us (ES256), up to twice that when the processor is busy:
/// dense around these, so that a slow algorithm and a slow machine look different. Above 1 ms the thread did not run.
pub const TOKEN_VERIFY: Named<Histogram, 2> = Named::histogram(
    "tollgate_token_verify_seconds",
    "Time of one signature check.",
    ["issuer", "algorithm"],
    Buckets::new(&[
        Duration::from_micros(10),
        Duration::from_micros(15),
        Duration::from_micros(20),
        Duration::from_micros(30),
        Duration::from_micros(40),
        Duration::from_micros(50),
        Duration::from_micros(75),
        Duration::from_micros(100),
        Duration::from_micros(150),
        Duration::from_micros(250),
        Duration::from_micros(500),
        Duration::from_millis(1),
        Duration::from_millis(5),
    ]),
);

/// Alert on this rising: somebody sends bad tokens by the thousand. `bucket` is what was spent: the `issuer`'s budget, or
/// that of the `source`, the caller's network. Where the token was not even read, the issuer is `-`.
pub const VERIFICATIONS_REFUSED: Named<Counter, 2> = Named::counter(
    "tollgate_verifications_refused_total",
    "Tokens that were not verified because the forgery budget was spent, by whose budget it was.",
    ["issuer", "bucket"],
);

/// Divided by 10^9 and by time: the share of one core that goes into bad tokens, the one that `forgery_budget` limits.
pub const FORGERY_NANOSECONDS: Named<Counter, 1> = Named::counter(
    "tollgate_forgery_nanoseconds_total",
    "Nominal CPU time of signature checks whose token was refused, in nanoseconds.",
    ["issuer"],
);

/// Questions about opaque tokens. `result` is `active`, `inactive`, or why there was no answer; alert on anything else than
/// these two: callers get 503.
pub const INTROSPECTIONS: Named<Counter, 2> = Named::counter(
    "tollgate_introspections_total",
    "Questions to the issuer about opaque tokens, by what came of them.",
    ["issuer", "result"],
);

/// From the moment at which a token has to be asked about, the wait for its turn included.
///
/// A server on the same network answers in a few milliseconds, one elsewhere in a hundred; the default `timeout` is 2 s,
/// the longest 30.
pub const INTROSPECTION_DURATION: Named<Histogram, 1> = Named::histogram(
    "tollgate_introspection_seconds",
    "Time of one question to the issuer about an opaque token.",
    ["issuer"],
    Buckets::new(&[
        Duration::from_millis(1),
        Duration::from_micros(2_500),
        Duration::from_millis(5),
        Duration::from_millis(10),
        Duration::from_millis(25),
        Duration::from_millis(50),
        Duration::from_millis(100),
        Duration::from_millis(250),
        Duration::from_millis(500),
        Duration::from_secs(1),
        Duration::from_secs(2),
        Duration::from_secs(5),
        Duration::from_secs(30),
    ]),
);

/// At most 2048 `active` ones and 4096 `inactive` ones.
pub const INTROSPECTION_ANSWERS: Named<Gauge, 2> = Named::gauge(
    "tollgate_introspection_answers",
    "Answers about opaque tokens that are kept, those that have run out included.",
    ["issuer", "state"],
);

/// Fetches of a key set, whatever asked for them.
pub const JWKS_REFRESHES: Named<Counter, 2> = Named::counter(
    "tollgate_jwks_refreshes_total",
    "Attempts to fetch the issuer's key set, by result.",
    ["issuer", "result"],
);

/// Alert on this before `stale_after` is reached: from then on the issuer's tokens are refused.
pub const JWKS_AGE: Named<Gauge, 1> = Named::gauge(
    "tollgate_jwks_age_seconds",
    "Time since the issuer's key set was last fetched with success.",
    ["issuer"],
);

/// Zero means that the issuer's tokens are answered with 503.
pub const JWKS_KEYS: Named<Gauge, 1> = Named::gauge(
    "tollgate_jwks_keys",
    "Usable keys in the issuer's key set.",
    ["issuer"],
);

/// Alert on this: the last good keys serve until `stale_after`, and somebody must look.
pub const JWKS_QUARANTINED: Named<Gauge, 1> = Named::gauge(
    "tollgate_jwks_quarantined",
    "1 while the issuer shows a key set that looks hijacked and is not used, else 0.",
    ["issuer"],
);

/// Tells whether an old key may be withdrawn.
pub const KEY_LAST_USED: Named<Gauge, 2> = Named::gauge(
    "tollgate_key_last_used_timestamp_seconds",
    "Unix time at which the key last verified a token.",
    ["issuer", "kid"],
);

// === limits ===

/// Each request once for each kind of limit that it came by. `kind` is `rate`, `spike_arrest`, `quota`, `bandwidth` or
/// `concurrency`; `outcome` is `admitted`, `denied`, or `reported` where `on_exceed` lets pass what exceeds.
pub const LIMIT_DECISIONS: Named<Counter, 4> = Named::counter(
    "tollgate_limit_decisions_total",
    "Requests that came by a limit, by its kind and what became of them.",
    ["api", "plan", "kind", "outcome"],
);

/// Rises where strangers come from more addresses, or show more values of a claim, than there are places: whoever is
/// forgotten begins with a full limit.
pub const LIMIT_KEYS_FORGOTTEN: Named<Counter, 0> = Named::counter(
    "tollgate_limit_keys_forgotten_total",
    "Addresses and values of claims whose count was forgotten to make room for another.",
    [],
);

/// Somebody holds connections open to be forgotten: a limit on `concurrency` helps.
pub const LIMIT_UNCOUNTED: Named<Counter, 0> = Named::counter(
    "tollgate_limit_uncounted_requests_total",
    "Requests that were not counted because requests in flight held all places that their address or claim could have.",
    [],
);

/// Alert when it falls behind by a minute: what was counted since then would be lost by a restart. 0 without a store.
pub const COUNTS_KEPT: Named<Gauge, 0> = Named::gauge(
    "tollgate_counts_kept_timestamp_seconds",
    "Unix time up to which all that was counted of quotas is in the store.",
    [],
);

// === the cache of verified tokens ===

/// Together with misses and stale entries: every bearer token that was looked at.
pub const TOKEN_CACHE_HITS: Named<Counter, 0> = Named::counter(
    "tollgate_token_cache_hits_total",
    "Tokens that were verified before and are still as good.",
    [],
);

/// Forged and malformed tokens are among them: they never get in.
pub const TOKEN_CACHE_MISSES: Named<Counter, 0> = Named::counter(
    "tollgate_token_cache_misses_total",
    "Tokens that were not verified before, or not lately.",
    [],
);

/// Rises after a rotation or a reload, once for each token.
pub const TOKEN_CACHE_STALE: Named<Counter, 0> = Named::counter(
    "tollgate_token_cache_stale_total",
    "Tokens that were verified before, under terms or with a key that changed since.",
    [],
);

/// A steady rise with a full cache: more tokens are in use than fit.
pub const TOKEN_CACHE_EVICTIONS: Named<Counter, 0> = Named::counter(
    "tollgate_token_cache_evictions_total",
    "Verified tokens that made room for others.",
    [],
);

/// At most what `server.token_cache_entries` allows, rounded up to a power of two.
pub const TOKEN_CACHE_ENTRIES: Named<Gauge, 0> = Named::gauge(
    "tollgate_token_cache_entries",
    "Verified tokens that are kept, those that have run out included.",
    [],
);

// === configuration and state ===

/// A rejected reload leaves the running configuration in place.
pub const CONFIG_RELOADS: Named<Counter, 1> = Named::counter(
    "tollgate_config_reloads_total",
    "Attempts to load the configuration, by result.",
    ["result"],
);

/// The same number as in the log and in `/status`.
pub const CONFIG_GENERATION: Named<Gauge, 0> = Named::gauge(
    "tollgate_config_generation",
    "Generation of the running configuration.",
    [],
);

/// Older than the last change of the files: that change was rejected.
pub const CONFIG_LAST_SUCCESS: Named<Gauge, 0> = Named::gauge(
    "tollgate_config_last_success_timestamp_seconds",
    "Unix time at which a configuration was last applied.",
    [],
);

/// All of them, whatever their status.
pub const SUBSCRIPTIONS: Named<Gauge, 0> =
    Named::gauge("tollgate_subscriptions", "Subscriptions in the index.", []);

/// All of them.
pub const APPLICATIONS: Named<Gauge, 0> =
    Named::gauge("tollgate_applications", "Applications in the index.", []);

/// Alert on `unauthorized` and `handshake_failed`: somebody tries what they do not have.
pub const ADMIN_SIGN_INS: Named<Counter, 1> = Named::counter(
    "tollgate_admin_sign_ins_total",
    "Requests and failed TLS handshakes at the admin API's door, by how far they got.",
    ["outcome"],
);

/// Alert on `invalid_client` and `too_many_attempts`: somebody guesses. `result` is `ok`, or the answer's `error` or `code`.
pub const TOKEN_REQUESTS: Named<Counter, 2> = Named::counter(
    "tollgate_token_service_requests_total",
    "Requests to the token service, by endpoint and what became of them; with endpoint `-`, failed TLS handshakes.",
    ["endpoint", "result"],
);

/// Requests are decided without the store; changes are refused with 503 meanwhile.
pub const STORE_FAILING: Named<Gauge, 0> = Named::gauge(
    "tollgate_store_failing",
    "1 while the last attempt to read or to write the store has failed, else 0.",
    [],
);

/// `operation` is `read` or `write`; what failed is in the log.
pub const STORE_FAILURES: Named<Counter, 1> = Named::counter(
    "tollgate_store_failures_total",
    "Attempts to read or write the store that failed.",
    ["operation"],
);

// === the gateway itself ===

/// The access log's writer fell behind, or its disk refused; the requests themselves were served.
pub const ACCESS_LOG_LINES_DROPPED: Named<Counter, 0> = Named::counter(
    "tollgate_access_log_lines_dropped_total",
    "Lines that the access log lost: its writer was behind, or could not write them.",
    [],
);

/// Above zero: some label sets of the metric share the series whose labels are all `other`.
pub const METRIC_SERIES_FOLDED: Named<Counter, 1> = Named::counter(
    "tollgate_metric_series_folded_total",
    "Label sets that were folded into `other` because the metric has too many series.",
    ["metric"],
);

/// Joins a version to other series.
pub const BUILD_INFO: Named<Gauge, 1> = Named::gauge(
    "tollgate_build_info",
    "Always 1; the label is the running version.",
    ["version"],
);

/// Every metric, in the order of the documentation.
pub const ALL: &[Description] = &[
    REQUESTS.describe(),
    DECISIONS.describe(),
    TOKEN_REJECTIONS.describe(),
    REQUEST_DURATION.describe(),
    ACCESS_DURATION.describe(),
    ADDED_LATENCY.describe(),
    IN_FLIGHT_REQUESTS.describe(),
    UPSTREAM_DURATION.describe(),
    UPSTREAM_PEERS_HEALTHY.describe(),
    TOKEN_VERIFY.describe(),
    VERIFICATIONS_REFUSED.describe(),
    FORGERY_NANOSECONDS.describe(),
    INTROSPECTIONS.describe(),
    INTROSPECTION_DURATION.describe(),
    INTROSPECTION_ANSWERS.describe(),
    JWKS_REFRESHES.describe(),
    JWKS_AGE.describe(),
    JWKS_KEYS.describe(),
    JWKS_QUARANTINED.describe(),
    KEY_LAST_USED.describe(),
    LIMIT_DECISIONS.describe(),
    LIMIT_KEYS_FORGOTTEN.describe(),
    LIMIT_UNCOUNTED.describe(),
    COUNTS_KEPT.describe(),
    REVOCATIONS.describe(),
    REVOCATION_LIST_REFRESHES.describe(),
    REVOCATION_LIST_AGE.describe(),
    REVOCATION_LIST_ENTRIES.describe(),
    TOKEN_CACHE_HITS.describe(),
    TOKEN_CACHE_MISSES.describe(),
    TOKEN_CACHE_STALE.describe(),
    TOKEN_CACHE_EVICTIONS.describe(),
    TOKEN_CACHE_ENTRIES.describe(),
    CONFIG_RELOADS.describe(),
    CONFIG_GENERATION.describe(),
    CONFIG_LAST_SUCCESS.describe(),
    SUBSCRIPTIONS.describe(),
    APPLICATIONS.describe(),
    ADMIN_SIGN_INS.describe(),
    TOKEN_REQUESTS.describe(),
    STORE_FAILING.describe(),
    STORE_FAILURES.describe(),
    ACCESS_LOG_LINES_DROPPED.describe(),
    METRIC_SERIES_FOLDED.describe(),
    BUILD_INFO.describe(),
];

/// What the prometheus crate reads from the kernel at each scrape. On Linux only.
pub const PROCESS: &[Description] = &[
    process(
        "process_cpu_seconds_total",
        Counter::KIND,
        "Total user and system CPU time spent in seconds.",
    ),
    process(
        "process_max_fds",
        Gauge::KIND,
        "Maximum number of open file descriptors.",
    ),
    process(
        "process_open_fds",
        Gauge::KIND,
        "Number of open file descriptors.",
    ),
    process(
        "process_resident_memory_bytes",
        Gauge::KIND,
        "Resident memory size in bytes.",
    ),
    process(
        "process_start_time_seconds",
        Gauge::KIND,
        "Start time of the process since unix epoch in seconds.",
    ),
    process(
        "process_threads",
        Gauge::KIND,
        "Number of OS threads in the process.",
    ),
    process(
        "process_virtual_memory_bytes",
        Gauge::KIND,
        "Virtual memory size in bytes.",
    ),
];

/// All metrics as a Markdown table, for `docs/metrics.md`.
pub fn describe() -> String {
    let mut table = String::from("| name | kind | labels | help |\n| --- | --- | --- | --- |\n");
    for Description {
        name,
        kind,
        labels,
        help,
    } in ALL.iter().chain(PROCESS)
    {
        let labels = labels
            .iter()
            .map(|label| format!("`{label}`"))
            .collect::<Vec<_>>()
            .join(", ");
        table.push_str(&format!("| `{name}` | {kind} | {labels} | {help} |\n"));
    }
    table
}

// === impl Named ===

impl<const N: usize> Named<Counter, N> {
    /// A counter; its name ends in `_total`.
    pub const fn counter(name: &'static str, help: &'static str, labels: [&'static str; N]) -> Self {
        Self {
            name,
            help,
            labels,
            settings: (),
        }
    }
}

impl<const N: usize> Named<Gauge, N> {
    /// A gauge.
    pub const fn gauge(name: &'static str, help: &'static str, labels: [&'static str; N]) -> Self {
        Self {
            name,
            help,
            labels,
            settings: (),
        }
    }
}

impl<const N: usize> Named<Level, N> {
    /// A gauge that many threads move.
    pub const fn level(name: &'static str, help: &'static str, labels: [&'static str; N]) -> Self {
        Self {
            name,
            help,
            labels,
            settings: (),
        }
    }
}

impl<const N: usize> Named<Histogram, N> {
    /// A histogram of durations; its name ends in `_seconds`.
    pub const fn histogram(
        name: &'static str,
        help: &'static str,
        labels: [&'static str; N],
        buckets: Buckets,
    ) -> Self {
        Self {
            name,
            help,
            labels,
            settings: buckets,
        }
    }
}

impl<M: Instrument, const N: usize> Named<M, N> {
    /// What the documentation says of it.
    pub const fn describe(&'static self) -> Description {
        Description {
            name: self.name,
            kind: M::KIND,
            labels: &self.labels,
            help: self.help,
        }
    }
}

const fn process(name: &'static str, kind: &'static str, help: &'static str) -> Description {
    Description {
        name,
        kind,
        labels: &[],
        help,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_conventions_of_prometheus() {
        for Description {
            name,
            kind,
            labels,
            help,
        } in ALL
        {
            assert!(name.starts_with("tollgate_"), "{name}");
            assert!(
                name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
                "{name}"
            );
            assert_eq!(name.ends_with("_total"), *kind == Counter::KIND, "{name}");
            assert!(*kind != Histogram::KIND || name.ends_with("_seconds"), "{name}");
            assert!(
                !labels
                    .iter()
                    .any(|l| ["le", "quantile", "job", "instance"].contains(l)),
                "{name}"
            );
            assert!(
                help.ends_with('.') && !help.contains(['|', '\n']),
                "{name}: one sentence, fit for a table"
            );
        }
    }

    #[test]
    fn every_name_is_there_once() {
        let mut names: Vec<_> = ALL.iter().chain(PROCESS).map(|d| d.name).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
