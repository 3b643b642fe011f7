//! Whoever guesses waits, and so does nobody else. Addresses on loopback stand for machines.
//! What is answered never tells whether the name that was tried is somebody's.

use super::{Issuing, SECRET, by_basic, json, says};
use crate::harness::Response;

const GRANT: &str = "grant_type=client_credentials";
const PROXY: &str = "\n[server]\ntrusted_proxies = [\"127.0.0.1/32\"]\n";

fn tries(world: &Issuing, id: &str, secret: &str, from: &str) -> Response {
    world.ask(&by_basic(id, secret, GRANT).header("X-Forwarded-For", from))
}

#[test]
fn wrong_secrets_back_off_by_client_and_by_address() {
    let world = Issuing::start("", PROXY);
    for name in ["mobile-app", "nobody"] {
        for _ in 0..5 {
            assert_eq!(
                says(&tries(&world, name, "wrong", "192.0.2.1")),
                "401 invalid_client"
            );
        }
        let refused = tries(&world, name, "wrong", "192.0.2.1");
        assert_eq!(says(&refused), "429 too_many_attempts", "{name}");
        let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=30).contains(&wait), "{wait}");
    }
    // Not even with the right secret: or else guessing would go on.
    assert_eq!(
        says(&tries(&world, "mobile-app", SECRET, "192.0.2.1")),
        "429 too_many_attempts"
    );
    // Elsewhere, and for others, nothing has happened.
    assert_eq!(says(&tries(&world, "mobile-app", SECRET, "192.0.2.2")), "200 -");
    assert_eq!(says(&tries(&world, "desktop-app", SECRET, "192.0.2.1")), "200 -");
    // Many names from one address.
    let answers = (0..25).map(|n| says(&tries(&world, &format!("name-{n}"), "wrong", "192.0.2.3")));
    let refused = answers.filter(|said| said == "429 too_many_attempts").count();
    assert!((3..=6).contains(&refused), "{refused}");
    let log = world.gateway.log_lines().join("\n");
    assert!(log.contains("\"reason\":\"invalid_client\""), "{log}");
    assert!(
        !log.contains("name-1"),
        "a name that a stranger made up is in the log"
    );
    assert!(
        world.gateway.metric(
            "tollgate_token_service_requests_total",
            &[("endpoint", "token"), ("result", "too_many_attempts")]
        ) >= 3.0
    );
}

#[test]
fn nobody_and_somebody_are_refused_alike() {
    let world = Issuing::start("", PROXY);
    let answers: Vec<Response> = ["mobile-app", "nobody", "without-app"]
        .iter()
        .map(|name| tries(&world, name, "wrong", "192.0.2.1"))
        .collect();
    for answer in &answers {
        assert_eq!(json(answer), json(&answers[0]));
        assert_eq!(answer.headers.len(), answers[0].headers.len());
    }
}
