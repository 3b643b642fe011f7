//! The gateway and `jsonwebtoken` on the same tokens, by the machine's clock, with every algorithm that both know.
//!
//! What the gateway accepts, the library accepts with strict settings. Where the library accepts and the gateway does
//! not, the reason is in the list below: it says in what the gateway is stricter, and nothing else may be.

use jsonwebtoken::get_current_timestamp;
use proptest::prelude::*;
use tollgate::time::UnixTime;
use tollgate::token::Algorithm;

use crate::bodies::jws::{Refusal, judge, rules};
use crate::bodies::keys::{self, Fixed};
use crate::bodies::oracle::{self, Against, Expected};
use crate::bodies::shape::{AUDIENCE, ISSUER, LEEWAY, Shape};

const EXPECTED: Expected<'static> = Expected {
    issuer: ISSUER,
    audience: AUDIENCE,
    leeway: LEEWAY,
    times: true,
};

/// A change of a good token that the library takes and the gateway refuses: the gateway's reason, where the change is,
/// the member and its value (see `Shape::text`), and why.
const STRICTER: [(&str, Part, &str, &str, &str); 16] = [
    (
        "critical_extension",
        Part::Header,
        "crit",
        "[\"exp\"]",
        "RFC 7515 section 4.1.11: none is understood",
    ),
    (
        "critical_extension",
        Part::Header,
        "b64",
        "true",
        "RFC 7797 section 7: not for JWTs",
    ),
    (
        "token_encrypted",
        Part::Header,
        "enc",
        "\"A128GCM\"",
        "RFC 7516 section 4.1: no signed token",
    ),
    (
        "header_type_invalid",
        Part::Header,
        "typ",
        "null",
        "RFC 7515 section 4.1.9: a string",
    ),
    (
        "type_not_allowed",
        Part::Header,
        "typ",
        "\"dpop+jwt\"",
        "RFC 8725 section 3.11: another kind of token",
    ),
    (
        "key_unknown",
        Part::Header,
        "kid",
        "\"other\"",
        "the library is given the key, the gateway finds it",
    ),
    (
        "duplicate_member",
        Part::Claims,
        "x",
        "1,\"x\":2",
        "RFC 7519 section 4: two readers, two values",
    ),
    (
        "nested_too_deep",
        Part::Claims,
        "x",
        "[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]",
        "a bound",
    ),
    (
        "time_malformed",
        Part::Claims,
        "iat",
        "\"$\"",
        "RFC 7519 section 4.1.6: a number",
    ),
    (
        "time_malformed",
        Part::Claims,
        "exp",
        "9007199254740993",
        "a bound: doubles end here",
    ),
    (
        "issued_in_future",
        Part::Claims,
        "iat",
        "$+31",
        "RFC 7519 section 4.1.6; the library does not look at it",
    ),
    (
        "expired",
        Part::Claims,
        "exp",
        "$-30",
        "RFC 7519 section 4.1.4: on or after; the library: after",
    ),
    (
        "not_yet_valid",
        Part::Claims,
        "nbf",
        "$+30.4",
        "to the millisecond; the library rounds",
    ),
    (
        "issuer_missing",
        Part::Claims,
        "iss",
        "[\"https://acme.example/\"]",
        "RFC 7519 section 4.1.1: a string",
    ),
    (
        "proof_missing",
        Part::Claims,
        "cnf",
        "{\"jkt\":\"x\"}",
        "RFC 7800: bound to a key",
    ),
    (
        "subject_type_invalid",
        Part::Claims,
        "sub",
        "1",
        "RFC 7519 section 4.1.2: a string",
    ),
];

/// Where the gateway is stricter by a bound on something long.
const BOUNDS: [&str; 2] = ["token_too_long", "audience_malformed"];

#[derive(Debug, Clone, Copy)]
enum Part {
    Header,
    Claims,
}

/// Both opinions on one token, within one second.
struct Opinions {
    token: String,
    ours: Result<Algorithm, Refusal>,
    theirs: Result<(), Against>,
    naive: Result<(), Against>,
}

fn opinions(key: &Fixed, shape: &Shape) -> Opinions {
    let rules = rules([key.algorithm].into_iter().collect());
    loop {
        let seconds = i64::try_from(get_current_timestamp()).unwrap();
        let now = UnixTime::from_seconds(seconds);
        let (header, claims) = shape.text(seconds);
        let token = key.sign(header.as_bytes(), claims.as_bytes());
        let ours = judge(&token, &rules, key.set(), now);
        let theirs = oracle::library(&token, key.algorithm, &key.jwk, EXPECTED);
        let naive = oracle::naive(&token, key.algorithm, EXPECTED, now);
        if i64::try_from(get_current_timestamp()).unwrap() == seconds {
            return Opinions {
                token,
                ours,
                theirs,
                naive,
            };
        }
    }
}

#[test]
fn a_good_token_of_each_algorithm_is_good_for_everybody() {
    for key in keys::ALL.iter() {
        let found = opinions(key, &Shape::good(key.algorithm.name()));
        assert_eq!(found.ours, Ok(key.algorithm), "{}", found.token);
        assert!(found.theirs.is_ok() && found.naive.is_ok(), "{}", found.token);
    }
}

#[test]
fn where_the_gateway_is_stricter() {
    for (reason, part, name, value, why) in STRICTER {
        for key in keys::ALL.iter().take(2) {
            let good = Shape::good(key.algorithm.name());
            let shape = match part {
                Part::Header => good.header(name, value),
                Part::Claims => good.claim(name, value),
            };
            stricter(key, &shape, reason, &format!("{name}: {value} ({why})"));
        }
    }
    let good = || Shape::good("EdDSA");
    let audiences = vec![format!("\"{AUDIENCE}\""); 65].join(",");
    let long = format!("\"{}\"", "x".repeat(16 * 1024));
    let key = keys::of(Algorithm::Ed25519).unwrap();
    stricter(key, &good().claim("x", &long), "token_too_long", "16 KiB");
    stricter(
        key,
        &good().claim("aud", &format!("[{audiences}]")),
        "audience_malformed",
        "64 audiences",
    );
}

#[track_caller]
fn stricter(key: &Fixed, shape: &Shape, reason: &str, what: &str) {
    let found = opinions(key, shape);
    assert_eq!(found.ours.map_err(Refusal::reason), Err(reason), "{what}");
    if let Err(against) = found.theirs {
        panic!("no stricter any more, take it off the list: {what}: {against}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn whatever_the_gateway_accepts_the_library_accepts(
        key in 0..keys::ALL.len(),
        changes in prop::collection::vec((any::<u8>(), any::<u8>(), any::<u8>()), 0..5),
    ) {
        let key = &keys::ALL[key];
        let changes: Vec<u8> = changes.into_iter().flat_map(|(what, name, value)| [what, name, value]).collect();
        let found = opinions(key, &Shape::good(key.algorithm.name()).changed(&changes));
        match found.ours {
            Ok(_) => {
                for opinion in [found.theirs, found.naive] {
                    if let Err(against) = opinion {
                        prop_assert!(false, "accepted, but {against}: {}", found.token);
                    }
                }
            }
            Err(refusal) if found.theirs.is_ok() => {
                let listed = STRICTER.iter().any(|(reason, ..)| *reason == refusal.reason());
                prop_assert!(
                    listed || BOUNDS.contains(&refusal.reason()) || oracle::is_signature_alone(&found.token),
                    "refused for {} and accepted by the library: {}", refusal.reason(), found.token
                );
            }
            Err(_) => {}
        }
    }
}
