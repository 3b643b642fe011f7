//! `POST /introspect` (RFC 7662): what a token says, to applications that prove who they are.
//! Every token that is not good is one and the same: inactive, and nothing else.

use tollgate::token::Algorithm;

use super::{Issuing, SECRET, basic, claims, encoded, form, json, says};
use crate::harness::{Issuer, Response};

fn introspect(world: &Issuing, body: &str) -> Response {
    let field = basic("desktop-app", &encoded(SECRET));
    world.ask(&form("/introspect", body).header("Authorization", &field))
}

#[test]
fn a_good_token_shows_its_claims_and_every_other_only_that_it_is_none() {
    let world = Issuing::start("", "");
    let token = world.token();
    let answer = introspect(&world, &format!("token={token}&token_type_hint=access_token"));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let body = json(&answer);
    assert_eq!(body["active"], true);
    assert_eq!(body["token_type"], "Bearer");
    let said = claims(&token);
    for claim in [
        "iss",
        "sub",
        "aud",
        "exp",
        "iat",
        "nbf",
        "jti",
        "client_id",
        "scope",
        "app_id",
    ] {
        assert_eq!(body[claim], said[claim], "{claim}");
    }
    let forger = Issuer::new(super::ISSUER, "own-1", Algorithm::Es256);
    let forged = forger.token().header("typ", "at+jwt").text();
    let (signed, _) = token.rsplit_once('.').unwrap();
    for text in [
        "x",
        "a.b.c",
        &forged,
        signed,
        &format!("{signed}."),
        &format!("{token}A"),
    ] {
        let answer = introspect(&world, &format!("token={text}"));
        assert_eq!(answer.status, 200, "{text}");
        assert_eq!(json(&answer), serde_json::json!({ "active": false }), "{text}");
    }
    assert_eq!(says(&introspect(&world, "")), "400 invalid_request");
    assert_eq!(
        says(&introspect(&world, "token=a&token=b")),
        "400 invalid_request"
    );
    for (id, secret) in [("desktop-app", "wrong"), ("nobody", SECRET)] {
        let request = form("/introspect", &format!("token={token}"));
        let answer = world.ask(&request.header("Authorization", &basic(id, &encoded(secret))));
        assert_eq!(says(&answer), "401 invalid_client");
    }
    let answer = world.ask(&form("/introspect", &format!("token={token}")));
    assert_eq!(says(&answer), "401 invalid_client");
    // Whoever is suspended has no good tokens, and asks for none.
    let suspended = super::configuration(&world.upstream, "", "").replacen(
        "id = \"mobile\"\n",
        "id = \"mobile\"\nsuspended = true\n",
        1,
    );
    world.gateway.write_config(&suspended);
    world
        .gateway
        .wait_for_log(|line| line["event"] == "configuration_applied");
    let answer = introspect(&world, &format!("token={token}"));
    assert_eq!(json(&answer), serde_json::json!({ "active": false }));
}
