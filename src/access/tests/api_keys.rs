//! Decisions about requests with API keys: which credential decides, what is refused alike, and what a caller with a key
//! can reach.

use http::HeaderName;
use http::header::AUTHORIZATION;
use serde_json::json;

use super::scene::Scene;
use super::{Passed, Request, SECONDS, Stage, outcome, token};
use crate::id::{ApplicationId, PlanId};
use crate::subscription::{ApiKeyEntry, ApiKeySecret, ApplicationEntry, Change, Status, SubscriptionEntry};
use crate::time::UnixTime;

const CONFIGURATION: &str = r#"
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
name = "all"
context_path = "/all"
upstream = "sample"
claim_headers = { X-User = "sub" }
[[api.plan]]
name = "tokens"
security = "jwt"
issuers = ["acme"]
subscription_validation = false
[[api.plan]]
name = "keys"
security = "api_key"
api_key = { query = "api-key" }
[[api.plan]]
name = "other-keys"
security = "api_key"
api_key = { header = "X-Other-Key" }
selection_rule = 'header("X-Channel") == "web"'
[[api.plan]]
name = "closed"
security = "api_key"
stage = "closed"
[[api.plan]]
name = "everybody"
security = "keyless"
[[api.route]]
path = "/"
[[api.route]]
path = "/scoped"
scopes = ["read"]

[[api]]
name = "keys"
context_path = "/keys"
upstream = "sample"
[[api.plan]]
name = "keys"
security = "api_key"
[[api.plan]]
name = "everybody"
security = "keyless"

[[api]]
name = "tokens"
context_path = "/tokens"
upstream = "sample"
[[api.plan]]
name = "tokens"
security = "jwt"
issuers = ["acme"]
subscription_validation = false

[[api]]
name = "required"
context_path = "/required"
upstream = "sample"
[[api.plan]]
name = "tokens"
security = "jwt"
issuers = ["acme"]
[[api.plan]]
name = "keys"
security = "api_key"
"#;

fn scene() -> Scene {
    let scene = Scene::set(CONFIGURATION);
    let secret = ApiKeySecret::new(&[7; 32]);
    for (id, suspended) in [("a", false), ("suspended", true)] {
        let entry = ApplicationEntry {
            suspended,
            ..ApplicationEntry::default()
        };
        scene.index.change(Change::Application {
            id: ApplicationId::new(id),
            entry: Some(entry),
        });
    }
    let keys = [
        ("good-key-1", "a", "all/keys", Status::Accepted, None, false),
        ("good-key-2", "a", "all/other-keys", Status::Accepted, None, false),
        ("good-key-3", "a", "keys/keys", Status::Accepted, None, false),
        ("closed-key", "a", "all/closed", Status::Accepted, None, false),
        ("revoked-key", "a", "all/keys", Status::Accepted, None, true),
        (
            "expired-key",
            "a",
            "all/keys",
            Status::Accepted,
            Some(SECONDS),
            false,
        ),
        ("nobodys-key", "nobody", "all/keys", Status::Accepted, None, false),
        (
            "suspended-key",
            "suspended",
            "all/keys",
            Status::Accepted,
            None,
            false,
        ),
        ("paused-key", "a", "required/keys", Status::Paused, None, false),
    ];
    for (text, application, plan, status, expires_at, revoked) in keys {
        let (application, plan) = (ApplicationId::new(application), PlanId::new(plan));
        scene.index.change(Change::Subscription {
            application: application.clone(),
            plan: plan.clone(),
            entry: Some(SubscriptionEntry {
                status,
                from: None,
                until: None,
            }),
        });
        scene.index.change(Change::ApiKey {
            id: text.into(),
            entry: Some(ApiKeyEntry {
                hash: secret.hash(text),
                application,
                plan,
                expires_at: expires_at.map(UnixTime::from_seconds),
                revoked,
            }),
        });
    }
    scene.index.set_key_secret(secret);
    scene
}

fn ask(path: &str, fields: &[(&str, &str)], query: Option<&str>) -> Request {
    let mut request = Request::new("GET", path);
    for (name, value) in fields {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        request = request.field(name, value.as_bytes());
    }
    request.query = query.map(ToOwned::to_owned);
    request
}

#[test]
fn which_credential_decides() {
    let scene = scene();
    let good = format!("Bearer {}", token(json!({})));
    let good = ("authorization", good.as_str());
    let bad = ("authorization", "Bearer abc");
    let key = |text| ("x-api-key", text);
    let invalid = |reason: &str| format!("401 invalid_api_key api_key_{reason}");
    for (path, fields, query, expected) in [
        ("/all/", &[][..], None, "permit all/everybody".to_owned()),
        ("/all/", &[good], None, "permit all/tokens".to_owned()),
        ("/all/", &[key("good-key-1")], None, "permit all/keys".to_owned()),
        // The token decides alone.
        (
            "/all/",
            &[good, key("good-key-1")],
            None,
            "permit all/tokens".to_owned(),
        ),
        (
            "/all/",
            &[good, key("bad-key-1")],
            None,
            "permit all/tokens".to_owned(),
        ),
        (
            "/all/",
            &[bad, key("good-key-1")],
            None,
            "401 invalid_token parts_malformed".to_owned(),
        ),
        // No key makes its caller anonymous, good or bad.
        ("/all/", &[key("bad-key-1")], None, invalid("unknown")),
        ("/all/", &[key("")], None, invalid("malformed")),
        ("/all/", &[key("short")], None, invalid("malformed")),
        ("/all/", &[key("two words-of-it")], None, invalid("malformed")),
        ("/all/", &[key("bad/key-1")], None, invalid("malformed")),
        ("/all/", &[key("revoked-key")], None, invalid("revoked")),
        ("/all/", &[key("expired-key")], None, invalid("expired")),
        ("/all/", &[key("nobodys-key")], None, invalid("unknown")),
        // A key opens its own plan, if that is on offer here.
        ("/all/", &[key("good-key-3")], None, invalid("for_other_plan")),
        ("/all/", &[key("closed-key")], None, invalid("for_other_plan")),
        ("/keys/", &[key("good-key-1")], None, invalid("for_other_plan")),
        (
            "/keys/",
            &[key("good-key-3")],
            None,
            "permit keys/keys".to_owned(),
        ),
        (
            "/all/",
            &[key("good-key-2")],
            None,
            "403 plan_not_selected plan_not_selected".to_owned(),
        ),
        (
            "/all/",
            &[key("good-key-2"), ("x-channel", "web")],
            None,
            "permit all/other-keys".to_owned(),
        ),
        (
            "/all/",
            &[key("suspended-key")],
            None,
            "403 application_suspended application_suspended".to_owned(),
        ),
        (
            "/required/",
            &[key("paused-key")],
            None,
            "403 subscription_paused subscription_paused".to_owned(),
        ),
        // Other places, and several.
        (
            "/all/",
            &[],
            Some("a=1&api-key=good-key-1"),
            "permit all/keys".to_owned(),
        ),
        (
            "/all/",
            &[],
            Some("api%2Dkey=good%2Dkey-1"),
            "permit all/keys".to_owned(),
        ),
        ("/all/", &[], Some("api-key"), invalid("malformed")),
        ("/all/", &[], Some("api-key=a+b"), invalid("malformed")),
        ("/all/", &[], Some("x=1;api-key=good-key-1"), invalid("malformed")),
        (
            "/all/",
            &[("x-other-key", "good-key-1")],
            None,
            "permit all/keys".to_owned(),
        ),
        (
            "/all/",
            &[key("good-key-1"), key("good-key-1")],
            None,
            "400 invalid_request several_credentials".to_owned(),
        ),
        (
            "/all/",
            &[key("good-key-1")],
            Some("api-key=good-key-1"),
            "400 invalid_request several_credentials".to_owned(),
        ),
        (
            "/all/",
            &[],
            Some("api-key=good-key-1&api-key=x"),
            "400 invalid_request several_credentials".to_owned(),
        ),
        (
            "/all/",
            &[good, key("good-key-1"), key("x")],
            None,
            "400 invalid_request several_credentials".to_owned(),
        ),
        (
            "/all/",
            &[("x_api_key", "good-key-1")],
            None,
            "400 invalid_request credential_malformed".to_owned(),
        ),
        (
            "/keys/",
            &[],
            Some("api-key=good-key-3"),
            "permit keys/everybody".to_owned(),
        ),
        // A token that no plan asks for is a credential all the same; a key decides beside it.
        (
            "/keys/",
            &[good],
            None,
            "401 invalid_token credential_not_accepted".to_owned(),
        ),
        (
            "/keys/",
            &[good, key("good-key-3")],
            None,
            "permit keys/keys".to_owned(),
        ),
        // Where no plan asks for keys, there are none.
        (
            "/tokens/",
            &[key("good-key-1")],
            None,
            "401 missing_credentials missing_credentials".to_owned(),
        ),
        (
            "/tokens/",
            &[good, key("good-key-1")],
            None,
            "permit tokens/tokens".to_owned(),
        ),
        // Who shows no token has no scope.
        (
            "/all/scoped",
            &[key("good-key-1")],
            None,
            "403 insufficient_scope insufficient_scope".to_owned(),
        ),
    ] {
        let decided = scene.decide(&ask(path, fields, query), None, &mut Passed::default());
        let found = match &decided {
            Err(denial) => format!(
                "{} {} {}",
                denial.answer().code.status(),
                denial.answer().code.word(),
                denial.reason()
            ),
            Ok(_) => outcome(&scene.snapshot, &decided),
        };
        assert_eq!(found, expected, "{path} {fields:?} {query:?}");
    }
}

#[test]
fn keys_that_are_no_good_are_refused_alike() {
    let scene = scene();
    let answers = ["bad-key-1", "short", "revoked-key", "expired-key", "good-key-3"].map(|text| {
        let request = ask("/all/", &[("x-api-key", text)], None);
        let denial = scene.decide(&request, None, &mut Passed::default()).unwrap_err();
        let answer = denial.answer();
        (
            answer.code.word(),
            answer.challenge.map(|challenge| challenge.value()),
        )
    });
    let challenge =
        "ApiKey realm=\"all\", header=\"X-Api-Key\", ApiKey realm=\"all\", header=\"X-Other-Key\"";
    for answer in answers {
        assert_eq!(answer, ("invalid_api_key", Some(challenge.to_owned())));
    }
}

#[test]
fn a_challenge_names_every_kind_of_plan_on_offer() {
    let scene = scene();
    for (path, expected) in [
        ("/tokens/", "Bearer realm=\"tokens\""),
        (
            "/required/",
            "Bearer realm=\"required\", ApiKey realm=\"required\", header=\"X-Api-Key\"",
        ),
    ] {
        let denial = scene
            .decide(&ask(path, &[], None), None, &mut Passed::default())
            .unwrap_err();
        assert_eq!(denial.answer().challenge.unwrap().value(), expected);
    }
}

#[test]
fn a_key_shows_an_application_and_no_identity() {
    let scene = scene();
    let mut passed = Passed::default();
    let request = ask(
        "/all/",
        &[("x-api-key", "good-key-1"), ("authorization", "Basic abc")],
        None,
    );
    assert!(request.headers.contains_key(AUTHORIZATION));
    let permit = scene.decide(&request, None, &mut passed).unwrap();
    let caller = permit.caller().unwrap();
    assert!(caller.identity().is_none() && permit.headers().is_empty());
    assert_eq!(caller.application.as_ref().unwrap().id.as_str(), "a");
    assert_eq!(caller.subscription.as_ref().unwrap().plan.as_str(), "all/keys");
    use Stage::{ApiKey, Authorization, Credential, Limits, Route, Subscription};
    assert_eq!(
        passed.0,
        [Route, Credential, ApiKey, Subscription, Authorization, Limits]
    );
    let shown = format!("{:?} {:?}", permit, scene.index);
    assert!(!shown.contains("Basic"), "{shown}");
    // The id of this key is its text; nothing else shows it.
    assert_eq!(format!("{permit:?}").matches("good-key-1").count(), 1);
}

#[test]
fn a_key_stops_with_the_next_request() {
    let scene = scene();
    let request = ask("/all/", &[("x-api-key", "good-key-1")], None);
    let decide = || {
        outcome(
            &scene.snapshot,
            &scene.decide(&request, None, &mut Passed::default()),
        )
    };
    assert_eq!(decide(), "permit all/keys");
    scene.index.change(Change::ApiKey {
        id: "good-key-1".into(),
        entry: None,
    });
    assert!(decide().starts_with("401 invalid_api_key"), "{}", decide());
}
