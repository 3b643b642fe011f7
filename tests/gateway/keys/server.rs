//! A key server that does as it is told, can be down, and remembers when it was asked.
//!
//! One request a connection, so that what it does to one fetch says nothing about the next.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::harness::{DEADLINE, respond, wait_until};

/// Between two bytes of a drip: no single read is slow.
const DRIP: Duration = Duration::from_millis(100);

/// What a key server answers.
#[derive(Debug, Clone)]
pub(crate) enum Page {
    /// These bytes.
    Bytes(Vec<u8>),
    /// These bytes, after a while.
    Late(Vec<u8>, Duration),
    /// The head at once, then one byte after the other without end.
    Drip,
    /// Nothing.
    Hang,
}

/// A key server.
pub(crate) struct KeyServer {
    address: SocketAddr,
    /// Its port, while it is down.
    reserved: Option<Socket>,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    page: Mutex<Page>,
    asked: Mutex<Vec<Instant>>,
    down: AtomicBool,
}

/// A socket that has the address and refuses every connection: while a server is down, nobody else gets its port.
fn reserve(address: SocketAddr) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.bind(&address.into()).expect("the port is still free");
    socket
}

// === impl Page ===

impl Page {
    /// A key set.
    pub(crate) fn keys(jwks: &str) -> Self {
        Self::Bytes(respond(200, &[("Content-Type", "application/json")], jwks))
    }
}

// === impl KeyServer ===

impl KeyServer {
    /// A server that answers with this page.
    pub(crate) fn start(page: Page) -> Self {
        let mut server = Self::down(page);
        server.up();
        server
    }

    /// A server that will have an address, and does not listen there yet.
    pub(crate) fn down(page: Page) -> Self {
        let reserved = reserve(SocketAddr::from(([127, 0, 0, 1], 0)));
        let address = reserved.local_addr().unwrap().as_socket().unwrap();
        Self {
            address,
            reserved: Some(reserved),
            shared: Arc::new(Shared {
                page: Mutex::new(page),
                asked: Mutex::default(),
                down: AtomicBool::new(true),
            }),
            accepting: None,
        }
    }

    /// Where it is, or will be.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Begins to listen.
    pub(crate) fn up(&mut self) {
        let reserved = self.reserved.take().expect("it is down");
        reserved.listen(128).unwrap();
        let listener = TcpListener::from(reserved);
        self.shared.down.store(false, Ordering::SeqCst);
        let shared = Arc::clone(&self.shared);
        self.accepting = Some(thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.down.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let shared = Arc::clone(&shared);
                thread::spawn(move || shared.serve(stream));
            }
        }));
    }

    /// Stops listening.
    pub(crate) fn go_down(&mut self) {
        self.shared.down.store(true, Ordering::SeqCst);
        if let Some(accepting) = self.accepting.take() {
            // Wakes it; it then closes its listener.
            let _ = TcpStream::connect(self.address);
            accepting.join().unwrap();
            self.reserved = Some(reserve(self.address));
        }
    }

    /// Answers with another page from now on.
    pub(crate) fn show(&self, page: Page) {
        *self.shared.page.lock().unwrap() = page;
    }

    /// Waits until it was not asked for so long.
    pub(crate) fn wait_until_rested(&self, cooldown: Duration) {
        // A little more: when it was asked is known here a little late.
        let rest = cooldown + Duration::from_millis(50);
        wait_until("the cooldown to be over", || {
            let last = self.asked().last().copied();
            last.is_none_or(|last| last.elapsed() > rest).then_some(())
        });
    }

    /// When it was asked.
    pub(crate) fn asked(&self) -> Vec<Instant> {
        self.shared.asked.lock().unwrap().clone()
    }
}

impl Drop for KeyServer {
    fn drop(&mut self) {
        self.go_down();
    }
}

// === impl Shared ===

impl Shared {
    fn serve(&self, mut stream: TcpStream) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            match stream.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                _ => return,
            }
        }
        self.asked.lock().unwrap().push(Instant::now());
        let page = self.page.lock().unwrap().clone();
        // Whoever asked may have lost patience: that is not an error of the server's.
        let _ = match page {
            Page::Bytes(bytes) => stream.write_all(&bytes),
            Page::Late(bytes, pause) => {
                thread::sleep(pause);
                stream.write_all(&bytes)
            }
            Page::Hang => {
                stream.set_read_timeout(Some(DEADLINE)).unwrap();
                stream.read(&mut [0]).map(|_| ())
            }
            Page::Drip => {
                let head = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{";
                let mut written = stream.write_all(head.as_bytes());
                while written.is_ok() && !self.down.load(Ordering::SeqCst) {
                    thread::sleep(DRIP);
                    written = stream.write_all(b" ");
                }
                written
            }
        };
    }
}
