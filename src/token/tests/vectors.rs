//! The examples of the standards themselves: what they sign verifies here, and what is no JWT is refused for that reason.
//! A gateway takes compact signed JWTs only, so most examples must verify as signatures and still not be tokens.

use aws_lc_rs::digest::{SHA256, digest};
use serde::Deserialize;

use super::super::header::Header;
use super::super::jws::split;
use super::*;

const VECTORS: &str = include_str!("../../../tests/vectors/jose.json");

#[derive(Deserialize)]
struct Vectors {
    examples: Vec<Example>,
    tokens: Vec<Example>,
    keys: Vec<Named>,
}

/// An example: what is signed over, in every form that the standard shows.
#[derive(Deserialize)]
struct Example {
    name: String,
    algorithm: Option<String>,
    key: Option<Json>,
    compact: Option<String>,
    #[serde(default)]
    json: Vec<String>,
    encrypted: Option<String>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
    jwk: Json,
}

fn vectors() -> Vectors {
    serde_json::from_str(VECTORS).unwrap()
}

fn set(jwk: &Json) -> Result<KeySet, JwksError> {
    parse_jwks(json!({ "keys": [jwk] }).to_string().as_bytes()).map(|jwks| jwks.keys)
}

fn parsed(token: &str) -> Result<(), TokenError> {
    UnverifiedToken::parse(token, &mut Scratch::default()).map(|_| ())
}

/// Whether the signature alone is the key's, whatever is signed.
fn signature(example: &Example) -> Result<(), TokenError> {
    let algorithm = Algorithm::parse(example.algorithm.as_deref().unwrap()).unwrap();
    let jwk = example.key.as_ref().unwrap();
    let keys = set(jwk).unwrap();
    let mut scratch = Scratch::default();
    let parts = split(example.compact.as_deref().unwrap(), &mut scratch)?;
    let kid = example.key.as_ref().and_then(|key| key["kid"].as_str());
    let key = keys.choose(kid.map_or(KeyHint::None, KeyHint::Kid), algorithm)?;
    let mut altered = parts.signature.to_vec();
    altered[10] ^= 1;
    assert_eq!(
        key.verify(algorithm, parts.signed, &altered),
        Err(TokenError::SignatureInvalid),
        "{}",
        example.name
    );
    key.verify(algorithm, parts.signed, parts.signature)
}

/// Section by section, what becomes of the compact form as a signature and as a token.
#[test]
fn signed_examples_verify_and_are_no_tokens() {
    let examples = vectors().examples;
    let found = |name: &str| examples.iter().find(|example| example.name == name).unwrap();
    for name in [
        "RFC 7520 section 4.1",
        "RFC 7520 section 4.2",
        "RFC 7520 section 4.3",
        "RFC 8037 appendix A.4",
    ] {
        assert_eq!(signature(found(name)), Ok(()), "{name}");
        let token = found(name).compact.as_deref().unwrap();
        assert_eq!(parsed(token), Err(TokenError::ClaimsJson), "{name}");
    }
    for (name, expected) in [
        ("RFC 7520 section 4.4", TokenError::ClaimsJson),
        // Detached: the payload is somewhere else.
        ("RFC 7520 section 4.5", TokenError::Parts),
        // Unencoded: the payload stands there as it is.
        ("RFC 7797 section 4.2, compact", TokenError::Base64),
    ] {
        let token = found(name).compact.as_deref().unwrap();
        assert_eq!(parsed(token), Err(expected), "{name}");
    }
}

/// The secrets of the standards stand in every library's tests: they are refused wherever a secret is asked for.
#[test]
fn published_secrets_are_no_secrets() {
    let examples = vectors().examples;
    let secrets = examples
        .iter()
        .filter_map(|example| example.key.as_ref()?["k"].as_str());
    let mut seen = 0;
    for secret in secrets {
        let bytes = URL_SAFE_NO_PAD.decode(secret).unwrap();
        let key = Key::from_secret("k", &bytes, [Algorithm::Hs256].into_iter().collect());
        assert!(matches!(key, Err(KeyError::SecretWeak(_))), "{secret}");
        seen += 1;
    }
    assert_eq!(seen, 6);
}

/// RFC 7797 section 7: not for JWTs. The header alone is reason enough, however the payload is written.
#[test]
fn unencoded_payloads_are_refused_by_their_header() {
    let examples = vectors().examples;
    let unencoded = examples
        .iter()
        .filter(|example| example.name.starts_with("RFC 7797"));
    let compact = unencoded.filter_map(|example| example.compact.as_deref());
    let mut seen = 0;
    for token in compact {
        let (header, _) = token.split_once('.').unwrap();
        let decoded = URL_SAFE_NO_PAD.decode(header).unwrap();
        assert_eq!(
            Header::parse(&decoded).map(|_| ()),
            Err(TokenError::CriticalExtension)
        );
        let encoded = format!("{header}.{}.YQ", URL_SAFE_NO_PAD.encode(claims().to_string()));
        assert_eq!(parsed(&encoded), Err(TokenError::CriticalExtension));
        seen += 1;
    }
    assert_eq!(seen, 1);
}

#[test]
fn json_serialisations_are_no_tokens() {
    let mut seen = 0;
    for example in vectors().examples {
        for text in &example.json {
            assert_eq!(parsed(text), Err(TokenError::Parts), "{}: {text}", example.name);
            seen += 1;
        }
    }
    assert_eq!(
        seen, 21,
        "general and flattened; several signatures have no flattened form"
    );
}

#[test]
fn encrypted_tokens_are_refused_as_such() {
    let mut seen = 0;
    for example in vectors().examples {
        if let Some(token) = &example.encrypted {
            assert_eq!(parsed(token), Err(TokenError::Encrypted), "{}", example.name);
            seen += 1;
        }
    }
    assert_eq!(seen, 3);
}

/// RFC 7515 appendix A signs real claims, which were good in 2011.
#[test]
fn signed_claims_are_accepted_in_their_time() {
    const EXPIRES: i64 = 1_300_819_380;
    let rules = |algorithm: &str| Rules {
        issuer: "joe".into(),
        algorithms: Algorithm::parse(algorithm).into_iter().collect(),
        required_claims: vec!["exp".into(), "iss".into()],
        max_lifetime: None,
        leeway: Duration::ZERO,
        token_types: TokenTypes::new([]),
        profile: Profile::Jwt,
    };
    let tokens = vectors().tokens;
    assert_eq!(tokens.len(), 2);
    for example in &tokens {
        let rules = rules(example.algorithm.as_deref().unwrap());
        let keys = set(example.key.as_ref().unwrap()).unwrap();
        let judged = |seconds: i64| {
            let mut scratch = Scratch::default();
            UnverifiedToken::parse(example.compact.as_deref().unwrap(), &mut scratch)?
                .verify(&rules, &keys, UnixTime::from_seconds(seconds), |_| true, &mut ())
                .map(|token| token.claims().len())
        };
        assert_eq!(signature(example), Ok(()), "{}", example.name);
        assert_eq!(judged(EXPIRES - 1), Ok(3), "{}", example.name);
        assert_eq!(judged(EXPIRES), Err(TokenError::Expired), "{}", example.name);
    }
}

#[test]
fn published_keys_are_taken_or_left_as_they_say() {
    let private = || Err(KeyError::Private);
    let expected = [
        ("RFC 7517 appendix A.1, EC", Err(KeyError::Use)),
        ("RFC 7517 appendix A.1, RSA", Ok(())),
        ("RFC 7520 section 3.1", Ok(())),
        ("RFC 7520 section 3.2", private()),
        ("RFC 7520 section 3.3", Ok(())),
        ("RFC 7520 section 3.4", private()),
        ("RFC 7520 section 3.5", private()),
        ("RFC 7520 section 3.6", private()),
    ];
    let found: Vec<(String, Result<(), KeyError>)> = vectors()
        .keys
        .into_iter()
        .map(|Named { name, jwk }| {
            let result = match set(&jwk) {
                Ok(_) => Ok(()),
                Err(JwksError::NoUsableKey(skipped)) => Err(skipped[0].error.clone()),
                Err(error) => panic!("{name}: {error}"),
            };
            (name, result)
        })
        .collect();
    let found: Vec<(&str, Result<(), KeyError>)> = found
        .iter()
        .map(|(name, result)| (name.as_str(), result.clone()))
        .collect();
    assert_eq!(found, expected);
}

/// RFC 8037 appendix A.3: the key with which the example above verifies is the published one, by its thumbprint (RFC
/// 7638).
#[test]
fn the_published_key_has_the_published_thumbprint() {
    let examples = vectors().examples;
    let ed = examples
        .iter()
        .find(|example| example.name == "RFC 8037 appendix A.4")
        .unwrap();
    let x = ed.key.as_ref().unwrap()["x"].as_str().unwrap();
    let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    assert_eq!(
        URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes())),
        "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    );
}
