//! A caller's connection, from one request to the next.
//!
//! Pingora makes ready for a request before anything of it has come, and an idle connection then takes up what a request
//! takes: with all phases of a proxy laid out in one future, some 20 KiB more than the connection itself. Most of a gateway's
//! connections are idle. So here a connection waits with nothing but its buffers, and Pingora is called when the first
//! byte is there.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pingora::apps::{HttpPersistentSettings, HttpServerApp, ServerApp};
use pingora::protocols::Stream;
use pingora::protocols::http::ServerSession;
use pingora::server::ShutdownWatch;
use pingora::time::timeout;

use super::live::Cell;

/// Whoever connects has a request: the first byte of the first one comes sooner than this, whatever `idle_timeout` allows
/// between two.
const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Gives connections to an application whenever a request comes.
pub struct Connections<A> {
    application: Arc<A>,
    cell: Arc<Cell>,
}

// === impl Connections ===

impl<A> Connections<A> {
    /// Connections that lie idle no longer than the configuration in force allows.
    pub fn new(application: A, cell: Arc<Cell>) -> Self {
        Self {
            application: Arc::new(application),
            cell,
        }
    }
}

#[async_trait]
impl<A: HttpServerApp + Send + Sync + 'static> ServerApp for Connections<A> {
    async fn process_new(self: &Arc<Self>, mut stream: Stream, shutdown: &ShutdownWatch) -> Option<Stream> {
        // One for the whole connection: its clones are counted where all threads count.
        let mut shutting_down = shutdown.clone();
        let mut settings = None;
        loop {
            let idle_timeout = self.cell.idle_timeout();
            let patience = match settings {
                None => idle_timeout.min(FIRST_REQUEST_TIMEOUT),
                Some(_) => idle_timeout,
            };
            wait(&mut stream, patience, &mut shutting_down).await?;
            let mut session = ServerSession::new_http1(stream);
            match settings.take() {
                None => session.set_keepalive(Some(idle_timeout.as_secs())),
                Some(settings) => HttpPersistentSettings::apply_to_session(settings, &mut session),
            }
            let reused = self.application.process_new_http(session, shutdown).await?;
            (stream, settings) = reused.consume();
        }
    }

    async fn cleanup(&self) {
        self.application.http_cleanup().await;
    }
}

/// Until the first byte of a request is there. Nothing if the connection has come to its end: closed by the caller, idle
/// for too long, or not needed any more because the process ends.
async fn wait(stream: &mut Stream, idle_timeout: Duration, shutting_down: &mut ShutdownWatch) -> Option<()> {
    let mut first = [0];
    tokio::select! {
        biased;
        peeked = timeout(idle_timeout, stream.try_peek(&mut first)) => match peeked {
            // A kind of connection that cannot be looked into waits where Pingora reads it.
            Ok(Ok(_)) => Some(()),
            Ok(Err(_)) | Err(_) => None,
        },
        _ = shutting_down.wait_for(|shutting_down| *shutting_down) => None,
    }
}
