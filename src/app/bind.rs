//! Sockets that are bound before anything starts.
//!
//! A port that is taken is found at once, not in a task of a running server, and a port that the system chooses is known
//! before anybody must be told. The sockets do not listen yet: until Pingora makes them, a caller who comes too early is
//! refused instead of kept waiting. They reach Pingora through the table in which it hands sockets from one process
//! to the next.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{IntoRawFd as _, OwnedFd};
use std::sync::Mutex;

use async_trait::async_trait;
use pingora::apps::ServerApp;
use pingora::listeners::ListenerConfig;
use pingora::protocols::l4::stream::L4BufferSettings;
use pingora::server::{ListenFds, ShutdownWatch};
use pingora::services::Service;
use pingora::services::listening::Service as ListeningService;
use socket2::{Domain, Protocol, Socket, Type};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 64;

/// A bound socket.
#[derive(Debug)]
pub struct Bound {
    /// Its address; the port is never 0.
    pub address: SocketAddr,
    socket: OwnedFd,
}

/// Why an address cannot be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot bind {address}: {source}")]
pub struct BindError {
    address: SocketAddr,
    source: io::Error,
}

/// A listening service that finds its sockets bound.
pub(super) struct Prebound<A> {
    service: ListeningService<A>,
    sockets: Mutex<Vec<Bound>>,
}

/// Binds an address.
///
/// # Errors
/// Whatever the system says.
pub fn bind(address: SocketAddr) -> Result<Bound, BindError> {
    let bound = || -> io::Result<Bound> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        // A restart must not wait for the connections of the process before it.
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        let address = socket.local_addr()?.as_socket().unwrap_or(address);
        Ok(Bound {
            address,
            socket: socket.into(),
        })
    };
    bound().map_err(|source| BindError { address, source })
}

/// An address under which this process reaches its own listener.
pub(super) fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), address.port()),
        IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::new(Ipv6Addr::LOCALHOST.into(), address.port()),
        _ => address,
    }
}

/// What a connection reads into, kept for as long as it is open: Pingora's own is 64 KiB, most of what an idle connection
/// takes. A header fits; bodies are read past it, into a buffer that lives as long as they do.
const READ_BUFFER_BYTES: usize = 4096;

// === impl Bound ===

impl Bound {
    /// Listens, for a server that is not Pingora's.
    ///
    /// # Errors
    /// Whatever the system says.
    pub(super) fn listen(self) -> Result<std::net::TcpListener, BindError> {
        let socket = Socket::from(self.socket);
        socket.listen(BACKLOG).map_err(|source| BindError {
            address: self.address,
            source,
        })?;
        Ok(socket.into())
    }
}

// === impl Prebound ===

impl<A> Prebound<A> {
    /// The service, on these sockets.
    pub(super) fn new(mut service: ListeningService<A>, sockets: Vec<Bound>) -> Self
    where
        A: ServerApp + Send + Sync + 'static,
    {
        for bound in &sockets {
            let address = ListenerConfig::tcp(bound.address.to_string());
            service.add_listener(address.l4_buffer(L4BufferSettings::default().read(READ_BUFFER_BYTES)));
        }
        Self {
            service,
            sockets: Mutex::new(sockets),
        }
    }
}

#[async_trait]
impl<A: ServerApp + Send + Sync + 'static> Service for Prebound<A> {
    async fn start_service(
        &mut self,
        fds: Option<ListenFds>,
        shutdown: ShutdownWatch,
        listeners_per_fd: usize,
    ) {
        let sockets = self.sockets.get_mut().map(std::mem::take).unwrap_or_default();
        // Without a table (Pingora always has one) the sockets are closed here, and Pingora binds anew.
        if let Some(fds) = &fds {
            let mut table = fds.lock();
            for Bound { address, socket } in sockets {
                table.add(address.to_string(), socket.into_raw_fd());
            }
        }
        self.service.start_service(fds, shutdown, listeners_per_fd).await;
    }

    fn name(&self) -> &str {
        Service::name(&self.service)
    }

    fn threads(&self) -> Option<usize> {
        Service::threads(&self.service)
    }

    fn listen_addresses(&self) -> Option<Vec<String>> {
        Service::listen_addresses(&self.service)
    }
}
