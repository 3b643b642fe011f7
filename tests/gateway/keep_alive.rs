//! When a connection serves the next request, and when it must not: what follows a request is another request, or
//! nothing.
//!
//! A refusal is an answer like any other, so good callers behind the same proxy keep their connections. But where the
//! end of a request is in doubt, or its body is still to come, the bytes that follow are never read as a request of
//! their own (request smuggling, CVE-2025-4366 and kin).

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use crate::harness::{Connection, Request, Response, get, post, request};
use crate::world::World;

/// A request that would be answered with 200 if it were ever taken for one.
const SMUGGLED: &str = "GET /public/smuggled HTTP/1.1\r\nHost: gateway.test\r\n\r\n";

#[test]
fn an_answer_keeps_the_connection_and_the_next_request_is_judged_by_itself() {
    let world = World::start();
    let good = world.token().text();
    let expired = world.token().expired().text();
    let orders = || get("/orders/menu/today");
    let table: Vec<(&str, Request, &str)> = vec![
        ("served", orders().bearer(&good), "200"),
        ("no credentials", orders(), "401 missing_credentials"),
        ("served after a refusal", orders().bearer(&good), "200"),
        ("expired", orders().bearer(&expired), "401 invalid_token"),
        ("a token is not remembered", orders(), "401 missing_credentials"),
        ("nowhere", get("/nowhere"), "404 route_not_found"),
        (
            "wrong method",
            request("POST", "/orders/menu/today"),
            "405 method_not_allowed",
        ),
        (
            "two credentials",
            orders().bearer(&good).bearer(&good),
            "400 invalid_request",
        ),
        (
            "no subscription",
            orders().bearer(&world.token().client("stranger-app").text()),
            "403 subscription_not_found",
        ),
        (
            "no scope",
            get("/orders/menu/1").bearer(&good),
            "403 insufficient_scope",
        ),
        (
            "no keys",
            get("/dark").bearer(&world.dark.token().text()),
            "503 keys_unavailable",
        ),
        ("HEAD", request("HEAD", "/orders/menu/today"), "401 "),
        ("a body, read", post("/mixed/", "hello"), "200"),
        (
            "a body in chunks, read",
            request("POST", "/mixed/").chunked(b"hello"),
            "200",
        ),
        ("an upstream that closes", get("/public/close"), "200"),
        ("an upstream that fails", get("/public/failing"), "500"),
        ("an answer in chunks", get("/public/chunked"), "200"),
        ("served at the end", orders().bearer(&good), "200"),
    ];
    let mut connection = Connection::open(world.gateway.address());
    for (what, request, expected) in &table {
        let answer = connection.ask(request);
        assert_eq!(short(&answer), *expected, "{what}");
        assert_eq!(answer.header("connection"), Some("keep-alive"), "{what}");
    }
}

#[test]
fn a_connection_ends_where_the_next_request_could_be_misread() {
    let world = World::start();
    let bytes = |request: Request| request.bytes();
    let whole = SMUGGLED.len();
    // Each is followed, on the same connection, by a request that would be served.
    let table: Vec<(&str, Vec<u8>, &str)> = vec![
        (
            "refused, the body looks like a request",
            bytes(post("/orders/", SMUGGLED)),
            "401 missing_credentials",
        ),
        (
            "refused, the body looks like a request, in chunks",
            bytes(request("POST", "/orders/").chunked(SMUGGLED.as_bytes())),
            "401 missing_credentials",
        ),
        (
            "refused, only the beginning of the body is here",
            bytes(request("POST", "/orders/").header("Content-Length", &(2 * whole).to_string())),
            "401 missing_credentials",
        ),
        (
            "refused, a GET with a body",
            bytes(request("GET", "/nowhere").body(SMUGGLED)),
            "404 route_not_found",
        ),
        (
            "too large, unread",
            bytes(request("POST", "/mixed/").header("Content-Length", "100001")),
            "413 body_too_large",
        ),
        (
            "two framings, served by the chunks",
            bytes(
                request("POST", "/mixed/")
                    .header("Content-Length", &(5 + whole).to_string())
                    .chunked(b""),
            ),
            "200",
        ),
        (
            "two framings, refused",
            bytes(
                request("POST", "/orders/")
                    .header("Content-Length", &(5 + whole).to_string())
                    .chunked(b""),
            ),
            "401 missing_credentials",
        ),
        (
            "two lengths, equal",
            bytes(post("/mixed/", "abc").header("Content-Length", "3")),
            "400 bad_request",
        ),
        (
            "a list of lengths",
            bytes(request("POST", "/mixed/").header("Content-Length", "0, 0")),
            "400 bad_request",
        ),
        (
            "two codings",
            bytes(
                request("POST", "/mixed/")
                    .header("Transfer-Encoding", "gzip")
                    .chunked(b"abc"),
            ),
            "400 bad_request",
        ),
        (
            "a list of codings",
            bytes(request("POST", "/mixed/").header("Transfer-Encoding", "gzip, chunked")),
            "400 bad_request",
        ),
        ("an odd path", bytes(get("/mixed//x")), "400 bad_request"),
        (
            "an odd host",
            bytes(get("/mixed/").host("a,b")),
            "400 bad_request",
        ),
        ("TRACE", bytes(request("TRACE", "/mixed/")), "405 method_refused"),
        (
            "the caller says so",
            bytes(get("/mixed/").header("Connection", "close")),
            "200",
        ),
        (
            "the caller says so, refused",
            bytes(get("/orders/").header("Connection", "close")),
            "401 missing_credentials",
        ),
        ("HTTP/1.0", bytes(get("/mixed/").version("HTTP/1.0")), "200"),
        (
            "HTTP/1.0, refused",
            bytes(get("/orders/").version("HTTP/1.0")),
            "401 missing_credentials",
        ),
        (
            "an upstream that is not there",
            bytes(get("/refused/")),
            "502 upstream_error",
        ),
        (
            "a chunk without a size",
            b"POST /mixed/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_vec(),
            "400 bad_request",
        ),
    ];
    for (what, bytes, expected) in &table {
        let mut connection = Connection::open(world.gateway.address());
        connection.write(bytes);
        let answer = connection.read().unwrap_or_else(|| panic!("{what}: no answer"));
        assert_eq!(short(&answer), *expected, "{what}");
        assert_eq!(answer.header("connection"), Some("close"), "{what}");
        connection.write(SMUGGLED.as_bytes());
        assert_eq!(String::from_utf8_lossy(&connection.rest()), "", "{what}");
        // And in one piece, as a smuggler sends it.
        let mut connection = Connection::open(world.gateway.address());
        connection.write(&[bytes, SMUGGLED.as_bytes()].concat());
        let answer = connection.read().unwrap_or_else(|| panic!("{what}: no answer"));
        assert_eq!(short(&answer), *expected, "{what}, in one piece");
        assert_eq!(String::from_utf8_lossy(&connection.rest()), "", "{what}");
        let smuggled = world
            .upstream
            .take()
            .into_iter()
            .find(|r| r.target.contains("smuggled"));
        assert!(smuggled.is_none(), "{what}: {smuggled:?}");
    }
}

#[test]
fn a_pipelined_request_passes_on_its_own_credentials_or_not_at_all() {
    let world = World::start();
    let good = get("/orders/menu/today").bearer(&world.token().text()).bytes();
    let bare = get("/orders/menu/today").bytes();
    let upgrade = get("/mixed/")
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .bytes();
    for (what, pipelined, permitted) in [
        ("a bare request behind a good one", [&*good, &bare].concat(), 1),
        ("a good request behind a bare one", [&*bare, &good].concat(), 1),
        ("two bare ones", [&*bare, &bare].concat(), 0),
        ("a bare one behind an upgrade", [&*upgrade, &bare].concat(), 1),
    ] {
        let mut connection = Connection::open(world.gateway.address());
        connection.write(&pipelined);
        let mut answers = Vec::new();
        // Pingora answers the first and closes; were it to answer the second, it would have to judge it.
        while let Some(answer) = connection.read() {
            answers.push(short(&answer));
        }
        assert!((1..=2).contains(&answers.len()), "{what}: {answers:?}");
        let served = answers.iter().filter(|answer| *answer == "200").count();
        assert!(served <= permitted, "{what}: {answers:?}");
        assert_eq!(world.upstream.take().len(), served, "{what}");
    }
}

/// Status and code.
fn short(answer: &Response) -> String {
    if answer.status == 200 || answer.json()["from"] == "upstream" {
        answer.status.to_string()
    } else {
        format!("{} {}", answer.status, answer.code())
    }
}

#[test]
fn a_refusal_is_read_although_the_body_comes_late() {
    let world = World::start();
    let piece = "x".repeat(20_000);
    let head = "POST /orders/ HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 60000\r\n\r\n";
    for _ in 0..5 {
        let mut stream = TcpStream::connect(world.gateway.address()).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        // This caller takes a moment for each piece, and looks for an answer when all are sent. A gateway that answers
        // and closes before has its connection reset by the second piece.
        for _ in 0..3 {
            thread::sleep(Duration::from_millis(20));
            stream.write_all(piece.as_bytes()).expect("the connection stands");
        }
        let mut answer = String::new();
        stream
            .read_to_string(&mut answer)
            .expect("an answer and no reset");
        assert!(
            answer.starts_with("HTTP/1.1 401 ") && answer.contains("missing_credentials"),
            "{answer}"
        );
    }
}
