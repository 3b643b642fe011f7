//! Who gets in, and with what: the token, the host, the body, the version; and what is never shown.
//! Rows are requests as a stranger, a browser or a careless script would send them.

use std::os::unix::fs::MetadataExt as _;

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::json;

use super::{Scene, json_body};
use crate::harness::{get, post, request};

#[test]
fn nothing_is_learned_without_the_token() {
    let scene = Scene::start();
    let address = scene.gateway.admin_address();
    let token = scene.token();
    let file = scene.gateway.directory().join("admin.token");
    assert_eq!(std::fs::metadata(file).unwrap().mode() & 0o777, 0o600);
    assert_eq!(token.len(), 43);
    let host = address.to_string();
    let wrong = format!("{}x", &token[..42]);
    let paths = [
        "/",
        "/v1/applications",
        "/v1/nothing",
        "/openapi.json",
        "/v1/reload",
        "/metrics",
    ];
    for path in paths {
        let asked = [
            get(path),
            get(path).bearer(""),
            get(path).bearer(&wrong),
            get(path).bearer(&format!("{token}x")),
            get(path).bearer(&token[..42]),
            get(path).bearer(&token).bearer(&token),
            get(path).header("Authorization", &format!("Basic {token}")),
            get(&format!("{path}?token={token}")),
            post(path, "{}"),
            request("OPTIONS", path).header("Origin", "https://evil.example"),
        ];
        for asked in asked {
            let answer = asked.host(&host).send(address);
            assert_eq!(
                (answer.status, answer.code()),
                (401, "unauthorized".to_owned()),
                "{path}"
            );
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
            assert_eq!(answer.header("access-control-allow-origin"), None);
        }
    }
    let port = address.port();
    for (host, status) in [
        (host, 200),
        (format!("localhost:{port}"), 200),
        (format!("LOCALHOST:{port}"), 200),
        (format!("[::1]:{port}"), 200),
        ("admin.internal".to_owned(), 200),
        ("evil.example".to_owned(), 421),
        (format!("evil.example:{port}"), 421),
        ("localhost".to_owned(), 421),
        (format!("admin.internal:{port}"), 421),
    ] {
        let answer = get("/v1/snapshot").bearer(&token).host(&host).send(address);
        assert_eq!(answer.status, status, "{host}");
    }
    let answer = get("/v1/snapshot")
        .bearer(&token)
        .without_host()
        .version("HTTP/1.0")
        .send(address);
    assert_eq!(answer.status, 421);
    // The door is nowhere else.
    let answer = get("/v1/snapshot").bearer(&token).send(scene.gateway.address());
    assert_eq!(answer.status, 404);
}

#[test]
fn what_is_not_understood_is_refused_with_a_problem() {
    let scene = Scene::start();
    assert_eq!(scene.application("mobile").status, 201);
    let json = |path: &str, body: &str| json_body(post(path, body));
    let big = format!(r#"{{"id":"{}"}}"#, "x".repeat(10 * 1024 * 1024));
    let applications = "/v1/applications";
    let mobile = "/v1/applications/mobile";
    let put = |body: &str| json_body(request("PUT", mobile).body(body));
    let rows = [
        (get("/v1/nothing"), 404, "not_found"),
        (get("/v1/applications/nobody"), 404, "not_found"),
        (get("/v1/applications/..%2f..%2fetc%2fpasswd"), 404, "not_found"),
        (get("/v1/applications/%ff"), 400, "bad_request"),
        (request("PATCH", mobile), 405, "method_not_allowed"),
        (request("TRACE", mobile), 405, "method_not_allowed"),
        (post(applications, "{}"), 415, "unsupported_media_type"),
        (
            post(applications, "id=x").header("Content-Type", "application/x-www-form-urlencoded"),
            415,
            "unsupported_media_type",
        ),
        (
            post(applications, "{}").header("Content-Type", "text/plain; application/json"),
            415,
            "unsupported_media_type",
        ),
        (json(applications, "{"), 400, "bad_request"),
        (json(applications, "[]"), 422, "invalid"),
        (json(applications, "{}"), 422, "invalid"),
        (json(applications, r#"{"id":"a"} x"#), 400, "bad_request"),
        (json(applications, r#"{"id":"a","id":"b"}"#), 422, "invalid"),
        (
            json(applications, r#"{"id":"a","suspended":true}"#),
            422,
            "invalid",
        ),
        (
            json(applications, r#"{"id":"a","origin":"state"}"#),
            422,
            "invalid",
        ),
        (json(applications, r#"{"id":"../etc"}"#), 422, "invalid"),
        (json(applications, r#"{"id":7}"#), 422, "invalid"),
        (json(applications, r#"{"id":"mobile"}"#), 409, "exists"),
        (
            json(applications, r#"{"id":"x","client_ids":[{"id":"mobile-app"}]}"#),
            409,
            "conflict",
        ),
        (json(applications, &big), 413, "body_too_large"),
        (
            json_body(request("POST", applications).chunked(big.as_bytes())),
            413,
            "body_too_large",
        ),
        (put("{}"), 428, "precondition_required"),
        (put("{}").header("If-Match", "\"999\""), 412, "stale"),
        (put("{}").header("If-Match", "W/\"1\""), 412, "stale"),
        (put("{}").header("If-Match", "1"), 400, "bad_request"),
        (
            request("DELETE", mobile).header("If-Match", "\"999\""),
            412,
            "stale",
        ),
        // What has no version cannot be told for which one it is meant.
        (
            json("/v1/subscriptions/declared:orders:gold/keys/renew", "{}").header("If-Match", "\"999\""),
            400,
            "bad_request",
        ),
        (
            json(applications, r#"{"id":"a"}"#).header("If-Match", "*"),
            400,
            "bad_request",
        ),
        (
            request("POST", "/v1/reload")
                .header("Content-Length", "0")
                .header("If-Match", "\"1\""),
            400,
            "bad_request",
        ),
        (request("DELETE", "/v1/applications/declared"), 409, "read_only"),
        (json(&format!("{mobile}/suspend"), "{}"), 400, "bad_request"),
        (get("/v1/applications?limit=0"), 400, "bad_request"),
        (get("/v1/applications?limit=1001"), 400, "bad_request"),
        (get("/v1/applications?limit=1&limit=2"), 400, "bad_request"),
        (get("/v1/applications?frobnicate=1"), 400, "bad_request"),
        (get("/v1/subscriptions?status=maybe"), 400, "bad_request"),
        (
            json(
                "/v1/subscriptions",
                r#"{"application":"mobile","api":"orders","plan":"gold","from":"tomorrow"}"#,
            ),
            422,
            "invalid",
        ),
        (
            json(
                "/v1/subscriptions",
                r#"{"application":"mobile","api":"orders","plan":"old"}"#,
            ),
            409,
            "conflict",
        ),
        (
            json(applications, r#"{"id":"a"}"#).header("Idempotency-Key", "a b"),
            400,
            "bad_request",
        ),
    ];
    for (row, (asked, status, code)) in rows.into_iter().enumerate() {
        let answer = scene.tell(asked);
        assert_eq!(
            (answer.status, answer.code()),
            (status, code.to_owned()),
            "row {row}: {}",
            answer.text()
        );
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json"),
            "row {row}"
        );
        assert!(answer.body.len() < 1000, "row {row}");
    }
    let version = scene.show(mobile).header("etag").unwrap().to_owned();
    let done = scene.tell(put(r#"{"name":"Mobile"}"#).header("If-Match", &format!("\"7777\", {version}")));
    assert_eq!((done.status, done.json()["name"].as_str()), (200, Some("Mobile")));
    assert_eq!(scene.tell(put("{}").header("If-Match", &version)).code(), "stale");
    let twice = || json(applications, r#"{"id":"again"}"#).header("Idempotency-Key", "once");
    let (first, second) = (scene.tell(twice()), scene.tell(twice()));
    assert_eq!(
        (first.status, second.status, first.text()),
        (201, 201, second.text())
    );
    let other = json(applications, r#"{"id":"another"}"#).header("Idempotency-Key", "once");
    assert_eq!(scene.tell(other).code(), "idempotency_key_reused");
}

#[test]
fn what_there_is_to_see_is_there_and_the_token_is_nowhere() {
    let scene = Scene::start();
    scene.application("mobile");
    scene.subscription("mobile", "gold");
    let planted = "planted-7f3c9b1e5d";
    let misplaced = json!({ "id": "x", "client_ids": planted });
    let refused = scene.post("/v1/applications", &misplaced);
    assert_eq!(refused.status, 422);
    let unknown = scene.tell(get("/v1/snapshot").host("x").bearer(planted));
    assert_eq!(unknown.status, 401);
    let mut seen = [refused.text(), unknown.text()].concat();
    for (path, expected) in [
        ("/v1/applications", "\"origin\":\"configuration\""),
        ("/v1/subscriptions?application=mobile", "mobile:orders:gold"),
        ("/v1/apis", "\"stage\":\"deprecated\""),
        ("/v1/issuers", "\"kid\":\"k1\""),
        ("/v1/snapshot", "\"generation\":1"),
        ("/v1/audit", "\"action\":\"subscription.create\""),
        ("/openapi.json", "\"openapi\":\"3.1.0\""),
    ] {
        let answer = scene.show(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert!(answer.text().contains(expected), "{path}: {}", answer.text());
        seen.push_str(&answer.text());
    }
    // Who shows the token is told from others by nothing that a guess could be tried at.
    let audit = scene.show("/v1/audit").json();
    let actor = audit["items"][0]["actor"].as_str().unwrap();
    let (_, told) = actor.split_once("admin:").unwrap();
    assert!(
        told.len() == 8 && told.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{actor}"
    );
    let digest = digest(&SHA256, scene.token().as_bytes());
    let bare: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(!bare.contains(told), "{actor}");
    seen.push_str(&scene.gateway.status_page("/metrics").text());
    seen.push_str(&scene.gateway.log_lines().join("\n"));
    let store = std::fs::read(scene.gateway.directory().join("state/tollgate.redb")).unwrap();
    seen.push_str(&String::from_utf8_lossy(&store));
    for secret in [scene.token(), planted.to_owned()] {
        assert!(!seen.contains(&secret), "{secret}");
    }
    for file in ["state/tollgate.redb", "state/tollgate.redb.secret", "admin.token"] {
        let mode = std::fs::metadata(scene.gateway.directory().join(file))
            .unwrap()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}
