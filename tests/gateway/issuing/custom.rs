//! `POST /token/custom`: claims of an application's own, and what nobody may say of himself.
//! Who asks is known by one of three things; a claim that makes somebody else of him is refused whoever asks.

use serde_json::{Value, json};
use tollgate::token::Algorithm;

use super::{Issuing, SECRET, basic, claims, encoded, json as body_of, says, token_of};
use crate::harness::{Issuer, Request, get, post};

const LOGIN: &str = r#"
[[issuer]]
name = "https://login.example.com/"
algorithms = ["ES256"]
audiences = ["https://api.example.com"]
jwks.file = "login.json"

[[issuer]]
name = "https://other.example.com/"
algorithms = ["ES256"]
audiences = ["https://api.example.com"]
jwks.file = "login.json"

[[application]]
id = "by-claims"
claim_sets = [{ team = "blue" }]
client_ids = ["blue-app"]

[state]
path = "state.redb"

[admin]
address = "127.0.0.1:0"
token_file = "admin.token"

[[api]]
name = "keyed"
context_path = "/keyed"
upstream = "sample"

[[api.plan]]
name = "keys"
security = "api_key"

[[subscription]]
application = "mobile"
api = "keyed"
plan = "keys"
"#;

const CLAIMS: &str = r#"
custom_claims = ["department", "tier", "team"]
custom_issuers = ["https://login.example.com/"]
"#;

fn custom(body: &Value) -> Request {
    post("/token/custom", body.to_string()).header("Content-Type", "application/json")
}

fn by_secret(body: &Value) -> Request {
    custom(body).header("Authorization", &basic("mobile-app", &encoded(SECRET)))
}

#[test]
fn an_application_adds_claims_of_its_own() {
    let login = Issuer::new("https://login.example.com/", "l1", Algorithm::Es256);
    let world = Issuing::start_with(CLAIMS, LOGIN, &[("login.json", &login.jwks())]);
    let claim = json!({ "claimsSet": { "department": "sales", "tier": { "level": [1, 2.5] } } });
    let key = {
        let token = std::fs::read_to_string(world.gateway.directory().join("admin.token")).unwrap();
        let made = post("/v1/subscriptions/mobile:keyed:keys/keys", "{}")
            .header("Content-Type", "application/json")
            .host(&world.gateway.admin_address().to_string())
            .bearer(token.trim())
            .send(world.gateway.admin_address());
        body_of(&made)["key"].as_str().unwrap().to_owned()
    };
    for (what, request, client) in [
        ("a secret", by_secret(&claim), "mobile-app"),
        (
            "a token",
            custom(&claim).bearer(&login.token().text()),
            "mobile-app",
        ),
        ("a key", custom(&claim).header("X-Api-Key", &key), "mobile-app"),
        (
            "claims of a token",
            custom(&claim).bearer(&login.token().without("azp").claim("team", "blue").text()),
            "blue-app",
        ),
    ] {
        let answer = world.ask(&request);
        assert_eq!(answer.status, 200, "{what}: {answer:?}");
        let said = claims(&token_of(&answer));
        assert_eq!(said["department"], "sales", "{what}");
        assert_eq!(said["tier"]["level"], json!([1, 2.5]), "{what}");
        assert_eq!(said["azp"], client, "{what}");
        assert_eq!(said["sub"], said["app_id"], "{what}");
        assert_eq!(said["iss"], super::ISSUER, "{what}");
    }
    let scoped = json!({ "claimsSet": {}, "scope": "menu:read" });
    let token = token_of(&world.ask(&by_secret(&scoped)));
    assert_eq!(world.call("/orders/menu", &token).status, 200);
    // What nobody may say, and who nobody may be.
    for name in [
        "iss",
        "sub",
        "aud",
        "exp",
        "nbf",
        "iat",
        "jti",
        "app_id",
        "azp",
        "client_id",
        "consumerKey",
        "scope",
        "scp",
        "cnf",
        "act",
        "elsewhere",
        "Department",
    ] {
        let answer = world.ask(&by_secret(&json!({ "claimsSet": { name: "mobile" } })));
        assert_eq!(says(&answer), "400 invalid_claims", "{name}: {answer:?}");
    }
    // Listed, but applications are told apart by it.
    let answer = world.ask(&by_secret(&json!({ "claimsSet": { "team": "blue" } })));
    assert_eq!(says(&answer), "400 invalid_claims", "{answer:?}");
    let long = "x".repeat(5000);
    for (body, expected) in [
        (json!({}), "400 invalid_request"),
        (json!({ "claimsSet": [] }), "400 invalid_request"),
        (json!({ "claimsSet": {}, "sub": "x" }), "400 invalid_request"),
        (json!({ "claimsSet": {}, "scope": 1 }), "400 invalid_request"),
        (json!({ "claimsSet": {}, "scope": "admin" }), "400 invalid_scope"),
        (json!([]), "400 invalid_request"),
        (
            json!({ "claimsSet": { "department": long } }),
            "400 invalid_claims",
        ),
    ] {
        let answer = world.ask(&by_secret(&body));
        assert_eq!(says(&answer), expected, "{body:.80}");
    }
    let twice = post("/token/custom", r#"{"claimsSet":{"tier":1,"t\u0069er":2}}"#)
        .header("Content-Type", "application/json")
        .header("Authorization", &basic("mobile-app", &encoded(SECRET)));
    assert_eq!(says(&world.ask(&twice)), "400 invalid_request");
    let foreign = Issuer::new("https://login.example.com/", "l1", Algorithm::Es256);
    let other = Issuer {
        name: "https://other.example.com/".to_owned(),
        ..Issuer::new("", "l1", Algorithm::Es256)
    };
    for (what, request, expected) in [
        ("nothing", custom(&claim), "401 invalid_client"),
        (
            "a wrong secret",
            custom(&claim).header("Authorization", &basic("mobile-app", "x")),
            "401 invalid_client",
        ),
        (
            "a wrong key",
            custom(&claim).header("X-Api-Key", "abcdefghijkl"),
            "401 invalid_client",
        ),
        (
            "a forged token",
            custom(&claim).bearer(&foreign.token().text()),
            "401 invalid_client",
        ),
        (
            "an expired token",
            custom(&claim).bearer(&login.token().expired().text()),
            "401 invalid_client",
        ),
        (
            "a token for somebody else",
            custom(&claim).bearer(&login.token().claim("aud", "https://else.example.com").text()),
            "401 invalid_client",
        ),
        (
            "another issuer's token",
            custom(&claim).bearer(&other.token().text()),
            "401 invalid_client",
        ),
        (
            "our own token",
            custom(&claim).bearer(&world.token()),
            "401 invalid_client",
        ),
        (
            "nobody's token",
            custom(&claim).bearer(&login.token().client("nobody").text()),
            "400 unauthorized_client",
        ),
        (
            "two applications' token",
            custom(&claim).bearer(&login.token().claim("team", "blue").text()),
            "400 application_ambiguous",
        ),
        (
            "a suspended application's",
            custom(&claim).bearer(&login.token().client("asleep-app").text()),
            "400 unauthorized_client",
        ),
        (
            "a key and a token",
            custom(&claim)
                .header("X-Api-Key", &key)
                .bearer(&login.token().text()),
            "400 invalid_request",
        ),
        (
            "a form",
            post("/token/custom", "claimsSet=x").header("Content-Type", "application/x-www-form-urlencoded"),
            "400 invalid_request",
        ),
    ] {
        let answer = world.ask(&request);
        assert_eq!(says(&answer), expected, "{what}: {answer:?}");
    }
}

#[test]
fn what_is_not_configured_says_so() {
    let world = Issuing::start("", "");
    let answer = world.ask(&by_secret(&json!({ "claimsSet": {} })));
    assert_eq!(says(&answer), "404 not_configured");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    // Whoever takes the service away by a reload still has its listener, until a restart.
    let without =
        super::configuration(&world.upstream, "", "").replace("local = true", "jwks.file = \"none.json\"");
    let (_, callers) = without.split_once("[[issuer]]").unwrap();
    let jwks = String::from_utf8(world.ask(&get("/.well-known/jwks.json")).body).unwrap();
    world.gateway.write("none.json", &jwks);
    world.gateway.write_config(&format!("[[issuer]]{callers}"));
    world
        .gateway
        .wait_for_log(|line| line["event"] == "configuration_applied");
    for request in [
        super::by_basic("mobile-app", SECRET, "grant_type=client_credentials"),
        get("/token"),
        get("/.well-known/jwks.json"),
        get("/.well-known/openid-configuration"),
        super::form("/introspect", "token=x"),
        super::form("/revoke", "token=x"),
    ] {
        let answer = world.ask(&request);
        assert_eq!(says(&answer), "404 not_configured", "{answer:?}");
        let detail = body_of(&answer)["detail"].as_str().unwrap().to_owned();
        assert_eq!(detail, "the token service is not configured");
    }
}
