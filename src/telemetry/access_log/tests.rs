//! A line is one JSON object of bounded length, whatever the caller sent.
//! The rows try to break out of it: line breaks, quotes, direction marks, texts and claims beyond every bound.

use std::error::Error;
use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::json;

use super::*;

type Outcome = Result<(), Box<dyn Error>>;

/// A denial before a route was found: everything that can be absent is.
const BARE: AccessRecord<'_> = AccessRecord {
    time_unix_millis: 1_700_000_000_007,
    request_id: "r-1",
    client_ip: None,
    method: "GET",
    host: None,
    path: "/",
    protocol: "HTTP/1.1",
    status: 404,
    grpc_status: None,
    outcome: "route_not_found",
    reason: None,
    api: None,
    plan: None,
    issuer: None,
    application: None,
    client_id: None,
    subject: None,
    token_digest: None,
    token_from: None,
    limit_level: None,
    limit_kind: None,
    claims: &[],
    bytes_in: 0,
    bytes_out: 12,
    duration_us: 90,
    added_us: 90,
    upstream: None,
    upstream_address: None,
    upstream_us: None,
};

/// The same hostile text wherever a text can be.
fn filled<'r>(text: &'r str, claims: &'r [(&'r str, &'r Value)]) -> AccessRecord<'r> {
    AccessRecord {
        time_unix_millis: u64::MAX,
        request_id: text,
        client_ip: Some(IpAddr::V6(Ipv6Addr::from_bits(u128::MAX))),
        method: text,
        host: Some(text),
        path: text,
        protocol: text,
        status: u16::MAX,
        grpc_status: Some(u8::MAX),
        outcome: text,
        reason: Some(text),
        api: Some(text),
        plan: Some(text),
        issuer: Some(text),
        application: Some(text),
        client_id: Some(text),
        subject: Some(text),
        token_digest: Some(text),
        token_from: Some(text),
        limit_level: Some(text),
        limit_kind: Some(text),
        claims,
        bytes_in: u64::MAX,
        bytes_out: u64::MAX,
        duration_us: u64::MAX,
        added_us: u64::MAX,
        upstream: Some(text),
        upstream_address: Some(SocketAddr::from((Ipv6Addr::from_bits(u128::MAX), u16::MAX))),
        upstream_us: Some(u64::MAX),
    }
}

fn line(record: &AccessRecord<'_>) -> Result<String, Box<dyn Error>> {
    let mut buffer = Vec::new();
    record.write_line(&mut buffer);
    Ok(String::from_utf8(buffer)?)
}

/// Parses the line, and holds it to what is promised of every line.
fn parsed(record: &AccessRecord<'_>) -> Result<Value, Box<dyn Error>> {
    let line = line(record)?;
    assert!(line.len() <= LINE_BYTES_MAX, "{} bytes", line.len());
    let object = line.strip_suffix('\n').ok_or("no line break at the end")?;
    assert!(
        !object.chars().any(|c| c.is_control() || is_obeyed(c)),
        "{object:?}"
    );
    let value: Value = serde_json::from_str(object)?;
    assert!(value.is_object());
    Ok(value)
}

/// A field of an object, null if it is absent.
fn field<'v>(object: &'v Value, name: &str) -> &'v Value {
    object.get(name).unwrap_or(&Value::Null)
}

/// What a record's line has at a JSON pointer, null if nothing.
fn written(record: &AccessRecord<'_>, pointer: &str) -> Result<Value, Box<dyn Error>> {
    Ok(parsed(record)?.pointer(pointer).unwrap_or(&Value::Null).clone())
}

#[test]
fn absent_fields_are_omitted() -> Outcome {
    assert_eq!(
        line(&BARE)?,
        concat!(
            r#"{"time":"2023-11-14T22:13:20.007Z","request_id":"r-1","method":"GET","path":"/","#,
            r#""protocol":"HTTP/1.1","status":404,"outcome":"route_not_found","bytes_in":0,"bytes_out":12,"#,
            r#""duration_us":90,"added_us":90}"#,
            "\n"
        )
    );
    Ok(())
}

#[test]
fn a_served_request_tells_all() -> Outcome {
    let (roles, level) = (json!(["admin", "ops"]), json!(3));
    let record = AccessRecord {
        client_ip: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7))),
        host: Some("api.example.com"),
        path: "/orders/7?access_token=secret&x=?y",
        status: 200,
        grpc_status: Some(14),
        outcome: "permit",
        api: Some("orders"),
        plan: Some("gold"),
        issuer: Some("https://login.example.com/"),
        application: Some("mobile"),
        client_id: Some("mobile-app"),
        subject: Some("alice"),
        token_digest: Some("9f86d081"),
        token_from: Some("query"),
        claims: &[("roles", &roles), ("level", &level)],
        upstream: Some("orders"),
        upstream_address: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 9000))),
        upstream_us: Some(1_200),
        ..BARE
    };
    assert_eq!(
        line(&record)?,
        concat!(
            r#"{"time":"2023-11-14T22:13:20.007Z","request_id":"r-1","client_ip":"192.0.2.7","method":"GET","#,
            r#""host":"api.example.com","path":"/orders/7","protocol":"HTTP/1.1","status":200,"grpc_status":14,"outcome":"permit","#,
            r#""api":"orders","plan":"gold","issuer":"https://login.example.com/","application":"mobile","#,
            r#""client_id":"mobile-app","subject":"alice","token_digest":"9f86d081","token_from":"query","#,
            r#""claims":{"roles":["admin","ops"],"level":3},"bytes_in":0,"bytes_out":12,"duration_us":90,"#,
            r#""added_us":90,"upstream":"orders","upstream_address":"127.0.0.1:9000","upstream_us":1200}"#,
            "\n"
        )
    );
    Ok(())
}

#[test]
fn time_has_milliseconds_and_always_a_value() -> Outcome {
    let table = [
        (0, "1970-01-01T00:00:00.000Z"),
        (1, "1970-01-01T00:00:00.001Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (1_700_000_000_120, "2023-11-14T22:13:20.120Z"),
        (u64::MAX, "9999-12-30T22:00:00.999Z"),
    ];
    for (time_unix_millis, expected) in table {
        assert_eq!(
            written(
                &AccessRecord {
                    time_unix_millis,
                    ..BARE
                },
                "/time"
            )?,
            expected
        );
    }
    Ok(())
}

#[test]
fn no_text_forges_a_line() -> Outcome {
    let controls: String = (0..=0x9f).filter_map(char::from_u32).collect();
    let texts = [
        "",
        "\n",
        "\r\n{\"status\":200,\"outcome\":\"permit\"}\n",
        "\",\"outcome\":\"permit\",\"x\":\"",
        "ends in \\",
        "\\\"",
        "\\n",
        "\\u000a",
        "\\ud800",
        "\\udc00\\ud800",
        "\u{fffd}\u{d7ff}\u{e000}",
        "a\u{2028}b\u{2029}c\u{85}d\u{b}e\u{c}f",
        "\u{1b}[2K\u{9b}31m",
        "\u{202e}gnirts\u{2066}\u{200f}\u{feff}",
        "\0",
        "grün 金 🥇 \u{10ffff}",
        "}{][",
        &controls,
    ];
    for text in texts {
        let nested = json!({ text: [text, { text: text }] });
        let string = json!(text);
        let record = parsed(&filled(text, &[(text, &string), ("nested", &nested)]))?;
        for name in [
            "request_id",
            "method",
            "host",
            "protocol",
            "outcome",
            "reason",
            "api",
            "plan",
            "issuer",
        ] {
            assert_eq!(field(&record, name), text, "{name}");
        }
        for name in ["application", "client_id", "subject", "token_digest", "upstream"] {
            assert_eq!(field(&record, name), text, "{name}");
        }
        assert_eq!(field(&record, "path"), text.split('?').next().unwrap_or_default());
        assert_eq!(field(field(&record, "claims"), text), text);
        // The text of all controls is longer than a claim may be once its controls are escaped.
        assert!(
            *field(field(&record, "claims"), "nested") == nested || text == controls,
            "{record}"
        );
        assert_eq!(field(&record, "status"), u16::MAX);
    }
    Ok(())
}

#[test]
fn texts_are_cut_at_a_character_and_say_so() -> Outcome {
    let table = [
        ("a".repeat(TEXT_BYTES_MAX), "a".repeat(TEXT_BYTES_MAX)),
        (
            "a".repeat(TEXT_BYTES_MAX + 1),
            "a".repeat(TEXT_BYTES_MAX - 3) + "…",
        ),
        ("金".repeat(400), "金".repeat((TEXT_BYTES_MAX - 3) / 3) + "…"),
        ("🥇".repeat(100_000), "🥇".repeat((TEXT_BYTES_MAX - 3) / 4) + "…"),
    ];
    for (sent, expected) in table {
        assert_eq!(
            written(
                &AccessRecord {
                    host: Some(&sent),
                    ..BARE
                },
                "/host"
            )?,
            expected
        );
        let claim = json!(sent);
        assert_eq!(
            written(
                &AccessRecord {
                    claims: &[("c", &claim)],
                    ..BARE
                },
                "/claims/c"
            )?,
            expected
        );
    }
    let path = "/".repeat(PATH_BYTES_MAX);
    assert_eq!(written(&AccessRecord { path: &path, ..BARE }, "/path")?, path);
    let path = "/".repeat(PATH_BYTES_MAX + 1);
    assert_eq!(
        written(&AccessRecord { path: &path, ..BARE }, "/path")?,
        "/".repeat(PATH_BYTES_MAX - 3) + "…"
    );
    Ok(())
}

#[test]
fn a_claim_keeps_its_shape_while_it_is_small_and_becomes_a_cut_text_when_not() -> Outcome {
    let mut deep = json!(1);
    for _ in 0..2_000 {
        deep = Value::Array(vec![deep]);
    }
    let (fits, exceeds) = (
        json!(["x".repeat(TEXT_BYTES_MAX - 4)]),
        json!(["x".repeat(TEXT_BYTES_MAX - 3)]),
    );
    let cut_in_a_character = json!([format!("{}{}", "x".repeat(TEXT_BYTES_MAX - 6), "金".repeat(9))]);
    let table = [
        (json!(null), json!(null)),
        (json!(true), json!(true)),
        (json!(-1.5e300), json!(-1.5e300)),
        (json!(u64::MAX), json!(u64::MAX)),
        (json!([]), json!([])),
        (
            json!({ "a": { "b": [1, "two"] } }),
            json!({ "a": { "b": [1, "two"] } }),
        ),
        (fits.clone(), fits),
        (exceeds, json!(format!("[\"{}…", "x".repeat(TEXT_BYTES_MAX - 5)))),
        (
            cut_in_a_character,
            json!(format!("[\"{}…", "x".repeat(TEXT_BYTES_MAX - 6))),
        ),
        (deep, json!("[".repeat(TEXT_BYTES_MAX - 3) + "…")),
    ];
    for (claim, expected) in &table {
        assert_eq!(
            written(
                &AccessRecord {
                    claims: &[("c", claim)],
                    ..BARE
                },
                "/claims/c"
            )?,
            *expected
        );
    }
    Ok(())
}

#[test]
fn the_longest_line_is_within_its_bound() -> Outcome {
    // One byte that becomes six, ten thousand times, everywhere.
    for text in ["\0", "\u{7f}", "\"", "\\", "\u{9b}", "\u{2028}"].map(|c| c.repeat(10_000)) {
        let claim = json!([text]);
        let string = json!(text);
        let names: Vec<String> = (0..100).map(|i| format!("{i}{text}")).collect();
        let claims: Vec<(&str, &Value)> = names
            .iter()
            .map(|name| (name.as_str(), if name.len() % 2 == 0 { &claim } else { &string }))
            .collect();
        let record = parsed(&filled(&text, &claims))?;
        assert_eq!(
            field(&record, "claims").as_object().map(serde_json::Map::len),
            Some(CLAIMS_MAX)
        );
    }
    Ok(())
}

#[test]
fn lines_are_appended_to_a_buffer_that_is_reused() -> Outcome {
    let mut buffer = Vec::new();
    BARE.write_line(&mut buffer);
    let one = buffer.len();
    BARE.write_line(&mut buffer);
    assert_eq!(buffer.len(), 2 * one);
    assert_eq!(buffer.iter().filter(|b| **b == b'\n').count(), 2);
    let capacity = buffer.capacity();
    buffer.clear();
    BARE.write_line(&mut buffer);
    assert_eq!((buffer.len(), buffer.capacity()), (one, capacity));
    Ok(())
}
