//! An upstream that keeps what it got, byte for byte, and misbehaves on demand.
//!
//! One thread a connection, one loop a request; strict about framing, so that a request which the gateway would let
//! through badly framed is not read kindly. The last segment of the path chooses the behaviour of
//! [`Upstream::start`]'s server; [`Upstream::answering`] takes any other, a key server's for example.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::wait_until;

/// A server on a port of its own.
pub(crate) struct Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    /// The method.
    pub(crate) method: String,
    /// The target, as written.
    pub(crate) target: String,
    /// The fields in their order, names as written.
    pub(crate) headers: Vec<(String, String)>,
    /// The body, unchunked.
    pub(crate) body: Vec<u8>,
}

/// What a server does.
pub(crate) enum Answer {
    /// These bytes; the connection stays open.
    Bytes(Vec<u8>),
    /// These bytes, then the connection ends.
    BytesThenClose(Vec<u8>),
    /// These pieces, with a pause before each but the first.
    Pieces(Vec<Vec<u8>>, Duration),
    /// Nothing, for as long as the other side waits.
    Silence,
    /// The connection is reset.
    Reset,
}

type Handler = dyn Fn(&Received) -> Answer + Send + Sync;

struct Shared {
    received: Mutex<Vec<Received>>,
    connections: AtomicUsize,
    stopped: AtomicBool,
    handler: Box<Handler>,
}

// === impl Upstream ===

impl Upstream {
    /// A server that answers with what it got as JSON, and behaves by the last segment of the path: `close`, `hop`,
    /// `cached`, `failing`, `silent`, `reset`, `garbage`, `chunked`, `slow`, `cut`.
    pub(crate) fn start() -> Self {
        Self::answering(behave)
    }

    /// A server that answers as `handler` says.
    pub(crate) fn answering(handler: impl Fn(&Received) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            received: Mutex::default(),
            connections: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            handler: Box::new(handler),
        });
        let server = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if server.stopped.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                server.connections.fetch_add(1, Ordering::Relaxed);
                let server = Arc::clone(&server);
                thread::spawn(move || server.serve(stream));
            }
        });
        Self { address, shared }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections there have been.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Takes what has arrived since the last time.
    pub(crate) fn take(&self) -> Vec<Received> {
        std::mem::take(&mut self.shared.received.lock().unwrap())
    }

    /// Takes the one request that has arrived or is about to.
    pub(crate) fn take_one(&self) -> Received {
        let mut taken = wait_until("a request at the upstream", || {
            Some(self.take()).filter(|taken| !taken.is_empty())
        });
        assert_eq!(taken.len(), 1, "more than one request: {taken:?}");
        taken.remove(0)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

// === impl Shared ===

impl Shared {
    fn serve(&self, mut stream: TcpStream) {
        let mut unread = Vec::new();
        while let Some(request) = Received::read(&mut stream, &mut unread) {
            let answer = (self.handler)(&request);
            self.received.lock().unwrap().push(request);
            let done = match answer {
                Answer::Bytes(bytes) => stream.write_all(&bytes).is_err(),
                Answer::BytesThenClose(bytes) => {
                    let _ = stream.write_all(&bytes);
                    true
                }
                Answer::Pieces(pieces, pause) => pieces.iter().enumerate().any(|(index, piece)| {
                    if index > 0 {
                        thread::sleep(pause);
                    }
                    stream.write_all(piece).is_err()
                }),
                Answer::Silence => {
                    // Until the other side goes away.
                    let _ = stream.read(&mut [0; 1]);
                    true
                }
                Answer::Reset => {
                    socket2::SockRef::from(&stream)
                        .set_linger(Some(Duration::ZERO))
                        .unwrap();
                    true
                }
            };
            if done {
                return;
            }
        }
    }
}

// === impl Received ===

impl Received {
    /// All values of a field, by its name in any case.
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        let named = self
            .headers
            .iter()
            .filter(|(own, _)| own.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// The next request; nothing when the other side closes or sends what is none.
    fn read(stream: &mut TcpStream, unread: &mut Vec<u8>) -> Option<Self> {
        let end = loop {
            if let Some(end) = unread.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            more(stream, unread)?;
        };
        let head: Vec<u8> = unread.drain(..end + 4).collect();
        let head = String::from_utf8_lossy(&head).into_owned();
        let mut lines = head.trim_end_matches("\r\n").split("\r\n");
        let mut start = lines.next()?.split(' ');
        let (method, target, _version) = (start.next()?, start.next()?, start.next()?);
        let headers = lines.map(|line| {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            (name.to_owned(), value.trim().to_owned())
        });
        let mut request = Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: headers.collect(),
            body: Vec::new(),
        };
        let chunked = !request.values("transfer-encoding").is_empty();
        let lengths = request.values("content-length");
        assert!(
            lengths.len() + usize::from(chunked) <= 1,
            "a request framed in two ways: {request:?}"
        );
        let length = lengths.first().and_then(|length| length.parse().ok());
        if chunked {
            request.body = chunks(stream, unread)?;
        } else if let Some(length) = length {
            request.body = exactly(stream, unread, length)?;
        }
        Some(request)
    }

    fn to_json(&self) -> Value {
        json!({
            "method": self.method,
            "target": self.target,
            "headers": self.headers,
            "body": String::from_utf8_lossy(&self.body),
        })
    }
}

/// A complete HTTP/1.1 answer with a `Content-Length`.
pub(crate) fn respond(status: u16, fields: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status} Status\r\n");
    for (name, value) in fields {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    text.into_bytes()
}

/// An address at which nobody listens.
pub(crate) fn closed_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

fn behave(request: &Received) -> Answer {
    let json = ("Content-Type", "application/json");
    let echo = request.to_json().to_string();
    let path = request.target.split('?').next().unwrap_or_default();
    if request.method == "HEAD" {
        let whole = respond(200, &[json], &echo);
        let end = whole.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        return Answer::Bytes(whole[..end + 4].to_vec());
    }
    match path.rsplit('/').next().unwrap_or_default() {
        "close" => Answer::BytesThenClose(respond(200, &[json, ("Connection", "close")], &echo)),
        "hop" => {
            let fields = [
                json,
                ("Connection", "X-Nominated, keep-alive"),
                ("X-Nominated", "1"),
                ("Keep-Alive", "timeout=5"),
                ("Proxy-Connection", "keep-alive"),
                ("Proxy-Authenticate", "Basic"),
                ("Upgrade", "h2c"),
                ("Trailer", "X-Late"),
                ("X-Request-Id", "the-upstream's"),
                ("X-Kept", "1"),
            ];
            Answer::Bytes(respond(200, &fields, &echo))
        }
        "cached" => {
            let fields = [json, ("Cache-Control", "public, max-age=60")];
            Answer::Bytes(respond(200, &fields, &echo))
        }
        "failing" => Answer::Bytes(respond(500, &[json], "{\"from\":\"upstream\"}")),
        "silent" => Answer::Silence,
        "reset" => Answer::Reset,
        "garbage" => Answer::BytesThenClose(b"SSH-2.0-OpenSSH_9.6\r\n\r\n".to_vec()),
        "cut" => Answer::BytesThenClose(b"HTTP/1.1 200 OK\r\nContent-Le".to_vec()),
        "chunked" => {
            let (one, two) = echo.split_at(echo.len() / 2);
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            let body = format!(
                "{:x}\r\n{one}\r\n{:x}\r\n{two}\r\n0\r\n\r\n",
                one.len(),
                two.len()
            );
            Answer::Bytes(format!("{head}{body}").into_bytes())
        }
        "slow" => {
            let whole = respond(200, &[json], &echo);
            let pieces = whole.chunks(whole.len() / 3).map(<[u8]>::to_vec).collect();
            Answer::Pieces(pieces, Duration::from_millis(20))
        }
        _ => Answer::Bytes(respond(200, &[json], &echo)),
    }
}

fn more(stream: &mut TcpStream, unread: &mut Vec<u8>) -> Option<()> {
    let mut bytes = [0; 16 * 1024];
    match stream.read(&mut bytes) {
        Ok(0) | Err(_) => None,
        Ok(read) => {
            unread.extend(&bytes[..read]);
            Some(())
        }
    }
}

fn exactly(stream: &mut TcpStream, unread: &mut Vec<u8>, length: usize) -> Option<Vec<u8>> {
    while unread.len() < length {
        more(stream, unread)?;
    }
    Some(unread.drain(..length).collect())
}

fn chunks(stream: &mut TcpStream, unread: &mut Vec<u8>) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = loop {
            if let Some(end) = unread.windows(2).position(|window| window == b"\r\n") {
                break end;
            }
            more(stream, unread)?;
        };
        let line = exactly(stream, unread, end + 2)?;
        let size = usize::from_str_radix(str::from_utf8(&line).ok()?.trim(), 16).ok()?;
        body.extend(exactly(stream, unread, size)?);
        exactly(stream, unread, 2)?;
        if size == 0 {
            return Some(body);
        }
    }
}
