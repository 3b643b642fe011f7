//! The gateway as an issuer: tokens are asked for as clients do, and used at the same gateway.
//!
//! Secrets are hashed with the least work that is allowed: what is tested is who gets a token, not how long a guess takes.

mod custom;
mod endpoints;
mod guesses;
mod introspection;
mod keys;
mod metadata;
mod mistakes;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::harness::{Gateway, Request, Response, Upstream, get, post};

/// What `mobile` proves itself with.
pub(crate) const SECRET: &str = "correct horse battery staple";
/// Of [`SECRET`], as `tollgate hash-password` prints it.
pub(crate) const HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$+5XeLNaLCgac3d20Old8Ig$u6iob70yQD9tqTlVdeC25anVGx1oKzbrxiQvJ70fYiQ";
/// What `alice` and `bob` prove themselves with.
pub(crate) const PASSWORD: &str = "päss wörd: with+everything%20";
/// Of [`PASSWORD`].
pub(crate) const PASSWORD_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$OF/pn1bPtNhJsXuj8M5Xxw$cGHz9cKXgMa1XL15iGQ61m7mJnAi+PG7izezx8VQ8C0";

pub(crate) const ISSUER: &str = "https://tokens.example.com";

/// The token service; `{...}` is what a test puts there.
pub(crate) const SERVICE: &str = r#"
[token_service]
address = "127.0.0.1:0"
allow_http = true
issuer = "https://tokens.example.com"
audiences = ["https://api.example.com"]
lifetime = "10m"
algorithm = "ES256"
keys = [{ kid = "own-1", file = "own-1.pem", generate = true }]
{SERVICE}

[[issuer]]
name = "https://tokens.example.com"
local = true
algorithms = ["ES256"]
audiences = ["https://api.example.com"]
"#;

/// Who may ask, and for what a token is good.
pub(crate) const CALLERS: &str = r#"
[[application]]
id = "mobile"
client_ids = ["mobile-app", "mobile-other"]
client_secret_hash = "{HASH}"
scopes = ["menu:read", "menu:write"]

[[application]]
id = "desktop"
client_ids = [{ issuer = "https://tokens.example.com", id = "desktop-app" }]
client_secret_hash = "{HASH}"

[[application]]
id = "asleep"
client_ids = ["asleep-app"]
client_secret_hash = "{HASH}"
suspended = true

[[application]]
id = "without"
client_ids = ["without-app"]
scopes = ["menu:read"]

[[user]]
name = "alice"
password_hash = "{PASSWORD_HASH}"
applications = ["mobile"]

[[user]]
name = "bob"
password_hash = "{PASSWORD_HASH}"
applications = ["mobile", "desktop"]

[[upstream]]
name = "sample"
peers = ["{UPSTREAM}"]

[[api]]
name = "orders"
context_path = "/orders"
upstream = "sample"
claim_headers = { "X-User" = "sub" }

[[api.plan]]
name = "gold"
security = "jwt"
issuers = ["https://tokens.example.com"]

[[api.route]]
path = "/menu"
methods = ["GET"]
scopes = ["menu:read"]

[[api.route]]
path = "/any"
methods = ["GET"]

[[subscription]]
application = "mobile"
api = "orders"
plan = "gold"

[[subscription]]
application = "desktop"
api = "orders"
plan = "gold"
"#;

/// A gateway that is an issuer.
pub(crate) struct Issuing {
    pub(crate) upstream: Upstream,
    pub(crate) gateway: Gateway,
}

// === impl Issuing ===

impl Issuing {
    /// With these further keys of `[token_service]`, and these further tables.
    pub(crate) fn start(service: &str, tables: &str) -> Self {
        Self::start_with(service, tables, &[])
    }

    pub(crate) fn start_with(service: &str, tables: &str, files: &[(&str, &str)]) -> Self {
        let upstream = Upstream::start();
        let gateway = Gateway::start_with(&configuration(&upstream, service, tables), files);
        Self { upstream, gateway }
    }

    /// Sends to the token service.
    pub(crate) fn ask(&self, request: &Request) -> Response {
        request.clone().send(self.gateway.token_address())
    }

    /// Sends to the gateway, with a token.
    pub(crate) fn call(&self, path: &str, token: &str) -> Response {
        get(path).bearer(token).send(self.gateway.address())
    }

    /// A token by `client_credentials`.
    pub(crate) fn token(&self) -> String {
        let answer = self.ask(&by_basic("mobile-app", SECRET, "grant_type=client_credentials"));
        token_of(&answer)
    }
}

/// Everything together.
pub(crate) fn configuration(upstream: &Upstream, service: &str, tables: &str) -> String {
    format!("{SERVICE}{CALLERS}{tables}")
        .replace("{SERVICE}", service)
        .replace("{HASH}", HASH)
        .replace("{PASSWORD_HASH}", PASSWORD_HASH)
        .replace("{UPSTREAM}", &upstream.address().to_string())
}

/// `POST /token` with a form.
pub(crate) fn form(path: &str, body: &str) -> Request {
    post(path, body).header("Content-Type", "application/x-www-form-urlencoded")
}

/// The same, with the client's credentials by Basic.
pub(crate) fn by_basic(id: &str, secret: &str, body: &str) -> Request {
    form("/token", body).header("Authorization", &basic(&encoded(id), &encoded(secret)))
}

/// `Authorization: Basic`, of these as they are.
pub(crate) fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

/// As in a form (RFC 6749 section 2.3.1).
pub(crate) fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

pub(crate) fn json(answer: &Response) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

pub(crate) fn token_of(answer: &Response) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    json(answer)["access_token"].as_str().unwrap().to_owned()
}

/// The claims of a token, unverified.
pub(crate) fn claims(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// What an answer says: its status, and its `error` or `code`.
pub(crate) fn says(answer: &Response) -> String {
    let body = json(answer);
    let word = body["error"].as_str().or_else(|| body["code"].as_str());
    format!("{} {}", answer.status, word.unwrap_or("-"))
}
