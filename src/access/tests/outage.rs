//! A day without an issuer, minute by minute, and the milliseconds in which it becomes too much.
//! Time is an argument of every decision, so nobody has to wait for it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use serde_json::json;

use super::super::{DataPlane, RequestView, Verdict, evaluate};
use super::{ACME, Memory, NOW, SECONDS};
use crate::api::Stages;
use crate::config::parse;
use crate::issuer::{KeyRing, Terms};
use crate::limit::Forgeries;
use crate::revocation::Revocations;
use crate::snapshot::{Inputs, Snapshot, compile};
use crate::subscription::Index;
use crate::time::UnixTime;
use crate::token::{Cache, parse_jwks};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A gateway with one issuer, whose keys may be as old as the default says.
struct Gateway {
    snapshot: Snapshot,
    index: Index,
    verdicts: Cache<Arc<Verdict>>,
}

// === impl Gateway ===

impl Gateway {
    fn new() -> Self {
        let text = "[[listener]]\naddress = \"127.0.0.1:0\"\n\
                    [[issuer]]\nname = \"acme\"\nalgorithms = [\"ES256\"]\naudiences = [\"orders\"]\n\
                    jwks.url = \"https://acme.example/jwks\"\n\
                    [[upstream]]\nname = \"u\"\npeers = [\"127.0.0.1:9000\"]\n\
                    [[api]]\nname = \"orders\"\ncontext_path = \"/orders\"\nupstream = \"u\"\n\
                    [[api.plan]]\nname = \"gold\"\nsecurity = \"jwt\"\nissuers = [\"acme\"]\n\
                    subscription_validation = false\n";
        let files = Memory(BTreeMap::from([(PathBuf::from("t.toml"), text.into())]));
        let inputs = Inputs {
            files: &files,
            key_ring: &KeyRing::default(),
            stages: &Stages::default(),
            counters: &crate::limit::LocalCounters::default(),
            now: NOW,
            generation: 1,
        };
        let snapshot = parse(Path::new("t.toml"), &files).and_then(|config| compile(config, inputs));
        Self {
            snapshot: snapshot.map_err(|mistakes| mistakes.to_string()).unwrap(),
            index: Index::default(),
            verdicts: Cache::new(8),
        }
    }

    /// The issuer answers at this moment.
    fn refresh(&self, now: UnixTime) {
        let jwks = json!({ "keys": [ACME.public_jwk("k1")] }).to_string();
        let jwks = parse_jwks(jwks.as_bytes()).unwrap();
        let ring = &self.snapshot.issuers.first().unwrap().ring;
        ring.offer(jwks, &Terms::default(), now).unwrap();
    }

    fn status(&self, token: &str, now: UnixTime) -> u16 {
        let plane = DataPlane {
            snapshot: &self.snapshot,
            index: &self.index,
            verdicts: &self.verdicts,
            forgeries: &Forgeries::default(),
            counting: crate::access::Counting::Takes(&crate::limit::LocalCounters::default()),
            revocations: &Revocations::default(),
        };
        let mut headers = HeaderMap::new();
        let field = format!("Bearer {token}").parse().unwrap();
        headers.insert(http::header::AUTHORIZATION, field);
        let view = RequestView {
            method: "GET",
            host: "",
            path: "/orders",
            query: None,
            headers: &headers,
            client: None,
            body_bytes: None,
        };
        match evaluate(&plane, &view, now, &mut ()) {
            Ok(_) => 200,
            Err(denial) => denial.answer().code.status(),
        }
    }
}

/// A token that outlives the outage; each number is another one.
fn token(number: u32) -> String {
    let claims = json!({
        "iss": "acme", "sub": "alice", "azp": "app", "aud": "orders", "jti": number.to_string(),
        "iat": SECONDS, "exp": SECONDS + 10 * 24 * 60 * 60,
    });
    ACME.mint(Some("k1"), &claims).unwrap()
}

#[test]
fn no_valid_token_is_refused_in_a_day_without_the_issuer_and_none_is_served_after_it() {
    let gateway = Gateway::new();
    let remembered = token(0);
    assert_eq!(gateway.status(&remembered, NOW), 503, "no keys have come yet");
    gateway.refresh(NOW);
    let minutes = u32::try_from(DAY.as_secs() / 60).unwrap();
    for minute in 0..minutes {
        let now = NOW.plus(Duration::from_secs(u64::from(minute) * 60));
        assert_eq!(gateway.status(&remembered, now), 200, "minute {minute}");
        // One a quarter of an hour is seen for the first time.
        if minute % 15 == 0 {
            assert_eq!(gateway.status(&token(minute + 1), now), 200, "minute {minute}");
        }
    }
    let millisecond = Duration::from_millis(1);
    let over = NOW.plus(DAY);
    for (now, expected) in [
        (over.minus(millisecond), 200),
        (over, 503),
        (over.plus(millisecond), 503),
        (over.plus(DAY), 503),
        // A clock that steps back brings them back: they are as old as the clock says.
        (over.minus(millisecond), 200),
    ] {
        assert_eq!(gateway.status(&remembered, now), expected, "{now:?}");
        assert_eq!(gateway.status(&token(9999), now), expected, "{now:?}");
    }
    let back = over.plus(DAY);
    gateway.refresh(back);
    assert_eq!(gateway.status(&remembered, back), 200, "the issuer is back");
    assert_eq!(gateway.status(&remembered, back.plus(DAY)), 503, "and away again");
}
