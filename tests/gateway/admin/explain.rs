//! Explanations from the running gateway: what was made at run time is known, and whatever is asked, neither token nor
//! key comes back. Rows are what an operator has done, and what is said of the same request then.

use serde_json::{Value, json};

use super::{Scene, json_body};
use crate::harness::post;

/// What is done, with the status of its answer; and what decides then, if the request is refused.
type Step<'s> = (&'s dyn Fn() -> u16, Option<(u16, &'s str, Value)>);

/// What decided: the status, the code, and the record of the store or the line of the configuration.
fn decided(explanation: &Value) -> (Value, Value, Value) {
    let denial = &explanation["denial"];
    let record = &denial["record"];
    let by = match record {
        Value::Null => denial["place"]["key"].clone(),
        _ => format!(
            "{} {}",
            record["kind"].as_str().unwrap(),
            record["id"].as_str().unwrap()
        )
        .into(),
    };
    (denial["status"].clone(), denial["code"].clone(), by)
}

#[test]
fn what_lives_at_run_time_is_explained_by_its_record() {
    let scene = Scene::start();
    let token = |client: &str| scene.acme.token().client(client).text();
    let explain = |client: &str| {
        let asked = json!({ "url": "/orders/1", "token": token(client) });
        let told = scene.post("/v1/explain", &asked);
        assert_eq!(told.status, 200, "{}", told.text());
        told.json()
    };
    let subscription = "/v1/subscriptions/mobile:orders:manual";
    let of_subscription = "subscription mobile:orders:manual";
    // What is done, and what decides then: nothing, if the request would pass.
    let plan = "/v1/plans/orders/manual";
    let rows: [Step<'_>; 9] = [
        (&|| 201, Some((403, "subscription_not_found", Value::Null))),
        (
            &|| scene.application("mobile").status,
            Some((403, "subscription_not_found", json!("subscription.application"))),
        ),
        (
            &|| scene.subscription("mobile", "manual").status,
            Some((403, "subscription_pending", json!(of_subscription))),
        ),
        (&|| scene.act(&format!("{subscription}/accept")).status, None),
        (
            &|| scene.act(&format!("{subscription}/pause")).status,
            Some((403, "subscription_paused", json!(of_subscription))),
        ),
        (&|| scene.act(&format!("{subscription}/resume")).status, None),
        (
            &|| scene.act("/v1/applications/mobile/suspend").status,
            Some((403, "application_suspended", json!("application mobile"))),
        ),
        (&|| scene.act("/v1/applications/mobile/resume").status, None),
        (
            &|| scene.act(&format!("{plan}/close")).status,
            Some((403, "subscription_closed", json!("plan orders/manual"))),
        ),
    ];
    for (row, (act, expected)) in rows.iter().enumerate() {
        assert!([200, 201].contains(&act()), "row {row}");
        let told = explain("mobile-app");
        let Some((status, code, by)) = expected else {
            assert_eq!(told["verdict"], "permitted", "row {row}: {told}");
            let facts = told["stages"][6]["facts"].as_array().unwrap();
            assert!(
                facts
                    .iter()
                    .any(|fact| fact["record"]["id"] == "mobile:orders:manual"),
                "row {row}: {facts:?}"
            );
            continue;
        };
        let found = decided(&told);
        assert_eq!(
            (&found.0, &found.1),
            (&json!(status), &json!(code)),
            "row {row}: {told}"
        );
        if row != 1 {
            assert_eq!(&found.2, by, "row {row}: {told}");
        }
        assert_eq!(
            scene.call("mobile"),
            (*status, (*code).to_owned()),
            "row {row}: the gateway does the same"
        );
    }
    let declared = explain("declared-app");
    assert_eq!(declared["verdict"], "permitted");
    let facts = declared["stages"][6]["facts"].as_array().unwrap();
    assert!(facts.iter().all(|fact| fact["record"].is_null()), "{facts:?}");
    // Nobody called: an explanation is no use of a key, nor a verified token of a caller.
    let key = &scene.show("/v1/issuers").json()["items"][0]["keys"][0];
    assert_eq!(key["last_used"], Value::Null);
}

#[test]
fn questions_are_read_strictly_and_secrets_do_not_come_back() {
    let scene = Scene::start();
    let token = scene.acme.token().client("declared-app").text();
    let signature = token.rsplit('.').next().unwrap().to_owned();
    let planted = "planted-7f3c9b1e5d";
    let rows = [
        (json!({ "url": "/orders/1", "token": token }), 200, "permitted"),
        (
            json!({ "url": "https://any.example/orders/1?x=planted-7f3c9b1e5d", "token": token }),
            200,
            "permitted",
        ),
        (
            json!({ "url": "/orders/1", "headers": [{ "name": "Authorization", "value": format!("Bearer {token}") }] }),
            200,
            "permitted",
        ),
        (
            json!({ "url": "/orders/1", "token": token, "at": "2020-01-01T00:00:00Z" }),
            200,
            "denied",
        ),
        (json!({ "url": "/orders/1", "token": planted }), 200, "denied"),
        (
            json!({ "url": "/orders/1", "headers": [{ "name": "X-Api-Key", "value": planted }] }),
            200,
            "denied",
        ),
        (json!({ "url": "/nowhere" }), 200, "denied"),
        (
            json!({ "url": "/public/1", "client_ip": "192.0.2.1" }),
            200,
            "permitted",
        ),
        (json!({}), 422, "invalid"),
        (json!({ "url": "/orders/1", "jwks": {} }), 422, "invalid"),
        (json!({ "url": "/orders/1", "at": "tomorrow" }), 422, "invalid"),
        (
            json!({ "url": "/orders/1", "client_ip": planted }),
            422,
            "invalid",
        ),
        (json!({ "url": "/orders/1", "token": 7 }), 422, "invalid"),
        (
            json!({ "url": "/orders/1", "headers": [{ "name": planted.replace('-', " "), "value": "x" }] }),
            422,
            "invalid",
        ),
        (
            json!({ "url": "/orders/1", "headers": [{ "name": "x", "value": format!("{planted}\n") }] }),
            422,
            "invalid",
        ),
        (json!({ "url": format!("/orders/{planted} 1") }), 422, "invalid"),
        (
            json!({ "url": "/orders/1", "method": format!("{planted}\u{7f}") }),
            422,
            "invalid",
        ),
    ];
    let mut said = String::new();
    for (row, (asked, status, word)) in rows.iter().enumerate() {
        let told = scene.post("/v1/explain", asked);
        let (json, text) = (told.json(), told.text());
        assert_eq!(told.status, *status, "row {row}: {text}");
        let found = if *status == 200 {
            &json["verdict"]
        } else {
            &json["code"]
        };
        assert_eq!(found, word, "row {row}: {text}");
        said.push_str(&text);
    }
    let get = scene.show("/v1/explain");
    assert_eq!(get.status, 405);
    let long = scene.tell(json_body(post(
        "/v1/explain",
        format!("{{\"token\":\"{}\"}}", "x".repeat(70_000)),
    )));
    assert_eq!(long.status, 413);
    said.push_str(&scene.gateway.log_lines().join("\n"));
    said.push_str(&scene.gateway.access_lines().join("\n"));
    said.push_str(&scene.show("/v1/audit").text());
    for secret in [token.as_str(), &signature, planted, &planted.replace('-', " ")] {
        assert!(!said.contains(secret), "{secret} in {said}");
    }
}
