//! What comes in through the door and what is put aside, beside every set that may be held.
//!
//! A row is a set that is offered to a ring that holds the keys `a` and `b`, and what becomes of it.

use std::sync::LazyLock;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::issuer::APPROVAL_LIFETIME;
use crate::mint::SigningKey;
use crate::token::{Algorithm, parse_jwks};

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

static KEYS: LazyLock<[SigningKey; 4]> =
    LazyLock::new(|| std::array::from_fn(|_| SigningKey::generate(Algorithm::Es256).unwrap()));

/// The key of this number, under this id.
fn key(number: usize, kid: &str) -> Value {
    KEYS[number].public_jwk(kid)
}

fn oct(kid: &str) -> Value {
    json!({ "kty": "oct", "kid": kid, "k": "c2VjcmV0" })
}

fn rsa(bits: usize) -> Value {
    let modulus = base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, vec![0xff; bits / 8]);
    json!({ "kty": "RSA", "kid": "short", "n": modulus, "e": "AQAB" })
}

fn private(kid: &str) -> Value {
    let mut jwk = key(0, kid);
    jwk["d"] = json!("c2VjcmV0");
    jwk
}

fn set(keys: &[Value]) -> Jwks {
    parse_jwks(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

fn holding(keys: &[Value]) -> Ring {
    let ring = Ring::default();
    ring.offer(set(keys), &Terms::default(), NOW).unwrap();
    ring
}

#[test]
fn an_id_that_was_withdrawn_never_comes_back_with_another_key() {
    let ring = holding(&[key(0, "a"), key(1, "b")]);
    let terms = Terms::default();
    for (offered, expected) in [
        (vec![key(1, "b")], "taken"),
        (vec![key(1, "b"), key(2, "a")], "kid_reused"),
        (vec![key(1, "b"), key(2, "c")], "taken"),
        (vec![key(2, "c"), key(3, "a")], "kid_reused"),
        (vec![key(2, "c"), key(0, "a")], "taken"),
        (vec![key(2, "c"), key(0, "a"), key(3, "b")], "kid_reused"),
    ] {
        assert_eq!(outcome(&ring, &offered, &terms), expected, "{offered:?}");
    }
}

/// "taken", or why it was put aside; then the present keys are those from before.
#[track_caller]
fn outcome(ring: &Ring, offered: &[Value], terms: &Terms) -> &'static str {
    let before = ring.held().unwrap().keys.fingerprint();
    let wanted = set(offered).keys.fingerprint();
    let outcome = ring.offer(set(offered), terms, NOW);
    let now = ring.held().unwrap().keys.fingerprint();
    match outcome {
        Ok(taken) => {
            assert_eq!(now, wanted);
            assert_eq!(taken.keys_changed, before != wanted);
            "taken"
        }
        Err(quarantined) => {
            assert_eq!((now, quarantined.held), (before, before));
            assert_eq!(quarantined.fingerprint, wanted);
            assert!(!quarantined.suspicion.to_string().is_empty());
            quarantined.suspicion.word()
        }
    }
}

#[test]
fn what_a_careful_issuer_does_is_taken_and_nothing_else() {
    let without = |member: &str, mut jwk: Value| {
        jwk.as_object_mut().unwrap().remove(member);
        jwk
    };
    let (a, b) = (key(0, "a"), key(1, "b"));
    let unknown = json!({ "kty": "AKP", "kid": "x" });
    let encryption = json!({ "kty": "RSA", "kid": "x", "use": "enc", "n": "AQAB", "e": "AQAB" });
    for (name, offered, expected) in [
        ("the same", vec![a.clone(), b.clone()], "taken"),
        ("another order", vec![b.clone(), a.clone()], "taken"),
        ("one more", vec![a.clone(), b.clone(), key(2, "c")], "taken"),
        ("one less", vec![b.clone()], "taken"),
        ("one for another", vec![b.clone(), key(2, "c")], "taken"),
        (
            "no longer for one algorithm",
            vec![without("alg", a.clone()), without("alg", b.clone())],
            "taken",
        ),
        ("an unknown type beside", vec![a.clone(), unknown], "taken"),
        ("an encryption key beside", vec![a.clone(), encryption], "taken"),
        (
            "a long key that is too long",
            vec![a.clone(), rsa(16_384)],
            "taken",
        ),
        ("new ids for old keys", vec![key(0, "c"), key(1, "d")], "taken"),
        (
            "another key under a known id",
            vec![a.clone(), key(2, "b")],
            "kid_reused",
        ),
        ("ids swapped", vec![key(1, "a"), key(0, "b")], "kid_reused"),
        (
            "another key under every id",
            vec![key(2, "a"), key(3, "b")],
            "kid_reused",
        ),
        ("other keys", vec![key(2, "c"), key(3, "d")], "full_replacement"),
        (
            "other keys without ids",
            vec![without("kid", key(2, "c"))],
            "full_replacement",
        ),
        ("a shared secret beside", vec![a.clone(), oct("x")], "bad_key"),
        ("a short key beside", vec![a.clone(), rsa(1024)], "bad_key"),
        ("a private key beside", vec![b.clone(), private("x")], "bad_key"),
    ] {
        let ring = holding(&[a.clone(), b.clone()]);
        assert_eq!(outcome(&ring, &offered, &Terms::default()), expected, "{name}");
        let full = Terms {
            allow_full_replacement: true,
            approval: None,
        };
        let ring = holding(&[a.clone(), b.clone()]);
        let allowed = if expected == "full_replacement" {
            "taken"
        } else {
            expected
        };
        assert_eq!(
            outcome(&ring, &offered, &full),
            allowed,
            "{name}, full replacement allowed"
        );
    }
}

#[test]
fn the_first_set_is_taken_as_it_comes_and_its_bad_keys_are_no_news() {
    let held = [key(0, "a"), oct("x"), rsa(1024)];
    let ring = holding(&held);
    assert_eq!(ring.held().unwrap().skipped.len(), 2);
    assert_eq!(outcome(&ring, &held, &Terms::default()), "taken");
    // Elsewhere in the document, and beside a new key.
    assert_eq!(
        outcome(
            &ring,
            &[rsa(1024), key(1, "b"), key(0, "a"), oct("x")],
            &Terms::default()
        ),
        "taken"
    );
    assert_eq!(
        outcome(&ring, &[key(0, "a"), oct("y")], &Terms::default()),
        "bad_key"
    );
    // What has once gone is news when it comes back.
    assert_eq!(outcome(&ring, &[key(0, "a")], &Terms::default()), "taken");
    assert_eq!(
        outcome(&ring, &[key(0, "a"), oct("x")], &Terms::default()),
        "bad_key"
    );
}

#[test]
fn nothing_is_suspicious_only_beside_something() {
    assert_eq!(Ring::default().offer_nothing(), None);
    let ring = holding(&[key(0, "a")]);
    let quarantined = ring.offer_nothing().unwrap();
    assert_eq!(quarantined.suspicion, Suspicion::NoUsableKey);
    assert_eq!(quarantined.held, ring.held().unwrap().keys.fingerprint());
}

#[test]
fn an_approval_is_for_one_set_one_change_and_one_day() {
    let (a, b) = ([key(0, "k")], [key(1, "k")]);
    let terms = |set: &Jwks, at| Terms {
        allow_full_replacement: false,
        approval: Some(Approval {
            fingerprint: set.keys.fingerprint(),
            at,
        }),
    };
    let ring = holding(&a);
    assert_eq!(
        outcome(&ring, &b, &terms(&set(&[key(2, "k")]), NOW)),
        "kid_reused",
        "another set"
    );
    let late = NOW.minus(APPROVAL_LIFETIME);
    assert_eq!(
        outcome(&ring, &b, &terms(&set(&b), late)),
        "kid_reused",
        "too late"
    );
    let approved = terms(&set(&b), NOW);
    let taken = ring.offer(set(&b), &approved, NOW).unwrap();
    assert!(taken.by_approval && taken.keys_changed);
    assert_eq!(
        outcome(&ring, &b, &approved),
        "taken",
        "it is the present one now"
    );
    // Back by another approval.
    assert_eq!(outcome(&ring, &a, &approved), "kid_reused");
    let back = terms(&set(&a), NOW.plus(Duration::from_secs(1)));
    assert_eq!(outcome(&ring, &a, &back), "taken");
    assert_eq!(outcome(&ring, &b, &back), "kid_reused");
    assert_eq!(outcome(&ring, &a, &back), "taken");

    let other = [key(1, "n")];
    let approved = terms(&set(&other), NOW);
    let ring = holding(&a);
    for (offered, expected) in [
        (other.to_vec(), "taken"),
        (vec![key(1, "n"), key(2, "c")], "taken"),
        (vec![key(2, "c")], "taken"),
        // An approval is used once.
        (other.to_vec(), "full_replacement"),
    ] {
        assert_eq!(outcome(&ring, &offered, &approved), expected);
    }
}

#[test]
fn keys_that_are_stale_are_still_compared_with() {
    let ring = holding(&[key(0, "a")]);
    assert!(ring.keys(|_| false).is_none());
    let later = NOW.plus(Duration::from_secs(365 * 24 * 60 * 60));
    let quarantined = ring
        .offer(set(&[key(1, "b")]), &Terms::default(), later)
        .unwrap_err();
    assert_eq!(quarantined.suspicion, Suspicion::FullReplacement);
}
