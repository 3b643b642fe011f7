//! `[server]`, listeners, metrics and access log: how HTTP is spoken (which a reload may change) and what the process
//! is made of (which only a restart can).

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr as _;
use std::time::Duration;

use http::HeaderName;
use ipnet::IpNet;

use super::admin::{self, AdminSettings};
use super::token_service::TokenListener;
use super::{Inputs, KeptClaims, Names, Written, mistake};
use crate::api::canonical_header;
use crate::config::{self, DuplicateSlashes, Located, Mistake, Mistakes, Place};
use crate::route::PathPolicy;

/// Fields that no caller's request takes upstream, in whatever spelling: those that the gateway sets itself or that
/// speak of the connection to it, and those that would have the upstream do another method or path than the one
/// that was authorised.
const OWN_HEADERS: [&str; 8] = [
    "x-real-ip",
    "forwarded",
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
    "x-original-url",
    "x-original-host",
    "x-rewrite-url",
];
/// Of these, too, whatever follows.
const OWN_PREFIX: &str = "x-forwarded-";

/// The field of the request id, where nothing else is said.
const REQUEST_ID: &str = "x-request-id";

/// How HTTP is spoken.
#[derive(Debug)]
pub struct HttpSettings {
    /// What odd paths mean.
    pub path_policy: PathPolicy,
    /// Whose `X-Forwarded-*` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The field that carries the request id.
    pub request_id_header: HeaderName,
    /// Callers learn the precise reason of a refusal.
    pub verbose_errors: bool,
    /// All header fields of a request together, in bytes.
    pub header_bytes_max: usize,
    /// Header fields of a request.
    pub headers_max: usize,
    /// Path and query, in bytes.
    pub target_bytes_max: usize,
    /// A request body, in bytes, where an API says nothing else.
    pub body_bytes_max: u64,
    /// Between two requests of a connection.
    pub idle_timeout: Duration,
    /// Between two reads from a caller.
    pub read_timeout: Duration,
    /// How long a caller may take no bytes.
    pub write_timeout: Duration,
    /// Claims for the access log: the name as written, and the place among the kept claims.
    pub log_claims: Vec<(Box<str>, usize)>,
    /// Canonical names of all fields that the gateway can set: nobody else's reach an upstream.
    own_headers: foldhash::HashSet<String>,
}

/// What only a restart can change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessSettings {
    /// Proxy workers; `None`: one per core.
    pub threads: Option<usize>,
    /// How long requests in flight may take to finish on SIGTERM.
    pub grace_period: Duration,
    /// Idle upstream connections kept per worker.
    pub upstream_connections_idle_max: usize,
    /// Verified tokens kept.
    pub token_cache_entries: usize,
    /// Where callers connect; not empty.
    pub listeners: Vec<SocketAddr>,
    /// Where Prometheus connects.
    pub metrics: Option<SocketAddr>,
    /// Where the admin API is; only together with `state`.
    pub admin: Option<AdminSettings>,
    /// Where the token service is.
    pub token_service: Option<TokenListener>,
    /// Where the store is.
    pub state: Option<std::path::PathBuf>,
    /// Where the access log goes.
    pub access_log: Option<AccessLogSettings>,
}

/// What the process listens on and writes to, as written.
pub(super) struct Edges {
    pub(super) listeners: Vec<config::Listener>,
    pub(super) metrics: Option<config::Metrics>,
    pub(super) access_log: Option<config::AccessLog>,
    pub(super) state: Option<config::State>,
    pub(super) admin: Option<config::Admin>,
    /// Compiled already, where keys are.
    pub(super) token_service: Option<(Place, TokenListener)>,
}

/// Where the access log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessLogSettings {
    /// `-`
    StandardOutput,
    /// A file, appended to.
    File(std::path::PathBuf),
}

// === impl HttpSettings ===

impl HttpSettings {
    /// Whether a field of this name is the gateway's alone, in whatever spelling.
    pub fn owns(&self, name: &str) -> bool {
        // Header maps hold names in lower case; most have no character that needs folding.
        let folded = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let owns = |name: &str| name.starts_with(OWN_PREFIX) || self.own_headers.contains(name);
        if name.bytes().all(folded) {
            owns(name)
        } else {
            owns(&canonical_header(name))
        }
    }

    /// Whether this address may say for whom it speaks.
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted_proxies
            .iter()
            .any(|network| network.contains(&address))
    }

    pub(super) fn own<'n>(&mut self, names: impl Iterator<Item = &'n HeaderName>) {
        self.own_headers
            .extend(names.map(|name| canonical_header(name.as_str())));
    }
}

pub(super) fn compile(
    server: config::Server,
    edges: Edges,
    inputs: Inputs<'_>,
    kept: &mut KeptClaims,
    warnings: &mut Vec<String>,
    mistakes: &mut Mistakes,
) -> (HttpSettings, ProcessSettings) {
    let Edges {
        listeners,
        metrics,
        access_log,
        state,
        admin,
        token_service,
    } = edges;
    let config::Server {
        threads,
        grace_period,
        request_id_header,
        trusted_proxies,
        verbose_errors,
        header_bytes_max,
        headers_max,
        target_bytes_max,
        body_bytes_max,
        idle_timeout,
        read_timeout,
        write_timeout,
        upstream_connections_idle_max,
        token_cache_entries,
        forgery_budget: _,            // in `forgery`
        forgery_budget_per_source: _, // in `forgery`
        forgery_burst: _,             // in `forgery`
        forgery_hold: _,              // in `forgery`
        duplicate_slashes,
        path_parameters,
        audience: _, // for issuers and plans
    } = server;
    let trusted_proxies = trusted_proxies
        .iter()
        .filter_map(|text| network(text, mistakes))
        .collect();
    let request_id_header = request_id(request_id_header.as_ref(), mistakes);
    let mut own_headers: foldhash::HashSet<String> =
        OWN_HEADERS.iter().map(|name| (*name).to_owned()).collect();
    own_headers.insert(canonical_header(request_id_header.as_str()));
    let (access_log, log_claims) = log(access_log, kept);
    let http = HttpSettings {
        path_policy: PathPolicy {
            merge_slashes: duplicate_slashes == DuplicateSlashes::Merge,
            strip_parameters: path_parameters == config::PathParameters::Strip,
        },
        trusted_proxies,
        request_id_header,
        verbose_errors,
        header_bytes_max,
        headers_max,
        target_bytes_max,
        body_bytes_max,
        idle_timeout,
        read_timeout,
        write_timeout,
        log_claims,
        own_headers,
    };
    let process = ProcessSettings {
        threads: threads.map(|threads| threads.value),
        grace_period,
        upstream_connections_idle_max,
        token_cache_entries,
        listeners: addresses(
            listeners,
            metrics.as_ref(),
            admin.as_ref(),
            token_service.as_ref(),
            mistakes,
        ),
        metrics: metrics.map(|metrics| metrics.address.value),
        admin: admin.and_then(|admin| admin::compile(admin, state.as_ref(), inputs, warnings, mistakes)),
        token_service: token_service.map(|(_, listener)| listener),
        state: state.map(|config::State { kind, path }| match kind {
            config::StateKind::Embedded => path.value,
        }),
        access_log,
    };
    (http, process)
}

fn network(text: &Located<String>, mistakes: &mut Mistakes) -> Option<IpNet> {
    let parsed = IpNet::from_str(&text.value).or_else(|_| IpAddr::from_str(&text.value).map(IpNet::from));
    if parsed.is_err() {
        mistakes.push(mistake(
            text,
            "the network",
            "is none; write it as `10.0.0.0/8` or `::1`",
        ));
    }
    parsed.ok()
}

/// The default that is decided here.
pub(super) fn fill(written: &mut Written) {
    written.fill("request_id_header", &REQUEST_ID.into());
}

fn request_id(name: Option<&Located<String>>, mistakes: &mut Mistakes) -> HeaderName {
    let default = HeaderName::from_static(REQUEST_ID);
    let Some(name) = name else { return default };
    match super::headers::header_name(name) {
        Ok(name) => name,
        Err(error) => {
            mistakes.push(error);
            default
        }
    }
}

fn addresses(
    listeners: Vec<config::Listener>,
    metrics: Option<&config::Metrics>,
    admin: Option<&config::Admin>,
    token_service: Option<&(Place, TokenListener)>,
    mistakes: &mut Mistakes,
) -> Vec<SocketAddr> {
    let mut names = Names::default();
    let mut addresses = Vec::new();
    let mut claim = |address: &Located<SocketAddr>, mistakes: &mut Mistakes| {
        // Any number of listeners may ask for a port of the system's choice.
        let free = address.value.port() == 0;
        free || names.claim(
            "the address",
            &address.value.to_string(),
            &address.place,
            mistakes,
        )
    };
    for config::Listener { address } in listeners {
        if claim(&address, mistakes) {
            addresses.push(address.value);
        }
    }
    if let Some(config::Metrics { address }) = metrics {
        claim(address, mistakes);
    }
    if let Some(admin) = admin {
        claim(&admin.address, mistakes);
    }
    if let Some((place, listener)) = token_service {
        let (place, value) = (place.clone(), listener.address);
        claim(&Located { place, value }, mistakes);
    }
    addresses
}

fn log(
    access_log: Option<config::AccessLog>,
    kept: &mut KeptClaims,
) -> (Option<AccessLogSettings>, Vec<(Box<str>, usize)>) {
    let Some(config::AccessLog { path, claims }) = access_log else {
        return (None, Vec::new());
    };
    let settings = match path.value.as_str() {
        "-" => AccessLogSettings::StandardOutput,
        file => AccessLogSettings::File(file.into()),
    };
    let claims = claims
        .into_iter()
        .map(|claim| (claim.value.as_str().into(), kept.place(&claim.value)))
        .collect();
    (Some(settings), claims)
}

/// A configuration without a listener serves nobody; said once, at the top of the main file.
pub(super) fn no_listener(file: &std::path::Path) -> Mistake {
    let place = Place {
        file: file.into(),
        line: 1,
        column: 1,
        text: "".into(),
        width: 1,
    };
    Mistake::new(place, "there is no [[listener]]").help("add one: [[listener]] address = \"127.0.0.1:8080\"")
}
