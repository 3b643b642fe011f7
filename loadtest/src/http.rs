//! One request over a connection of its own, and the answer as bytes.
//!
//! For questions by hand: before a measurement, at the metrics listener, under valgrind. Answers have a length
//! (`Content-Length`) or end with the connection; nothing here is asked that answers in chunks.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);
const CONNECT_MAX: Duration = Duration::from_secs(5);
const READ_BYTES: usize = 64 * 1024;

/// Status and body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// What an answer says about its own end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    /// Of the head, its last empty line included.
    pub(crate) bytes: usize,
    pub(crate) body_bytes: Option<usize>,
    pub(crate) closes: bool,
}

/// A connection on which requests follow each other.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

// === impl Head ===

impl Head {
    /// None while the head is not complete.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
        let head = String::from_utf8_lossy(bytes.get(..end)?);
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let (mut body_bytes, mut closes) = (None, false);
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            if name.eq_ignore_ascii_case("content-length") {
                body_bytes = value.trim().parse().ok();
            } else if name.eq_ignore_ascii_case("connection") {
                closes = value.trim().eq_ignore_ascii_case("close");
            }
        }
        Some(Self {
            status,
            bytes: end,
            body_bytes,
            closes,
        })
    }
}

// === impl Connection ===

impl Connection {
    pub(crate) fn open(address: &str) -> io::Result<Self> {
        let address: SocketAddr = address.parse().map_err(io::Error::other)?;
        let stream = TcpStream::connect_timeout(&address, CONNECT_MAX)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream,
            received: Vec::new(),
        })
    }

    /// Sends one request and waits for the whole answer.
    pub(crate) fn ask(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.stream.write_all(request)?;
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let read = self.stream.read(&mut buffer)?;
            self.received
                .extend_from_slice(buffer.get(..read).unwrap_or_default());
            let Some(head) = Head::of(&self.received) else {
                if read == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                continue;
            };
            let there = self.received.len() - head.bytes;
            let complete = match head.body_bytes {
                Some(expected) if there < expected && read == 0 => {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                Some(expected) => there >= expected,
                None => read == 0,
            };
            if complete {
                let end = head.bytes + head.body_bytes.unwrap_or(there);
                let answer: Vec<u8> = self.received.drain(..end).skip(head.bytes).collect();
                return Ok(Answer {
                    status: head.status,
                    body: answer,
                });
            }
        }
    }
}

/// A request for `path`; `fields` are whole lines.
pub(crate) fn request(path: &str, fields: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: api.test\r\nUser-Agent: load\r\n{fields}\r\n").into_bytes()
}

/// Asks once.
pub(crate) fn get(address: &str, path: &str, fields: &str) -> io::Result<Answer> {
    let fields = format!("{fields}Connection: close\r\n");
    Connection::open(address)?.ask(&request(path, &fields))
}

#[cfg(test)]
mod tests {
    use super::Head;

    #[test]
    fn an_answer_says_where_it_ends() {
        let head = |text: &str| Head::of(text.as_bytes());
        let whole = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 12\r\nConnection: Close\r\n\r\n{}";
        let expected = Head {
            status: 401,
            bytes: whole.len() - 2,
            body_bytes: Some(12),
            closes: true,
        };
        assert_eq!(head(whole), Some(expected));
        for cut in 0..whole.len() - 2 {
            assert_eq!(head(&whole[..cut]), None, "cut after byte {cut}");
        }
        let bare = head("HTTP/1.1 200 OK\r\n\r\n").unwrap();
        assert_eq!((bare.body_bytes, bare.closes), (None, false));
    }
}
