//! What a reload changes about questions and answers, and plans of both kinds side by side.
//! Which tokens reach the server at all is seen there.

use serde_json::json;
use tollgate::token::Algorithm;

use super::{AuthServer, FROM_FILE, ISSUER, Says, api, form_of, issuer, judged};
use crate::harness::{Gateway, Issuer, Upstream, get, wait_until};

#[test]
fn answers_belong_to_whoever_asked_and_whom() {
    let (server, upstream) = (AuthServer::start(), Upstream::start());
    let config = |further: &str| issuer(&server, &format!("{FROM_FILE}\n{further}")) + &api(&upstream);
    let gateway = Gateway::start_with(&config(""), &[("secret.txt", "one")]);
    let reload = |further: &str, generation: f64| {
        gateway.write_config(&config(further));
        wait_until("the reload", || {
            (gateway.metric("tollgate_config_generation", &[]) >= generation).then_some(())
        });
    };
    server.knows("opaque", json!({}));
    assert_eq!(judged(&gateway, "/orders/1", "opaque").0, 200);
    assert_eq!(server.asked().len(), 1);
    // How long to wait is no matter of whose answers they are: nobody is asked again.
    reload("timeout = \"3s\"", 2.0);
    assert_eq!(judged(&gateway, "/orders/1", "opaque").0, 200);
    assert_eq!(server.asked().len(), 0);
    // What must be in an answer is judged on the answer that is here.
    reload("required_claims = [\"department\"]", 3.0);
    assert_eq!(judged(&gateway, "/orders/1", "opaque").2, "claim_missing");
    reload("", 4.0);
    assert_eq!(judged(&gateway, "/orders/1", "opaque").0, 200);
    assert_eq!(server.asked().len(), 0);
    // Another secret is another client: the file is watched.
    gateway.write("secret.txt", "two\n");
    wait_until("the new secret", || {
        (gateway.metric("tollgate_config_generation", &[]) >= 5.0).then_some(())
    });
    assert_eq!(judged(&gateway, "/orders/1", "opaque").0, 200);
    let asked = server.take().remove(0);
    assert_eq!(asked.values("authorization"), ["Basic Z2F0ZSUyMHdheTp0d28="]); // "gate%20way:two"
    // So is another way to show it.
    reload("client_auth = \"post\"", 6.0);
    assert_eq!(judged(&gateway, "/orders/1", "opaque").0, 200);
    let asked = server.take().remove(0);
    let form = form_of(&asked);
    assert_eq!(
        (&*form["client_id"], &*form["client_secret"]),
        ("gate way", "two")
    );
    assert_eq!(asked.values("authorization"), [""; 0]);
}

#[test]
fn signed_tokens_of_an_issuer_with_keys_stay_here_and_all_others_are_asked_about() {
    let (server, upstream) = (AuthServer::start(), Upstream::start());
    let acme = Issuer::new("https://acme.example/", "k1", Algorithm::Es256);
    let other = Issuer::new(ISSUER, "k1", Algorithm::Es256);
    let config = format!(
        r#"
        {}
        [[issuer]]
        name = "https://acme.example/"
        algorithms = ["ES256"]
        audiences = ["https://api.example.com"]
        jwks.file = "acme.json"

        [[upstream]]
        name = "sample"
        peers = ["{}"]

        [[api]]
        name = "both"
        context_path = "/both"
        upstream = "sample"

        [[api.plan]]
        name = "asked"
        security = "oauth2"
        issuers = ["{ISSUER}"]
        subscription_validation = false
        token_from = {{ header = "X-Opaque" }}

        [[api.plan]]
        name = "signed"
        security = "jwt"
        issuers = ["https://acme.example/"]
        subscription_validation = false

        [[api]]
        name = "asking"
        context_path = "/asking"
        upstream = "sample"

        [[api.plan]]
        name = "asked"
        security = "oauth2"
        issuers = ["{ISSUER}"]
        subscription_validation = false
        "#,
        issuer(&server, FROM_FILE),
        upstream.address()
    );
    let files = [("secret.txt", "one"), ("acme.json", &*acme.jwks())];
    let gateway = Gateway::start_with(&config, &files);
    let signed = acme.token().text();
    let expired = acme.token().expired().text();
    let forged = acme.token().signed_by(&other).text();
    let foreign = other.token().text();
    for token in [&*signed, &expired, &foreign, "opaque", "a.b.c"] {
        server.knows(token, json!({}));
    }
    // Target, token, status, plan or reason, and whether it was asked about.
    for (target, token, status, says, asked) in [
        ("/both/1", &*signed, 200, "signed", false),
        ("/both/1", &expired, 401, "expired", false),
        ("/both/1", &forged, 401, "signature_invalid", false),
        ("/both/1", &foreign, 200, "asked", true),
        ("/both/1", "opaque", 200, "asked", true),
        ("/both/1", "a.b.c", 200, "asked", true),
        ("/both/1", "unknown", 401, "token_inactive", true),
        // Where no plan takes signed tokens they are like any other.
        ("/asking/1", &signed, 200, "asked", true),
        ("/asking/1", &forged, 401, "token_inactive", true),
        // And where it was asked about before, that is known.
        ("/asking/1", "opaque", 200, "asked", false),
    ] {
        let answer = get(target).bearer(token).send(gateway.address());
        let line = gateway.access_line(&answer);
        let found = line["reason"].as_str().or_else(|| line["plan"].as_str());
        assert_eq!(
            (answer.status, found.unwrap_or_default()),
            (status, says),
            "{target} {token:.20}"
        );
        let questions = server.asked();
        assert_eq!(
            questions.iter().any(|own| own == token),
            asked,
            "{target} {token:.20}"
        );
    }
    // Only the one plan looks there.
    let request = get("/both/1").header("X-Opaque", "opaque");
    assert_eq!(request.send(gateway.address()).status, 200);
    let request = get("/both/1").header("X-Opaque", &signed);
    assert_eq!(request.send(gateway.address()).status, 401);
    let request = get("/asking/1").header("X-Opaque", "opaque");
    assert_eq!(request.send(gateway.address()).status, 401);
    assert_eq!(server.asked(), [""; 0]);
    server.says("a.b.c", Says::Nothing);
}
