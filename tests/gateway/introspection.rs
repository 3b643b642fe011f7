//! Opaque tokens: their issuer is asked, once, and what it says is judged as the claims of a signed token are.
//!
//! The issuer is a server that answers for each token as a test says, keeps what it was asked, and can hold its answers
//! back ([`AuthServer`]).

mod failures;
mod floods;
mod judged;
mod kept;
mod reloads;
mod settings;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex};

use serde_json::{Value, json};

use crate::harness::{Answer, Gateway, Received, Upstream, get, now, respond};

/// The issuer's name.
pub(crate) const ISSUER: &str = "https://auth.example/";
/// The gateway's secret there. It must be seen nowhere.
pub(crate) const SECRET: &str = "s3cr3t: with/all kinds+of %bytes";

/// What the server does when it is asked about one token.
#[derive(Clone)]
pub(crate) enum Says {
    /// These bytes.
    Bytes(Vec<u8>),
    /// Nothing, for as long as the gateway waits.
    Nothing,
    /// It resets the connection.
    Reset,
}

/// An authorization server with an introspection endpoint.
pub(crate) struct AuthServer {
    server: Upstream,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    says: Mutex<HashMap<String, Says>>,
    held: Mutex<bool>,
    released: Condvar,
}

/// An active token's answer, with further members: good for five minutes, for the client `mobile-app`.
pub(crate) fn active(further: Value) -> Value {
    let mut answer = json!({
        "active": true,
        "iss": ISSUER,
        "sub": "alice",
        "client_id": "mobile-app",
        "aud": "https://api.example.com",
        "token_type": "Bearer",
        "exp": now() + 300,
    });
    for (name, value) in further.as_object().unwrap() {
        match value {
            // As a word for: not there.
            Value::Null => answer.as_object_mut().unwrap().remove(name),
            value => answer
                .as_object_mut()
                .unwrap()
                .insert(name.clone(), value.clone()),
        };
    }
    answer
}

// === impl Says ===

impl Says {
    /// JSON, as it should be sent.
    pub(crate) fn json(answer: &Value) -> Self {
        Self::page(200, "application/json", &answer.to_string())
    }

    /// Any answer.
    pub(crate) fn page(status: u16, content_type: &str, body: &str) -> Self {
        Self::Bytes(respond(status, &[("Content-Type", content_type)], body))
    }
}

// === impl AuthServer ===

impl AuthServer {
    /// A server that knows no token.
    pub(crate) fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        let server = Upstream::answering(move |request| own.answer(request));
        Self { server, shared }
    }

    /// Where it is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// From now on it says this of the token.
    pub(crate) fn says(&self, token: &str, says: Says) {
        self.shared.says.lock().unwrap().insert(token.to_owned(), says);
    }

    /// From now on the token is active, with further members in the answer.
    pub(crate) fn knows(&self, token: &str, further: Value) {
        self.says(token, Says::json(&active(further)));
    }

    /// Answers nobody until it is released.
    pub(crate) fn hold(&self) {
        *self.shared.held.lock().unwrap() = true;
    }

    /// Answers again.
    pub(crate) fn release(&self) {
        *self.shared.held.lock().unwrap() = false;
        self.shared.released.notify_all();
    }

    /// How many connections there have been.
    pub(crate) fn connections(&self) -> usize {
        self.server.connections()
    }

    /// The requests since the last time.
    pub(crate) fn take(&self) -> Vec<Received> {
        self.server.take()
    }

    /// How often it was asked about this token, or about any, since the last time.
    pub(crate) fn asked(&self) -> Vec<String> {
        let taken = self.take();
        taken.iter().map(token_of).collect()
    }
}

impl Drop for AuthServer {
    fn drop(&mut self) {
        self.release();
    }
}

// === impl Shared ===

impl Shared {
    fn answer(&self, request: &Received) -> Answer {
        drop(
            self.released
                .wait_while(self.held.lock().unwrap(), |held| *held)
                .unwrap(),
        );
        let says = self.says.lock().unwrap().get(&token_of(request)).cloned();
        match says {
            Some(Says::Bytes(bytes)) => Answer::Bytes(bytes),
            Some(Says::Nothing) => Answer::Silence,
            Some(Says::Reset) => Answer::Reset,
            None => Answer::Bytes(respond(
                200,
                &[("Content-Type", "application/json")],
                "{\"active\":false}",
            )),
        }
    }
}

/// The members of a form.
pub(crate) fn form_of(request: &Received) -> HashMap<String, String> {
    url::form_urlencoded::parse(&request.body).into_owned().collect()
}

fn token_of(request: &Received) -> String {
    form_of(request).remove("token").unwrap_or_default()
}

/// The issuer's table; `further` holds more keys of its `introspection`.
pub(crate) fn issuer(server: &AuthServer, further: &str) -> String {
    format!(
        "[[issuer]]\nname = \"{ISSUER}\"\naudiences = [\"https://api.example.com\"]\n\
         [issuer.introspection]\nurl = \"http://{}/introspect?tenant=1\"\nclient_id = \"gate way\"\n{further}\n",
        server.address()
    )
}

/// Where the secret usually is.
pub(crate) const FROM_FILE: &str = "client_secret_file = \"secret.txt\"";

/// The API `orders` with a plan that asks for a subscription and one for anybody of the `team`, and its caller.
pub(crate) fn api(upstream: &Upstream) -> String {
    format!(
        r#"
        [[upstream]]
        name = "sample"
        peers = ["{}"]
        connect_timeout = "20s"

        [[api]]
        name = "orders"
        context_path = "/orders"
        upstream = "sample"
        claim_headers = {{ "X-User" = "sub", "X-Name" = "username" }}

        [[api.plan]]
        name = "gold"
        security = "oauth2"
        issuers = ["{ISSUER}"]

        [[api.route]]
        path = "/{{*rest}}"

        [[api.route]]
        path = "/menu"
        scopes = ["menu:read"]

        [[api.route]]
        path = "/kitchen"
        claims = {{ department = "kitchen" }}

        [[application]]
        id = "mobile"
        client_ids = ["mobile-app"]

        [[application]]
        id = "suspended"
        client_ids = ["suspended-app"]
        suspended = true

        [[application]]
        id = "paused"
        client_ids = ["paused-app"]

        [[subscription]]
        application = "mobile"
        api = "orders"
        plan = "gold"

        [[subscription]]
        application = "suspended"
        api = "orders"
        plan = "gold"

        [[subscription]]
        application = "paused"
        api = "orders"
        plan = "gold"
        status = "paused"
        "#,
        upstream.address()
    )
}

/// A gateway that asks this server.
pub(crate) fn gateway(server: &AuthServer, upstream: &Upstream, further: &str) -> Gateway {
    let config = issuer(server, &format!("{FROM_FILE}\n{further}")) + &api(upstream);
    Gateway::start_with(&config, &[("secret.txt", &format!("{SECRET}\n"))])
}

/// Status, code, and the reason in the access log.
pub(crate) fn judged(gateway: &Gateway, target: &str, token: &str) -> (u16, String, String) {
    let answer = get(target).bearer(token).send(gateway.address());
    let reason = gateway.access_line(&answer)["reason"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    (answer.status, answer.code(), reason)
}

/// How often issuers were asked, with this result.
pub(crate) fn questions(gateway: &Gateway, result: &str) -> f64 {
    gateway.metric(
        "tollgate_introspections_total",
        &[("issuer", ISSUER), ("result", result)],
    )
}
