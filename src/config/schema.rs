//! The TOML as types: one struct a table, one field a key, in the operator's words.
//!
//! Nothing here has been judged: a plan may name an issuer that does not exist, a path may be no path. What a
//! value *means* is decided once, in [`crate::snapshot`], which takes these structs apart completely. Scalars that
//! the judge may refuse are [`Located`], so its errors point at the line that the operator wrote.

mod limits;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub use limits::{
    Bandwidth, Counters, CountersKind, FromClaims, Limits, OnExceed, Per, Period, Quota, Rate, SpikeArrest,
    Tier,
};
mod token_service;

pub use token_service::{CustomClaims, ServiceKey, TokenService, User};

use super::outline::Written;
use super::place::{Located, Place};

/// Everything the operator wrote: the main file and all that it includes.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// `[server]`
    pub server: Server,
    /// `[[listener]]`
    pub listeners: Vec<Listener>,
    /// `[metrics]`; absent: no metrics listener.
    pub metrics: Option<Metrics>,
    /// `[access_log]`; absent: no access log.
    pub access_log: Option<AccessLog>,
    /// `[state]`; absent: nothing is kept.
    pub state: Option<State>,
    /// `[admin]`; absent: no admin API.
    pub admin: Option<Admin>,
    /// `[counters]`
    pub counters: Counters,
    /// `[[tier]]`
    pub tiers: Vec<Tier>,
    /// `[token_service]`; absent: the gateway is no issuer.
    pub token_service: Option<TokenService>,
    /// `[[user]]`
    pub users: Vec<User>,
    /// `[[claim_mapping]]`: the default map of all issuers.
    pub claim_mappings: Vec<ClaimMapping>,
    /// `[keys]`
    pub keys: Keys,
    /// `[[issuer]]`
    pub issuers: Vec<Issuer>,
    /// `[[upstream]]`
    pub upstreams: Vec<Upstream>,
    /// `[[api]]`
    pub apis: Vec<Api>,
    /// `[[application]]`
    pub applications: Vec<Application>,
    /// `[[subscription]]`
    pub subscriptions: Vec<Subscription>,
    /// Every file that was read, the main file first: what a watcher must watch.
    pub files: Vec<PathBuf>,
    /// Where each table was written, in the order in which they are read: the third of one kind here is the third in
    /// the lists above, over all files.
    pub written: Vec<Written>,
}

/// `[server]`: the process and the HTTP that it accepts.
#[derive(Debug, Clone)]
pub struct Server {
    /// `threads`: proxy workers, 1..=1024; `None`: one per core.
    pub threads: Option<Located<usize>>,
    /// `grace_period`: how long requests in flight may take to finish on SIGTERM. Default 10 s, at most 1 h.
    pub grace_period: Duration,
    /// `request_id_header`: read from trusted proxies, set towards upstreams and callers. Default `X-Request-Id`.
    pub request_id_header: Option<Located<String>>,
    /// `trusted_proxies`: networks whose `X-Forwarded-*` are believed. Default none.
    pub trusted_proxies: Vec<Located<String>>,
    /// `verbose_errors`: tell callers the precise reason of a refusal. Default false.
    pub verbose_errors: bool,
    /// `header_bytes_max`: all request header fields together, 1024..=1 MiB. Default 32 KiB.
    pub header_bytes_max: usize,
    /// `headers_max`: number of request header fields, 1..=256. Default 100.
    pub headers_max: usize,
    /// `target_bytes_max`: path and query, 256..=64 KiB. Default 8 KiB.
    pub target_bytes_max: usize,
    /// `body_bytes_max`: a request body, in bytes; an API may set its own. Default 64 MiB.
    pub body_bytes_max: u64,
    /// `idle_timeout`: how long a kept-alive connection may wait for its next request, 1 s..=1 h. Default 60 s.
    pub idle_timeout: Duration,
    /// `read_timeout`: the longest pause between two reads from a caller, 1 s..=1 h. Default 30 s.
    pub read_timeout: Duration,
    /// `write_timeout`: the longest a caller may refuse to take bytes, 1 s..=1 h. Default 30 s.
    pub write_timeout: Duration,
    /// `upstream_connections_idle_max`: pooled idle upstream connections per worker, 1..=65536. Default 512.
    pub upstream_connections_idle_max: usize,
    /// `token_cache_entries`: verified tokens kept, 0 (none) to 16,777,216. Default 65,536.
    pub token_cache_entries: usize,
    /// `forgery_budget`: CPU time that may go into bad tokens of one issuer, of one core, 2 to 10,000 %. Default 25 %.
    pub forgery_budget: Option<Located<Percent>>,
    /// `forgery_budget_per_source`: the same of one network, 1 to 10,000 %. Default a fifth of `forgery_budget`.
    pub forgery_budget_per_source: Option<Located<Percent>>,
    /// `forgery_burst`: how much time's worth of these may be used at once, 100 ms..=1 min. Default 200 ms.
    pub forgery_burst: Duration,
    /// `forgery_hold`: how long an answer that the budget is spent is held back, and 401 for a forged signature to a
    /// network that sends many, 0..=10 s. Default 1 s.
    pub forgery_hold: Duration,
    /// `duplicate_slashes`: what `//` in a path means. Default refuse.
    pub duplicate_slashes: DuplicateSlashes,
    /// `path_parameters`: what `;x=y` in a path segment means. Default refuse.
    pub path_parameters: PathParameters,
    /// `audience`: the gateway's own, for `audience_from = ["gateway"]`. Default none.
    pub audience: Option<Located<String>>,
}

/// A share in hundredths, or `"off"`: no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Percent {
    /// So many hundredths, at least one.
    Of(u32),
    /// `"off"`
    Off,
}

/// What `//` in a path means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DuplicateSlashes {
    /// `"refuse"`: 400.
    #[default]
    Refuse,
    /// `"merge"`: routed and forwarded as one slash.
    Merge,
}

/// What `;x=y` in a path segment means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PathParameters {
    /// `"refuse"`: 400.
    #[default]
    Refuse,
    /// `"strip"`: routed and forwarded without them.
    Strip,
}

/// `[[listener]]`: where callers connect.
#[derive(Debug, Clone)]
pub struct Listener {
    /// `address`, required: `ip:port`.
    pub address: Located<SocketAddr>,
}

/// `[metrics]`: where Prometheus and probes connect.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// `address`, required: `ip:port`.
    pub address: Located<SocketAddr>,
}

/// `[access_log]`: one JSON line a request.
#[derive(Debug, Clone)]
pub struct AccessLog {
    /// `path`, required: a file, or `-` for standard output.
    pub path: Located<String>,
    /// `claims`: names of local claims that go into the log line. Default none.
    pub claims: Vec<Located<String>>,
}

/// `[state]`: where that is kept which changes at run time.
#[derive(Debug, Clone)]
pub struct State {
    /// `kind`. Default embedded.
    pub kind: StateKind,
    /// `path`, required: the store's file, relative to the file that names it.
    pub path: Located<PathBuf>,
}

/// What keeps the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StateKind {
    /// `"embedded"`: a file of this gateway alone.
    #[default]
    Embedded,
}

/// `[admin]`: where the admin API is, and who may use it.
#[derive(Debug, Clone)]
pub struct Admin {
    /// Where the table is.
    pub place: Place,
    /// `address`, required: `ip:port`.
    pub address: Located<SocketAddr>,
    /// `token_file`, required: the file of the bearer token, relative to the file that names it; made if absent.
    pub token_file: Option<Located<PathBuf>>,
    /// `hosts`: further names under which it is called. Default none.
    pub hosts: Vec<Located<String>>,
    /// `tls`: certificates, in place of plain HTTP.
    pub tls: Option<ServerTls>,
    /// `danger_allow_http`: plain HTTP beyond loopback. Default false.
    pub danger_allow_http: bool,
}

/// `tls` of a listener: whom callers talk to, and whose certificates they show.
#[derive(Debug, Clone)]
pub struct ServerTls {
    /// `certificate`, required: PEM, the chain that the listener shows.
    pub certificate: Located<PathBuf>,
    /// `key`, required: PEM, its private key.
    pub key: Located<PathBuf>,
    /// `client_ca`: PEM; callers show a certificate that one of these has signed. Default: none is asked for.
    pub client_ca: Option<Located<PathBuf>>,
}

/// `[keys]`: what concerns the keys of all issuers.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    /// `approvals`: the file of approved key sets. Default: the main file's name with `.approvals` for its extension.
    pub approvals: Option<Located<PathBuf>>,
}

/// `[[issuer]]`: an authority whose tokens plans may accept.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// `name`, required: exactly the token's `iss`.
    pub name: Located<String>,
    /// `algorithms`, not empty: there is no default set. Required unless the issuer is only asked about tokens.
    pub algorithms: Option<Located<Vec<Located<String>>>>,
    /// `audiences`: a list, or `"danger-accept-any"`.
    pub audiences: Option<Located<Audiences>>,
    /// `audience_optional`: a token without `aud` is accepted. Default false.
    pub audience_optional: Option<Located<bool>>,
    /// `audience_from`: what names further audiences. Default nothing.
    pub audience_from: Vec<Located<AudienceSource>>,
    /// `discovery`: the URL of the document that says where the key set is; `jwks` then says how it is fetched.
    pub discovery: Option<Located<String>>,
    /// `jwks`: where the key set is.
    pub jwks: Option<Located<Jwks>>,
    /// `keys`: public keys by key id, `{ "kid" = { file = "key.pem" } }`.
    pub keys: Vec<IssuerKey>,
    /// `local`: the keys are those of `[token_service]`. Default false.
    pub local: Option<Located<bool>>,
    /// `secrets`: shared secrets by key id, `{ "kid" = { file = "secret.txt" } }`; for HS256, HS384 and HS512 only.
    pub secrets: Vec<IssuerSecret>,
    /// `leeway` for `exp`, `nbf`, `iat`: 0..=300 s. Default 30 s.
    pub leeway: Duration,
    /// `revocation_list`: where the issuer says which tokens it has taken back. Default nowhere.
    pub revocation_list: Option<RevocationList>,
    /// `max_lifetime`: the longest `exp - iat` accepted, at least 1 s. Default none.
    pub max_lifetime: Option<Duration>,
    /// `required_claims`. Default `sub`, `iat`, `exp`, `iss` (`None`).
    pub required_claims: Option<Vec<Located<String>>>,
    /// `scopes_claim`. Default `scope`, else `scp` (`None`).
    pub scopes_claim: Option<Located<String>>,
    /// `client_id_claims`, the first present decides. Default `azp`, `client_id`, `consumerKey` (`None`).
    pub client_id_claims: Option<Vec<Located<String>>>,
    /// `token_types`: accepted `typ` values. Default `JWT`, `at+jwt`; an absent `typ` is accepted (`None`).
    pub token_types: Option<Vec<Located<String>>>,
    /// `token_profile`. Default JWT.
    pub token_profile: TokenProfile,
    /// `use_default_claim_mapping`: `[[claim_mapping]]` goes before the issuer's own. Default true.
    pub use_default_claim_mapping: bool,
    /// `[[issuer.claim_mapping]]`
    pub claim_mappings: Vec<ClaimMapping>,
    /// `introspection`: how the issuer is asked about tokens. Default not at all.
    pub introspection: Option<Located<Introspection>>,
}

/// `issuer.introspection`: RFC 7662.
#[derive(Debug, Clone)]
pub struct Introspection {
    /// `url`, required: `https:`, or `http:` to a loopback address.
    pub url: Located<String>,
    /// `client_id`, required: the gateway's at the issuer.
    pub client_id: Located<String>,
    /// `client_secret_file` or `client_secret_env`, exactly one.
    pub secret: ClientSecret,
    /// `client_auth`. Default basic.
    pub auth: IntrospectionAuth,
    /// `required_claims`: what an answer must have. Default nothing.
    pub required_claims: Vec<Located<String>>,
    /// `cache_ttl`: how long an answer counts that a token is active, 1 s..=1 h. Default 60 s.
    pub cache_ttl: Duration,
    /// `negative_ttl`: how long an answer counts that it is not, 1 s..=5 min. Default 5 s.
    pub negative_ttl: Duration,
    /// `timeout`: how long a request waits for an answer, 10 ms..=30 s. Default 2 s.
    pub timeout: Duration,
    /// `concurrency`: questions that are open at one time, 1..=1024. Default 64.
    pub concurrency: usize,
    /// `danger_allow_http`: plain HTTP to hosts other than loopback. Default false.
    pub danger_allow_http: bool,
    /// `ca_file`: certificates in PEM, believed in place of the public authorities'. Default none.
    pub ca_file: Option<Located<PathBuf>>,
    /// `proxy`: `http://host:port`. Default none.
    pub proxy: Option<Located<String>>,
}

/// Where a client secret is.
#[derive(Debug, Clone)]
pub enum ClientSecret {
    /// In a file, without line breaks at its end; already resolved against the file that names it.
    File(Located<PathBuf>),
    /// In a variable of the environment, by its name.
    Variable(Located<String>),
}

/// How a client shows its secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IntrospectionAuth {
    /// `"basic"`: in `Authorization`.
    #[default]
    Basic,
    /// `"post"`: in the body.
    Post,
}

/// What an issuer's tokens promise to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TokenProfile {
    /// `"jwt"`: what the issuer's other keys say.
    #[default]
    Jwt,
    /// `"rfc9068"`: access tokens as in RFC 9068 section 2.
    Rfc9068,
}

/// What names audiences besides `audiences`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AudienceSource {
    /// `"gateway"`: `server.audience`.
    Gateway,
    /// `"application"`: the caller's application, by its `audience` or else its `id`.
    Application,
    /// `"request_uri"`: `api.public_uri`.
    RequestUri,
}

/// The audiences that an issuer or plan accepts.
#[derive(Debug, Clone)]
pub enum Audiences {
    /// `"danger-accept-any"`
    DangerAcceptAny,
    /// A list, not empty.
    AnyOf(Vec<Located<String>>),
}

/// `issuer.jwks`: exactly one of `url` and `file`; neither beside `discovery`.
#[derive(Debug, Clone)]
pub struct Jwks {
    /// `url`: `https:`, or `http:` to a loopback address.
    pub url: Option<Located<String>>,
    /// `file`: relative to the file that names it; already resolved against it here.
    pub file: Option<Located<PathBuf>>,
    /// `refresh_interval`: 1 s..=24 h, but fetched at least twice within `stale_after`. Default 5 min.
    pub refresh_interval: Duration,
    /// `cooldown`: the least time between two fetches for the sake of unknown key ids, 1 s..=1 h. Default 10 s.
    pub cooldown: Duration,
    /// `wait`: how long a request with an unknown key id may wait for a fetch, 0 s..=10 s. Default 2 s.
    pub wait: Duration,
    /// `stale_after`: how long the last good keys serve when refreshes fail, at least `refresh_interval`,
    /// at most 30 days. Default 24 h.
    pub stale_after: Duration,
    /// `danger_allow_http`: plain HTTP to hosts other than loopback. Default false.
    pub danger_allow_http: bool,
    /// `follow_redirects`: up to three, each to an address that could stand in `url`. Default false.
    pub follow_redirects: bool,
    /// `ca_file`: certificates in PEM, believed in place of the public authorities'. Default none.
    pub ca_file: Option<Located<PathBuf>>,
    /// `proxy`: `http://host:port`. Default none.
    pub proxy: Option<Located<String>>,
    /// `allow_full_replacement`: a key set may come in that shares no key with the present one. Default false.
    pub allow_full_replacement: bool,
}

/// `issuer.revocation_list`
#[derive(Debug, Clone)]
pub struct RevocationList {
    /// `url`, required: `https:`, or `http:` to a loopback address.
    pub url: Located<String>,
    /// `format`. Default JSON.
    pub format: ListFormat,
    /// `refresh_interval`: 1 s..=1 h. Default 30 s.
    pub refresh_interval: Duration,
    /// `fail`, required, and `closed_after`.
    pub fail: ListFail,
    /// `danger_allow_http`: plain HTTP to hosts other than loopback. Default false.
    pub danger_allow_http: bool,
    /// `follow_redirects`: up to three, each to an address that could stand in `url`. Default false.
    pub follow_redirects: bool,
    /// `ca_file`: certificates in PEM, believed in place of the public authorities'. Default none.
    pub ca_file: Option<Located<PathBuf>>,
    /// `proxy`: `http://host:port`. Default none.
    pub proxy: Option<Located<String>>,
}

/// How a revocation list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ListFormat {
    /// `"json"`: an object with `revocations`.
    #[default]
    Json,
    /// `"lines"`: a `jti` on each.
    Lines,
}

/// What becomes of tokens when their issuer's revocation list is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListFail {
    /// `"open"`: they are judged by the last list, however old, or by none.
    Open,
    /// `"closed"`: they are refused as soon as a refresh is overdue.
    Closed,
    /// `"closed_after"`: the last list counts for so long, 1 s..=30 days, at least `refresh_interval`.
    ClosedAfter(Duration),
}

/// One entry of `issuer.keys`.
#[derive(Debug, Clone)]
pub struct IssuerKey {
    /// The table's key: the `kid`.
    pub kid: Located<String>,
    /// `file`, required: a public key or certificate in PEM, or an `ssh-rsa` line; already resolved against the file that names it.
    pub file: Located<PathBuf>,
}

/// One entry of `issuer.secrets`.
#[derive(Debug, Clone)]
pub struct IssuerSecret {
    /// The table's key: the `kid`.
    pub kid: Located<String>,
    /// `file`, required; already resolved against the file that names it.
    pub file: Located<PathBuf>,
    /// `encoding`: how the secret is written there. Default text.
    pub encoding: SecretEncoding,
}

/// How a shared secret is written in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SecretEncoding {
    /// `"text"`: the bytes themselves, without line breaks at their end.
    #[default]
    Text,
    /// `"base64"`, with padding.
    Base64,
    /// `"base64url"`, without padding.
    Base64Url,
    /// `"hex"`
    Hex,
}

/// `[[claim_mapping]]` and `[[issuer.claim_mapping]]`
#[derive(Debug, Clone)]
pub struct ClaimMapping {
    /// `remote_claim`, required: the issuer's name for it.
    pub remote_claim: Located<String>,
    /// `local_claim`, required: ours.
    pub local_claim: Located<String>,
    /// `regex`: the claim becomes what its one capture group, or the one named `value`, captures. Default none.
    pub regex: Option<Located<String>>,
    /// `split`: a text becomes a list at this separator. Default none.
    pub split: Option<Located<String>>,
    /// `lowercase`: ASCII letters become small. Default false.
    pub lowercase: bool,
    /// `prefix`: put before each text. Default none.
    pub prefix: Option<Located<String>>,
    /// `join`: a list becomes a text with this separator. Default none.
    pub join: Option<Located<String>>,
    /// `default`: the value where the remote claim is absent. Default none.
    pub default: Option<Located<ClaimDefault>>,
}

/// `default` of a claim mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimDefault {
    /// A string.
    Text(String),
    /// An integer.
    Integer(i64),
    /// A boolean.
    Boolean(bool),
    /// An array of strings.
    Texts(Vec<String>),
}

/// `[[upstream]]`: a named group of peers.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// `name`, required.
    pub name: Located<String>,
    /// `peers`, required, not empty: `"ip:port"` or `{ address = "ip:port", weight = 2 }`.
    pub peers: Located<Vec<Peer>>,
    /// `balance`. Default round robin.
    pub balance: Balance,
    /// `connect_timeout`: 1 ms..=1 min. Default 1 s.
    pub connect_timeout: Duration,
    /// `read_timeout`: the longest pause between two reads, 1 ms..=1 h. Default 30 s.
    pub read_timeout: Duration,
    /// `write_timeout`: the longest a write may block, 1 ms..=1 h. Default 30 s.
    pub write_timeout: Duration,
    /// `idle_timeout`: how long a pooled connection is kept, 1 s..=1 h. Default 60 s.
    pub idle_timeout: Duration,
    /// `retries`: further peers tried when a connection cannot be made, 0..=10. Default 1.
    pub retries: usize,
}

/// One peer of an upstream.
#[derive(Debug, Clone)]
pub struct Peer {
    /// `address`, required: `ip:port`.
    pub address: Located<SocketAddr>,
    /// `weight`: 1..=1000. Default 1.
    pub weight: u32,
}

/// How an upstream's peers take turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Balance {
    /// `"round_robin"`, by weight.
    #[default]
    RoundRobin,
}

/// `[[api]]`: what is published.
#[derive(Debug, Clone)]
pub struct Api {
    /// `name`, required.
    pub name: Located<String>,
    /// `version`: for people. Default none.
    pub version: Option<Located<String>>,
    /// `hosts`: exact names or `*.example.com`. Default every host.
    pub hosts: Vec<Located<String>>,
    /// `context_path`, required: matched at segment borders.
    pub context_path: Located<String>,
    /// `public_uri`: how callers name the API, for `audience_from = ["request_uri"]`. Default none.
    pub public_uri: Option<Located<String>>,
    /// `strip_context_path`. Default false.
    pub strip_context_path: bool,
    /// `upstream`, required: its name.
    pub upstream: Located<String>,
    /// `claim_headers`: header name to local claim, in the order written.
    pub claim_headers: Vec<(Located<String>, Located<String>)>,
    /// `claim_header_separator`: between the members of an array. Default `,`.
    pub claim_header_separator: Option<Located<String>>,
    /// `claim_header_encoding`: what happens to bytes that a header cannot carry. Default percent.
    pub claim_header_encoding: HeaderEncoding,
    /// `forward_credential`: leave the credential in the request to the upstream. Default false.
    pub forward_credential: bool,
    /// `body_bytes_max`: for this API. Default the server's.
    pub body_bytes_max: Option<u64>,
    /// Of all its callers together.
    pub limits: Limits,
    /// `[[api.plan]]`
    pub plans: Vec<Plan>,
    /// `[[api.route]]`; none: everything under the context path goes to the plans.
    pub routes: Vec<Route>,
}

/// What happens to claim bytes that a header field cannot carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HeaderEncoding {
    /// `"percent"`: they are percent-encoded, and so is `%`.
    #[default]
    Percent,
    /// `"refuse"`: the request is refused.
    Refuse,
}

/// `[[api.plan]]`: the terms under which the API may be called.
#[derive(Debug, Clone)]
pub struct Plan {
    /// `name`, required.
    pub name: Located<String>,
    /// `security`, required.
    pub security: Located<Security>,
    /// `issuers`: names; required for `jwt` and `oauth2`.
    pub issuers: Vec<Located<String>>,
    /// `token_from`: where tokens may be besides `Authorization`. Default nowhere.
    pub token_from: Option<Located<TokenFrom>>,
    /// `api_key`: where API keys are. Default the header `X-Api-Key`.
    pub api_key: Option<Located<ApiKey>>,
    /// `audiences`: for this plan, instead of all that the issuer says of audiences.
    pub audiences: Option<Located<Audiences>>,
    /// `audience_from`: what names further audiences. Default nothing.
    pub audience_from: Vec<Located<AudienceSource>>,
    /// `stage`: where the plan is until the first date. Default staging with `publish_at`, else published.
    pub stage: Option<Located<Stage>>,
    /// `publish_at`, in Unix milliseconds.
    pub publish_at: Option<Located<i64>>,
    /// `deprecate_at`, in Unix milliseconds.
    pub deprecate_at: Option<Located<i64>>,
    /// `close_at`, in Unix milliseconds.
    pub close_at: Option<Located<i64>>,
    /// `validation`: how subscriptions come to life. Default auto.
    pub validation: Validation,
    /// `subscription_validation`: callers need a subscription. Default true.
    pub subscription_validation: Option<Located<bool>>,
    /// `selection_rule`: which requests the plan is for. Default every one.
    pub selection_rule: Option<Located<String>>,
    /// `resources`: what callers may reach. Default everything that the API publishes.
    pub resources: Resources,
    /// `claims`: what callers must have. Default nothing.
    pub claims: Vec<RequiredClaim>,
    /// Of each subscription; of each client address, where the plan is keyless.
    pub limits: Limits,
}

/// `api.plan.resources`: paths below the context path, at least one list.
#[derive(Debug, Clone, Default)]
pub struct Resources {
    /// `allow`, not empty: nothing else may be reached. Default everything.
    pub allow: Option<Vec<Resource>>,
    /// `deny`, not empty: may not be reached. Default nothing.
    pub deny: Option<Vec<Resource>>,
}

/// One entry of `allow` or `deny`.
#[derive(Debug, Clone)]
pub struct Resource {
    /// `path`, required: a pattern as a route's.
    pub path: Located<String>,
    /// `methods`. Default every method.
    pub methods: Vec<Located<String>>,
}

/// One entry of `claims`: a claim and the values of which it must have one.
#[derive(Debug, Clone)]
pub struct RequiredClaim {
    /// The table's key: a local claim.
    pub name: Located<String>,
    /// A value or a list of them, not empty.
    pub any_of: Vec<Located<ClaimValue>>,
}

/// A value that a claim may be compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimValue {
    /// A string.
    Text(String),
    /// An integer.
    Integer(i64),
    /// A boolean.
    Boolean(bool),
}

/// `api.plan.token_from`: at least one of these.
#[derive(Debug, Clone)]
pub struct TokenFrom {
    /// `header`: the name of a field that holds the token, with or without `Bearer` before it.
    pub header: Option<Located<String>>,
    /// `cookie`: the name of a cookie.
    pub cookie: Option<Located<String>>,
    /// `query`: the name of a parameter.
    pub query: Option<Located<String>>,
}

/// A member of `application.claim_sets`: local claims, each with its value.
pub type ClaimSet = Vec<(Located<String>, Located<String>)>;

/// `api_key` of `[[api.plan]]`: where API keys are.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// `header`: the name of a field. Default `X-Api-Key`.
    pub header: Option<Located<String>>,
    /// `query`: the name of a parameter. Default nowhere.
    pub query: Option<Located<String>>,
}

/// The kind of credential that a plan asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// `"jwt"`
    Jwt,
    /// `"oauth2"`
    OAuth2,
    /// `"api_key"`
    ApiKey,
    /// `"keyless"`
    Keyless,
}

/// Where a plan is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// `"staging"`: invisible, unusable.
    Staging,
    /// `"published"`
    Published,
    /// `"deprecated"`: existing subscriptions work.
    Deprecated,
    /// `"closed"`: all its subscriptions are closed.
    Closed,
}

/// How subscriptions to a plan come to life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Validation {
    /// `"auto"`: accepted.
    #[default]
    Auto,
    /// `"manual"`: pending, until `status` says otherwise.
    Manual,
}

/// `[[api.route]]`
#[derive(Debug, Clone)]
pub struct Route {
    /// `path`, required, below the context path: `/menu/{id}`, `/files/{*rest}`.
    pub path: Located<String>,
    /// `methods`. Default every method.
    pub methods: Vec<Located<String>>,
    /// `scopes`. Default none needed.
    pub scopes: Vec<Located<String>>,
    /// `scope_match`. Default any.
    pub scope_match: ScopeMatch,
    /// `claims`: what callers must have. Default nothing.
    pub claims: Vec<RequiredClaim>,
    /// `audiences`: the token must be for one of them, besides what the plan asks. Default none.
    pub audiences: Vec<Located<String>>,
    /// `upstream`: instead of the API's.
    pub upstream: Option<Located<String>>,
    /// Of all its callers together.
    pub limits: Limits,
}

/// How many of a route's scopes a caller needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ScopeMatch {
    /// `"any"`: one of them.
    #[default]
    Any,
    /// `"all"`: each of them.
    All,
}

/// `[[application]]`: a registered caller.
#[derive(Debug, Clone)]
pub struct Application {
    /// `id`, required.
    pub id: Located<String>,
    /// `name`: for people.
    pub name: Option<Located<String>>,
    /// `owner`: for people.
    pub owner: Option<Located<String>>,
    /// `client_ids`: `"id"` (any issuer) or `{ issuer = "...", id = "..." }`.
    pub client_ids: Vec<ClientId>,
    /// `claim_sets`: claims that stand for it; all of one set, any of the sets.
    pub claim_sets: Vec<Located<ClaimSet>>,
    /// `audience`: its tokens' audience, for `audience_from = ["application"]`. Default its `id`.
    pub audience: Option<Located<String>>,
    /// `suspended`. Default false.
    pub suspended: bool,
    /// Of all its calls, to whichever API.
    pub limits: Limits,
    /// `client_secret_hash`: argon2id, for the token service. Default: no client secret is good.
    pub client_secret_hash: Option<Located<String>>,
    /// `scopes`: those that the token service may grant it. Default none.
    pub scopes: Vec<Located<String>>,
}

/// One client id of an application.
#[derive(Debug, Clone)]
pub struct ClientId {
    /// `issuer`: only tokens of this issuer; `None`: of any.
    pub issuer: Option<Located<String>>,
    /// `id`, required.
    pub id: Located<String>,
}

/// `[[subscription]]`: an application's agreement to a plan.
#[derive(Debug, Clone)]
pub struct Subscription {
    /// `application`, required: its id.
    pub application: Located<String>,
    /// `api`, required: its name.
    pub api: Located<String>,
    /// `plan`, required: its name.
    pub plan: Located<String>,
    /// `status`. Default by the plan's `validation`.
    pub status: Option<Located<SubscriptionStatus>>,
    /// `from`: not in force before (RFC 3339, or a TOML date-time with offset), Unix seconds.
    pub from: Option<Located<i64>>,
    /// `until`: not in force at or after, Unix seconds.
    pub until: Option<Located<i64>>,
}

/// Where a subscription is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscriptionStatus {
    /// `"pending"`
    Pending,
    /// `"accepted"`
    Accepted,
    /// `"rejected"`
    Rejected,
    /// `"paused"`
    Paused,
    /// `"closed"`
    Closed,
}

// === impl AudienceSource ===

impl AudienceSource {
    /// Every source there is.
    pub const ALL: [Self; 3] = [Self::Gateway, Self::Application, Self::RequestUri];

    /// The operator's word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Application => "application",
            Self::RequestUri => "request_uri",
        }
    }
}

// === impl Server ===

impl Default for Server {
    fn default() -> Self {
        Self {
            threads: None,
            grace_period: Duration::from_secs(10),
            request_id_header: None,
            trusted_proxies: Vec::new(),
            verbose_errors: false,
            header_bytes_max: 32 * 1024,
            headers_max: 100,
            target_bytes_max: 8 * 1024,
            body_bytes_max: 64 * 1024 * 1024,
            idle_timeout: Duration::from_secs(60),
            read_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            upstream_connections_idle_max: 512,
            token_cache_entries: 65_536,
            forgery_budget: None,
            forgery_budget_per_source: None,
            forgery_burst: Duration::from_millis(200),
            forgery_hold: Duration::from_secs(1),
            duplicate_slashes: DuplicateSlashes::default(),
            path_parameters: PathParameters::default(),
            audience: None,
        }
    }
}

impl Default for Jwks {
    fn default() -> Self {
        Self {
            url: None,
            file: None,
            refresh_interval: Duration::from_secs(5 * 60),
            cooldown: Duration::from_secs(10),
            wait: Duration::from_secs(2),
            stale_after: Duration::from_secs(24 * 60 * 60),
            danger_allow_http: false,
            follow_redirects: false,
            ca_file: None,
            proxy: None,
            allow_full_replacement: false,
        }
    }
}
