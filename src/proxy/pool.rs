//! Connections to upstreams between two requests.
//!
//! Pingora's own pool gives every idle connection a task that reads from it, and takes the task down again for the next
//! request: a tenth of what a request costs. Here an idle connection just lies there. Whether the upstream has closed it
//! since, or has sent what nobody asked for, is known without asking the kernel: the runtime has been told, and a poll
//! that stays pending says that it has not. Whatever is wrong with a connection, it is closed and another one is made.
//!
//! Each thread has its own shelf, so that a lock is never waited for but by the sweep, which closes what has lain too long.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Waker};
use std::time::Instant;

use pingora::protocols::Stream;
use tokio::io::{AsyncRead as _, ReadBuf};

use super::place::{PLACES, Padded, place_of_this_thread};

/// Idle connections, by the peer that they lead to.
pub struct ConnectionPool {
    shelves: Box<[Shelf]>,
    /// Most connections on one shelf.
    idle_max: usize,
}

/// What one thread has put away. On lines of memory of its own, as its lock is taken twice in every request.
type Shelf = Padded<Mutex<Idle>>;

#[derive(Default)]
struct Idle {
    /// The latest last: it is taken first, and what is too many grows old.
    by_peer: HashMap<u64, Vec<Connection>, foldhash::fast::RandomState>,
    count: usize,
}

struct Connection {
    stream: Stream,
    /// When it has lain too long.
    until: Instant,
}

// === impl ConnectionPool ===

impl ConnectionPool {
    /// A pool that keeps so many idle connections for each thread.
    pub fn new(idle_max: usize) -> Self {
        Self {
            shelves: (0..PLACES).map(|_| Shelf::default()).collect(),
            idle_max,
        }
    }

    /// A connection to the peer of this key that was quiet all the time; those that were not are closed.
    pub(super) fn take(&self, peer: u64) -> Option<Stream> {
        let own = place_of_this_thread();
        let shelf = self.shelves.get(own)?;
        if let Some(stream) = shelf.lock().take(peer) {
            return Some(stream);
        }
        // Before a new connection is made: another thread may have one to spare. Nobody is waited for.
        self.shelves
            .iter()
            .enumerate()
            .filter(|(place, _)| *place != own)
            .find_map(|(_, shelf)| shelf.try_lock()?.take(peer))
    }

    /// Puts a connection away until it is needed again, or until `until`.
    pub(super) fn put(&self, peer: u64, stream: Stream, until: Instant) {
        let Some(shelf) = self.shelves.get(place_of_this_thread()) else {
            return;
        };
        let mut idle = shelf.lock();
        if idle.count < self.idle_max {
            idle.count += 1;
            idle.by_peer
                .entry(peer)
                .or_default()
                .push(Connection { stream, until });
        }
    }

    /// Closes what has lain too long at `now`, and what the other end has closed.
    pub fn sweep(&self, now: Instant) {
        for shelf in &self.shelves {
            // Closed when the lock is free again.
            let gone = shelf.lock().sweep(now);
            drop(gone);
        }
    }
}

// === impl Shelf ===

impl Shelf {
    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn try_lock(&self) -> Option<MutexGuard<'_, Idle>> {
        match self.0.try_lock() {
            Ok(idle) => Some(idle),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

// === impl Idle ===

impl Idle {
    fn take(&mut self, peer: u64) -> Option<Stream> {
        let connections = self.by_peer.get_mut(&peer)?;
        while let Some(mut connection) = connections.pop() {
            self.count = self.count.saturating_sub(1);
            if connection.is_quiet() {
                return Some(connection.stream);
            }
        }
        None
    }

    fn sweep(&mut self, now: Instant) -> Vec<Connection> {
        let mut gone = Vec::new();
        for connections in self.by_peer.values_mut() {
            gone.extend(
                connections.extract_if(.., |connection| now >= connection.until || !connection.is_quiet()),
            );
        }
        self.by_peer.retain(|_, connections| !connections.is_empty());
        self.count = self.count.saturating_sub(gone.len());
        gone
    }
}

// === impl Connection ===

impl Connection {
    /// Whether nothing has come from the other end, not even its end.
    fn is_quiet(&mut self) -> bool {
        let mut byte = [0];
        let mut buffer = ReadBuf::new(&mut byte);
        let mut context = Context::from_waker(Waker::noop());
        Pin::new(&mut self.stream)
            .poll_read(&mut context, &mut buffer)
            .is_pending()
    }
}
