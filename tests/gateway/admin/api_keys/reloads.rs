//! Keys across reloads: what a new configuration gives free or takes is so for the first request after the answer that
//! says it. Nothing waits here but for that answer.

use serde_json::json;

use super::{DECLARED, KEYED, config, start};
use crate::harness::wait_until;

#[test]
fn an_application_that_a_reload_gives_free_can_be_made_and_called_at_once() {
    let scene = start();
    let application = "[[application]]\nid = \"declared\"\nclient_ids = [\"declared-app\"]\n";
    let gold = "[[subscription]]\napplication = \"declared\"\napi = \"orders\"\nplan = \"gold\"\n";
    let with = config(&scene.upstream, &[KEYED, DECLARED].concat());
    let without = config(&scene.upstream, KEYED)
        .replace(application, "")
        .replace(gold, "");
    for round in 0..4 {
        scene.gateway.write_config(&without);
        let mut refused = 0;
        while scene.application("declared").status != 201 {
            refused += 1;
            assert!(refused < 20_000, "the reload never came");
        }
        assert_eq!(scene.agree("declared", "keyed", "keys").status, 201);
        let (_, key) = scene.key("declared:keyed:keys", &json!({}));
        assert_eq!(scene.show_key(&key), "200", "round {round}");

        let gone = crate::harness::request("DELETE", "/v1/applications/declared");
        assert_eq!(scene.tell(gone).status, 204);
        scene.gateway.write_config(&with);
        wait_until("the application to be declared again", || {
            let origin = scene.show("/v1/applications/declared").json()["origin"].clone();
            (origin == "configuration").then_some(())
        });
    }
}

#[test]
fn what_is_declared_takes_the_place_of_what_is_over_and_has_none_of_its_keys() {
    let mut scene = start();
    let subscription = "/v1/subscriptions/declared:keyed:other";
    assert_eq!(scene.agree("declared", "keyed", "other").status, 201);
    let (old, old_key) = scene.key("declared:keyed:other", &json!({}));
    assert_eq!(scene.show_key(&old_key), "200");
    let declared = DECLARED.replace("\"keys\"", "\"other\"");
    let text = config(&scene.upstream, &[KEYED, DECLARED, &declared].concat());
    let reloads = |result: &str| {
        scene
            .gateway
            .metric("tollgate_config_reloads_total", &[("result", result)])
    };
    scene.gateway.write_config(&text);
    wait_until("the reload to be refused for one that is not over", || {
        (reloads("rejected") > 0.0).then_some(())
    });
    assert_eq!(scene.show(subscription).json()["origin"], "state");

    assert_eq!(scene.act(&format!("{subscription}/close")).status, 200);
    assert_eq!(scene.show_key(&old_key), "403 subscription_closed");
    assert_eq!(scene.act("/v1/reload").status, 202);
    wait_until("the reload", || {
        let origin = scene.show(subscription).json()["origin"].clone();
        (origin == "configuration").then_some(())
    });
    assert_eq!(scene.show_key(&old_key), "401 api_key_unknown");
    let told = scene.show("/v1/audit?limit=1").json()["items"][0].clone();
    assert_eq!(
        (&told["actor"], &told["action"], &told["target"]),
        (
            &json!("configuration"),
            &json!("subscription.declare"),
            &json!("declared:keyed:other")
        )
    );
    assert_eq!(told["before"]["status"], "closed");
    let (_, key) = scene.key("declared:keyed:other", &json!({}));
    for signal in ["TERM", "KILL"] {
        assert_eq!(scene.show_key(&key), "200", "{signal}");
        assert_eq!(scene.show_key(&old_key), "401 api_key_unknown", "{signal}");
        assert_eq!(scene.show(&format!("/v1/keys/{old}")).status, 404, "{signal}");
        assert_eq!(scene.show(subscription).json()["status"], "accepted", "{signal}");
        scene.restart(signal);
    }
}
