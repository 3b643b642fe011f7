//! `POST /introspect` (RFC 7662) and `POST /revoke` (RFC 7009): what a token says, and that it is to say nothing any more.
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

#[test]
fn a_token_that_is_taken_back_is_good_nowhere_and_what_is_unknown_is_taken_back_already() {
    let state = "[state]\npath = \"state.redb\"\n";
    let mut world = Issuing::start("", state);
    let revoke = |world: &Issuing, id: &str, body: &str| {
        let field = basic(id, &encoded(SECRET));
        world.ask(&form("/revoke", body).header("Authorization", &field))
    };
    let (taken, kept) = (world.token(), world.token());
    assert_eq!(world.call("/orders/menu", &taken).status, 200);
    // Another application's token is not one's own.
    let refused = revoke(&world, "desktop-app", &format!("token={taken}"));
    assert_eq!(says(&refused), "400 unauthorized_client");
    for body in [
        format!("token={taken}&token_type_hint=refresh_token"),
        format!("token={taken}"),
        "token=unknown".to_owned(),
        format!("token={}", taken.replace('.', "")),
    ] {
        let answer = revoke(&world, "mobile-app", &body);
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{body}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    for (id, body, expected) in [
        ("mobile-app", "", "400 invalid_request"),
        ("mobile-app", "token=a&token=b", "400 invalid_request"),
        ("nobody", "token=a", "401 invalid_client"),
    ] {
        assert_eq!(says(&revoke(&world, id, body)), expected, "{body}");
    }
    assert_eq!(
        says(&world.ask(&form("/revoke", "token=a"))),
        "401 invalid_client"
    );
    let inactive = serde_json::json!({ "active": false });
    // After a restart, too.
    for _ in 0..2 {
        assert_eq!(world.call("/orders/menu", &taken).status, 401);
        assert_eq!(world.call("/orders/menu", &kept).status, 200);
        assert_eq!(json(&introspect(&world, &format!("token={taken}"))), inactive);
        assert_eq!(
            json(&introspect(&world, &format!("token={kept}")))["active"],
            true
        );
        world.gateway.restart("TERM");
    }
    let metadata = json(&world.ask(&crate::harness::get("/.well-known/openid-configuration")));
    assert_eq!(
        metadata["revocation_endpoint"],
        "https://tokens.example.com/revoke"
    );
    let without = Issuing::start("", "");
    assert_eq!(
        says(&revoke(&without, "mobile-app", "token=a")),
        "404 not_configured"
    );
}
