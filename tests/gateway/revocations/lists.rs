//! Lists that issuers publish: obeyed as soon as they are here, kept when what comes next is none, and missed as the
//! operator says (`fail`). Servers of lists are key servers: they do as they are told, and can be down.

use serde_json::{Value, json};
use tollgate::token::Algorithm;

use crate::harness::{Gateway, Issuer, Upstream, get, now, respond, wait_until};
use crate::keys::{KeyServer, Page};

const ACME: &str = "https://acme.example/";

struct World {
    acme: Issuer,
    upstream: Upstream,
    gateway: Gateway,
}

fn config(upstream: &Upstream, list: &str) -> String {
    format!(
        r#"
        [state]
        path = "state/tollgate.redb"
        [admin]
        address = "127.0.0.1:0"
        token_file = "admin.token"

        [[issuer]]
        name = "{ACME}"
        algorithms = ["ES256"]
        audiences = ["https://api.example.com"]
        jwks.file = "acme.json"
        {list}

        [[upstream]]
        name = "sample"
        peers = ["{}"]

        [[api]]
        name = "orders"
        context_path = "/orders"
        upstream = "sample"
        [[api.plan]]
        name = "gold"
        security = "jwt"
        issuers = ["{ACME}"]
        subscription_validation = false
        "#,
        upstream.address()
    )
}

/// A list at this server, refreshed each second; `more` says what happens without it.
fn at(server: &KeyServer, more: &str) -> String {
    format!(
        "revocation_list = {{ url = \"http://{}/revoked\", refresh_interval = \"1s\", {more} }}",
        server.address()
    )
}

fn page(text: &str) -> Page {
    Page::Bytes(respond(200, &[("Content-Type", "application/json")], text))
}

fn entries(entries: Value) -> Page {
    page(&json!({ "revocations": entries }).to_string())
}

// === impl World ===

impl World {
    fn start(list: &str) -> Self {
        let acme = Issuer::new(ACME, "k1", Algorithm::Es256);
        let upstream = Upstream::start();
        let gateway = Gateway::start_with(&config(&upstream, list), &[("acme.json", &acme.jwks())]);
        Self {
            acme,
            upstream,
            gateway,
        }
    }

    fn token(&self, jti: &str) -> String {
        self.acme
            .token()
            .claim("jti", jti)
            .claim("iat", now() - 100)
            .text()
    }

    fn ask(&self, token: &str) -> (u16, String) {
        let answer = get("/orders/1").bearer(token).send(self.gateway.address());
        if answer.status == 503 {
            assert_eq!(answer.header("retry-after"), Some("5"));
        }
        (answer.status, answer.code())
    }

    fn wait_for(&self, token: &str, status: u16, code: &str) {
        let mut last = (0, String::new());
        wait_until(&format!("{status} {code}"), || {
            last = self.ask(token);
            (last == (status, code.to_owned())).then_some(())
        });
    }

    /// What operators see of the list.
    fn list(&self) -> Value {
        let token = std::fs::read_to_string(self.gateway.directory().join("admin.token")).unwrap();
        let address = self.gateway.admin_address();
        let answer = get("/v1/issuers")
            .host(&address.to_string())
            .bearer(token.trim_end())
            .send(address);
        answer.json()["items"][0]["revocation_list"].clone()
    }

    fn refreshes(&self, result: &str) -> f64 {
        let labels = [("issuer", ACME), ("result", result)];
        self.gateway
            .metric("tollgate_revocation_list_refreshes_total", &labels)
    }
}

#[test]
fn what_an_issuer_lists_is_refused_until_it_is_listed_no_more() {
    let server = KeyServer::start(entries(json!([])));
    let world = World::start(&at(&server, "fail = \"open\""));
    let (named, other) = (world.token("j1"), world.token("j2"));
    assert_eq!((world.ask(&named).0, world.ask(&other).0), (200, 200));
    for entry in [
        json!({ "jti": "j1", "exp": now() + 300, "reason": "stolen" }),
        json!({ "sub": "alice", "issued_before": now() - 50 }),
        json!({ "client_id": "mobile-app" }),
        json!({ "kid": "k1", "issued_before": now() - 50 }),
        json!({ "all": true, "issued_before": now() - 50 }),
    ] {
        let by_jti = entry.get("jti").is_some();
        server.show(entries(json!([entry])));
        world.wait_for(&named, 401, "invalid_token");
        assert_eq!(world.ask(&other).0, if by_jti { 200 } else { 401 }, "{entry}");
        let labels = [("issuer", ACME)];
        assert_eq!(
            world.gateway.metric("tollgate_revocation_list_entries", &labels),
            1.0
        );
        assert!(
            world
                .gateway
                .metric("tollgate_revocation_list_age_seconds", &labels)
                < 10.0
        );
        server.show(entries(json!([])));
        world.wait_for(&named, 200, "");
        world.wait_for(&other, 200, "");
    }
    assert!(world.refreshes("success") >= 11.0 && world.refreshes("unchanged") >= 0.0);
    wait_until("a list that has not changed", || {
        (world.refreshes("unchanged") > 0.0).then_some(())
    });
}

#[test]
fn without_a_list_tokens_fare_as_the_operator_says() {
    for (fail, status, code) in [
        ("fail = \"open\"", 200, ""),
        ("fail = \"closed\"", 503, "revocations_unavailable"),
        (
            "fail = \"closed_after\", closed_after = \"3s\"",
            503,
            "revocations_unavailable",
        ),
    ] {
        let mut server = KeyServer::down(entries(json!([{ "jti": "j1" }])));
        let world = World::start(&at(&server, fail));
        let (named, other) = (world.token("j1"), world.token("j2"));
        assert_eq!(world.ask(&named), (status, code.to_owned()), "{fail}");
        assert_eq!(world.ask(&other), (status, code.to_owned()), "{fail}");
        let ready = world.gateway.status_page("/ready");
        assert!(
            ready.status == 200 && ready.text().contains("no revocation list yet"),
            "{}",
            ready.text()
        );
        assert_eq!(
            ready.text().contains("tokens are refused"),
            status == 503,
            "{}",
            ready.text()
        );
        let list = world.list();
        assert_eq!(
            (&list["entries"], &list["usable"]),
            (&Value::Null, &json!(status == 200)),
            "{list}"
        );
        server.up();
        world.wait_for(&named, 401, "invalid_token");
        world.wait_for(&other, 200, "");
        let list = world.list();
        assert_eq!(
            (&list["entries"], &list["usable"]),
            (&json!(1), &json!(true)),
            "{list}"
        );
        server.go_down();
        if fail.contains("\"open\"") {
            wait_until("some refreshes to fail", || {
                (world.refreshes("connect") > 2.0).then_some(())
            });
            assert_eq!(
                (world.ask(&named).0, world.ask(&other).0),
                (401, 200),
                "{fail}: the last good list counts"
            );
        } else {
            // A revoked token is never let through on the way there.
            wait_until("the list to be too old", || {
                let (named, other) = (world.ask(&named).0, world.ask(&other).0);
                assert!(named != 200, "{fail}");
                (other == 503).then_some(())
            });
            let ready = world.gateway.status_page("/ready").text();
            assert!(
                ready.contains("not refreshed since") && ready.contains("tokens are refused"),
                "{ready}"
            );
            server.up();
            world.wait_for(&other, 200, "");
        }
        assert_eq!(world.ask(&named), (401, "invalid_token".to_owned()), "{fail}");
    }
}

#[test]
fn what_is_no_list_takes_no_place() {
    let server = KeyServer::start(entries(json!([{ "jti": "j1" }])));
    let world = World::start(&at(&server, "fail = \"closed_after\", closed_after = \"1h\""));
    let (named, other) = (world.token("j1"), world.token("j2"));
    assert_eq!((world.ask(&named).0, world.ask(&other).0), (401, 200));
    let huge = 33 * 1024 * 1024;
    let ok = |fields: &[(&str, &str)], body: &str| Page::Bytes(respond(200, fields, body));
    for (page, result) in [
        (
            ok(&[("Content-Type", "text/html")], "<html>sign in</html>"),
            "syntax",
        ),
        (page("{}"), "syntax"),
        (page("[]"), "syntax"),
        (page(""), "syntax"),
        (page("{\"revocations\":[{\"jti\":\"j2\"},{}]}"), "entry"),
        (
            page("{\"revocations\":[{\"jti\":\"j2\"},{\"jti\":\"j3\",\"sub\":\"alice\"}]}"),
            "entry",
        ),
        (page("{\"revocations\":[{\"jti\":\"j2\"}"), "syntax"),
        (page("j2\n"), "syntax"),
        (
            ok(&[("Content-Encoding", "gzip")], "{\"revocations\":[]}"),
            "encoding",
        ),
        (Page::Bytes(respond(404, &[], "{\"revocations\":[]}")), "status"),
        (Page::Bytes(respond(500, &[], "")), "status"),
        (Page::Bytes(respond(304, &[], "")), "redirect"),
        (
            Page::Bytes(respond(302, &[("Location", "http://127.0.0.1:1/")], "")),
            "redirect",
        ),
        (
            Page::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"revocations\":[]}".to_vec()),
            "body",
        ),
        (
            Page::Bytes(format!("HTTP/1.1 200 OK\r\nContent-Length: {huge}\r\n\r\n").into_bytes()),
            "too_large",
        ),
        (
            Page::Bytes([b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &vec![b' '; huge]].concat()),
            "too_large",
        ),
        (Page::Bytes(b"SSH-2.0-OpenSSH\r\n".to_vec()), "protocol"),
    ] {
        let before = world.refreshes(result);
        server.show(page);
        wait_until(&format!("a fetch that fails by {result}"), || {
            (world.refreshes(result) > before).then_some(())
        });
        assert_eq!(
            (world.ask(&named).0, world.ask(&other).0),
            (401, 200),
            "{result}: the last good list counts"
        );
    }
    let log = world
        .gateway
        .wait_for_log(|line| line["event"] == "revocation_list_not_refreshed");
    assert_eq!((&log["issuer"], &log["cause"]), (&json!(ACME), &json!("syntax")));
    server.show(entries(json!([{ "jti": "j2" }])));
    world.wait_for(&other, 401, "invalid_token");
    assert_eq!(world.ask(&named).0, 200);
}

#[test]
fn a_slow_server_holds_nobody_up_but_its_own_issuer() {
    for page in [Page::Hang, Page::Drip] {
        let server = KeyServer::start(page);
        let world = World::start(&at(&server, "fail = \"closed\""));
        let token = world.token("j1");
        assert_eq!(world.ask(&token), (503, "revocations_unavailable".to_owned()));
        server.show(entries(json!([])));
        // Not before the fetch that is under way has used up its time.
        world.wait_for(&token, 200, "");
        assert!(world.refreshes("timeout") > 0.0);
    }
}

#[test]
fn a_list_of_lines_is_one_of_token_ids() {
    let server = KeyServer::start(Page::Bytes(respond(200, &[], "# revoked\nj1\r\n\n  j3\n")));
    let world = World::start(&at(&server, "fail = \"closed\", format = \"lines\""));
    for (jti, status) in [("j1", 401), ("j2", 200), ("j3", 401)] {
        assert_eq!(world.ask(&world.token(jti)).0, status, "{jti}");
    }
}

/// A token that was found clean when there was no list is not clean in the list that a new configuration names.
#[test]
fn a_list_that_a_reload_brings_is_obeyed_by_tokens_that_are_remembered() {
    let server = KeyServer::start(entries(json!([{ "jti": "j1" }])));
    let other_server = KeyServer::start(entries(json!([{ "jti": "j2" }])));
    let world = World::start("");
    let (named, other) = (world.token("j1"), world.token("j2"));
    let statuses = || (world.ask(&named).0, world.ask(&other).0);
    assert_eq!(statuses(), (200, 200));
    let mut generation = 1.0;
    let mut reload = |list: &str| {
        world.gateway.write_config(&config(&world.upstream, list));
        world.gateway.signal("HUP");
        generation += 1.0;
        wait_until("the configuration", || {
            (world.gateway.metric("tollgate_config_generation", &[]) >= generation).then_some(())
        });
        generation = world.gateway.metric("tollgate_config_generation", &[]);
    };
    for (list, expected) in [
        (at(&server, "fail = \"open\""), (401, 200)),
        (at(&other_server, "fail = \"open\""), (200, 401)),
        (at(&server, "fail = \"closed\""), (401, 200)),
        (String::new(), (200, 200)),
        (at(&other_server, "fail = \"closed\""), (200, 401)),
    ] {
        reload(&list);
        assert_eq!(statuses(), expected, "{list}");
        assert_eq!(statuses(), expected, "{list}");
    }
}
