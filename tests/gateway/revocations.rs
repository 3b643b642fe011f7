//! Tokens that are taken back before their time: refused by the first request after the acknowledgement, whether the
//! gateway remembers them or not, and after any end of the process.

mod bounds;
mod lists;
mod records;

use serde_json::{Value, json};

use crate::admin::{Scene, json_body, passes};
use crate::harness::{Connection, Token, get, now, post, request, wait_until};

const ACME: &str = "https://acme.example/";
const GLOBEX: &str = "https://globex.example/";

/// What callers hear of a token that was taken back, whatever has done it.
fn revoked() -> (u16, String) {
    (401, "invalid_token".to_owned())
}

/// A second issuer of the same names, whose tokens live for an hour.
const MORE: &str = r#"
[[issuer]]
name = "https://globex.example/"
algorithms = ["ES256"]
audiences = ["https://api.example.com"]
max_lifetime = "1h"
jwks.file = "acme.json"

[[api]]
name = "both"
context_path = "/both"
upstream = "sample"
[[api.plan]]
name = "any"
security = "jwt"
issuers = ["https://acme.example/", "https://globex.example/"]
subscription_validation = false
"#;

fn scene() -> Scene {
    Scene::start_with(MORE)
}

/// A token of `declared-app`, issued so long ago.
fn token(scene: &Scene, age: i64) -> Token<'_> {
    scene
        .acme
        .token()
        .client("declared-app")
        .claim("iat", now() - age)
}

fn ask(scene: &Scene, token: &str) -> (u16, String) {
    let answer = get("/both/1").bearer(token).send(scene.gateway.address());
    (answer.status, answer.code())
}

/// Takes something of `acme` back; the entry.
fn revoke(scene: &Scene, what: Value) -> Value {
    let mut new = json!({ "issuer": ACME });
    for (member, value) in what.as_object().unwrap() {
        new[member] = value.clone();
    }
    let made = scene.post("/v1/revocations", &new);
    assert_eq!(made.status, 201, "{new}: {}", made.text());
    let entry = made.json();
    assert_eq!(
        made.header("location"),
        Some(format!("/v1/revocations/{}", entry["id"].as_str().unwrap()).as_str())
    );
    entry
}

fn pardon(scene: &Scene, entry: &Value) {
    let path = format!("/v1/revocations/{}", entry["id"].as_str().unwrap());
    assert_eq!(scene.tell(request("DELETE", &path)).status, 204);
}

/// As RFC 3339 writes it.
fn moment(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).unwrap().to_string()
}

#[test]
fn each_entry_refuses_the_tokens_that_it_names_and_no_others() {
    let scene = scene();
    let before = moment(now() - 60);
    let good = || token(&scene, 100);
    type Change = fn(Token<'_>) -> Token<'_>;
    let same: Change = |token| token;
    let later: Change = |token| token.claim("iat", now() - 30);
    let of_globex: Change = |token| token.claim("iss", GLOBEX);
    // What is taken back, a token that it names, and one that it does not.
    let rows: [(Value, Change, Change); 14] = [
        (json!({ "jti": "j1" }), same, |token| token.claim("jti", "j2")),
        (json!({ "jti": "j1" }), later, of_globex),
        (json!({ "jti": "j1", "exp": now() + 300 }), same, |token| {
            token.without("jti")
        }),
        (
            json!({ "jti": "7" }),
            |token| token.claim("jti", 7),
            |token| token.claim("jti", "07"),
        ),
        (
            json!({ "subject": "alice", "issued_before": before }),
            same,
            later,
        ),
        (json!({ "subject": "alice" }), later, |token| {
            token.claim("sub", "Alice")
        }),
        (json!({ "subject": "alice" }), same, of_globex),
        (
            json!({ "client": "declared-app", "issued_before": before }),
            same,
            later,
        ),
        (json!({ "client": "declared-app" }), later, |token| {
            token.client("other")
        }),
        (json!({ "key_id": "k1", "issued_before": before }), same, later),
        (json!({ "key_id": "k1" }), same, of_globex),
        // Text that is JSON's is none of ours.
        (
            json!({ "jti": "j\u{e9} \"x\"" }),
            |token| token.claim("jti", "j\u{e9} \"x\""),
            same,
        ),
        (json!({ "all": true, "issued_before": before }), same, later),
        (
            json!({ "all": true }),
            |token| token.claim("sub", "bob").without("jti"),
            of_globex,
        ),
    ];
    for (number, (what, named, other)) in rows.into_iter().enumerate() {
        // Texts that no other row has seen.
        let own = |change: Change, salt: &str| {
            let token = good().claim("jti", "j1").claim("row", format!("{number} {salt}"));
            change(token).text()
        };
        let (warm, cold, other) = (own(named, "warm"), own(named, "cold"), own(other, "other"));
        assert_eq!(ask(&scene, &warm), passes(), "{what}");
        assert_eq!(ask(&scene, &other), passes(), "{what}");
        let entry = revoke(&scene, what.clone());
        for _ in 0..2 {
            assert_eq!(ask(&scene, &warm), revoked(), "warm: {what}");
            assert_eq!(ask(&scene, &cold), revoked(), "cold: {what}");
            assert_eq!(ask(&scene, &other), passes(), "other: {what}");
        }
        pardon(&scene, &entry);
        for token in [&warm, &cold, &other] {
            assert_eq!(ask(&scene, token), passes(), "again: {what}");
        }
    }
}

#[test]
fn callers_learn_that_a_token_is_revoked_and_operators_why() {
    let scene = scene();
    let text = token(&scene, 100).claim("jti", "j1").text();
    let entry = revoke(&scene, json!({ "subject": "alice" }));
    let answer = get("/both/1").bearer(&text).send(scene.gateway.address());
    assert_eq!((answer.status, answer.code()), revoked());
    assert_eq!(
        answer.header("www-authenticate"),
        Some("Bearer error=\"invalid_token\", error_description=\"The token is revoked\"")
    );
    assert!(
        !answer.text().contains("alice") && !answer.text().contains("subject"),
        "{}",
        answer.text()
    );
    assert_eq!(scene.gateway.access_line(&answer)["reason"], "revoked");
    let rejections = || {
        let labels = [("issuer", ACME), ("reason", "revoked")];
        scene.gateway.metric("tollgate_token_rejections_total", &labels)
    };
    wait_until("the rejection to be counted", || {
        (rejections() >= 1.0).then_some(())
    });
    assert_eq!(scene.gateway.metric("tollgate_revocations", &[]), 1.0);
    let question = json!({ "method": "GET", "url": "/both/1", "token": text });
    let explained = scene.post("/v1/explain", &question).json();
    let denied = &explained["denial"];
    let hint = denied["hint"].as_str().unwrap_or_default();
    assert_eq!(
        (&denied["reason"], &denied["stage"]),
        (&json!("revoked"), &json!("token")),
        "{explained}"
    );
    assert!(
        hint.contains(entry["id"].as_str().unwrap()) && hint.contains("its subject"),
        "{hint}"
    );
    assert_eq!(
        denied["record"],
        json!({ "kind": "revocation", "id": entry["id"] })
    );
}

/// The most urgent of all: whoever has the answer may rely on it.
#[test]
fn a_thousand_of_a_thousand_are_refused_by_the_first_request_after_the_answer() {
    let scene = scene();
    let (admin, host, bearer) = (
        scene.gateway.admin_address(),
        scene.gateway.admin_address().to_string(),
        scene.token(),
    );
    let mut operator = Connection::open(admin);
    let mut caller = Connection::open(scene.gateway.address());
    for number in 0..1000 {
        let jti = format!("token-{number}");
        let text = token(&scene, 100).claim("jti", jti.as_str()).text();
        let call = get("/both/1").bearer(&text);
        assert_eq!(caller.ask(&call).status, 200);
        let new = json!({ "issuer": ACME, "jti": jti }).to_string();
        let made = operator.ask(
            &json_body(post("/v1/revocations", new))
                .host(&host)
                .bearer(&bearer),
        );
        assert_eq!(made.status, 201, "{}", made.text());
        let answer = caller.ask(&call);
        assert_eq!((answer.status, answer.code()), revoked(), "{number}");
    }
    assert_eq!(scene.gateway.metric("tollgate_revocations", &[]), 1000.0);
}

#[test]
fn what_is_acknowledged_outlives_the_process() {
    let mut scene = scene();
    let text = |jti: &str| scene.acme.token().claim("jti", jti).text();
    let (revoked_token, other) = (text("j1"), text("j2"));
    assert_eq!(ask(&scene, &revoked_token), passes());
    let entry = revoke(&scene, json!({ "jti": "j1" }));
    for signal in ["KILL", "TERM", "KILL"] {
        scene.restart(signal);
        assert_eq!(ask(&scene, &revoked_token), revoked(), "after {signal}");
        assert_eq!(ask(&scene, &other), passes(), "after {signal}");
    }
    let path = format!("/v1/revocations/{}", entry["id"].as_str().unwrap());
    assert_eq!(scene.show(&path).json(), entry);
    pardon(&scene, &entry);
    scene.restart("KILL");
    assert_eq!(ask(&scene, &revoked_token), passes());
    // A reload changes nothing in it.
    revoke(&scene, json!({ "jti": "j1" }));
    let generation = || scene.show("/v1/snapshot").json()["generation"].as_u64();
    let before = generation();
    scene.gateway.signal("HUP");
    wait_until("the reload", || (generation() > before).then_some(()));
    assert_eq!(ask(&scene, &revoked_token), revoked());
}

#[test]
fn an_entry_that_is_over_is_forgotten_by_itself() {
    let scene = scene();
    let text = token(&scene, 100).claim("jti", "j1").text();
    let lasting = revoke(&scene, json!({ "jti": "j2" }));
    let entry = revoke(&scene, json!({ "jti": "j1", "expires_at": moment(now() + 2) }));
    assert_eq!(ask(&scene, &text), revoked());
    let path = |entry: &Value| format!("/v1/revocations/{}", entry["id"].as_str().unwrap());
    wait_until("the entry to be swept", || {
        (scene.show(&path(&entry)).status == 404).then_some(())
    });
    assert_eq!(ask(&scene, &text), passes());
    assert_eq!(scene.show(&path(&lasting)).status, 200);
    assert_eq!(scene.gateway.metric("tollgate_revocations", &[]), 1.0);
}
