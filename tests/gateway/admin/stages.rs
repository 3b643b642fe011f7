//! Plans moved by an operator: each step holds for the next request, after a restart, and against a configuration that
//! says less; and there is no way back.

use serde_json::json;

use super::{Scene, passes, refused};
use crate::harness::{get, request};

const MORE: &str = r#"
[[api]]
name = "lobby"
context_path = "/lobby"
upstream = "sample"
[[api.plan]]
name = "first"
security = "keyless"
[[api.plan]]
name = "second"
security = "keyless"
stage = "staging"
[[api.plan]]
name = "robots"
security = "keyless"
stage = "staging"
selection_rule = 'header("User-Agent") starts_with "bot"'
"#;

#[test]
fn a_plan_goes_on_and_never_back() {
    let scene = Scene::start_with(MORE);
    assert_eq!(scene.show("/v1/plans/orders/next").header("etag"), None);
    let rows = [
        // plan, step, status, what is said or the stage from then on
        ("orders/next", "deprecate", 409, "conflict"),
        ("orders/next", "publish", 200, "published"),
        ("orders/next", "publish", 409, "conflict"),
        ("orders/next", "deprecate", 200, "deprecated"),
        ("orders/next", "publish", 409, "conflict"),
        ("orders/next", "close", 200, "closed"),
        ("orders/next", "close", 409, "conflict"),
        ("orders/next", "deprecate", 409, "conflict"),
        ("orders/gone", "publish", 409, "conflict"),
        ("orders/old", "publish", 409, "conflict"),
        ("orders/old", "close", 200, "closed"),
        ("lobby/second", "publish", 409, "conflict"),
        ("lobby/robots", "publish", 200, "published"),
        ("lobby/first", "close", 200, "closed"),
        ("lobby/second", "publish", 200, "published"),
        ("orders/nothing", "close", 404, "not_found"),
        ("nothing/gold", "close", 404, "not_found"),
        ("orders/gold", "open", 404, "not_found"),
    ];
    for (row, (plan, step, status, said)) in rows.into_iter().enumerate() {
        let answer = scene.act(&format!("/v1/plans/{plan}/{step}"));
        assert_eq!(answer.status, status, "row {row}: {}", answer.text());
        if status == 200 {
            let (done, shown) = (answer.json(), scene.show(&format!("/v1/plans/{plan}")));
            assert_eq!(
                (&done["stage"], &done["origin"]),
                (&json!(said), &json!("state")),
                "row {row}"
            );
            assert_eq!(done, shown.json(), "row {row}");
            assert_eq!(answer.header("etag"), shown.header("etag"), "row {row}");
        } else {
            assert_eq!(answer.code(), said, "row {row}");
        }
    }
    let stale = |plan: &str, version: &str| {
        let close = request("POST", &format!("/v1/plans/{plan}/close")).header("Content-Length", "0");
        scene.tell(close.header("If-Match", version)).status
    };
    assert_eq!(stale("orders/manual", "\"1\""), 412, "nobody has moved it yet");
    assert_eq!(scene.act("/v1/plans/orders/manual/deprecate").status, 200);
    assert_eq!(stale("orders/manual", "\"1\""), 412);
    let version = scene
        .show("/v1/plans/orders/manual")
        .header("etag")
        .unwrap()
        .to_owned();
    assert_eq!(stale("orders/manual", &version), 200);
    let ids = |path: &str| -> Vec<String> {
        let items = scene.show(path).json()["items"].as_array().unwrap().clone();
        items
            .iter()
            .map(|plan| plan["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let page = scene.show("/v1/plans?limit=3").json();
    assert_eq!(page["next"], "lobby/second");
    assert_eq!(ids("/v1/plans?api=public"), ["public/open"]);
    assert_eq!(ids("/v1/plans?after=orders/next"), ["orders/old", "public/open"]);
    let actions = scene.show("/v1/audit?limit=1").json();
    assert_eq!(actions["items"][0]["action"], "plan.close");
    assert_eq!(actions["items"][0]["before"]["stage"], "deprecated");
}

#[test]
fn each_step_is_obeyed_at_once_and_outlives_the_process_and_the_configuration() {
    let mut scene = Scene::start();
    assert_eq!(scene.application("mobile").status, 201);
    assert_eq!(scene.application("late").status, 201);
    assert_eq!(scene.subscription("mobile", "next").status, 409);
    assert_eq!(scene.act("/v1/plans/orders/next/publish").status, 200);
    assert_eq!(scene.call("mobile"), refused("subscription_not_found"));
    assert_eq!(scene.subscription("mobile", "next").status, 201);
    assert_eq!(scene.call("mobile"), passes());
    let own = "/v1/subscriptions/mobile:orders:next";
    let field = |scene: &Scene, name: &str| {
        let token = scene.acme.token().client("mobile-app").text();
        let answer = get("/orders/1").bearer(&token).send(scene.gateway.address());
        answer.header(name).map(ToOwned::to_owned)
    };
    assert_eq!(field(&scene, "deprecation"), None);
    let deprecated = scene.act("/v1/plans/orders/next/deprecate").json();
    let since = field(&scene, "deprecation").unwrap();
    assert!(since.starts_with("@1"), "{since}: {deprecated}");
    assert_eq!(scene.call("mobile"), passes());
    assert_eq!(scene.subscription("late", "next").code(), "conflict");
    for signal in ["KILL", "TERM"] {
        scene.restart(signal);
        assert_eq!(field(&scene, "deprecation").as_ref(), Some(&since), "{signal}");
    }
    // What a configuration says of the beginning takes nothing back.
    let config = super::config(&scene.upstream, "\n");
    scene.gateway.write_config(&config);
    scene
        .gateway
        .wait_for_log(|line| line["event"] == "configuration_applied" && line["generation"] == 2);
    assert_eq!(field(&scene, "deprecation"), Some(since));

    assert_eq!(scene.show(own).json()["status"], "accepted");
    assert_eq!(scene.act("/v1/plans/orders/next/close").status, 200);
    for _ in 0..2 {
        assert_eq!(scene.call("mobile"), refused("subscription_closed"));
        assert_eq!(scene.show(own).json()["status"], "closed");
        let closed = scene.show("/v1/subscriptions?status=closed").json();
        assert_eq!(closed["items"][0]["id"], "mobile:orders:next");
        let accepted = scene.show("/v1/subscriptions?status=accepted").json();
        assert_eq!(accepted["items"].as_array().unwrap().len(), 1, "the declared one");
        for step in ["pause", "resume", "accept", "close"] {
            assert_eq!(scene.act(&format!("{own}/{step}")).code(), "conflict", "{step}");
        }
        let away = scene.post(&format!("{own}/move"), &json!({ "plan": "gold" }));
        assert_eq!(away.code(), "conflict");
        assert_eq!(scene.act("/v1/plans/orders/next/publish").code(), "conflict");
        scene.restart("KILL");
    }
    assert_eq!(scene.subscription("mobile", "gold").status, 201);
    assert_eq!(scene.call("mobile"), passes());
}

#[test]
fn a_configuration_cannot_set_a_keyless_plan_beside_one_that_was_published_by_hand() {
    const HALL: &str = r#"
[[api]]
name = "hall"
context_path = "/hall"
upstream = "sample"
[[api.plan]]
name = "first"
security = "keyless"
stage = "staging"
"#;
    let second = |life: &str| {
        format!("{HALL}[[api.plan]]\nname = \"second\"\nsecurity = \"keyless\"\nstage = \"{life}\"\n")
    };
    let mut scene = Scene::start_with(HALL);
    let ask = |scene: &Scene| get("/hall/1").send(scene.gateway.address()).status;
    let write = |scene: &Scene, text: &str| {
        let config = super::config(&scene.upstream, text);
        scene.gateway.write_config(&config);
    };
    assert_eq!(ask(&scene), 404);
    assert_eq!(scene.act("/v1/plans/hall/first/publish").status, 200);
    assert_eq!(ask(&scene), 200);
    write(&scene, &second("published"));
    let conflict = scene
        .gateway
        .wait_for_log(|line| line["event"] == "configuration_mistake");
    let conflict = conflict["message"].as_str().unwrap();
    assert!(
        conflict.contains("`hall/first` and `hall/second` are keyless"),
        "{conflict}"
    );
    scene
        .gateway
        .wait_for_log(|line| line["event"] == "configuration_rejected");
    assert_eq!(scene.show("/v1/plans/hall/second").status, 404);
    scene.gateway.signal("TERM");
    scene.gateway.wait_for_exit();
    let (code, says) = super::crashes::start(scene.gateway.directory());
    assert_eq!(code, Some(78), "{says}");
    assert!(says.contains("hall/second"), "{says}");

    // One that is in staging is in nobody's way, nor is one that takes the place of what is closed.
    write(&scene, &second("staging"));
    scene.gateway.restart_after_end();
    assert_eq!(scene.act("/v1/plans/hall/second/publish").code(), "conflict");
    assert_eq!(scene.act("/v1/plans/hall/first/close").status, 200);
    assert_eq!(ask(&scene), 404);
    write(&scene, &second("published"));
    scene
        .gateway
        .wait_for_log(|line| line["event"] == "configuration_applied" && line["generation"] == 2);
    assert_eq!(ask(&scene), 200);
}
