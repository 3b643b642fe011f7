//! Revocations as records of the admin API: made once or several at a time, shown, filtered, removed, each with its note.
//! What they do to tokens is in the parent.

use serde_json::{Value, json};

use super::{ACME, GLOBEX, ask, moment, pardon, revoke, revoked, scene, token};
use crate::admin::{Scene, json_body, passes};
use crate::harness::{Response, get, now, post, request};

fn list(scene: &Scene, query: &str) -> Vec<Value> {
    let page = scene.show(&format!("/v1/revocations{query}"));
    assert_eq!(page.status, 200, "{query}: {}", page.text());
    page.json()["items"].as_array().unwrap().clone()
}

/// Sent so that it may be sent again.
fn send(scene: &Scene, path: &str, body: &Value, key: &str) -> Response {
    scene.tell(json_body(post(path, body.to_string())).header("Idempotency-Key", key))
}

fn seconds(time: &Value) -> i64 {
    time.as_str()
        .unwrap()
        .parse::<jiff::Timestamp>()
        .unwrap()
        .as_second()
}

#[test]
fn entries_end_when_no_token_that_they_name_can_be_alive() {
    let scene = scene();
    let made = |new: Value| scene.post("/v1/revocations", &new).json();
    let day = 24 * 60 * 60;
    let (begun, exp) = (now(), now() + 200);
    for (new, from, life) in [
        // The token's end, and the largest leeway.
        (json!({ "issuer": ACME, "jti": "a", "exp": exp }), exp, 300),
        (json!({ "issuer": GLOBEX, "jti": "a", "exp": exp }), exp, 300),
        // Tokens of which nothing is known; `max_lifetime` says how long they live, and it is issuer's clock.
        (json!({ "issuer": ACME, "jti": "b" }), begun, 3650 * day + 600),
        (json!({ "issuer": GLOBEX, "jti": "b" }), begun, 3600 + 600),
        (json!({ "issuer": GLOBEX, "subject": "b" }), begun, 3600 + 600),
        (
            json!({ "issuer": GLOBEX, "all": true, "issued_before": moment(begun + day) }),
            begun + day,
            3600 + 600,
        ),
        (
            json!({ "issuer": GLOBEX, "client": "b", "expires_at": moment(begun + 77) }),
            begun,
            77,
        ),
    ] {
        let entry = made(new.clone());
        let end = seconds(&entry["expires_at"]) - from;
        assert!((life..=life + 30).contains(&end), "{new}: {entry}");
    }
}

#[test]
fn one_entry_names_one_thing_and_its_times_go_onwards_only() {
    let scene = scene();
    let text = token(&scene, 100).text();
    let early = revoke(
        &scene,
        json!({ "subject": "alice", "issued_before": moment(now() - 1000) }),
    );
    assert_eq!(ask(&scene, &text), passes());
    let late = revoke(
        &scene,
        json!({ "subject": "alice", "issued_before": moment(now() - 50) }),
    );
    assert_eq!(late["id"], early["id"]);
    assert_eq!(ask(&scene, &text), revoked());
    let again = revoke(
        &scene,
        json!({ "subject": "alice", "issued_before": moment(now() - 2000) }),
    );
    assert_eq!(
        (&again["id"], &again["issued_before"]),
        (&late["id"], &late["issued_before"])
    );
    assert_eq!(ask(&scene, &text), revoked());
    assert_eq!(list(&scene, "").len(), 1);
    pardon(&scene, &late);
    assert_eq!(ask(&scene, &text), passes());
}

#[test]
fn several_are_taken_back_together_or_not_at_all() {
    let scene = scene();
    let texts: Vec<String> = (0..50)
        .map(|number| token(&scene, 100).claim("jti", number.to_string()).text())
        .collect();
    let entries: Vec<Value> = (0..50)
        .map(|number| json!({ "issuer": ACME, "jti": number.to_string() }))
        .collect();
    for text in &texts {
        assert_eq!(ask(&scene, text), passes());
    }
    let mut spoilt = entries.clone();
    spoilt[30]["issuer"] = json!("https://acme.exampl/");
    let refused = scene.post("/v1/revocations/batch", &json!({ "revocations": spoilt }));
    assert_eq!((refused.status, refused.code()), (422, "invalid".to_owned()));
    assert!(refused.text().contains("(revocation 31)"), "{}", refused.text());
    assert_eq!(list(&scene, "").len(), 0);
    let mut body = json!({ "revocations": entries });
    // The same thing twice is one entry.
    body["revocations"]
        .as_array_mut()
        .unwrap()
        .push(json!({ "issuer": ACME, "jti": "7", "exp": now() + 300 }));
    let done = send(&scene, "/v1/revocations/batch", &body, "b1");
    assert_eq!(done.status, 200, "{}", done.text());
    assert_eq!(done.json()["items"].as_array().unwrap().len(), 50);
    for text in &texts {
        assert_eq!(ask(&scene, text), revoked());
    }
    let again = send(&scene, "/v1/revocations/batch", &body, "b1");
    assert_eq!(again.json(), done.json());
    let other = send(
        &scene,
        "/v1/revocations/batch",
        &json!({ "revocations": [{ "issuer": ACME, "jti": "x" }] }),
        "b1",
    );
    assert_eq!(
        (other.status, other.code()),
        (422, "idempotency_key_reused".to_owned())
    );
}

#[test]
fn a_list_is_shown_by_pages_and_by_what_is_asked_for() {
    let scene = scene();
    let batch: Vec<Value> = (0..25)
        .map(|number| json!({ "issuer": if number < 20 { ACME } else { GLOBEX }, "jti": number.to_string() }))
        .chain([
            json!({ "issuer": ACME, "subject": "alice" }),
            json!({ "issuer": ACME, "client": "app" }),
            json!({ "issuer": ACME, "key_id": "k9" }),
            json!({ "issuer": GLOBEX, "all": true }),
        ])
        .collect();
    let done = scene.post("/v1/revocations/batch", &json!({ "revocations": batch }));
    assert_eq!(done.status, 200, "{}", done.text());
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = scene.show(&format!("/v1/revocations?limit=10{after}")).json();
        seen.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| item["id"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(seen.len(), 29);
    assert!(seen.is_sorted());
    let globex = "https%3A%2F%2Fglobex.example%2F";
    let acme = "https%3A%2F%2Facme.example%2F";
    for (query, count) in [
        (format!("?issuer={globex}"), 6),
        (format!("?issuer={acme}"), 23),
        ("?jti=3".to_owned(), 1),
        (format!("?issuer={acme}&jti=3"), 1),
        (format!("?issuer={globex}&jti=3"), 0),
        (format!("?issuer={acme}&jti=3&subject=alice"), 0),
        ("?subject=alice".to_owned(), 1),
        ("?client=app".to_owned(), 1),
        ("?key_id=k9".to_owned(), 1),
        ("?all=true".to_owned(), 1),
        ("?all=false".to_owned(), 28),
        (format!("?issuer={globex}&all=true"), 1),
        (format!("?issuer={acme}&all=true"), 0),
    ] {
        assert_eq!(list(&scene, &query).len(), count, "{query}");
    }
    assert_eq!(scene.show("/v1/revocations?all=maybe").status, 400);
    assert_eq!(scene.show("/v1/revocations?sub=alice").status, 400);
}

#[test]
fn versions_repeats_and_notes_are_as_for_everything_else() {
    let scene = scene();
    let new = json!({ "issuer": ACME, "subject": "alice" });
    let made = send(&scene, "/v1/revocations", &new, "k1");
    assert_eq!(made.status, 201);
    let again = send(&scene, "/v1/revocations", &new, "k1");
    assert_eq!((again.status, again.json()), (201, made.json()));
    let entry = made.json();
    let path = format!("/v1/revocations/{}", entry["id"].as_str().unwrap());
    let etag = made.header("etag").unwrap().to_owned();
    assert_eq!(scene.show(&path).header("etag"), Some(etag.as_str()));
    let stale = scene.tell(request("DELETE", &path).header("If-Match", "\"1000\""));
    assert_eq!((stale.status, stale.code()), (412, "stale".to_owned()));
    assert_eq!(
        scene
            .tell(request("DELETE", &path).header("If-Match", &etag))
            .status,
        204
    );
    let gone = scene.tell(request("DELETE", &path));
    assert_eq!((gone.status, gone.code()), (404, "not_found".to_owned()));
    let repeated = send(&scene, "/v1/revocations", &new, "k1");
    assert_eq!((repeated.status, repeated.code()), (409, "conflict".to_owned()));
    let audit = scene.tell(get("/v1/audit")).json();
    let notes: Vec<(&str, &str)> = audit["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|note| (note["action"].as_str().unwrap(), note["target"].as_str().unwrap()))
        .collect();
    let id = entry["id"].as_str().unwrap();
    assert_eq!(notes[..2], [("revocation.delete", id), ("revocation.create", id)]);
    assert_eq!(audit["items"][1]["after"]["subject"], "alice");
    assert_eq!(audit["items"][0]["before"]["subject"], "alice");
}
