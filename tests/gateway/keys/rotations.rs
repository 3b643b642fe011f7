//! A hundred rotations while callers go on.
//!
//! Each set an issuer publishes holds the key of today and the key of tomorrow. Callers change over as soon as the new
//! set is there, so none of their tokens is ever one that the issuer has withdrawn: each must pass. The key that went is
//! refused from the very next request on, also for tokens that were verified, and remembered, a moment before.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use tollgate::token::Algorithm::Es256;

use super::{KeyServer, Page, config, issuer, judged};
use crate::harness::{Connection, Gateway, Issuer, Upstream, get, wait_until};

const ISSUERS: usize = 5;
const ROTATIONS: usize = 20;

/// An issuer that rotates, and its caller.
struct Rotating {
    /// One key more than rotations, then one for tomorrow.
    keys: Vec<Issuer>,
    server: KeyServer,
    /// What the caller shows at present.
    token: Mutex<String>,
    served: AtomicUsize,
}

#[test]
fn a_hundred_rotations_fail_no_caller_and_a_removed_key_is_refused_at_once() {
    let rotating: Vec<Rotating> = (0..ISSUERS)
        .map(|number| {
            let name = format!("https://issuer-{number}.example/");
            let keys: Vec<_> = (0..=ROTATIONS + 1)
                .map(|key| Issuer::new(&name, &format!("k{key}"), Es256))
                .collect();
            Rotating {
                server: KeyServer::start(Page::keys(&Issuer::jwks_of(&[&keys[0], &keys[1]]))),
                token: Mutex::new(keys[1].token().text()),
                served: AtomicUsize::new(0),
                keys,
            }
        })
        .collect();
    let upstream = Upstream::start();
    let timing = "jwks.refresh_interval = \"1s\"\njwks.cooldown = \"1s\"";
    let tables: Vec<_> = rotating
        .iter()
        .map(|own| {
            let name = own.keys[0].name.as_str();
            (name, issuer(name, own.server.address(), timing))
        })
        .collect();
    let gateway = Gateway::start(&config(&upstream, &tables));
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for own in &rotating {
            let (gateway, over) = (&gateway, &over);
            scope.spawn(move || own.call(gateway, over));
        }
        let rotations: Vec<_> = rotating
            .iter()
            .map(|own| {
                let gateway = &gateway;
                scope.spawn(move || own.rotate(gateway))
            })
            .collect();
        let ended: Vec<_> = rotations
            .into_iter()
            .map(thread::ScopedJoinHandle::join)
            .collect();
        over.store(true, Ordering::SeqCst);
        ended.into_iter().for_each(|ended| ended.unwrap());
    });
    let served: Vec<_> = rotating
        .iter()
        .map(|own| own.served.load(Ordering::SeqCst))
        .collect();
    println!(
        "{} rotations, requests served meanwhile: {served:?}",
        ISSUERS * ROTATIONS
    );
    assert!(served.iter().all(|served| *served > 10 * ROTATIONS), "{served:?}");
}

// === impl Rotating ===

impl Rotating {
    /// Is served, with whatever is the present token, until it is over.
    fn call(&self, gateway: &Gateway, over: &AtomicBool) {
        let mut connection = Connection::open(gateway.address());
        while !over.load(Ordering::SeqCst) {
            let token = self.token.lock().unwrap().clone();
            let answer = connection.ask(&get("/orders/1").bearer(&token));
            assert_eq!(answer.status, 200, "a valid token is refused: {}", answer.text());
            self.served.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn rotate(&self, gateway: &Gateway) {
        for rotation in 0..ROTATIONS {
            let [old, present, new, ..] = &self.keys[rotation..] else {
                panic!("too few keys");
            };
            let old = old.token().text();
            assert_eq!(judged(gateway, &old).0, 200, "verified, and remembered");
            // The caller has changed over before the old key goes.
            let served = self.served.load(Ordering::SeqCst);
            wait_until("the caller to show its new token", || {
                (self.served.load(Ordering::SeqCst) > served + 2).then_some(())
            });
            let replaced = self.replaced(gateway);
            self.server.show(Page::keys(&Issuer::jwks_of(&[present, new])));
            wait_until("the new set to be in place", || {
                (self.replaced(gateway) > replaced).then_some(())
            });
            assert_eq!(
                judged(gateway, &old),
                (401, "invalid_token".to_owned()),
                "of a key that went"
            );
            assert_eq!(judged(gateway, &new.token().text()).0, 200, "of a key that came");
            *self.token.lock().unwrap() = new.token().text();
        }
    }

    /// How often the gateway has said that the issuer's keys are others than before.
    fn replaced(&self, gateway: &Gateway) -> usize {
        let name = format!("\"issuer\":\"{}\"", self.keys[0].name);
        let lines = gateway.log_lines();
        let changes = lines
            .iter()
            .filter(|line| line.contains("\"keys_changed\"") && line.contains(&name));
        changes.count()
    }
}
