//! Servers that lie, fail, are slow or dead: nothing is known of the token then, and nobody gets in.
//! Each lie is told once, and its cause is counted by its own word; the truth is believed right after it.

use serde_json::json;

use super::{AuthServer, FROM_FILE, ISSUER, SECRET, Says, active, api, gateway, judged, questions};
use crate::harness::{Gateway, Upstream, closed_port, get, respond};

#[test]
fn an_answer_that_is_not_clear_lets_nobody_in() {
    let (server, upstream) = (AuthServer::start(), Upstream::start());
    let gateway = gateway(&server, &upstream, "timeout = \"300ms\"");
    let good = active(json!({})).to_string();
    let json = "application/json";
    let page = Says::page;
    let bytes = |fields: &[(&str, &str)], body: &str| Says::Bytes(respond(200, fields, body));
    let twice = good.replacen('{', "{\"active\":true,", 1);
    let deep = good.replacen('{', &format!("{{\"x\":{}{},", "[".repeat(20), "]".repeat(20)), 1);
    let long = good.replacen('{', &format!("{{\"x\":\"{}\",", "x".repeat(10 * 1024 * 1024)), 1);
    let kind = ("Content-Type", json);
    let text_active = json!({ "active": "true", "client_id": "mobile-app" }).to_string();
    let rows = [
        ("html", page(200, "text/html", &good), "content_type"),
        ("html_as_json", page(200, json, "<html>active</html>"), "json"),
        ("no_type", bytes(&[], &good), "content_type"),
        ("two_types", bytes(&[kind, kind], &good), "content_type"),
        ("signed", page(200, "application/token-introspection+jwt", &good), "content_type"),
        ("empty", page(200, json, ""), "json"),
        ("list", page(200, json, &format!("[{good}]")), "json"),
        ("two", page(200, json, &format!("{good}{good}")), "json"),
        ("half", page(200, json, &good[..good.len() - 2]), "json"),
        ("deep", page(200, json, &deep), "json"),
        ("twice", page(200, json, &twice), "duplicate_member"),
        ("text_active", page(200, json, &text_active), "active_missing"),
        ("number_active", page(200, json, "{\"active\":1}"), "active_missing"),
        ("no_active", page(200, json, "{\"client_id\":\"mobile-app\"}"), "active_missing"),
        ("long", page(200, json, &long), "too_large"),
        (
            "long_in_chunks",
            Says::Bytes(
                [
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
                    format!("{:x}\r\n{long}\r\n0\r\n\r\n", long.len()).as_bytes(),
                ]
                .concat(),
            ),
            "too_large",
        ),
        ("created", page(201, json, &good), "status"),
        ("not_found", page(404, json, &good), "status"),
        ("failing", page(500, json, &good), "status"),
        ("unavailable", page(503, json, &good), "status"),
        ("unauthorized", page(401, json, &good), "unauthorized"),
        ("forbidden", page(403, json, &good), "unauthorized"),
        (
            "elsewhere",
            Says::Bytes(respond(307, &[("Location", "http://169.254.169.254/"), kind], &good)),
            "redirect",
        ),
        ("packed", bytes(&[kind, ("Content-Encoding", "gzip")], &good), "encoding"),
        ("reset", Says::Reset, "protocol"),
        ("garbage", Says::Bytes(b"SSH-2.0-OpenSSH_9.6\r\n\r\n".to_vec()), "protocol"),
        ("silent", Says::Nothing, "timeout"),
    ];
    let mut expected = std::collections::HashMap::new();
    for (token, says, cause) in rows {
        server.says(token, says);
        let answer = get("/orders/1").bearer(token).send(gateway.address());
        assert_eq!(
            (answer.status, &*answer.code(), answer.header("retry-after")),
            (503, "introspection_unavailable", Some("2")),
            "{token}"
        );
        assert_eq!(answer.header("www-authenticate"), None, "{token}");
        assert_eq!(
            gateway.access_line(&answer)["reason"],
            "introspection_unavailable"
        );
        *expected.entry(cause).or_insert(0.0) += 1.0;
        assert_eq!(questions(&gateway, cause), expected[cause], "{token}: {cause}");
        // It is asked again, and what it says then counts.
        server.says(token, Says::json(&active(json!({}))));
        assert_eq!(judged(&gateway, "/orders/1", token).0, 200, "{token}");
    }
    assert!(
        upstream
            .take()
            .iter()
            .all(|request| request.target == "/orders/1")
    );
    let log = gateway.log_lines().join("\n");
    assert!(log.contains("introspection_failed") && log.contains("introspection_restored"));
    for secret in ["169.254", "mobile-app", "tenant=1", "long_in_chunks", SECRET] {
        assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
    }
}

#[test]
fn extra_spaces_and_parameters_are_no_lie() {
    let (server, upstream) = (AuthServer::start(), Upstream::start());
    let gateway = gateway(&server, &upstream, "");
    let good = active(json!({})).to_string();
    for (token, content_type, body) in [
        ("spaces", "application/json", format!(" \r\n\t{good}\n\n  ")),
        ("charset", "application/json;charset=UTF-8", good.clone()),
        ("case", "Application/JSON ; charset=utf-8", good),
    ] {
        server.says(token, Says::page(200, content_type, &body));
        assert_eq!(judged(&gateway, "/orders/1", token).0, 200, "{token}");
    }
}

#[test]
fn a_server_that_is_dead_lets_nobody_in_and_is_found_again() {
    let upstream = Upstream::start();
    let config = |address| {
        format!(
            "[[issuer]]\nname = \"{ISSUER}\"\naudiences = [\"https://api.example.com\"]\n\
             introspection = {{ url = \"http://{address}/\", client_id = \"gateway\", {FROM_FILE} }}\n"
        ) + &api(&upstream)
    };
    let gateway = Gateway::start_with(&config(closed_port()), &[("secret.txt", SECRET)]);
    let refused = (
        503,
        "introspection_unavailable".to_owned(),
        "introspection_unavailable".to_owned(),
    );
    assert_eq!(judged(&gateway, "/orders/1", "opaque"), refused);
    assert_eq!(questions(&gateway, "connect"), 1.0);
    // Without a token nothing is asked, and the answer is as ever.
    let answer = get("/orders/1").send(gateway.address());
    assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"orders\""));
    let server = AuthServer::start();
    server.knows("opaque", json!({}));
    gateway.write_config(&config(server.address()));
    crate::harness::wait_until("the new address to be asked", || {
        (judged(&gateway, "/orders/1", "opaque").0 == 200).then_some(())
    });
}
