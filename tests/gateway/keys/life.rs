//! The life of a key set: first fetch, rotation, an issuer that is away and comes back.
//!
//! How soon a gateway recovers is measured, not only that it does.

use std::thread;
use std::time::{Duration, Instant};

use tollgate::token::Algorithm::Es256;

use super::{KeyServer, Page, config, issuer, judged, refreshes, while_served};
use crate::harness::{Gateway, Issuer, Upstream, get, respond, wait_until};

const ACME: &str = "https://acme.example/";
const GLOBEX: &str = "https://globex.example/";
const HOOLI: &str = "https://hooli.example/";

/// Every second.
const BRISK: &str = "jwks.refresh_interval = \"1s\"\njwks.cooldown = \"1s\"";
/// Only when an unknown key prompts it.
const PROMPTED: &str = "jwks.refresh_interval = \"24h\"\njwks.cooldown = \"1s\"";

const COOLDOWN: Duration = Duration::from_secs(1);

/// How soon anything that a second's rhythm decides has happened.
const SOON: Duration = Duration::from_secs(3);

fn served() -> (u16, String) {
    (200, String::new())
}

fn refused() -> (u16, String) {
    (401, "invalid_token".to_owned())
}

fn unavailable() -> (u16, String) {
    (503, "keys_unavailable".to_owned())
}

/// Waits until a token is judged so, and says how long it took.
fn until(gateway: &Gateway, token: &str, expected: &(u16, String)) -> Duration {
    let began = Instant::now();
    wait_until(&format!("a token to get {expected:?}"), || {
        (judged(gateway, token) == *expected).then_some(())
    });
    began.elapsed()
}

#[test]
fn keys_are_there_before_the_first_caller_and_an_issuer_that_is_away_delays_nobody_else() {
    let [acme, globex, hooli] = [ACME, GLOBEX, HOOLI].map(|name| Issuer::new(name, "k1", Es256));
    let slow = respond(200, &[], &acme.jwks());
    let acme_keys = KeyServer::start(Page::Late(slow, Duration::from_millis(700)));
    let mut globex_keys = KeyServer::down(Page::keys(&globex.jwks()));
    let hooli_keys = KeyServer::start(Page::Hang);
    let upstream = Upstream::start();
    let issuers = [
        (ACME, issuer(ACME, acme_keys.address(), "")),
        (GLOBEX, issuer(GLOBEX, globex_keys.address(), "")),
        (HOOLI, issuer(HOOLI, hooli_keys.address(), "")),
    ];
    let began = Instant::now();
    let gateway = Gateway::start(&config(&upstream, &issuers));
    let took = began.elapsed();
    assert!(
        took < Duration::from_secs(8),
        "an issuer held up the start for {took:?}"
    );
    let [acme_token, globex_token, hooli_token] =
        [&acme, &globex, &hooli].map(|issuer| issuer.token().text());
    assert_eq!(judged(&gateway, &acme_token), served());
    assert_eq!(acme_keys.asked().len(), 1);
    for token in [&globex_token, &hooli_token] {
        let answer = get("/orders/1").bearer(token).send(gateway.address());
        assert_eq!((answer.status, answer.code()), unavailable());
        let retry_after: u32 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&retry_after));
    }
    let ready = gateway.status_page("/ready");
    assert_eq!(
        (ready.status, ready.text()),
        (
            200,
            format!("ready\nissuer {GLOBEX}: no keys yet\nissuer {HOOLI}: no keys yet\n")
        )
    );
    assert!(refreshes(&gateway, GLOBEX, "connect") >= 1.0);
    assert!(refreshes(&gateway, HOOLI, "timeout") >= 1.0);

    let calls = while_served(&gateway, &[&acme_token], || {
        globex_keys.up();
        let back = until(&gateway, &globex_token, &served());
        println!("ready after {took:?}; back {back:?} after an issuer's return");
        assert!(back < SOON, "{back:?}");
        // The hanging fetch must first end, at most five seconds from now.
        hooli_keys.show(Page::keys(&hooli.jwks()));
        let back = until(&gateway, &hooli_token, &served());
        assert!(back < Duration::from_secs(5) + SOON, "{back:?}");
    });
    assert!(calls > 0);
}

#[test]
fn a_new_key_is_usable_soon_and_a_removed_one_is_not() {
    let upstream = Upstream::start();
    for (timing, prompted) in [(BRISK, false), (PROMPTED, true)] {
        let [first, second] = ["k1", "k2"].map(|kid| Issuer::new(ACME, kid, Es256));
        let keys = KeyServer::start(Page::keys(&first.jwks()));
        let gateway = Gateway::start(&config(
            &upstream,
            &[(ACME, issuer(ACME, keys.address(), timing))],
        ));
        let (old, new) = (first.token().text(), second.token().text());
        assert_eq!(judged(&gateway, &old), served());
        assert_eq!(judged(&gateway, &new), refused());

        while_served(&gateway, &[&old], || {
            keys.show(Page::keys(&Issuer::jwks_of(&[&first, &second])));
            let took = until(&gateway, &new, &served());
            println!("{timing:?}: a new key after {took:?}");
            assert!(took < SOON, "{timing}: {took:?}");
        });
        if prompted {
            // With the cooldown over, a new key works at its first use: the request waits for it.
            let third = Issuer::new(ACME, "k3", Es256);
            keys.show(Page::keys(&Issuer::jwks_of(&[&second, &third])));
            keys.wait_until_rested(COOLDOWN);
            assert_eq!(judged(&gateway, &third.token().text()), served());
            assert_eq!(judged(&gateway, &old), refused());
            let fetches = keys.asked().len();
            assert!(
                (3..=5).contains(&fetches),
                "{fetches} fetches, one a second at most"
            );
        } else {
            assert_eq!(judged(&gateway, &old), served());
            keys.show(Page::keys(&second.jwks()));
            let took = until(&gateway, &old, &refused());
            assert!(took < SOON, "a removed key, after {took:?}");
            assert_eq!(judged(&gateway, &new), served());
            // The same id, another key: no rotation looks like that.
            let third = Issuer::new(ACME, "k2", Es256);
            keys.show(Page::keys(&third.jwks()));
            wait_until("the set to be put aside", || {
                (refreshes(&gateway, ACME, "quarantined") > 0.0).then_some(())
            });
            assert_eq!(judged(&gateway, &third.token().text()), refused());
            assert_eq!(judged(&gateway, &new), served());
        }
    }
}

#[test]
fn a_request_that_waits_for_its_key_is_decided_by_what_is_in_place_when_it_comes() {
    let [first, second] = ["k1", "k2"].map(|kid| Issuer::new(ACME, kid, Es256));
    let keys = KeyServer::start(Page::keys(&first.jwks()));
    let upstream = Upstream::start();
    let timing = format!("{PROMPTED}\njwks.wait = \"10s\"");
    let config = config(&upstream, &[(ACME, issuer(ACME, keys.address(), &timing))]);
    let gateway = Gateway::start(&config);
    assert_eq!(judged(&gateway, &first.token().text()), served());
    let both = respond(200, &[], &Issuer::jwks_of(&[&first, &second]));
    keys.show(Page::Late(both, Duration::from_secs(2)));
    keys.wait_until_rested(COOLDOWN);
    let fetches = keys.asked().len();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| judged(&gateway, &second.token().text()));
        wait_until("the key to be asked for", || {
            (keys.asked().len() > fetches).then_some(())
        });
        // The same terms under another name: the request is good before and after.
        gateway.write_config(&config.replace("\"gold\"", "\"golden\""));
        gateway.wait_for_log(|line| line["event"] == "configuration_applied");
        assert!(!waiting.is_finished(), "the reload came while it waited");
        assert_eq!(waiting.join().unwrap(), served());
    });
}

#[test]
fn a_request_that_waits_is_not_left_behind_when_its_issuer_is_asked_by_other_terms() {
    let [first, second] = ["k1", "k2"].map(|kid| Issuer::new(ACME, kid, Es256));
    let keys = KeyServer::start(Page::keys(&first.jwks()));
    let upstream = Upstream::start();
    let text = |wait: &str| {
        let timing = format!("{PROMPTED}\njwks.wait = \"{wait}\"");
        config(&upstream, &[(ACME, issuer(ACME, keys.address(), &timing))])
    };
    let gateway = Gateway::start(&text("10s"));
    keys.show(Page::Hang);
    keys.wait_until_rested(COOLDOWN);
    let fetches = keys.asked().len();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let began = Instant::now();
            (judged(&gateway, &second.token().text()), began.elapsed())
        });
        wait_until("the key to be asked for", || {
            (keys.asked().len() > fetches).then_some(())
        });
        // The fetch that it waits for hangs; the one of the new terms does not.
        keys.show(Page::keys(&Issuer::jwks_of(&[&first, &second])));
        gateway.write_config(&text("9s"));
        let (answer, took) = waiting.join().unwrap();
        assert_eq!(answer, served());
        assert!(took < Duration::from_secs(4), "{took:?}");
    });
}

#[test]
fn keys_that_cannot_be_refreshed_serve_until_they_are_stale_and_again_when_the_issuer_is_back() {
    let [acme, globex] = [ACME, GLOBEX].map(|name| Issuer::new(name, "k1", Es256));
    let mut acme_keys = KeyServer::start(Page::keys(&acme.jwks()));
    let globex_keys = KeyServer::start(Page::keys(&globex.jwks()));
    let upstream = Upstream::start();
    let short = format!("{BRISK}\njwks.stale_after = \"3s\"");
    let issuers = [
        (ACME, issuer(ACME, acme_keys.address(), &short)),
        (GLOBEX, issuer(GLOBEX, globex_keys.address(), &short)),
    ];
    let gateway = Gateway::start(&config(&upstream, &issuers));
    let (acme_token, globex_token) = (acme.token().text(), globex.token().text());
    assert_eq!(judged(&gateway, &acme_token), served());
    while_served(&gateway, &[&globex_token], || {
        acme_keys.go_down();
        let down = Instant::now();
        wait_until("a fetch to fail", || {
            (refreshes(&gateway, ACME, "connect") > 0.0).then_some(())
        });
        if down.elapsed() < Duration::from_secs(1) {
            assert_eq!(
                judged(&gateway, &acme_token),
                served(),
                "the last good keys serve"
            );
        }
        until(&gateway, &acme_token, &unavailable());
        let stale = down.elapsed();
        let ready = gateway.status_page("/ready").text();
        assert!(
            ready.contains(&format!("issuer {ACME}: no usable keys, stale since 20")),
            "{ready}"
        );
        let bounds = Duration::from_millis(1500)..Duration::from_secs(5);
        assert!(bounds.contains(&stale), "stale after {stale:?}");
        assert_eq!(
            judged(&gateway, &acme.token().client("other").text()),
            unavailable()
        );
        acme_keys.up();
        let back = until(&gateway, &acme_token, &served());
        println!("stale after {stale:?}, back after {back:?}");
        assert!(back < SOON, "{back:?}");
    });
}
