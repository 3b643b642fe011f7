//! What plans decide at each moment of their lives: around every date, to the millisecond, and before and after somebody
//! has moved one by hand. The snapshot is the same all the time, and so are remembered tokens.

use std::time::Duration;

use http::HeaderName;
use serde_json::{Value, json};

use super::scene::Scene;
use super::{NOW, Passed, Request, outcome, token};
use crate::api::Stage;
use crate::id::PlanId;
use crate::time::UnixTime;

const CONFIGURATION: &str = r#"
[server]
forgery_budget = "off"              # the clock goes back here all the time, and that makes buckets full
[[listener]]
address = "127.0.0.1:0"
[[issuer]]
name = "acme"
algorithms = ["ES256"]
audiences = ["orders"]
jwks.file = "acme.json"
[[issuer]]
name = "beta"
algorithms = ["ES256"]
audiences = ["orders"]
jwks.file = "acme.json"
[[upstream]]
name = "sample"
peers = ["127.0.0.1:9000"]

[[api]]
name = "alone"
context_path = "/alone"
upstream = "sample"
[[api.plan]]
name = "gold"
security = "jwt"
issuers = ["acme"]
publish_at = 2027-01-15T08:00:10Z
deprecate_at = 2027-01-15T09:00:20.5+01:00
close_at = 2027-01-15T08:00:30Z
[[api.route]]
path = "/x"
methods = ["GET"]

[[api]]
name = "several"
context_path = "/several"
upstream = "sample"
[[api.plan]]
name = "gold"
security = "jwt"
issuers = ["acme"]
close_at = "2027-01-15T08:00:30Z"
[[api.plan]]
name = "silver"
security = "jwt"
issuers = ["acme"]
[[api.plan]]
name = "bronze"
security = "jwt"
issuers = ["acme"]
stage = "closed"
[[api.plan]]
name = "beta"
security = "jwt"
issuers = ["beta"]
subscription_validation = false
close_at = 2027-01-15T08:00:30Z

[[api]]
name = "opening"
context_path = "/opening"
upstream = "sample"
[[api.plan]]
name = "open"
security = "keyless"
close_at = 2027-01-15T08:00:30Z
[[api.plan]]
name = "after"
security = "keyless"
publish_at = 2027-01-15T08:00:30Z
selection_rule = 'method == "PUT"'
[[api.plan]]
name = "members"
security = "jwt"
issuers = ["acme"]
subscription_validation = false
publish_at = 2027-01-15T08:00:30Z

[[api]]
name = "places"
context_path = "/places"
upstream = "sample"
[[api.plan]]
name = "any"
security = "jwt"
issuers = ["acme"]
audiences = ["elsewhere"]
[[api.plan]]
name = "later"
security = "jwt"
issuers = ["acme"]
subscription_validation = false
token_from.header = "X-Access-Token"
publish_at = 2027-01-15T08:00:10Z
close_at = 2027-01-15T08:00:30Z

[[api]]
name = "by-hand"
context_path = "/by-hand"
upstream = "sample"
[[api.plan]]
name = "gold"
security = "jwt"
issuers = ["acme"]
stage = "staging"

[[application]]
id = "gold"
client_ids = ["gold"]
[[application]]
id = "silver"
client_ids = ["silver"]
[[application]]
id = "suspended"
client_ids = ["suspended"]
suspended = true
[[subscription]]
application = "gold"
api = "alone"
plan = "gold"
[[subscription]]
application = "gold"
api = "by-hand"
plan = "gold"
[[subscription]]
application = "gold"
api = "several"
plan = "gold"
[[subscription]]
application = "suspended"
api = "several"
plan = "gold"
[[subscription]]
application = "silver"
api = "several"
plan = "silver"
[[subscription]]
application = "silver"
api = "several"
plan = "bronze"
status = "paused"
"#;

const PUBLISHED: u64 = 10_000;
const DEPRECATED: u64 = 20_500;
const CLOSED: u64 = 30_000;

const NOTHING: &str = "404 route_not_found";
const MISSING: &str = "401 missing_credentials";

/// A request: method and path, and the claims of a token if there is one.
fn request(what: &str, claims: Option<Value>) -> Request {
    let (method, path) = what.split_once(' ').unwrap();
    let request = Request::new(method, path);
    match claims {
        Some(claims) => request.bearer(&token(claims)),
        None => request,
    }
}

fn client(client: &str) -> Option<Value> {
    Some(json!({ "azp": client }))
}

fn after(millis: u64) -> UnixTime {
    NOW.plus(Duration::from_millis(millis))
}

/// What is answered just before a moment and from that moment on; twice, so that a remembered token is asked, too.
#[track_caller]
fn check(scene: &Scene, request: &Request, millis: u64, (before, from): (&str, &str)) {
    let ask = |now| {
        outcome(
            &scene.snapshot,
            &scene.decide_at(now, request, None, &mut Passed::default()),
        )
    };
    for _ in 0..2 {
        let what = format!("{} {} around {millis} ms", request.method, request.path);
        assert_eq!(ask(after(millis - 1)), before, "{what}: before");
        assert_eq!(ask(after(millis)), from, "{what}: from then on");
        assert_eq!(ask(after(millis + 1)), from, "{what}: after");
    }
}

#[test]
fn every_date_counts_from_its_very_millisecond_on() {
    let scene = Scene::set(CONFIGURATION);
    let gold = || client("gold");
    let permit = "permit alone/gold";
    let unknown = "401 invalid_token issuer_unknown";
    for (what, claims, millis, expected) in [
        ("GET /alone/x", gold(), PUBLISHED, (NOTHING, permit)),
        ("GET /alone/x", gold(), DEPRECATED, (permit, permit)),
        ("GET /alone/x", gold(), CLOSED, (permit, NOTHING)),
        ("GET /alone/x", None, PUBLISHED, (NOTHING, MISSING)),
        ("GET /alone/x", None, CLOSED, (MISSING, NOTHING)),
        (
            "PUT /alone/x",
            None,
            PUBLISHED,
            (NOTHING, "405 method_not_allowed"),
        ),
        ("PUT /alone/x", None, CLOSED, ("405 method_not_allowed", NOTHING)),
        // Beside other plans, a closed one is told to whom it was open.
        (
            "GET /several",
            gold(),
            CLOSED,
            ("permit several/gold", "403 subscription_closed"),
        ),
        (
            "GET /several",
            client("silver"),
            CLOSED,
            ("permit several/silver", "permit several/silver"),
        ),
        (
            "GET /several",
            client("nobody"),
            CLOSED,
            ("403 subscription_not_found", "403 subscription_not_found"),
        ),
        (
            "GET /several",
            client("suspended"),
            CLOSED,
            ("403 application_suspended", "403 application_suspended"),
        ),
        (
            "GET /several",
            Some(json!({ "iss": "beta" })),
            CLOSED,
            ("permit several/beta", unknown),
        ),
        // One kind of plan takes over from another.
        ("GET /opening", None, CLOSED, ("permit opening/open", MISSING)),
        (
            "PUT /opening",
            None,
            CLOSED,
            ("permit opening/open", "permit opening/after"),
        ),
        (
            "GET /opening",
            gold(),
            CLOSED,
            (
                "401 invalid_token credential_not_accepted",
                "permit opening/members",
            ),
        ),
        // A place in which only this plan looks holds no token while it is not on offer.
        ("GET /places", None, PUBLISHED, (MISSING, MISSING)),
        (
            "GET /places",
            gold(),
            PUBLISHED,
            ("401 invalid_token audience_mismatch", "permit places/later"),
        ),
        (
            "GET /places",
            gold(),
            CLOSED,
            ("permit places/later", "401 invalid_token audience_mismatch"),
        ),
    ] {
        check(&scene, &request(what, claims), millis, expected);
    }
    let name = HeaderName::from_static("x-access-token");
    let elsewhere = Request::new("GET", "/places").field(name, token(json!({})).as_bytes());
    check(&scene, &elsewhere, PUBLISHED, (MISSING, "permit places/later"));
    check(&scene, &elsewhere, CLOSED, ("permit places/later", MISSING));
}

#[test]
fn a_step_by_hand_counts_from_the_next_decision_on() {
    let scene = Scene::set(CONFIGURATION);
    let plan = scene.snapshot.plan(&PlanId::of("by-hand", "gold")).unwrap();
    let request = request("GET /by-hand", client("gold"));
    // The clock stands still, and once steps back.
    let ask = |now| {
        outcome(
            &scene.snapshot,
            &scene.decide_at(now, &request, None, &mut Passed::default()),
        )
    };
    let permit = "permit by-hand/gold";
    assert_eq!(ask(NOW), NOTHING);
    for (refused, to, expected) in [
        (Stage::Deprecated, Stage::Published, permit),
        (Stage::Staging, Stage::Deprecated, permit),
        (Stage::Published, Stage::Closed, NOTHING),
    ] {
        assert!(plan.life.advance(refused, NOW).is_err(), "{refused:?}");
        assert_eq!(plan.life.advance(to, NOW), Ok(()), "{to:?}");
        for now in [NOW, NOW.minus(Duration::from_secs(60)), after(60_000)] {
            assert_eq!(plan.life.at(now), to);
            assert_eq!(ask(now), expected, "{to:?}");
        }
    }
    for to in Stage::ALL {
        assert!(plan.life.advance(to, NOW).is_err(), "{to:?}");
    }
}
