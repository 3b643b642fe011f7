//! What is no revocation is refused with the member that is wrong: one that takes nothing back must not say that it did.
//! Bounds are tried from both sides.

use serde_json::{Value, json};

use super::{ACME, moment, scene};
use crate::harness::now;

#[test]
fn what_would_take_nothing_back_is_refused() {
    let scene = scene();
    let long = "x".repeat(2049);
    let with = |members: Value| {
        let mut new = json!({ "issuer": ACME });
        for (member, value) in members.as_object().unwrap() {
            new[member] = value.clone();
        }
        new
    };
    for (new, says) in [
        (json!({ "jti": "a" }), "missing field `issuer`"),
        (
            json!({ "issuer": "https://acme.example", "jti": "a" }),
            "`issuer` is no issuer",
        ),
        (with(json!({})), "`jti` or one of"),
        (
            with(json!({ "jti": "a", "subject": "b" })),
            "one entry names one thing",
        ),
        (
            with(json!({ "subject": "a", "all": true })),
            "one entry names one thing",
        ),
        (with(json!({ "all": false })), "`all` is `true`"),
        (with(json!({ "jti": "" })), "`jti` has 1 to 2048 bytes"),
        (with(json!({ "subject": long })), "`subject` has 1 to 2048 bytes"),
        (
            with(json!({ "jti": "a", "issued_before": moment(now()) })),
            "`issued_before` says nothing of one token",
        ),
        (
            with(json!({ "subject": "a", "issued_before": "yesterday" })),
            "`issued_before` is no date-time",
        ),
        (
            with(json!({ "subject": "a", "issued_before": "9000-01-01T00:00:00Z" })),
            "`issued_before` is more than ten years",
        ),
        (
            with(json!({ "subject": "a", "exp": now() })),
            "`exp` is the end of the token",
        ),
        (
            with(json!({ "jti": "a", "exp": now(), "expires_at": moment(now() + 9) })),
            "`exp` is the end of the token",
        ),
        (with(json!({ "jti": "a", "exp": now() - 301 })), "`exp` is over"),
        (
            with(json!({ "jti": "a", "exp": i64::MAX })),
            "`exp` is more than twenty years",
        ),
        (
            with(json!({ "jti": "a", "expires_at": moment(now() - 1) })),
            "`expires_at` is over",
        ),
        (
            with(json!({ "jti": "a", "expires_at": "9000-01-01T00:00:00Z" })),
            "`expires_at` is more than twenty years",
        ),
        (with(json!({ "jti": "a", "sub": "b" })), "unknown field `sub`"),
        (with(json!({ "jti": 7 })), "a value of the wrong type"),
    ] {
        let refused = scene.post("/v1/revocations", &new);
        assert_eq!(
            (refused.status, refused.code()),
            (422, "invalid".to_owned()),
            "{new}: {}",
            refused.text()
        );
        assert!(refused.text().contains(says), "{new}: {}", refused.text());
    }
    for (count, status) in [(0, 422), (1001, 422), (1000, 200)] {
        let revocations: Vec<Value> = (0..count)
            .map(|number| json!({ "issuer": ACME, "jti": format!("{number}") }))
            .collect();
        let answer = scene.post("/v1/revocations/batch", &json!({ "revocations": revocations }));
        assert_eq!(answer.status, status, "{count}: {}", answer.text());
    }
    for path in [
        "/v1/revocations/abc",
        "/v1/revocations/batch",
        &format!("/v1/revocations/{}", "0".repeat(31)),
    ] {
        let answer = scene.show(path);
        assert_eq!(
            (answer.status, answer.code()),
            (
                if path.ends_with("batch") { 405 } else { 404 },
                if path.ends_with("batch") {
                    "method_not_allowed"
                } else {
                    "not_found"
                }
                .to_owned()
            ),
            "{path}"
        );
    }
    // Somebody has pasted a token where an id belongs: it is not repeated.
    let pasted = scene.show("/v1/revocations/eyJhbGciOiJFUzI1NiJ9.e30.c2ln");
    assert_eq!(pasted.status, 404);
    assert!(!pasted.text().contains("eyJ"), "{}", pasted.text());
}
