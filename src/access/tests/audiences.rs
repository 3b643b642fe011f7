//! Audiences that depend on who is calling: judged when that is known, and then as strictly as any other.
//! A remembered token has no advantage: its application's audience is looked at every time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    ACME, Cache, CacheResult, DataPlane, Memory, NOW, Passed, Request, RequestView, SECONDS, Stage, Verdict,
    evaluate, outcome,
};
use crate::config::parse;
use crate::issuer::KeyRing;
use crate::snapshot::{Inputs, Snapshot, compile};
use crate::subscription::Index;

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

struct Scene {
    snapshot: Snapshot,
    index: Index,
    verdicts: Cache<Arc<Verdict>>,
}

impl Scene {
    fn set() -> Self {
        let jwks = json!({ "keys": [ACME.public_jwk("k1")] }).to_string();
        let files = Memory(BTreeMap::from([
            (PathBuf::from("t.toml"), CONFIGURATION.as_bytes().to_vec()),
            (PathBuf::from("acme.json"), jwks.into_bytes()),
        ]));
        let inputs = Inputs {
            files: &files,
            key_ring: &KeyRing::default(),
            now: NOW,
            generation: 1,
        };
        let snapshot = parse(Path::new("t.toml"), &files).and_then(|config| compile(config, inputs));
        let (snapshot, index) = (snapshot.unwrap(), Index::default());
        index.admit(&snapshot.declared);
        Self {
            snapshot,
            index,
            verdicts: Cache::new(8),
        }
    }

    fn ask(&self, token: &str, passed: &mut Passed) -> String {
        let request = Request::new("GET", "/orders/x").bearer(token);
        let plane = DataPlane {
            snapshot: &self.snapshot,
            index: &self.index,
            verdicts: &self.verdicts,
        };
        let view = RequestView {
            method: "GET",
            host: "",
            path: &request.path,
            query: None,
            headers: &request.headers,
            client: None,
        };
        outcome(&evaluate(&plane, &view, NOW, passed))
    }
}

fn token(client: &str, audience: &Value) -> String {
    let claims = json!({
        "iss": "acme", "sub": "alice", "azp": client, "aud": audience, "iat": SECONDS, "exp": SECONDS + 60,
    });
    ACME.mint(Some("k1"), &claims).unwrap()
}

#[test]
fn a_token_is_for_its_own_application_or_for_nobody() {
    let scene = Scene::set();
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
            let found = scene.ask(&token, &mut Passed::default());
            assert_eq!(found, expected, "{client} {audience}");
        }
    }
}

#[test]
fn it_is_refused_as_soon_as_it_is_known_whose_it_is() {
    let mut passed = Passed::default();
    Scene::set().ask(&token("app", &json!("other")), &mut passed);
    assert_eq!(
        passed.0,
        [Stage::Route, Stage::Credential, Stage::Token, Stage::Identity]
    );
}

#[test]
fn an_applications_audience_binds_the_next_request_of_a_remembered_token() {
    let scene = Scene::set();
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
        assert_eq!(scene.ask(&token, &mut passed), expected, "{audience:?}");
    }
    use CacheResult::{Hit, Miss};
    assert_eq!(passed.1, [Miss, Hit, Hit, Hit]);
}
