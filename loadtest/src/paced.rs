//! Our own sender at a fixed rate: many tokens, several senders' addresses, one thread.
//!
//! Requests are due at fixed times, whatever becomes of earlier ones, and a latency counts from the moment at which its
//! request was due: a stall delays, and is charged for, all that came meanwhile. A request that is due and finds no free
//! connection waits for one. One thread over epoll, because it shares its core with the upstream.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use socket2::{Domain, Socket, Type};

use crate::failure::{Result, While as _};
use crate::http::Head;

/// Answers to what was sent are waited for so long after the last request was due.
const GRACE: Duration = Duration::from_secs(2);
const EVENTS: usize = 256;
const READ_BYTES: usize = 16 * 1024;

/// What is sent, and how fast.
#[derive(Debug)]
pub(crate) struct Pace {
    pub(crate) address: SocketAddr,
    /// Connections come from these addresses in turn; all of 127.0.0.0/8 is this machine.
    pub(crate) sources: Vec<Ipv4Addr>,
    pub(crate) connections: usize,
    pub(crate) per_second: f64,
    pub(crate) duration: Duration,
    /// Sent in turn, beginning at `start`. Each with the class that its latency is told under.
    pub(crate) requests: Vec<(usize, Vec<u8>)>,
    pub(crate) start: usize,
    pub(crate) classes: usize,
    /// What is due at the end and found no free connection is still sent, as long as answers are waited for.
    pub(crate) patient: bool,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Paced {
    /// Those that were answered, by status.
    pub(crate) statuses: BTreeMap<u16, u64>,
    pub(crate) socket_errors: u64,
    /// Due, but never answered.
    pub(crate) unanswered: u64,
    /// In microseconds, by class. What was never answered counts with the time until it was given up.
    pub(crate) latencies_us: Vec<Vec<f64>>,
    pub(crate) seconds: f64,
    /// Where the next run begins.
    pub(crate) next: usize,
}

struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    /// When its request was due, and the class of it.
    waiting: Option<(Instant, usize)>,
}

struct Sender<'p> {
    pace: &'p Pace,
    epoll: rustix::fd::OwnedFd,
    connections: Vec<Connection>,
    free: VecDeque<usize>,
    outcome: Paced,
}

/// Sends until the time is over.
pub(crate) fn run(pace: &Pace) -> Result<Paced> {
    let during = format!("requests to {}", pace.address);
    Sender::new(pace).during(&during)?.send().during(&during)
}

impl Paced {
    pub(crate) fn answered(&self) -> u64 {
        self.statuses.values().sum()
    }

    fn waited(&mut self, due: Instant, class: usize) {
        if let Some(latencies) = self.latencies_us.get_mut(class) {
            latencies.push(due.elapsed().as_secs_f64() * 1e6);
        }
    }
}

// === impl Connection ===

impl Connection {
    fn open(pace: &Pace, number: usize) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        let source = number.checked_rem(pace.sources.len());
        if let Some(source) = source.and_then(|place| pace.sources.get(place)) {
            socket.bind(&SocketAddr::from((*source, 0)).into())?;
        }
        socket.connect(&pace.address.into())?;
        let stream = TcpStream::from(socket);
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream,
            received: Vec::new(),
            waiting: None,
        })
    }

    /// Reads what there is. The status and whether the connection ends, once an answer is whole.
    fn answer(&mut self, buffer: &mut [u8]) -> io::Result<Option<(u16, bool)>> {
        let read = match self.stream.read(buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        };
        self.received
            .extend_from_slice(buffer.get(..read).unwrap_or_default());
        let Some(head) = Head::of(&self.received) else {
            return Ok(None);
        };
        let bytes = head.bytes + head.body_bytes.unwrap_or_default();
        if self.received.len() < bytes {
            return Ok(None);
        }
        self.received.clear();
        Ok(Some((head.status, head.closes)))
    }
}

// === impl Sender ===

impl<'p> Sender<'p> {
    fn new(pace: &'p Pace) -> io::Result<Self> {
        let mut sender = Self {
            pace,
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            connections: Vec::with_capacity(pace.connections),
            free: (0..pace.connections).collect(),
            outcome: Paced {
                latencies_us: vec![Vec::new(); pace.classes],
                ..Paced::default()
            },
        };
        for number in 0..pace.connections {
            let connection = sender.opened(number)?;
            sender.connections.push(connection);
        }
        Ok(sender)
    }

    fn opened(&self, number: usize) -> io::Result<Connection> {
        let connection = Connection::open(self.pace, number)?;
        let data = epoll::EventData::new_u64(u64::try_from(number).map_err(io::Error::other)?);
        epoll::add(&self.epoll, &connection.stream, data, epoll::EventFlags::IN)?;
        Ok(connection)
    }

    fn send(mut self) -> io::Result<Paced> {
        let begun = Instant::now();
        let (end, last) = (begun + self.pace.duration, begun + self.pace.duration + GRACE);
        let give_up = if self.pace.patient { last } else { end };
        let gap = Duration::from_secs_f64(1.0 / self.pace.per_second);
        let mut due = begun;
        let mut place = self.pace.start;
        let mut events = Vec::with_capacity(EVENTS);
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let now = Instant::now();
            while due <= now && due < end {
                let Some(number) = self.free.pop_front() else {
                    break;
                };
                self.begin(number, due, place)?;
                place += 1;
                due += gap;
            }
            let all_sent = due >= end;
            if now >= last || (all_sent && now >= end && self.free.len() == self.connections.len()) {
                break;
            }
            // With no free connection, or nothing more to send, only an answer changes anything.
            let next = if all_sent || self.free.is_empty() {
                last
            } else {
                due
            };
            let next = if now < end { next.min(end) } else { next };
            let pause = next.saturating_duration_since(now);
            let timeout = Timespec {
                tv_sec: i64::try_from(pause.as_secs()).unwrap_or_default(),
                tv_nsec: i64::from(pause.subsec_nanos()),
            };
            events.clear();
            match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&timeout)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in &events {
                let number = usize::try_from(event.data.u64()).unwrap_or_default();
                self.read(number, &mut buffer)?;
            }
            // What was not sent in time is not sent any more.
            while now >= give_up && due < end {
                due = self.leave(due, &mut place, gap);
            }
        }
        while due < end {
            due = self.leave(due, &mut place, gap);
        }
        let waiting: Vec<_> = self
            .connections
            .iter()
            .filter_map(|connection| connection.waiting)
            .collect();
        for (due, class) in waiting {
            self.give_up(due, class);
        }
        self.outcome.seconds = self.pace.duration.as_secs_f64();
        self.outcome.next = place;
        Ok(self.outcome)
    }

    /// Sends no more what was due then; returns when the next one is due.
    fn leave(&mut self, due: Instant, place: &mut usize, gap: Duration) -> Instant {
        let request = place.checked_rem(self.pace.requests.len());
        let request = request.and_then(|place| self.pace.requests.get(place));
        self.give_up(due, request.map_or(0, |(class, _)| *class));
        *place += 1;
        due + gap
    }

    fn give_up(&mut self, due: Instant, class: usize) {
        self.outcome.unanswered += 1;
        self.outcome.waited(due, class);
    }

    fn begin(&mut self, number: usize, due: Instant, place: usize) -> io::Result<()> {
        let request = place.checked_rem(self.pace.requests.len());
        let request = request.and_then(|place| self.pace.requests.get(place));
        let (Some(connection), Some((class, bytes))) = (self.connections.get_mut(number), request) else {
            return Ok(());
        };
        connection.waiting = Some((due, *class));
        // A request is smaller than what the kernel takes at once.
        if connection.stream.write_all(bytes).is_err() {
            self.failed(number)?;
        }
        Ok(())
    }

    fn read(&mut self, number: usize, buffer: &mut [u8]) -> io::Result<()> {
        let Some(connection) = self.connections.get_mut(number) else {
            return Ok(());
        };
        match connection.answer(buffer) {
            Ok(None) => Ok(()),
            Ok(Some((status, closes))) => {
                let Some((due, class)) = connection.waiting.take() else {
                    return self.failed(number);
                };
                *self.outcome.statuses.entry(status).or_default() += 1;
                self.outcome.waited(due, class);
                if closes {
                    self.renew(number)?;
                }
                self.free.push_back(number);
                Ok(())
            }
            Err(_) => self.failed(number),
        }
    }

    /// The connection broke. Without a request on it, that is nobody's error: an idle one may be closed.
    fn failed(&mut self, number: usize) -> io::Result<()> {
        let waited = self
            .connections
            .get_mut(number)
            .and_then(|connection| connection.waiting.take());
        self.renew(number)?;
        if waited.is_some() {
            self.outcome.socket_errors += 1;
            self.free.push_back(number);
        }
        Ok(())
    }

    fn renew(&mut self, number: usize) -> io::Result<()> {
        let fresh = self.opened(number)?;
        if let Some(connection) = self.connections.get_mut(number) {
            *connection = fresh;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{Ipv4Addr, TcpListener};
    use std::thread;
    use std::time::Duration;

    use super::{Pace, run};

    /// Answers each connection's requests with the status that they ask for; closes after each if told.
    fn server(closes: bool) -> std::net::SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    let mut buffer = [0; 1024];
                    while let Ok(read) = stream.read(&mut buffer)
                        && read > 0
                    {
                        let status = std::str::from_utf8(&buffer[1..4]).unwrap();
                        let connection = if closes { "close" } else { "keep-alive" };
                        let answer = format!(
                            "HTTP/1.1 {status} X\r\nContent-Length: 2\r\nConnection: {connection}\r\n\r\n{{}}"
                        );
                        stream.write_all(answer.as_bytes()).unwrap();
                        if closes {
                            break;
                        }
                    }
                });
            }
        });
        address
    }

    #[test]
    fn requests_are_sent_in_turn_at_their_rate() {
        for closes in [false, true] {
            let pace = Pace {
                address: server(closes),
                sources: vec![Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::new(127, 0, 0, 3)],
                connections: 4,
                per_second: 200.0,
                duration: Duration::from_millis(500),
                requests: vec![(0, b"/200".to_vec()), (1, b"/401".to_vec())],
                start: 1,
                classes: 2,
                patient: true,
            };
            let paced = run(&pace).unwrap();
            assert_eq!(paced.answered(), 100, "{paced:?}");
            assert_eq!(paced.statuses.get(&401), Some(&50), "{paced:?}");
            assert_eq!(
                paced.latencies_us.iter().map(Vec::len).collect::<Vec<_>>(),
                [50, 50]
            );
            assert_eq!((paced.unanswered, paced.socket_errors, paced.next), (0, 0, 101));
        }
    }

    #[test]
    fn what_was_due_and_not_answered_is_told() {
        // Takes connections and never answers.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let pace = Pace {
            address: listener.local_addr().unwrap(),
            sources: Vec::new(),
            connections: 2,
            per_second: 100.0,
            duration: Duration::from_millis(200),
            requests: vec![(0, b"/200".to_vec())],
            start: 0,
            classes: 1,
            patient: false,
        };
        let paced = run(&pace).unwrap();
        assert_eq!((paced.answered(), paced.unanswered), (0, 20));
        assert!(paced.latencies_us[0].len() == 20 && paced.latencies_us[0].iter().all(|us| *us > 1_000.0));
    }
}
