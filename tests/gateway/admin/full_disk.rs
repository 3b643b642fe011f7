//! A disk that is full for a while: changes are refused meanwhile, requests are decided, and nothing waits for a restart.
//! The disk is not full in truth; no file of the gateway's may grow, which a write learns in the same way.

use serde_json::json;

use super::{Scene, passes};
use crate::harness::{Response, get};

/// An application that takes much of a disk.
fn big(scene: &Scene, id: &str) -> Response {
    let long = |place: usize| format!("{id}-{place:03}-{}", "c".repeat(200));
    let clients: Vec<_> = (0..100).map(|place| json!({ "id": long(place) })).collect();
    scene.post("/v1/applications", &json!({ "id": id, "client_ids": clients }))
}

fn failures(scene: &Scene) -> (f64, f64) {
    let write = [("operation", "write")];
    (
        scene.gateway.metric("tollgate_store_failing", &[]),
        scene.gateway.metric("tollgate_store_failures_total", &write),
    )
}

#[test]
fn changes_are_refused_while_a_disk_is_full_and_no_longer() {
    let mut scene = Scene::start();
    scene.gateway.restart_for_limits();
    assert_eq!(scene.application("mobile").status, 201);
    assert_eq!(scene.subscription("mobile", "gold").status, 201);
    assert_eq!(failures(&scene), (0.0, 0.0));
    let store = scene.gateway.directory().join("state/tollgate.redb");
    let mut made = Vec::new();
    // At first only what is new has no place; then hardly anything that is there can be written again either.
    for round in 0..4 {
        let length = std::fs::metadata(&store).unwrap().len();
        let limit = if round % 2 == 0 { length } else { 8192 };
        scene.gateway.limit_files(Some(limit));
        let mut refused = 0;
        for number in 0..1000 {
            let id = format!("r{round}-{number}");
            let answer = big(&scene, &id);
            match answer.status {
                201 => made.push(id),
                503 => refused += 1,
                other => panic!("{other}: {}", answer.text()),
            }
            if refused == 3 {
                break;
            }
        }
        assert_eq!(refused, 3, "round {round}: it was never full");
        let (failing, count) = failures(&scene);
        assert!(failing == 1.0 && count >= 3.0, "round {round}: {failing} {count}");
        let ready = get("/ready").send(scene.gateway.metrics_address());
        assert_eq!(ready.status, 200);
        assert!(
            ready.text().contains("store: cannot be written\n"),
            "round {round}: {}",
            ready.text()
        );
        assert_eq!(scene.call("mobile"), passes(), "round {round}");

        scene.gateway.limit_files(None);
        let after = format!("after-{round}");
        let answer = big(&scene, &after);
        assert_eq!(answer.status, 201, "round {round}: {}", answer.text());
        made.push(after);
        assert_eq!(failures(&scene).0, 0.0, "round {round}");
        let ready = get("/ready").send(scene.gateway.metrics_address());
        assert_eq!(ready.text(), "ready\n", "round {round}");
    }
    for signal in ["none", "KILL"] {
        if signal != "none" {
            scene.restart(signal);
        }
        for id in &made {
            let shown = scene.show(&format!("/v1/applications/{id}"));
            assert_eq!(shown.status, 200, "{signal}: {id}");
        }
        assert_eq!(scene.call("mobile"), passes(), "{signal}");
    }
    assert_eq!(scene.application("late").status, 201);
}
