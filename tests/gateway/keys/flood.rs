//! Callers who name keys that do not exist, a hundred thousand times.
//!
//! Each such token could make the gateway ask the issuer, and must not: one fetch a cooldown is all that any number of
//! them brings about. Honest callers notice nothing, and a key that is really new is found by the next fetch.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tollgate::token::Algorithm::Es256;

use super::{KeyServer, Page, config, issuer, judged, while_served};
use crate::harness::{Connection, Gateway, Issuer, Upstream, get, wait_until};

const ACME: &str = "https://acme.example/";
const CALLERS: usize = 4;
const TOKENS: usize = 100_000;
const COOLDOWN: Duration = Duration::from_secs(2);

#[test]
fn a_hundred_thousand_unknown_key_ids_prompt_one_fetch_a_cooldown_and_hide_no_new_key() {
    let [acme, next] = ["k1", "k2"].map(|kid| Issuer::new(ACME, kid, Es256));
    let keys = KeyServer::start(Page::keys(&acme.jwks()));
    let upstream = Upstream::start();
    let timing = "jwks.refresh_interval = \"24h\"\njwks.cooldown = \"2s\"";
    // A hundred thousand lines that nobody reads are no part of this.
    let config = config(&upstream, &[(ACME, issuer(ACME, keys.address(), timing))]);
    let gateway = Gateway::start(&format!("{config}\n[access_log]\npath = \"/dev/null\"\n"));
    let token = acme.token().text();
    let sent = AtomicUsize::new(0);
    let began = Instant::now();
    let mut found = None;
    let honest = while_served(&gateway, &[&token], || {
        thread::scope(|scope| {
            for caller in 0..CALLERS {
                let (gateway, acme, sent) = (&gateway, &acme, &sent);
                scope.spawn(move || flood(gateway, acme, caller, sent));
            }
            wait_until("the flood to be in full flow", || {
                (sent.load(Ordering::Relaxed) > TOKENS / 50).then_some(())
            });
            let published = Instant::now();
            keys.show(Page::keys(&Issuer::jwks_of(&[&acme, &next])));
            let new = next.token().text();
            wait_until("the new key to be found", || {
                (judged(&gateway, &new).0 == 200).then_some(())
            });
            assert!(sent.load(Ordering::Relaxed) < TOKENS, "the flood was over before");
            found = Some((published, Instant::now()));
        });
    });
    let took = began.elapsed();
    let asked = keys.asked();
    let (published, served) = found.unwrap();
    println!(
        "{TOKENS} tokens with unknown keys in {took:?}, {} fetches, {honest} honest requests; the new key after {:?}",
        asked.len(),
        served - published
    );
    let least = asked
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .min()
        .expect("a prompt");
    // The second fetch begins two seconds after the first began; on the way to the server some of that may be lost.
    assert!(
        least > COOLDOWN - Duration::from_millis(100),
        "two fetches within {least:?}"
    );
    let allowed = 2 + usize::try_from(took.as_secs() / COOLDOWN.as_secs()).unwrap();
    assert!(
        asked.len() <= allowed,
        "{} fetches in {took:?}, {allowed} allowed",
        asked.len()
    );
    let fetches = asked
        .iter()
        .filter(|when| (published..served).contains(*when))
        .count();
    assert!(fetches <= 1, "the new key needed {fetches} fetches");
    assert!(
        gateway.metric("tollgate_token_cache_entries", &[]) <= 2.0,
        "bad tokens are not kept"
    );
    assert_eq!(judged(&gateway, &token).0, 200);
}

/// A part of the flood. Whether the key exists is decided before the signature, so any will do.
fn flood(gateway: &Gateway, acme: &Issuer, caller: usize, sent: &AtomicUsize) {
    let mut connection = Connection::open(gateway.address());
    let claims = URL_SAFE_NO_PAD.encode(acme.token().claims_text());
    let signature = URL_SAFE_NO_PAD.encode([7; 64]);
    for number in 0..TOKENS / CALLERS {
        let kid = format!("nobody-{caller}-{}", number * 7919 % 104_729);
        let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"ES256","kid":"{kid}"}}"#));
        let token = format!("{header}.{claims}.{signature}");
        let answer = connection.ask(&get("/orders/1").bearer(&token));
        assert_eq!((answer.status, &*answer.code()), (401, "invalid_token"));
        sent.fetch_add(1, Ordering::Relaxed);
    }
}
