//! Keys over time: fetched, rotated, lost and found, while callers go on.
//!
//! Issuers are key servers whose behaviour a test sets and whose fetches it counts ([`KeyServer`]). They answer on
//! addresses that stay theirs while they are down.

mod flood;
mod forgery;
mod hostile;
mod life;
mod outage;
mod quarantine;
mod rotations;
mod server;
mod sources;
mod tls;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use tollgate::token::Algorithm;

pub(crate) use self::server::{KeyServer, Page};
use crate::harness::{Connection, Gateway, Issuer, Upstream, get};

/// An issuer of ES256 tokens whose keys are fetched; `timing` holds further `jwks.` keys.
pub(crate) fn issuer(name: &str, server: SocketAddr, timing: &str) -> String {
    format!(
        "[[issuer]]\nname = \"{name}\"\nalgorithms = [\"ES256\"]\naudiences = [\"https://api.example.com\"]\n\
         jwks.url = \"http://{server}/jwks\"\n{timing}\n"
    )
}

/// So many issuers, each with a key `k1`, and the servers of their keys: what is counted for one is due to it alone.
fn fleet(count: usize) -> (Vec<Issuer>, Vec<KeyServer>) {
    let issuers =
        (0..count).map(|i| Issuer::new(&format!("https://issuer-{i}.example/"), "k1", Algorithm::Es256));
    let issuers: Vec<_> = issuers.collect();
    let servers = issuers
        .iter()
        .map(|issuer| KeyServer::start(Page::keys(&issuer.jwks())));
    let servers = servers.collect();
    (issuers, servers)
}

/// A gateway for the API `orders`, whose one plan takes tokens of these issuers: `(name, table)`.
fn config(upstream: &Upstream, issuers: &[(&str, String)]) -> String {
    let tables: String = issuers.iter().map(|(_, table)| table.as_str()).collect();
    let names: Vec<&str> = issuers.iter().map(|(name, _)| *name).collect();
    format!(
        r#"
        {tables}
        [[upstream]]
        name = "sample"
        peers = ["{}"]

        [[api]]
        name = "orders"
        context_path = "/orders"
        upstream = "sample"

        [[api.plan]]
        name = "gold"
        security = "jwt"
        issuers = {names:?}

        [[application]]
        id = "mobile"
        client_ids = ["mobile-app"]

        [[subscription]]
        application = "mobile"
        api = "orders"
        plan = "gold"
        "#,
        upstream.address()
    )
}

/// What a request with this token gets: its status, and its code if it is refused.
fn judged(gateway: &Gateway, token: &str) -> (u16, String) {
    let answer = get("/orders/1").bearer(token).send(gateway.address());
    (answer.status, answer.code())
}

/// How often the keys of an issuer were asked for, with this result.
fn refreshes(gateway: &Gateway, issuer: &str, result: &str) -> f64 {
    let labels = [("issuer", issuer), ("result", result)];
    gateway.metric("tollgate_jwks_refreshes_total", &labels)
}

/// Does something while a caller with these tokens is served all the time; how often it was.
fn while_served(gateway: &Gateway, tokens: &[&str], act: impl FnOnce()) -> usize {
    struct Stop<'s>(&'s AtomicBool);
    impl Drop for Stop<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let (over, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        let _stop = Stop(&over);
        scope.spawn(|| {
            let mut connection = Connection::open(gateway.address());
            for token in tokens.iter().cycle() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let answer = connection.ask(&get("/orders/1").bearer(token));
                assert_eq!(answer.status, 200, "an honest caller: {}", answer.text());
                served.fetch_add(1, Ordering::SeqCst);
            }
        });
        act();
    });
    served.into_inner()
}
