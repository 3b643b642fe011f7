//! Key sets from outside: a key that gets in is one that a careful reader of the same JSON would take, and it verifies
//! nothing that its owner did not sign.
//!
//! The input is the document.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use tollgate::time::UnixTime;
use tollgate::token::{
    Algorithm, JWKS_BYTES_MAX, JWKS_KEYS_MAX, Jwks, JwksError, KID_BYTES_MAX, KeyHint, parse_jwks,
};

use super::jws::{judge, rules};
use super::keys;
use super::shape::Shape;

const NOW: i64 = 1_800_000_000;

/// A good token by every key of ours, with and without `kid`.
static TOKENS: LazyLock<Vec<(String, &'static Value)>> = LazyLock::new(|| {
    let mut tokens = Vec::new();
    for key in keys::ALL.iter().filter(|key| !key.is_shared()) {
        let (header, claims) = Shape::good(key.algorithm.name()).text(NOW);
        let unnamed = header.replace("\"kid\"", "\"_\"");
        for header in [header, unnamed] {
            tokens.push((key.sign(header.as_bytes(), claims.as_bytes()), &key.jwk));
        }
    }
    tokens
});

/// One input.
pub fn run(bytes: &[u8]) {
    match parse_jwks(bytes) {
        Ok(jwks) => parsed(bytes, &jwks),
        Err(error) => {
            let text = error.to_string();
            assert!(!text.is_empty() && text.len() < 4096, "{text}");
            match error {
                JwksError::TooLarge => assert!(bytes.len() > JWKS_BYTES_MAX),
                JwksError::NoUsableKey(skipped) => assert!(skipped.len() <= JWKS_KEYS_MAX),
                JwksError::TooManyKeys | JwksError::Json(_) => {}
            }
        }
    }
}

fn parsed(bytes: &[u8], jwks: &Jwks) {
    // The last of two members counts for this reader: whatever it sees must be good, too.
    let document: Value = serde_json::from_slice(bytes).expect("the gateway took it for JSON");
    let written = document["keys"].as_array().expect("a list of keys");
    let kept: Vec<&Value> = written
        .iter()
        .enumerate()
        .filter(|(index, _)| jwks.skipped.iter().all(|skipped| skipped.index != *index))
        .map(|(_, jwk)| jwk)
        .collect();
    assert_eq!(kept.len(), jwks.keys.keys().len());
    assert!(!kept.is_empty() && written.len() <= JWKS_KEYS_MAX);
    for (key, jwk) in jwks.keys.keys().iter().zip(&kept) {
        assert_eq!(key.kid(), jwk["kid"].as_str());
        if let Err(fault) = careful(jwk) {
            panic!("{fault}: {jwk}");
        }
        let hint = key.kid().map_or(KeyHint::None, KeyHint::Kid);
        for algorithm in Algorithm::ALL {
            let chosen = jwks.keys.choose(hint, algorithm);
            let named = jwk["alg"].as_str().and_then(Algorithm::parse);
            assert!(
                chosen.is_err() || named.is_none() || kept.len() > 1 || named == Some(algorithm),
                "{jwk}"
            );
        }
    }
    let rules = rules(Algorithm::ALL.into_iter().collect());
    for (token, signer) in TOKENS.iter() {
        if judge(token, &rules, &jwks.keys, UnixTime::from_seconds(NOW)).is_ok() {
            let here = kept.iter().any(|jwk| same_material(jwk, signer));
            assert!(here, "{token} verifies without its key");
        }
    }
}

/// What a key that is used must be, member by member (RFC 7517 section 4, RFC 7518 section 6, RFC 8037 section 2).
fn careful(jwk: &Value) -> Result<(), &'static str> {
    let must = |holds: bool, what: &'static str| if holds { Ok(()) } else { Err(what) };
    let bytes = |name: &str| {
        jwk[name]
            .as_str()
            .and_then(|text| URL_SAFE_NO_PAD.decode(text).ok())
            .unwrap_or_default()
    };
    let private = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
    must(
        private
            .iter()
            .all(|name| jwk.get(name).is_none_or(Value::is_null)),
        "private",
    )?;
    must(
        jwk.get("use")
            .is_none_or(|usage| usage == "sig" || usage.is_null()),
        "use",
    )?;
    let ops = jwk.get("key_ops").filter(|ops| !ops.is_null());
    let verifies = |ops: &Value| {
        ops.as_array()
            .is_some_and(|ops| ops.iter().any(|op| op == "verify"))
    };
    must(ops.is_none_or(verifies), "key_ops")?;
    must(
        jwk["kid"].as_str().is_none_or(|kid| kid.len() <= KID_BYTES_MAX),
        "kid",
    )?;
    let (n, e, x, y) = (bytes("n"), bytes("e"), bytes("x"), bytes("y"));
    let coordinates = |length: usize| must(x.len() == length && y.len() == length, "coordinates");
    match (jwk["kty"].as_str(), jwk["crv"].as_str()) {
        (Some("RSA"), _) => {
            let n: Vec<u8> = n.into_iter().skip_while(|byte| *byte == 0).collect();
            must(
                (256..=1024).contains(&n.len()) && (n.len() > 256 || n[0] >= 0x80),
                "modulus",
            )?;
            must(n.last().is_some_and(|byte| byte % 2 == 1), "even modulus")?;
            let e: Vec<u8> = e.into_iter().skip_while(|byte| *byte == 0).collect();
            must(e.last().is_some_and(|byte| byte % 2 == 1) && e != [1], "exponent")
        }
        (Some("EC"), Some("P-256")) => coordinates(32),
        (Some("EC"), Some("P-384")) => coordinates(48),
        (Some("EC"), Some("P-521")) => coordinates(66),
        (Some("OKP"), Some("Ed25519")) => must(
            x.len() == 32 && !(x[0] < 2 && x[1..31] == [0; 30] && x[31] & 0x7f == 0),
            "small order",
        ),
        _ => Err("kind"),
    }
}

/// Whether two JWKs are one key. A modulus may have zeros before it.
fn same_material(one: &Value, other: &Value) -> bool {
    let number = |jwk: &Value, name: &str| {
        let bytes = jwk[name]
            .as_str()
            .and_then(|text| URL_SAFE_NO_PAD.decode(text).ok())
            .unwrap_or_default();
        bytes
            .into_iter()
            .skip_while(|byte| *byte == 0)
            .collect::<Vec<_>>()
    };
    one["kty"] == other["kty"]
        && ["n", "e", "x", "y"].iter().all(|name| {
            // What does not belong to the kind of key may stand in it and means nothing.
            other.get(*name).is_none() || number(one, name) == number(other, name)
        })
}
