//! Secrets are planted wherever one can come in, and then everything that comes out is searched for them: answers, logs,
//! metrics, and every byte of the store. A hash that could be tried without the store's secret counts as one.

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::json;

use super::{Scene, given, start};
use crate::admin::json_body;
use crate::harness::{Request, get, post, request};

const GIVEN: [&str; 3] = ["gvn-1a2b3c4d", "gvn-5e6f7a8b", "gvn-9c0d1e2f"];

fn hexadecimal(text: &[u8]) -> String {
    text.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_planted_secret_is_nowhere_but_in_the_answer_that_gives_it_out() {
    let scene: Scene = start();
    let keys = "/v1/subscriptions/mobile:keyed:keys/keys";
    let mut seen = String::new();
    let mut planted = vec![scene.token()];
    let mut digests = Vec::new();
    let mut plant = |scene: &Scene, path: &str, body: &str| {
        // The same under an idempotency key, twice: the second answer gives nothing out.
        let asked = || json_body(post(path, body)).header("Idempotency-Key", path);
        let (_, text) = given(&scene.tell(asked()));
        planted.push(text);
        let line = format!("POST {path}\n{body}");
        digests.push(digest(&SHA256, line.as_bytes()));
        digests.push(digest(&SHA256, body.as_bytes()));
        scene.tell(asked()).text()
    };
    for (path, body) in [
        (keys.to_owned(), json!({ "key": GIVEN[0] })),
        (format!("{keys}/renew"), json!({ "key": GIVEN[1] })),
        ("/v1/subscriptions/declared:keyed:keys/keys".to_owned(), json!({})),
        (
            "/v1/subscriptions/mobile:elsewhere:keys/keys".to_owned(),
            json!({}),
        ),
    ] {
        seen.push_str(&plant(&scene, &path, &body.to_string()));
    }
    let given = planted.clone();
    // What is refused is not repeated either.
    let refused = "planted-0b7e55d1c9 not a key";
    for body in [
        json!({ "key": refused }),
        json!({ "key": GIVEN[0] }),
        json!({ "key": GIVEN[2], "expires_at": refused }),
        json!({ "key": [refused] }),
        json!({ "expires_at": GIVEN[2] }),
    ] {
        let answer = scene.post(keys, &body);
        assert!([409, 422].contains(&answer.status), "{}", answer.text());
        seen.push_str(&answer.text());
    }
    planted.extend([refused.to_owned(), GIVEN[2].to_owned()]);
    // Keys and tokens as callers show them: good, revoked, unknown, in the wrong place.
    let stolen = scene.acme.token().client("mobile-app").text();
    let unknown = "unknown-5d2c77e0";
    planted.extend([stolen.clone(), unknown.to_owned()]);
    for text in given.iter().map(String::as_str).chain([unknown, stolen.as_str()]) {
        for asked in [
            get("/keyed/1").header("X-Api-Key", text),
            get(&format!("/keyed/1?api-key={text}")),
            get("/orders/1").bearer(text),
            get("/orders/1").header("Authorization", &format!("ApiKey {text}")),
        ] {
            let answer = asked.send(scene.gateway.address());
            scene.gateway.access_line(&answer);
            // The sample upstream repeats what it was sent; what the gateway itself says counts.
            if answer.status != 200 {
                seen.push_str(&answer.text());
            }
            seen.push_str(&format!("{:?}", answer.headers));
        }
        for pasted in [
            get(&format!("/v1/keys/{text}")),
            request("POST", &format!("/v1/keys/{text}/revoke")).header("Content-Length", "0"),
            get(&format!("/v1/keys/mobile:{text}")),
            get(&format!("/v1/subscriptions/{text}")),
            get(&format!("/v1/subscriptions/mobile:{text}")),
            get(&format!("/v1/subscriptions/{text}/keys")),
            json_body(post(&format!("/v1/subscriptions/{text}/keys"), "{}")),
            json_body(post(&format!("/v1/subscriptions/{text}/keys/renew"), "{}")),
            json_body(post(
                &format!("/v1/subscriptions/{text}/move"),
                r#"{"plan":"gold"}"#,
            )),
            json_body(request("PUT", &format!("/v1/subscriptions/{text}")).body("{}"))
                .header("If-Match", "*"),
            request("POST", &format!("/v1/subscriptions/{text}/close")).header("Content-Length", "0"),
        ] {
            let answer = scene.tell(pasted);
            assert_eq!(answer.status, 404);
            seen.push_str(&answer.text());
        }
        let asked: Request = get("/v1/snapshot").host(&scene.gateway.admin_address().to_string());
        if text != scene.token() {
            seen.push_str(&asked.bearer(text).send(scene.gateway.admin_address()).text());
        }
    }
    // Everything that an operator can look at.
    let listed = scene.show(keys).json();
    let id = listed["items"][0]["id"].as_str().unwrap().to_owned();
    for asked in [
        get(keys),
        get(&format!("/v1/keys/{id}")),
        get("/v1/audit"),
        get("/v1/subscriptions"),
        get("/v1/applications"),
        get("/v1/snapshot"),
        get("/v1/apis"),
        get("/openapi.json"),
        request("POST", &format!("/v1/keys/{id}/revoke")).header("Content-Length", "0"),
    ] {
        let answer = scene.tell(asked);
        assert_eq!(answer.status, 200, "{}", answer.text());
        seen.push_str(&answer.text());
    }
    seen.push_str(&scene.gateway.status_page("/metrics").text());
    seen.push_str(&scene.gateway.log_lines().join("\n"));
    seen.push_str(&scene.gateway.access_lines().join("\n"));
    let state = scene.gateway.directory().join("state");
    let store = std::fs::read(state.join("tollgate.redb")).unwrap();
    let secret = std::fs::read_to_string(state.join("tollgate.redb.secret")).unwrap();
    let kept = String::from_utf8_lossy(&store);
    seen.push_str(&kept);
    planted.push(secret.trim().to_owned());
    for text in &planted {
        assert!(!seen.contains(text.as_str()), "{text}");
        digests.push(digest(&SHA256, text.as_bytes()));
    }
    for digest in &digests {
        let digest = digest.as_ref();
        assert!(!seen.contains(&hexadecimal(digest)), "a bare hash");
        assert!(!store.windows(32).any(|bytes| bytes == digest), "a bare hash");
    }
    // The search would have found what is there.
    assert!(kept.contains("\"prefix\":\"") && kept.contains("mobile:keyed:keys:"));
    assert!(seen.contains("invalid_api_key") && seen.contains("api_key.renew"));
}
