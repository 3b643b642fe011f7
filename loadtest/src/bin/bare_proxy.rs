//! The baseline of the load test: Pingora with nothing of ours in it.
//!
//! What a request costs in the gateway is Pingora's hop plus what we add, and only the second part is ours to
//! lose. So this proxy comes from the same lock file and runs with the gateway's settings (keep-alive pool,
//! timeouts, one peer cloned per request), and has no filter but `upstream_peer`, which every Pingora proxy must
//! have. A setting changed in the gateway is changed here too, or the difference stops being our cost.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use clap::Parser;
use pingora::server::Server;
use pingora::server::configuration::ServerConf;
use pingora::upstreams::peer::HttpPeer;
use pingora_proxy::{ProxyHttp, Session, http_proxy_service};

/// Idle upstream connections kept, for each thread: above the connections of any scenario, so that none is
/// opened while it is measured.
const UPSTREAM_KEEPALIVE_POOL_SIZE: usize = 512;

/// How long a connection to the upstream may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How long the upstream may be silent while we read, and may refuse bytes while we write. The upstream answers
/// in microseconds; the timeouts are set because setting a timer is part of the hop.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long an unused upstream connection is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// A proxy without filters, to compare the gateway with.
#[derive(Parser)]
struct Arguments {
    /// Where requests are taken.
    #[arg(long)]
    listen: SocketAddr,
    /// Where requests are sent.
    #[arg(long)]
    upstream: SocketAddr,
    /// Worker threads.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// One runtime for each thread, in place of one runtime whose threads take work from each other.
    #[arg(long)]
    no_steal: bool,
}

/// Sends every request to one peer.
struct BareProxy {
    peer: HttpPeer,
}

fn main() -> Result<(), Box<dyn Error>> {
    let Arguments {
        listen,
        upstream,
        threads,
        no_steal,
    } = Arguments::try_parse().unwrap_or_else(|e| e.exit());

    let conf = ServerConf {
        threads,
        work_stealing: !no_steal,
        upstream_keepalive_pool_size: UPSTREAM_KEEPALIVE_POOL_SIZE,
        ..ServerConf::default()
    };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();

    let mut service = http_proxy_service(&server.configuration, BareProxy::new(upstream));
    service.add_tcp(&listen.to_string());
    server.add_service(service);
    server.run_forever()
}

// === impl BareProxy ===

impl BareProxy {
    fn new(upstream: SocketAddr) -> Self {
        let mut peer = HttpPeer::new(upstream, false, String::new());
        peer.options.connection_timeout = Some(CONNECT_TIMEOUT);
        peer.options.total_connection_timeout = Some(CONNECT_TIMEOUT);
        peer.options.read_timeout = Some(READ_TIMEOUT);
        peer.options.write_timeout = Some(WRITE_TIMEOUT);
        peer.options.idle_timeout = Some(IDLE_TIMEOUT);
        Self { peer }
    }
}

#[async_trait]
impl ProxyHttp for BareProxy {
    type CTX = ();

    fn new_ctx(&self) -> Self::CTX {}

    async fn upstream_peer(
        &self,
        _session: &mut Session,
        _ctx: &mut Self::CTX,
    ) -> pingora::Result<Box<HttpPeer>> {
        Ok(Box::new(self.peer.clone()))
    }
}
