//! Rows about tokens in other words: the same token spelled otherwise, JSON that two readers would read in two ways,
//! numbers that are none, and odd tokens that are good all the same.

use serde_json::json;

use super::tokens::{CLAIMS, MALFORMED, SERVED, SIGNATURE, refused, refused_text, served};
use super::{Row, row};
use crate::harness::{get, now};
use crate::world::World;

pub(super) fn rows(world: &World) -> Vec<Row> {
    let mut rows = spelled(world);
    rows.extend(numbers(world));
    rows.extend(honest(world));
    rows
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
        SERVED,
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
            SERVED,
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
        SERVED,
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
