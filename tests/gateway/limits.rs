//! Limits from outside: how many requests pass, what callers are told, and what else counts for nothing.
//!
//! A month's quota and a minute's rate outlast any test, so numbers are exact: five pass, the sixth does not. Many clients
//! are made of one by `X-Forwarded-For`, which the gateway believes of 127.0.0.1 and of nobody else.

mod counts;
mod explained;
mod headers;
mod kept;
mod keyed;
mod operated;

use serde_json::Value;
use tollgate::token::Algorithm;

use crate::harness::{Gateway, Issuer, Request, Response, Upstream, get};

/// A gateway with limits, and who may call it.
pub(crate) struct Scene {
    pub(crate) acme: Issuer,
    pub(crate) upstream: Upstream,
    pub(crate) gateway: Gateway,
}

const COMMON: &str = r#"
[server]
threads = 2
trusted_proxies = ["127.0.0.1/32"]

[[issuer]]
name = "https://acme.example/"
algorithms = ["ES256"]
audiences = ["https://api.example.com"]
jwks.file = "acme.json"

[[upstream]]
name = "sample"
peers = ["{UPSTREAM}"]

[[upstream]]
name = "nobody"
peers = ["{CLOSED}"]
"#;

// === impl Scene ===

impl Scene {
    /// Starts one with these tables.
    pub(crate) fn start(tables: &str) -> Self {
        let acme = Issuer::new("https://acme.example/", "k1", Algorithm::Es256);
        let upstream = Upstream::start();
        let config = config(&upstream, tables);
        let gateway = Gateway::start_with(&config, &[("acme.json", &acme.jwks())]);
        Self {
            acme,
            upstream,
            gateway,
        }
    }

    /// Other tables from now on; waits until they are in force.
    pub(crate) fn reload(&self, tables: &str) {
        let generation = self.gateway.metric("tollgate_config_generation", &[]);
        self.gateway.write_config(&config(&self.upstream, tables));
        crate::harness::wait_until("the reload", || {
            let now = self.gateway.metric("tollgate_config_generation", &[]);
            (now > generation).then_some(())
        });
    }

    /// A GET of this application's.
    pub(crate) fn request(&self, path: &str, application: &str) -> Request {
        get(path).bearer(&self.acme.token().client(&format!("{application}-app")).text())
    }

    pub(crate) fn send(&self, request: &Request) -> Response {
        request.send(self.gateway.address())
    }

    /// How many of so many requests pass before the first that does not, and what that one is told.
    pub(crate) fn passing(&self, most: usize, request: &Request) -> (usize, Option<Response>) {
        for passed in 0..most {
            let answer = self.send(request);
            if answer.status != 200 {
                return (passed, Some(answer));
            }
        }
        (most, None)
    }

    /// What the tests of a table ask most: how many pass, and the code that the next one gets.
    pub(crate) fn count(&self, request: &Request) -> (usize, String) {
        let (passed, refused) = self.passing(100, request);
        let refused = refused.expect("a hundred requests are beyond every limit of the tests");
        (passed, refused.code())
    }

    /// The record of an answer in the access log.
    pub(crate) fn line(&self, answer: &Response) -> Value {
        self.gateway.access_line(answer)
    }
}

pub(crate) fn config(upstream: &Upstream, tables: &str) -> String {
    let common = COMMON
        .replace("{UPSTREAM}", &upstream.address().to_string())
        .replace("{CLOSED}", &crate::harness::closed_port().to_string());
    format!("{common}\n{tables}")
}

/// An API with one JWT plan, `gold`; further keys of both.
pub(crate) fn api(name: &str, of_api: &str, of_plan: &str) -> String {
    format!(
        "[[api]]\nname = \"{name}\"\ncontext_path = \"/{name}\"\nupstream = \"sample\"\n{of_api}\n\
         [[api.plan]]\nname = \"gold\"\nsecurity = \"jwt\"\nissuers = [\"https://acme.example/\"]\n{of_plan}\n"
    )
}

/// An API for everybody.
pub(crate) fn keyless(name: &str, of_plan: &str) -> String {
    format!(
        "[[api]]\nname = \"{name}\"\ncontext_path = \"/{name}\"\nupstream = \"sample\"\n\
         [[api.plan]]\nname = \"open\"\nsecurity = \"keyless\"\n{of_plan}\n"
    )
}

/// An application, known by `<id>-app`, with subscriptions to plans called `gold`.
pub(crate) fn application(id: &str, of_application: &str, apis: &[&str]) -> String {
    let subscriptions: String = apis
        .iter()
        .map(|api| format!("[[subscription]]\napplication = \"{id}\"\napi = \"{api}\"\nplan = \"gold\"\n"))
        .collect();
    format!("[[application]]\nid = \"{id}\"\nclient_ids = [\"{id}-app\"]\n{of_application}\n{subscriptions}")
}
