//! The keys: made, private, of each algorithm, and rotated while traffic flows.
//! Moments of rotation are tested where time is an argument (`src/issuing/tests.rs`); here a key comes in by a reload.

use std::os::unix::fs::PermissionsExt as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::{Issuing, json};
use crate::harness::get;

fn jwks(world: &Issuing) -> Vec<Value> {
    let answer = world.ask(&get("/.well-known/jwks.json"));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/jwk-set+json"));
    json(&answer)["keys"].as_array().unwrap().clone()
}

fn header(token: &str) -> Value {
    let part = token.split('.').next().unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[test]
fn a_key_is_made_for_its_owner_alone_and_only_its_public_half_is_shown() {
    let world = Issuing::start("", "");
    let path = world.gateway.directory().join("own-1.pem");
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let keys = jwks(&world);
    assert_eq!(keys.len(), 1);
    let mut members: Vec<&str> = keys[0].as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
    let pem = std::fs::read_to_string(&path).unwrap();
    let log = world.gateway.log_lines().join("\n");
    assert!(log.contains("signing_key_made"));
    assert!(pem.lines().nth(1).is_some_and(|line| !log.contains(line)));
}

#[test]
fn each_algorithm_signs_what_the_gateways_own_plan_accepts() {
    for (algorithm, kty) in [
        ("RS256", "RSA"),
        ("RS384", "RSA"),
        ("RS512", "RSA"),
        ("ES256", "EC"),
        ("EdDSA", "OKP"),
    ] {
        let upstream = crate::harness::Upstream::start();
        let text = super::configuration(&upstream, "", "").replace("ES256", algorithm);
        let gateway = crate::harness::Gateway::start(&text);
        let world = Issuing { upstream, gateway };
        let token = world.token();
        assert_eq!(header(&token)["alg"], algorithm);
        assert_eq!(header(&token)["typ"], "at+jwt");
        let keys = jwks(&world);
        assert_eq!(
            (&keys[0]["kty"], &keys[0]["alg"]),
            (&kty.into(), &algorithm.into())
        );
        assert!(
            ["d", "p", "q", "dp", "dq", "qi"]
                .iter()
                .all(|name| keys[0].get(name).is_none())
        );
        assert_eq!(world.call("/orders/menu", &token).status, 200, "{algorithm}");
    }
}

#[test]
fn a_new_key_signs_after_a_reload_and_the_old_ones_tokens_stay_good() {
    let world = Issuing::start("", "");
    let old = world.token();
    let text = super::configuration(&world.upstream, "", "");
    let first = r#"keys = [{ kid = "own-1", file = "own-1.pem", generate = true }]"#;
    let steps = [
        // Announced, years before it signs.
        (
            r#"keys = [{ kid = "own-1", file = "own-1.pem" },
                { kid = "own-2", file = "own-2.pem", generate = true, not_before = 2100-01-01T00:00:00Z }]"#,
            &["own-1", "own-2"][..],
            "own-1",
        ),
        // It signs; the first has retired, and is still shown.
        (
            r#"keys = [{ kid = "own-1", file = "own-1.pem" },
                { kid = "own-2", file = "own-2.pem", not_before = 2020-01-01T00:00:00Z }]"#,
            &["own-1", "own-2"][..],
            "own-2",
        ),
        // The first is gone, and so are its tokens.
        (
            r#"keys = [{ kid = "own-2", file = "own-2.pem" }]"#,
            &["own-2"][..],
            "own-2",
        ),
    ];
    for (generation, (keys, shown, signs)) in (2..).zip(steps) {
        world.gateway.write_config(&text.replace(first, keys));
        world.gateway.wait_for_log(|line| {
            line["event"] == "configuration_applied" && line["generation"] == generation
        });
        let kids: Vec<String> = jwks(&world)
            .iter()
            .map(|key| key["kid"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(kids, shown, "{keys}");
        let token = world.token();
        assert_eq!(header(&token)["kid"], signs, "{keys}");
        assert_eq!(world.call("/orders/menu", &token).status, 200, "{keys}");
        let of_first = world.call("/orders/menu", &old).status;
        assert_eq!(
            of_first,
            if shown.contains(&"own-1") { 200 } else { 401 },
            "{keys}"
        );
    }
}
