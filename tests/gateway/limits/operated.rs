//! Limits of what operators make and change at run time: API keys, subscriptions in the store, and those that are moved.
//! What was used is in the store, too, so it is there after a restart whoever has the agreement.

use serde_json::json;

use crate::admin::Scene;
use crate::harness::{Request, get};

const PLANS: &str = r#"
[[api]]
name = "keyed"
context_path = "/keyed"
upstream = "sample"

[[api.plan]]
name = "small"
security = "api_key"
quota = { requests = 4, per = "month" }

[[api.plan]]
name = "large"
security = "api_key"
quota = { requests = 10, per = "month" }
"#;

/// How many pass before the first that is refused, and with which code.
fn count(scene: &Scene, request: &Request) -> (usize, String) {
    for passed in 0..100 {
        let answer = request.send(scene.gateway.address());
        if answer.status != 200 {
            return (passed, answer.code());
        }
    }
    (100, String::new())
}

#[test]
fn what_was_used_goes_with_the_agreement_and_its_keys() {
    let mut scene = Scene::start_with(PLANS);
    let exceeded = |passed: usize| (passed, "quota_exceeded".to_owned());
    let mut keys = Vec::new();
    for application in ["mobile", "desktop"] {
        assert_eq!(scene.application(application).status, 201);
        let new = json!({ "application": application, "api": "keyed", "plan": "small" });
        assert_eq!(scene.post("/v1/subscriptions", &new).status, 201);
        for _ in 0..2 {
            let given = scene.post(
                &format!("/v1/subscriptions/{application}:keyed:small/keys"),
                &json!({}),
            );
            assert_eq!(given.status, 201, "{}", given.text());
            keys.push(given.json()["key"].as_str().unwrap().to_owned());
        }
    }
    let shown = |key: usize| get("/keyed/x").header("X-Api-Key", &keys[key]);
    // A subscription has one quota, however many keys; the other has its own.
    assert_eq!(shown(0).send(scene.gateway.address()).status, 200);
    assert_eq!(count(&scene, &shown(1)), exceeded(3));
    assert_eq!(count(&scene, &shown(2)), exceeded(4));
    // Moved to a plan with ten, of which four are used.
    let moved = scene.post(
        "/v1/subscriptions/mobile:keyed:small/move",
        &json!({ "plan": "large" }),
    );
    assert_eq!(moved.status, 200, "{}", moved.text());
    assert_eq!(shown(0).send(scene.gateway.address()).status, 200);
    scene.restart("TERM");
    assert_eq!(count(&scene, &shown(1)), exceeded(5));
    // And back: there the four were used long ago.
    let moved = scene.post(
        "/v1/subscriptions/mobile:keyed:large/move",
        &json!({ "plan": "small" }),
    );
    assert_eq!(moved.status, 200, "{}", moved.text());
    assert_eq!(count(&scene, &shown(0)), exceeded(0));
    // What is paused and resumed, or suspended, goes on as well.
    for step in ["pause", "resume"] {
        assert_eq!(
            scene
                .act(&format!("/v1/subscriptions/desktop:keyed:small/{step}"))
                .status,
            200
        );
    }
    assert_eq!(count(&scene, &shown(2)), exceeded(0));
}

#[test]
fn a_plan_that_was_changed_in_the_file_before_a_restart_goes_on_too() {
    let mut scene = Scene::start_with(PLANS);
    assert_eq!(scene.application("mobile").status, 201);
    let declared = |plan: &str| {
        let subscription =
            format!("[[subscription]]\napplication = \"declared\"\napi = \"orders\"\nplan = \"{plan}\"\n");
        let quota = |plan: &str, requests: u32| {
            (
                format!("name = \"{plan}\"\n"),
                format!("name = \"{plan}\"\nquota = {{ requests = {requests}, per = \"month\" }}\n"),
            )
        };
        let whole = crate::admin::config(&scene.upstream, PLANS);
        let (gold, old) = (quota("gold", 3), quota("old", 8));
        let whole = whole.replacen(&gold.0, &gold.1, 1).replacen(&old.0, &old.1, 1);
        whole.replace(
            "[[subscription]]\napplication = \"declared\"\napi = \"orders\"\nplan = \"gold\"\n",
            &subscription,
        )
    };
    let token = scene.acme.token().client("declared-app").text();
    let (gold, old) = (declared("gold"), declared("old"));
    scene.gateway.write_config(&gold);
    scene.restart("TERM");
    let request = get("/orders/1").bearer(&token);
    assert_eq!(count(&scene, &request).0, 3);
    scene.gateway.signal("TERM");
    scene.gateway.write_config(&old);
    scene.gateway.restart_after_end();
    assert_eq!(count(&scene, &request), (5, "quota_exceeded".to_owned()));
}
