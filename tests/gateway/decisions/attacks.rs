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

use super::tokens::{CLAIMS, MALFORMED, SIGNATURE, refused, refused_text, served};
use super::{Row, row};
use crate::harness::{Token, get, now};
use crate::world::{SHARED_SECRET, World};

/// The order of the base point of P-256, big-endian (SEC 2 section 2.4.2).
const P256_ORDER: &str = "_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE";

pub(super) fn rows(world: &World) -> Vec<Row> {
    let mut rows = unsigned(world);
    rows.extend(confused(world));
    rows.extend(named_keys(world));
    rows.extend(signatures(world));
    rows.extend(spelled(world));
    rows.extend(numbers(world));
    rows.extend(shared(world));
    rows.extend(honest(world));
    rows
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
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
        super::tokens::SERVED,
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

/// The same token in other characters, and JSON that two readers would read in two ways.
fn spelled(world: &World) -> Vec<Row> {
    let token = || world.token();
    let good = token().text();
    let parts: Vec<&str> = good.split('.').collect();
    let claims = token().claims_text();
    let mut rows = Vec::new();
    let text = |what, text: String, reason| refused_text(what, &text, reason, MALFORMED);
    for (what, token) in [
        (
            "padding at the header",
            format!("{}=.{}.{}", parts[0], parts[1], parts[2]),
        ),
        (
            "padding at the claims",
            format!("{}.{}=.{}", parts[0], parts[1], parts[2]),
        ),
        ("two equals signs behind", format!("{good}==")),
        ("percent-encoded padding", format!("{good}%3D")),
        ("a quote around", format!("\"{good}\"")),
        ("a brace", format!("{{{good}}}")),
        ("a colon behind", format!("{good}:")),
        (
            "a plus in the header",
            format!("+{}.{}.{}", &parts[0][1..], parts[1], parts[2]),
        ),
        (
            "a slash in the claims",
            format!("{}./{}.{}", parts[0], &parts[1][1..], parts[2]),
        ),
        ("a part of one character", format!("{}.{}.A", parts[0], parts[1])),
        (
            "stray bits in the header",
            format!("eyB.{}.{}", parts[1], parts[2]),
        ),
        (
            "stray bits in the claims",
            format!("{}.eyB.{}", parts[0], parts[2]),
        ),
    ] {
        rows.push(text(what, token, "base64_malformed"));
    }
    rows.push(text(
        "JSON serialisation",
        json!({ "payload": parts[1], "protected": parts[0], "signature": parts[2] }).to_string(),
        "parts_malformed",
    ));
    let header = |what, bytes: &[u8], reason| refused(what, &token().raw_header(bytes), reason, MALFORMED);
    rows.extend([
        header("a header that is a text", br#""ES256""#, "header_malformed"),
        header("a header that is null", b"null", "header_malformed"),
        header("a header that is a number", b"1", "header_malformed"),
        header("a header in UTF-16", b"{\0\"\0a\0", "header_malformed"),
        header(
            "a header with a byte order mark",
            "\u{feff}{\"alg\":\"ES256\"}".as_bytes(),
            "header_malformed",
        ),
        header(
            "a header with a comment",
            br#"{"alg":"ES256"/*x*/}"#,
            "header_malformed",
        ),
        header(
            "a header with a comma too many",
            br#"{"alg":"ES256",}"#,
            "header_malformed",
        ),
        header(
            "a header with single quotes",
            b"{'alg':'ES256'}",
            "header_malformed",
        ),
        header(
            "a header twice",
            br#"{"alg":"ES256"}{"alg":"none"}"#,
            "header_malformed",
        ),
        header(
            "a header with NUL behind",
            b"{\"alg\":\"ES256\"}\0",
            "header_malformed",
        ),
        header(
            "alg twice",
            br#"{"alg":"none","kid":"k1","alg":"ES256"}"#,
            "duplicate_member",
        ),
        header(
            "a member twice, inside",
            br#"{"alg":"ES256","jwk":{"a":1,"a":2}}"#,
            "duplicate_member",
        ),
        header(
            "a header with a lone surrogate",
            br#"{"alg":"\ud800"}"#,
            "header_malformed",
        ),
        header(
            "a header with raw control bytes",
            b"{\"alg\":\"ES\n256\"}",
            "header_malformed",
        ),
    ]);
    let deep = |levels: usize| {
        format!(
            "{{\"a\":{}{}}}",
            "{\"a\":".repeat(levels - 2) + "1",
            "}".repeat(levels - 2)
        )
    };
    rows.push(header(
        "a header that is deep",
        deep(18).as_bytes(),
        "nested_too_deep",
    ));
    let raw = |what, bytes: Vec<u8>, reason| refused(what, &token().raw_claims(&bytes), reason, MALFORMED);
    let with = |member: &str| claims.replacen('{', &format!("{{{member},"), 1).into_bytes();
    rows.extend([
        raw("claims that are null", b"null".to_vec(), "claims_malformed"),
        raw("claims that are a number", b"17".to_vec(), "claims_malformed"),
        raw("claims with NaN", with("\"x\":NaN"), "claims_malformed"),
        raw(
            "claims with Infinity",
            with("\"x\":-Infinity"),
            "claims_malformed",
        ),
        raw(
            "claims with a hexadecimal number",
            with("\"x\":0x10"),
            "claims_malformed",
        ),
        raw("claims with a leading zero", with("\"x\":01"), "claims_malformed"),
        raw("claims with a leading plus", with("\"x\":+1"), "claims_malformed"),
        raw(
            "claims with a number beyond a double",
            with("\"x\":-1e999"),
            "claims_malformed",
        ),
        raw(
            "claims with a lone surrogate",
            with(r#""x":"\udc00""#),
            "claims_malformed",
        ),
        raw(
            "claims with a wrong escape",
            with(r#""x":"\x41""#),
            "claims_malformed",
        ),
        raw("claims with NUL inside", with("\"x\":\"\0\""), "claims_malformed"),
        raw(
            "claims with overlong UTF-8",
            with("\"x\":\"?\"")
                .iter()
                .flat_map(|b| if *b == b'?' { vec![0xc0, 0xaf] } else { vec![*b] })
                .collect(),
            "claims_malformed",
        ),
        raw(
            "two sets of claims",
            format!("{claims}{claims}").into_bytes(),
            "claims_malformed",
        ),
        raw(
            "an issuer twice",
            with(r#""iss":"https://globex.example/""#),
            "duplicate_member",
        ),
        raw(
            "an issuer twice, escaped",
            with(r#""\u0069ss":"https://globex.example/""#),
            "duplicate_member",
        ),
        raw(
            "an audience twice",
            with(r#""aud":"https://other.example""#),
            "duplicate_member",
        ),
        raw(
            "a claim twice, inside",
            with(r#""x":{"y":1,"y":2}"#),
            "duplicate_member",
        ),
        raw(
            "a claim twice among a hundred",
            {
                let many: Vec<String> = (0..100).map(|i| format!("\"m{i}\":{i}")).collect();
                with(&format!("{},\"m50\":1", many.join(",")))
            },
            "duplicate_member",
        ),
        raw(
            "claims of 10,000 levels",
            with(&format!("\"x\":{}", "[".repeat(10_000))),
            "nested_too_deep",
        ),
        raw(
            "claims of 17 levels",
            with(&format!("\"x\":{}{}", "[".repeat(16), "]".repeat(16))),
            "nested_too_deep",
        ),
    ]);
    rows.push(row(
        "claims of 16 levels",
        get("/orders/menu/today").bearer(
            &token()
                .raw_claims(&with(&format!("\"x\":{}{}", "[".repeat(15), "]".repeat(15))))
                .text(),
        ),
        super::tokens::SERVED,
    ));
    for (what, name, value, reason, sentence) in [
        (
            "an unknown extension",
            "crit",
            json!(["x"]),
            "critical_extension",
            SIGNATURE,
        ),
        (
            "crit is a text",
            "crit",
            json!("exp"),
            "critical_extension",
            SIGNATURE,
        ),
        (
            "crit is null",
            "crit",
            json!(null),
            "critical_extension",
            SIGNATURE,
        ),
        (
            "crit with b64",
            "crit",
            json!(["b64"]),
            "critical_extension",
            SIGNATURE,
        ),
        ("b64 is true", "b64", json!(true), "critical_extension", SIGNATURE),
        (
            "PBES2",
            "p2c",
            json!(2_147_483_648_u32),
            "algorithm_not_allowed",
            SIGNATURE,
        ),
        (
            "cty of a token, in full",
            "cty",
            json!("application/jwt"),
            "type_not_allowed",
            SIGNATURE,
        ),
        (
            "cty is a number",
            "cty",
            json!(1),
            "header_type_invalid",
            MALFORMED,
        ),
        (
            "typ is a number",
            "typ",
            json!(1),
            "header_type_invalid",
            MALFORMED,
        ),
        (
            "typ of an identity token's event",
            "typ",
            json!("secevent+jwt"),
            "type_not_allowed",
            SIGNATURE,
        ),
        (
            "typ of an introspection answer",
            "typ",
            json!("token-introspection+jwt"),
            "type_not_allowed",
            SIGNATURE,
        ),
        (
            "typ with a blank",
            "typ",
            json!("JWT "),
            "type_not_allowed",
            SIGNATURE,
        ),
        (
            "typ with the prefix twice",
            "typ",
            json!("application/application/jwt"),
            "type_not_allowed",
            SIGNATURE,
        ),
    ] {
        let mut hostile = token().header(name, value);
        if name == "p2c" {
            hostile = hostile.header("alg", "PBES2-HS256+A128KW");
        }
        rows.push(refused(what, &hostile, reason, sentence));
    }
    rows
}

/// Times and types that are not what they seem.
fn numbers(world: &World) -> Vec<Row> {
    let token = || world.token();
    let claims = token().claims_text();
    let now = now();
    let exp = format!("\"exp\":{}", now + 300);
    assert!(claims.contains(&exp), "{claims}");
    let mut rows = Vec::new();
    let written = |number: &str| claims.replace(&exp, &format!("\"exp\":{number}")).into_bytes();
    for (what, number) in [
        ("exp is 1e30", "1e30".to_owned()),
        ("exp is -0.5", "-0.5".to_owned()),
        ("exp is 2^53 + 1", "9007199254740993".to_owned()),
        ("exp is 2^64", "18446744073709551616".to_owned()),
        ("exp is very small", "-9223372036854775808".to_owned()),
        ("exp is an object", "{}".to_owned()),
        ("exp is an empty list", "[]".to_owned()),
        ("exp is false", "false".to_owned()),
        ("exp is a date", "\"2099-01-01T00:00:00Z\"".to_owned()),
        ("exp is an empty text", "\"\"".to_owned()),
    ] {
        rows.push(refused(
            what,
            &token().raw_claims(&written(&number)),
            "time_malformed",
            CLAIMS,
        ));
    }
    for (what, number) in [
        ("exp with an exponent", format!("{}e-1", (now + 300) * 10)),
        ("exp as a decimal", format!("{}.000", now + 300)),
        ("exp with a fraction", format!("{}.75", now + 100)),
    ] {
        rows.push(row(
            what,
            get("/orders/menu/today").bearer(&token().raw_claims(&written(&number)).text()),
            super::tokens::SERVED,
        ));
    }
    for (what, name, value) in [
        ("nbf is null", "nbf", json!(null)),
        ("nbf is negative", "nbf", json!(-1)),
        ("nbf is a list", "nbf", json!([0])),
        ("nbf is huge", "nbf", json!(1e300)),
        ("iat is null", "iat", json!(null)),
        ("iat is negative", "iat", json!(-1)),
        ("iat is true", "iat", json!(true)),
        ("iat is huge", "iat", json!(1_u64 << 62)),
    ] {
        rows.push(refused(
            what,
            &token().claim(name, value),
            "time_malformed",
            CLAIMS,
        ));
    }
    for (what, name, value, reason) in [
        (
            "a subject that is a list",
            "sub",
            json!(["alice"]),
            "subject_type_invalid",
        ),
        (
            "a subject that is an object",
            "sub",
            json!({ "a": 1 }),
            "subject_type_invalid",
        ),
        (
            "a client id that is a list",
            "azp",
            json!(["mobile-app"]),
            "client_id_type_invalid",
        ),
        (
            "a client id that is true",
            "azp",
            json!(true),
            "client_id_type_invalid",
        ),
        (
            "scopes that are an object",
            "scope",
            json!({ "menu:read": true }),
            "scopes_type_invalid",
        ),
        (
            "scopes that are true",
            "scope",
            json!(true),
            "scopes_type_invalid",
        ),
        (
            "scopes with null",
            "scope",
            json!(["menu:read", null]),
            "scopes_type_invalid",
        ),
        (
            "scopes in a list in a list",
            "scope",
            json!([["menu:read"]]),
            "scopes_type_invalid",
        ),
    ] {
        rows.push(refused(what, &token().claim(name, value), reason, CLAIMS));
    }
    let long = "x".repeat(13_000);
    rows.push(refused_text(
        "one byte too long",
        &of_length(world, &long, 16 * 1024 + 1),
        "token_too_long",
        MALFORMED,
    ));
    rows.push(row(
        "not one byte too long",
        get("/orders/menu/today").bearer(&of_length(world, &long, 16 * 1024)),
        super::tokens::SERVED,
    ));
    rows
}

/// An honest token of exactly so many bytes. A part of base64url never has 4n + 1 characters, so the header helps.
fn of_length(world: &World, filling: &str, length: usize) -> String {
    for header in 0..4 {
        let mut claims = filling.len();
        loop {
            let token = world.token().header("x", "y".repeat(header));
            let text = token.claim("x", filling.get(..claims).unwrap()).text();
            match text.len().checked_sub(length) {
                Some(0) => return text,
                Some(excess) => claims -= (excess * 3 / 4).max(1),
                None => break,
            }
        }
    }
    panic!("no token has {length} bytes");
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
        row("HS256", today(&good), super::tokens::SERVED),
        row(
            "HS384",
            today(&ours(Algorithm::Hs384).mint(Some("h1"), &claims)),
            super::tokens::SERVED,
        ),
        row(
            "HS512",
            today(&ours(Algorithm::Hs512).mint(Some("h1"), &claims)),
            super::tokens::SERVED,
        ),
        row(
            "HS256 without kid, by the default secret",
            today(&ours(Algorithm::Hs256).mint(None, &claims)),
            super::tokens::SERVED,
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

/// Tokens that look odd and are good.
fn honest(world: &World) -> Vec<Row> {
    let token = || world.token();
    let mut rows = Vec::new();
    for issuer in &world.many {
        let what: &'static str = issuer.key.algorithm().name();
        rows.push(served(what, &issuer.token()));
        if what == "EdDSA" {
            rows.push(served(
                "EdDSA by its other name",
                &issuer.token().header("alg", "Ed25519"),
            ));
        }
    }
    for (what, header, value) in [
        ("typ in small letters", "typ", json!("jwt")),
        ("typ with its prefix", "typ", json!("application/jwt")),
        ("typ at+jwt in capitals", "typ", json!("AT+JWT")),
        ("cty of something else", "cty", json!("application/json")),
        (
            "a parameter that nobody knows",
            "x-tenant",
            json!({ "a": [1, 2, null] }),
        ),
        ("a thumbprint beside a kid", "x5t", json!("AAAA")),
    ] {
        rows.push(served(what, &token().header(header, value)));
    }
    for (what, claim, value) in [
        (
            "many audiences",
            "aud",
            json!(
                (0..63)
                    .map(|i| format!("a{i}"))
                    .chain(["https://api.example.com".to_owned()])
                    .collect::<Vec<_>>()
            ),
        ),
        (
            "an audience twice",
            "aud",
            json!(["https://api.example.com", "https://api.example.com"]),
        ),
        (
            "a subject in many scripts",
            "sub",
            json!("Zoë \u{1f600} \u{4f60}"),
        ),
        ("an empty subject", "sub", json!("")),
        ("a claim that is null", "x", json!(null)),
        ("a claim that is a large number", "x", json!(1e300)),
        ("a claim with an empty name", "", json!(1)),
        (
            "a claim with a name of its own",
            "__proto__",
            json!({ "admin": true }),
        ),
        ("scopes as a list", "scope", json!(["menu:read"])),
        ("no scopes", "scope", json!("")),
        ("expired a moment ago", "exp", json!(now() - 1)),
        ("good for centuries", "exp", json!(9_007_199_254_740_992_i64)),
        ("issued in 1970", "iat", json!(0)),
        ("nbf in 1970", "nbf", json!(0.5)),
    ] {
        rows.push(served(what, &token().claim(claim, value)));
    }
    rows.push(served(
        "a name that is escaped",
        &token().raw_claims(
            token()
                .claims_text()
                .replace("\"sub\"", "\"s\\u0075b\"")
                .as_bytes(),
        ),
    ));
    rows.push(served(
        "claims with white space",
        &token().raw_claims(format!(" \n{}\t ", token().claims_text().replace(',', " ,\n ")).as_bytes()),
    ));
    rows
}
