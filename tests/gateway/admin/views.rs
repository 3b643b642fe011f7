//! What the gateway runs by, as an operator sees it: issuers with their keys.
//! Rows are what happened before somebody looked.

use serde_json::{Value, json};
use tollgate::token::Algorithm::Es256;

use super::{Scene, config, json_body};
use crate::harness::{Gateway, Issuer, get, post, request, wait_until};
use crate::keys::{KeyServer, Page, issuer};

const ACME: &str = "/v1/issuers/https:%2F%2Facme.example%2F";

/// What is told of the key with this id.
fn key(issuer: &Value, kid: &str) -> Value {
    let keys = issuer["keys"].as_array().unwrap();
    let found = keys.iter().find(|key| key["kid"] == kid);
    found.unwrap_or_else(|| panic!("{kid} in {issuer}")).clone()
}

fn reloaded(scene: &Scene, generation: u64) {
    wait_until("the reload", || {
        (scene.show("/v1/snapshot").json()["generation"] == generation).then_some(())
    });
}

#[test]
fn a_key_counts_the_tokens_that_it_has_verified_over_reloads() {
    let scene = Scene::start();
    let told = || scene.show(ACME).json();
    let before = told();
    assert_eq!(
        before["source"]["kind"],
        json!("jwks_file"),
        "the list and the issuer say the same: {before}"
    );
    assert_eq!(scene.show("/v1/issuers").json()["items"], json!([before]));
    let k1 = key(&before, "k1");
    assert_eq!(k1["algorithms"], json!(["ES256"]));
    assert_eq!(k1["origin"]["kind"], "file");
    assert!(k1["origin"]["place"].as_str().unwrap().ends_with("acme.json"));
    assert!(k1["first_seen"].is_string(), "{k1}");
    assert_eq!((&k1["last_seen"], &k1["last_used"]), (&Value::Null, &Value::Null));
    assert_eq!(
        (&before["last_fetch"], &before["trouble"]),
        (&Value::Null, &Value::Null)
    );

    let declared = || scene.acme.token().client("declared-app");
    let call = |token: &str| {
        get("/orders/1")
            .bearer(token)
            .send(scene.gateway.address())
            .status
    };
    // Token, how often it is sent, what is answered, how many were verified then.
    let rows = [
        ("new", declared().text(), 3, 200, 1),
        ("another", declared().claim("jti", "2").text(), 1, 200, 2),
        ("expired", declared().claim("exp", 1).text(), 2, 401, 2),
        ("for others", declared().claim("aud", "others").text(), 1, 401, 2),
        (
            "no subscription",
            scene.acme.token().client("nobody").text(),
            1,
            403,
            3,
        ),
    ];
    for (row, token, times, status, verified) in rows {
        for _ in 0..times {
            assert_eq!(call(&token), status, "{row}");
        }
        assert_eq!(key(&told(), "k1")["tokens_verified"], verified, "{row}");
    }
    let used = key(&told(), "k1");
    assert!(used["last_used"].is_string(), "{used}");

    // The same key beside another; then gone; then back, as a key that was not here before.
    let next = Issuer::new("https://acme.example/", "k2", Es256);
    scene
        .gateway
        .write("acme.json", &Issuer::jwks_of(&[&scene.acme, &next]));
    reloaded(&scene, 2);
    assert_eq!(key(&told(), "k1"), used);
    assert_eq!(call(&declared().claim("jti", "3").text()), 200);
    assert_eq!(key(&told(), "k1")["tokens_verified"], 4);
    assert_eq!(key(&told(), "k1")["first_seen"], k1["first_seen"]);
    assert_eq!(key(&told(), "k2")["tokens_verified"], 0);
    scene.gateway.write("acme.json", &next.jwks());
    reloaded(&scene, 3);
    scene.gateway.write("acme.json", &scene.acme.jwks());
    reloaded(&scene, 4);
    let back = key(&told(), "k1");
    assert_eq!(back["tokens_verified"], 0);
    assert!(back["first_seen"].as_str() > k1["first_seen"].as_str());
}

#[test]
fn an_issuer_is_found_by_its_encoded_name_and_by_no_other() {
    let scene = Scene::start();
    for (path, status) in [
        (ACME, 200),
        ("/v1/issuers/https%3A%2F%2Facme.example%2F", 200),
        ("/v1/issuers/https:%2f%2facme.example%2f", 200),
        ("/v1/issuers/https:%2F%2Facme.example", 404),
        ("/v1/issuers/https://acme.example/", 404),
        ("/v1/issuers/https:%252F%252Facme.example%252F", 404),
        ("/v1/issuers/", 404),
        ("/v1/issuers/%ff", 400),
    ] {
        assert_eq!(scene.show(path).status, status, "{path}");
    }
}

#[test]
fn fetches_and_quarantines_are_told_with_the_keys_that_stay() {
    let name = "https://fetched.example/";
    let own = Issuer::new(name, "f1", Es256);
    let server = KeyServer::start(Page::keys(&own.jwks()));
    let brisk = "jwks.refresh_interval = \"1s\"\njwks.cooldown = \"1s\"";
    let scene = Scene::start_with(&issuer(name, server.address(), brisk));
    let path = "/v1/issuers/https:%2F%2Ffetched.example%2F";
    let told = || scene.show(path).json();
    let until = |what: &str, done: &dyn Fn(&Value) -> bool| {
        wait_until(what, || Some(told()).filter(|told| done(told)))
    };
    let result = |wanted: &'static str| move |told: &Value| told["last_fetch"]["result"] == wanted;

    let first = until("the first fetch", &result("success"));
    let f1 = key(&first, "f1");
    assert_eq!(
        first["source"],
        json!({ "kind": "jwks_url", "url": format!("http://{}/jwks", server.address()) })
    );
    assert_eq!(f1["origin"]["kind"], "url");
    assert_eq!(
        (&first["trouble"], &first["quarantined"]),
        (&Value::Null, &Value::Null)
    );
    assert!(
        first["next_fetch"].as_str() > first["last_fetch"]["at"].as_str(),
        "{first}"
    );

    let seen_again = until("the next fetch", &|told| {
        key(told, "f1")["last_seen"] != f1["last_seen"]
    });
    assert_eq!(key(&seen_again, "f1")["first_seen"], f1["first_seen"]);

    let stranger = Issuer::new(name, "f1", Es256);
    server.show(Page::keys(&stranger.jwks()));
    let aside = until("the quarantine", &result("quarantined"));
    assert_eq!(aside["quarantined"]["reason"], "kid_reused");
    assert_eq!(
        aside["fingerprint"], first["fingerprint"],
        "the present keys stay"
    );
    assert_ne!(aside["quarantined"]["fingerprint"], first["fingerprint"]);
    assert_eq!(
        (aside["usable"].as_bool(), &aside["quarantined"]["detail"]),
        (Some(true), &aside["last_fetch"]["detail"])
    );

    server.show(Page::Bytes(
        b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n".to_vec(),
    ));
    let failed = until("the failure", &result("status"));
    assert_eq!(failed["quarantined"], Value::Null);
    until("the keys to be late", &|told| told["trouble"] == "late");
    assert_eq!(key(&failed, "f1")["fingerprint"], f1["fingerprint"]);

    server.show(Page::keys(&own.jwks()));
    let well = until("the issuer to be well again", &result("success"));
    assert_eq!(
        (&well["trouble"], &key(&well, "f1")["first_seen"]),
        (&Value::Null, &f1["first_seen"])
    );
}

#[test]
fn of_a_shared_secret_not_even_a_digest_is_shown() {
    let secret = "a-secret-that-nobody-guesses-0123456789-abcdefgh";
    let more = "[[issuer]]\nname = \"batch\"\nalgorithms = [\"HS256\"]\naudiences = [\"a\"]\nsecrets = { \"2026-a\" = { file = \"batch.txt\" } }\n";
    let upstream = crate::harness::Upstream::start();
    let acme = Issuer::new("https://acme.example/", "k1", Es256);
    let files = [("acme.json", acme.jwks()), ("batch.txt", secret.to_owned())];
    let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
    let gateway = Gateway::start_with(&config(&upstream, more), &files);
    let scene = Scene {
        acme,
        upstream,
        gateway,
    };
    let told = scene.show("/v1/issuers/batch");
    let (batch, kid) = (told.json(), key(&told.json(), "2026-a"));
    assert_eq!(
        (&batch["fingerprint"], &kid["fingerprint"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(kid["origin"]["kind"], "secret");
    assert!(kid["origin"]["place"].as_str().unwrap().ends_with("batch.txt"));
    assert!(!told.text().contains(secret));
    let refused = scene.tell(json_body(post("/v1/issuers/batch", "{}")));
    assert_eq!(refused.status, 405);
}

#[test]
fn a_declared_application_is_shown_with_all_that_stands_for_it() {
    let scene = Scene::start_with(
        "[[application]]\nid = \"staff\"\naudience = \"staff-api\"\n\
         client_ids = [\"s1\", { issuer = \"https://acme.example/\", id = \"s2\" }]\n\
         claim_sets = [{ tenant = \"acme\", role = \"staff\" }, { sub = \"root\" }]\n",
    );
    let shown = scene.show("/v1/applications/staff").json();
    let expected = json!({
        "id": "staff",
        "origin": "configuration",
        "client_ids": [{ "id": "s1" }, { "id": "s2", "issuer": "https://acme.example/" }],
        "claim_sets": [{ "role": "staff", "tenant": "acme" }, { "sub": "root" }],
        "audience": "staff-api",
        "suspended": false,
    });
    assert_eq!(shown, expected);
    let listed = scene.show("/v1/applications?after=declared").json();
    assert_eq!(listed["items"], json!([expected]));
}

/// The setting of a table: its value, and where it comes from.
fn setting(configuration: &Value, table: &str, names: &[&str], key: &str) -> (Value, String) {
    let mut tables = configuration["tables"].as_array().unwrap().iter();
    let found = tables.find(|found| found["table"] == table && found["names"] == json!(names));
    let found = found.unwrap_or_else(|| panic!("{table} {names:?} in {configuration}"));
    let setting = &found["settings"][key];
    let origin = setting["origin"]
        .as_str()
        .unwrap_or_else(|| panic!("{key} in {found}"));
    let name = origin.rsplit('/').next().unwrap();
    (setting["value"].clone(), name.to_owned())
}

#[test]
fn every_setting_in_force_is_shown_with_its_origin() {
    let more = "[[upstream]]\nname = \"brisk\"\npeers = [\"127.0.0.1:1\"]\nconnect_timeout = \"700ms\"\n";
    let secret = "a-secret-that-nobody-guesses-0123456789-abcdefgh";
    let include = format!(
        "include = [\"more/*.toml\"]\n{}",
        config(&crate::harness::Upstream::start(), "")
    );
    let acme = Issuer::new("https://acme.example/", "k1", Es256);
    let batch = "[[issuer]]\nname = \"batch\"\nalgorithms = [\"HS256\"]\naudiences = [\"a\"]\n\
                 secrets = { \"2026-a\" = { file = \"batch.txt\" } }\ntoken_profile = \"rfc9068\"\n";
    let files = [
        ("acme.json", acme.jwks()),
        ("more/brisk.toml", more.to_owned()),
        ("more/batch.toml", batch.to_owned()),
        ("more/batch.txt", secret.to_owned()),
    ];
    let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
    let gateway = Gateway::start_with(&include, &files);
    let upstream = crate::harness::Upstream::start();
    let scene = Scene {
        acme,
        upstream,
        gateway,
    };
    let told = scene.show("/v1/configuration");
    let shown = told.json();
    let acme = "https://acme.example/";
    let rows: [(&str, &[&str], &str, Value, &str); 21] = [
        ("server", &[], "body_bytes_max", json!(67_108_864), "default"),
        ("server", &[], "grace_period", json!("10s"), "default"),
        ("server", &[], "duplicate_slashes", json!("refuse"), "default"),
        ("server", &[], "threads", Value::Null, "default"),
        (
            "server",
            &[],
            "request_id_header",
            json!("x-request-id"),
            "default",
        ),
        ("keys", &[], "approvals", Value::Null, "default"),
        (
            "admin",
            &["127.0.0.1:0"],
            "token_file",
            json!("admin.token"),
            "tollgate.toml:8:1",
        ),
        (
            "state",
            &["state/tollgate.redb"],
            "kind",
            json!("embedded"),
            "default",
        ),
        ("issuer", &[acme], "leeway", json!("30s"), "default"),
        (
            "issuer",
            &[acme],
            "algorithms",
            json!(["ES256"]),
            "tollgate.toml:13:1",
        ),
        (
            "issuer",
            &[acme],
            "client_id_claims",
            json!(["azp", "client_id", "consumerKey"]),
            "default",
        ),
        (
            "issuer.jwks",
            &[acme],
            "file",
            json!("acme.json"),
            "tollgate.toml:15:6",
        ),
        ("issuer.jwks", &[acme], "refresh_interval", json!("5m"), "default"),
        (
            "issuer",
            &["batch"],
            "client_id_claims",
            json!(["client_id"]),
            "default",
        ),
        (
            "issuer",
            &["batch"],
            "secrets",
            json!({ "2026-a": { "file": "batch.txt" } }),
            "batch.toml:5:1",
        ),
        (
            "upstream",
            &["brisk"],
            "connect_timeout",
            json!("700ms"),
            "brisk.toml:4:1",
        ),
        (
            "upstream",
            &["brisk"],
            "peers",
            json!(["127.0.0.1:1"]),
            "brisk.toml:3:1",
        ),
        ("upstream", &["brisk"], "retries", json!(1), "default"),
        ("api", &["orders"], "strip_context_path", json!(false), "default"),
        (
            "api.plan",
            &["orders", "manual"],
            "validation",
            json!("manual"),
            "tollgate.toml:34:1",
        ),
        (
            "api.plan",
            &["orders", "gold"],
            "validation",
            json!("auto"),
            "default",
        ),
    ];
    for (table, names, key, value, origin) in rows {
        let found = setting(&shown, table, names, key);
        assert_eq!(found, (value, origin.to_owned()), "{table} {names:?} {key}");
    }
    assert!(!told.text().contains(secret) && !told.text().contains(&scene.token()));

    // What is refused is not in force.
    scene
        .gateway
        .write("more/brisk.toml", &more.replace("700ms", "never"));
    scene
        .gateway
        .wait_for_log(|line| line["event"] == "configuration_rejected");
    assert_eq!(scene.show("/v1/configuration").json(), shown);
    scene
        .gateway
        .write("more/brisk.toml", &more.replace("700ms", "800ms"));
    reloaded(&scene, 2);
    let shown = scene.show("/v1/configuration").json();
    assert_eq!(
        setting(&shown, "upstream", &["brisk"], "connect_timeout").0,
        "800ms"
    );
    assert_eq!(shown["generation"], 2);
}

#[test]
fn a_page_of_the_audit_log_ends_where_its_entries_are_long() {
    let scene = Scene::start();
    assert_eq!(scene.application("mobile").status, 201);
    let changes = 24;
    for change in 0..changes {
        let sets = (0..100).map(|set| json!({ "c": format!("{change}-{set}-{}", "x".repeat(240)) }));
        let sets: Vec<Value> = sets.collect();
        let body = json!({ "claim_sets": sets, "client_ids": sets.iter().map(|set| json!({ "id": set["c"] })).collect::<Vec<_>>() });
        let replaced = request("PUT", "/v1/applications/mobile").body(body.to_string());
        let replaced = scene.tell(json_body(replaced).header("If-Match", "*"));
        assert_eq!(replaced.status, 200, "{}", replaced.text());
    }
    let mut revisions = Vec::new();
    let mut path = "/v1/audit?limit=1000".to_owned();
    let pages = loop {
        let page = scene.show(&path);
        assert_eq!(page.status, 200);
        assert!(page.body.len() < 2 * 1024 * 1024, "{} bytes", page.body.len());
        let page = page.json();
        let items = page["items"].as_array().unwrap();
        assert!(!items.is_empty());
        revisions.push(
            items
                .iter()
                .map(|item| item["revision"].as_u64().unwrap())
                .collect::<Vec<_>>(),
        );
        match page["next"].as_u64() {
            Some(next) => path = format!("/v1/audit?limit=1000&before={next}"),
            None => break revisions.len(),
        }
    };
    assert!(pages > 1);
    // The first one is of the plan that the configuration has closed.
    let all: Vec<u64> = (1..=changes + 2).rev().collect();
    assert_eq!(revisions.concat(), all);
}
