//! Keys that are weak, malformed or ambiguous, one by one: each is left out with its reason, and costs no other key.
//! Whoever can write into a key set decides who gets in, so a key is doubted as long as anything is odd about it.

use super::*;

/// What becomes of a key, written as JSON text, in a set with a good one.
#[track_caller]
fn check(jwk: &str, expected: Result<(), KeyError>) {
    let document = format!(r#"{{"keys":[{jwk},{}]}}"#, ED.public_jwk("good"));
    let parsed = parse_jwks(document.as_bytes()).unwrap();
    let used = parsed.skipped.is_empty();
    let found = match parsed.skipped.first() {
        Some(skipped) => Err(skipped.error.clone()),
        None => Ok(()),
    };
    assert_eq!(parsed.keys.keys().len(), if used { 2 } else { 1 }, "{jwk}");
    assert_eq!(found, expected, "{jwk}");
}

#[track_caller]
fn check_with(jwk: &Json, name: &str, value: Json, expected: Result<(), KeyError>) {
    let mut jwk = jwk.clone();
    jwk[name] = value;
    check(&jwk.to_string(), expected);
}

fn encoded(bytes: impl AsRef<[u8]>) -> Json {
    json!(URL_SAFE_NO_PAD.encode(bytes))
}

fn decoded(jwk: &Json, name: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap()
}

/// An odd number of so many bits without small factors: nobody's modulus.
fn number(bits: usize) -> Vec<u8> {
    let mut bytes = ones(bits);
    let small = |bytes: &[u8]| {
        let residue = |prime: u32| {
            bytes
                .iter()
                .fold(0, |residue, byte| (residue * 256 + u32::from(*byte)) % prime)
        };
        (3..752).step_by(2).any(|divisor| residue(divisor) == 0)
    };
    while small(&bytes) {
        *bytes.last_mut().unwrap() -= 2;
    }
    bytes
}

/// 2^bits - 1, which is odd and nobody's modulus.
fn ones(bits: usize) -> Vec<u8> {
    let mut bytes = vec![0xff; bits.div_ceil(8)];
    if !bits.is_multiple_of(8) {
        bytes[0] = (1 << (bits % 8)) - 1;
    }
    bytes
}

#[test]
fn rsa() {
    let jwk = RSA.public_jwk("k");
    for bits in [1, 512, 1024, 2040, 2047, 8193, 16_384] {
        check_with(&jwk, "n", encoded(ones(bits)), Err(KeyError::RsaBits(bits)));
    }
    for bits in [2048, 2049, 3072, 4096, 8192] {
        check_with(&jwk, "n", encoded(number(bits)), Ok(()));
    }
    let modulus = decoded(&jwk, "n");
    let mut even = modulus.clone();
    *even.last_mut().unwrap() &= 0xfe;
    for (n, expected) in [
        (encoded([]), Err(KeyError::RsaBits(0))),
        (encoded([0; 256]), Err(KeyError::RsaBits(0))),
        (
            encoded(&even),
            Err(KeyError::RsaWeak("its modulus has a small factor")),
        ),
        // RFC 7518 section 2: no leading zeros; some issuers write one all the same, and it changes nothing.
        (encoded([&[0], modulus.as_slice()].concat()), Ok(())),
        (
            encoded([vec![0; 128], ones(1024)].concat()),
            Err(KeyError::RsaBits(1024)),
        ),
        (json!(null), Err(KeyError::Member("n"))),
        (json!(17), Err(KeyError::Member("a member"))),
        (json!("not base64!"), Err(KeyError::Member("n"))),
        (
            json!(format!("{}==", jwk["n"].as_str().unwrap())),
            Err(KeyError::Member("n")),
        ),
    ] {
        check_with(&jwk, "n", n, expected);
    }
    for exponent in [
        &[][..],
        &[0],
        &[1],
        &[2],
        &[4],
        &[0, 0, 1],
        &[1, 0, 0],
        &[0xff, 0xfe],
    ] {
        check_with(&jwk, "e", encoded(exponent), Err(KeyError::RsaExponent));
    }
    for exponent in [&[3][..], &[17], &[1, 0, 1], &[0, 1, 0, 1]] {
        check_with(&jwk, "e", encoded(exponent), Ok(()));
    }
    // A long exponent makes each check cost as much as signing.
    check_with(&jwk, "e", encoded([0xff; 256]), Err(KeyError::Invalid("RSA")));
    check_with(&jwk, "e", encoded(&modulus), Err(KeyError::Invalid("RSA")));
}

#[test]
fn what_is_no_json_value_is_wrong_with_its_key_only() {
    for jwk in [
        r#"{"kty":"RSA","x":1e400}"#,
        r#"{"kty":"RSA","kid":"\ud800"}"#,
        "17",
        "[]",
        "null",
        "\"text\"",
    ] {
        check(jwk, Err(KeyError::Member("a member")));
    }
    let deep = format!("{{\"kty\":{}{}}}", "[".repeat(5000), "]".repeat(5000));
    check(&deep, Err(KeyError::TooDeep));
}

#[test]
fn elliptic_curves() {
    let jwk = EC.public_jwk("k");
    let (x, y) = (decoded(&jwk, "x"), decoded(&jwk, "y"));
    let invalid = || Err(KeyError::Invalid("P-256"));
    let member = |name| Err(KeyError::Member(name));
    let mut other_y = y.clone();
    other_y[31] ^= 1;
    for (name, value, expected) in [
        ("y", encoded(&other_y), invalid()),
        ("y", encoded(&x), invalid()),
        ("x", encoded([0; 32]), invalid()),
        ("x", encoded([0xff; 32]), invalid()),
        ("x", encoded(&x[1..]), member("x")),
        ("x", encoded([&[0], x.as_slice()].concat()), member("x")),
        ("y", encoded([y.as_slice(), &[0]].concat()), member("y")),
        ("y", encoded([]), member("y")),
        ("y", json!(null), member("y")),
        ("crv", json!("P-384"), Err(KeyError::Member("x"))),
        ("crv", json!("P-521"), Err(KeyError::Member("x"))),
        ("crv", json!("p-256"), Err(KeyError::Kind("EC p-256".to_owned()))),
        (
            "crv",
            json!("secp256k1"),
            Err(KeyError::Kind("EC secp256k1".to_owned())),
        ),
        (
            "crv",
            json!("Ed25519"),
            Err(KeyError::Kind("EC Ed25519".to_owned())),
        ),
        ("crv", json!(null), Err(KeyError::Kind("EC ".to_owned()))),
        ("kty", json!("ec"), Err(KeyError::Kind("ec P-256".to_owned()))),
        ("kty", json!("OKP"), Err(KeyError::Kind("OKP P-256".to_owned()))),
    ] {
        check_with(&jwk, name, value, expected);
    }
    // The point at infinity has no affine coordinates; zeros are what some libraries write for it.
    let mut infinity = jwk.clone();
    (infinity["x"], infinity["y"]) = (encoded([0; 32]), encoded([0; 32]));
    check(&infinity.to_string(), invalid());
    // A point of P-256 padded to the length of P-384.
    let mut padded = jwk;
    padded["crv"] = json!("P-384");
    padded["alg"] = json!("ES384");
    for (name, bytes) in [("x", &x), ("y", &y)] {
        padded[name] = encoded([&[0; 16], bytes.as_slice()].concat());
    }
    check(&padded.to_string(), Err(KeyError::Invalid("P-384")));
}

/// RFC 7518 section 6.2.1.2: a coordinate that begins with zeros is written with them.
#[test]
fn coordinates_keep_their_leading_zeros() {
    let jwk = (0..20_000)
        .map(|_| SigningKey::generate(Algorithm::Es256).unwrap().public_jwk("k"))
        .find(|jwk| decoded(jwk, "x")[0] == 0)
        .expect("one in 256 begins with a zero");
    check(&jwk.to_string(), Ok(()));
    check_with(
        &jwk,
        "x",
        encoded(&decoded(&jwk, "x")[1..]),
        Err(KeyError::Member("x")),
    );
}

#[test]
fn ed25519() {
    let jwk = ED.public_jwk("k");
    let x = decoded(&jwk, "x");
    // The eight points of small order and the encodings that are not canonical (RFC 8032 section 5.1.3), as collected in
    // "Taming the many EdDSAs" (Chalkias, Garillot and Nikolaenko, 2020), with either sign.
    let order_eight = [
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    ];
    let others = [
        ("00", "00", "00"),
        ("01", "00", "00"),
        ("ec", "ff", "7f"),
        ("ed", "ff", "7f"),
        ("ee", "ff", "7f"),
    ];
    let written = others.map(|(first, middle, last)| format!("{first}{}{last}", middle.repeat(30)));
    for text in written.iter().map(String::as_str).chain(order_eight) {
        let mut bytes: Vec<u8> = (0..32)
            .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
            .collect();
        for sign in [0, 0x80] {
            bytes[31] = bytes[31] & 0x7f | sign;
            check_with(&jwk, "x", encoded(&bytes), Err(KeyError::SmallOrder));
        }
    }
    // Ordinates of p + 2 to p + 18: other spellings of 2 to 18.
    for first in 0xef..=0xff {
        for last in [0x7f, 0xff] {
            let bytes = [&[first], [0xff; 30].as_slice(), &[last]].concat();
            check_with(&jwk, "x", encoded(bytes), Err(KeyError::Invalid("Ed25519")));
        }
    }
    for (name, value, expected) in [
        ("x", encoded(&x[..31]), Err(KeyError::Member("x"))),
        (
            "x",
            encoded([x.as_slice(), &[0]].concat()),
            Err(KeyError::Member("x")),
        ),
        ("crv", json!("Ed448"), Err(KeyError::Kind("OKP Ed448".to_owned()))),
        (
            "crv",
            json!("X25519"),
            Err(KeyError::Kind("OKP X25519".to_owned())),
        ),
        (
            "crv",
            json!("ed25519"),
            Err(KeyError::Kind("OKP ed25519".to_owned())),
        ),
        ("alg", json!("Ed25519"), Ok(())),
        (
            "alg",
            json!("Ed448"),
            Err(KeyError::Algorithm("Ed448".to_owned())),
        ),
    ] {
        check_with(&jwk, name, value, expected);
    }
}

#[test]
fn what_a_key_is_for() {
    for jwk in [RSA.public_jwk("k"), EC.public_jwk("k"), ED.public_jwk("k")] {
        for (name, value, expected) in [
            ("use", json!("sig"), Ok(())),
            ("use", json!(null), Ok(())),
            ("use", json!("enc"), Err(KeyError::Use)),
            ("use", json!("SIG"), Err(KeyError::Use)),
            ("use", json!(""), Err(KeyError::Use)),
            ("use", json!(["sig"]), Err(KeyError::Member("a member"))),
            ("key_ops", json!(["verify"]), Ok(())),
            ("key_ops", json!(["sign", "verify"]), Ok(())),
            ("key_ops", json!([]), Err(KeyError::Use)),
            ("key_ops", json!(["sign"]), Err(KeyError::Use)),
            ("key_ops", json!(["encrypt", "wrapKey"]), Err(KeyError::Use)),
            ("key_ops", json!("verify"), Err(KeyError::Member("a member"))),
            ("key_ops", json!(["verify", 1]), Err(KeyError::Member("a member"))),
            ("alg", json!(null), Ok(())),
            ("alg", json!(256), Err(KeyError::Member("a member"))),
            ("kid", json!(null), Ok(())),
            ("kid", json!(1), Err(KeyError::Member("a member"))),
            ("kid", json!(["k"]), Err(KeyError::Member("a member"))),
            ("kid", json!("k".repeat(KID_BYTES_MAX)), Ok(())),
            (
                "kid",
                json!("k".repeat(KID_BYTES_MAX + 1)),
                Err(KeyError::Member("kid")),
            ),
        ] {
            check_with(&jwk, name, value, expected);
        }
        for alg in [
            "none", "HS256", "RSA-OAEP", "ECDH-ES", "rs256", "es256", "eddsa", "", "ES256K",
        ] {
            check_with(&jwk, "alg", json!(alg), Err(KeyError::Algorithm(alg.to_owned())));
        }
        for own in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            for value in [json!("AAAA"), json!(""), json!(null), json!([{}])] {
                check_with(&jwk, own, value, Err(KeyError::Private));
            }
        }
    }
    check_with(&RSA.public_jwk("k"), "alg", json!("PS256"), Ok(()));
    check_with(
        &EC.public_jwk("k"),
        "alg",
        json!("ES384"),
        Err(KeyError::Algorithm("ES384".to_owned())),
    );
}

/// RFC 7517 section 4: names are unique, or a reader may take the last. The next reader takes the first.
#[test]
fn a_member_twice_costs_the_key() {
    let good = EC.public_jwk("k").to_string();
    let other = SigningKey::generate(Algorithm::Es256).unwrap().public_jwk("k");
    for (name, value) in [
        ("kid", "\"k\""),
        ("kid", "\"other\""),
        ("k\\u0069d", "\"other\""),
        ("x", &other["x"].to_string()),
        ("use", "\"enc\""),
        ("alg", "\"ES256\""),
        ("unknown", "1"),
    ] {
        let extra = format!(r#""{name}":{value},"#);
        let extra = if name == "unknown" { extra.repeat(2) } else { extra };
        check(
            &good.replacen('{', &format!("{{{extra}"), 1),
            Err(KeyError::Duplicate),
        );
    }
    check(
        &good.replacen('{', r#"{"x5c":[{"a":1,"a":2}],"#, 1),
        Err(KeyError::Duplicate),
    );
    // Two lists of keys are none.
    let document = format!(r#"{{"keys":[{good}],"keys":[{good}]}}"#);
    assert!(matches!(parse_jwks(document.as_bytes()), Err(JwksError::Json(_))));
}

#[test]
fn depth_and_numbers_cost_no_stack_and_no_other_key() {
    let good = EC.public_jwk("k").to_string();
    let nested = |levels: usize| {
        good.replacen(
            '{',
            &format!("{{\"z\":{}{},", "[".repeat(levels), "]".repeat(levels)),
            1,
        )
    };
    check(&nested(15), Ok(()));
    check(&nested(16), Err(KeyError::TooDeep));
    check(&nested(100_000), Err(KeyError::TooDeep));
    // Outside of the keys nothing is read.
    let beside = |text: &str| parse_jwks(format!(r#"{{"a":{text},"keys":[{good}]}}"#).as_bytes());
    assert!(beside(&format!("{}{}", "[".repeat(100_000), "]".repeat(100_000))).is_ok());
    for text in [
        "[".repeat(100_000),
        "1e9999".to_owned().repeat(2),
        "NaN".to_owned(),
    ] {
        assert!(matches!(beside(&text), Err(JwksError::Json(_))));
    }
    // A number that no double holds is a fault of its key.
    let number = |text: &str| good.replacen('{', &format!("{{\"z\":{text},"), 1);
    check(&number("123456789012345678901234567890"), Ok(()));
    check(&number("1e999"), Err(KeyError::Member("a member")));
}

#[test]
fn ids_that_two_keys_share_choose_neither() {
    let other = SigningKey::generate(Algorithm::Es256).unwrap();
    let document = json!({ "keys": [EC.public_jwk("k"), other.public_jwk("k"), RSA.public_jwk("r")] });
    let set = parse_jwks(document.to_string().as_bytes()).unwrap().keys;
    assert_eq!(
        set.choose(KeyHint::Kid("k"), Algorithm::Es256).err(),
        Some(TokenError::KeyAmbiguous)
    );
    assert_eq!(
        set.choose(KeyHint::None, Algorithm::Es256).err(),
        Some(TokenError::KeyAmbiguous)
    );
    assert_eq!(
        set.choose(KeyHint::Kid("k"), Algorithm::Rs256).err(),
        Some(TokenError::KeyUnknown)
    );
    assert_eq!(
        set.choose(KeyHint::Kid(""), Algorithm::Rs256).err(),
        Some(TokenError::KeyUnknown)
    );
    assert!(set.choose(KeyHint::None, Algorithm::Rs256).is_ok());
}
