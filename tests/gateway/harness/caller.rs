//! A caller that writes exactly the bytes it is told to, and reads answers without mercy.
//!
//! No HTTP library stands between a test and the wire: what a library would refuse to send is what the gateway must
//! be able to refuse.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};

use std::time::Duration;

use serde_json::Value;
use socket2::{Domain, Socket, Type};

use super::DEADLINE;

/// A request as it will be written, field by field.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    method: String,
    target: String,
    version: &'static str,
    host: Option<String>,
    fields: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

/// An answer as it came.
#[derive(Debug, Clone)]
pub(crate) struct Response {
    /// The status.
    pub(crate) status: u16,
    /// The fields in their order, names as written.
    pub(crate) headers: Vec<(String, String)>,
    /// The body, unchunked.
    pub(crate) body: Vec<u8>,
}

/// A connection that stays open between requests.
pub(crate) struct Connection {
    stream: TcpStream,
    unread: Vec<u8>,
}

/// A GET for `target`, `Host: gateway.test`.
pub(crate) fn get(target: &str) -> Request {
    request("GET", target)
}

/// A POST with a body of known length.
pub(crate) fn post(target: &str, body: impl Into<Vec<u8>>) -> Request {
    request("POST", target).body(body)
}

/// Any method.
pub(crate) fn request(method: &str, target: &str) -> Request {
    Request {
        method: method.to_owned(),
        target: target.to_owned(),
        version: "HTTP/1.1",
        host: Some("gateway.test".to_owned()),
        fields: Vec::new(),
        body: Vec::new(),
    }
}

// === impl Request ===

impl Request {
    /// `Authorization: Bearer <token>`
    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    /// One more field, exactly so.
    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        self.raw_header(name, value.as_bytes())
    }

    /// One more field whose value is not UTF-8.
    pub(crate) fn raw_header(mut self, name: &str, value: &[u8]) -> Self {
        self.fields.push((name.to_owned(), value.to_vec()));
        self
    }

    /// Another `Host`.
    pub(crate) fn host(mut self, host: &str) -> Self {
        self.host = Some(host.to_owned());
        self
    }

    /// No `Host`.
    pub(crate) fn without_host(mut self) -> Self {
        self.host = None;
        self
    }

    /// `HTTP/1.0`
    pub(crate) fn version(mut self, version: &'static str) -> Self {
        self.version = version;
        self
    }

    /// A body, announced by `Content-Length`.
    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        let length = self.body.len().to_string();
        self.header("Content-Length", &length)
    }

    /// A body in two chunks.
    pub(crate) fn chunked(mut self, body: &[u8]) -> Self {
        let (first, second) = body.split_at(body.len() / 2);
        for chunk in [first, second] {
            if !chunk.is_empty() {
                self.body.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
                self.body.extend(chunk);
                self.body.extend(b"\r\n");
            }
        }
        self.body.extend(b"0\r\n\r\n");
        self.header("Transfer-Encoding", "chunked")
    }

    /// The target.
    pub(crate) fn target(&self) -> &str {
        &self.target
    }

    /// Words of the query and of fields that may hold credentials, as far as they are long enough to be secret.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let places = ["authorization", "cookie", "x-access-token", "x_access_token"];
        let named = |name: &str| places.iter().any(|place| name.eq_ignore_ascii_case(place));
        let values = self.fields.iter().filter(|(name, _)| named(name));
        let values = values.map(|(_, value)| String::from_utf8_lossy(value).into_owned());
        let query = self.target.split_once('?').map(|(_, query)| query.to_owned());
        values
            .chain(query)
            .flat_map(|text| {
                let words = text.split([' ', '=', ';', '&']).map(ToOwned::to_owned);
                words.collect::<Vec<_>>()
            })
            .filter(|word| word.len() >= 20)
            .collect()
    }

    /// The same request as `tollgate explain` is asked about it; nothing if its flags have no words for it.
    pub(crate) fn explain_args(&self) -> Option<Vec<String>> {
        let host = self.host.as_ref().filter(|_| self.version == "HTTP/1.1")?;
        let mut args = vec![format!("--method={}", self.method)];
        args.push(format!("--url={}", self.target));
        args.push(format!("--host={host}"));
        for (name, value) in &self.fields {
            let value = String::from_utf8(value.clone()).ok()?;
            args.push(format!("--header={name}: {value}"));
        }
        Some(args)
    }

    /// What goes over the wire.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} {}\r\n", self.method, self.target, self.version).into_bytes();
        if let Some(host) = &self.host {
            bytes.extend(format!("Host: {host}\r\n").into_bytes());
        }
        for (name, value) in &self.fields {
            bytes.extend(name.as_bytes());
            bytes.extend(b": ");
            bytes.extend(value);
            bytes.extend(b"\r\n");
        }
        bytes.extend(b"\r\n");
        bytes.extend(&self.body);
        bytes
    }

    /// Sends it on a connection of its own and reads the answer.
    pub(crate) fn send(&self, address: SocketAddr) -> Response {
        Connection::open(address).ask(self)
    }
}

// === impl Response ===

impl Response {
    /// The value of a field; panics if there are two, because then the question is wrong.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let values = self.headers_named(name);
        assert!(values.len() < 2, "{name} occurs more than once: {self:?}");
        values.first().copied()
    }

    /// All values of a field.
    pub(crate) fn headers_named(&self, name: &str) -> Vec<&str> {
        let named = self
            .headers
            .iter()
            .filter(|(own, _)| own.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; `null` if it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The problem's `code`; empty if the body is no problem.
    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

// === impl Connection ===

impl Connection {
    /// Connects.
    pub(crate) fn open(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).expect("the gateway listens"))
    }

    /// Connects from an address of one's own; on Linux the whole of 127.0.0.0/8 is.
    pub(crate) fn from(source: IpAddr, address: SocketAddr) -> Self {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::new(source, 0).into()).unwrap();
        socket.connect(&address.into()).expect("the gateway listens");
        Self::over(socket.into())
    }

    fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            unread: Vec::new(),
        }
    }

    /// Sends a request and reads its answer.
    pub(crate) fn ask(&mut self, request: &Request) -> Response {
        self.write(&request.bytes());
        let answer = if request.method == "HEAD" {
            self.read_head()
        } else {
            self.read()
        };
        answer.unwrap_or_else(|| panic!("closed without an answer to {request:?}"))
    }

    /// Writes bytes. A gateway that has already closed is found out by reading.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        // Ignored on purpose: the answer may have come, and the connection gone, before all was written.
        let _ = self.stream.write_all(bytes);
    }

    /// The next answer; nothing if the gateway closes first. Interim (1xx) answers are passed over.
    pub(crate) fn read(&mut self) -> Option<Response> {
        loop {
            let (status, headers) = self.head()?;
            if status / 100 == 1 {
                continue;
            }
            let mut response = Response {
                status,
                headers,
                body: Vec::new(),
            };
            let chunked = response
                .header("transfer-encoding")
                .is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
            let length = response
                .header("content-length")
                .map(|length| length.parse().unwrap());
            response.body = match (chunked, length) {
                _ if matches!(status, 204 | 304) => Vec::new(),
                (true, None) => self.chunks(),
                (false, Some(length)) => self.exactly(length),
                (false, None) => self.rest(),
                (true, Some(_)) => panic!("an answer framed in two ways: {response:?}"),
            };
            return Some(response);
        }
    }

    /// Whether anything comes in this time.
    pub(crate) fn has_answer_within(&mut self, time: Duration) -> bool {
        self.stream.set_read_timeout(Some(time)).unwrap();
        let came = self.stream.peek(&mut [0]).is_ok();
        self.stream.set_read_timeout(Some(DEADLINE)).unwrap();
        came
    }

    /// The next answer, which has no body because the request was a HEAD.
    pub(crate) fn read_head(&mut self) -> Option<Response> {
        let (status, headers) = self.head()?;
        Some(Response {
            status,
            headers,
            body: Vec::new(),
        })
    }

    /// Whatever comes until the gateway closes.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        while self.more() {}
        std::mem::take(&mut self.unread)
    }

    /// Up to the empty line.
    fn head(&mut self) -> Option<(u16, Vec<(String, String)>)> {
        let end = loop {
            if let Some(end) = self.unread.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            if !self.more() {
                assert!(
                    self.unread.is_empty(),
                    "half an answer: {:?}",
                    String::from_utf8_lossy(&self.unread)
                );
                return None;
            }
        };
        let head: Vec<u8> = self.unread.drain(..end + 4).collect();
        let head = String::from_utf8_lossy(&head).into_owned();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines
            .next()
            .and_then(|line| line.strip_prefix("HTTP/1."))
            .and_then(|line| line.get(2..5))
            .and_then(|status| status.parse().ok())
            .unwrap_or_else(|| panic!("no status line: {head:?}"));
        let field = |line: &str| {
            let (name, value) = line
                .split_once(':')
                .unwrap_or_else(|| panic!("no field: {line:?}"));
            (name.to_owned(), value.trim().to_owned())
        };
        Some((status, lines.map(field).collect()))
    }

    fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let size = usize::from_str_radix(&self.line(), 16).expect("a chunk has a size");
            body.extend(self.exactly(size));
            let end = self.line();
            assert_eq!(end, "", "a chunk ends with an empty line");
            if size == 0 {
                return body;
            }
        }
    }

    fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.unread.windows(2).position(|window| window == b"\r\n") {
                let line: Vec<u8> = self.unread.drain(..end + 2).collect();
                return String::from_utf8_lossy(line.get(..end).unwrap()).into_owned();
            }
            assert!(self.more(), "half a line");
        }
    }

    fn exactly(&mut self, length: usize) -> Vec<u8> {
        while self.unread.len() < length {
            assert!(
                self.more(),
                "a body cut short: {:?}",
                String::from_utf8_lossy(&self.unread)
            );
        }
        self.unread.drain(..length).collect()
    }

    /// Reads on; false when the other side has closed, or reset, the connection.
    fn more(&mut self) -> bool {
        let mut bytes = [0; 16 * 1024];
        match self.stream.read(&mut bytes) {
            Ok(0) => false,
            Ok(read) => {
                self.unread.extend(&bytes[..read]);
                true
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("no answer within {DEADLINE:?}: {error}"),
        }
    }
}
