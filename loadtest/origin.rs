//! The upstream of the load test: one fixed answer, as fast as one thread can give it.
//!
//! It shares its core with the load generator, so every microsecond it takes is taken from the load. It therefore
//! reads no header but looks only for the empty line that ends a request, answers all requests that one read
//! brought with one write, and allocates per connection, not per request. It serves requests without a body
//! only, which is all the load test sends; it is no HTTP server for anything else.

use std::error::Error;
use std::future::poll_fn;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::pin::Pin;

use clap::Parser;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// About 128 bytes, as a small API answers.
const BODY: &str = r#"{"id":"7f3c2a90","kind":"pizza","name":"Margherita","price":"8.50","currency":"EUR","available":true,"tags":["vegetarian","oven"]}"#;

/// One read takes at most this much: several requests, each with a token and the headers a proxy adds.
const READ_BYTES_MAX: usize = 16 * 1024;

/// What ends a request without a body.
const REQUEST_END: &[u8; 4] = b"\r\n\r\n";

/// Answers every request with 200 and the same small JSON body.
#[derive(Parser)]
struct Arguments {
    /// Where requests are taken; with port 0 the system picks one. The address is printed once bound.
    #[arg(long)]
    listen: SocketAddr,
}

/// Counts the requests in a stream of bytes, wherever reads happen to cut it.
#[derive(Default)]
struct RequestCounter {
    /// How many bytes of [`REQUEST_END`] the stream so far ends with.
    matched: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let Arguments { listen } = Arguments::try_parse().unwrap_or_else(|e| e.exit());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    runtime.block_on(serve(listen))
}

async fn serve(listen: SocketAddr) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(listen).await?;
    let mut stdout = io::stdout();
    writeln!(stdout, "{}", listener.local_addr()?)?;
    stdout.flush()?;

    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{BODY}",
        BODY.len()
    );
    let answer: &'static [u8] = answer.leak().as_bytes();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        // A connection that breaks concerns its peer, who counts it as a socket error.
        tokio::spawn(async move { converse(stream, answer).await.ok() });
    }
}

/// Answers the requests of one connection until the peer closes it.
async fn converse(mut stream: TcpStream, answer: &[u8]) -> io::Result<()> {
    let mut buffer = vec![0; READ_BYTES_MAX];
    let mut requests = RequestCounter::default();
    let mut answers = Vec::new();
    loop {
        let read = read(&mut stream, &mut buffer).await?;
        if read.is_empty() {
            return Ok(());
        }
        match requests.count(read) {
            0 => {}
            1 => write_all(&mut stream, answer).await?,
            pipelined => {
                answers.clear();
                (0..pipelined).for_each(|_| answers.extend_from_slice(answer));
                write_all(&mut stream, &answers).await?;
            }
        }
    }
}

/// Reads once. `poll_read` rather than `try_read`: after a read that did not fill the buffer it waits for the next
/// event without asking the kernel a second time.
async fn read<'b>(stream: &mut TcpStream, buffer: &'b mut [u8]) -> io::Result<&'b [u8]> {
    let mut unfilled = ReadBuf::new(buffer);
    poll_fn(|cx| Pin::new(&mut *stream).poll_read(cx, &mut unfilled)).await?;
    let filled = unfilled.filled().len();
    Ok(buffer.get(..filled).unwrap_or_default())
}

async fn write_all(stream: &mut TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = poll_fn(|cx| Pin::new(&mut *stream).poll_write(cx, bytes)).await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = bytes.get(written..).unwrap_or_default();
    }
    Ok(())
}

// === impl RequestCounter ===

impl RequestCounter {
    /// How many requests end in `bytes`, which follow those of the call before.
    fn count(&mut self, bytes: &[u8]) -> usize {
        let mut ended = 0;
        for &byte in bytes {
            self.matched = match (REQUEST_END.get(self.matched), byte) {
                (Some(&expected), _) if byte == expected => self.matched + 1,
                (_, b'\r') => 1,
                _ => 0,
            };
            if self.matched == REQUEST_END.len() {
                self.matched = 0;
                ended += 1;
            }
        }
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::RequestCounter;

    const REQUESTS: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\r\n\r\n";

    #[test]
    fn requests_are_counted_wherever_reads_cut_them() {
        assert_eq!(
            RequestCounter::default().count(REQUESTS),
            2,
            "pipelined in one read"
        );
        for cut in 0..=REQUESTS.len() {
            let (first, second) = REQUESTS.split_at(cut);
            let mut counter = RequestCounter::default();
            assert_eq!(
                counter.count(first) + counter.count(second),
                2,
                "cut after byte {cut}"
            );
        }
    }
}
