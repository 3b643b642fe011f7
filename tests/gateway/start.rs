//! From start to end of the process, with an honest caller in between.
//!
//! Also the proof that the harness works: if these fail, look here first.

use tollgate::token::Algorithm;

use crate::harness::{Answer, Connection, Gateway, Issuer, Upstream, get, post, respond, wait_until};

fn config(upstream: &Upstream, keys: &str) -> String {
    format!(
        r#"
        [[issuer]]
        name = "https://acme.example/"
        algorithms = ["ES256"]
        audiences = ["https://api.example.com"]
        {keys}

        [[upstream]]
        name = "sample"
        peers = ["{upstream}"]

        [[api]]
        name = "orders"
        context_path = "/orders"
        upstream = "sample"

        [[api.plan]]
        name = "gold"
        security = "jwt"
        issuers = ["https://acme.example/"]

        [[application]]
        id = "mobile"
        client_ids = ["mobile-app"]

        [[subscription]]
        application = "mobile"
        api = "orders"
        plan = "gold"
        "#,
        upstream = upstream.address()
    )
}

#[test]
fn a_subscriber_is_served_from_start_to_sigterm_and_every_request_is_logged() {
    let acme = Issuer::new("https://acme.example/", "k1", Algorithm::Es256);
    let upstream = Upstream::start();
    let mut gateway = Gateway::start_with(
        &config(&upstream, "jwks.file = \"acme.json\""),
        &[("acme.json", &acme.jwks())],
    );
    assert_eq!(gateway.status_page("/live").status, 200);
    assert_eq!(gateway.status_page("/ready").status, 200);
    let token = acme.token().text();

    let mut connection = Connection::open(gateway.address());
    for _ in 0..3 {
        let answer = connection.ask(&get("/orders/1").bearer(&token));
        assert_eq!(
            (answer.status, answer.json()["target"].as_str()),
            (200, Some("/orders/1"))
        );
        upstream.take_one();
    }
    assert_eq!(
        upstream.connections(),
        1,
        "the connection to the upstream is used again"
    );
    let answer = connection.ask(&post("/orders", "{}").bearer(&token));
    assert_eq!((answer.status, answer.json()["body"].as_str()), (200, Some("{}")));
    assert_eq!(upstream.take_one().body, b"{}");
    let answer = connection.ask(&get("/orders/1"));
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (401, "missing_credentials")
    );

    gateway.wait_for_log(|line| line["event"] == "ready");
    let line = gateway.access_line(&answer);
    assert_eq!(line["outcome"], "missing_credentials");
    gateway.signal("TERM");
    assert!(gateway.wait_for_exit().success());
    assert_eq!(gateway.access_lines().len(), 5);
}

#[test]
fn keys_are_fetched_before_the_first_request_and_a_new_configuration_needs_no_restart() {
    let acme = Issuer::new("https://acme.example/", "k1", Algorithm::Es256);
    let jwks = acme.jwks();
    let keys = Upstream::answering(move |_| Answer::Bytes(respond(200, &[], &jwks)));
    let upstream = Upstream::start();
    let first = config(
        &upstream,
        &format!("jwks.url = \"http://{}/keys\"", keys.address()),
    );
    let gateway = Gateway::start(&first);
    assert_eq!(keys.take_one().target, "/keys");
    let token = acme.token().text();
    let status = |path: &str| get(path).bearer(&token).send(gateway.address()).status;
    assert_eq!(status("/orders/1"), 200);
    assert_eq!(status("/invoices/1"), 404);

    gateway.write_config(&first.replace("/orders", "/invoices"));
    wait_until("the new path", || {
        Some(()).filter(|()| status("/invoices/1") == 200)
    });
    assert_eq!(status("/orders/1"), 404);
    assert!(keys.take().is_empty(), "keys that are here are not fetched again");
}
