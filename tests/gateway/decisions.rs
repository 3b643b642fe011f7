//! What the gateway says to whom: one table of requests and, in one line each, everything that an answer commits to.
//!
//! A denied row reads `status code reason` and then the fields that belong to the answer contract; the reason is what
//! the access log says and the caller does not learn. A served row reads `200 plan application target`, the target
//! being what arrived at the upstream. The rows stand in `decisions/`, by the stage that decides them.

mod api_keys;
mod attacks;
mod callers;
mod claims;
mod http;
mod mappings;
mod sources;
mod spellings;
mod terms;
mod tokens;
mod upstreams;

use std::collections::BTreeSet;
use std::io::ErrorKind;

use serde_json::Value;
use tollgate::access::Code;
use tollgate::api::HeaderError;
use tollgate::identity::IdentityError;
use tollgate::token::TokenError;

use crate::harness::{Request, Response, get, request};
use crate::world::World;

/// One request and what becomes of it.
pub(crate) struct Row {
    pub(crate) what: &'static str,
    pub(crate) request: Request,
    pub(crate) expected: String,
}

/// Codes that no row can bring about, and why.
const UNREACHED: [(Code, &str); 8] = [
    (
        Code::InternalError,
        "no request is known that makes the gateway fail; one that is becomes a bug and a row",
    ),
    (Code::VerificationOverloaded, "takes a flood: `floods.rs`"),
    (
        Code::RevocationsUnavailable,
        "takes an issuer without its list: `revocations/lists.rs`",
    ),
    (
        Code::IntrospectionUnavailable,
        "takes an issuer that is asked and does not answer: `introspection/failures.rs`",
    ),
    (Code::RateLimited, "takes a limit that is used up: `limits/`"),
    (Code::QuotaExceeded, "takes a limit that is used up: `limits/`"),
    (
        Code::ConcurrencyExceeded,
        "takes a limit that is used up: `limits/`",
    ),
    (
        Code::UpstreamUnavailable,
        "an upstream has at least one peer and the last failure to connect answers 502",
    ),
];

/// Fields that belong to the answer contract.
const CONTRACT: [&str; 3] = ["WWW-Authenticate", "Allow", "Retry-After"];

fn row(what: &'static str, request: Request, expected: &str) -> Row {
    Row {
        what,
        request,
        expected: expected.to_owned(),
    }
}

/// Every row there is.
pub(crate) fn table(world: &World) -> Vec<Row> {
    // First those that stand at the edge of the leeway: their tokens are made now.
    let mut rows = tokens::times(world);
    rows.extend(http::rows(world));
    rows.extend(callers::rows(world));
    rows.extend(api_keys::rows(world));
    rows.extend(sources::rows(world));
    rows.extend(tokens::rows(world));
    rows.extend(terms::rows(world));
    rows.extend(attacks::rows(world));
    rows.extend(spellings::rows(world));
    rows.extend(mappings::rows(world));
    rows.extend(upstreams::rows());
    rows
}

#[test]
fn every_request_gets_the_answer_that_the_table_says() {
    let world = World::start();
    let rows = table(&world);
    let count = |accepted: bool| {
        rows.iter()
            .filter(|row| row.expected.starts_with("200 ") == accepted)
            .count()
    };
    println!(
        "{} requests are refused, {} are served",
        count(false),
        count(true)
    );
    assert!(count(false) >= 400 && count(true) >= 100, "rows have gone");
    let (mut codes, mut reasons) = (BTreeSet::new(), BTreeSet::new());
    let mut wrong = Vec::new();
    for Row {
        what,
        request,
        expected,
    } in &rows
    {
        let answer = world.send(request);
        let line = world.gateway.access_line(&answer);
        let observed = if answer.code().is_empty() {
            served(&world, &answer, &line)
        } else {
            codes.insert(answer.code());
            reasons.insert(line["reason"].as_str().unwrap_or_default().to_owned());
            is_a_problem(what, request, &answer, &line);
            denied(&answer, &line)
        };
        world.upstream.take();
        if observed != *expected {
            wrong.push(format!("{what}\n  expected {expected}\n  observed {observed}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} rows:\n{}",
        wrong.len(),
        rows.len(),
        wrong.join("\n")
    );
    let connected = world.bait.accept();
    assert!(
        connected.is_err_and(|error| error.kind() == ErrorKind::WouldBlock),
        "a token made the gateway connect somewhere"
    );
    let expected: BTreeSet<String> = Code::ALL
        .iter()
        .filter(|code| !UNREACHED.iter().any(|(unreached, _)| unreached == *code))
        .map(|code| code.word().to_owned())
        .collect();
    assert_eq!(codes, expected, "codes in the table, and codes there are");
    // What is said of opaque tokens takes an issuer that is asked: `introspection/judged.rs`.
    let asked = [TokenError::Characters, TokenError::Inactive];
    let of_tokens = TokenError::ALL.iter().filter(|error| !asked.contains(error));
    let of_tokens: Vec<_> = of_tokens.map(|error| error.reason()).collect();
    let of_claims = IdentityError::ALL.map(IdentityError::reason);
    let of_headers = HeaderError::ALL.map(HeaderError::reason);
    let all = of_tokens.iter().chain(&of_claims).chain(&of_headers);
    let missing: Vec<_> = all.filter(|reason| !reasons.contains(**reason)).collect();
    assert!(missing.is_empty(), "no row is refused for {missing:?}");
}

#[test]
fn claims_arrive_as_the_headers_that_the_api_names() {
    let world = World::start();
    let mapped = mappings::header_rows(&world);
    for (what, request, expected) in claims::rows(&world).into_iter().chain(mapped) {
        let answer = world.send(&request);
        assert_eq!(answer.status, 200, "{what}: {}", answer.text());
        let received = world.upstream.take_one();
        let named = claims::HEADERS.iter().flat_map(|name| {
            let values = received.values(name).into_iter();
            values.map(move |value| format!("{name}: {value}"))
        });
        assert_eq!(named.collect::<Vec<_>>(), expected, "{what}");
    }
}

#[test]
fn a_head_request_gets_the_fields_of_a_get_and_no_body() {
    let world = World::start();
    let token = world.token().text();
    for (what, target, status) in [
        ("served", "/orders/menu/today", 200),
        ("no scope", "/orders/menu/1", 403),
        ("nowhere", "/nowhere", 404),
        ("odd", "/orders//", 400),
    ] {
        let get = world.send(&get(target).bearer(&token));
        let head = world.send(&request("HEAD", target).bearer(&token));
        assert_eq!((get.status, head.status), (status, status), "{what}");
        for field in ["content-type", "www-authenticate", "cache-control"] {
            assert_eq!(head.header(field), get.header(field), "{what}: {field}");
        }
        if status != 200 {
            assert_eq!(
                head.header("content-length"),
                get.header("content-length"),
                "{what}"
            );
        }
        // That nothing follows is seen on the connection itself.
        let mut connection = crate::harness::Connection::open(world.gateway.address());
        connection.write(
            &request("HEAD", target)
                .bearer(&token)
                .header("Connection", "close")
                .bytes(),
        );
        assert!(connection.read_head().is_some());
        assert_eq!(connection.rest(), b"", "{what}");
    }
}

#[test]
fn what_is_not_there_looks_the_same_with_and_without_a_token() {
    let world = World::start();
    let token = world.token().text();
    let expired = world.token().expired().text();
    for target in [
        "/nowhere",
        "/orders/nothing",
        "/planless",
        "/planless/x",
        "/staging/only-get",
        "/closed",
        "/hosted",
    ] {
        let bare = world.send(&get(target));
        assert_eq!((bare.status, bare.code().as_str()), (404, "route_not_found"));
        for other in [
            get(target).bearer(&token),
            get(target).bearer(&expired),
            get(target).bearer("nonsense"),
            get(target).bearer(&token).bearer(&token),
        ] {
            let other = world.send(&other);
            assert_eq!(without_id(&other), without_id(&bare), "{target}");
        }
    }
}

/// Everything in an answer but the request's id and the date.
fn without_id(answer: &Response) -> (u16, Vec<(String, String)>, Value) {
    let mut body = answer.json();
    body["request_id"] = Value::Null;
    let fields = answer.headers.iter().filter(|(name, _)| {
        !["x-request-id", "date"]
            .iter()
            .any(|own| name.eq_ignore_ascii_case(own))
    });
    (answer.status, fields.cloned().collect(), body)
}

/// A permitted request, in one line.
fn served(world: &World, answer: &Response, line: &Value) -> String {
    let word = |name: &str| line[name].as_str().unwrap_or("-").to_owned();
    let received = world.upstream.take_one();
    format!(
        "{} {} {} {}",
        answer.status,
        word("plan"),
        word("application"),
        received.target
    )
}

/// A refused request, in one line.
fn denied(answer: &Response, line: &Value) -> String {
    let reason = line["reason"].as_str().unwrap_or("-");
    let mut text = format!("{} {} {reason}", answer.status, answer.code());
    for name in CONTRACT {
        if let Some(value) = answer.header(name) {
            text.push_str(&format!("; {name}: {value}"));
        }
    }
    text
}

/// RFC 9457, and what the answer contract says besides.
fn is_a_problem(what: &str, request: &Request, answer: &Response, line: &Value) {
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json"),
        "{what}"
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
    let body = answer.json();
    let members: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        members,
        ["code", "detail", "request_id", "status", "title", "type"],
        "{what}"
    );
    assert_eq!(body["status"], answer.status, "{what}");
    assert_eq!(
        body["type"],
        format!("urn:tollgate:problem:{}", answer.code()),
        "{what}"
    );
    assert_eq!(
        body["request_id"].as_str(),
        answer.header("x-request-id"),
        "{what}"
    );
    let code = Code::ALL
        .into_iter()
        .find(|code| code.word() == answer.code())
        .unwrap();
    assert_eq!(body["detail"], code.detail(), "{what}");
    assert_eq!(body["title"], code.title(), "{what}");
    let outcome = line["outcome"].as_str().unwrap();
    assert!(
        outcome == code.word() || (outcome == "permit" && line["reason"] == code.word()),
        "{what}: {line}"
    );
    let visible = format!("{} {:?}", answer.text(), answer.headers);
    for secret in request.secrets() {
        assert!(!visible.contains(&secret), "{what}: the token is in the answer");
    }
}
