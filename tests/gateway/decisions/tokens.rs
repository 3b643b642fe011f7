//! Rows about tokens that are not what they should be, each with the reason that the log gives and the sentence that
//! the caller reads.
//!
//! The attacks are those of RFC 8725 and of published advisories; each forged token is as good as its forger can make
//! it in every other respect.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{Row, row};
use crate::harness::{Token, get};
use crate::world::World;

pub(super) const MALFORMED: &str = "The token is malformed";
pub(super) const SIGNATURE: &str = "The token's signature is not acceptable";
const ISSUER: &str = "The token's issuer is not accepted";
pub(super) const CLAIMS: &str = "The token's claims are not acceptable";
const AUDIENCE: &str = "The token is not for this audience";
const EXPIRED: &str = "The token is expired";
const EARLY: &str = "The token is not valid yet";
const BOUND: &str = "The token is bound to a proof that was not given";

pub(super) const SERVED: &str = "200 gold mobile /menu/today";

pub(super) fn rows(world: &World) -> Vec<Row> {
    let mut rows = forms(world);
    rows.extend(headers(world));
    rows.extend(signatures(world));
    rows.extend(claims(world));
    rows.extend(audiences(world));
    rows
}

pub(super) fn served(what: &'static str, token: &Token<'_>) -> Row {
    row(what, get("/orders/menu/today").bearer(&token.text()), SERVED)
}

pub(super) fn refused(what: &'static str, token: &Token<'_>, reason: &str, description: &str) -> Row {
    refused_text(what, &token.text(), reason, description)
}

pub(super) fn refused_text(what: &'static str, token: &str, reason: &str, description: &str) -> Row {
    let expected = format!(
        "401 invalid_token {reason}; WWW-Authenticate: Bearer error=\"invalid_token\", \
         error_description=\"{description}\""
    );
    row(what, get("/orders/menu/today").bearer(token), &expected)
}

/// Three parts, one spelling, JSON objects.
fn forms(world: &World) -> Vec<Row> {
    let good = world.token().text();
    let (rest, _) = good.rsplit_once('.').unwrap();
    let text = |what, token: &str, reason| refused_text(what, token, reason, MALFORMED);
    let raw =
        |what, claims: &[u8], reason| refused(what, &world.token().raw_claims(claims), reason, MALFORMED);
    let claims = world.token().claims_text();
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(20), "]".repeat(20));
    vec![
        text("a word", "secret", "parts_malformed"),
        text("two parts", rest, "parts_malformed"),
        text("an empty signature", &format!("{rest}."), "parts_malformed"),
        text("four parts", &format!("{good}.x"), "parts_malformed"),
        text("five parts", "a.b.c.d.e", "token_encrypted"),
        text("too long", &"x".repeat(16 * 1024 + 1), "token_too_long"),
        text("padding", &format!("{good}="), "base64_malformed"),
        text("another alphabet", &format!("{rest}.a+b/"), "base64_malformed"),
        // A signature of ES256 has 64 bytes, so four bits of its last character are not used.
        text("stray bits at the end", &stray_bits(&good), "base64_malformed"),
        refused(
            "a header that is a list",
            &world.token().raw_header(b"[]"),
            "header_malformed",
            MALFORMED,
        ),
        refused(
            "a header that is no JSON",
            &world.token().raw_header(b"{alg:1}"),
            "header_malformed",
            MALFORMED,
        ),
        refused(
            "a header that says it twice",
            &world
                .token()
                .raw_header(br#"{"alg":"ES256","kid":"k1","\u0061lg":"none"}"#),
            "duplicate_member",
            MALFORMED,
        ),
        raw("claims that are a list", b"[]", "claims_malformed"),
        raw("claims that are a text", b"\"x\"", "claims_malformed"),
        raw(
            "claims with something behind",
            format!("{claims}x").as_bytes(),
            "claims_malformed",
        ),
        raw(
            "claims with a byte order mark",
            format!("\u{feff}{claims}").as_bytes(),
            "claims_malformed",
        ),
        raw(
            "claims that are no UTF-8",
            b"{\"iss\":\"\xff\"}",
            "claims_malformed",
        ),
        raw(
            "a claim twice",
            claims.replacen('{', r#"{"\u0073ub":"root","#, 1).as_bytes(),
            "duplicate_member",
        ),
        raw("claims that are deep", deep.as_bytes(), "nested_too_deep"),
        raw(
            "a number without end",
            br#"{"iss":"https://acme.example/","exp":1e400}"#,
            "claims_malformed",
        ),
    ]
}

/// The same signature, spelled otherwise.
fn stray_bits(token: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = token.bytes().last().unwrap();
    let place = ALPHABET.iter().position(|own| *own == last).unwrap();
    let (rest, _) = token.split_at(token.len() - 1);
    format!("{rest}{}", char::from(ALPHABET[place ^ 1]))
}

/// What a header may say, and what it may not.
fn headers(world: &World) -> Vec<Row> {
    let token = || world.token();
    let alg = |what, value: Value| {
        refused(
            what,
            &token().header("alg", value),
            "algorithm_not_allowed",
            SIGNATURE,
        )
    };
    let typ = |what, value: &str| refused(what, &token().header("typ", value), "type_not_allowed", SIGNATURE);
    let strict = || world.strict.token().header("typ", "at+jwt").claim("jti", "1");
    vec![
        alg("alg none", json!("none")),
        alg("alg None", json!("None")),
        alg("alg nOnE", json!("nOnE")),
        alg("an empty alg", json!("")),
        alg("a null alg", json!(null)),
        alg("a list of algs", json!(["ES256"])),
        alg("alg in small letters", json!("es256")),
        alg("an algorithm that is not allowed", json!("ES384")),
        refused(
            "no alg",
            &token().without_header("alg"),
            "algorithm_not_allowed",
            SIGNATURE,
        ),
        refused_text(
            "the public key as HMAC secret",
            &as_hmac_secret(world),
            "algorithm_not_allowed",
            SIGNATURE,
        ),
        refused(
            "another key's algorithm",
            &token().header("alg", "RS256"),
            "key_unknown",
            SIGNATURE,
        ),
        refused(
            "kid is a number",
            &token().header("kid", 1),
            "header_type_invalid",
            MALFORMED,
        ),
        refused(
            "kid is null",
            &token().header("kid", Value::Null),
            "header_type_invalid",
            MALFORMED,
        ),
        refused(
            "kid is empty",
            &token().header("kid", ""),
            "key_unknown",
            SIGNATURE,
        ),
        refused(
            "kid is a path",
            &token().header("kid", "../../dev/null"),
            "key_unknown",
            SIGNATURE,
        ),
        refused(
            "kid is SQL",
            &token().header("kid", "' OR 1=1 --"),
            "key_unknown",
            SIGNATURE,
        ),
        refused(
            "kid ends in NUL",
            &token().header("kid", "k1\0"),
            "key_unknown",
            SIGNATURE,
        ),
        refused(
            "kid in capitals",
            &token().header("kid", "K1"),
            "key_unknown",
            SIGNATURE,
        ),
        refused(
            "kid of another key",
            &token().header("kid", "r1"),
            "key_unknown",
            SIGNATURE,
        ),
        served("no kid, one key fits", &token().without_header("kid")),
        refused(
            "no kid, two keys fit",
            &strict().without_header("kid"),
            "key_ambiguous",
            SIGNATURE,
        ),
        served(
            "a second key of the same kind",
            &world
                .strict_second
                .token()
                .header("typ", "at+jwt")
                .claim("jti", "1"),
        ),
        served("a second key of another kind", &world.acme_rsa.token()),
        served(
            "a default key, without kid",
            &world.legacy.token().without_header("kid"),
        ),
        served("no typ", &token().without_header("typ")),
        served("typ at+jwt", &token().header("typ", "application/AT+JWT")),
        served("typ as the issuer wants it", &strict()),
        typ("typ of a proof", "dpop+jwt"),
        typ("typ of a logout token", "logout+jwt"),
        typ("an empty typ", ""),
        refused(
            "typ JWT where at+jwt is wanted",
            &strict().header("typ", "JWT"),
            "type_not_allowed",
            SIGNATURE,
        ),
        refused(
            "a token in a token",
            &token().header("cty", "JWT"),
            "type_not_allowed",
            SIGNATURE,
        ),
        refused(
            "crit",
            &token().header("crit", json!(["exp"])),
            "critical_extension",
            SIGNATURE,
        ),
        refused(
            "an empty crit",
            &token().header("crit", json!([])),
            "critical_extension",
            SIGNATURE,
        ),
        refused(
            "b64",
            &token().header("b64", false),
            "critical_extension",
            SIGNATURE,
        ),
        refused(
            "enc",
            &token().header("enc", "A128GCM"),
            "token_encrypted",
            MALFORMED,
        ),
        refused("zip", &token().header("zip", "DEF"), "token_encrypted", MALFORMED),
        refused(
            "a key of its own",
            &token()
                .signed_by(&world.globex)
                .header("jwk", world.globex.key.public_jwk("k1")),
            "signature_invalid",
            SIGNATURE,
        ),
        refused(
            "a place where keys are",
            &token()
                .signed_by(&world.globex)
                .header("kid", "evil")
                .header("jku", format!("http://{}/jwks.json", world.upstream.address()))
                .header("x5u", format!("http://{}/cert.pem", world.upstream.address())),
            "key_unknown",
            SIGNATURE,
        ),
    ]
}

/// CVE-2015-9235: what is public used as what is shared.
fn as_hmac_secret(world: &World) -> String {
    let header = json!({ "alg": "HS256", "typ": "JWT", "kid": "k1" }).to_string();
    let signed = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(world.token().claims_text())
    );
    let key = hmac::Key::new(hmac::HMAC_SHA256, world.acme.key.public_pem().as_bytes());
    let signature = hmac::sign(&key, signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
}

fn signatures(world: &World) -> Vec<Row> {
    let good = world.token().text();
    let (rest, signature) = good.rsplit_once('.').unwrap();
    let other = world.token().client("silver-app").text();
    let text = |what, signature: &str| {
        refused_text(
            what,
            &format!("{rest}.{signature}"),
            "signature_invalid",
            SIGNATURE,
        )
    };
    let bytes = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    vec![
        served("the issuer's own", &world.token()),
        refused(
            "another issuer's key with the same kid",
            &world.token().signed_by(&world.globex),
            "signature_invalid",
            SIGNATURE,
        ),
        text("another token's signature", other.rsplit_once('.').unwrap().1),
        text("zeroes (CVE-2022-21449)", &bytes(&[0; 64])),
        text("cut short", signature.get(..84).unwrap()),
        text(
            "longer",
            &bytes(&[&URL_SAFE_NO_PAD.decode(signature).unwrap()[..], &[0]].concat()),
        ),
        text("far too long", &bytes(&[1; 1100])),
        text("one byte", &bytes(&[1])),
        refused_text(
            "claims changed after signing",
            &{
                let header = rest.split_once('.').unwrap().0;
                let claims = URL_SAFE_NO_PAD.encode(world.token().claim("sub", "root").claims_text());
                format!("{header}.{claims}.{signature}")
            },
            "signature_invalid",
            SIGNATURE,
        ),
    ]
}

fn claims(world: &World) -> Vec<Row> {
    let token = || world.token();
    let issuer = |what, token: Token<'_>, reason| refused(what, &token, reason, ISSUER);
    let claim = |what, token: Token<'_>, reason| refused(what, &token, reason, CLAIMS);
    let strict = || world.strict.token().header("typ", "at+jwt");
    let long = "x".repeat(5000);
    let to_header = |what, api: &str, name: &str, reason: &str| Row {
        request: get(api).bearer(&token().claim("name", name).text()),
        ..refused(what, &token(), reason, CLAIMS)
    };
    vec![
        issuer("no issuer", token().without("iss"), "issuer_missing"),
        issuer(
            "an issuer that is a list",
            token().claim("iss", vec!["https://acme.example/"]),
            "issuer_missing",
        ),
        issuer(
            "an issuer that is null",
            token().claim("iss", Value::Null),
            "issuer_missing",
        ),
        issuer(
            "an issuer without its slash",
            token().claim("iss", "https://acme.example"),
            "issuer_unknown",
        ),
        issuer(
            "an issuer in capitals",
            token().claim("iss", "https://ACME.example/"),
            "issuer_unknown",
        ),
        issuer(
            "an issuer with NUL",
            token().claim("iss", "https://acme.example/\0"),
            "issuer_unknown",
        ),
        issuer("an issuer of another API", world.dark.token(), "issuer_unknown"),
        refused(
            "an issuer that did not sign",
            &token().claim("iss", "https://globex.example/"),
            "signature_invalid",
            SIGNATURE,
        ),
        claim("no subject", token().without("sub"), "claim_missing"),
        claim(
            "a subject that is null",
            token().claim("sub", Value::Null),
            "claim_missing",
        ),
        claim("no time of issue", token().without("iat"), "claim_missing"),
        claim("a claim that this issuer must set", strict(), "claim_missing"),
        claim(
            "a subject that is a number",
            token().claim("sub", 1),
            "subject_type_invalid",
        ),
        claim(
            "a client id that is a number",
            token().claim("azp", 7),
            "client_id_type_invalid",
        ),
        claim(
            "a client id that is null",
            token().claim("azp", Value::Null),
            "client_id_type_invalid",
        ),
        claim(
            "scopes that are a number",
            token().claim("scope", 1),
            "scopes_type_invalid",
        ),
        claim(
            "scopes that are numbers",
            token().claim("scope", json!(["a", 1])),
            "scopes_type_invalid",
        ),
        refused(
            "bound to a certificate",
            &token().claim("cnf", json!({ "x5t#S256": "x" })),
            "proof_missing",
            BOUND,
        ),
        refused(
            "bound to a proof (DPoP)",
            &token().claim("cnf", json!({ "jkt": "x" })),
            "proof_missing",
            BOUND,
        ),
        to_header(
            "a name that a header cannot carry",
            "/careful",
            "Zoë\r\nX-User: root",
            "claim_unsendable",
        ),
        to_header("a name that is too long", "/claims", &long, "claim_too_long"),
    ]
}

pub(super) fn times(world: &World) -> Vec<Row> {
    let token = || world.token();
    let now = crate::harness::now();
    let malformed =
        |what, name: &str, value: Value| refused(what, &token().claim(name, value), "time_malformed", CLAIMS);
    let strict = || world.strict.token().header("typ", "at+jwt").claim("jti", "1");
    vec![
        served("within the leeway behind exp", &token().claim("exp", now - 2)),
        refused(
            "beyond the leeway behind exp",
            &token().claim("exp", now - 31),
            "expired",
            EXPIRED,
        ),
        refused("no leeway", &strict().claim("exp", now - 1), "expired", EXPIRED),
        refused("long expired", &token().expired(), "expired", EXPIRED),
        refused("expired in 1970", &token().claim("exp", 0), "expired", EXPIRED),
        served("a fraction of a second", &token().claim("exp", now as f64 + 60.5)),
        refused("no exp", &token().without("exp"), "expiration_missing", CLAIMS),
        malformed("exp is a text", "exp", json!("9999999999")),
        malformed("exp is null", "exp", json!(null)),
        malformed("exp is a list", "exp", json!([9_999_999_999_i64])),
        malformed("exp is true", "exp", json!(true)),
        malformed("exp is negative", "exp", json!(-1)),
        malformed("exp is beyond 2^53", "exp", json!(1_u64 << 60)),
        malformed("exp is beyond 2^63", "exp", json!(u64::MAX)),
        malformed("exp is 1e30", "exp", json!(1e30)),
        malformed("nbf is a text", "nbf", json!("0")),
        malformed("iat is a text", "iat", json!("0")),
        served("within the leeway before nbf", &token().claim("nbf", now + 15)),
        refused(
            "before nbf",
            &token().claim("nbf", now + 90),
            "not_yet_valid",
            EARLY,
        ),
        served("issued within the leeway", &token().claim("iat", now + 15)),
        refused(
            "issued in the future",
            &token().claim("iat", now + 90),
            "issued_in_future",
            EARLY,
        ),
        refused(
            "good for too long",
            &strict().claim("exp", now + 4000),
            "lifetime_too_long",
            CLAIMS,
        ),
    ]
}

fn audiences(world: &World) -> Vec<Row> {
    let aud = |value: Value| world.token().claim("aud", value);
    let mismatch = |what, value: Value| refused(what, &aud(value), "audience_mismatch", AUDIENCE);
    let malformed = |what, value: Value| refused(what, &aud(value), "audience_malformed", AUDIENCE);
    vec![
        served("among several", &aud(json!(["x", "https://api.example.com"]))),
        refused(
            "no audience",
            &world.token().without("aud"),
            "audience_missing",
            AUDIENCE,
        ),
        mismatch("somebody else", json!("https://other.example")),
        mismatch("a longer one", json!("https://api.example.com/")),
        mismatch("a part of it", json!("api.example.com")),
        mismatch("in capitals", json!("https://API.example.com")),
        mismatch("nobody", json!([])),
        mismatch("empty", json!("")),
        malformed("null", json!(null)),
        malformed("a number", json!(1)),
        malformed("an object", json!({ "https://api.example.com": true })),
        malformed("a list in a list", json!([["https://api.example.com"]])),
        malformed("a list with a number", json!(["https://api.example.com", 1])),
        served(
            "none where every one is accepted",
            &world.legacy.token().without_header("kid").without("aud"),
        ),
    ]
}
