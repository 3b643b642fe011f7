//! Rows about tokens that somebody made on purpose: every form of attack that the standards and the advisories of this
//! field know, and beside each the honest token that looks most like it and passes.
//!
//! A forger here knows all that is public: header, claims and public keys of every issuer. What he lacks is a key.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tollgate::mint::SharedSecret;
use tollgate::token::Algorithm;

use super::tokens::{MALFORMED, SERVED, SIGNATURE, refused, refused_text, served};
use super::{Row, row};
use crate::harness::{Token, get};
use crate::world::{SHARED_SECRET, World};

/// The order of the base point of P-256, big-endian (SEC 2 section 2.4.2).
const P256_ORDER: &str = "_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE";

pub(super) fn rows(world: &World) -> Vec<Row> {
    let mut rows = unsigned(world);
    rows.extend(confused(world));
    rows.extend(named_keys(world));
    rows.extend(signatures(world));
    rows.extend(shared(world));
    rows
}

pub(super) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Header and claims as they would be signed.
fn unsigned_text(header: &Value, claims: &str) -> String {
    format!("{}.{}", encode(header.to_string()), encode(claims))
}

/// Tokens without a signature, whatever they call it.
fn unsigned(world: &World) -> Vec<Row> {
    let claims = world.token().claims_text();
    let good = world.token().text();
    let signature = good.rsplit_once('.').unwrap().1;
    let mut rows = Vec::new();
    for (what, alg) in [
        ("none, with somebody's signature", json!("none")),
        ("None, with somebody's signature", json!("None")),
        ("NONE, with somebody's signature", json!("NONE")),
        ("nOnE, with somebody's signature", json!("nOnE")),
        ("none with a blank", json!("none ")),
        ("none with NUL", json!("none\0")),
        ("none in Cyrillic", json!("n\u{043e}ne")),
        ("alg false", json!(false)),
        ("alg 0", json!(0)),
        ("alg an object", json!({ "alg": "ES256" })),
        ("alg with a blank", json!("ES256 ")),
        ("alg with NUL", json!("ES256\0")),
        ("an unknown alg", json!("ES256K")),
    ] {
        let signed = unsigned_text(&json!({ "alg": alg, "typ": "JWT", "kid": "k1" }), &claims);
        rows.push(refused_text(
            what,
            &format!("{signed}.{signature}"),
            "algorithm_not_allowed",
            SIGNATURE,
        ));
    }
    let signed = unsigned_text(&json!({ "alg": "none" }), &claims);
    for (what, token) in [
        ("none and an empty signature", format!("{signed}.")),
        ("none and no signature", signed),
        ("nothing but dots", "..".to_owned()),
        ("a dot before", format!(".{good}")),
        ("an empty header", format!(".{}.{signature}", encode(&claims))),
        ("empty claims", format!("{}..{signature}", encode("{}"))),
        ("six parts", format!("{good}.a.b.c")),
        ("seven parts", "a.b.c.d.e.f.g".to_owned()),
    ] {
        rows.push(refused_text(what, &token, "parts_malformed", MALFORMED));
    }
    rows
}

/// CVE-2015-9235: what is public, used as what is shared. Also at an issuer that does share a secret, and accepted by
/// the same plan as issuers with public keys.
fn confused(world: &World) -> Vec<Row> {
    let rsa = &world.acme_rsa;
    let pem = rsa.key.public_pem();
    let jwk = rsa.key.public_jwk("r1");
    let modulus = URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap();
    let der = pem::parse(&pem).unwrap().into_contents();
    let forms: [(&'static str, &'static str, Vec<u8>); 8] = [
        (
            "PEM as a secret",
            "PEM as a shared secret",
            pem.clone().into_bytes(),
        ),
        (
            "PEM without its last line break",
            "PEM without its last line break, shared",
            pem.trim_end().as_bytes().to_vec(),
        ),
        (
            "PEM without line breaks",
            "PEM without line breaks, shared",
            pem.replace('\n', "").into_bytes(),
        ),
        ("DER as a secret", "DER as a shared secret", der.clone()),
        (
            "DER in base64 as a secret",
            "DER in base64 as a shared secret",
            STANDARD.encode(&der).into_bytes(),
        ),
        (
            "the modulus as a secret",
            "the modulus as a shared secret",
            modulus,
        ),
        (
            "the JWK's text as a secret",
            "the JWK's text as a shared secret",
            jwk.to_string().into_bytes(),
        ),
        ("an empty secret", "an empty shared secret", Vec::new()),
    ];
    let mut rows = Vec::new();
    for (what, shared, secret) in forms {
        let sign = |kid: &str, claims: &str| {
            let header = json!({ "alg": "HS256", "typ": "JWT", "kid": kid });
            let signed = unsigned_text(&header, claims);
            let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
            format!("{signed}.{}", encode(hmac::sign(&key, signed.as_bytes())))
        };
        let token = sign("r1", &rsa.token().claims_text());
        rows.push(refused_text(what, &token, "algorithm_not_allowed", SIGNATURE));
        let claims = rsa.token().claim("iss", "https://shared.example/").claims_text();
        rows.push(refused_text(
            shared,
            &sign("h1", &claims),
            "signature_invalid",
            SIGNATURE,
        ));
    }
    rows
}

/// Keys that the token brings along, points to, or names in ways that once led somewhere.
fn named_keys(world: &World) -> Vec<Row> {
    let bait = format!("http://{}/", world.bait.local_addr().unwrap());
    let forged = || world.token().signed_by(&world.globex);
    let honest = || world.token();
    let embedded = world.globex.key.public_jwk("k1");
    let mut rows = Vec::new();
    let key = |what, token: &Token<'_>| refused(what, token, "key_unknown", SIGNATURE);
    for (name, forged_what, honest_what, value) in [
        ("jwk", "a key of its own", "a key of its own, not used", embedded),
        (
            "jku",
            "a place where keys are",
            "a place where keys are, not asked",
            json!(format!("{bait}jwks.json")),
        ),
        (
            "x5u",
            "a place where a certificate is",
            "a place where a certificate is, not asked",
            json!(format!("{bait}cert.pem")),
        ),
        (
            "x5c",
            "a certificate of its own",
            "a certificate of its own, not used",
            json!(["MIIB"]),
        ),
        (
            "jku",
            "a place of keys by file",
            "a place of keys by file, not read",
            json!("file:///dev/null"),
        ),
        (
            "jku",
            "a place of keys by ftp",
            "a place of keys by ftp, not asked",
            json!("ftp://127.0.0.1/keys"),
        ),
        (
            "jku",
            "a place of keys at a metadata service",
            "a place of keys at a metadata service, not asked",
            json!("http://169.254.169.254/latest"),
        ),
    ] {
        rows.push(refused(
            forged_what,
            &forged().header(name, value.clone()),
            "signature_invalid",
            SIGNATURE,
        ));
        rows.push(served(honest_what, &honest().header(name, value)));
    }
    for (what, kid) in [
        ("kid with a path", "../../../../../../dev/null"),
        ("kid with a path and the end cut", "/dev/null\0k1"),
        ("kid with SQL", "k1' UNION SELECT 'secret"),
        ("kid with LDAP", "*)(uid=*"),
        ("kid with a command", "k1;$(id)"),
        ("kid with a line break", "k1\r\nX-User: root"),
        ("kid with a blank", "k1 "),
        ("kid with a blank before", " k1"),
        ("kid that looks alike", "\u{ff4b}1"),
        ("kid with a combining mark", "k1\u{0301}"),
        ("kid of a default key", "default"),
        ("kid that is a URL", "http://127.0.0.1/keys"),
        ("kid of another issuer", "s1"),
        ("kid of a secret", "h1"),
    ] {
        rows.push(key(what, &forged().header("kid", kid)));
    }
    let long = "k".repeat(8000);
    rows.push(key("a kid of 8000 characters", &forged().header("kid", long)));
    for (what, value) in [
        ("kid is a list", json!(["k1"])),
        ("kid is an object", json!({ "kid": "k1" })),
        ("kid is true", json!(true)),
        ("kid is a fraction", json!(1.5)),
    ] {
        rows.push(refused(
            what,
            &forged().header("kid", value),
            "header_type_invalid",
            MALFORMED,
        ));
    }
    rows.push(refused(
        "kid twice",
        &honest().raw_header(br#"{"alg":"ES256","kid":"k1","kid":"k1"}"#),
        "duplicate_member",
        MALFORMED,
    ));
    let unnamed = || honest().without_header("kid");
    rows.push(key(
        "a certificate that no key has",
        &unnamed().header("x5t#S256", encode([1; 32])),
    ));
    rows.push(key(
        "a certificate that no key has, by SHA-1",
        &unnamed().header("x5t", encode([1; 20])),
    ));
    rows.push(refused(
        "a certificate's name that is a number",
        &honest().header("x5t", 1),
        "header_type_invalid",
        MALFORMED,
    ));
    // Keys of one set, each pinned to its algorithm.
    for (what, from, to) in [
        ("RS256 with the key for PS256", "PS256", "RS256"),
        ("PS256 with the key for RS256", "RS256", "PS256"),
        ("RS512 with the key for RS256", "RS256", "RS512"),
        ("ES384 with the key for ES256", "ES256", "ES384"),
        ("EdDSA with the key for ES256", "ES256", "EdDSA"),
    ] {
        let issuer = world.many.iter().find(|issuer| issuer.kid == from).unwrap();
        rows.push(key(what, &issuer.token().header("alg", to)));
    }
    // A token of one issuer signed with another's key, both with the same kid, both ways and at a third.
    rows.push(refused(
        "our key for another issuer's token",
        &world.globex.token().signed_by(&world.acme),
        "signature_invalid",
        SIGNATURE,
    ));
    rows.push(key(
        "a key of one issuer, a name of another",
        &world
            .globex
            .token()
            .signed_by(&world.acme_rsa)
            .header("alg", "ES256")
            .header("kid", "r1"),
    ));
    rows
}

/// Signatures that are none.
fn signatures(world: &World) -> Vec<Row> {
    let good = world.token().text();
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let raw = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let (r, s) = raw.split_at(32);
    let order = URL_SAFE_NO_PAD.decode(P256_ORDER).unwrap();
    let zero = [0_u8; 32];
    let mut one = zero;
    one[31] = 1;
    let der = |r: &[u8], s: &[u8]| {
        let integer = |number: &[u8]| {
            let mut bytes = number
                .iter()
                .copied()
                .skip_while(|byte| *byte == 0)
                .collect::<Vec<_>>();
            if bytes.first().is_none_or(|first| first & 0x80 != 0) {
                bytes.insert(0, 0);
            }
            [&[2, u8::try_from(bytes.len()).unwrap()], &bytes[..]].concat()
        };
        let body = [integer(r), integer(s)].concat();
        [&[0x30, u8::try_from(body.len()).unwrap()], &body[..]].concat()
    };
    let mut rows = Vec::new();
    for (what, bytes) in [
        ("r is zero", [&zero[..], s].concat()),
        ("s is zero", [r, &zero[..]].concat()),
        ("r and s are the order", [&order[..], &order[..]].concat()),
        ("r is the order, s is zero", [&order[..], &zero[..]].concat()),
        ("r and s are one", [one, one].concat()),
        ("r and s change places", [s, r].concat()),
        ("DER in place of r and s", der(r, s)),
        ("r alone", r.to_vec()),
        ("half a byte too few each", [&r[..31], &s[..31]].concat()),
        ("a zero before each", [&[0], r, &[0], s].concat()),
        ("a signature of P-384's length", vec![7; 96]),
        ("a signature of RSA's length", vec![7; 256]),
        ("a signature of the longest RSA", vec![7; 1024]),
        ("r and s all ones", vec![0xff; 64]),
    ] {
        rows.push(refused_text(
            what,
            &format!("{signed}.{}", encode(bytes)),
            "signature_invalid",
            SIGNATURE,
        ));
    }
    // n - s is as good a signature as s (SEC 1 section 4.1.4): the same caller, the same token in other words.
    let mut twin = r.to_vec();
    twin.extend(subtract(&order, s));
    rows.push(row(
        "the twin of a signature",
        get("/orders/menu/today").bearer(&format!("{signed}.{}", encode(twin))),
        SERVED,
    ));
    let rsa = world.acme_rsa.token().text();
    let (signed, signature) = rsa.rsplit_once('.').unwrap();
    let raw = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let mut flipped = raw.clone();
    flipped[100] ^= 1;
    for (what, bytes) in [
        ("RSA cut short", raw[..255].to_vec()),
        ("RSA with a byte before", [&[0], &raw[..]].concat()),
        ("RSA with a byte behind", [&raw[..], &[0]].concat()),
        ("RSA, one bit changed", flipped),
        ("RSA zero", vec![0; 256]),
        ("RSA one", [vec![0; 255], vec![1]].concat()),
        ("RSA all ones", vec![0xff; 256]),
    ] {
        rows.push(refused_text(
            what,
            &format!("{signed}.{}", encode(bytes)),
            "signature_invalid",
            SIGNATURE,
        ));
    }
    let eddsa = world
        .many
        .iter()
        .find(|issuer| issuer.kid == "EdDSA")
        .unwrap()
        .token()
        .text();
    let (signed, signature) = eddsa.rsplit_once('.').unwrap();
    let raw = URL_SAFE_NO_PAD.decode(signature).unwrap();
    for (what, bytes) in [
        ("EdDSA with S + L", malleated(&raw)),
        ("EdDSA zero", vec![0; 64]),
        (
            "EdDSA with the identity for R",
            [&one_le()[..], &[0; 32]].concat(),
        ),
        ("EdDSA cut short", raw[..63].to_vec()),
        ("EdDSA longer", [&raw[..], &[0]].concat()),
    ] {
        rows.push(refused_text(
            what,
            &format!("{signed}.{}", encode(bytes)),
            "signature_invalid",
            SIGNATURE,
        ));
    }
    rows
}

/// 1 in little-endian: the encoding of the neutral element of Ed25519.
fn one_le() -> [u8; 32] {
    let mut one = [0; 32];
    one[0] = 1;
    one
}

/// The signature with S + L in place of S (RFC 8032 section 5.1.7 refuses it: one signature, one spelling).
fn malleated(signature: &[u8]) -> Vec<u8> {
    const L: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut malleated = signature.to_vec();
    let mut carry = 0_u16;
    for (byte, l) in malleated[32..].iter_mut().zip(L) {
        let sum = u16::from(*byte) + u16::from(l) + carry;
        *byte = u8::try_from(sum & 0xff).unwrap();
        carry = sum >> 8;
    }
    malleated
}

/// Big-endian numbers of 32 bytes, the first the larger.
fn subtract(from: &[u8], what: &[u8]) -> Vec<u8> {
    let mut difference = vec![0; 32];
    let mut borrow = 0_i16;
    for place in (0..32).rev() {
        let mut digit = i16::from(from[place]) - i16::from(what[place]) - borrow;
        borrow = i16::from(digit < 0);
        if digit < 0 {
            digit += 256;
        }
        difference[place] = u8::try_from(digit).unwrap();
    }
    difference
}

/// An issuer that shares a secret with the gateway, beside issuers that have public keys.
fn shared(world: &World) -> Vec<Row> {
    let claims: Value = serde_json::from_str(
        &world
            .token()
            .claim("iss", "https://shared.example/")
            .claims_text(),
    )
    .unwrap();
    let sign = |algorithm, secret: &str| SharedSecret::new(algorithm, secret.into()).unwrap();
    let today = |token: &str| get("/orders/menu/today").bearer(token);
    let ours = |algorithm| sign(algorithm, SHARED_SECRET);
    let text = |what, token: &str, reason| refused_text(what, token, reason, SIGNATURE);
    let good = ours(Algorithm::Hs256).mint(Some("h1"), &claims);
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let half = encode(&URL_SAFE_NO_PAD.decode(signature).unwrap()[..16]);
    let as_acme: Value = serde_json::from_str(&world.token().claims_text()).unwrap();
    vec![
        row("HS256", today(&good), SERVED),
        row(
            "HS384",
            today(&ours(Algorithm::Hs384).mint(Some("h1"), &claims)),
            SERVED,
        ),
        row(
            "HS512",
            today(&ours(Algorithm::Hs512).mint(Some("h1"), &claims)),
            SERVED,
        ),
        row(
            "HS256 without kid, by the default secret",
            today(&ours(Algorithm::Hs256).mint(None, &claims)),
            SERVED,
        ),
        text(
            "HS256 with another secret",
            &sign(Algorithm::Hs256, "another").mint(Some("h1"), &claims),
            "signature_invalid",
        ),
        text(
            "HS256 with a line break behind the secret",
            &sign(Algorithm::Hs256, &format!("{SHARED_SECRET}\n")).mint(Some("h1"), &claims),
            "signature_invalid",
        ),
        text(
            "HS256 with half a signature",
            &format!("{signed}.{half}"),
            "signature_invalid",
        ),
        text(
            "HS512's signature called HS256",
            &ours(Algorithm::Hs512).sign(br#"{"alg":"HS256","kid":"h1"}"#, claims.to_string().as_bytes()),
            "signature_invalid",
        ),
        text(
            "a public key's algorithm at an issuer with a secret",
            &world.token().claim("iss", "https://shared.example/").text(),
            "algorithm_not_allowed",
        ),
        text(
            "the secret for an issuer with public keys",
            &ours(Algorithm::Hs256).mint(Some("h1"), &as_acme),
            "algorithm_not_allowed",
        ),
        text(
            "a secret that is not there",
            &ours(Algorithm::Hs256).mint(Some("h2"), &claims),
            "key_unknown",
        ),
    ]
}
