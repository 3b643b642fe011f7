//! What an answer says, judged: its times, audience, issuer and type, the claims, the subscription, the scopes.
//! Each row is asked twice: what is remembered must say the same.

use serde_json::{Value, json};

use super::{AuthServer, Says, active, form_of, gateway, judged};
use crate::harness::{Upstream, get, now};

#[test]
fn an_answer_is_judged_as_a_signed_tokens_claims_are() {
    let (server, upstream) = (AuthServer::start(), Upstream::start());
    let gateway = gateway(&server, &upstream, "required_claims = [\"sub\"]");
    let none = Value::Null;
    let rows = [
        ("good", json!({}), "/orders/1", 200, ""),
        ("without_exp", json!({ "exp": none }), "/orders/1", 200, ""),
        ("without_iss", json!({ "iss": none }), "/orders/1", 200, ""),
        (
            "without_type",
            json!({ "token_type": none }),
            "/orders/1",
            200,
            "",
        ),
        (
            "many_audiences",
            json!({ "aud": ["x", "https://api.example.com"] }),
            "/orders/1",
            200,
            "",
        ),
        (
            "expired",
            json!({ "exp": now() - 3600 }),
            "/orders/1",
            401,
            "expired",
        ),
        (
            "early",
            json!({ "nbf": now() + 3600 }),
            "/orders/1",
            401,
            "not_yet_valid",
        ),
        (
            "issued_later",
            json!({ "iat": now() + 3600 }),
            "/orders/1",
            401,
            "issued_in_future",
        ),
        (
            "exp_text",
            json!({ "exp": (now() + 300).to_string() }),
            "/orders/1",
            401,
            "time_malformed",
        ),
        (
            "other_issuer",
            json!({ "iss": "https://evil.example/" }),
            "/orders/1",
            401,
            "issuer_unknown",
        ),
        (
            "refresh",
            json!({ "token_type": "refresh_token" }),
            "/orders/1",
            401,
            "type_not_allowed",
        ),
        (
            "refresh_by_use",
            json!({ "token_use": "refresh_token" }),
            "/orders/1",
            401,
            "type_not_allowed",
        ),
        (
            "dpop",
            json!({ "token_type": "DPoP" }),
            "/orders/1",
            401,
            "type_not_allowed",
        ),
        (
            "bound",
            json!({ "cnf": { "jkt": "x" } }),
            "/orders/1",
            401,
            "proof_missing",
        ),
        (
            "no_audience",
            json!({ "aud": none }),
            "/orders/1",
            401,
            "audience_missing",
        ),
        (
            "other_audience",
            json!({ "aud": "https://other.example" }),
            "/orders/1",
            401,
            "audience_mismatch",
        ),
        (
            "bad_audience",
            json!({ "aud": 7 }),
            "/orders/1",
            401,
            "audience_malformed",
        ),
        (
            "no_sub",
            json!({ "sub": none }),
            "/orders/1",
            401,
            "claim_missing",
        ),
        (
            "sub_number",
            json!({ "sub": 7 }),
            "/orders/1",
            401,
            "subject_type_invalid",
        ),
        (
            "client_number",
            json!({ "client_id": 7 }),
            "/orders/1",
            401,
            "client_id_type_invalid",
        ),
        (
            "scope_number",
            json!({ "scope": 7 }),
            "/orders/1",
            401,
            "scopes_type_invalid",
        ),
        ("header", json!({ "username": "a\u{0}b" }), "/orders/1", 200, ""),
        (
            "nobody",
            json!({ "client_id": "nobody" }),
            "/orders/1",
            403,
            "subscription_not_found",
        ),
        (
            "no_client",
            json!({ "client_id": none }),
            "/orders/1",
            403,
            "subscription_not_found",
        ),
        (
            "suspended",
            json!({ "client_id": "suspended-app" }),
            "/orders/1",
            403,
            "application_suspended",
        ),
        (
            "paused",
            json!({ "client_id": "paused-app" }),
            "/orders/1",
            403,
            "subscription_paused",
        ),
        ("no_scope", json!({}), "/orders/menu", 403, "insufficient_scope"),
        (
            "other_scope",
            json!({ "scope": "menu:write" }),
            "/orders/menu",
            403,
            "insufficient_scope",
        ),
        (
            "scope",
            json!({ "scope": " menu:write  menu:read " }),
            "/orders/menu",
            200,
            "",
        ),
        ("no_claim", json!({}), "/orders/kitchen", 403, "claim_required"),
        (
            "claim",
            json!({ "department": "kitchen" }),
            "/orders/kitchen",
            200,
            "",
        ),
    ];
    for (token, further, ..) in &rows {
        server.knows(token, further.clone());
    }
    // What is remembered must say the same again, and nobody is asked again.
    for round in ["first", "again"] {
        for (token, _, target, status, reason) in &rows {
            let found = judged(&gateway, target, token);
            assert_eq!((found.0, &*found.2), (*status, *reason), "{token}, {round}");
        }
        server.take();
    }
}

#[test]
fn a_token_that_is_nothing_is_refused_as_such() {
    let (server, upstream) = (AuthServer::start(), Upstream::start());
    let gateway = gateway(&server, &upstream, "");
    // An inactive token with the members of an active one.
    let mut inactive = active(json!({}));
    inactive["active"] = json!(false);
    server.says("inactive", Says::json(&inactive));
    for (token, reason) in [("unknown", "token_inactive"), ("inactive", "token_inactive")] {
        let answer = get("/orders/1").bearer(token).send(gateway.address());
        assert_eq!((answer.status, answer.code()), (401, "invalid_token".to_owned()));
        assert_eq!(
            answer.header("www-authenticate"),
            Some("Bearer error=\"invalid_token\", error_description=\"The token is not active\"")
        );
        assert_eq!(gateway.access_line(&answer)["reason"], reason);
    }
    server.take();
    // What no token can be is not asked about.
    for token in [
        "a&token=b",
        "a%20b",
        "a\"b",
        "a,b",
        "==",
        &"a".repeat(16 * 1024 + 1),
    ] {
        assert_eq!(judged(&gateway, "/orders/1", token).0, 401, "{token:.40}");
    }
    assert_eq!(server.asked(), [""; 0]);
    let rejected = |reason| {
        gateway.metric(
            "tollgate_token_rejections_total",
            &[("issuer", super::ISSUER), ("reason", reason)],
        )
    };
    assert_eq!(rejected("token_inactive"), 2.0);
    assert_eq!(
        (rejected("characters_malformed"), rejected("token_too_long")),
        (5.0, 1.0)
    );
}

#[test]
fn a_question_is_written_as_rfc_7662_has_it_and_claims_go_upstream() {
    let (server, upstream) = (AuthServer::start(), Upstream::start());
    let gateway = gateway(&server, &upstream, "");
    server.knows("a-._~+/b==", json!({ "username": "Alice" }));
    let answer = get("/orders/1").bearer("a-._~+/b==").send(gateway.address());
    assert_eq!(answer.status, 200, "{}", answer.text());
    let asked = server.take().remove(0);
    assert_eq!((&*asked.method, &*asked.target), ("POST", "/introspect?tenant=1"));
    assert_eq!(
        asked.values("content-type"),
        ["application/x-www-form-urlencoded"]
    );
    assert_eq!(asked.values("accept"), ["application/json"]);
    let form = form_of(&asked);
    assert_eq!(
        (&*form["token"], &*form["token_type_hint"]),
        ("a-._~+/b==", "access_token")
    );
    assert_eq!(form.len(), 2);
    let received = upstream.take_one();
    assert_eq!(received.values("x-user"), ["alice"]);
    assert_eq!(received.values("x-name"), ["Alice"]);
    assert_eq!(received.values("authorization"), [""; 0]);
    let line = gateway.access_line(&answer);
    assert_eq!(
        (&line["issuer"], &line["client_id"], &line["application"]),
        (&json!(super::ISSUER), &json!("mobile-app"), &json!("mobile"))
    );
}
