//! The short way of a request without a body: nobody can tell it from the long one, and the connections that lie idle
//! between two requests harm neither.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::harness::{Answer, Connection, Gateway, Received, Request, Upstream, get, request, respond};

fn config(peer: SocketAddr, more: &str) -> String {
    format!(
        "[[upstream]]\nname = \"sample\"\npeers = [\"{peer}\"]\n{more}\n\
         [[api]]\nname = \"open\"\ncontext_path = \"/\"\nupstream = \"sample\"\n\
         [[api.plan]]\nname = \"free\"\nsecurity = \"keyless\"\n"
    )
}

/// What upstreams answer, by path.
fn answers(received: &Received) -> Answer {
    let plain = |head: &str, body: &str| Answer::Bytes(format!("{head}\r\n\r\n{body}").into_bytes());
    let ending =
        |head: &str, body: &str| Answer::BytesThenClose(format!("{head}\r\n\r\n{body}").into_bytes());
    match received.target.as_str() {
        "/empty" => plain("HTTP/1.1 200 OK\r\nContent-Length: 0", ""),
        "/chunked" => plain(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked",
            "3\r\none\r\n5\r\ntwo..\r\n0\r\n\r\n",
        ),
        "/until-close" => ending("HTTP/1.1 200 OK", "all there is"),
        "/old" => ending("HTTP/1.0 200 OK\r\nContent-Length: 3", "old"),
        "/none" => plain("HTTP/1.1 204 No Content", ""),
        "/same" => plain("HTTP/1.1 304 Not Modified\r\nETag: \"1\"", ""),
        "/teapot" => plain("HTTP/1.1 418 Short and Stout\r\nContent-Length: 3", "tea"),
        "/twice" => plain(
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nVia: 1.1 a\r\nVia: 1.1 b",
            "ok",
        ),
        "/hop" => plain(
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: X-Gone\r\nX-Gone: 1\r\nKeep-Alive: timeout=9\r\nX-Kept: 1",
            "ok",
        ),
        "/both" => plain(
            "HTTP/1.1 200 OK\r\nContent-Length: 99\r\nTransfer-Encoding: chunked",
            "2\r\nok\r\n0\r\n\r\n",
        ),
        "/hints" => plain(
            "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2",
            "ok",
        ),
        "/pieces" => Answer::Pieces(
            ["HTTP/1.1 200 OK\r\nConte", "nt-Length: 6\r\n\r\n", "abc", "def"]
                .map(Into::into)
                .to_vec(),
            Duration::from_millis(5),
        ),
        "/large" => Answer::Bytes(respond(200, &[], &"x".repeat(300_000))),
        "/short" => ending("HTTP/1.1 200 OK\r\nContent-Length: 9", "cut"),
        "/cut" => ending("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked", "9\r\ncut"),
        "/garbage" => ending("SSH-2.0-OpenSSH_9.6", ""),
        "/conflict" => ending("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3", "abc"),
        "/switch" => ending(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade",
            "",
        ),
        "/silent-end" => Answer::BytesThenClose(Vec::new()),
        "/reset" => Answer::Reset,
        _ => Answer::Bytes(respond(200, &[("X-Own", "1")], "plain")),
    }
}

/// All that the caller got, without what differs from request to request; the lines of the header in order of the
/// alphabet.
fn seen(asked: &Request, address: SocketAddr) -> String {
    let mut connection = Connection::open(address);
    connection.write(&asked.bytes());
    let all = String::from_utf8_lossy(&connection.rest()).into_owned();
    let differs = |line: &&str| {
        let line = line.to_ascii_lowercase();
        ["date:", "x-request-id:"]
            .iter()
            .any(|name| line.starts_with(name))
            || line.contains("request_id")
    };
    let (head, body) = all.split_once("\r\n\r\n").unwrap_or((&all, ""));
    let mut lines: Vec<&str> = head.split("\r\n").filter(|line| !differs(line)).collect();
    lines.sort_unstable();
    let body = if head.contains("chunked") {
        unchunked(body)
    } else {
        body.split("\r\n").filter(|line| !differs(line)).collect()
    };
    format!("{lines:#?}\n{body:#?}")
}

/// What was in the chunks, wherever they were cut, and whether the last one came.
fn unchunked(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return whole + "(end)" + rest;
        }
        let cut = size.min(rest.len());
        whole.push_str(&rest[..cut]);
        body = rest[cut..].strip_prefix("\r\n").unwrap_or("");
    }
    whole
}

#[test]
fn nobody_can_tell_the_short_way_from_the_long_one() {
    let upstream = Upstream::answering(answers);
    let gateway = Gateway::start(&config(upstream.address(), "read_timeout = \"2s\""));
    // A field that goes no further than the gateway, for which the long way is taken.
    let long = |request: Request| request.header("TE", "trailers");
    for method in ["GET", "HEAD", "OPTIONS"] {
        for path in [
            "/",
            "/empty",
            "/chunked",
            "/until-close",
            "/old",
            "/none",
            "/same",
            "/teapot",
            "/twice",
            "/hop",
            "/both",
            "/hints",
            "/pieces",
            "/large",
            "/short",
            "/cut",
            "/garbage",
            "/conflict",
            "/switch",
            "/silent-end",
            "/reset",
        ] {
            if method == "HEAD" && path != "/none" && path != "/same" && path != "/empty" {
                continue; // this upstream would send a body
            }
            let asked = request(method, path)
                .header("Connection", "close")
                .header("X-Caller", "1");
            let by_short = seen(&asked, gateway.address());
            let short = upstream.take();
            let by_long = seen(&long(asked), gateway.address());
            let long = upstream.take();
            assert_eq!(by_short, by_long, "{method} {path}");
            let forwarded = |received: &[Received]| {
                let mut fields = received
                    .last()
                    .map(|last| last.headers.clone())
                    .unwrap_or_default();
                fields.retain(|(name, _)| !name.eq_ignore_ascii_case("x-request-id"));
                fields
                    .iter_mut()
                    .for_each(|(name, _)| name.make_ascii_lowercase());
                fields.sort();
                fields
            };
            assert_eq!(forwarded(&short), forwarded(&long), "{method} {path}");
            assert!(!short.is_empty() && short.iter().all(|received| received.target == path));
        }
    }
}

#[test]
fn a_connection_that_was_closed_meanwhile_costs_nobody_a_request() {
    let asked = AtomicUsize::new(0);
    // The second request on the first connection finds it closing; the third is the second once more.
    let upstream = Upstream::answering(move |_| match asked.fetch_add(1, Ordering::Relaxed) {
        1 => Answer::BytesThenClose(Vec::new()),
        _ => Answer::Bytes(respond(200, &[], "ok")),
    });
    let gateway = Gateway::start(&config(upstream.address(), ""));
    let mut caller = Connection::open(gateway.address());
    assert_eq!(caller.ask(&get("/1")).status, 200);
    assert_eq!(caller.ask(&get("/2")).status, 200);
    assert_eq!(upstream.connections(), 2);
    let targets: Vec<String> = upstream
        .take()
        .into_iter()
        .map(|received| received.target)
        .collect();
    assert_eq!(targets, ["/1", "/2", "/2"]);

    // A connection that was made for the request and ends is the upstream's failure, and nothing is sent twice.
    let upstream = Upstream::answering(|_| Answer::BytesThenClose(Vec::new()));
    let gateway = Gateway::start(&config(upstream.address(), ""));
    assert_eq!(get("/").send(gateway.address()).status, 502);
    assert_eq!(upstream.take().len(), 1);
}

#[test]
fn connections_are_used_again() {
    let upstream = Upstream::answering(answers);
    let gateway = Gateway::start(&config(upstream.address(), ""));
    for path in ["/", "/chunked", "/none", "/large", "/pieces", "/teapot", "/hints"].repeat(5) {
        // A new caller each time: the connection belongs to the upstream.
        assert!(
            get(path)
                .header("Connection", "close")
                .send(gateway.address())
                .status
                >= 103
        );
    }
    assert_eq!(upstream.connections(), 1);
}

/// Accepts, reads one request and answers it.
fn serve_one(listener: &TcpListener, answer: &[u8]) -> TcpStream {
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut read = [0; 4096];
    assert!(stream.read(&mut read).unwrap() > 0);
    stream.write_all(answer).unwrap();
    stream
}

#[test]
fn what_nobody_asked_for_is_nobodys_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let gateway = Gateway::start(&config(listener.local_addr().unwrap(), ""));
    std::thread::scope(|scope| {
        let poisoned = scope.spawn(|| {
            let mut stream = serve_one(&listener, &respond(200, &[], "first"));
            // An answer to a request that has not been made. When it has been noticed, the connection ends.
            stream.write_all(&respond(200, &[], "somebody else's")).unwrap();
            assert!(matches!(stream.read(&mut [0; 64]), Ok(0) | Err(_)));
        });
        assert_eq!(get("/1").send(gateway.address()).text(), "first");
        poisoned.join().unwrap();
        scope.spawn(|| serve_one(&listener, &respond(200, &[], "second")));
        assert_eq!(get("/2").send(gateway.address()).text(), "second");
    });
}

#[test]
fn a_connection_does_not_lie_idle_for_ever() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let gateway = Gateway::start(&config(listener.local_addr().unwrap(), "idle_timeout = \"1s\""));
    std::thread::scope(|scope| {
        let upstream = scope.spawn(|| {
            let mut stream = serve_one(&listener, &respond(200, &[], "ok"));
            assert_eq!(
                stream.read(&mut [0; 64]).unwrap(),
                0,
                "closed, and nothing was sent"
            );
        });
        assert_eq!(get("/").send(gateway.address()).status, 200);
        upstream.join().unwrap();
    });
}

#[test]
fn a_caller_that_says_nothing_is_not_waited_for() {
    let upstream = Upstream::answering(answers);
    let config = format!(
        "[server]\nidle_timeout = \"1s\"\n{}",
        config(upstream.address(), "")
    );
    let gateway = Gateway::start(&config);
    let mut silent = Connection::open(gateway.address());
    assert_eq!(silent.rest(), b"", "closed without a word");
    let mut idle = Connection::open(gateway.address());
    assert_eq!(idle.ask(&get("/")).status, 200);
    assert_eq!(idle.rest(), b"", "closed after its request");
}

#[test]
fn an_upstream_works_for_nobody_who_has_hung_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let gateway = Gateway::start(&config(listener.local_addr().unwrap(), ""));
    for begun in [
        "",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    ] {
        let mut caller = Connection::open(gateway.address());
        caller.write(&get("/").bytes());
        let mut stream = serve_one(&listener, begun.as_bytes());
        if !begun.is_empty() {
            assert_eq!(caller.read_head().unwrap().status, 200);
        }
        drop(caller);
        assert!(matches!(stream.read(&mut [0; 64]), Ok(0) | Err(_)), "{begun:?}");
    }
}
