//! What scripts read: JSON as the gateway says it, lists that are whole, names and nothing else.
//! A list that ends early would pass for a whole one, so there are more things than two pages hold.

use super::Desk;
use crate::admin::Scene;

#[test]
fn json_is_what_the_gateway_says() {
    let scene = Scene::start();
    let desk = Desk::at(&scene);
    assert_eq!(scene.application("mobile").status, 201);
    assert_eq!(scene.subscription("mobile", "gold").status, 201);
    for (line, path) in [
        ("app list", "/v1/applications"),
        ("app show mobile", "/v1/applications/mobile"),
        ("app show declared", "/v1/applications/declared"),
        ("sub list", "/v1/subscriptions"),
        ("sub list --app mobile", "/v1/subscriptions?application=mobile"),
        ("sub list --status paused", "/v1/subscriptions?status=paused"),
        (
            "sub show mobile:orders:gold",
            "/v1/subscriptions/mobile:orders:gold",
        ),
        ("plan list", "/v1/plans"),
        ("plan list --api public", "/v1/plans?api=public"),
        ("plan show orders/gold", "/v1/plans/orders/gold"),
        ("api list", "/v1/apis"),
        ("issuer list", "/v1/issuers"),
        ("audit --all", "/v1/audit"),
        ("status", "/v1/snapshot"),
    ] {
        assert_eq!(desk.json(line), scene.show(path).json(), "{line}");
    }
    let issuers = desk.json("issuer list");
    assert_eq!(
        desk.json("issuer show https://acme.example/"),
        issuers["items"][0]
    );
    assert_eq!(desk.json("sub pause mobile:orders:gold")["status"], "paused");
    assert_eq!(
        desk.json("sub dates mobile:orders:gold --until 2999-01-01T00:00:00Z")["status"],
        "paused"
    );
    assert!(desk.json("reload")["generation"].is_number());
    let deleted = desk.types("app delete mobile --yes --json");
    assert_eq!((deleted.code, deleted.out.as_str()), (0, ""));
}

#[test]
fn lists_are_whole_however_many_pages_they_have() {
    let scene = Scene::start();
    let desk = Desk::at(&scene);
    let mut ids: Vec<String> = (0..230).map(|number| format!("app-{number:03}")).collect();
    for id in &ids {
        assert_eq!(scene.application(id).status, 201);
    }
    ids.push("declared".to_owned());
    let quiet = desk.types("app list --quiet");
    assert_eq!(quiet.out.lines().collect::<Vec<_>>(), ids);
    assert_eq!(desk.types("app list").out.lines().count(), ids.len() + 1);
    let json = desk.json("app list");
    let named: Vec<&str> = json["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["id"].as_str().unwrap())
        .collect();
    assert_eq!(named, ids);
    assert_eq!(json.as_object().unwrap().len(), 1, "nothing but the items");
    for (line, count) in [
        ("audit --quiet", 50),
        ("audit --quiet --limit 1", 1),
        ("audit --quiet --limit 100", 100),
        ("audit --quiet --limit 120", 120),
        // And one of the configuration, which has a plan that is closed.
        ("audit --quiet --limit 10000", 231),
        ("audit --quiet --all", 231),
        ("audit --quiet --limit 0", 0),
    ] {
        let said = desk.types(line);
        let revisions: Vec<u64> = said.out.lines().map(|line| line.parse().unwrap()).collect();
        assert_eq!(revisions.len(), count, "{line}: {said:?}");
        assert!(revisions.is_sorted_by(|a, b| a > b), "{line}: {revisions:?}");
    }
    let newest: u64 = desk.types("audit --quiet --limit 1").out.trim().parse().unwrap();
    let before = desk.types(&format!("audit --quiet --limit 150 --before {newest}"));
    assert_eq!(before.out.lines().count(), 150);
    assert!(!before.out.lines().any(|line| line == newest.to_string()));
}
