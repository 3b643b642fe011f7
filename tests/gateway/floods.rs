//! A flood of forged tokens from one network, while others call.
//!
//! The flooder gets its share of checks and then 503; who is remembered notices nothing, not even in the same network; who is
//! new elsewhere is served. Each caller binds an address of its own on the loopback network.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use tollgate::token::Algorithm::{Es256, Es384};

use crate::harness::{Connection, Gateway, Issuer, Request, Response, Upstream, get, post, wait_until};

const ACME: &str = "https://acme.example/";
const FLOODER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 2));
const NEIGHBOUR: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 1));
const STRANGER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 1, 1));
/// A nominal ES256 check.
const CHECK_NANOS: u64 = 55_000;
/// A hundredth of a core for a tenth of a second: 18 checks, and then one in 5.5 ms.
const SMALL: &str = "forgery_budget = \"5%\"\nforgery_budget_per_source = \"1%\"\nforgery_burst = \"100ms\"\nforgery_hold = \"0s\"";

fn config(upstream: &Upstream, server: &str) -> String {
    format!(
        r#"
        [server]
        {server}

        [[issuer]]
        name = "{ACME}"
        algorithms = ["ES256"]
        audiences = ["https://api.example.com"]
        jwks.file = "acme.json"

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
        issuers = ["{ACME}"]
        subscription_validation = false
        "#,
        upstream.address()
    )
}

fn orders(token: &str) -> Request {
    get("/orders/1").bearer(token)
}

fn said(answer: &Response) -> (u16, String) {
    (answer.status, answer.code())
}

/// Sends forged tokens on one connection until `enough`; how many were checked, and how many were not.
fn flood(gateway: &Gateway, token: &str, mut enough: impl FnMut(u64, u64) -> bool) -> (u64, u64) {
    let mut connection = Connection::from(FLOODER, gateway.address());
    let (mut checked, mut refused) = (0, 0);
    while !enough(checked, refused) {
        let answer = connection.ask(&orders(token));
        match answer.status {
            401 => {
                assert_eq!(answer.code(), "invalid_token");
                checked += 1;
            }
            _ => {
                assert_eq!(said(&answer), (503, "verification_overloaded".to_owned()));
                assert_eq!(answer.header("retry-after"), Some("1"));
                assert_eq!(answer.header("www-authenticate"), None);
                refused += 1;
            }
        }
        if refused == 0 {
            assert!(
                checked < 1000,
                "{checked} forged tokens were checked, one after the other"
            );
        }
    }
    (checked, refused)
}

#[test]
fn a_flood_of_forged_tokens_is_refused_and_good_callers_are_served() {
    let acme = Issuer::new(ACME, "k1", Es256);
    let mallory = Issuer::new(ACME, "k1", Es256);
    let upstream = Upstream::start();
    let gateway = Gateway::start_with(&config(&upstream, SMALL), &[("acme.json", &acme.jwks())]);
    let remembered = acme.token().text();
    let mut known = Connection::from(NEIGHBOUR, gateway.address());
    assert_eq!(known.ask(&orders(&remembered)).status, 200);

    let forged = acme.token().signed_by(&mallory).text();
    let (over, served, new) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let began = Instant::now();
    let (checked, refused) = thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                let answer = known.ask(&orders(&remembered));
                assert_eq!(answer.status, 200, "a remembered token: {}", answer.text());
                served.fetch_add(1, Ordering::SeqCst);
            }
        });
        scope.spawn(|| {
            let mut stranger = Connection::from(STRANGER, gateway.address());
            while !over.load(Ordering::SeqCst) {
                let number = new.fetch_add(1, Ordering::SeqCst);
                let answer = stranger.ask(&orders(&acme.token().claim("jti", number).text()));
                assert_eq!(
                    answer.status,
                    200,
                    "a new token from elsewhere: {}",
                    answer.text()
                );
            }
        });
        let counts = flood(&gateway, &forged, |checked, refused| {
            checked >= 100
                && refused >= 100
                && served.load(Ordering::SeqCst) >= 100
                && new.load(Ordering::SeqCst) >= 20
        });
        over.store(true, Ordering::SeqCst);
        counts
    });
    let took = u64::try_from(began.elapsed().as_nanos()).unwrap();
    let budget = (100_000_000 + took) / 100;
    assert!(checked * CHECK_NANOS <= budget, "{checked} checks in {took} ns");

    // Who speaks gRPC is told in its way; who comes from the same network with a new token waits, too.
    let new_token = acme.token().claim("jti", "new").text();
    let (mut refused_besides, mut checked_besides) = (0, 0);
    wait_until("a refusal in gRPC", || {
        let grpc = orders(&forged).header("Content-Type", "application/grpc");
        let answer = Connection::from(FLOODER, gateway.address()).ask(&grpc);
        assert_eq!(answer.status, 200);
        match answer.header("grpc-status") {
            Some("14") => {
                assert_eq!(answer.header("x-problem-code"), Some("verification_overloaded"));
                assert_eq!(answer.header("retry-after"), Some("1"));
                refused_besides += 1;
                Some(())
            }
            other => {
                assert_eq!(other, Some("16"));
                checked_besides += 1;
                None
            }
        }
    });

    // Every number adds up, once the last answer is counted, which is after it was sent.
    let (served, new) = (served.into_inner(), new.into_inner());
    let answered = 1 + served + new + checked + checked_besides + refused + refused_besides;
    wait_until("the last count", || {
        let counted = gateway.metric("tollgate_decisions_total", &[]) as u64;
        (counted >= answered).then_some(())
    });
    let metrics = gateway.metrics();
    let count = |name: &str, labels: &[(&str, &str)]| metrics.sum(name, labels) as u64;
    let outcome = |outcome| count("tollgate_decisions_total", &[("outcome", outcome)]);
    let all_checked = outcome("invalid_token");
    assert_eq!(all_checked, checked + checked_besides);
    assert_eq!(outcome("verification_overloaded"), refused + refused_besides);
    let refusals = |labels: &[(&str, &str)]| count("tollgate_verifications_refused_total", labels);
    assert_eq!(refusals(&[("bucket", "source")]), refused + refused_besides);
    assert_eq!(refusals(&[]), refused + refused_besides);
    let spent = count("tollgate_forgery_nanoseconds_total", &[("issuer", ACME)]);
    assert_eq!(spent, all_checked * CHECK_NANOS);
    assert_eq!(outcome("permit"), 1 + served + new);
    assert_eq!(count("tollgate_token_cache_hits_total", &[]), served);
    let verified = count("tollgate_token_verify_seconds_count", &[("issuer", ACME)]);
    assert_eq!(verified, 1 + new + all_checked);
    assert_eq!(
        count("tollgate_token_cache_entries", &[]),
        1 + new,
        "what is refused is not kept"
    );
    assert_eq!(count("tollgate_token_cache_evictions_total", &[]), 0);
    assert_eq!(count("tollgate_token_rejections_total", &[]), all_checked);

    // The operator was told once, at the first.
    let told = gateway.log_lines().into_iter();
    let told: Vec<String> = told
        .filter(|line| line.contains("forgery_budget_spent"))
        .collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].contains("127.0.0.0") && told[0].contains("\"refused\":1"),
        "{told:?}"
    );

    // Then there is time enough for another check, and for a good token.
    let mut flooder = Connection::from(FLOODER, gateway.address());
    wait_until("a check for the flooder", || {
        let answer = flooder.ask(&orders(&forged));
        (said(&answer) == (401, "invalid_token".to_owned())).then_some(())
    });
    wait_until("a check for a new caller from there", || {
        (flooder.ask(&orders(&new_token)).status == 200).then_some(())
    });
    assert_eq!(flooder.ask(&orders(&new_token)).status, 200, "remembered");
}

#[test]
fn the_budget_can_be_switched_off_and_a_reload_gives_nothing_back() {
    // A hundredth of a core for ten seconds: 312 checks of ES384, and then one in 32 ms.
    const CHECKS: u128 = 312;
    const ONE_IN_MILLIS: u128 = 32;
    let acme = Issuer::new(ACME, "k1", Es384);
    let mallory = Issuer::new(ACME, "k1", Es384);
    let upstream = Upstream::start();
    let config = |server: &str| config(&upstream, server).replace("ES256", "ES384");
    let off = config("forgery_budget = \"off\"");
    let gateway = Gateway::start_with(&off, &[("acme.json", &acme.jwks())]);
    let forged = acme.token().signed_by(&mallory).text();
    let mut flooder = Connection::from(FLOODER, gateway.address());
    for _ in 0..=CHECKS {
        assert_eq!(flooder.ask(&orders(&forged)).status, 401);
    }
    let small = config(
        "forgery_budget = \"5%\"\nforgery_budget_per_source = \"1%\"\nforgery_burst = \"10s\"\nforgery_hold = \"0s\"",
    );
    let (mut began, mut checked) = (None, 0);
    for round in 0..4 {
        gateway.write_config(&format!("{small}\n# {round}\n"));
        wait_until("the reload", || {
            let generation = gateway.metric("tollgate_config_generation", &[]);
            (generation >= f64::from(round + 2)).then_some(())
        });
        let began = began.get_or_insert_with(Instant::now);
        checked += u128::from(flood(&gateway, &forged, |_, refused| refused >= 1).0);
        let took = began.elapsed().as_millis();
        let most = CHECKS + took / ONE_IN_MILLIS + 1;
        assert!(checked >= CHECKS, "{checked}");
        assert!(
            checked <= most,
            "{checked} checks, at most {most}, after {round} more reloads"
        );
    }
}

#[test]
fn an_explanation_says_that_the_budget_is_spent_and_spends_nothing_itself() {
    let acme = Issuer::new(ACME, "k1", Es384);
    let mallory = Issuer::new(ACME, "k1", Es384);
    let upstream = Upstream::start();
    let small = "forgery_budget = \"5%\"\nforgery_budget_per_source = \"1%\"\nforgery_burst = \"1s\"\nforgery_hold = \"0s\"";
    let config = config(&upstream, small).replace("ES256", "ES384");
    let admin = "[state]\nkind = \"embedded\"\npath = \"state/s.redb\"\n[admin]\naddress = \"127.0.0.1:0\"\n\
                 token_file = \"admin.token\"\n";
    let gateway = Gateway::start_with(&format!("{config}\n{admin}"), &[("acme.json", &acme.jwks())]);
    let operator = std::fs::read_to_string(gateway.directory().join("admin.token")).unwrap();
    let (good, forged) = (acme.token().text(), acme.token().signed_by(&mallory).text());
    let explain = |client: IpAddr| {
        let question = json!({ "url": "/orders/1", "token": good, "client_ip": client.to_string() });
        let asked = post("/v1/explain", question.to_string())
            .header("Content-Type", "application/json")
            .bearer(operator.trim());
        let told = asked
            .host(&gateway.admin_address().to_string())
            .send(gateway.admin_address());
        assert_eq!(told.status, 200, "{}", told.text());
        told.json()
    };
    // However often it is asked, nothing is spent.
    for _ in 0..100 {
        assert_eq!(explain(FLOODER)["verdict"], "permitted");
    }
    let told = wait_until("an explanation while nothing is left", || {
        flood(&gateway, &forged, |_, refused| refused >= 1);
        let told = explain(FLOODER);
        (told["verdict"] == "denied").then_some(told)
    });
    let decided = &told["denial"];
    let text = told.to_string();
    assert_eq!(decided["code"], "verification_overloaded", "{text}");
    assert_eq!(decided["reason"], "source_budget_spent", "{text}");
    assert!(text.contains("forgery_budget_per_source"), "{text}");
    assert!(
        text.contains("1% of a core may go into bad tokens from this network"),
        "{text}"
    );
    assert_eq!(explain(STRANGER)["verdict"], "permitted");
}

#[test]
fn whoever_floods_waits_for_each_answer_and_nobody_else_does() {
    let acme = Issuer::new(ACME, "k1", Es256);
    let mallory = Issuer::new(ACME, "k1", Es256);
    let upstream = Upstream::start();
    let held = SMALL.replace("0s", "10s");
    let gateway = Gateway::start_with(&config(&upstream, &held), &[("acme.json", &acme.jwks())]);
    let remembered = acme.token().text();
    let mut known = Connection::from(NEIGHBOUR, gateway.address());
    assert_eq!(known.ask(&orders(&remembered)).status, 200);
    let forged = orders(&acme.token().signed_by(&mallory).text());
    let mut flooder = Connection::from(FLOODER, gateway.address());
    // A few bad tokens may come of a mistake.
    for _ in 0..3 {
        assert_eq!(flooder.ask(&forged).status, 401);
    }
    // The network's bucket holds 18 checks: some of these would be 401, most 503.
    let mut flood: Vec<Connection> = (0..40)
        .map(|_| {
            let mut connection = Connection::from(FLOODER, gateway.address());
            connection.write(&forged.bytes());
            connection
        })
        .collect();
    // The last one has been read when somebody who came later is answered.
    assert_eq!(known.ask(&orders(&remembered)).status, 200);
    let stranger =
        Connection::from(STRANGER, gateway.address()).ask(&orders(&acme.token().claim("jti", "new").text()));
    assert_eq!(stranger.status, 200);
    // Answers come in microseconds, and in five seconds at the earliest if they are held back.
    let early = flood
        .iter_mut()
        .filter_map(|connection| {
            connection
                .has_answer_within(Duration::from_millis(50))
                .then_some(())
        })
        .count();
    assert_eq!(early, 0);
}
