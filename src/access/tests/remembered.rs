//! The cache of verified tokens never changes a decision.
//!
//! Two gateways live through the same life: keys come and go, mappings and rules change, the clock goes on and steps
//! back, tokens push each other out of a cache that is much too small. One remembers tokens, the other never does. At
//! every request they must say the same.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use http::HeaderMap;
use proptest::prelude::*;
use serde_json::json;

use super::super::{DataPlane, RequestView, Verdict, evaluate};
use super::{Memory, NOW, SECONDS};
use crate::api::Stages;
use crate::config::parse;
use crate::issuer::{Approval, KeyRing, KeySource, Terms};
use crate::limit::Forgeries;
use crate::mint::SigningKey;
use crate::revocation::{ALWAYS, Named, Revocation, Revocations};
use crate::snapshot::{Inputs, Snapshot, compile};
use crate::subscription::Index;
use crate::time::UnixTime;
use crate::token::{Algorithm, Cache, parse_jwks};

static KEYS: LazyLock<Vec<SigningKey>> = LazyLock::new(|| {
    (0..3)
        .map(|_| SigningKey::generate(Algorithm::Es256).unwrap())
        .collect()
});

/// Tokens of every kind: by each key, with and without `kid`, short and long, early and late, for this and that
/// audience.
static TOKENS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut tokens = Vec::new();
    for (number, key) in KEYS.iter().enumerate() {
        for kid in [Some(format!("k{number}")), Some("k0".to_owned()), None] {
            for (iat, exp, aud) in [
                (0, 60, "orders"),
                (0, 600, "orders"),
                (120, 600, "orders"),
                (0, 600, "stock"),
                (0, 600, "own"),
            ] {
                let claims = json!({
                    "iss": "acme", "sub": "alice", "azp": "app", "aud": aud, "role": "cook", "job": "waiter",
                    "iat": SECONDS + iat, "exp": SECONDS + exp,
                });
                tokens.push(key.mint(kid.as_deref(), &claims).unwrap());
            }
        }
    }
    tokens
});

#[derive(Debug, Clone)]
enum Step {
    /// A request with this token to this API.
    Ask { token: usize, path: &'static str },
    /// The issuer now publishes these keys.
    Publish { keys: Vec<usize>, same_kid: bool },
    /// The operator changes what a claim is called, what becomes of it, whom tokens are for, and the leeway.
    Configure {
        role: &'static str,
        step: &'static str,
        audience_from: &'static str,
        leeway: u32,
    },
    /// The application's tokens are for somebody else.
    Rename { audience: &'static str },
    /// Somebody takes tokens back, or thinks better of it; in the issuer's name, or the operator's.
    Revoke {
        named: usize,
        issued_before: i64,
        is_taken_back: bool,
    },
    /// The clock goes on or back.
    Clock { seconds: i64 },
}

/// What both gateways share, and the memory of one.
struct Life {
    snapshot: Snapshot,
    key_ring: KeyRing,
    index: Index,
    verdicts: Cache<Arc<Verdict>>,
    revocations: Revocations,
    now: UnixTime,
}

// === impl Life ===

impl Life {
    fn new() -> Self {
        let key_ring = KeyRing::default();
        let snapshot = configured(&key_ring, "role", "", "", 30);
        let index = Index::default();
        index.admit(&snapshot.declared);
        // One bucket: tokens push each other out all the time.
        Self {
            snapshot,
            key_ring,
            index,
            verdicts: Cache::new(8),
            revocations: Revocations::default(),
            now: NOW,
        }
    }

    fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::Ask { token, path } => {
                let token = TOKENS.get(token % TOKENS.len()).unwrap();
                let remembering = self.decide(token, path, &self.verdicts);
                let forgetful = self.decide(token, path, &Cache::new(0));
                prop_assert_eq!(remembering, forgetful);
            }
            Step::Publish { keys, same_kid } => self.publish(keys, *same_kid),
            Step::Configure {
                role,
                step,
                audience_from,
                leeway,
            } => self.snapshot = configured(&self.key_ring, role, step, audience_from, *leeway),
            Step::Rename { audience } => {
                let mut declared = self.snapshot.declared.clone();
                for application in &mut declared.applications {
                    application.standing.audience = Some((*audience).into());
                }
                self.index.admit(&declared);
            }
            Step::Revoke {
                named,
                issued_before,
                is_taken_back,
            } => {
                let (named, name) = [
                    (Named::Subject, "alice"),
                    (Named::Client, "app"),
                    (Named::Key, "k0"),
                    (Named::Key, "k1"),
                    (Named::Issuer, ""),
                ][named % 5];
                let digest = self.revocations.key().digest(named, "acme", name);
                let revocation = Revocation {
                    issued_before: UnixTime::from_seconds(SECONDS + issued_before),
                    expires_at: ALWAYS,
                };
                match is_taken_back {
                    true => self.revocations.change().put(named, digest, revocation),
                    false => self.revocations.change().remove(&digest),
                }
            }
            Step::Clock { seconds } => self.now = UnixTime::from_seconds(self.now.seconds() + seconds),
        }
        Ok(())
    }

    fn publish(&self, keys: &[usize], same_kid: bool) {
        let jwks: Vec<_> = keys
            .iter()
            .map(|key| {
                let kid = if same_kid {
                    "k0".to_owned()
                } else {
                    format!("k{}", key % KEYS.len())
                };
                KEYS.get(key % KEYS.len()).unwrap().public_jwk(&kid)
            })
            .collect();
        if let Ok(jwks) = parse_jwks(json!({ "keys": jwks }).to_string().as_bytes()) {
            for issuer in &self.snapshot.issuers {
                assert!(matches!(issuer.source, KeySource::Jwks(_)));
            }
            let issuer = self.snapshot.issuers.first().unwrap();
            // As if an operator had looked at each of them.
            let terms = Terms {
                allow_full_replacement: true,
                approval: Some(Approval {
                    fingerprint: jwks.keys.fingerprint(),
                    at: self.now,
                }),
            };
            let _ = issuer.ring.offer(jwks, &terms, self.now);
        }
    }

    /// The decision in words: who passes as whom with which headers, or why not.
    fn decide(&self, token: &str, path: &str, verdicts: &Cache<Arc<Verdict>>) -> String {
        let plane = DataPlane {
            snapshot: &self.snapshot,
            index: &self.index,
            verdicts,
            forgeries: &Forgeries::default(),
            counting: crate::access::Counting::Takes(&crate::limit::LocalCounters::default()),
            revocations: &self.revocations,
        };
        let mut headers = HeaderMap::new();
        headers.insert(
            http::header::AUTHORIZATION,
            format!("Bearer {token}").parse().unwrap(),
        );
        let view = RequestView {
            method: "GET",
            host: "",
            path,
            query: None,
            headers: &headers,
            client: None,
            body_bytes: None,
        };
        match evaluate(&plane, &view, self.now, &mut ()) {
            Ok(permit) => format!(
                "{} {:?} {:?}",
                permit.under(&self.snapshot).unwrap().plan.id,
                permit.headers(),
                permit.caller().unwrap().proof
            ),
            Err(denial) => format!("{} {}", denial.answer().code.word(), denial.reason()),
        }
    }
}

fn configured(key_ring: &KeyRing, role: &str, step: &str, audience_from: &str, leeway: u32) -> Snapshot {
    let api = |name: &str| {
        format!(
            "[[api]]\nname = \"{name}\"\ncontext_path = \"/{name}\"\nupstream = \"u\"\n\
             claim_headers = {{ X-Role = \"role\" }}\n\
             [[api.plan]]\nname = \"gold\"\nsecurity = \"jwt\"\nissuers = [\"acme\"]\naudiences = [\"{name}\"]\n{audience_from}\n\
             [[api.plan]]\nname = \"waiters\"\nsecurity = \"jwt\"\nissuers = [\"acme\"]\n\
             audiences = [\"{name}\", \"own\"]\n\
             selection_rule = 'claims.role == \"waiter\"'\nsubscription_validation = false\n\
             [[api.route]]\npath = \"/\"\n\
             [[api.route]]\npath = \"/cooks\"\nclaims = {{ role = [\"cook\", \"a:cook\"] }}\n\
             [[api.route]]\npath = \"/own\"\naudiences = [\"own\"]\n\
             [[subscription]]\napplication = \"app\"\napi = \"{name}\"\nplan = \"gold\"\n"
        )
    };
    let text = format!(
        "[[listener]]\naddress = \"127.0.0.1:0\"\n\
         [[issuer]]\nname = \"acme\"\nalgorithms = [\"ES256\"]\nleeway = \"{leeway}s\"\n\
         jwks = {{ url = \"https://acme.example/jwks\", stale_after = \"10m\" }}\n\
         [[issuer.claim_mapping]]\nremote_claim = \"{role}\"\nlocal_claim = \"role\"\n{step}\n\
         [[upstream]]\nname = \"u\"\npeers = [\"127.0.0.1:9000\"]\n\
         [[application]]\nid = \"app\"\nclient_ids = [\"app\"]\n{}{}",
        api("orders"),
        api("stock"),
    );
    let files = Memory(BTreeMap::from([(PathBuf::from("t.toml"), text.into_bytes())]));
    let config = parse(Path::new("t.toml"), &files)
        .map_err(|mistakes| mistakes.to_string())
        .unwrap();
    let inputs = Inputs {
        files: &files,
        key_ring,
        stages: &Stages::default(),
        counters: &crate::limit::LocalCounters::default(),
        now: NOW,
        generation: 1,
    };
    compile(config, inputs)
        .map_err(|mistakes| mistakes.to_string())
        .unwrap()
}

fn path() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        2 => Just("/orders"),
        2 => Just("/stock"),
        1 => Just("/orders/cooks"),
        1 => Just("/orders/own"),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        // A few tokens come again and again, the others push them out.
        12 => (prop_oneof![4 => 0..4_usize, 1 => any::<usize>()], path())
            .prop_map(|(token, path)| Step::Ask { token, path }),
        1 => (proptest::collection::vec(0..3_usize, 1..4), prop::bool::weighted(0.3))
            .prop_map(|(keys, same_kid)| Step::Publish { keys, same_kid }),
        1 => (
            prop_oneof![Just("role"), Just("job"), Just("none")],
            prop_oneof![
                Just(""),
                Just("prefix = \"a:\""),
                Just("regex = \"^c(.*)\"\ndefault = \"none\""),
                Just("join = \",\""), // which no text can be
            ],
            prop_oneof![Just(""), Just("audience_from = [\"application\"]")],
            prop_oneof![Just(0_u32), Just(30), Just(300)],
        )
            .prop_map(|(role, step, audience_from, leeway)| Step::Configure { role, step, audience_from, leeway }),
        1 => prop_oneof![Just("own"), Just("app"), Just("orders")]
            .prop_map(|audience| Step::Rename { audience }),
        1 => (0..5_usize, prop_oneof![Just(0), Just(1), Just(121)], any::<bool>())
            .prop_map(|(named, issued_before, is_taken_back)| Step::Revoke { named, issued_before, is_taken_back }),
        1 => (-200..400_i64).prop_map(|seconds| Step::Clock { seconds }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn a_remembered_token_is_judged_as_a_new_one(steps in proptest::collection::vec(step(), 1..80)) {
        let mut life = Life::new();
        life.publish(&[0, 1], false);
        for step in &steps {
            life.step(step)?;
        }
    }
}

#[test]
fn a_token_is_verified_once_and_then_remembered() {
    let life = Life::new();
    life.publish(&[0], false);
    let token = TOKENS.get(1).unwrap();
    for _ in 0..3 {
        assert!(
            life.decide(token, "/orders", &life.verdicts)
                .starts_with("orders/gold")
        );
    }
    assert_eq!((life.verdicts.len(), life.verdicts.evictions()), (1, 0));
    // Nobody fills the cache with tokens that are refused.
    for token in TOKENS.iter().skip(15) {
        life.decide(token, "/orders", &life.verdicts);
        life.decide(&format!("{token}x"), "/orders", &life.verdicts);
    }
    assert_eq!(life.verdicts.len(), 1);
}
