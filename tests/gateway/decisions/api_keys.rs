//! Rows about API keys where none is good: who shows one is not anonymous, and no key goes on to an upstream. What good
//! ones open is in `admin/api_keys.rs`.
//!
//! A key beside a token that a plan asks for decides nothing; it is removed all the same.

use super::{Row, row};
use crate::harness::get;
use crate::world::World;

const KEY: &str = "X-Api-Key";

pub(super) fn rows(world: &World) -> Vec<Row> {
    let token = world.token().text();
    let ask = || get("/keyed/x");
    let invalid = |reason: &str| {
        format!(
            "401 invalid_api_key api_key_{reason}; WWW-Authenticate: ApiKey realm=\"keyed\", header=\"X-Api-Key\""
        )
    };
    let several =
        "400 invalid_request several_credentials; WWW-Authenticate: Bearer error=\"invalid_request\"";
    vec![
        row("a key API, nothing shown", ask(), "200 open - /keyed/x"),
        row(
            "an unknown key",
            ask().header(KEY, "no-such-key"),
            &invalid("unknown"),
        ),
        row(
            "what can be no key",
            ask().header(KEY, "a key"),
            &invalid("malformed"),
        ),
        row(
            "an unknown key in the query",
            get("/keyed/x?api-key=no-such-key"),
            &invalid("unknown"),
        ),
        row(
            "a token and a key",
            ask().bearer(&token).header(KEY, "no-such-key"),
            "200 tokens mobile /keyed/x",
        ),
        row(
            "a token that stands for two applications, by client id and by claims",
            ask().bearer(&world.token().claim("team", "strangers").text()),
            "403 application_ambiguous application_ambiguous",
        ),
        row(
            "a key in two places",
            get("/keyed/x?api-key=no-such-key").header(KEY, "no-such-key"),
            several,
        ),
    ]
}

#[test]
fn a_key_ends_at_the_gateway() {
    let world = World::start();
    let request = get("/keyed/x?a=1&api%2Dkey=no-such-key&b")
        .bearer(&world.token().text())
        .header("X-Other", "stays");
    assert_eq!(world.send(&request).status, 200);
    let received = world.upstream.take_one();
    assert_eq!(received.target, "/keyed/x?a=1&b");
    assert_eq!(received.values("x-other"), ["stays"]);
    let request = get("/keyed/x")
        .bearer(&world.token().text())
        .header(KEY, "no-such-key");
    assert_eq!(world.send(&request).status, 200);
    assert_eq!(world.upstream.take_one().values(KEY), [""; 0]);
    // Where no plan asks for keys, the field is nobody's.
    let request = get("/public").header(KEY, "no-such-key");
    assert_eq!(world.send(&request).status, 200);
    assert_eq!(world.upstream.take_one().values(KEY), ["no-such-key"]);
}
