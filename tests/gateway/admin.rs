//! The admin API from outside: what an operator changes is obeyed by the next request, and outlives the process.
//!
//! A [`Scene`] is a gateway with one API under four plans, a store, and the admin API; a test speaks to it as an operator
//! and as a caller.

mod along;
mod api_keys;
mod bounds;
mod crashes;
mod door;
mod explain;
mod full_disk;
mod life;
mod repeats;
mod sealed;
mod stages;
mod states;
mod tls;
mod views;

use serde_json::{Value, json};
use tollgate::token::Algorithm;

use crate::harness::{Gateway, Issuer, Request, Response, Upstream, get, post, request};

/// What most tests of the admin API need.
pub(crate) struct Scene {
    pub(crate) acme: Issuer,
    pub(crate) upstream: Upstream,
    pub(crate) gateway: Gateway,
}

/// Everything but the tables under test.
const CONFIG: &str = r#"
[state]
path = "state/tollgate.redb"

[admin]
address = "127.0.0.1:0"
token_file = "admin.token"
hosts = ["admin.internal"]

[[issuer]]
name = "https://acme.example/"
algorithms = ["ES256"]
audiences = ["https://api.example.com"]
jwks.file = "acme.json"

[[upstream]]
name = "sample"
peers = ["{UPSTREAM}"]

[[api]]
name = "orders"
context_path = "/orders"
upstream = "sample"

[[api.plan]]
name = "gold"
security = "jwt"
issuers = ["https://acme.example/"]

[[api.plan]]
name = "manual"
security = "jwt"
validation = "manual"
issuers = ["https://acme.example/"]

[[api.plan]]
name = "next"
security = "jwt"
stage = "staging"
issuers = ["https://acme.example/"]

[[api.plan]]
name = "old"
security = "jwt"
stage = "deprecated"
issuers = ["https://acme.example/"]

[[api.plan]]
name = "gone"
security = "jwt"
stage = "closed"
issuers = ["https://acme.example/"]

[[api]]
name = "public"
context_path = "/public"
upstream = "sample"

[[api.plan]]
name = "open"
security = "keyless"

[[application]]
id = "declared"
client_ids = ["declared-app"]

[[subscription]]
application = "declared"
api = "orders"
plan = "gold"
"#;

// === impl Scene ===

impl Scene {
    pub(crate) fn start() -> Self {
        Self::start_with("")
    }

    /// With further tables.
    pub(crate) fn start_with(more: &str) -> Self {
        let acme = Issuer::new("https://acme.example/", "k1", Algorithm::Es256);
        let upstream = Upstream::start();
        let config = config(&upstream, more);
        let gateway = Gateway::start_with(&config, &[("acme.json", &acme.jwks())]);
        Self {
            acme,
            upstream,
            gateway,
        }
    }

    /// The token in its file.
    pub(crate) fn token(&self) -> String {
        let path = self.gateway.directory().join("admin.token");
        std::fs::read_to_string(path).unwrap().trim_end().to_owned()
    }

    /// Sends as the operator.
    pub(crate) fn tell(&self, request: Request) -> Response {
        let address = self.gateway.admin_address();
        request
            .host(&address.to_string())
            .bearer(&self.token())
            .send(address)
    }

    /// A body to a path.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Response {
        self.tell(json_body(post(path, body.to_string())))
    }

    /// A step without a body.
    pub(crate) fn act(&self, path: &str) -> Response {
        self.tell(request("POST", path).header("Content-Length", "0"))
    }

    pub(crate) fn show(&self, path: &str) -> Response {
        self.tell(get(path))
    }

    /// An application that is known by `<id>-app`.
    pub(crate) fn application(&self, id: &str) -> Response {
        let client = format!("{id}-app");
        self.post(
            "/v1/applications",
            &json!({ "id": id, "client_ids": [{ "id": client }] }),
        )
    }

    pub(crate) fn subscription(&self, application: &str, plan: &str) -> Response {
        let new = json!({ "application": application, "api": "orders", "plan": plan });
        self.post("/v1/subscriptions", &new)
    }

    /// What a caller of this application gets: the status and the code.
    pub(crate) fn call(&self, application: &str) -> (u16, String) {
        let token = self.acme.token().client(&format!("{application}-app")).text();
        let answer = get("/orders/1").bearer(&token).send(self.gateway.address());
        (answer.status, answer.code())
    }

    /// Ends the process as a power cut does, and starts another one on the same directory.
    pub(crate) fn restart(&mut self, signal: &str) {
        self.gateway.restart(signal);
    }
}

pub(crate) fn config(upstream: &Upstream, more: &str) -> String {
    [
        &CONFIG.replace("{UPSTREAM}", &upstream.address().to_string()),
        more,
    ]
    .concat()
}

pub(crate) fn json_body(request: Request) -> Request {
    request.header("Content-Type", "application/json")
}

pub(crate) fn passes() -> (u16, String) {
    (200, String::new())
}

pub(crate) fn refused(code: &str) -> (u16, String) {
    (403, code.to_owned())
}
