//! Floods of bad tokens, check by check, in a time that goes on when it is told to.
//!
//! A check of an ES256 token costs 55 us. The issuer has a tenth of a core and the source a fiftieth of one, with a burst
//! of a second: 100 ms and 20 ms, which are 1,818 and 363 checks; 55 us of the source's share come again in 2.75 ms.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Value, json};

use super::scene::Scene;
use super::{ACME, NOW, Passed, Request, STRANGER, claims, outcome, token};
use crate::access::{CacheResult, Cause, Stage};
use crate::id::IssuerName;
use crate::limit::Bucket;
use crate::time::UnixTime;

const SERVER: &str =
    "[server]\nforgery_budget = \"10%\"\nforgery_budget_per_source = \"2%\"\nforgery_burst = \"1s\"\n";

const REST: &str = r#"
[[listener]]
address = "127.0.0.1:0"
[[issuer]]
name = "acme"
algorithms = ["ES256"]
audiences = ["orders"]
jwks.file = "acme.json"
[[upstream]]
name = "sample"
peers = ["127.0.0.1:9000"]
[[api]]
name = "orders"
context_path = "/orders"
upstream = "sample"
[[api.plan]]
name = "gold"
security = "jwt"
issuers = ["acme"]
subscription_validation = false
"#;

/// What a source can spend at once.
const BURST: usize = 363;
const SPENT: &str = "503 verification_overloaded source_budget_spent";
const ISSUERS_SPENT: &str = "503 verification_overloaded issuer_budget_spent";
const FORGED: &str = "401 invalid_token signature_invalid";
const PERMIT: &str = "permit orders/gold";

const FLOODER: Option<IpAddr> = ip(1, 1);
const NEIGHBOUR: Option<IpAddr> = ip(1, 2);
const STRANGE: Option<IpAddr> = ip(2, 1);

const fn ip(network: u8, host: u8) -> Option<IpAddr> {
    Some(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, network, host)))
}

fn scene() -> Scene {
    Scene::set(&format!("{SERVER}{REST}"))
}

/// An honest token under another key's signature.
fn forged(number: usize) -> String {
    let changes = json!({ "jti": number.to_string() });
    STRANGER.mint(Some("k1"), &claims(changes)).unwrap()
}

fn ask(scene: &Scene, token: &str, client: Option<IpAddr>, now: UnixTime) -> String {
    let request = Request::new("GET", "/orders").bearer(token);
    outcome(
        &scene.snapshot,
        &scene.decide_at(now, &request, client, &mut Passed::default()),
    )
}

/// The same forged token as often as it is checked; how often that is, and what comes then.
fn flood(scene: &Scene, token: &str, client: Option<IpAddr>, now: UnixTime) -> (usize, String) {
    for count in 0..5_000 {
        let answer = ask(scene, token, client, now);
        if answer != FORGED {
            return (count, answer);
        }
    }
    (5_000, FORGED.to_owned())
}

#[test]
fn a_source_may_spend_its_burst_and_then_what_time_brings() {
    let scene = scene();
    let forged = forged(1);
    let at = |millis| NOW.plus(Duration::from_millis(millis));
    for (millis, expected, then) in [
        (0, BURST, SPENT),
        (0, 0, SPENT),
        // What was left over counts, too.
        (1, 1, SPENT),
        (3, 0, SPENT),
        (30, 10, SPENT),
        (1_030, BURST, SPENT),
        // However long it waits.
        (1_000_000, BURST, SPENT),
        // A clock that is set back makes both buckets full, and nobody waits longer than for that.
        (0, 0, SPENT),
        (3, 0, ISSUERS_SPENT),
        (504, 1, ISSUERS_SPENT),
        (3_000, BURST, SPENT),
    ] {
        let answer = flood(&scene, &forged, FLOODER, at(millis));
        assert_eq!(answer, (expected, then.to_owned()), "at {millis} ms");
    }
}

#[test]
fn who_is_refused_is_told_when_to_come_again_and_nothing_is_said_of_the_token() {
    let scene = scene();
    flood(&scene, &forged(1), FLOODER, NOW);
    let mut passed = Passed::default();
    let request = Request::new("GET", "/orders").bearer(&token(json!({})));
    let denial = scene.decide(&request, FLOODER, &mut passed).unwrap_err();
    let answer = denial.answer();
    assert_eq!((answer.code.status(), answer.code.grpc_status()), (503, 14));
    assert_eq!((answer.retry_after, answer.challenge), (Some(1), None));
    assert_eq!(denial.issuer, None, "it was not read");
    assert_eq!(denial.rejection(), None);
    assert!(denial.unless_keys_come().is_none());
    assert_eq!(passed.0, [Stage::Route, Stage::Credential]);
    assert_eq!(passed.1, [CacheResult::Miss]);
    // Once there is room it is as good as ever.
    let later = NOW.plus(Duration::from_millis(3));
    assert_eq!(ask(&scene, &token(json!({})), FLOODER, later), PERMIT);
}

#[test]
fn a_remembered_token_is_not_concerned() {
    let scene = scene();
    let remembered = token(json!({}));
    assert_eq!(ask(&scene, &remembered, FLOODER, NOW), PERMIT);
    let (forged, other) = (forged(1), token(json!({ "jti": "another" })));
    for _ in 0..2 {
        assert_eq!(flood(&scene, &forged, FLOODER, NOW).1, SPENT);
        assert_eq!(ask(&scene, &remembered, FLOODER, NOW), PERMIT);
        assert_eq!(ask(&scene, &remembered, NEIGHBOUR, NOW), PERMIT);
        // Their networks are one.
        assert_eq!(ask(&scene, &other, NEIGHBOUR, NOW), SPENT);
    }
    assert_eq!(ask(&scene, &other, STRANGE, NOW), PERMIT);
    assert_eq!(ask(&scene, &other, FLOODER, NOW), PERMIT, "remembered by now");
}

#[test]
fn good_tokens_cost_nothing_however_many_are_new() {
    let scene = scene();
    for number in 0..2 * BURST {
        let token = token(json!({ "jti": number }));
        assert_eq!(ask(&scene, &token, FLOODER, NOW), PERMIT, "{number}");
    }
    assert_eq!(
        flood(&scene, &forged(1), FLOODER, NOW).0,
        BURST,
        "nothing was spent"
    );
    let spent = u64::try_from(BURST).unwrap() * 55_000;
    assert_eq!(scene.forgeries.wasted_nanos(&IssuerName::new("acme")), spent);
}

#[test]
fn what_costs_no_check_draws_nothing() {
    let scene = scene();
    let minted = |kid: &str, changes: Value| ACME.mint(Some(kid), &claims(changes)).unwrap();
    let good = token(json!({}));
    for (free, expected) in [
        ("a.b.c".to_owned(), "401 invalid_token base64_malformed"),
        (
            minted("k1", json!({ "iss": "globex" })),
            "401 invalid_token issuer_unknown",
        ),
        (minted("k2", json!({})), "401 invalid_token key_unknown"),
        (
            crate::mint::SigningKey::generate(crate::token::Algorithm::Ed25519)
                .unwrap()
                .mint(Some("k1"), &claims(json!({})))
                .unwrap(),
            "401 invalid_token algorithm_not_allowed",
        ),
    ] {
        for _ in 0..2 * BURST {
            assert_eq!(ask(&scene, &free, FLOODER, NOW), expected);
        }
    }
    // A good signature under a token that is no good costs as much as a bad one.
    let expired = minted("k1", json!({ "exp": super::SECONDS - 1000 }));
    for _ in 0..BURST - 1 {
        assert_eq!(ask(&scene, &expired, FLOODER, NOW), "401 invalid_token expired");
    }
    assert_eq!(
        ask(&scene, &good, FLOODER, NOW),
        PERMIT,
        "one is left, and comes back"
    );
    assert_eq!(ask(&scene, &expired, FLOODER, NOW), "401 invalid_token expired");
    assert_eq!(ask(&scene, &expired, FLOODER, NOW), SPENT);
    // What cannot be read is not looked at either, from a source that has nothing left.
    assert_eq!(ask(&scene, "a.b.c", FLOODER, NOW), SPENT);
}

#[test]
fn many_sources_spend_the_issuers_budget_and_one_that_is_clean_still_gets_through() {
    let scene = scene();
    let forged = forged(1);
    let mut refused = None;
    // Each has its share; five of them have the issuer's. Half of that is for sources that have not failed lately.
    for network in 10..30 {
        let (_, answer) = flood(&scene, &forged, ip(network, 1), NOW);
        refused = Some(answer);
    }
    let spent = "503 verification_overloaded issuer_budget_spent";
    assert_eq!(refused.as_deref(), Some(spent));
    let again = ask(&scene, &token(json!({})), ip(29, 1), NOW);
    assert!(
        again == spent || again == PERMIT,
        "29 may share a place with nobody else: {again}"
    );
    // So many strangers that one of them has a place of its own.
    let strangers =
        (100..140).map(|network| ask(&scene, &token(json!({ "jti": network })), ip(network, 1), NOW));
    let served = strangers.filter(|answer| answer == PERMIT).count();
    assert!(served >= 38, "{served} of 40 strangers");
}

#[test]
fn off_is_without_end_and_a_reload_gives_nothing_back() {
    let off = Scene::set(&format!("[server]\nforgery_budget = \"off\"\n{REST}"));
    assert_eq!(flood(&off, &forged(1), FLOODER, NOW).0, 5_000);
    let spent = u64::try_from(5_000 * 55_000).unwrap();
    assert_eq!(
        off.forgeries.wasted_nanos(&IssuerName::new("acme")),
        spent,
        "it is counted"
    );

    let mut first = scene();
    flood(&first, &forged(1), FLOODER, NOW);
    let mut second = scene();
    std::mem::swap(&mut first.forgeries, &mut second.forgeries);
    assert_eq!(ask(&second, &token(json!({})), FLOODER, NOW), SPENT);
    assert_eq!(flood(&first, &forged(1), FLOODER, NOW).0, BURST);
}

#[test]
fn nobody_knows_where_some_come_from_and_they_share_what_one_has() {
    let scene = scene();
    assert_eq!(flood(&scene, &forged(1), None, NOW), (BURST, SPENT.to_owned()));
    assert_eq!(ask(&scene, &token(json!({})), None, NOW), SPENT);
    assert_eq!(ask(&scene, &token(json!({})), STRANGE, NOW), PERMIT);
}

#[test]
fn the_refusal_says_whose_bucket_it_was() {
    let scene = scene();
    flood(&scene, &forged(1), FLOODER, NOW);
    let request = Request::new("GET", "/orders").bearer(&forged(2));
    let denial = scene
        .decide(&request, FLOODER, &mut Passed::default())
        .unwrap_err();
    let Cause::VerificationOverloaded(overdrawn) = denial.cause else {
        panic!("{denial:?}");
    };
    assert_eq!(overdrawn.bucket, Bucket::Source);
    assert!(overdrawn.wait <= Duration::from_micros(2_750), "{overdrawn:?}");
}
