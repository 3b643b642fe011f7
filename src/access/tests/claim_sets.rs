//! Decisions about tokens that stand for an application by their claims, and for more than one.
//! Each is decided twice: a token that is remembered stands for the same application as before.

use serde_json::json;

use super::scene::Scene;
use super::{Passed, Request, outcome, token};
use crate::id::ApplicationId;
use crate::subscription::{ApplicationEntry, Change};

const CONFIGURATION: &str = r#"
[[listener]]
address = "127.0.0.1:0"
[[issuer]]
name = "acme"
algorithms = ["ES256"]
audiences = ["orders"]
jwks.file = "acme.json"
claim_mapping = [{ remote_claim = "https://acme.example/org", local_claim = "tenant" }]
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
[[api]]
name = "free"
context_path = "/free"
upstream = "sample"
[[api.plan]]
name = "free"
security = "jwt"
issuers = ["acme"]
subscription_validation = false
[[application]]
id = "mobile"
client_ids = ["mobile-app"]
claim_sets = [{ tenant = "acme", role = "admin" }, { tenant = "globex" }]
[[application]]
id = "web"
client_ids = ["web-app"]
claim_sets = [{ role = "admin" }]
[[subscription]]
application = "mobile"
api = "orders"
plan = "gold"
"#;

#[test]
fn a_token_stands_for_one_application_or_for_none() {
    let scene = Scene::set(CONFIGURATION);
    let org = "https://acme.example/org";
    let ambiguous = "403 application_ambiguous";
    for (claims, orders, free) in [
        (
            json!({ "azp": "mobile-app" }),
            "permit orders/gold",
            "permit free/free",
        ),
        (
            json!({ "azp": null, org: "globex" }),
            "permit orders/gold",
            "permit free/free",
        ),
        (
            json!({ "azp": "mobile-app", org: "globex" }),
            "permit orders/gold",
            "permit free/free",
        ),
        (json!({ "azp": "web-app", org: "globex" }), ambiguous, ambiguous),
        // One set holds another: both identify.
        (
            json!({ "azp": null, org: "acme", "role": "admin" }),
            ambiguous,
            ambiguous,
        ),
        (
            json!({ "azp": null, org: ["globex"] }),
            "403 subscription_not_found",
            "permit free/free",
        ),
        (
            json!({ "azp": null, "role": "admin" }),
            "403 subscription_not_found",
            "permit free/free",
        ),
    ] {
        for (path, expected) in [("/orders/", orders), ("/free/", free)] {
            let request = Request::new("GET", path).bearer(&token(claims.clone()));
            for _ in 0..2 {
                let decided = scene.decide(&request, None, &mut Passed::default());
                assert_eq!(outcome(&scene.snapshot, &decided), expected, "{path} {claims}");
            }
        }
    }
}

#[test]
fn a_token_that_was_verified_before_a_claim_set_came_stands_for_its_application() {
    let scene = Scene::set(CONFIGURATION);
    let request = Request::new("GET", "/orders/").bearer(&token(json!({ "azp": "mobile-app", "team": "x" })));
    let decide = || {
        outcome(
            &scene.snapshot,
            &scene.decide(&request, None, &mut Passed::default()),
        )
    };
    assert_eq!(decide(), "permit orders/gold");
    scene.index.change(Change::Application {
        id: ApplicationId::new("late"),
        entry: Some(ApplicationEntry {
            claim_sets: vec![vec![("team".into(), "x".into())]],
            ..ApplicationEntry::default()
        }),
    });
    assert_eq!(decide(), "403 application_ambiguous");
    scene.index.resync(std::iter::empty());
    assert_eq!(decide(), "permit orders/gold");
}
