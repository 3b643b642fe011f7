//! What the audit log tells of subscriptions and keys that go along with a change. Each is told once, by an id that can be
//! looked for in earlier entries.

use serde_json::{Value, json};

use super::Scene;
use super::api_keys::KEYED;
use crate::harness::request;

// === impl Scene ===

impl Scene {
    fn subscribe_keyed(&self, plan: &str) {
        let new = json!({ "application": "a", "api": "keyed", "plan": plan });
        assert_eq!(self.post("/v1/subscriptions", &new).status, 201);
    }

    /// A new key: its number.
    fn give_key(&self, plan: &str) -> String {
        let path = format!("/v1/subscriptions/a:keyed:{plan}/keys");
        let given = self.post(&path, &json!({})).json();
        let id = given["id"].as_str().unwrap();
        id.rsplit(':').next().unwrap().to_owned()
    }

    /// What the newest entry of the audit log tells of what went along.
    fn along(&self, action: &str) -> (Value, Value) {
        let entry = self.show("/v1/audit?limit=1").json()["items"][0].clone();
        assert_eq!(entry["action"], action, "{entry}");
        (entry["removed"].clone(), entry["moved"].clone())
    }
}

fn told(subscriptions: usize, api_keys: usize, ids: &[String]) -> Value {
    json!({ "subscriptions": subscriptions, "api_keys": api_keys, "ids": ids })
}

#[test]
fn what_goes_along_with_a_change_is_told_in_its_entry() {
    let scene = Scene::start_with(KEYED);
    assert_eq!(scene.post("/v1/applications", &json!({ "id": "a" })).status, 201);
    scene.subscribe_keyed("keys");
    assert_eq!(scene.along("subscription.create"), (Value::Null, Value::Null));
    let (first, second) = (scene.give_key("keys"), scene.give_key("keys"));
    assert_eq!(scene.along("api_key.create"), (Value::Null, Value::Null));
    let close = |plan: &str| {
        let path = format!("/v1/subscriptions/a:keyed:{plan}/close");
        assert_eq!(scene.act(&path).status, 200);
    };
    let key = |plan: &str, number: &str| format!("a:keyed:{plan}:{number}");

    close("keys");
    scene.subscribe_keyed("keys");
    let gone = [key("keys", &first), key("keys", &second)];
    assert_eq!(
        scene.along("subscription.create"),
        (told(0, 2, &gone), Value::Null)
    );

    scene.subscribe_keyed("other");
    let left = scene.give_key("other");
    close("other");
    let third = scene.give_key("keys");
    let moved = scene.post("/v1/subscriptions/a:keyed:keys/move", &json!({ "plan": "other" }));
    assert_eq!(moved.status, 200, "{}", moved.text());
    assert_eq!(
        scene.along("subscription.move"),
        (
            told(0, 1, &[key("other", &left)]),
            told(0, 1, &[key("keys", &third)])
        )
    );

    let own = ["a:keyed:other".to_owned(), key("other", &third)];
    assert_eq!(scene.tell(request("DELETE", "/v1/applications/a")).status, 204);
    assert_eq!(scene.along("application.delete"), (told(1, 1, &own), Value::Null));
}

#[test]
fn of_many_the_first_hundred_are_named() {
    let scene = Scene::start_with(KEYED);
    assert_eq!(scene.post("/v1/applications", &json!({ "id": "a" })).status, 201);
    scene.subscribe_keyed("keys");
    let renew = "/v1/subscriptions/a:keyed:keys/keys/renew";
    for _ in 0..100 {
        assert_eq!(scene.post(renew, &json!({ "grace_seconds": 0 })).status, 201);
    }
    // One more than are kept.
    assert_eq!(scene.post(renew, &json!({ "grace_seconds": 0 })).status, 201);
    let (forgotten, _) = scene.along("api_key.renew");
    assert_eq!(
        (&forgotten["api_keys"], forgotten["ids"].as_array().unwrap().len()),
        (&json!(1), 1)
    );
    assert_eq!(scene.tell(request("DELETE", "/v1/applications/a")).status, 204);
    let (removed, _) = scene.along("application.delete");
    assert_eq!(
        (
            &removed["subscriptions"],
            &removed["api_keys"],
            removed["ids"].as_array().unwrap().len()
        ),
        (&json!(1), &json!(100), 100)
    );
}
