//! `/token`: every good path, and what RFC 6749 section 5.2 says of the others.
//! Each case is one request to the real thing, so that nothing between socket and rule is left out.

use serde_json::Value;

use super::{
    ISSUER, Issuing, PASSWORD, SECRET, basic, by_basic, claims, encoded, form, json, says, token_of,
};
use crate::harness::{get, post, request};

const GRANT: &str = "grant_type=client_credentials";

#[test]
fn a_token_from_the_token_service_passes_the_gateways_own_plan() {
    let world = Issuing::start("", "");
    let answer = world.ask(&by_basic("mobile-app", SECRET, GRANT));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("pragma"), Some("no-cache"));
    let body = json(&answer);
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["expires_in"], 600);
    assert_eq!(body["scope"], "menu:read menu:write");
    let token = token_of(&answer);
    let said = claims(&token);
    for (claim, expected) in [
        ("iss", ISSUER),
        ("sub", "mobile"),
        ("aud", "https://api.example.com"),
        ("app_id", "mobile"),
        ("azp", "mobile-app"),
        ("client_id", "mobile-app"),
        ("scope", "menu:read menu:write"),
    ] {
        assert_eq!(said[claim], expected, "{claim}");
    }
    let moment = |claim: &str| said[claim].as_i64().unwrap();
    assert_eq!(moment("exp") - moment("iat"), 600);
    assert_eq!(moment("nbf"), moment("iat"));
    assert_eq!(said["jti"].as_str().unwrap().len(), 22);
    assert_eq!(world.call("/orders/menu", &token).status, 200);
    let seen = world.upstream.take_one();
    assert_eq!(seen.values("x-user"), ["mobile"]);
    // Two tokens are never one.
    assert_ne!(claims(&world.token())["jti"], said["jti"]);
    assert!(
        world.gateway.metric(
            "tollgate_token_service_requests_total",
            &[("endpoint", "token"), ("result", "ok")]
        ) >= 2.0
    );
}

#[test]
fn clients_prove_themselves_in_one_place_and_get_what_they_may_have() {
    let world = Issuing::start("", "");
    let in_form = |id: &str, secret: &str, more: &str| {
        let body = format!(
            "{GRANT}&client_id={}&client_secret={}{more}",
            encoded(id),
            encoded(secret)
        );
        form("/token", &body)
    };
    let basic_of = |body: &str| by_basic("mobile-app", SECRET, body);
    for (what, request, expected) in [
        ("Basic", basic_of(GRANT), "200 -"),
        ("the form", in_form("mobile-app", SECRET, ""), "200 -"),
        (
            "Basic, as it is",
            form("/token", GRANT).header("Authorization", &basic("mobile-app", SECRET)),
            "200 -",
        ),
        ("another client id", in_form("mobile-other", SECRET, ""), "200 -"),
        (
            "the id in both",
            basic_of(&format!("{GRANT}&client_id=mobile-app")),
            "200 -",
        ),
        (
            "an unknown parameter",
            basic_of(&format!("{GRANT}&resource=x")),
            "200 -",
        ),
        (
            "no scope to have",
            by_basic("desktop-app", SECRET, GRANT),
            "200 -",
        ),
        // Authentication.
        (
            "a wrong secret",
            by_basic("mobile-app", "wrong", GRANT),
            "401 invalid_client",
        ),
        ("nobody", by_basic("nobody", SECRET, GRANT), "401 invalid_client"),
        (
            "the application's id",
            by_basic("mobile", SECRET, GRANT),
            "401 invalid_client",
        ),
        (
            "another case",
            by_basic("Mobile-app", SECRET, GRANT),
            "401 invalid_client",
        ),
        (
            "a client without a secret",
            by_basic("without-app", SECRET, GRANT),
            "401 invalid_client",
        ),
        ("a user", by_basic("alice", PASSWORD, GRANT), "401 invalid_client"),
        (
            "no secret",
            form("/token", &format!("{GRANT}&client_id=mobile-app")),
            "401 invalid_client",
        ),
        ("nothing", form("/token", GRANT), "401 invalid_client"),
        (
            "both places",
            basic_of(&format!("{GRANT}&client_id=mobile-app&client_secret=x")),
            "400 invalid_request",
        ),
        (
            "two ids",
            basic_of(&format!("{GRANT}&client_id=other")),
            "400 invalid_request",
        ),
        (
            "another scheme",
            form("/token", GRANT).header("Authorization", "Digest username=x"),
            "401 invalid_client",
        ),
        (
            "a token",
            form("/token", GRANT).bearer("a.b.c"),
            "400 invalid_request",
        ),
        (
            "two fields",
            basic_of(GRANT).header("Authorization", &basic("mobile-app", "x")),
            "400 invalid_request",
        ),
        (
            "an assertion",
            form(
                "/token",
                &format!("{GRANT}&client_assertion=x&client_assertion_type=y"),
            ),
            "400 invalid_request",
        ),
        (
            "a suspended application",
            by_basic("asleep-app", SECRET, GRANT),
            "400 unauthorized_client",
        ),
        // Grants.
        ("no grant", basic_of("scope=menu:read"), "400 invalid_request"),
        ("an empty grant", basic_of("grant_type="), "400 invalid_request"),
        (
            "a code",
            basic_of("grant_type=authorization_code&code=x"),
            "400 unsupported_grant_type",
        ),
        (
            "a password",
            basic_of("grant_type=password&username=alice&password=x"),
            "400 unsupported_grant_type",
        ),
        (
            "a refresh",
            basic_of("grant_type=refresh_token&refresh_token=x"),
            "400 unsupported_grant_type",
        ),
        (
            "a grant in capitals",
            basic_of("grant_type=CLIENT_CREDENTIALS"),
            "400 unsupported_grant_type",
        ),
        // Scopes.
        (
            "one scope",
            basic_of(&format!("{GRANT}&scope=menu:read")),
            "200 -",
        ),
        (
            "both, turned round",
            basic_of(&format!("{GRANT}&scope=menu:write+menu:read")),
            "200 -",
        ),
        (
            "one too many",
            basic_of(&format!("{GRANT}&scope=menu:read+admin")),
            "400 invalid_scope",
        ),
        (
            "another's",
            by_basic("desktop-app", SECRET, &format!("{GRANT}&scope=menu:read")),
            "400 invalid_scope",
        ),
        (
            "part of one",
            basic_of(&format!("{GRANT}&scope=menu")),
            "400 invalid_scope",
        ),
        (
            "two spaces",
            basic_of(&format!("{GRANT}&scope=menu:read++menu:write")),
            "400 invalid_scope",
        ),
        (
            "a tab",
            basic_of(&format!("{GRANT}&scope=menu:read%09menu:write")),
            "400 invalid_scope",
        ),
        // Form.
        (
            "a parameter twice",
            basic_of(&format!("{GRANT}&{GRANT}")),
            "400 invalid_request",
        ),
        (
            "no text",
            basic_of(&format!("{GRANT}&scope=%ff")),
            "400 invalid_request",
        ),
        (
            "a query",
            post("/token?grant_type=client_credentials", GRANT)
                .header("Content-Type", "application/x-www-form-urlencoded")
                .header("Authorization", &basic("mobile-app", &encoded(SECRET))),
            "400 invalid_request",
        ),
        (
            "JSON",
            post("/token", "{}").header("Content-Type", "application/json"),
            "400 invalid_request",
        ),
        ("no type", post("/token", GRANT), "400 invalid_request"),
        (
            "too much",
            form("/token", &"x".repeat(70_000)),
            "413 body_too_large",
        ),
        (
            "another method",
            request("PUT", "/token"),
            "405 method_not_allowed",
        ),
        ("another path", get("/authorize"), "404 not_found"),
    ] {
        let answer = world.ask(&request);
        assert_eq!(says(&answer), expected, "{what}: {answer:?}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
        let challenged = answer
            .header("www-authenticate")
            .is_some_and(|it| it.starts_with("Basic "));
        assert_eq!(challenged, answer.status == 401, "{what}");
    }
    let log = world.gateway.log_lines().join("\n");
    for secret in [SECRET, &encoded(SECRET), PASSWORD] {
        assert!(!log.contains(secret), "{secret}");
    }
}

#[test]
fn less_than_everything_is_granted_where_less_is_asked_for() {
    let world = Issuing::start("", "");
    let answer = world.ask(&by_basic(
        "mobile-app",
        SECRET,
        &format!("{GRANT}&scope=menu:write+menu:write"),
    ));
    assert_eq!(json(&answer)["scope"], "menu:write");
    let token = token_of(&answer);
    assert_eq!(world.call("/orders/any", &token).status, 200);
    assert_eq!(world.call("/orders/menu", &token).status, 403);
    let without = world.ask(&by_basic("desktop-app", SECRET, GRANT));
    assert_eq!(json(&without)["scope"], Value::Null);
    assert_eq!(claims(&token_of(&without))["scope"], Value::Null);
    assert_eq!(world.call("/orders/any", &token_of(&without)).status, 200);
}

#[test]
fn users_ask_for_the_applications_that_they_may() {
    let world = Issuing::start("", "");
    let ask = |name: &str, password: &str, query: &str| {
        let field = basic(name, password);
        world.ask(&get(&format!("/token{query}")).header("Authorization", &field))
    };
    for (name, password, query, expected) in [
        ("alice", PASSWORD, "", "200 -"),
        ("alice", PASSWORD, "?app_id=mobile", "200 -"),
        ("alice", PASSWORD, "?app_id=mobile&scope=menu:read", "200 -"),
        ("bob", PASSWORD, "?app_id=desktop", "200 -"),
        // webMethods: the application is not uniquely identified.
        ("bob", PASSWORD, "", "400 application_ambiguous"),
        ("bob", PASSWORD, "?app_id=", "400 application_ambiguous"),
        ("alice", PASSWORD, "?app_id=desktop", "400 unauthorized_client"),
        ("alice", PASSWORD, "?app_id=nobody", "400 unauthorized_client"),
        (
            "alice",
            PASSWORD,
            "?app_id=mobile&app_id=mobile",
            "400 invalid_request",
        ),
        (
            "alice",
            PASSWORD,
            "?app_id=mobile&scope=admin",
            "400 invalid_scope",
        ),
        ("alice", "wrong", "?app_id=mobile", "401 invalid_client"),
        ("carol", PASSWORD, "?app_id=mobile", "401 invalid_client"),
        ("mobile-app", SECRET, "?app_id=mobile", "401 invalid_client"),
    ] {
        let answer = ask(name, password, query);
        assert_eq!(says(&answer), expected, "{name} {query}: {answer:?}");
    }
    let said = claims(&token_of(&ask("bob", PASSWORD, "?app_id=desktop")));
    assert_eq!(said["sub"], "bob");
    assert_eq!(said["app_id"], "desktop");
    assert_eq!(said["azp"], "desktop-app");
    let token = token_of(&ask("alice", PASSWORD, ""));
    assert_eq!(world.call("/orders/menu", &token).status, 200);
    let seen = world.upstream.take_one();
    assert_eq!(seen.values("x-user"), ["alice"]);
    assert_eq!(says(&world.ask(&get("/token"))), "401 invalid_client");
}
