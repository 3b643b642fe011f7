//! Tables of tokens: each row is a sentence about what is accepted and what is not, and why.
//! Tokens are made here byte for byte, because most of them no honest issuer would sign.

mod certificates;

use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value as Json, json};

mod json_texts;
mod odd_keys;
mod vectors;

use super::*;
use crate::mint::SigningKey;
use crate::time::UnixTime;

const NOW: i64 = 1_800_000_000;
const LEEWAY: i64 = 30;
const ISSUER: &str = "https://acme.example/";
const AUDIENCE: &str = "https://api.example/";

static RSA: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate(Algorithm::Rs256).unwrap());
static EC: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate(Algorithm::Es256).unwrap());
static ED: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate(Algorithm::Ed25519).unwrap());

fn keys() -> KeySet {
    let document = json!({ "keys": [RSA.public_jwk("rsa"), EC.public_jwk("ec"), ED.public_jwk("ed")] });
    parse_jwks(document.to_string().as_bytes()).unwrap().keys
}

fn rules() -> Rules {
    Rules {
        issuer: ISSUER.into(),
        algorithms: [Algorithm::Rs256, Algorithm::Es256, Algorithm::Ed25519]
            .into_iter()
            .collect(),
        token_types: TokenTypes::new(["JWT", "at+jwt"]),
        profile: Profile::Jwt,
        leeway: Duration::from_secs(LEEWAY as u64),
        max_lifetime: Some(Duration::from_secs(86_400)),
        required_claims: ["sub", "iat", "exp", "iss"].map(Into::into).into(),
    }
}

fn claims() -> Json {
    json!({ "iss": ISSUER, "sub": "alice", "aud": AUDIENCE, "iat": NOW - 10, "exp": NOW + 600 })
}

fn with(name: &str, value: Json) -> Json {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Json {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

fn verify_at(token: &str, rules: &Rules, keys: &KeySet, now: UnixTime) -> Result<(), TokenError> {
    let mut scratch = Scratch::default();
    let accepted = Audiences {
        accepted: AcceptedAudiences::AnyOf(vec![AUDIENCE.into()]),
        of_application: false,
        optional: false,
    };
    UnverifiedToken::parse(token, &mut scratch)?
        .verify(
            rules,
            keys,
            now,
            |audience| accepted.may_accept(audience),
            &mut (),
        )
        .map(|_| ())
}

#[track_caller]
fn check(token: &str, expected: Result<(), TokenError>) {
    assert_eq!(
        verify_at(token, &rules(), &keys(), UnixTime::from_seconds(NOW)),
        expected,
        "{token}"
    );
}

#[track_caller]
fn check_claims(claims: &Json, expected: Result<(), TokenError>) {
    check(&RSA.mint(Some("rsa"), claims).unwrap(), expected);
}

#[track_caller]
fn check_header(header: &str, expected: Result<(), TokenError>) {
    check(
        &RSA.sign(header.as_bytes(), claims().to_string().as_bytes())
            .unwrap(),
        expected,
    );
}

#[test]
fn each_algorithm_verifies_with_its_own_key() {
    for (key, kid) in [(&*RSA, "rsa"), (&*EC, "ec"), (&*ED, "ed")] {
        check(&key.mint(Some(kid), &claims()).unwrap(), Ok(()));
        check(&key.mint(None, &claims()).unwrap(), Ok(()));
    }
    for algorithm in [
        Algorithm::Rs384,
        Algorithm::Rs512,
        Algorithm::Ps256,
        Algorithm::Ps512,
        Algorithm::Es384,
    ] {
        let key = SigningKey::generate(algorithm).unwrap();
        let set = parse_jwks(json!({ "keys": [key.public_jwk("k")] }).to_string().as_bytes())
            .unwrap()
            .keys;
        let rules = Rules {
            algorithms: [algorithm].into_iter().collect(),
            ..rules()
        };
        let token = key.mint(Some("k"), &claims()).unwrap();
        assert_eq!(
            verify_at(&token, &rules, &set, UnixTime::from_seconds(NOW)),
            Ok(()),
            "{algorithm:?}"
        );
    }
}

#[test]
fn a_pem_key_verifies_what_its_private_half_signed() {
    for key in [&*RSA, &*EC, &*ED] {
        let set = KeySet::new(
            vec![Key::from_text("k", key.public_pem().as_bytes()).unwrap()],
            None,
        );
        let token = key.mint(Some("k"), &claims()).unwrap();
        assert_eq!(
            verify_at(&token, &rules(), &set, UnixTime::from_seconds(NOW)),
            Ok(())
        );
        assert_eq!(
            Key::from_text("k", key.to_pem().expose().as_bytes()).err(),
            Some(KeyError::Private)
        );
    }
    assert!(matches!(Key::from_text("k", b"nonsense"), Err(KeyError::Text(_))));
}

#[test]
fn a_key_comes_as_pem_certificate_or_ssh_line() {
    let signed = RSA.mint(Some("k"), &claims()).unwrap();
    let verifies = |text: &[u8]| {
        let set = KeySet::new(vec![Key::from_text("k", text)?], None);
        Ok::<_, KeyError>(verify_at(&signed, &rules(), &set, UnixTime::from_seconds(NOW)))
    };
    let jwk = RSA.public_jwk("k");
    let number = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
    // RFC 4251 section 5: a number whose first bit is set begins with a zero byte.
    let (exponent, modulus) = (number("e"), [vec![0], number("n")].concat());
    let field = |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat();
    let blob = [field(b"ssh-rsa"), field(&exponent), field(&modulus)].concat();
    let line = |blob: &[u8]| format!("ssh-rsa {} alice@example\n", STANDARD.encode(blob));
    assert_eq!(verifies(line(&blob).as_bytes()), Ok(Ok(())));
    for bad in [
        &blob[..blob.len() - 1],
        &blob[..20],
        &[],
        &[0xff; 8],
        &[blob.clone(), vec![0]].concat(),
    ] {
        assert!(
            matches!(verifies(line(bad).as_bytes()), Err(KeyError::Text(_))),
            "{bad:?}"
        );
    }
    for text in ["ssh-rsa", "ssh-rsa !!! x", "ssh-ed25519 AAAA x", ""] {
        assert!(
            matches!(verifies(text.as_bytes()), Err(KeyError::Text(_))),
            "{text}"
        );
    }
    let tag = |tag: &str| pem::encode(&pem::Pem::new(tag, vec![0x30, 0x00]));
    for name in ["CERTIFICATE", "X509 CRL"] {
        assert!(
            matches!(verifies(tag(name).as_bytes()), Err(KeyError::Text(_))),
            "{name}"
        );
    }
    assert_eq!(
        verifies(tag("ENCRYPTED PRIVATE KEY").as_bytes()),
        Err(KeyError::Private)
    );
    assert_eq!(
        verifies(tag("PUBLIC KEY").as_bytes()),
        Err(KeyError::Kind("unknown".to_owned()))
    );
}

#[test]
fn a_certificate_is_taken_for_the_key_in_it() {
    for key in [&*RSA, &*EC, &*ED] {
        let pair = rcgen::KeyPair::from_pem(key.to_pem().expose()).unwrap();
        let certificate = rcgen::CertificateParams::new(vec!["acme.example".to_owned()]).unwrap();
        let pem = certificate.self_signed(&pair).unwrap().pem();
        let set = KeySet::new(vec![Key::from_text("k", pem.as_bytes()).unwrap()], None);
        let token = key.mint(Some("k"), &claims()).unwrap();
        assert_eq!(
            verify_at(&token, &rules(), &set, UnixTime::from_seconds(NOW)),
            Ok(())
        );
    }
}

#[test]
fn the_default_key_serves_tokens_that_name_none() {
    let pem = |kid: &str, key: &SigningKey| Key::from_text(kid, key.public_pem().as_bytes()).unwrap();
    let other = SigningKey::generate(Algorithm::Rs256).unwrap();
    let now = UnixTime::from_seconds(NOW);
    let ambiguous = KeySet::new(vec![pem("default", &RSA), pem("b", &other)], None);
    let token = RSA.mint(None, &claims()).unwrap();
    assert_eq!(
        verify_at(&token, &rules(), &ambiguous, now),
        Err(TokenError::KeyAmbiguous)
    );
    let set = KeySet::new(vec![pem("default", &RSA), pem("b", &other)], Some("default"));
    assert_eq!(verify_at(&token, &rules(), &set, now), Ok(()));
    let signed_by_other = other.mint(None, &claims()).unwrap();
    assert_eq!(
        verify_at(&signed_by_other, &rules(), &set, now),
        Err(TokenError::SignatureInvalid)
    );
}

#[test]
fn headers() {
    check_header(r#"{"alg":"RS256","kid":"rsa"}"#, Ok(()));
    check_header(
        r#"{"alg":"RS256","kid":"rsa","typ":"application/AT+JWT"}"#,
        Ok(()),
    );
    check_header(
        r#"{"alg":"RS256","kid":"rsa","typ":"dpop+jwt"}"#,
        Err(TokenError::TypeNotAllowed),
    );
    check_header(
        r#"{"alg":"RS256","kid":"rsa","typ":""}"#,
        Err(TokenError::TypeNotAllowed),
    );
    for name in [
        "none", "None", "NONE", "nOnE", "", "rs256", "HS256", "RS384", "PS256", "ES256K",
    ] {
        let header = json!({ "alg": name, "kid": "rsa" }).to_string();
        check_header(&header, Err(TokenError::AlgorithmNotAllowed));
    }
    for alg in ["null", "[\"RS256\"]", "1", "{}"] {
        check_header(
            &format!(r#"{{"alg":{alg},"kid":"rsa"}}"#),
            Err(TokenError::AlgorithmNotAllowed),
        );
    }
    check_header(r#"{"kid":"rsa"}"#, Err(TokenError::AlgorithmNotAllowed));
    check_header(r#"{"alg":"ES256","kid":"rsa"}"#, Err(TokenError::KeyUnknown));
    for kid in ["RSA", "rsa ", "", "../../dev/null", "rsa\0", "' OR 1=1 --"] {
        check_header(
            &json!({ "alg": "RS256", "kid": kid }).to_string(),
            Err(TokenError::KeyUnknown),
        );
    }
    check_header(
        r#"{"alg":"RS256","kid":"rsa","crit":["exp"]}"#,
        Err(TokenError::CriticalExtension),
    );
}

#[test]
fn signatures() {
    let good = RSA.mint(Some("rsa"), &claims()).unwrap();
    let (signed, _) = good.rsplit_once('.').unwrap();
    let stranger = SigningKey::generate(Algorithm::Rs256).unwrap();
    check(
        &stranger.mint(Some("rsa"), &claims()).unwrap(),
        Err(TokenError::SignatureInvalid),
    );
    for signature in [
        vec![0],
        vec![0; 255],
        vec![0; 256],
        vec![0xff; 256],
        vec![0; 257],
        vec![0; 1024],
    ] {
        check(
            &format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)),
            Err(TokenError::SignatureInvalid),
        );
    }
    check(&format!("{signed}."), Err(TokenError::Parts));
    let ec = EC.mint(Some("ec"), &claims()).unwrap();
    let (signed, signature) = ec.rsplit_once('.').unwrap();
    let raw = URL_SAFE_NO_PAD.decode(signature).unwrap();
    assert_eq!(raw.len(), 64);
    let mut der = vec![0x30, 0x44, 0x02, 0x20];
    der.extend(&raw[..32]);
    der.extend([0x02, 0x20]);
    der.extend(&raw[32..]);
    let mut overlong = raw.clone();
    overlong.push(0);
    for signature in [vec![0; 64], der, overlong, raw[..63].to_vec(), vec![0xff; 64]] {
        check(
            &format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)),
            Err(TokenError::SignatureInvalid),
        );
    }
}

#[test]
fn times() {
    for (exp, expected) in [
        (json!(NOW - LEEWAY + 1), Ok(())),
        (json!(NOW - LEEWAY), Err(TokenError::Expired)),
        (json!(NOW as f64 + 0.5), Ok(())),
        (json!(0), Err(TokenError::Expired)),
        (json!(-1), Err(TokenError::TimeMalformed)),
        (json!("1900000000"), Err(TokenError::TimeMalformed)),
        (json!(null), Err(TokenError::TimeMalformed)),
        (json!(true), Err(TokenError::TimeMalformed)),
        (json!([NOW + 600]), Err(TokenError::TimeMalformed)),
        (json!(1e30), Err(TokenError::TimeMalformed)),
        (json!(u64::MAX), Err(TokenError::TimeMalformed)),
        (json!(1_u64 << 63), Err(TokenError::TimeMalformed)),
        (json!((1_u64 << 53) + 1), Err(TokenError::TimeMalformed)),
        (json!(NOW + 90_000), Err(TokenError::LifetimeTooLong)),
    ] {
        check_claims(&with("exp", exp), expected);
    }
    check_claims(&without("exp"), Err(TokenError::ExpirationMissing));
    for (name, value, expected) in [
        ("nbf", json!(NOW + LEEWAY), Ok(())),
        ("nbf", json!(NOW + LEEWAY + 1), Err(TokenError::NotYetValid)),
        ("nbf", json!("0"), Err(TokenError::TimeMalformed)),
        ("iat", json!(NOW + LEEWAY), Ok(())),
        ("iat", json!(NOW + LEEWAY + 1), Err(TokenError::IssuedInFuture)),
        ("iat", json!({}), Err(TokenError::TimeMalformed)),
    ] {
        check_claims(&with(name, value), expected);
    }
    check(
        &RSA.sign(
            br#"{"alg":"RS256","kid":"rsa"}"#,
            format!(r#"{{"iss":"{ISSUER}","exp":1e400}}"#).as_bytes(),
        )
        .unwrap(),
        Err(TokenError::ClaimsJson),
    );
}

#[test]
fn claims_that_must_be_there() {
    check_claims(&without("iss"), Err(TokenError::IssuerMissing));
    for issuer in [json!(null), json!([ISSUER]), json!(1)] {
        check_claims(&with("iss", issuer), Err(TokenError::IssuerMissing));
    }
    for issuer in [
        "https://acme.example",
        "https://ACME.example/",
        "https://acme.example/x",
        "",
    ] {
        check_claims(&with("iss", json!(issuer)), Err(TokenError::IssuerUnknown));
    }
    check_claims(&without("sub"), Err(TokenError::ClaimMissing));
    check_claims(&with("sub", json!(null)), Err(TokenError::ClaimMissing));
    check_claims(&without("iat"), Err(TokenError::ClaimMissing));
    check_claims(&with("cnf", json!({ "jkt": "x" })), Err(TokenError::ProofMissing));
    check_claims(&with("cnf", json!(null)), Err(TokenError::ProofMissing));
}

#[test]
fn audiences() {
    for (aud, expected) in [
        (json!([AUDIENCE]), Ok(())),
        (json!(["other", AUDIENCE]), Ok(())),
        (json!("other"), Err(TokenError::AudienceMismatch)),
        (json!("https://API.example/"), Err(TokenError::AudienceMismatch)),
        (json!("https://api.example"), Err(TokenError::AudienceMismatch)),
        (json!([]), Err(TokenError::AudienceMismatch)),
        (json!([AUDIENCE, 1]), Err(TokenError::AudienceMalformed)),
        (json!([[AUDIENCE]]), Err(TokenError::AudienceMalformed)),
        (json!(vec![AUDIENCE; 64]), Ok(())),
        (json!(vec![AUDIENCE; 65]), Err(TokenError::AudienceMalformed)),
        (json!({ "aud": AUDIENCE }), Err(TokenError::AudienceMalformed)),
        (json!(null), Err(TokenError::AudienceMalformed)),
        (json!(1), Err(TokenError::AudienceMalformed)),
    ] {
        check_claims(&with("aud", aud), expected);
    }
    check_claims(&without("aud"), Err(TokenError::AudienceMissing));
}

#[test]
fn one_bad_key_never_costs_the_set() {
    let mut private = ED.public_jwk("private");
    private["d"] = json!("AAAA");
    let mut encryption = RSA.public_jwk("encryption");
    encryption["use"] = json!("enc");
    let mut signer = RSA.public_jwk("signer");
    signer["key_ops"] = json!(["sign"]);
    let mut mismatch = RSA.public_jwk("mismatch");
    mismatch["alg"] = json!("ES256");
    let mut off_curve = EC.public_jwk("off");
    off_curve["y"] = off_curve["x"].clone();
    let mut short = EC.public_jwk("short");
    short["x"] = json!("AAAA");
    let mut even = RSA.public_jwk("even");
    even["e"] = json!("AAAC");
    let ed = |x: [u8; 32]| json!({ "kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(x) });
    let mut one = [0; 32];
    one[0] = 1;
    let document = json!({ "keys": [
        private, encryption, signer, mismatch, off_curve, short, even, ed([0; 32]), ed(one),
        { "kty": "oct", "k": "c2VjcmV0" }, { "kty": "RSA", "n": URL_SAFE_NO_PAD.encode([0xff; 128]), "e": "AQAB" },
        { "kty": "quantum" }, { "kty": 1 }, {}, "text", null, EC.public_jwk("ec"),
    ] });
    let parsed = parse_jwks(document.to_string().as_bytes()).unwrap();
    assert_eq!(parsed.keys.keys().len(), 1);
    let errors: Vec<KeyError> = parsed.skipped.into_iter().map(|skipped| skipped.error).collect();
    assert_eq!(
        errors,
        [
            KeyError::Private,
            KeyError::Use,
            KeyError::Use,
            KeyError::Algorithm("ES256".to_owned()),
            KeyError::Invalid("P-256"),
            KeyError::Member("x"),
            KeyError::RsaExponent,
            KeyError::SmallOrder,
            KeyError::SmallOrder,
            KeyError::Private,
            KeyError::RsaBits(1024),
            KeyError::Kind("quantum ".to_owned()),
            KeyError::Member("a member"),
            KeyError::Member("a member"),
            KeyError::Member("a member"),
            KeyError::Member("a member"),
        ]
    );
}

#[test]
fn a_document_without_a_usable_key_is_refused() {
    for (text, expected) in [
        ("", "no JSON Web Key Set"),
        ("{}", "no JSON Web Key Set"),
        ("[]", "no JSON Web Key Set"),
        ("<html>", "no JSON Web Key Set"),
        (r#"{"keys":{}}"#, "no JSON Web Key Set"),
        (r#"{"keys":[]}"#, "no usable key"),
        (
            r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#,
            "no usable key (key 0: private key material",
        ),
    ] {
        let error = parse_jwks(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
    let many = json!({ "keys": vec![EC.public_jwk("k"); JWKS_KEYS_MAX + 1] }).to_string();
    assert_eq!(parse_jwks(many.as_bytes()).unwrap_err(), JwksError::TooManyKeys);
    assert_eq!(
        parse_jwks(&vec![b' '; JWKS_BYTES_MAX + 1]).unwrap_err(),
        JwksError::TooLarge
    );
}

#[test]
fn one_key_may_stand_in_a_set_several_times() {
    let now = UnixTime::from_seconds(NOW);
    let mut pinned = RSA.public_jwk("k");
    pinned["alg"] = json!("RS512");
    for (what, keys) in [
        ("the same twice", vec![RSA.public_jwk("k"), RSA.public_jwk("k")]),
        ("under two ids", vec![RSA.public_jwk("k"), RSA.public_jwk("l")]),
        ("for another algorithm", vec![RSA.public_jwk("k"), pinned]),
    ] {
        let set = parse_jwks(json!({ "keys": keys }).to_string().as_bytes())
            .unwrap()
            .keys;
        for kid in [Some("k"), None] {
            let token = RSA.mint(kid, &claims()).unwrap();
            assert_eq!(verify_at(&token, &rules(), &set, now), Ok(()), "{what}, {kid:?}");
        }
    }
}

#[test]
fn two_keys_with_one_id_are_told_apart_by_algorithm_or_not_at_all() {
    let other = SigningKey::generate(Algorithm::Rs256).unwrap();
    let document = json!({ "keys": [RSA.public_jwk("k"), EC.public_jwk("k")] }).to_string();
    let set = parse_jwks(document.as_bytes()).unwrap().keys;
    let now = UnixTime::from_seconds(NOW);
    assert_eq!(
        verify_at(&EC.mint(Some("k"), &claims()).unwrap(), &rules(), &set, now),
        Ok(())
    );
    let document = json!({ "keys": [RSA.public_jwk("k"), other.public_jwk("k")] }).to_string();
    let set = parse_jwks(document.as_bytes()).unwrap().keys;
    let token = RSA.mint(Some("k"), &claims()).unwrap();
    assert_eq!(
        verify_at(&token, &rules(), &set, now),
        Err(TokenError::KeyAmbiguous)
    );
}

#[test]
fn access_tokens_have_all_that_their_profile_promises() {
    let rules = Rules {
        token_types: TokenTypes::only(ACCESS_TOKEN_TYPE),
        profile: Profile::AccessToken,
        ..rules()
    };
    let good = json!({
        "iss": ISSUER, "sub": "alice", "aud": AUDIENCE, "iat": NOW - 10, "exp": NOW + 600,
        "client_id": "app", "jti": "1",
    });
    let judge = |header: &str, claims: &Json| {
        let token = RSA
            .sign(header.as_bytes(), claims.to_string().as_bytes())
            .unwrap();
        verify_at(&token, &rules, &keys(), UnixTime::from_seconds(NOW))
    };
    const TYPED: &str = r#"{"alg":"RS256","kid":"rsa","typ":"at+jwt"}"#;
    for (header, expected) in [
        (TYPED, Ok(())),
        (
            r#"{"alg":"RS256","kid":"rsa","typ":"application/AT+JWT"}"#,
            Ok(()),
        ),
        (r#"{"alg":"RS256","kid":"rsa"}"#, Err(TokenError::TypeNotAllowed)),
        (
            r#"{"alg":"RS256","kid":"rsa","typ":"JWT"}"#,
            Err(TokenError::TypeNotAllowed),
        ),
        (
            r#"{"alg":"RS256","kid":"rsa","typ":""}"#,
            Err(TokenError::TypeNotAllowed),
        ),
    ] {
        assert_eq!(judge(header, &good), expected, "{header}");
    }
    for (name, missing, wrong) in [
        ("iss", TokenError::IssuerMissing, TokenError::IssuerMissing),
        ("exp", TokenError::ExpirationMissing, TokenError::TimeMalformed),
        ("iat", TokenError::ClaimMissing, TokenError::TimeMalformed),
        ("aud", TokenError::AudienceMissing, TokenError::AudienceMalformed),
        ("sub", TokenError::ClaimMissing, TokenError::ClaimType),
        ("client_id", TokenError::ClaimMissing, TokenError::ClaimType),
        ("jti", TokenError::ClaimMissing, TokenError::ClaimType),
    ] {
        let mut claims = good.clone();
        claims[name] = json!({});
        assert_eq!(judge(TYPED, &claims), Err(wrong), "{name} of another type");
        claims.as_object_mut().unwrap().remove(name);
        assert_eq!(judge(TYPED, &claims), Err(missing), "no {name}");
    }
    for (name, value, expected) in [
        ("jti", json!(null), TokenError::ClaimMissing),
        ("jti", json!(""), TokenError::ClaimType),
        ("client_id", json!(7), TokenError::ClaimType),
        ("client_id", json!(["app"]), TokenError::ClaimType),
    ] {
        let mut claims = good.clone();
        claims[name] = value;
        assert_eq!(judge(TYPED, &claims), Err(expected), "{claims}");
    }
}
