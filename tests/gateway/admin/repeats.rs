//! A request that is sent again under its idempotency key: it makes nothing a second time, and gets what was made, as it
//! is then. When that is gone, so is the answer; what has taken its place is not what was made.

use serde_json::{Value, json};

use super::api_keys::KEYED;
use super::{Scene, json_body};
use crate::harness::{Response, post, request};

const APPLICATION: &str = "/v1/applications/a";
const SUBSCRIPTION: &str = "/v1/subscriptions/a:keyed:keys";

fn make(scene: &Scene, path: &str, body: &Value, key: &str) -> Response {
    scene.tell(json_body(post(path, body.to_string())).header("Idempotency-Key", key))
}

fn agreement() -> Value {
    json!({ "application": "a", "api": "keyed", "plan": "keys" })
}

fn remove_application(scene: &Scene) {
    assert_eq!(scene.tell(request("DELETE", APPLICATION)).status, 204);
}

fn make_application(scene: &Scene) {
    assert_eq!(scene.post("/v1/applications", &json!({ "id": "a" })).status, 201);
}

fn act(scene: &Scene, path: &str) {
    assert_eq!(scene.act(path).status, 200, "{path}");
}

fn subscribe(scene: &Scene) {
    assert_eq!(scene.post("/v1/subscriptions", &agreement()).status, 201);
}

#[test]
fn what_is_sent_again_gets_what_was_made_or_hears_that_it_is_gone() {
    type Row<'r> = (&'r str, fn(&Scene), Option<(&'r str, &'r str)>);
    let keys = format!("{SUBSCRIPTION}/keys");
    // What is sent again, what has happened between, and what is in the answer then; nothing: it is gone.
    let rows: [Row<'_>; 10] = [
        ("application", |_| {}, Some(("suspended", "false"))),
        (
            "application",
            |scene| act(scene, &format!("{APPLICATION}/suspend")),
            Some(("suspended", "true")),
        ),
        ("application", remove_application, None),
        (
            "application",
            |scene| {
                remove_application(scene);
                make_application(scene);
            },
            None,
        ),
        (
            "subscription",
            |scene| act(scene, &format!("{SUBSCRIPTION}/pause")),
            Some(("status", "\"paused\"")),
        ),
        (
            "subscription",
            |scene| {
                act(scene, &format!("{SUBSCRIPTION}/close"));
                subscribe(scene);
            },
            None,
        ),
        (
            "subscription",
            |scene| {
                let moved = scene.post(&format!("{SUBSCRIPTION}/move"), &json!({ "plan": "other" }));
                assert_eq!(moved.status, 200, "{}", moved.text());
            },
            None,
        ),
        (
            "key",
            |scene| {
                let keys = scene.show(&format!("{SUBSCRIPTION}/keys")).json();
                let id = keys["items"][0]["id"].as_str().unwrap().to_owned();
                act(scene, &format!("/v1/keys/{id}/revoke"));
            },
            Some(("status", "\"revoked\"")),
        ),
        (
            "key",
            |scene| {
                act(scene, &format!("{SUBSCRIPTION}/close"));
                subscribe(scene);
            },
            None,
        ),
        ("key", remove_application, None),
    ];
    let scene = Scene::start_with(KEYED);
    for (row, (what, between, expected)) in rows.into_iter().enumerate() {
        let (path, body) = match what {
            "application" => ("/v1/applications", json!({ "id": "a" })),
            "subscription" => ("/v1/subscriptions", agreement()),
            _ => (keys.as_str(), json!({})),
        };
        if what != "application" {
            make_application(&scene);
        }
        if what == "key" {
            subscribe(&scene);
        }
        let send = || make(&scene, path, &body, &format!("row-{row}"));
        let first = send();
        assert_eq!(first.status, 201, "row {row}: {}", first.text());
        between(&scene);
        let last = scene.show("/v1/audit?limit=1").text();
        for _ in 0..2 {
            let again = send();
            match expected {
                Some((member, value)) => {
                    let shown = again.json();
                    assert_eq!(
                        (again.status, shown[member].to_string()),
                        (201, value.to_owned()),
                        "row {row}"
                    );
                    assert_eq!(shown["created_at"], first.json()["created_at"], "row {row}");
                }
                None => assert_eq!(
                    (again.status, again.code()),
                    (409, "conflict".to_owned()),
                    "row {row}: {}",
                    again.text()
                ),
            }
        }
        assert_eq!(scene.show("/v1/audit?limit=1").text(), last, "row {row}");
        // Whether it is there or not.
        scene.tell(request("DELETE", APPLICATION));
    }
}
