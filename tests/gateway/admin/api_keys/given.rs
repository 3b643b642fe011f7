//! Which keys can be given out, to whom, and what is said of those that cannot.
//! Whoever asks is an operator, and still learns of other subscriptions' keys only that they are in use.

use serde_json::{Value, json};

use super::{Scene, given, start};
use crate::admin::json_body;
use crate::harness::{get, post, request};

const KEYS: &str = "/v1/subscriptions/mobile:keyed:keys/keys";

#[test]
fn what_can_be_no_key_and_who_can_have_none_is_refused() {
    let scene = start();
    assert_eq!(scene.agree("mobile", "keyed", "manual").status, 201);
    assert_eq!(scene.subscription("mobile", "gold").status, 201);
    let (taken, _) = scene.key("mobile:elsewhere:keys", &json!({ "key": "taken-key-1" }));
    let (revoked, _) = scene.key("mobile:elsewhere:keys", &json!({ "key": "revoked-key-1" }));
    assert_eq!(scene.act(&format!("/v1/keys/{revoked}/revoke")).status, 200);
    let to = |subscription: &str| format!("/v1/subscriptions/{subscription}/keys");
    let good = json!({});
    let rows: Vec<(String, Value, u16, &str)> = vec![
        (KEYS.into(), json!({ "key": "seven-7" }), 422, "invalid"),
        (KEYS.into(), json!({ "key": "k".repeat(65) }), 422, "invalid"),
        (KEYS.into(), json!({ "key": "with spaces in it" }), 422, "invalid"),
        (KEYS.into(), json!({ "key": "caractères" }), 422, "invalid"),
        (KEYS.into(), json!({ "key": "a/b/c/d/e" }), 422, "invalid"),
        (KEYS.into(), json!({ "key": "line\nfeed" }), 422, "invalid"),
        (KEYS.into(), json!({ "key": "" }), 422, "invalid"),
        (KEYS.into(), json!({ "key": 12345678 }), 422, "invalid"),
        (KEYS.into(), json!({ "expires_at": "tomorrow" }), 422, "invalid"),
        (
            KEYS.into(),
            json!({ "expires_at": "2020-01-01T00:00:00Z" }),
            422,
            "invalid",
        ),
        (KEYS.into(), json!({ "grace_seconds": 1 }), 422, "invalid"),
        (
            format!("{KEYS}/renew"),
            json!({ "grace_seconds": 2_592_001 }),
            422,
            "invalid",
        ),
        (
            format!("{KEYS}/renew"),
            json!({ "grace_seconds": -1 }),
            422,
            "invalid",
        ),
        (
            format!("{KEYS}/renew"),
            json!({ "grace_seconds": "2h" }),
            422,
            "invalid",
        ),
        (KEYS.into(), json!({ "key": "taken-key-1" }), 409, "conflict"),
        (KEYS.into(), json!({ "key": "revoked-key-1" }), 409, "conflict"),
        (
            to("mobile:elsewhere:keys"),
            json!({ "key": "taken-key-1" }),
            409,
            "conflict",
        ),
        (
            format!("{KEYS}/renew"),
            json!({ "key": "taken-key-1" }),
            409,
            "conflict",
        ),
        (
            format!("/v1/keys/{taken}/renew"),
            json!({ "key": "taken-key-1" }),
            409,
            "conflict",
        ),
        (to("mobile:orders:gold"), good.clone(), 409, "conflict"),
        (to("declared:orders:gold"), good.clone(), 409, "conflict"),
        (to("mobile:keyed:manual"), good.clone(), 409, "conflict"),
        (to("mobile:keyed:other"), good.clone(), 404, "not_found"),
        (to("nobody:keyed:keys"), good.clone(), 404, "not_found"),
        (format!("{KEYS}/1"), good.clone(), 404, "not_found"),
        (
            "/v1/keys/mobile:keyed:keys:999/renew".into(),
            good.clone(),
            404,
            "not_found",
        ),
        ("/v1/keys/mobile/renew".into(), good, 404, "not_found"),
    ];
    for (path, body, status, code) in rows {
        let answer = scene.post(&path, &body);
        assert_eq!(
            (answer.status, answer.code()),
            (status, code.to_owned()),
            "{path} {body}"
        );
        let says = answer.text();
        for secret in ["taken-key-1", "revoked-key-1", "elsewhere", "seven-7"] {
            assert!(!says.contains(secret), "{body}: {says}");
        }
    }
    let version = scene
        .show(&format!("/v1/keys/{taken}"))
        .header("etag")
        .unwrap()
        .to_owned();
    let put = |body: &str| json_body(request("PUT", &format!("/v1/keys/{taken}")).body(body));
    for (asked, status) in [
        (put("{}"), 428),
        (put("{}").header("If-Match", "\"0\""), 412),
        (put(r#"{"expires_at":"never"}"#).header("If-Match", &version), 422),
        (put("{}").header("If-Match", &version), 200),
        (request("DELETE", &format!("/v1/keys/{taken}")), 405),
        (
            json_body(post(&format!("/v1/keys/{taken}/renew"), "{}")).header("If-Match", "\"0\""),
            412,
        ),
        (get("/v1/keys/mobile:keyed:keys:999"), 404),
        (get("/v1/keys/mobile"), 404),
        (get("/v1/subscriptions/nobody:keyed:keys/keys"), 404),
        (
            post(&format!("/v1/keys/{taken}/revoke"), "").header("If-Match", "\"0\""),
            412,
        ),
    ] {
        let what = format!("{asked:?}");
        assert_eq!(scene.tell(asked).status, status, "{what}");
    }
    // A given key of either length is one.
    for key in ["Az09-._~", &"k".repeat(64)] {
        scene.key("mobile:keyed:keys", &json!({ "key": key }));
        assert_eq!(scene.show_key(key), "200", "{key}");
    }
}

#[test]
fn a_subscription_has_twenty_good_keys_and_a_hundred_in_all() {
    let scene = start();
    let list = || scene.show(KEYS).json()["items"].as_array().unwrap().clone();
    for _ in 0..20 {
        scene.key("mobile:keyed:keys", &json!({}));
    }
    let too_many = |path: &str, body: &Value| {
        let answer = scene.post(path, body);
        assert_eq!(answer.code(), "conflict", "{}", answer.text());
    };
    too_many(KEYS, &json!({}));
    too_many(&format!("{KEYS}/renew"), &json!({}));
    let first = list()[0]["id"].as_str().unwrap().to_owned();
    given(&scene.post(&format!("/v1/keys/{first}/renew"), &json!({ "grace_seconds": 0 })));
    let version = scene
        .show(&format!("/v1/keys/{first}"))
        .header("etag")
        .unwrap()
        .to_owned();
    let back =
        json_body(request("PUT", &format!("/v1/keys/{first}")).body("{}")).header("If-Match", &version);
    assert_eq!(
        scene.tell(back).code(),
        "conflict",
        "an expired one would be the 21st"
    );
    for _ in 0..90 {
        given(&scene.post(&format!("{KEYS}/renew"), &json!({ "grace_seconds": 0 })));
    }
    let kept = list();
    let good: Vec<bool> = kept.iter().map(|key| key["status"] == "good").collect();
    assert_eq!((kept.len(), good.iter().filter(|good| **good).count()), (100, 1));
    assert!(good[99], "the newest comes last");
    assert_eq!(
        scene.show(&format!("/v1/keys/{first}")).status,
        404,
        "the oldest is forgotten"
    );
}

#[test]
fn only_a_whole_id_has_the_keys_of_a_subscription() {
    let scene = start();
    for subscription in ["mobile:keyed:keys", "mobile:elsewhere:keys"] {
        scene.key(subscription, &json!({}));
    }
    for (id, status) in [
        ("mobile:keyed:keys", 200),
        ("mobile:keyed", 404),
        ("mobile", 404),
        ("mobile:", 404),
        ("mobile::keys", 404),
        ("mobile:keyed:", 404),
        ("mobile:keyed:keys:", 404),
        ("mobile:keyed:key", 404),
        ("mobil", 404),
        (":", 404),
    ] {
        let path = format!("/v1/subscriptions/{id}/keys");
        assert_eq!(scene.show(&path).status, status, "{id}");
        assert_eq!(
            scene.post(&path, &json!({})).status,
            if status == 200 { 201 } else { 404 },
            "{id}"
        );
    }
}

#[test]
fn a_repeated_request_gives_no_key_out_again() {
    let scene = start();
    let ask = |path: &str, body: &str| {
        let asked = json_body(post(path, body)).header("Idempotency-Key", "once");
        scene.tell(asked)
    };
    let (id, key) = given(&ask(KEYS, r#"{"key":"given-key-1"}"#));
    assert_eq!(key, "given-key-1");
    let again = ask(KEYS, r#"{"key":"given-key-1"}"#);
    assert_eq!(
        (again.status, again.json()["id"].as_str()),
        (201, Some(id.as_str()))
    );
    assert!(!again.text().contains("given-key-1"), "{}", again.text());
    for (path, body) in [
        (KEYS.to_owned(), r#"{"key":"given-key-2"}"#),
        (KEYS.to_owned(), "{}"),
        (format!("{KEYS}/renew"), r#"{"key":"given-key-1"}"#),
    ] {
        assert_eq!(ask(&path, body).code(), "idempotency_key_reused", "{path} {body}");
    }
    let renew = || {
        let asked = json_body(post(&format!("/v1/keys/{id}/renew"), "{}"));
        scene.tell(asked.header("Idempotency-Key", "twice"))
    };
    let (made, text) = given(&renew());
    let again = renew();
    assert_eq!(again.json()["id"], made.as_str());
    assert!(!again.text().contains(&text) && again.json()["key"].is_null());
    assert_eq!(scene.show(KEYS).json()["items"].as_array().unwrap().len(), 2);
    assert_eq!(scene.show_key(&text), "200");
}

#[test]
fn a_view_shows_four_characters_of_what_was_made_here_and_nothing_of_what_was_chosen() {
    let scene: Scene = start();
    let (made, text) = scene.key("mobile:keyed:keys", &json!({}));
    let (chosen, _) = scene.key(
        "mobile:keyed:keys",
        &json!({ "key": "a-long-key-that-somebody-has-chosen-for-himself" }),
    );
    let view = |id: &str| scene.show(&format!("/v1/keys/{id}")).json();
    assert_eq!(view(&made)["prefix"], &text[..4]);
    assert!(view(&chosen)["prefix"].is_null());
    let members: Vec<String> = view(&made).as_object().unwrap().keys().cloned().collect();
    let mut expected = vec!["id", "version", "subscription", "status", "prefix", "created_at"];
    expected.sort_unstable();
    assert_eq!(members, expected);
}
