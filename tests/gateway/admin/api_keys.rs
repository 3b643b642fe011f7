//! API keys from the answer that gives them out to the last request that they open.
//!
//! What an operator does with a key counts for the very next request, so nothing waits here but for a moment to pass.

mod given;
mod reloads;
mod secrets;

use serde_json::{Value, json};

use super::{Scene, config, json_body};
use crate::harness::{Response, get, request, wait_until};

/// APIs whose plans ask for keys, and a declared subscription to one of them.
pub(super) const KEYED: &str = r#"
[[api]]
name = "keyed"
context_path = "/keyed"
upstream = "sample"

[[api.plan]]
name = "keys"
security = "api_key"
api_key = { query = "api-key" }

[[api.plan]]
name = "other"
security = "api_key"

[[api.plan]]
name = "manual"
security = "api_key"
validation = "manual"

[[api]]
name = "elsewhere"
context_path = "/elsewhere"
upstream = "sample"

[[api.plan]]
name = "keys"
security = "api_key"
"#;

/// What a configuration says of the declared application's keys.
const DECLARED: &str = r#"
[[subscription]]
application = "declared"
api = "keyed"
plan = "keys"
"#;

/// `mobile` has agreements to `keyed/keys` and `elsewhere/keys`.
fn start() -> Scene {
    let scene = Scene::start_with(&[KEYED, DECLARED].concat());
    assert_eq!(scene.application("mobile").status, 201);
    for (api, plan) in [("keyed", "keys"), ("elsewhere", "keys")] {
        assert_eq!(scene.agree("mobile", api, plan).status, 201);
    }
    scene
}

impl Scene {
    fn agree(&self, application: &str, api: &str, plan: &str) -> Response {
        let new = json!({ "application": application, "api": api, "plan": plan });
        self.post("/v1/subscriptions", &new)
    }

    /// A new key of a subscription: its id and its text.
    fn key(&self, subscription: &str, new: &Value) -> (String, String) {
        given(&self.post(&format!("/v1/subscriptions/{subscription}/keys"), new))
    }

    /// What the caller who shows this key in the header gets: `200`, or the status and the reason.
    fn show_key(&self, key: &str) -> String {
        self.outcome(
            &get("/keyed/1")
                .header("X-Api-Key", key)
                .send(self.gateway.address()),
        )
    }

    fn outcome(&self, answer: &Response) -> String {
        if answer.status == 200 {
            return "200".to_owned();
        }
        let line = self.gateway.access_line(answer);
        let reason = line["reason"].as_str().unwrap_or_default();
        format!("{} {reason}", answer.status)
    }
}

/// The id and the text of a key that an answer gives out.
fn given(answer: &Response) -> (String, String) {
    assert_eq!(answer.status, 201, "{}", answer.text());
    let body = answer.json();
    let text = |member: &str| body[member].as_str().expect(member).to_owned();
    assert_eq!(
        answer.header("location"),
        Some(format!("/v1/keys/{}", text("id")).as_str())
    );
    (text("id"), text("key"))
}

#[test]
fn keys_are_listed_of_one_subscription_and_not_of_all_that_begin_so() {
    let scene = start();
    for subscription in ["mobile:keyed:keys", "mobile:elsewhere:keys"] {
        scene.key(subscription, &json!({}));
    }
    for (id, status) in [
        ("mobile:keyed:keys", 200),
        ("mobile", 404),
        ("mobile:keyed", 404),
        ("mobile:keyed:", 404),
        ("mobile::", 404),
        ("mobile:keyed:keys:", 404),
        ("mobile:keyed:keys:1", 404),
        ("mobil", 404),
        (":", 404),
        ("::", 404),
        ("%2a", 404),
    ] {
        let listed = scene.show(&format!("/v1/subscriptions/{id}/keys"));
        assert_eq!(listed.status, status, "{id}: {}", listed.text());
        let made = scene.post(&format!("/v1/subscriptions/{id}/keys"), &json!({}));
        assert_eq!(
            made.status,
            if status == 200 { 201 } else { 404 },
            "{id}: {}",
            made.text()
        );
    }
}

#[test]
fn a_key_opens_its_plan_and_nothing_else() {
    let scene = start();
    let (_, key) = scene.key("mobile:keyed:keys", &json!({}));
    let (_, elsewhere) = scene.key("mobile:elsewhere:keys", &json!({}));
    assert_eq!(key.len(), 43);
    let address = scene.gateway.address();
    let with = |target: &str| get(target).send(address);
    let header = |target: &str, key: &str| get(target).header("X-Api-Key", key).send(address);
    for (what, answer, expected) in [
        ("in the header", header("/keyed/1", &key), "200"),
        ("in the query", with(&format!("/keyed/1?api-key={key}")), "200"),
        (
            "in both",
            get(&format!("/keyed/1?api-key={key}"))
                .header("X-Api-Key", &key)
                .send(address),
            "400 several_credentials",
        ),
        (
            "of the other API",
            header("/keyed/1", &elsewhere),
            "401 api_key_for_other_plan",
        ),
        ("at its own API", header("/elsewhere/1", &elsewhere), "200"),
        (
            "where no plan looks in the query",
            with(&format!("/elsewhere/1?api-key={elsewhere}")),
            "401 missing_credentials",
        ),
        ("cut short", header("/keyed/1", &key[..42]), "401 api_key_unknown"),
        (
            "in capitals",
            header("/keyed/1", &key.to_uppercase()),
            "401 api_key_unknown",
        ),
        (
            "as a token",
            get("/keyed/1").bearer(&key).send(address),
            "401 credential_not_accepted",
        ),
        ("none", with("/keyed/1"), "401 missing_credentials"),
    ] {
        assert_eq!(scene.outcome(&answer), expected, "{what}");
    }
    // Where each of several keys is good, each is.
    let (second, text) = scene.key("mobile:keyed:keys", &json!({}));
    assert_eq!([scene.show_key(&key), scene.show_key(&text)], ["200", "200"]);
    assert_eq!(scene.act(&format!("/v1/keys/{second}/revoke")).status, 200);
    assert_eq!(
        [scene.show_key(&key), scene.show_key(&text)],
        ["200", "401 api_key_revoked"]
    );
}

#[test]
fn what_becomes_of_a_key_is_obeyed_by_the_next_request() {
    let scene = start();
    let keys = "/v1/subscriptions/mobile:keyed:keys/keys";
    let (id, key) = scene.key("mobile:keyed:keys", &json!({}));
    // Revoked, and once more: nothing is left to be done.
    let revoked = scene.act(&format!("/v1/keys/{id}/revoke"));
    assert_eq!(scene.show_key(&key), "401 api_key_revoked");
    let again = scene.act(&format!("/v1/keys/{id}/revoke"));
    assert_eq!((again.status, again.text()), (200, revoked.text()));
    assert_eq!(
        scene.post(&format!("/v1/keys/{id}/renew"), &json!({})).code(),
        "conflict"
    );
    // Renewed: all good ones stay good for the while, and no longer than they would have.
    let (first, first_key) = scene.key("mobile:keyed:keys", &json!({}));
    let (second, second_key) = scene.key(
        "mobile:keyed:keys",
        &json!({ "expires_at": "2999-01-01T00:00:00Z" }),
    );
    let (_, third_key) = given(&scene.post(&format!("{keys}/renew"), &json!({})));
    let all = |expected: &str| {
        for key in [&first_key, &second_key, &third_key] {
            assert_eq!(scene.show_key(key), expected);
        }
    };
    all("200");
    let end = |id: &str| scene.show(&format!("/v1/keys/{id}")).json()["expires_at"].clone();
    let soon = end(&first);
    assert_eq!(soon, end(&second));
    let seconds = soon
        .as_str()
        .unwrap()
        .parse::<jiff::Timestamp>()
        .unwrap()
        .as_second()
        - crate::harness::now();
    assert!((7190..=7200).contains(&seconds), "{seconds}");
    let renewed = given(&scene.post(
        &format!("/v1/keys/{first}/renew"),
        &json!({ "grace_seconds": 2_592_000 }),
    ));
    assert_eq!(end(&first), soon, "no end is put off");
    // No grace, for one and for all.
    let (_, fifth_key) = given(&scene.post(
        &format!("/v1/keys/{}/renew", renewed.0),
        &json!({ "grace_seconds": 0 }),
    ));
    assert_eq!(scene.show_key(&renewed.1), "401 api_key_expired");
    all("200");
    let (last, last_key) = given(&scene.post(&format!("{keys}/renew"), &json!({ "grace_seconds": 0 })));
    all("401 api_key_expired");
    assert_eq!(scene.show_key(&fifth_key), "401 api_key_expired");
    assert_eq!(scene.show_key(&last_key), "200");
    // An end that comes, and one that is taken away again.
    let (near, near_key) = scene.key(
        "mobile:keyed:keys",
        &json!({ "expires_at": (jiff::Timestamp::now() + jiff::SignedDuration::from_millis(700)).to_string() }),
    );
    wait_until("the key to expire", || {
        (scene.show_key(&near_key) == "401 api_key_expired").then_some(())
    });
    assert_eq!(
        scene.show(&format!("/v1/keys/{near}")).json()["status"],
        "expired"
    );
    let put = |id: &str, body: Value| {
        let version = scene
            .show(&format!("/v1/keys/{id}"))
            .header("etag")
            .unwrap()
            .to_owned();
        let asked = request("PUT", &format!("/v1/keys/{id}")).body(body.to_string());
        scene.tell(json_body(asked).header("If-Match", &version)).status
    };
    assert_eq!(put(&near, json!({})), 200);
    assert_eq!(scene.show_key(&near_key), "200");
    assert_eq!(put(&last, json!({ "expires_at": "2020-01-01T00:00:00Z" })), 200);
    assert_eq!(scene.show_key(&last_key), "401 api_key_expired");
    assert_eq!(put(&id, json!({})), 409, "what is revoked stays so");
}

#[test]
fn a_key_is_worth_what_its_subscription_is() {
    let mut scene = start();
    let (id, key) = scene.key("mobile:keyed:keys", &json!({}));
    let subscription = "/v1/subscriptions/mobile:keyed:keys";
    for (step, expected) in [
        (format!("{subscription}/pause"), "403 subscription_paused"),
        (format!("{subscription}/resume"), "200"),
        (
            "/v1/applications/mobile/suspend".to_owned(),
            "403 application_suspended",
        ),
        ("/v1/applications/mobile/resume".to_owned(), "200"),
    ] {
        assert_eq!(scene.act(&step).status, 200, "{step}");
        assert_eq!(scene.show_key(&key), expected, "{step}");
    }
    // It goes along to another plan, and survives what ends the process.
    let moved = scene.post(&format!("{subscription}/move"), &json!({ "plan": "other" }));
    assert_eq!(moved.status, 200, "{}", moved.text());
    assert_eq!(scene.show(&format!("/v1/keys/{id}")).status, 404);
    let number = id.rsplit(':').next().unwrap().to_owned();
    let id = format!("mobile:keyed:other:{number}");
    let (revoked, revoked_key) = scene.key("mobile:keyed:other", &json!({}));
    assert_eq!(scene.act(&format!("/v1/keys/{revoked}/revoke")).status, 200);
    let (_, declared_key) = scene.key("declared:keyed:keys", &json!({}));
    let before = scene.show("/v1/subscriptions/mobile:keyed:other/keys").text();
    for signal in ["TERM", "KILL"] {
        assert_eq!(scene.show_key(&key), "200", "{signal}");
        scene.restart(signal);
        assert_eq!(scene.show_key(&key), "200", "{signal}");
        assert_eq!(scene.show_key(&revoked_key), "401 api_key_revoked", "{signal}");
        assert_eq!(scene.show_key(&declared_key), "200", "{signal}");
        assert_eq!(
            scene.show("/v1/subscriptions/mobile:keyed:other/keys").text(),
            before
        );
    }
    // Closed is closed: the keys of what was there before are not those of what takes its place.
    let subscription = "/v1/subscriptions/mobile:keyed:other";
    assert_eq!(scene.act(&format!("{subscription}/close")).status, 200);
    assert_eq!(scene.show_key(&key), "403 subscription_closed");
    assert_eq!(
        scene.post(&format!("{subscription}/keys"), &json!({})).code(),
        "conflict"
    );
    assert_eq!(scene.agree("mobile", "keyed", "other").status, 201);
    assert_eq!(scene.show_key(&key), "401 api_key_unknown");
    assert_eq!(scene.show(&format!("/v1/keys/{id}")).status, 404);
    let (_, key) = scene.key("mobile:keyed:other", &json!({}));
    assert_eq!(scene.show_key(&key), "200");
    // Nor are those of an application that is gone.
    assert_eq!(
        scene.tell(request("DELETE", "/v1/applications/mobile")).status,
        204
    );
    assert_eq!(scene.show_key(&key), "401 api_key_unknown");
    assert_eq!(scene.application("mobile").status, 201);
    assert_eq!(scene.agree("mobile", "keyed", "other").status, 201);
    assert_eq!(scene.show_key(&key), "401 api_key_unknown");
}

#[test]
fn a_declared_subscription_has_keys_as_long_as_it_is_declared() {
    let scene = start();
    let keys = "/v1/subscriptions/declared:keyed:keys/keys";
    let (id, key) = scene.key("declared:keyed:keys", &json!({}));
    let (revoked, revoked_key) = scene.key("declared:keyed:keys", &json!({}));
    assert_eq!(scene.act(&format!("/v1/keys/{revoked}/revoke")).status, 200);
    assert_eq!(scene.show_key(&key), "200");
    let written = |more: &str| config(&scene.upstream, &[KEYED, more].concat());
    let application = "[[application]]\nid = \"declared\"\nclient_ids = [\"declared-app\"]\n";
    let gold = "[[subscription]]\napplication = \"declared\"\napi = \"orders\"\nplan = \"gold\"\n";
    let without = written("").replace(application, "").replace(gold, "");
    for (round, (text, expected, may_have)) in [
        (
            written(&format!("{DECLARED}status = \"paused\"\n")),
            "403 subscription_paused",
            201,
        ),
        (
            written(&format!("{DECLARED}status = \"pending\"\n")),
            "403 subscription_pending",
            409,
        ),
        (
            written(&format!("{DECLARED}status = \"closed\"\n")),
            "403 subscription_closed",
            409,
        ),
        (written(""), "403 subscription_not_found", 404),
        (without, "401 api_key_unknown", 404),
        (written(DECLARED), "200", 201),
    ]
    .into_iter()
    .enumerate()
    {
        scene.gateway.write_config(&text);
        let generation = u64::try_from(round).unwrap() + 2;
        scene.gateway.wait_for_log(|line| {
            line["event"] == "configuration_applied" && line["generation"] == generation
        });
        // What is no longer declared is taken away a moment after the new configuration is in force.
        wait_until(expected, || (scene.show_key(&key) == expected).then_some(()));
        let refused = scene.show_key(&revoked_key);
        assert_eq!(refused, "401 api_key_revoked", "{expected}");
        // What is left of it can be seen and taken back, whatever became of it.
        assert_eq!(
            scene.show(&format!("/v1/keys/{id}")).json()["status"],
            "good",
            "{expected}"
        );
        assert_eq!(scene.show(keys).status, 200, "{expected}");
        assert_eq!(scene.post(keys, &json!({})).status, may_have, "{expected}");
    }
    let (_, last_key) = scene.key("declared:keyed:keys", &json!({}));
    assert_eq!(scene.act(&format!("/v1/keys/{id}/revoke")).status, 200);
    assert_eq!(scene.show_key(&key), "401 api_key_revoked");
    // What takes its place in the store has none of its keys.
    scene.gateway.write_config(&written(""));
    wait_until("the last reload", || {
        (scene.show_key(&last_key) == "403 subscription_not_found").then_some(())
    });
    assert_eq!(scene.agree("declared", "keyed", "keys").status, 201);
    assert_eq!(scene.show_key(&last_key), "401 api_key_unknown");
}
