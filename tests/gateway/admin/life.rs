//! The life of a subscription: each step is obeyed by the very next request, and kept when the process ends.
//! Whoever waits between a step and its effect waits in vain for a failure, so nothing waits here.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::{Scene, passes, refused};
use crate::harness::{Connection, get};

#[test]
fn what_is_acknowledged_is_obeyed_by_the_next_request_and_outlives_the_process() {
    let mut scene = Scene::start();
    assert_eq!(scene.call("mobile"), refused("subscription_not_found"));
    assert_eq!(scene.application("mobile").status, 201);
    assert_eq!(scene.call("mobile"), refused("subscription_not_found"));
    let made = scene.subscription("mobile", "gold");
    assert_eq!(
        (made.status, made.json()["status"].as_str()),
        (201, Some("accepted"))
    );
    assert_eq!(scene.call("mobile"), passes());
    let subscription = "/v1/subscriptions/mobile:orders:gold";
    assert_eq!(made.header("location"), Some(subscription));
    for (step, status, expected) in [
        ("pause", "paused", refused("subscription_paused")),
        ("resume", "accepted", passes()),
    ] {
        let done = scene.act(&format!("{subscription}/{step}"));
        assert_eq!(
            (done.status, done.json()["status"].as_str()),
            (200, Some(status)),
            "{step}"
        );
        assert_eq!(scene.call("mobile"), expected, "{step}");
    }
    assert_eq!(scene.act("/v1/applications/mobile/suspend").status, 200);
    assert_eq!(scene.call("mobile"), refused("application_suspended"));
    assert_eq!(scene.act("/v1/applications/mobile/resume").status, 200);
    assert_eq!(scene.call("mobile"), passes());

    assert_eq!(scene.application("other").status, 201);
    let pending = scene.subscription("other", "manual");
    assert_eq!(
        (pending.status, pending.json()["status"].as_str()),
        (201, Some("pending"))
    );
    assert_eq!(scene.call("other"), refused("subscription_pending"));
    let before = (scene.show(subscription).text(), scene.show("/v1/audit").text());
    for signal in ["TERM", "KILL"] {
        scene.restart(signal);
        assert_eq!(scene.call("mobile"), passes(), "{signal}");
        assert_eq!(scene.call("other"), refused("subscription_pending"), "{signal}");
        assert_eq!(scene.call("declared"), passes(), "{signal}");
        let after = (scene.show(subscription).text(), scene.show("/v1/audit").text());
        assert_eq!(after, before, "{signal}");
    }
    assert_eq!(
        scene.act("/v1/subscriptions/other:orders:manual/accept").status,
        200
    );
    assert_eq!(scene.call("other"), passes());
    assert_eq!(scene.act(&format!("{subscription}/close")).status, 200);
    assert_eq!(scene.call("mobile"), refused("subscription_closed"));
    assert_eq!(scene.subscription("mobile", "gold").status, 201);
    assert_eq!(scene.call("mobile"), passes());
    let gone = scene.tell(crate::harness::request("DELETE", "/v1/applications/mobile"));
    assert_eq!(gone.status, 204, "{}", gone.text());
    assert_eq!(scene.call("mobile"), refused("subscription_not_found"));
    assert_eq!(scene.show(subscription).status, 404);
    // Who comes later under the same id inherits nothing.
    assert_eq!(scene.application("mobile").status, 201);
    assert_eq!(scene.call("mobile"), refused("subscription_not_found"));
}

#[test]
fn a_reload_takes_nothing_away_that_is_kept_and_is_refused_when_it_takes_a_name() {
    let scene = Scene::start();
    assert_eq!(scene.application("mobile").status, 201);
    assert_eq!(scene.subscription("mobile", "gold").status, 201);
    let claims = json!({ "id": "staff", "claim_sets": [{ "tenant": "acme", "role": "staff" }] });
    assert_eq!(scene.post("/v1/applications", &claims).status, 201);
    let config = super::config(&scene.upstream, "");
    let reloaded = |generation: u64| {
        scene
            .gateway
            .wait_for_log(|line| line["event"] == "configuration_applied" && line["generation"] == generation)
    };
    scene.gateway.write_config(&format!(
        "{config}\n[[application]]\nid = \"third\"\nclient_ids = [\"third-app\"]\n"
    ));
    reloaded(2);
    assert_eq!(scene.call("mobile"), passes());
    assert_eq!(scene.application("third").code(), "exists");
    let taken = [
        "id = \"mobile\"\nclient_ids = [\"x\"]\n",
        "id = \"fourth\"\nclient_ids = [\"mobile-app\"]\n",
        "id = \"fourth\"\nclient_ids = [{ issuer = \"https://acme.example/\", id = \"mobile-app\" }]\n",
        "id = \"fourth\"\nclaim_sets = [{ tenant = \"acme\" }]\n",
        "id = \"fourth\"\nclaim_sets = [{ tenant = \"acme\", role = \"staff\", site = \"1\" }]\n",
    ];
    for (round, taken) in taken.iter().enumerate() {
        scene
            .gateway
            .write_config(&format!("{config}\n[[application]]\n{taken}"));
        crate::harness::wait_until("the reload to be refused", || {
            let refused = scene
                .gateway
                .metric("tollgate_config_reloads_total", &[("result", "rejected")]);
            (refused as usize > round).then_some(())
        });
    }
    assert_eq!(scene.call("mobile"), passes());
    assert_eq!(scene.call("third").1, "subscription_not_found");
    assert_eq!(scene.act("/v1/reload").status, 202);
    scene.gateway.write_config(&config);
    reloaded(3);
    assert_eq!(scene.call("mobile"), passes());
}

#[test]
fn under_load_every_single_change_is_obeyed_at_once() {
    let scene = Scene::start();
    assert_eq!(scene.application("mobile").status, 201);
    assert_eq!(scene.subscription("mobile", "gold").status, 201);
    let subscription = "/v1/subscriptions/mobile:orders:gold";
    let token = scene.acme.token().client("mobile-app").text();
    let over = AtomicBool::new(false);
    let mut changes = 0;
    let rounds = 250;
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut connection = Connection::open(scene.gateway.address());
                while !over.load(Ordering::Relaxed) {
                    let answer = connection.ask(&get("/orders/1").bearer(&token));
                    assert!([200, 403].contains(&answer.status), "{}", answer.text());
                }
            });
        }
        let mut caller = Connection::open(scene.gateway.address());
        let mut ask = || caller.ask(&get("/orders/1").bearer(&token)).status;
        for round in 0..rounds {
            for (step, expected) in [
                (format!("{subscription}/pause"), 403),
                (format!("{subscription}/resume"), 200),
                ("/v1/applications/mobile/suspend".to_owned(), 403),
                ("/v1/applications/mobile/resume".to_owned(), 200),
            ] {
                assert_eq!(scene.act(&step).status, 200);
                assert_eq!(ask(), expected, "round {round}: {step}");
                changes += 1;
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    assert_eq!(changes, 1000);
}
