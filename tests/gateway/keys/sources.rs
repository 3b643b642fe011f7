//! Where keys come from and by what way: discovery documents, redirects, private authorities, proxies.
//!
//! Each row has an issuer of its own in one gateway. Wherever an answer leads, a server that must not be asked counts
//! how often it was.

use serde_json::json;
use tollgate::token::Algorithm::Es256;

use super::tls::{Authority, Proxy, TlsFront};
use super::{KeyServer, Page, config, fleet, judged, refreshes};
use crate::harness::{Gateway, Issuer, Upstream, respond, wait_until};

/// Every second.
const BRISK: &str = "jwks.refresh_interval = \"1s\"\njwks.cooldown = \"1s\"";

/// An issuer whose keys come so.
fn table(name: &str, source: &str) -> String {
    format!(
        "[[issuer]]\nname = \"{name}\"\nalgorithms = [\"ES256\"]\naudiences = [\"https://api.example.com\"]\n\
         {source}\n{BRISK}\n"
    )
}

fn document(issuer: &str, jwks_uri: &str) -> Page {
    Page::keys(
        &json!({ "issuer": issuer, "jwks_uri": jwks_uri, "token_endpoint": "https://x.example" }).to_string(),
    )
}

fn redirect(target: &str) -> Page {
    Page::Bytes(respond(302, &[("Location", target)], ""))
}

/// What becomes of an issuer: "served", or the cause of the failure that is counted while its callers get 503.
fn check(gateway: &Gateway, issuer: &Issuer, row: &str, expected: &str) {
    if expected == "served" {
        assert_eq!(judged(gateway, &issuer.token().text()).0, 200, "{row}");
    } else {
        wait_until(&format!("{row}: {expected}"), || {
            (refreshes(gateway, &issuer.name, expected) >= 1.0).then_some(())
        });
        assert_eq!(judged(gateway, &issuer.token().text()).0, 503, "{row}");
    }
}

#[test]
fn a_discovery_document_speaks_for_its_issuer_and_leads_to_keys_by_the_same_rules() {
    let authority = Authority::new();
    let (issuers, keys) = fleet(9);
    let url = |i: usize| format!("http://{}/jwks", keys[i].address());
    let name = |i: usize| issuers[i].name.as_str();
    let inside = TlsFront::start(&authority, keys[8].address());
    let rows = [
        ("good", document(name(0), &url(0)), "served"),
        (
            "another issuer's",
            document("https://evil.example/", &url(1)),
            "discovery_issuer",
        ),
        (
            "almost its own",
            document(name(2).trim_end_matches('/'), &url(2)),
            "discovery_issuer",
        ),
        (
            "a page",
            Page::Bytes(respond(200, &[], "<html>")),
            "discovery_json",
        ),
        (
            "keys by http elsewhere",
            document(name(4), "http://169.254.169.254/latest"),
            "discovery_jwks_uri",
        ),
        ("slow", Page::Hang, "timeout"),
        ("gone", Page::Bytes(respond(404, &[], "")), "status"),
        (
            "from https to http",
            document(name(7), &url(7)),
            "discovery_jwks_uri",
        ),
        (
            "from https to https",
            document(name(8), &format!("https://{}/jwks", inside.address())),
            "served",
        ),
    ];
    let documents: Vec<_> = rows
        .iter()
        .map(|(_, page, _)| KeyServer::start(page.clone()))
        .collect();
    let fronts = [7, 8].map(|i| TlsFront::start(&authority, documents[i].address()));
    let tables: Vec<_> = std::iter::zip(&issuers, &documents)
        .enumerate()
        .map(|(i, (issuer, server))| {
            let discovery = match i {
                0..7 => format!("discovery = \"http://{}/d\"", server.address()),
                _ => format!(
                    "discovery = \"https://{}/d\"\njwks.ca_file = \"ca.crt\"",
                    fronts[i - 7].address()
                ),
            };
            (issuer.name.as_str(), table(&issuer.name, &discovery))
        })
        .collect();
    let upstream = Upstream::start();
    let gateway = Gateway::start_with(&config(&upstream, &tables), &[("ca.crt", &authority.pem())]);
    for (issuer, (row, _, expected)) in std::iter::zip(&issuers, &rows) {
        check(&gateway, issuer, row, expected);
    }
    for i in 1..8 {
        assert_eq!(keys[i].asked().len(), 0, "{}: the keys were asked for", rows[i].0);
    }
    let lie = gateway.wait_for_log(|line| line["cause"] == "discovery_issuer");
    assert!(!lie["detail"].as_str().unwrap().contains("evil"), "{lie}");

    // The document leads elsewhere from now on; the keys there are judged by those that were here.
    let more = Issuer::new(name(0), "k2", Es256);
    let elsewhere = KeyServer::start(Page::keys(&Issuer::jwks_of(&[&issuers[0], &more])));
    documents[0].show(document(name(0), &format!("http://{}/jwks", elsewhere.address())));
    wait_until("the new address to be used", || {
        (judged(&gateway, &more.token().text()).0 == 200).then_some(())
    });
    let mallory = Issuer::new(name(0), "k1", Es256);
    let hijacked = KeyServer::start(Page::keys(&mallory.jwks()));
    documents[0].show(document(name(0), &format!("http://{}/jwks", hijacked.address())));
    wait_until("the hijacked keys to be put aside", || {
        (refreshes(&gateway, name(0), "quarantined") >= 1.0).then_some(())
    });
    assert_eq!(judged(&gateway, &mallory.token().text()).0, 401);
    assert_eq!(judged(&gateway, &more.token().text()).0, 200);
}

#[test]
fn redirects_are_followed_where_that_is_allowed_and_never_to_where_keys_may_not_come_from() {
    const FOLLOW: &str = "jwks.follow_redirects = true\njwks.ca_file = \"ca.crt\"";
    let authority = Authority::new();
    let (issuers, keys) = fleet(8);
    let http = |server: &KeyServer| format!("http://{}/jwks", server.address());
    let to = |target: &str| KeyServer::start(redirect(target));
    // Chains of two, three and four hops, each from the one before it.
    let three = {
        let second = to(&http(&keys[1]));
        let first = to(&http(&second));
        vec![second, first]
    };
    let four = {
        let third = to(&http(&keys[2]));
        let second = to(&http(&third));
        let first = to(&http(&second));
        vec![third, second, first]
    };
    let inside = TlsFront::start(&authority, keys[4].address());
    let looping = KeyServer::start(Page::Hang);
    looping.show(redirect("/jwks"));
    let firsts = [
        to(&http(&keys[0])),
        to(&http(&three[1])),
        to(&http(&four[2])),
        to(&http(&keys[3])),
        to(&format!("https://{}/jwks", inside.address())),
        to("http://169.254.169.254/latest"),
        looping,
        KeyServer::start(Page::Bytes(respond(302, &[], ""))),
    ];
    let front = TlsFront::start(&authority, firsts[3].address());
    let rows = [
        ("not allowed", "redirect"),
        ("three", "served"),
        ("four", "redirect"),
        ("https to http", "redirect"),
        ("http to https", "served"),
        ("to another machine by http", "redirect"),
        ("to itself", "redirect"),
        ("to nowhere", "redirect"),
    ];
    let tables: Vec<_> = std::iter::zip(&issuers, &firsts)
        .enumerate()
        .map(|(i, (issuer, server))| {
            let source = match i {
                0 => format!("jwks.url = \"{}\"", http(server)),
                3 => format!("jwks.url = \"https://{}/jwks\"\n{FOLLOW}", front.address()),
                _ => format!("jwks.url = \"{}\"\n{FOLLOW}", http(server)),
            };
            (issuer.name.as_str(), table(&issuer.name, &source))
        })
        .collect();
    let upstream = Upstream::start();
    let gateway = Gateway::start_with(&config(&upstream, &tables), &[("ca.crt", &authority.pem())]);
    for (issuer, (row, expected)) in std::iter::zip(&issuers, rows) {
        check(&gateway, issuer, row, expected);
    }
    for i in [0, 2, 3] {
        assert_eq!(keys[i].asked().len(), 0, "{}: the keys were asked for", rows[i].0);
    }
    let (asked, fetches) = (
        firsts[6].asked().len(),
        refreshes(&gateway, &issuers[6].name, "redirect"),
    );
    assert!(
        asked as f64 <= 4.0 * (fetches + 1.0),
        "{asked} requests in {fetches} fetches"
    );
    let log = gateway.log_lines().join("\n");
    assert!(!log.contains("169.254"), "what an issuer wrote is not logged");
}

#[test]
fn an_issuer_with_authorities_of_its_own_is_believed_by_them_alone() {
    let (ours, others) = (Authority::new(), Authority::new());
    let (issuers, keys) = fleet(4);
    let fronts: Vec<_> = keys
        .iter()
        .map(|server| TlsFront::start(&ours, server.address()))
        .collect();
    let ways = [
        ("ours", "jwks.ca_file = \"ours.crt\"", "served"),
        ("another", "jwks.ca_file = \"others.crt\"", "tls"),
        ("the public ones", "", "tls"),
        ("both", "jwks.ca_file = \"both.crt\"", "served"),
    ];
    let tables: Vec<_> = std::iter::zip(std::iter::zip(&issuers, &fronts), ways)
        .map(|((issuer, front), (_, way, _))| {
            let source = format!("jwks.url = \"https://{}/jwks\"\n{way}", front.address());
            (issuer.name.as_str(), table(&issuer.name, &source))
        })
        .collect();
    let upstream = Upstream::start();
    let both = others.pem() + &ours.pem();
    let files = [
        ("ours.crt", ours.pem()),
        ("others.crt", others.pem()),
        ("both.crt", both),
    ];
    let files: Vec<_> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let gateway = Gateway::start_with(&config(&upstream, &tables), &files);
    for (issuer, (row, _, expected)) in std::iter::zip(&issuers, ways) {
        check(&gateway, issuer, row, expected);
    }
    // The file is watched as the configuration is.
    gateway.write("others.crt", "no certificate");
    gateway.wait_for_log(|line| line["event"] == "configuration_rejected");
    gateway.write("others.crt", &ours.pem());
    wait_until("the new authority to be believed", || {
        (judged(&gateway, &issuers[1].token().text()).0 == 200).then_some(())
    });
    assert_eq!(judged(&gateway, &issuers[0].token().text()).0, 200);
}

#[test]
fn keys_come_through_the_proxy_and_survive_it() {
    let authority = Authority::new();
    let (issuers, keys) = fleet(2);
    let front = TlsFront::start(&authority, keys[0].address());
    let mut proxy = Proxy::start();
    let way = format!("jwks.proxy = \"http://{}\"", proxy.address());
    let sources = [
        format!(
            "jwks.url = \"https://{}/jwks\"\njwks.ca_file = \"ca.crt\"\n{way}",
            front.address()
        ),
        format!(
            "jwks.url = \"http://{}/jwks\"\njwks.danger_allow_http = true\n{way}",
            keys[1].address()
        ),
    ];
    let tables: Vec<_> = std::iter::zip(&issuers, &sources)
        .map(|(issuer, source)| (issuer.name.as_str(), table(&issuer.name, source)))
        .collect();
    let upstream = Upstream::start();
    let gateway = Gateway::start_with(&config(&upstream, &tables), &[("ca.crt", &authority.pem())]);
    for issuer in &issuers {
        check(&gateway, issuer, "through the proxy", "served");
    }
    let asked = proxy.asked();
    for line in [
        format!("CONNECT {} HTTP/1.1", front.address()),
        format!("GET http://{}/jwks HTTP/1.1", keys[1].address()),
    ] {
        assert!(asked.contains(&line), "no {line} in {asked:?}");
    }

    proxy.go_down();
    for issuer in &issuers {
        wait_until("the proxy to be missed", || {
            (refreshes(&gateway, &issuer.name, "proxy") >= 1.0).then_some(())
        });
        assert_eq!(
            judged(&gateway, &issuer.token().text()).0,
            200,
            "the last good keys serve"
        );
    }
    let before = keys.iter().map(|server| server.asked().len()).sum::<usize>();
    let more = Issuer::new(&issuers[0].name, "k2", Es256);
    keys[0].show(Page::keys(&Issuer::jwks_of(&[&issuers[0], &more])));
    proxy.up();
    wait_until("a new key to come through the proxy", || {
        (judged(&gateway, &more.token().text()).0 == 200).then_some(())
    });
    assert!(keys.iter().map(|server| server.asked().len()).sum::<usize>() > before);
}
