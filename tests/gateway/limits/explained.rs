//! Why a limit refuses, and what is left of each, for whoever asks; and that asking uses nothing.
//! Every limit is told with the line that says so: the level's own, or that of its tier.

use serde_json::{Value, json};

use crate::harness::post;
use crate::limits::{Scene, api, application};

const ADMIN: &str =
    "[state]\npath = \"state/t.redb\"\n[admin]\naddress = \"127.0.0.1:0\"\ntoken_file = \"admin.token\"\n";

fn explain(scene: &Scene, token: &str) -> Value {
    let path = scene.gateway.directory().join("admin.token");
    let operator = std::fs::read_to_string(path).unwrap();
    let question = json!({ "url": "/orders/menu", "token": token });
    let address = scene.gateway.admin_address();
    let told = post("/v1/explain", question.to_string())
        .header("Content-Type", "application/json")
        .bearer(operator.trim())
        .host(&address.to_string())
        .send(address);
    assert_eq!(told.status, 200, "{}", told.text());
    told.json()
}

fn stage<'t>(told: &'t Value, name: &str) -> &'t Value {
    let mut stages = told["stages"].as_array().unwrap().iter();
    stages.find(|stage| stage["stage"] == name).unwrap()
}

/// Level, kind, limit, remaining, and the key that is cited.
fn limits(told: &Value) -> Vec<(String, String, u64, u64, String)> {
    let facts = stage(told, "limits")["facts"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let told = facts.iter().map(|fact| {
        let value = &fact["value"];
        (
            text(&value["level"]),
            text(&value["kind"]),
            value["limit"].as_u64().unwrap(),
            value["remaining"].as_u64().unwrap(),
            text(&fact["place"]["key"]),
        )
    });
    told.collect()
}

#[test]
fn an_explanation_shows_every_limit_and_uses_none() {
    let month = |requests: u32| format!("quota = {{ requests = {requests}, per = \"month\" }}\n");
    let tables = [
        ADMIN.to_owned(),
        "[[tier]]\nname = \"silver\"\nrate = { requests = 50, per = \"1m\" }\n".to_owned(),
        api(
            "orders",
            &month(1000),
            &format!("tier = \"silver\"\n{}", month(3)),
        ),
        format!("[[api.route]]\npath = \"/menu\"\n{}", month(500)),
        application("mobile", "concurrency = 7\n", &["orders"]),
    ];
    let scene = Scene::start(&tables.concat());
    let token = scene.acme.token().client("mobile-app").text();
    let expected = |used: u64| {
        [
            ("api", "quota", 1000, 1000 - used, "api.quota"),
            ("route", "quota", 500, 500 - used, "api.route.quota"),
            ("plan", "quota", 3, 3 - used, "api.plan.quota"),
            ("plan", "rate", 50, 50 - used, "tier.rate"),
            ("application", "concurrency", 7, 7, "application.concurrency"),
        ]
        .map(|(level, kind, limit, left, key)| {
            (level.to_owned(), kind.to_owned(), limit, left, key.to_owned())
        })
    };
    for used in 0..=3 {
        // However often it is asked.
        for _ in 0..5 {
            let told = explain(&scene, &token);
            let found = limits(&told);
            for line in expected(used) {
                assert!(found.contains(&line), "{line:?} after {used}: {found:?}");
            }
            assert_eq!(found.len(), 5, "{found:?}");
            let verdict = if used < 3 { "permitted" } else { "denied" };
            assert_eq!(told["verdict"], verdict, "{told}");
        }
        let answer = scene.send(&scene.request("/orders/menu", "mobile"));
        assert_eq!(answer.status, if used < 3 { 200 } else { 429 });
    }
    let told = explain(&scene, &token);
    let denial = &told["denial"];
    assert_eq!(
        (&denial["stage"], &denial["code"], &denial["place"]["key"]),
        (
            &"limits".into(),
            &"quota_exceeded".into(),
            &"api.plan.quota".into()
        )
    );
    assert!(denial["retry_after"].as_u64().unwrap() > 0);
    assert_eq!(stage(&told, "headers")["outcome"], "passed");
    assert_eq!(stage(&told, "limits")["outcome"], "denied");
    let fact = |told: &Value| stage(told, "limits")["facts"].to_string();
    assert!(fact(&told).contains("exceeded"), "{told}");
}
