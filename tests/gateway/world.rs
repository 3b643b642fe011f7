//! The world in which most tests happen: four issuers, a dozen APIs, callers with and without agreements.
//!
//! Each test starts one of its own: test runners give every test a process, and a gateway that was shared through a
//! `static` would outlive it. So there are few tests, each with a long table.

mod mapped;
mod terms;

use std::net::{SocketAddr, TcpListener};

use tollgate::token::Algorithm;

use crate::harness::{Gateway, Issuer, Request, Response, Token, Upstream, closed_port};

/// Issuers, an upstream, and the gateway between them.
pub(crate) struct World {
    /// ES256, `k1`; accepted by nearly every API.
    pub(crate) acme: Issuer,
    /// RS256, `r1`: another key of the same issuer.
    pub(crate) acme_rsa: Issuer,
    /// ES256, also `k1`; accepted by `orders` only.
    pub(crate) globex: Issuer,
    /// ES256, `s1`; `at+jwt` only, at most an hour, `jti` required, no leeway.
    pub(crate) strict: Issuer,
    /// The second key of `strict`.
    pub(crate) strict_second: Issuer,
    /// RS256, a PEM file as the default key; every audience.
    pub(crate) legacy: Issuer,
    /// ES256, `m1`: its claims are changed on the way in.
    pub(crate) mapped: Issuer,
    /// ES256, `a1`: access tokens as in RFC 9068.
    pub(crate) access: Issuer,
    /// Its key server does not answer.
    pub(crate) dark: Issuer,
    /// One key for each algorithm that can sign here, each key's id the algorithm's name.
    pub(crate) many: Vec<Issuer>,
    /// Where nobody ever has a reason to connect to.
    pub(crate) bait: TcpListener,
    /// Where requests go.
    pub(crate) upstream: Upstream,
    /// The gateway.
    pub(crate) gateway: Gateway,
}

/// What the gateway and `https://shared.example/` know.
pub(crate) const SHARED_SECRET: &str = "q0tXJv8mB3hYw5kZ1sNfRr7cLdP2uGxE9aTiOoVjW4A-6yHbU3eKpMgDnSz0lQx8t";

/// All that can be signed with here.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
    Algorithm::Ps256,
    Algorithm::Ps384,
    Algorithm::Ps512,
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::Ed25519,
];

/// A duration after which the upstream's silence is a failure, and so is a caller's.
const SERVER: &str = r#"
[server]
threads = 1
read_timeout = "1s"
body_bytes_max = 100_000
audience = "https://gateway.example"
"#;

const ISSUERS: &str = r#"
[[issuer]]
name = "https://acme.example/"
algorithms = ["ES256", "RS256"]
audiences = ["https://api.example.com"]
jwks.file = "acme.json"

[[issuer.claim_mapping]]
remote_claim = "https://acme.example/roles"
local_claim = "roles"

[[issuer]]
name = "https://globex.example/"
algorithms = ["ES256"]
audiences = ["https://api.example.com"]
jwks.file = "globex.json"
use_default_claim_mapping = false

[[issuer]]
name = "https://strict.example/"
algorithms = ["ES256"]
audiences = ["https://api.example.com"]
jwks.file = "strict.json"
leeway = "0s"
max_lifetime = "1h"
token_types = ["at+jwt"]
required_claims = ["sub", "iat", "exp", "iss", "jti"]

[[issuer]]
name = "legacy"
algorithms = ["RS256"]
audiences = "danger-accept-any"
keys = { default = { file = "legacy.pem" } }

[[issuer]]
name = "https://many.example/"
algorithms = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
audiences = ["https://api.example.com"]
jwks.file = "many.json"

# A secret, beside public keys of other issuers of the same plan.
[[issuer]]
name = "https://shared.example/"
algorithms = ["HS256", "HS384", "HS512"]
audiences = ["https://api.example.com"]
secrets = { h1 = { file = "shared.txt" }, default = { file = "shared.txt" } }

[[issuer]]
name = "https://dark.example/"
algorithms = ["ES256"]
audiences = ["https://api.example.com"]
jwks.url = "http://{CLOSED}/jwks.json"

[[upstream]]
name = "sample"
peers = ["{UPSTREAM}"]
read_timeout = "5s"

[[upstream]]
name = "impatient"
peers = ["{UPSTREAM}"]
read_timeout = "300ms"

[[upstream]]
name = "nobody"
peers = ["{CLOSED}"]
"#;

const APIS: &str = r#"
# Routes with scopes, the context path stripped, two plans and four issuers.
[[api]]
name = "orders"
context_path = "/orders"
strip_context_path = true
upstream = "sample"
claim_headers = { "X-User" = "sub", "X-Roles" = "roles" }

[[api.plan]]
name = "gold"
security = "jwt"
issuers = [
    "https://acme.example/",
    "https://globex.example/",
    "https://strict.example/",
    "https://many.example/",
    "https://shared.example/",
    "legacy",
]

[[api.plan]]
name = "silver"
security = "jwt"
issuers = ["https://acme.example/"]

[[api.plan]]
name = "partner"
security = "jwt"
issuers = ["https://acme.example/"]
audiences = ["https://partner.example"]

[[api.plan]]
name = "next"
security = "jwt"
issuers = ["https://acme.example/"]
stage = "staging"

[[api.route]]
path = "/"

[[api.route]]
path = "/menu/{id}"
methods = ["GET"]
scopes = ["menu:read", "menu:admin"]

[[api.route]]
path = "/menu/{id}"
methods = ["PUT", "DELETE"]
scopes = ["menu:write", "menu:admin"]
scope_match = "all"

[[api.route]]
path = "/menu/today"
methods = ["GET"]

[[api.route]]
path = "/files/{*rest}"

# Everything below the context path, with a token.
[[api]]
name = "free"
context_path = "/free"
upstream = "sample"
body_bytes_max = 100

[[api.plan]]
name = "any"
security = "jwt"
issuers = ["https://acme.example/"]
subscription_validation = false

# Everything, for everybody.
[[api]]
name = "public"
context_path = "/public"
upstream = "sample"

[[api.plan]]
name = "open"
security = "keyless"

# The same, for upstreams that are expected to be silent.
[[api]]
name = "impatient"
context_path = "/impatient"
upstream = "impatient"

[[api.plan]]
name = "open"
security = "keyless"

[[api]]
name = "mixed"
context_path = "/mixed"
upstream = "sample"

[[api.plan]]
name = "open"
security = "keyless"

[[api.plan]]
name = "gold"
security = "jwt"
issuers = ["https://acme.example/"]

# Scopes on a keyless plan: nobody has any.
[[api.route]]
path = "/"

[[api.route]]
path = "/scoped"
scopes = ["menu:read"]

[[api]]
name = "claims"
context_path = "/claims"
upstream = "sample"
claim_header_separator = "|"

[api.claim_headers]
X-User = "sub"
X-Client = "azp"
X-Roles = "roles"
X-Level = "level"
X-Admin = "admin"
X-Name = "name"
X-City = "address.city"
X-Tags = "https://acme.example/tags"

[[api.plan]]
name = "any"
security = "jwt"
issuers = ["https://acme.example/", "legacy"]
subscription_validation = false

[[api]]
name = "careful"
context_path = "/careful"
upstream = "sample"
claim_headers = { "X-Name" = "name" }
claim_header_encoding = "refuse"

[[api.plan]]
name = "any"
security = "jwt"
issuers = ["https://acme.example/"]
subscription_validation = false

[[api]]
name = "passing"
context_path = "/passing"
upstream = "sample"
forward_credential = true

[[api.plan]]
name = "any"
security = "jwt"
issuers = ["https://acme.example/"]
subscription_validation = false

# Tokens from other places than `Authorization`: of one plan a header, of the other a cookie and a parameter.
[[api]]
name = "sources"
context_path = "/sources"
upstream = "sample"

[[api.plan]]
name = "header"
security = "jwt"
issuers = ["https://acme.example/"]
subscription_validation = false
token_from = { header = "X-Access-Token" }

[[api.plan]]
name = "browser"
security = "jwt"
issuers = ["https://acme.example/", "https://globex.example/"]
audiences = ["https://partner.example"]
subscription_validation = false
token_from = { cookie = "session", query = "access_token" }

# The same places, beside a keyless plan.
[[api]]
name = "sources-open"
context_path = "/sources-open"
strip_context_path = true
upstream = "sample"

[[api.plan]]
name = "open"
security = "keyless"

[[api.plan]]
name = "any"
security = "jwt"
issuers = ["https://acme.example/"]
subscription_validation = false
token_from = { header = "X-Access-Token", cookie = "session", query = "access_token" }

# The same places, and what is there goes on to the upstream.
[[api]]
name = "sources-passing"
context_path = "/sources-passing"
upstream = "sample"
forward_credential = true

[[api.plan]]
name = "any"
security = "jwt"
issuers = ["https://acme.example/"]
subscription_validation = false
token_from = { header = "X-Access-Token", cookie = "session", query = "access_token" }

# API keys, beside tokens and nothing. No key is good: without a store there is none.
[[api]]
name = "keyed"
context_path = "/keyed"
upstream = "sample"

[[api.plan]]
name = "keys"
security = "api_key"
api_key = { query = "api-key" }

[[api.plan]]
name = "tokens"
security = "jwt"
issuers = ["https://acme.example/"]
subscription_validation = false

[[api.plan]]
name = "open"
security = "keyless"

[[api]]
name = "dark"
context_path = "/dark"
upstream = "sample"

[[api.plan]]
name = "gold"
security = "jwt"
issuers = ["https://dark.example/", "https://acme.example/"]
subscription_validation = false

[[api]]
name = "refused"
context_path = "/refused"
upstream = "nobody"

[[api.plan]]
name = "open"
security = "keyless"

# Hosts.
[[api]]
name = "hosted"
hosts = ["api.example.com", "*.wild.example"]
context_path = "/hosted"
upstream = "sample"

[[api.plan]]
name = "open"
security = "keyless"

[[api]]
name = "whole-host"
hosts = ["only.example"]
context_path = "/"
upstream = "sample"

[[api.plan]]
name = "open"
security = "keyless"

# Plans in every stage.
[[api]]
name = "planless"
context_path = "/planless"
upstream = "sample"

[[api]]
name = "staging"
context_path = "/staging"
upstream = "sample"

[[api.plan]]
name = "open"
security = "keyless"
stage = "staging"

[[api.route]]
path = "/only-get"
methods = ["GET"]

[[api]]
name = "closed"
context_path = "/closed"
upstream = "sample"

[[api.plan]]
name = "gold"
security = "jwt"
issuers = ["https://acme.example/"]
stage = "closed"

[[api]]
name = "old"
context_path = "/old"
upstream = "sample"

[[api.plan]]
name = "gold"
security = "jwt"
issuers = ["https://acme.example/"]
stage = "deprecated"

# Plans with dates.
[[api]]
name = "coming"
context_path = "/coming"
upstream = "sample"

[[api.plan]]
name = "open"
security = "keyless"
publish_at = 2999-01-01T00:00:00Z

[[api]]
name = "gone"
context_path = "/gone"
upstream = "sample"

[[api.plan]]
name = "open"
security = "keyless"
close_at = 2020-01-01T00:00:00Z

[[api]]
name = "leaving"
context_path = "/leaving"
upstream = "sample"

[[api.plan]]
name = "gold"
security = "jwt"
issuers = ["https://acme.example/"]
deprecate_at = 2019-01-01T00:00:00Z
close_at = 2020-01-01T00:00:00Z

[[api.plan]]
name = "silver"
security = "jwt"
issuers = ["https://acme.example/"]
"#;

const CALLERS: &str = r#"
[[application]]
id = "mobile"
client_ids = ["mobile-app", { issuer = "https://acme.example/", id = "acme-only" }]

[[application]]
id = "suspended"
client_ids = ["suspended-app"]
suspended = true

[[application]]
id = "stranger"
client_ids = ["stranger-app"]
claim_sets = [{ "team" = "strangers" }]
audience = "https://stranger.example"
"#;

/// `(application, what its one subscription to an API and plan says)`
const AGREEMENTS: [(&str, &str); 15] = [
    ("mobile", r#"api = "orders", plan = "gold""#),
    ("mobile", r#"api = "mixed", plan = "gold""#),
    ("mobile", r#"api = "old", plan = "gold""#),
    ("mobile", r#"api = "leaving", plan = "gold""#),
    ("suspended", r#"api = "orders", plan = "gold""#),
    ("pending", r#"api = "orders", plan = "gold", status = "pending""#),
    ("paused", r#"api = "orders", plan = "gold", status = "paused""#),
    ("closed", r#"api = "orders", plan = "gold", status = "closed""#),
    (
        "rejected",
        r#"api = "orders", plan = "gold", status = "rejected""#,
    ),
    (
        "early",
        r#"api = "orders", plan = "gold", from = 2999-01-01T00:00:00Z"#,
    ),
    (
        "late",
        r#"api = "orders", plan = "gold", until = 2020-01-01T00:00:00Z"#,
    ),
    ("silver", r#"api = "orders", plan = "silver""#),
    ("partner", r#"api = "orders", plan = "partner""#),
    ("climber", r#"api = "orders", plan = "gold", status = "pending""#),
    ("climber", r#"api = "orders", plan = "silver""#),
];

// === impl World ===

impl World {
    /// Starts one.
    pub(crate) fn start() -> Self {
        Self::start_with("")
    }

    /// Starts one with further lines in `[server]`.
    pub(crate) fn start_with(server: &str) -> Self {
        let acme = Issuer::new("https://acme.example/", "k1", Algorithm::Es256);
        let acme_rsa = Issuer::new("https://acme.example/", "r1", Algorithm::Rs256);
        let globex = Issuer::new("https://globex.example/", "k1", Algorithm::Es256);
        let strict = Issuer::new("https://strict.example/", "s1", Algorithm::Es256);
        let strict_second = Issuer::new("https://strict.example/", "s2", Algorithm::Es256);
        let legacy = Issuer::new("legacy", "default", Algorithm::Rs256);
        let mapped = Issuer::new("https://mapped.example/", "m1", Algorithm::Es256);
        let access = Issuer::new("https://access.example/", "a1", Algorithm::Es256);
        let dark = Issuer::new("https://dark.example/", "d1", Algorithm::Es256);
        let many: Vec<Issuer> = ALGORITHMS
            .iter()
            .map(|algorithm| Issuer::new("https://many.example/", algorithm.name(), *algorithm))
            .collect();
        let bait = TcpListener::bind("127.0.0.1:0").unwrap();
        bait.set_nonblocking(true).unwrap();
        let upstream = Upstream::start();
        let config = config(upstream.address(), server);
        let gateway = Gateway::start_with(
            &config,
            &[
                ("acme.json", &Issuer::jwks_of(&[&acme, &acme_rsa])),
                ("globex.json", &globex.jwks()),
                ("strict.json", &Issuer::jwks_of(&[&strict, &strict_second])),
                ("mapped.json", &mapped.jwks()),
                ("access.json", &access.jwks()),
                ("legacy.pem", &legacy.key.public_pem()),
                ("many.json", &Issuer::jwks_of(&many.iter().collect::<Vec<_>>())),
                ("shared.txt", SHARED_SECRET),
            ],
        );
        Self {
            acme,
            acme_rsa,
            globex,
            strict,
            strict_second,
            legacy,
            mapped,
            access,
            dark,
            many,
            bait,
            upstream,
            gateway,
        }
    }

    /// A good token of `acme` for `mobile-app`.
    pub(crate) fn token(&self) -> Token<'_> {
        self.acme.token()
    }

    /// Sends a request on a connection of its own.
    pub(crate) fn send(&self, request: &Request) -> Response {
        request.send(self.gateway.address())
    }
}

fn config(upstream: SocketAddr, server: &str) -> String {
    let mut config = [
        SERVER,
        server,
        "\n",
        ISSUERS,
        mapped::ISSUERS,
        APIS,
        mapped::APIS,
        terms::APIS,
        CALLERS,
    ]
    .concat();
    let mut applications = vec!["mobile", "suspended", "stranger"];
    for (application, agreement) in AGREEMENTS {
        if !applications.contains(&application) {
            applications.push(application);
            config.push_str(&format!(
                "[[application]]\nid = \"{application}\"\nclient_ids = [\"{application}-app\"]\n"
            ));
        }
        let agreement = agreement.replace(", ", "\n");
        config.push_str(&format!(
            "[[subscription]]\napplication = \"{application}\"\n{agreement}\n"
        ));
    }
    config
        .replace("{UPSTREAM}", &upstream.to_string())
        .replace("{CLOSED}", &closed_port().to_string())
}
