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
