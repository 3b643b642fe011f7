//! Which header fields reach the upstream, and which reach the caller.
//!
//! Upstreams believe what the gateway tells them, so whatever a caller writes under a name that is the gateway's, in
//! whatever spelling, the upstream sees the gateway's one value or none. What belongs to a connection ends with it.

use crate::harness::{Connection, Received, Request, get, post, request};
use crate::world::World;

/// What a forger would like an upstream to read.
const FORGED: &str = "6.6.6.6-forged";

/// Fields that the gateway alone may set, whatever the API: with the value at an upstream, if it has a fixed one.
const OWN: [(&str, Option<&str>); 14] = [
    ("X-Forwarded-For", Some("127.0.0.1")),
    ("X-Forwarded-Proto", Some("http")),
    ("X-Forwarded-Host", Some("gateway.test")),
    ("X-Forwarded-Port", None),
    ("X-Real-IP", None),
    ("X-HTTP-Method-Override", None),
    ("X-HTTP-Method", None),
    ("X-Method-Override", None),
    ("X-Forwarded-Prefix", None),
    ("X-Original-URL", None),
    ("X-Original-Host", None),
    ("X-Rewrite-URL", None),
    ("Forwarded", None),
    ("X-Request-Id", Some("an id of the gateway's own")),
];

/// Fields that some API of the gateway sets from claims; `X-User` is set by `/claims`, no API that is called here sets
/// the others for these tokens.
const CLAIMS: [(&str, Option<&str>); 4] = [
    ("X-User", Some("alice")),
    ("X-Roles", None),
    ("X-Level", None),
    ("X-City", None),
];

#[test]
fn a_caller_cannot_say_what_the_gateway_says() {
    let world = World::start();
    let token = world.token().text();
    let with_token = || get("/claims/x").bearer(&token);
    let keyless = || get("/public/x");
    let (mut served, mut refused) = (0, Vec::new());
    for (name, value) in OWN.into_iter().chain(CLAIMS) {
        let from_claims = CLAIMS.iter().any(|(own, _)| *own == name);
        for (spelling, disguise) in disguises() {
            for (plan, base) in [("jwt", with_token()), ("keyless", keyless())] {
                let expected = value.filter(|_| plan == "jwt" || !from_claims);
                let answer = world.send(&disguise(base, name));
                let what = format!("{name} {spelling}, {plan}");
                if answer.status == 400 {
                    assert_eq!(answer.code(), "bad_request", "{what}");
                    assert!(world.upstream.take().is_empty(), "{what}");
                    refused.push(what);
                    continue;
                }
                assert_eq!(answer.status, 200, "{what}: {}", answer.text());
                let received = world.upstream.take_one();
                assert_eq!(
                    folded(&received, name),
                    the_gateways(&received, name, expected),
                    "{what}"
                );
                let whole = format!("{:?}", received.headers);
                assert!(!whole.contains(FORGED), "{what}: {whole}");
                served += 1;
            }
        }
    }
    // Pingora refuses whoever nominates a field that says where a request comes from.
    let nominated: Vec<String> = ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"]
        .iter()
        .flat_map(|name| ["jwt", "keyless"].map(|plan| format!("{name} as a connection's own, {plan}")))
        .collect();
    assert_eq!(refused, nominated);
    assert_eq!(served, 18 * 10 * 2 - nominated.len());
}

#[test]
fn all_forgeries_at_once_are_removed_at_once() {
    let world = World::start();
    let token = world.token().text();
    let forged = OWN
        .iter()
        .chain(&CLAIMS)
        .fold(get("/claims/x").bearer(&token), |request, (name, _)| {
            request
                .header(name, FORGED)
                .header(&name.to_uppercase(), FORGED)
                .header(&name.replace('-', "_"), FORGED)
        });
    let nominated = forged
        .clone()
        .header("Connection", "X-User, X-Real-IP, X-Request-Id")
        .header("Connection", "x_user, Forwarded, X-Forwarded-Port");
    for request in [forged, nominated] {
        assert_eq!(world.send(&request).status, 200);
        let received = world.upstream.take_one();
        for (name, value) in OWN.into_iter().chain(CLAIMS) {
            assert_eq!(
                folded(&received, name),
                the_gateways(&received, name, value),
                "{name}"
            );
        }
        assert!(!format!("{:?}", received.headers).contains(FORGED));
    }
}

#[test]
fn credentials_end_at_the_gateway_unless_the_api_passes_them_on() {
    let world = World::start();
    let token = world.token().text();
    let authorization = format!("Bearer {token}");
    for (what, request, expected) in [
        ("stripped", get("/free/x").bearer(&token), vec![]),
        (
            "passed on",
            get("/passing").bearer(&token),
            vec![authorization.as_str()],
        ),
        (
            "nominated, stripped",
            get("/free/x")
                .bearer(&token)
                .header("Connection", "Authorization"),
            vec![],
        ),
        (
            "another scheme at a keyless plan, stripped",
            get("/public/x").header("Authorization", "Basic YTpi"),
            vec![],
        ),
        (
            "for a proxy, stripped",
            get("/public/x").header("Proxy-Authorization", "Basic YTpi"),
            vec![],
        ),
    ] {
        assert_eq!(world.send(&request).status, 200, "{what}");
        let received = world.upstream.take_one();
        assert_eq!(received.values("authorization"), expected, "{what}");
        assert_eq!(received.values("proxy-authorization"), [""; 0], "{what}");
    }
}

#[test]
fn what_belongs_to_a_connection_ends_with_it() {
    let world = World::start();
    let request = post("/public/hop", "body")
        .header("Connection", "X-Nominated, Keep-Alive")
        .header("Connection", "X-Also")
        .header("X-Nominated", "1")
        .header("X-Also", "1")
        .header("Keep-Alive", "timeout=5")
        .header("Proxy-Connection", "keep-alive")
        .header("TE", "trailers")
        .header("Trailer", "X-Late")
        .header("Upgrade", "websocket")
        .header("X-Kept", "first")
        .header("x-kept", "second")
        .header("Accept", "a/b");
    let answer = world.send(&request);
    assert_eq!(answer.status, 200);
    let received = world.upstream.take_one();
    for name in [
        "Connection",
        "X-Nominated",
        "X-Also",
        "Keep-Alive",
        "Proxy-Connection",
        "TE",
        "Trailer",
        "Upgrade",
        "Transfer-Encoding",
    ] {
        assert_eq!(received.values(name), [""; 0], "{name}, to the upstream");
    }
    assert_eq!(
        received.values("x-kept"),
        ["first", "second"],
        "all others, in their order"
    );
    assert_eq!(received.values("accept"), ["a/b"]);
    assert_eq!(
        (received.body.as_slice(), received.values("content-length")),
        (&b"body"[..], vec!["4"])
    );
    for name in [
        "X-Nominated",
        "Keep-Alive",
        "Proxy-Connection",
        "Proxy-Authenticate",
        "Upgrade",
        "Trailer",
    ] {
        assert_eq!(answer.header(name), None, "{name}, to the caller");
    }
    assert_eq!(answer.header("x-kept"), Some("1"));
    assert_eq!(
        answer.header("connection"),
        Some("keep-alive"),
        "the gateway's own connection"
    );
    assert_eq!(
        answer.header("x-request-id"),
        received.values("x-request-id").first().copied(),
        "the gateway's id, not the upstream's"
    );
}

#[test]
fn nobody_switches_protocols() {
    let world = World::start();
    for (what, protocol, connection) in [
        ("WebSocket", "websocket", "Upgrade"),
        ("HTTP/2 without TLS", "h2c", "Upgrade, HTTP2-Settings"),
        ("in capitals", "WEBSOCKET", "UPGRADE"),
        ("not nominated", "websocket", "keep-alive"),
    ] {
        let request = get("/public/x")
            .header("Connection", connection)
            .header("Upgrade", protocol)
            .header("HTTP2-Settings", "AAMAAABkAAQAAP__")
            .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
        let answer = world.send(&request);
        assert_eq!(
            answer.status, 200,
            "{what}: answered as if nothing had been asked"
        );
        let received = world.upstream.take_one();
        assert_eq!(received.values("upgrade"), [""; 0], "{what}");
        assert_eq!(received.values("connection"), [""; 0], "{what}");
    }
}

#[test]
fn a_trusted_proxy_is_believed_and_nobody_else() {
    let trusting = World::start_with("trusted_proxies = [\"127.0.0.0/8\", \"10.0.0.0/8\"]");
    let distrusting = World::start_with("trusted_proxies = [\"10.0.0.0/8\"]");
    // The caller is 127.0.0.1. What it says of others, who the log takes it for, and what the upstream reads.
    for (what, said, client, forwarded) in [
        ("nothing", vec![], "127.0.0.1", "127.0.0.1"),
        (
            "a client",
            vec!["203.0.113.7"],
            "203.0.113.7",
            "203.0.113.7, 127.0.0.1",
        ),
        (
            "a client that lies",
            vec!["1.1.1.1, 203.0.113.7"],
            "203.0.113.7",
            "1.1.1.1, 203.0.113.7, 127.0.0.1",
        ),
        (
            "a proxy behind a proxy",
            vec!["1.1.1.1, 203.0.113.7, 10.1.2.3"],
            "203.0.113.7",
            "1.1.1.1, 203.0.113.7, 10.1.2.3, 127.0.0.1",
        ),
        (
            "in two fields",
            vec!["1.1.1.1", "203.0.113.7, 10.1.2.3"],
            "203.0.113.7",
            "1.1.1.1, 203.0.113.7, 10.1.2.3, 127.0.0.1",
        ),
        (
            "proxies only",
            vec!["10.9.9.9, 10.1.2.3"],
            "10.9.9.9",
            "10.9.9.9, 10.1.2.3, 127.0.0.1",
        ),
        (
            "no address",
            vec!["1.1.1.1, unknown"],
            "127.0.0.1",
            "1.1.1.1, unknown, 127.0.0.1",
        ),
        (
            "IPv6",
            vec!["2001:db8::7"],
            "2001:db8::7",
            "2001:db8::7, 127.0.0.1",
        ),
        (
            "IPv4 in IPv6",
            vec!["::ffff:203.0.113.7"],
            "203.0.113.7",
            "::ffff:203.0.113.7, 127.0.0.1",
        ),
    ] {
        let id = format!("from-the-edge-{}", what.replace(' ', "-"));
        let request = said
            .iter()
            .fold(get("/public/x"), |request, hops| {
                request.header("X-Forwarded-For", hops)
            })
            .header("X-Forwarded-Proto", "https")
            .header("X-Forwarded-Host", "public.example")
            .header("X-Request-Id", &id);
        let answer = trusting.send(&request);
        let received = trusting.upstream.take_one();
        assert_eq!(received.values("x-forwarded-for"), [forwarded], "{what}");
        assert_eq!(received.values("x-forwarded-proto"), ["https"], "{what}");
        assert_eq!(received.values("x-forwarded-host"), ["public.example"], "{what}");
        assert_eq!(received.values("x-request-id"), [id.as_str()], "{what}");
        assert_eq!(answer.header("x-request-id"), Some(id.as_str()), "{what}");
        let line = trusting.gateway.access_line(&answer);
        assert_eq!(line["client_ip"], client, "{what}");

        let answer = distrusting.send(&request);
        let received = distrusting.upstream.take_one();
        assert_eq!(
            received.values("x-forwarded-for"),
            ["127.0.0.1"],
            "{what}, not trusted"
        );
        assert_eq!(
            received.values("x-forwarded-proto"),
            ["http"],
            "{what}, not trusted"
        );
        assert_eq!(
            received.values("x-forwarded-host"),
            ["gateway.test"],
            "{what}, not trusted"
        );
        assert_ne!(
            received.values("x-request-id"),
            [id.as_str()],
            "{what}, not trusted"
        );
        assert_eq!(
            distrusting.gateway.access_line(&answer)["client_ip"],
            "127.0.0.1",
            "{what}, not trusted"
        );
    }
    for (what, name, value) in [
        ("an id that is too long", "X-Request-Id", "x".repeat(129)),
        ("an id with a space", "X-Request-Id", "a b".to_owned()),
        ("an empty id", "X-Request-Id", String::new()),
        ("no protocol of ours", "X-Forwarded-Proto", "gopher".to_owned()),
    ] {
        trusting.send(&get("/public/x").header(name, &value));
        let received = trusting.upstream.take_one();
        assert_ne!(received.values(name), [value.as_str()], "{what}");
        assert_eq!(received.values(name).len(), 1, "{what}");
    }
}

#[test]
fn bodies_arrive_whole_and_framed_once() {
    let world = World::start();
    let token = world.token().text();
    for (what, request, body) in [
        ("a length", post("/mixed/", "hello").bearer(&token), &b"hello"[..]),
        (
            "chunks",
            request("PUT", "/mixed/").bearer(&token).chunked(b"hello"),
            b"hello",
        ),
        (
            "a GET with a body",
            request("GET", "/mixed/").bearer(&token).body("hello"),
            b"hello",
        ),
        ("an empty body", post("/mixed/", "").bearer(&token), b""),
        (
            "a body that is asked for",
            post("/mixed/", "hello").header("Expect", "100-continue"),
            b"hello",
        ),
        (
            "a large body",
            post("/mixed/", vec![b'x'; 100_000]),
            &[b'x'; 100_000],
        ),
    ] {
        let answer = world.send(&request);
        assert_eq!(answer.status, 200, "{what}: {}", answer.text());
        let received = world.upstream.take_one();
        assert_eq!(received.body, body, "{what}");
        assert_eq!(received.target, "/mixed/", "{what}");
        let framings = received.values("content-length").len() + received.values("transfer-encoding").len();
        assert!(framings <= 1, "{what}: {received:?}");
    }
}

#[test]
fn trailers_bring_no_fields_and_end_nothing() {
    let world = World::start();
    let mut connection = Connection::open(world.gateway.address());
    for _ in 0..2 {
        let head =
            "POST /mixed/ HTTP/1.1\r\nHost: a\r\nTrailer: X-User\r\nTransfer-Encoding: chunked\r\n\r\n";
        let body = format!("5\r\nhello\r\n0\r\nX-User: {FORGED}\r\nContent-Length: 50\r\n\r\n");
        connection.write(format!("{head}{body}").as_bytes());
        let answer = connection.read().expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.text());
        let received = world.upstream.take_one();
        assert_eq!(received.body, b"hello");
        assert!(!format!("{received:?}").contains(FORGED), "{received:?}");
    }
}

type Disguise = fn(Request, &str) -> Request;

/// The ways in which a caller may write a field that is not its own.
fn disguises() -> [(&'static str, Disguise); 10] {
    [
        ("as it is", |request, name| request.header(name, FORGED)),
        ("in small letters", |request, name| {
            request.header(&name.to_lowercase(), FORGED)
        }),
        ("in capitals", |request, name| {
            request.header(&name.to_uppercase(), FORGED)
        }),
        ("with underscores", |request, name| {
            request.header(&name.replace('-', "_"), FORGED)
        }),
        ("with underscores in capitals", |request, name| {
            request.header(&name.to_uppercase().replace('-', "_"), FORGED)
        }),
        ("with dots", |request, name| {
            request.header(&name.replace('-', "."), FORGED)
        }),
        ("twice", |request, name| {
            request.header(name, FORGED).header(name, FORGED)
        }),
        ("in two spellings", |request, name| {
            request
                .header(name, FORGED)
                .header(&name.replace('-', "_"), FORGED)
        }),
        ("as a connection's own", |request, name| {
            request.header("Connection", name).header(name, FORGED)
        }),
        ("as a connection's own, in another spelling", |request, name| {
            let other = name.replace('-', "_");
            request.header("Connection", &other).header(&other, FORGED)
        }),
    ]
}

/// The values of a field as a server sees them that folds names: letters and digits count, nothing else.
fn folded(received: &Received, name: &str) -> Vec<String> {
    let fold = |name: &str| -> String {
        let fold = |c: char| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        };
        name.chars().map(fold).collect()
    };
    let named = received.headers.iter().filter(|(own, _)| fold(own) == fold(name));
    named.map(|(_, value)| value.clone()).collect()
}

/// The one value that the gateway gives, or none. An id is any.
fn the_gateways(received: &Received, name: &str, expected: Option<&str>) -> Vec<String> {
    match expected {
        None => vec![],
        Some(_) if name == "X-Request-Id" => {
            let id = received.values(name).first().copied().unwrap_or_default();
            assert!(
                id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()),
                "{id}"
            );
            vec![id.to_owned()]
        }
        Some(value) => vec![value.to_owned()],
    }
}
