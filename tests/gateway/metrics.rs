//! What the gateway says of its work: every request once in every count and once in the access log, and nothing in
//! either that a stranger could have put there or a secret could be read from.
//!
//! The requests are those of the decisions table, so that each way of ending a request is counted here.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::decisions::table;
use crate::harness::{Connection, Metrics, get, post, request, wait_until};
use crate::world::World;

/// Names that labels may have: what the configuration says, and `-` for what has none.
const CONFIGURED: [(&str, &[&str]); 4] = [
    (
        "api",
        &[
            "-",
            "orders",
            "free",
            "public",
            "impatient",
            "mixed",
            "claims",
            "careful",
            "passing",
            "sources",
            "keyed",
            "sources-open",
            "sources-passing",
            "dark",
            "refused",
            "hosted",
            "whole-host",
            "planless",
            "staging",
            "closed",
            "old",
            "coming",
            "gone",
            "leaving",
            "mapped",
            "sourced",
            "terms",
            "anonymous",
        ],
    ),
    (
        "plan",
        &[
            "-", "gold", "silver", "partner", "any", "open", "header", "browser", "gateway", "uri", "own",
            "acme", "mobile", "reading", "keys", "tokens",
        ],
    ),
    (
        "issuer",
        &[
            "-",
            "https://acme.example/",
            "https://globex.example/",
            "https://strict.example/",
            "https://many.example/",
            "https://shared.example/",
            "https://dark.example/",
            "https://mapped.example/",
            "https://access.example/",
            "legacy",
        ],
    ),
    ("upstream", &["sample", "impatient", "nobody"]),
];

#[test]
fn every_request_is_counted_once_and_logged_once_and_no_secret_is_told() {
    let world = World::start();
    let rows = table(&world);
    let mut secrets = BTreeSet::new();
    for row in &rows {
        secrets.extend(row.request.secrets());
        world.send(&row.request);
    }
    let requests = rows.len();
    let lines = access_lines(&world, requests);
    let metrics = world.gateway.metrics();
    let count = |name: &str| metrics.sum(name, &[]) as usize;
    assert_eq!(count("tollgate_requests_total"), requests);
    assert_eq!(count("tollgate_decisions_total"), requests);
    assert_eq!(count("tollgate_request_duration_seconds_count"), requests);
    assert_eq!(count("tollgate_added_latency_seconds_count"), requests);
    assert_eq!(count("tollgate_access_duration_seconds_count"), requests);
    assert_eq!(count("tollgate_in_flight_requests"), 0);
    let ids: BTreeSet<&str> = lines
        .iter()
        .map(|line| line["request_id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), requests, "every request has an id of its own");
    counts_agree_with_the_log(&metrics, &lines);

    let told = told(&world, &metrics);
    assert!(secrets.len() > 100, "{} secrets", secrets.len());
    for secret in &secrets {
        assert!(!told.contains(secret.as_str()), "{secret} is told");
    }
    for line in &lines {
        if let Some(digest) = line["token_digest"].as_str() {
            assert!(
                digest.len() == 32 && digest.bytes().all(|b| b.is_ascii_hexdigit()),
                "{line}"
            );
        }
    }
}

#[test]
fn secrets_in_odd_places_are_not_told_either() {
    let world = World::start();
    let token = world.token().text();
    let password = "correct-horse-battery-staple";
    let odd = [
        get(&format!("/public/x?access_token={token}")),
        get(&format!("/public/x?a=1&password={password}")),
        get(&format!("/refused/x?password={password}")),
        get(&format!("/impatient/silent?password={password}")),
        get(&format!("/nowhere?password={password}")),
        get(&format!("/orders//?password={password}")),
        get("/orders/menu/today").header("Authorization", &format!("Basic {password}")),
        get("/orders/menu/today").header("Authorization", &format!("{password} x")),
        get("/orders/menu/today").bearer(password),
        get("/orders/menu/today").bearer(&format!("{password}.x.y")),
        get("/public/x").header("Cookie", &format!("session={password}")),
        get("/public/x").header("Proxy-Authorization", &format!("Basic {password}")),
        get("/public/x").header("X-Api-Key", password),
        get("/public/x").header("Referer", &format!("https://x/?password={password}")),
        post("/mixed/", format!("password={password}")),
        post("/public/reset", format!("password={password}")),
        get(&format!("/refused/x?password={password}")).bearer(&token),
        get("/orders/menu/today").bearer(&world.token().header("kid", password).text()),
        get("/orders/menu/today").bearer(&world.token().claim("secret", password).text()),
    ];
    for request in &odd {
        world.send(request);
    }
    let lines = access_lines(&world, odd.len());
    for line in &lines {
        assert!(!line["path"].as_str().unwrap().contains('?'), "{line}");
    }
    let told = told(&world, &world.gateway.metrics());
    assert!(!told.contains(password) && !told.contains(&token));
}

#[test]
fn no_label_comes_from_a_request() {
    let world = World::start();
    let odd = "zz-odd-zz";
    let token = || world.token();
    let bearer = |token: String| get("/orders/menu/today").bearer(&token);
    for request in [
        get("/public/x").host(&format!("{odd}.example")),
        get("/nowhere").host(odd),
        get(&format!("/{odd}")),
        get(&format!("/public/{odd}")),
        request(&odd.to_uppercase(), "/public/x"),
        request(&odd.to_uppercase(), "/orders/menu/today"),
        get("/public/x").header(odd, odd),
        get("/public/x").header("X-Request-Id", odd),
        bearer(token().header("kid", odd).text()),
        bearer(token().header("alg", odd).text()),
        bearer(token().header("typ", odd).text()),
        bearer(token().claim("iss", odd).text()),
        bearer(token().claim("aud", odd).text()),
        bearer(token().claim("sub", odd).text()),
        bearer(token().client(odd).text()),
        bearer(token().scopes(odd).text()),
    ] {
        world.send(&request);
    }
    let metrics = world.gateway.metrics();
    assert!(!metrics.text.to_lowercase().contains(odd));
    for (label, names) in CONFIGURED {
        let values = metrics.label_values(label);
        let strange: Vec<_> = values
            .iter()
            .filter(|value| !names.contains(&value.as_str()))
            .collect();
        assert!(strange.is_empty(), "{label}: {strange:?}");
    }
}

#[test]
fn what_is_in_a_line_of_the_access_log() {
    let world = World::start();
    let token = world.token().text();
    let answer = world.send(&post("/orders/files/x?y=z", "12345").bearer(&token));
    let line = world.gateway.access_line(&answer);
    for (name, value) in [
        ("client_ip", json!("127.0.0.1")),
        ("method", json!("POST")),
        ("host", json!("gateway.test")),
        ("path", json!("/orders/files/x")),
        ("protocol", json!("HTTP/1.1")),
        ("status", json!(200)),
        ("outcome", json!("permit")),
        ("reason", Value::Null),
        ("api", json!("orders")),
        ("plan", json!("gold")),
        ("issuer", json!("https://acme.example/")),
        ("application", json!("mobile")),
        ("client_id", json!("mobile-app")),
        ("subject", json!("alice")),
        ("bytes_in", json!(5)),
        ("bytes_out", json!(answer.body.len())),
        ("upstream", json!("sample")),
        ("upstream_address", json!(world.upstream.address().to_string())),
    ] {
        assert_eq!(line[name], value, "{name}");
    }
    let micros = |name: &str| line[name].as_u64().unwrap_or_else(|| panic!("{name}: {line}"));
    assert!(micros("added_us") <= micros("duration_us"));
    assert!(micros("upstream_us") <= micros("duration_us"));
    // A line cannot be broken, whatever is in it.
    let answer = world.send(&get("/nowhere/\"}%7B").host("a_b.example"));
    let line = world.gateway.access_line(&answer);
    assert_eq!(line["path"], "/nowhere/\"}%7B", "as it came, escaped as JSON");
}

#[test]
fn the_metrics_listener_says_live_and_ready_and_nothing_else() {
    let world = World::start();
    for (path, status, text) in [
        ("/live", 200, "live\n"),
        (
            "/ready",
            200,
            "ready\nissuer https://dark.example/: no keys yet\n",
        ),
        ("/", 404, "there are /metrics, /live and /ready\n"),
        (
            "/orders/menu/today",
            404,
            "there are /metrics, /live and /ready\n",
        ),
        ("/metrics/x", 404, "there are /metrics, /live and /ready\n"),
    ] {
        let page = world.gateway.status_page(path);
        assert_eq!((page.status, page.text().as_str()), (status, text), "{path}");
    }
    let address = world.gateway.metrics_address();
    assert_eq!(post("/metrics", "x").send(address).status, 405);
    let page = world.gateway.status_page("/metrics");
    assert!(page.header("content-type").unwrap().starts_with("text/plain"));
    // And callers find none of it.
    for path in ["/live", "/ready", "/metrics"] {
        assert_eq!(world.send(&get(path)).status, 404, "{path}");
    }
}

#[test]
fn what_cannot_be_read_is_refused_without_a_page_and_without_a_count() {
    let world = World::start();
    let with = |fields: &str| format!("POST /public/x HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    // Pingora answers these while it reads; nothing of ours sees them.
    for (what, text, status) in [
        ("no version", "GET /public/x\r\nHost: a\r\n\r\n".to_owned(), 400),
        (
            "a version to come",
            "GET /public/x HTTP/3.7\r\nHost: a\r\n\r\n".to_owned(),
            400,
        ),
        (
            "an HTTP/2 preface",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
            400,
        ),
        ("a space before the colon", with("X-A : b\r\n"), 400),
        ("a folded field", with("X-A: b\r\n c\r\n"), 400),
        ("NUL in a field", with("X-A: b\0c\r\n"), 400),
        ("a control in a field", with("X-A: b\u{1}c\r\n"), 400),
        ("two hosts", with("Host: b\r\n"), 400),
        ("two equal hosts", with("Host: a\r\n"), 400),
        (
            "a Host with a user",
            "GET /public/x HTTP/1.1\r\nHost: u@a\r\n\r\n".to_owned(),
            400,
        ),
        (
            "a target of another host",
            "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            400,
        ),
        (
            "two lengths",
            with("Content-Length: 3\r\nContent-Length: 4\r\n"),
            400,
        ),
        ("a length with a sign", with("Content-Length: +3\r\n"), 400),
        ("a hexadecimal length", with("Content-Length: 0x3\r\n"), 400),
        ("a negative length", with("Content-Length: -3\r\n"), 400),
        ("an empty length", with("Content-Length: \r\n"), 400),
        (
            "a length beyond 2^64",
            with("Content-Length: 99999999999999999999999\r\n"),
            400,
        ),
        ("another coding", with("Transfer-Encoding: identity\r\n"), 400),
        (
            "a coding in disguise",
            with("Transfer-Encoding: xchunked\r\n"),
            400,
        ),
        (
            "chunks in HTTP/1.0",
            "POST /public/x HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
            400,
        ),
        ("300 fields", with(&"X-A: b\r\n".repeat(300)), 400),
        (
            "two megabytes of fields",
            with(&format!("X-A: {}\r\n", "b".repeat(2_000_000))),
            400,
        ),
        (
            "CONNECT",
            "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n".to_owned(),
            405,
        ),
    ] {
        let mut connection = Connection::open(world.gateway.address());
        connection.write(text.as_bytes());
        let answer = connection.read().unwrap_or_else(|| panic!("{what}: no answer"));
        assert_eq!((answer.status, answer.text().as_str()), (status, ""), "{what}");
        connection.write(&get("/public/second").bytes());
        assert_eq!(connection.rest(), b"", "{what}");
    }
    let counted = get("/public/last");
    world.send(&counted);
    assert_eq!(access_lines(&world, 1).len(), 1);
    assert_eq!(world.gateway.metric("tollgate_requests_total", &[]), 1.0);
    assert_eq!(world.upstream.take_one().target, counted.target());
}

/// All lines of the access log, when there are as many as requests; panics if there are more.
fn access_lines(world: &World, requests: usize) -> Vec<Value> {
    let lines = wait_until("the access log", || {
        Some(world.gateway.access_lines()).filter(|lines| lines.len() >= requests)
    });
    assert_eq!(lines.len(), requests);
    lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Everything that the gateway has written or shown.
fn told(world: &World, metrics: &Metrics) -> String {
    [
        world.gateway.log_lines().join("\n"),
        world.gateway.access_lines().join("\n"),
        metrics.text.clone(),
    ]
    .join("\n")
}

/// The same request is in the same place of both.
fn counts_agree_with_the_log(metrics: &Metrics, lines: &[Value]) {
    let text = |line: &Value, name: &str| line[name].as_str().unwrap_or("-").to_owned();
    let mut decisions = BTreeSet::new();
    let mut requests = BTreeSet::new();
    for line in lines {
        let class = format!("{}xx", line["status"].as_u64().unwrap() / 100);
        decisions.insert((text(line, "api"), text(line, "outcome")));
        requests.insert((text(line, "api"), text(line, "plan"), class));
    }
    for (api, outcome) in &decisions {
        let logged = lines
            .iter()
            .filter(|line| text(line, "api") == *api && text(line, "outcome") == *outcome);
        let counted = metrics.sum("tollgate_decisions_total", &[("api", api), ("outcome", outcome)]);
        assert_eq!(counted as usize, logged.count(), "{api} {outcome}");
    }
    for (api, plan, class) in &requests {
        let logged = lines.iter().filter(|line| {
            let status = format!("{}xx", line["status"].as_u64().unwrap() / 100);
            text(line, "api") == *api && text(line, "plan") == *plan && status == *class
        });
        // A plan is known to a refusal that has found one, and then it is counted under it.
        let labels = [("api", api.as_str()), ("plan", plan), ("status_class", class)];
        let counted = metrics.sum("tollgate_requests_total", &labels);
        assert_eq!(counted as usize, logged.count(), "{api} {plan} {class}");
    }
    let rejected = lines
        .iter()
        .filter(|line| line["outcome"] == "invalid_token" && line["reason"] != "credential_not_accepted");
    let counted = metrics.sum("tollgate_token_rejections_total", &[]);
    assert_eq!(counted as usize, rejected.count(), "tokens refused");
}
