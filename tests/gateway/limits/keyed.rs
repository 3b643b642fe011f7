//! Callers whom no configuration names: by their address, by a claim, or by what their token calls them.
//! Nobody uses what is another's, and nobody gets more by being somebody else.

use std::net::{IpAddr, Ipv4Addr};

use crate::harness::{Connection, get};
use crate::limits::{Scene, api, application, keyless};

#[test]
fn nobody_uses_what_belongs_to_another_address() {
    let scene = Scene::start(&keyless("open", "quota = { requests = 3, per = \"month\" }"));
    let from = |address: &str| get("/open/").header("X-Forwarded-For", address);
    for address in ["192.0.2.1", "192.0.2.2", "2001:db8:1:1::1", "2001:db8:1:2::1"] {
        assert_eq!(
            scene.count(&from(address)),
            (3, "quota_exceeded".to_owned()),
            "{address}"
        );
    }
    // One subscriber of IPv6 has a /64, and one address may be written in two ways.
    for address in ["2001:db8:1:1::2", "2001:db8:1:1:ffff::1", "::ffff:192.0.2.1"] {
        assert_eq!(scene.count(&from(address)).0, 0, "{address}");
    }
    // What stands left of the last address that is no proxy's anybody may have written.
    assert_eq!(scene.count(&from("203.0.113.9, 192.0.2.1")).0, 0);
    assert_eq!(scene.count(&from("192.0.2.1, 203.0.113.9")).0, 3);
    // Who is no trusted proxy cannot say that it is somebody else.
    let stranger = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
    let passed = (0..10).filter(|n| {
        let mut connection = Connection::from(stranger, scene.gateway.address());
        connection.ask(&from(&format!("198.51.100.{n}"))).status == 200
    });
    assert_eq!(passed.count(), 3);
}

#[test]
fn claims_say_who_shares_a_limit_and_how_much_there_is() {
    let plan = "quota = { requests = 6, per = \"month\", requests_from = \"most\", key_from = \"tenant\" }\n\
                rate = { requests = 50, per = \"1m\" }";
    let tables = [
        api("orders", "", plan),
        application("mobile", "", &["orders"]),
        application("desktop", "", &["orders"]),
    ];
    let scene = Scene::start(&tables.concat());
    let token = |application: &str| scene.acme.token().client(&format!("{application}-app"));
    let ask = |token: crate::harness::Token<'_>| scene.count(&get("/orders/").bearer(&token.text()));
    let exceeded = |passed: usize| (passed, "quota_exceeded".to_owned());
    // Both are of one tenant.
    assert_eq!(
        scene
            .passing(
                4,
                &get("/orders/").bearer(&token("mobile").claim("tenant", "a").text())
            )
            .0,
        4
    );
    assert_eq!(ask(token("desktop").claim("tenant", "a")), exceeded(2));
    assert_eq!(ask(token("mobile").claim("tenant", "b")), exceeded(6));
    // Numbers and booleans are values, too; without the claim each subscription has its own.
    assert_eq!(ask(token("mobile").claim("tenant", 7)), exceeded(6));
    assert_eq!(ask(token("mobile").claim("tenant", true)), exceeded(6));
    assert_eq!(ask(token("desktop")), exceeded(6));
    // A number of the token's own is good up to the plan's.
    assert_eq!(
        ask(token("mobile").claim("tenant", "c").claim("most", 2)),
        exceeded(2)
    );
    assert_eq!(
        ask(token("mobile").claim("tenant", "d").claim("most", 1000)),
        exceeded(6)
    );
    // What cannot be counted by is refused.
    for (claim, value) in [
        ("tenant", serde_json::json!(["a"])),
        ("tenant", serde_json::json!({ "a": 1 })),
        ("most", serde_json::json!("10")),
        ("most", serde_json::json!(0)),
        ("most", serde_json::json!(-1)),
        ("most", serde_json::json!(2.5)),
    ] {
        let answer = scene.send(&get("/orders/").bearer(&token("mobile").claim(claim, value.clone()).text()));
        assert_eq!(
            (answer.status, answer.code()),
            (403, "claim_required".to_owned()),
            "{claim} {value}"
        );
        let reason = &scene.line(&answer)["reason"];
        let expected = if claim == "tenant" {
            "limit_key_malformed"
        } else {
            "limit_requests_malformed"
        };
        assert_eq!(reason, expected);
    }
}

#[test]
fn without_subscriptions_each_caller_is_counted_by_what_is_known() {
    let plan = "subscription_validation = false\nquota = { requests = 3, per = \"month\" }";
    let tables = [api("orders", "", plan), application("mobile", "", &[])];
    let scene = Scene::start(&tables.concat());
    let ask = |token: crate::harness::Token<'_>| scene.count(&get("/orders/").bearer(&token.text())).0;
    let token = || scene.acme.token();
    // The application, whoever its user is.
    assert_eq!(ask(token().client("mobile-app").claim("sub", "alice")), 3);
    assert_eq!(ask(token().client("mobile-app").claim("sub", "bob")), 0);
    // A client that is no application.
    assert_eq!(ask(token().client("stranger").claim("sub", "alice")), 3);
    assert_eq!(ask(token().client("stranger").claim("sub", "bob")), 0);
    // A subject.
    assert_eq!(ask(token().without("azp").claim("sub", "alice")), 3);
    assert_eq!(ask(token().without("azp").claim("sub", "alice")), 0);
    assert_eq!(ask(token().without("azp").claim("sub", "bob")), 3);
}
