//! The upstream of the load test: one fixed answer, as cheap as one thread can give it.
//!
//! It shares its core with the load generator, so every microsecond it takes is taken from the load. It therefore
//! reads no header but looks only for the empty line that ends a request, answers all requests that one read
//! brought with one write, and goes from epoll to the sockets and back with nothing between. It serves requests without a
//! body only, which is all the load test sends; it is no HTTP server for anything else.

use std::error::Error;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use clap::Parser;
use memchr::memmem;
use rustix::buffer::spare_capacity;
use rustix::event::epoll;

/// About 128 bytes, as a small API answers.
const BODY: &str = r#"{"id":"7f3c2a90","kind":"pizza","name":"Margherita","price":"8.50","currency":"EUR","available":true,"tags":["vegetarian","oven"]}"#;

/// One read takes at most this much: several requests, each with a token and the headers a proxy adds.
const READ_BYTES_MAX: usize = 16 * 1024;

/// What ends a request without a body.
const REQUEST_END: &[u8; 4] = b"\r\n\r\n";

/// Events that one call brings.
const EVENTS: usize = 1024;

/// The listener's number among the connections'.
const LISTENER: u64 = u64::MAX;

/// Answers every request with 200 and the same small JSON body.
#[derive(Parser)]
struct Arguments {
    /// Where requests are taken; with port 0 the system picks one. The address is printed once bound.
    #[arg(long)]
    listen: SocketAddr,
}

/// A connection and how far its requests have been read.
struct Conversation {
    stream: TcpStream,
    requests: RequestCounter,
}

/// Counts the requests in a stream of bytes, wherever reads happen to cut it.
#[derive(Default)]
struct RequestCounter {
    /// How many bytes of [`REQUEST_END`] the stream so far ends with.
    matched: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let Arguments { listen } = Arguments::try_parse().unwrap_or_else(|e| e.exit());
    let listener = TcpListener::bind(listen)?;
    listener.set_nonblocking(true)?;
    let mut stdout = io::stdout();
    writeln!(stdout, "{}", listener.local_addr()?)?;
    stdout.flush()?;

    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{BODY}",
        BODY.len()
    );
    serve(&listener, answer.as_bytes())
}

fn serve(listener: &TcpListener, answer: &[u8]) -> Result<(), Box<dyn Error>> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let flags = epoll::EventFlags::IN;
    epoll::add(&epoll, listener, epoll::EventData::new_u64(LISTENER), flags)?;
    // Numbers are not used again: proxies keep their connections.
    let mut conversations: Vec<Option<Conversation>> = Vec::new();
    let mut events = Vec::with_capacity(EVENTS);
    let mut buffer = vec![0; READ_BYTES_MAX];
    loop {
        events.clear();
        match epoll::wait(&epoll, spare_capacity(&mut events), None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in &events {
            let number = event.data.u64();
            if number != LISTENER {
                let place = usize::try_from(number)?;
                let conversation = conversations.get_mut(place);
                // A connection that breaks concerns its peer, who counts it as a socket error.
                if let Some(open) = conversation
                    && open
                        .as_mut()
                        .is_some_and(|open| open.go_on(&mut buffer, answer).is_err())
                {
                    *open = None;
                }
                continue;
            }
            while let Ok((stream, _)) = listener.accept() {
                stream.set_nonblocking(true)?;
                stream.set_nodelay(true)?;
                let number = epoll::EventData::new_u64(u64::try_from(conversations.len())?);
                epoll::add(&epoll, &stream, number, flags)?;
                let requests = RequestCounter::default();
                conversations.push(Some(Conversation { stream, requests }));
            }
        }
    }
}

// === impl Conversation ===

impl Conversation {
    /// One read and, if it ended a request, one write. Epoll tells again if there is more to read; what the kernel does
    /// not take of an answer breaks the connection, as callers of this load test always read theirs.
    fn go_on(&mut self, buffer: &mut [u8], answer: &[u8]) -> io::Result<()> {
        let read = match self.stream.read(buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            read => read?,
        };
        match self.requests.count(buffer.get(..read).unwrap_or_default()) {
            0 => Ok(()),
            1 => self.stream.write_all(answer),
            pipelined => self.stream.write_all(&answer.repeat(pipelined)),
        }
    }
}

// === impl RequestCounter ===

impl RequestCounter {
    /// How many requests end in `bytes`, which follow those of the call before.
    fn count(&mut self, bytes: &[u8]) -> usize {
        let mut ended = 0;
        let mut rest = bytes;
        // Byte by byte only where the call before ended within an end.
        while self.matched > 0
            && let Some((&byte, after)) = rest.split_first()
        {
            rest = after;
            self.matched = match REQUEST_END.get(self.matched) {
                Some(&expected) if byte == expected => self.matched + 1,
                _ if byte == b'\r' => 1,
                _ => 0,
            };
            if self.matched == REQUEST_END.len() {
                self.matched = 0;
                ended += 1;
            }
        }
        if rest.is_empty() {
            return ended;
        }
        let mut open = rest;
        for place in memmem::find_iter(rest, REQUEST_END) {
            ended += 1;
            open = rest.get(place + REQUEST_END.len()..).unwrap_or_default();
        }
        let begun = (1..REQUEST_END.len()).rev();
        let mut begun = begun.filter(|length| {
            REQUEST_END
                .get(..*length)
                .is_some_and(|part| open.ends_with(part))
        });
        self.matched = begun.next().unwrap_or_default();
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
