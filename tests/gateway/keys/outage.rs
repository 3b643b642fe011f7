//! An issuer that is away for a long time, in real time: ten minutes, with a fetch every second.
//!
//! It takes as long as it says, so it runs when it is asked for (`make endurance`). That the same holds over a day, to
//! the millisecond, is shown without waiting by a test of the decision, to which time is an argument.

use std::time::{Duration, Instant};

use tollgate::token::Algorithm::Es256;

use super::{KeyServer, Page, config, issuer, judged, refreshes};
use crate::harness::{Connection, Gateway, Issuer, Upstream, get, now, wait_until};

const ACME: &str = "https://acme.example/";
const STALE_AFTER: Duration = Duration::from_secs(8 * 60);
const IN_ALL: Duration = Duration::from_secs(10 * 60);
/// Between two rounds of requests: what is looked for is a request that fails, not how many pass.
const ROUND: Duration = Duration::from_millis(20);

#[test]
#[ignore = "takes ten minutes; `make endurance`"]
fn ten_minutes_without_the_issuer() {
    let acme = Issuer::new(ACME, "k1", Es256);
    let mut keys = KeyServer::start(Page::keys(&acme.jwks()));
    let upstream = Upstream::start();
    let timing = "jwks.refresh_interval = \"1s\"\njwks.cooldown = \"1s\"\njwks.stale_after = \"8m\"";
    let config = config(&upstream, &[(ACME, issuer(ACME, keys.address(), timing))]);
    let gateway = Gateway::start(&format!("{config}\n[access_log]\npath = \"/dev/null\"\n"));
    let mut connection = Connection::open(gateway.address());
    let remembered = acme.token().claim("exp", now() + 3600).text();
    let mut ask = |token: &str| connection.ask(&get("/orders/1").bearer(token)).status;
    assert_eq!(ask(&remembered), 200);
    keys.go_down();
    // The last good fetch was at most so long ago.
    let (down, slack) = (Instant::now(), Duration::from_secs(3));
    let (mut served, mut unavailable) = (0_u32, 0_u32);
    while down.elapsed() < IN_ALL {
        let round = down.elapsed() + ROUND;
        wait_until("the next round", || (down.elapsed() >= round).then_some(()));
        // One that is remembered, and one that is seen for the first time.
        let fresh = acme.token().claim("jti", served + unavailable).text();
        for token in [&remembered, &fresh] {
            let before = down.elapsed();
            match ask(token) {
                200 => {
                    assert!(before <= STALE_AFTER, "served after {before:?}");
                    served += 1;
                }
                503 => {
                    assert!(down.elapsed() >= STALE_AFTER - slack, "refused after {before:?}");
                    unavailable += 1;
                }
                other => panic!("{other} after {before:?}"),
            }
        }
    }
    let failed = refreshes(&gateway, ACME, "connect");
    println!(
        "{served} requests served before keys were stale, {unavailable} got 503 after, {failed} fetches failed"
    );
    assert!(served > 1000 && unavailable > 100 && failed > 300.0);
    keys.up();
    let began = Instant::now();
    wait_until("the issuer's callers to be served again", || {
        (judged(&gateway, &remembered).0 == 200).then_some(())
    });
    println!("served again {:?} after the issuer's return", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(3));
}
