//! Plans that the configuration has closed, by a date or by `stage`: closed for good, whatever a later configuration says,
//! with or without a restart between them.

use serde_json::json;
use tollgate::time::Clock;

use super::{Scene, config};
use crate::harness::{get, wait_until};

/// Plans for tokens, named for who has closed them.
const PLANS: [&str; 4] = ["dated", "staged", "kept", "past"];

/// The API of these plans; `life` says what is written of each.
fn shop(life: &dyn Fn(&str) -> String) -> String {
    let mut text = "\n[[api]]\nname = \"shop\"\ncontext_path = \"/shop\"\nupstream = \"sample\"\n".to_owned();
    for plan in PLANS {
        text.push_str(&format!(
            "[[api.plan]]\nname = \"{plan}\"\nsecurity = \"jwt\"\nissuers = [\"https://acme.example/\"]\n{}\n",
            life(plan)
        ));
    }
    text.push_str(&format!(
        "[[api.plan]]\nname = \"keyed\"\nsecurity = \"api_key\"\n{}\n",
        life("keyed")
    ));
    text
}

fn reload(scene: &Scene, generation: u64, shop: &str) {
    scene.gateway.write_config(&config(&scene.upstream, shop));
    scene.gateway.wait_for_log(|line| {
        line["event"] == "configuration_applied" && line["generation"].as_u64() == Some(generation)
    });
}

/// What the application of a plan gets.
fn call(scene: &Scene, plan: &str) -> (u16, String) {
    let token = scene.acme.token().client(&format!("{plan}-app")).text();
    let answer = get("/shop/1").bearer(&token).send(scene.gateway.address());
    (answer.status, answer.code())
}

fn stage(scene: &Scene, plan: &str) -> String {
    let shown = scene.show(&format!("/v1/plans/shop/{plan}")).json();
    shown["stage"].as_str().unwrap().to_owned()
}

/// How often the audit log says that the configuration has closed this plan.
fn notes(scene: &Scene, plan: &str) -> usize {
    let items = scene.show("/v1/audit?limit=1000").json()["items"].clone();
    let items = items.as_array().unwrap();
    items
        .iter()
        .filter(|note| {
            note["action"] == "plan.close"
                && note["actor"] == "configuration"
                && note["target"] == format!("shop/{plan}")
                && note["after"]["stage"] == "closed"
        })
        .count()
}

fn subscribe(scene: &Scene, plan: &str) -> String {
    assert_eq!(scene.application(plan).status, 201);
    let new = json!({ "application": plan, "api": "shop", "plan": plan });
    assert_eq!(scene.post("/v1/subscriptions", &new).status, 201);
    format!("/v1/subscriptions/{plan}:shop:{plan}")
}

#[test]
fn what_the_configuration_has_closed_stays_closed_when_it_says_less() {
    // Far enough away that all of them are subscribed to before it.
    let moment = Clock.now().millis() + 8000;
    let date = jiff::Timestamp::from_millisecond(moment).unwrap();
    let past = |plan: &str| match plan {
        "past" => "close_at = 2020-01-01T00:00:00Z".to_owned(),
        _ => String::new(),
    };
    let mut scene = Scene::start_with(&shop(&|plan| match plan {
        "dated" => format!("close_at = {date}"),
        plan => past(plan),
    }));
    for plan in ["dated", "staged", "kept"] {
        subscribe(&scene, plan);
        assert_eq!(call(&scene, plan).0, 200, "{plan}");
    }
    let keyed = subscribe(&scene, "keyed");
    let key = scene.post(&format!("{keyed}/keys"), &json!({})).json()["key"]
        .as_str()
        .unwrap()
        .to_owned();
    let by_key = |scene: &Scene| {
        get("/shop/1")
            .header("X-Api-Key", &key)
            .send(scene.gateway.address())
            .status
    };
    assert_eq!(by_key(&scene), 200);
    assert_eq!(
        (stage(&scene, "past").as_str(), notes(&scene, "past")),
        ("closed", 1)
    );

    // A date comes, and is recorded without anybody's doing.
    wait_until("the date to be recorded", || {
        (notes(&scene, "dated") == 1).then_some(())
    });
    assert_eq!(call(&scene, "dated"), (403, "subscription_closed".to_owned()));
    // And by `stage`, in a reload.
    reload(
        &scene,
        2,
        &shop(&|plan| match plan {
            "dated" => format!("close_at = {date}"),
            "staged" | "keyed" => "stage = \"closed\"".to_owned(),
            plan => past(plan),
        }),
    );
    assert_eq!(call(&scene, "staged"), (403, "subscription_closed".to_owned()));
    assert_ne!(by_key(&scene), 200);
    let by_hand = scene.act("/v1/plans/shop/dated/close");
    assert_eq!((by_hand.status, by_hand.code()), (409, "conflict".to_owned()));

    let is_closed = |scene: &Scene, what: &str| {
        for plan in ["dated", "staged", "past", "keyed"] {
            assert_eq!(stage(scene, plan), "closed", "{what}: {plan}");
            assert_eq!(notes(scene, plan), 1, "{what}: {plan}");
        }
        for plan in ["dated", "staged"] {
            let refused = (403, "subscription_closed".to_owned());
            assert_eq!(call(scene, plan), refused, "{what}: {plan}");
            let own = scene
                .show(&format!("/v1/subscriptions/{plan}:shop:{plan}"))
                .json();
            assert_eq!(own["status"], "closed", "{what}: {plan}");
        }
        assert_ne!(by_key(scene), 200, "{what}");
        assert_eq!(call(scene, "kept").0, 200, "{what}");
        assert_eq!(notes(scene, "kept"), 0, "{what}");
    };
    let less = shop(&|_| String::new());
    reload(&scene, 3, &less);
    is_closed(&scene, "a reload");
    let shown = scene.show("/v1/plans/shop/staged").json();
    assert_eq!(shown["origin"], "state");
    assert!(shown["moved_at"].is_string(), "{shown}");
    scene.restart("KILL");
    is_closed(&scene, "a restart");

    // What is taken out of the configuration and written again is no other plan.
    scene
        .gateway
        .write_config(&config(&scene.upstream, "# nothing\n"));
    scene.restart("TERM");
    reload(&scene, 2, &less);
    is_closed(&scene, "taken out and written again");
}

#[test]
fn what_is_closed_at_a_start_stays_closed_at_the_next() {
    let mut scene = Scene::start_with(&shop(&|plan| match plan {
        "staged" => "stage = \"closed\"".to_owned(),
        "past" => "close_at = 2020-01-01T00:00:00Z".to_owned(),
        _ => String::new(),
    }));
    let less = shop(&|_| String::new());
    scene.gateway.write_config(&config(&scene.upstream, &less));
    scene.restart("KILL");
    for (plan, expected, noted) in [
        ("staged", "closed", 1),
        ("past", "closed", 1),
        ("kept", "published", 0),
    ] {
        assert_eq!(
            (stage(&scene, plan).as_str(), notes(&scene, plan)),
            (expected, noted),
            "{plan}"
        );
    }
}
