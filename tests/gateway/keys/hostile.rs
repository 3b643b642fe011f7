//! Key servers that answer with anything but keys.
//!
//! The bar: the last good keys stay, honest callers notice nothing, and every cause is counted.

use serde_json::json;
use tollgate::token::Algorithm::Es256;

use super::{KeyServer, Page, config, fleet, issuer, refreshes, while_served};
use crate::harness::{Gateway, Issuer, Upstream, respond, wait_until};

const ACME: &str = "https://acme.example/";

/// Name, page, and the cause that is counted.
fn pages(acme: &Issuer, elsewhere: &str) -> Vec<(&'static str, Page, &'static str)> {
    let answer = |status, fields: &[(&str, &str)], body: &str| Page::Bytes(respond(status, fields, body));
    let good = acme.jwks();
    let private = json!({ "keys": [
        { "kty": "oct", "kid": "k1", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I", "alg": "HS256" },
        { "kty": "RSA", "kid": "k2", "n": "AQAB", "e": "AQAB", "d": "AQAB" },
    ] });
    let many: Vec<_> = (0..101).map(|i| acme.key.public_jwk(&format!("k{i}"))).collect();
    let mut short = respond(200, &[], &good);
    short.truncate(short.len() - 10);
    vec![
        ("garbage", answer(200, &[], "\u{1}\u{2}keys"), "json"),
        (
            "a page",
            answer(200, &[("Content-Type", "text/html")], "<html>Sign in</html>"),
            "json",
        ),
        (
            "half a document",
            answer(200, &[], &good[..good.len() / 2]),
            "json",
        ),
        ("no document", answer(200, &[], ""), "json"),
        ("500", answer(500, &[], &good), "status"),
        ("404", answer(404, &[], &good), "status"),
        (
            "204",
            Page::Bytes(b"HTTP/1.1 204 None\r\n\r\n".to_vec()),
            "status",
        ),
        ("no keys", answer(200, &[], r#"{"keys":[]}"#), "quarantined"),
        ("no set", answer(200, &[], "{}"), "json"),
        ("a list", answer(200, &[], "[]"), "json"),
        (
            "private keys",
            answer(200, &[], &private.to_string()),
            "quarantined",
        ),
        (
            "101 keys",
            answer(200, &[], &json!({ "keys": many }).to_string()),
            "too_many_keys",
        ),
        (
            "2 MiB",
            answer(200, &[], &format!("{}{good}", " ".repeat(2 << 20))),
            "too_large",
        ),
        (
            "compressed",
            answer(200, &[("Content-Encoding", "gzip")], &good),
            "encoding",
        ),
        (
            "a redirect",
            answer(302, &[("Location", elsewhere)], ""),
            "redirect",
        ),
        ("a short body", Page::Bytes(short), "body"),
        (
            "another protocol",
            Page::Bytes(b"SSH-2.0-x\r\n".to_vec()),
            "protocol",
        ),
        ("a hang-up", Page::Bytes(Vec::new()), "protocol"),
        ("a drip", Page::Drip, "timeout"),
        ("a hang", Page::Hang, "timeout"),
    ]
}

#[test]
fn whatever_a_key_server_answers_the_last_good_keys_serve_and_the_cause_is_counted() {
    let acme = Issuer::new(ACME, "k1", Es256);
    let elsewhere = KeyServer::start(Page::keys(&acme.jwks()));
    let upstream = Upstream::start();
    let timing = "jwks.refresh_interval = \"1s\"\njwks.cooldown = \"1s\"";
    let pages = pages(&acme, &format!("http://{}/jwks", elsewhere.address()));
    // Each page has an issuer of its own, so that what is counted is due to it.
    let (issuers, servers) = fleet(pages.len());
    let tables: Vec<_> = std::iter::zip(&issuers, &servers)
        .map(|(own, server)| (own.name.as_str(), issuer(&own.name, server.address(), timing)))
        .collect();
    let gateway = Gateway::start(&config(&upstream, &tables));
    let tokens: Vec<String> = issuers.iter().map(|issuer| issuer.token().text()).collect();
    let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
    let calls = while_served(&gateway, &tokens, || {
        for (server, (_, page, _)) in servers.iter().zip(&pages) {
            server.show(page.clone());
        }
        for (issuer, (page, _, cause)) in issuers.iter().zip(&pages) {
            wait_until(&format!("`{page}` to be counted as {cause}"), || {
                (refreshes(&gateway, &issuer.name, cause) >= 1.0).then_some(())
            });
            let others = [
                "json",
                "status",
                "no_usable_key",
                "quarantined",
                "protocol",
                "body",
                "timeout",
            ];
            for other in others.iter().filter(|other| *other != cause) {
                assert_eq!(refreshes(&gateway, &issuer.name, other), 0.0, "{page}: {other}");
            }
        }
        let before = gateway.metrics();
        for (server, issuer) in servers.iter().zip(&issuers) {
            server.show(Page::keys(&issuer.jwks()));
        }
        for Issuer { name, .. } in &issuers {
            let labels = [("issuer", name.as_str()), ("result", "success")];
            let before = before.sum("tollgate_jwks_refreshes_total", &labels);
            wait_until("the keys to be refreshed again", || {
                (refreshes(&gateway, name, "success") > before).then_some(())
            });
        }
    });
    println!("{calls} requests served meanwhile");
    assert!(calls > 10 * issuers.len(), "{calls}");
    assert_eq!(elsewhere.asked().len(), 0, "a redirect was followed");
    let log = gateway.log_lines().join("\n");
    assert!(log.contains("\"last_good_kept\":true"), "{log}");
    assert!(!log.contains("\"last_good_kept\":false"), "keys were lost: {log}");
}
