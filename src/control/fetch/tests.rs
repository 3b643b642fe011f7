//! An issuer that does everything wrong, on a real socket. What it sends is written here byte for byte.
//! No answer of it may cost more than a bounded time and a bounded piece of memory, or lead anywhere else.

use std::{net::SocketAddr, time::Instant};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
};

use super::*;
use crate::issuer::ListSchedule;
use crate::revocation::{Format, LIST_BYTES_MAX};

/// Larger than anything that is accepted.
const HUGE: usize = 2 * JWKS_BYTES_MAX;

/// What comes after the bytes of an answer.
#[derive(Clone, Copy)]
enum Then {
    Close,
    /// Nothing, for ever.
    Hold,
    /// One more byte every few milliseconds, for ever.
    Drip,
}

/// One connection at a time; each gets the same answer.
struct Issuer {
    address: SocketAddr,
    requests: mpsc::UnboundedReceiver<String>,
    serving: JoinHandle<()>,
}

// === impl Issuer ===

impl Issuer {
    async fn answering(answer: impl Into<Vec<u8>>, then: Then) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, requests) = mpsc::unbounded_channel();
        let answer = answer.into();
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // The client may hang up in the middle; that is what many of these tests are about.
                let _ = serve(stream, &answer, then, &seen).await;
            }
        });
        Self {
            address,
            requests,
            serving,
        }
    }

    fn url(&self, scheme: &str) -> JwksUrl {
        JwksUrl::parse(&format!("{scheme}://{}/jwks?key=s3cret", self.address), false).unwrap()
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    answer: &[u8],
    then: Then,
    seen: &mpsc::UnboundedSender<String>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    // A TLS handshake has no blank line: whoever sends one is answered at once.
    while !head.ends_with(b"\r\n\r\n") && head.first() != Some(&0x16) {
        head.push(stream.read_u8().await?);
    }
    let _ = seen.send(String::from_utf8_lossy(&head).into_owned());
    stream.write_all(answer).await?;
    match then {
        Then::Close => stream.shutdown().await,
        Then::Hold => std::future::pending().await,
        Then::Drip => loop {
            stream.write_all(b" ").await?;
            tokio::time::sleep(Duration::from_millis(5)).await;
        },
    }
}

fn fetcher(timeout: Duration) -> Fetcher {
    // Another test of this process may have been first.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Fetcher::with_timeout(&Via::default(), timeout).unwrap()
}

/// A key set from its own address, whoever's it is.
async fn got(fetcher: &Fetcher, url: &JwksUrl) -> Result<Fetched, FetchError> {
    fetcher
        .get(&IssuerName::new("acme"), &KeyAddress::Jwks(url.clone()))
        .await
}

fn answer(status: &str, fields: &str, body: &[u8]) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 {status}\r\n{fields}\r\n").into_bytes();
    answer.extend_from_slice(body);
    answer
}

/// The cause of the failure, or "ok" and the length of the body.
fn outcome(result: &Result<Fetched, FetchError>) -> String {
    match result {
        Ok(fetched) => format!("ok {}", fetched.body.len()),
        Err(error) => error.cause().to_owned(),
    }
}

#[track_caller]
fn check_message(error: &FetchError, address: SocketAddr) {
    let text = error.to_string();
    assert!(text.contains(&format!("{address}/jwks")), "{text}");
    for secret in ["s3cret", "elsewhere.example", "HOSTILE"] {
        assert!(!text.contains(secret), "{text}");
    }
    assert!(text.len() < 600 && !text.contains(char::is_control), "{text}");
}

#[tokio::test]
async fn each_misbehaviour_has_a_cause() {
    use Then::*;

    let set = br#"{"keys":[]}"#;
    let huge = vec![b' '; HUGE];
    let exact = vec![b' '; JWKS_BYTES_MAX];
    let over = vec![b' '; JWKS_BYTES_MAX + 1];
    let chunked_over = [
        format!("{:x}\r\n", over.len()).as_bytes(),
        &over,
        b"\r\n0\r\n\r\n",
    ]
    .concat();
    let huge_field = format!("X-HOSTILE: {}\r\nContent-Length: 0\r\n", "x".repeat(HUGE));
    let many_fields = "X-HOSTILE: x\r\n".repeat(HEADERS_MAX + 1);
    let length = |bytes: usize| format!("Content-Length: {bytes}\r\n");

    let rows = [
        ("good set", answer("200 OK", &length(11), set), Close, "ok 11"),
        (
            "good set, connection kept",
            answer("200 OK", &length(11), set),
            Hold,
            "ok 11",
        ),
        ("length by closing", answer("200 OK", "", set), Close, "ok 11"),
        (
            "chunks",
            answer(
                "200 OK",
                "Transfer-Encoding: chunked\r\n",
                b"b\r\n{\"keys\":[]}\r\n0\r\n\r\n",
            ),
            Hold,
            "ok 11",
        ),
        (
            "identity",
            answer("200 OK", "Content-Encoding: Identity\r\n", set),
            Close,
            "ok 11",
        ),
        (
            "HTML is for the parser",
            answer("200 OK", "Content-Type: text/html\r\n", b"<html>"),
            Close,
            "ok 6",
        ),
        ("500", answer("500 HOSTILE", "", b"HOSTILE"), Close, "status"),
        ("404", answer("404 Not Found", &length(0), b""), Close, "status"),
        ("204", answer("204 No Content", "", b""), Close, "status"),
        ("206", answer("206 Partial Content", "", set), Close, "status"),
        (
            "301 to itself",
            answer("301 Moved", "Location: /jwks\r\nContent-Length: 0\r\n", b""),
            Close,
            "redirect",
        ),
        (
            "302 elsewhere",
            answer("302 Found", "Location: http://elsewhere.example/\r\n", b""),
            Close,
            "redirect",
        ),
        ("304", answer("304 Not Modified", "", b""), Close, "redirect"),
        (
            "at the bound",
            answer("200 OK", &length(JWKS_BYTES_MAX), &exact),
            Close,
            "ok 1048576",
        ),
        (
            "at the bound by closing",
            answer("200 OK", "", &exact),
            Close,
            "ok 1048576",
        ),
        (
            "over it",
            answer("200 OK", &length(JWKS_BYTES_MAX + 1), &over),
            Close,
            "too_large",
        ),
        (
            "over it by closing",
            answer("200 OK", "", &over),
            Close,
            "too_large",
        ),
        (
            "over it in chunks",
            answer("200 OK", "Transfer-Encoding: chunked\r\n", &chunked_over),
            Close,
            "too_large",
        ),
        (
            "2 MiB announced, none sent",
            answer("200 OK", &length(HUGE), b""),
            Hold,
            "too_large",
        ),
        (
            "2 MiB unannounced",
            answer("200 OK", "", &huge),
            Hold,
            "too_large",
        ),
        (
            "absurd length",
            answer("200 OK", "Content-Length: 18446744073709551615\r\n", b""),
            Hold,
            "protocol",
        ),
        (
            "two lengths",
            answer("200 OK", "Content-Length: 11\r\nContent-Length: 12\r\n", set),
            Close,
            "protocol",
        ),
        (
            "shorter than announced",
            answer("200 OK", &length(100), set),
            Close,
            "body",
        ),
        (
            "broken chunk",
            answer("200 OK", "Transfer-Encoding: chunked\r\n", b"HOSTILE"),
            Close,
            "body",
        ),
        (
            "gzip",
            answer("200 OK", "Content-Encoding: gzip\r\n", b"\x1f\x8b"),
            Close,
            "encoding",
        ),
        (
            "gzip after identity",
            answer(
                "200 OK",
                "Content-Encoding: identity\r\nContent-Encoding: gzip\r\n",
                b"",
            ),
            Close,
            "encoding",
        ),
        (
            "gzip in a list",
            answer("200 OK", "Content-Encoding: identity, gzip\r\n", b""),
            Close,
            "encoding",
        ),
        ("closed without an answer", Vec::new(), Close, "protocol"),
        (
            "closed within the head",
            b"HTTP/1.1 200 OK\r\nContent-".to_vec(),
            Close,
            "protocol",
        ),
        (
            "no HTTP",
            b"220 HOSTILE ESMTP\r\n\r\n".to_vec(),
            Close,
            "protocol",
        ),
        (
            "huge field",
            answer("200 OK", &huge_field, b""),
            Close,
            "protocol",
        ),
        (
            "many fields",
            answer("200 OK", &many_fields, b""),
            Close,
            "protocol",
        ),
    ];
    let fetcher = fetcher(Duration::from_secs(60));
    for (name, answer, then, expected) in rows {
        let mut issuer = Issuer::answering(answer, then).await;
        let result = got(&fetcher, &issuer.url("http")).await;
        assert_eq!(outcome(&result), expected, "{name}: {:?}", result.as_ref().err());
        if let Err(error) = result {
            check_message(&error, issuer.address);
        }
        assert!(issuer.requests.recv().await.is_some(), "{name}: asked once");
        assert!(issuer.requests.try_recv().is_err(), "{name}: asked only once");
    }
}

#[tokio::test]
async fn the_time_is_for_everything_together() {
    let rows = [
        ("no answer", Vec::new(), Then::Hold),
        ("dripping head", b"HTTP/1.1 200 OK\r\nX:".to_vec(), Then::Drip),
        ("dripping body", answer("200 OK", "", b""), Then::Drip),
        (
            "dripping body of a known length",
            answer("200 OK", "Content-Length: 1000000\r\n", b""),
            Then::Drip,
        ),
    ];
    let fetcher = fetcher(Duration::from_millis(100));
    for (name, answer, then) in rows {
        let issuer = Issuer::answering(answer, then).await;
        let started = Instant::now();
        let result = got(&fetcher, &issuer.url("http")).await;
        assert_eq!(outcome(&result), "timeout", "{name}");
        assert!(started.elapsed() < FETCH_TIMEOUT, "{name}");
        if let Err(error) = result {
            check_message(&error, issuer.address);
        }
    }
}

#[tokio::test]
async fn no_connection_has_a_cause_too() {
    let fetcher = fetcher(Duration::from_secs(60));

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let refused = format!("http://{}/jwks", listener.local_addr().unwrap());
    drop(listener);
    // No resolver asks the network for a label longer than 63 bytes.
    let unknown = format!("http://{}.example/jwks", "a".repeat(64));
    let plain = Issuer::answering(answer("400 Bad Request", "", b""), Then::Close).await;
    let silent = Issuer::answering("", Then::Close).await;

    for (url, expected) in [
        (JwksUrl::parse(&refused, false).unwrap(), "connect"),
        (JwksUrl::parse(&unknown, true).unwrap(), "dns"),
        (plain.url("https"), "tls"),
        (silent.url("https"), "connect"),
    ] {
        let result = got(&fetcher, &url).await;
        assert_eq!(outcome(&result), expected, "{:?}", result.err());
    }
}

#[tokio::test]
async fn it_says_who_asks_and_for_what() {
    let mut issuer = Issuer::answering(
        answer("200 OK", "Cache-Control: max-age=60\r\n", b"{}"),
        Then::Close,
    )
    .await;
    let fetched = got(&fetcher(FETCH_TIMEOUT), &issuer.url("http"))
        .await
        .ok()
        .unwrap();
    assert_eq!(fetched.body, b"{}");
    assert_eq!(fetched.max_age, Some(Duration::from_secs(60)));

    let request = issuer.requests.recv().await.unwrap().to_ascii_lowercase();
    let mut lines: Vec<_> = request.trim_end().lines().collect();
    lines[1..].sort_unstable();
    assert_eq!(
        lines,
        [
            "get /jwks?key=s3cret http/1.1",
            "accept: application/jwk-set+json, application/json",
            &format!("host: {}", issuer.address),
            &format!("user-agent: {USER_AGENT}"),
        ]
    );
}

#[tokio::test]
async fn a_list_is_asked_for_by_its_name_and_has_bounds_of_its_own() {
    let schedule = |issuer: &Issuer| ListSchedule {
        url: issuer.url("http"),
        via: Via::default(),
        format: Format::Json,
        refresh_interval: Duration::from_secs(1),
    };
    let fetcher = fetcher(Duration::from_secs(5));
    let fields = "Content-Length: 2\r\nETag: \"v1\"\r\n";
    let mut issuer = Issuer::answering(answer("200 OK", fields, b"{}"), Then::Close).await;
    let first = fetcher.list(&schedule(&issuer), None).await.unwrap();
    assert_eq!(first.body.as_deref(), Some(&b"{}"[..]));
    let asked = issuer.requests.recv().await.unwrap();
    assert!(
        asked.contains("accept: application/json\r\n") && !asked.contains("if-none-match"),
        "{asked}"
    );
    let known = first.validator.unwrap();
    fetcher.list(&schedule(&issuer), Some(&known)).await.unwrap();
    let asked = issuer.requests.recv().await.unwrap();
    assert!(asked.contains("if-none-match: \"v1\"\r\n"), "{asked}");
    // It is the same; whoever has not asked for that by name is not told so.
    let unchanged = Issuer::answering(answer("304 Not Modified", "", b""), Then::Close).await;
    let same = fetcher.list(&schedule(&unchanged), Some(&known)).await.unwrap();
    assert_eq!((same.body, same.validator), (None, Some(known)));
    let unasked = fetcher.list(&schedule(&unchanged), None).await;
    assert_eq!(unasked.err().map(|error| error.cause()), Some("redirect"));
    // Longer than any key set, and not without an end.
    for (length, cause) in [(LIST_BYTES_MAX, None), (LIST_BYTES_MAX + 1, Some("too_large"))] {
        let body = vec![b' '; length];
        let issuer = Issuer::answering(answer("200 OK", "", &body), Then::Close).await;
        let fetched = fetcher.list(&schedule(&issuer), None).await;
        assert_eq!(fetched.err().map(|error| error.cause()), cause, "{length}");
    }
}
