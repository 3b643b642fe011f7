//! Keys that are not found by `kid` among public keys: shared secrets, and keys named by the thumbprint of their
//! certificate. What names a key must lead to that key or to none.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::*;
use crate::mint::SharedSecret;

#[test]
fn a_shared_secret_verifies_what_was_signed_with_it_and_nothing_else() {
    use Algorithm::{Hs256, Hs384, Hs512};
    let secret: Vec<u8> = (0..64_u8).map(|i| i.wrapping_mul(37) ^ 0x5a).collect();
    let other: Vec<u8> = secret.iter().map(|byte| byte ^ 1).collect();
    let all: AlgorithmSet = [Hs256, Hs384, Hs512].into_iter().collect();
    let rules = Rules {
        algorithms: all,
        ..rules()
    };
    let set = KeySet::new(vec![Key::from_secret("s", &secret, all).unwrap()], None);
    let judge = |token: &str| verify_at(token, &rules, &set, UnixTime::from_seconds(NOW));
    for algorithm in [Hs256, Hs384, Hs512] {
        let shared = SharedSecret::new(algorithm, secret.clone()).unwrap();
        let token = shared.mint(Some("s"), &claims());
        assert_eq!(judge(&token), Ok(()));
        assert_eq!(judge(&shared.mint(None, &claims())), Ok(()));
        assert_eq!(
            judge(&shared.mint(Some("t"), &claims())),
            Err(TokenError::KeyUnknown)
        );
        let stranger = SharedSecret::new(algorithm, other.clone()).unwrap();
        assert_eq!(
            judge(&stranger.mint(Some("s"), &claims())),
            Err(TokenError::SignatureInvalid)
        );
        // A part of the right signature is not the signature (RFC 2104 section 5 allows it, RFC 7518 does not).
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let raw = URL_SAFE_NO_PAD.decode(signature).unwrap();
        for length in [1, 16, raw.len() - 1] {
            let cut = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(&raw[..length]));
            assert_eq!(judge(&cut), Err(TokenError::SignatureInvalid), "{length}");
        }
    }
    // A secret serves the algorithms that the operator named, and those only.
    let narrow = KeySet::new(
        vec![Key::from_secret("s", &secret, [Hs256].into_iter().collect()).unwrap()],
        None,
    );
    let token = SharedSecret::new(Hs512, secret)
        .unwrap()
        .mint(Some("s"), &claims());
    assert_eq!(
        verify_at(&token, &rules, &narrow, UnixTime::from_seconds(NOW)),
        Err(TokenError::KeyUnknown)
    );
}

#[test]
fn a_key_is_found_by_the_thumbprint_of_its_certificate() {
    let certificate = |key: &SigningKey| {
        let pair = rcgen::KeyPair::from_pem(key.to_pem().expose()).unwrap();
        let params = rcgen::CertificateParams::new(vec!["acme.example".to_owned()]).unwrap();
        params.self_signed(&pair).unwrap()
    };
    let other = SigningKey::generate(Algorithm::Rs256).unwrap();
    let (ours, theirs) = (certificate(&RSA), certificate(&other));
    let thumbprint = |der: &[u8]| {
        let sha256 = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der);
        let sha1 = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, der);
        (
            URL_SAFE_NO_PAD.encode(sha256.as_ref()),
            URL_SAFE_NO_PAD.encode(sha1.as_ref()),
        )
    };
    let (ours_256, ours_1) = thumbprint(ours.der());
    let (theirs_256, theirs_1) = thumbprint(theirs.der());
    let files = KeySet::new(
        vec![
            Key::from_text("a", ours.pem().as_bytes()).unwrap(),
            Key::from_text("b", theirs.pem().as_bytes()).unwrap(),
        ],
        None,
    );
    let mut jwk = RSA.public_jwk("a");
    jwk["x5t#S256"] = json!(ours_256);
    jwk["x5t"] = json!(ours_1);
    let mut second = other.public_jwk("b");
    second["x5t#S256"] = json!(theirs_256);
    second["x5t"] = json!(theirs_1);
    let document = json!({ "keys": [jwk, second] }).to_string();
    let document = parse_jwks(document.as_bytes()).unwrap().keys;
    // What is no thumbprint names nothing, and the key is as good without.
    let mut odd = RSA.public_jwk("a");
    odd["x5t"] = json!("not a thumbprint");
    odd["x5t#S256"] = json!(ours_1);
    let odd = json!({ "keys": [odd, other.public_jwk("b")] }).to_string();
    let odd = parse_jwks(odd.as_bytes()).unwrap().keys;
    let padded = format!("{ours_256}=");
    for (header, files_say, odd_says) in [
        (
            json!({ "x5t#S256": ours_256 }),
            Ok(()),
            Err(TokenError::KeyUnknown),
        ),
        (json!({ "x5t": ours_1 }), Ok(()), Err(TokenError::KeyUnknown)),
        (
            json!({ "x5t#S256": theirs_256 }),
            Err(TokenError::SignatureInvalid),
            Err(TokenError::KeyUnknown),
        ),
        (
            json!({ "x5t#S256": ours_1 }),
            Err(TokenError::KeyUnknown),
            Err(TokenError::KeyUnknown),
        ),
        (
            json!({ "x5t#S256": padded }),
            Err(TokenError::KeyUnknown),
            Err(TokenError::KeyUnknown),
        ),
        (
            json!({ "x5t": "" }),
            Err(TokenError::KeyUnknown),
            Err(TokenError::KeyUnknown),
        ),
        (
            json!({ "x5t": 1 }),
            Err(TokenError::HeaderType),
            Err(TokenError::HeaderType),
        ),
        // `kid` counts before thumbprints, the stronger thumbprint before the weaker.
        (json!({ "kid": "a", "x5t": theirs_1 }), Ok(()), Ok(())),
        (
            json!({ "kid": "c", "x5t": ours_1 }),
            Err(TokenError::KeyUnknown),
            Err(TokenError::KeyUnknown),
        ),
        (
            json!({ "x5t#S256": ours_256, "x5t": theirs_1 }),
            Ok(()),
            Err(TokenError::KeyUnknown),
        ),
        (
            json!({}),
            Err(TokenError::KeyAmbiguous),
            Err(TokenError::KeyAmbiguous),
        ),
    ] {
        let mut whole = json!({ "alg": "RS256" });
        whole
            .as_object_mut()
            .unwrap()
            .extend(header.as_object().unwrap().clone());
        let token = RSA
            .sign(whole.to_string().as_bytes(), claims().to_string().as_bytes())
            .unwrap();
        let judge = |set: &KeySet| verify_at(&token, &rules(), set, UnixTime::from_seconds(NOW));
        assert_eq!(judge(&files), files_say, "{header}");
        assert_eq!(judge(&document), files_say, "{header}");
        assert_eq!(judge(&odd), odd_says, "{header}");
    }
}
