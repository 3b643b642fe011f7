//! Audiences that depend on who is calling: judged when that is known, and then as strictly as any other.
//! A remembered token has no advantage: its application's audience is looked at every time.

use serde_json::{Value, json};

use super::scene::Scene;
use super::{ACME, CacheResult, Passed, Request, SECONDS, Stage, outcome};

const CONFIGURATION: &str = r#"
[[listener]]
address = "127.0.0.1:0"
[[issuer]]
name = "acme"
algorithms = ["ES256"]
audience_from = ["application"]
jwks.file = "acme.json"
[[upstream]]
name = "sample"
peers = ["127.0.0.1:9000"]
[[api]]
name = "orders"
context_path = "/orders"
upstream = "sample"
[[api.plan]]
name = "closed"
security = "jwt"
issuers = ["acme"]
audiences = ["closed"]
subscription_validation = false
[[api.plan]]
name = "open"
security = "jwt"
issuers = ["acme"]
subscription_validation = false
[[application]]
id = "mobile"
client_ids = ["app"]
"#;

fn ask(scene: &Scene, token: &str, passed: &mut Passed) -> String {
    outcome(
        &scene.snapshot,
        &scene.decide(&Request::new("GET", "/orders/x").bearer(token), None, passed),
    )
}

fn token(client: &str, audience: &Value) -> String {
    let claims = json!({
        "iss": "acme", "sub": "alice", "azp": client, "aud": audience, "iat": SECONDS, "exp": SECONDS + 60,
    });
    ACME.mint(Some("k1"), &claims).unwrap()
}

#[test]
fn a_token_is_for_its_own_application_or_for_nobody() {
    let scene = Scene::set(CONFIGURATION);
    let mismatch = "401 invalid_token audience_mismatch";
    for (client, audience, expected) in [
        ("app", json!("mobile"), "permit orders/open"),
        ("app", json!(["x", "mobile"]), "permit orders/open"),
        ("app", json!("closed"), "permit orders/closed"),
        ("app", json!(["closed", "mobile"]), "permit orders/closed"),
        ("app", json!("Mobile"), mismatch),
        ("app", json!("app"), mismatch),
        ("app", json!(""), mismatch),
        ("app", json!([]), mismatch),
        ("mobile", json!("mobile"), mismatch),
        ("nobody", json!("nobody"), mismatch),
        ("nobody", json!("closed"), "permit orders/closed"),
        ("app", json!([1]), "401 invalid_token audience_malformed"),
    ] {
        let token = token(client, &audience);
        // The second time it is remembered.
        for _ in 0..2 {
            let found = ask(&scene, &token, &mut Passed::default());
            assert_eq!(found, expected, "{client} {audience}");
        }
    }
}

#[test]
fn it_is_refused_as_soon_as_it_is_known_whose_it_is() {
    let mut passed = Passed::default();
    ask(
        &Scene::set(CONFIGURATION),
        &token("app", &json!("other")),
        &mut passed,
    );
    assert_eq!(
        passed.0,
        [Stage::Route, Stage::Credential, Stage::Token, Stage::Identity]
    );
}

#[test]
fn an_applications_audience_binds_the_next_request_of_a_remembered_token() {
    let scene = Scene::set(CONFIGURATION);
    let mut declared = scene.snapshot.declared.clone();
    let (token, mut passed) = (token("app", &json!("mobile")), Passed::default());
    for (audience, expected) in [
        (None, "permit orders/open"),
        (Some("elsewhere"), "401 invalid_token audience_mismatch"),
        (Some("mobile"), "permit orders/open"),
        (None, "permit orders/open"),
    ] {
        for application in &mut declared.applications {
            application.standing.audience = audience.map(Into::into);
        }
        scene.index.admit(&declared);
        assert_eq!(ask(&scene, &token, &mut passed), expected, "{audience:?}");
    }
    use CacheResult::{Hit, Miss};
    assert_eq!(passed.1, [Miss, Hit, Hit, Hit]);
}
