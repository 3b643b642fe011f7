//! Signals: SIGHUP reloads, SIGTERM drains, SIGINT ends at once.
//!
//! SIGHUP's default is to kill the process, so it is caught before anything else happens. Pingora would sleep through
//! the whole grace period after SIGTERM; a watcher ends the process as soon as nothing is in flight.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use pingora::server::{ExecutionPhase, Server, ShutdownSignal, ShutdownSignalWatch};
use signal_hook::consts::SIGHUP;
use signal_hook::iterator::Signals;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::Hook;
use crate::control::status::Readiness;
use crate::telemetry::Telemetry;

/// Between two looks at whether anything is in flight.
const DRAIN_STEP: Duration = Duration::from_millis(20);
/// Looks in a row without anything in flight, before the process ends: a request may just be arriving.
const DRAIN_LOOKS: u32 = 5;

/// SIGHUPs, as they come.
pub struct Hangups {
    pub(super) requests: mpsc::Receiver<&'static str>,
    /// For whoever else wants a reload.
    pub(super) sender: mpsc::Sender<&'static str>,
}

/// The last act of the process, whichever way it ends; done once.
#[derive(Clone)]
pub(super) struct Last {
    act: Arc<Mutex<Option<Hook>>>,
}

/// Waits for the signal that ends the process.
pub(super) struct Shutdown {
    readiness: Arc<Readiness>,
    last: Last,
}

/// Catches SIGHUP from now on.
///
/// # Errors
/// Whatever the system says.
pub fn catch_hangups() -> std::io::Result<Hangups> {
    let mut signals = Signals::new([SIGHUP])?;
    // One that waits says as much as ten.
    let (sender, requests) = mpsc::channel(1);
    let own = mpsc::Sender::clone(&sender);
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for _ in signals.forever() {
                let _ = own.try_send("signal");
            }
        })?;
    Ok(Hangups { requests, sender })
}

/// Ends the process during the grace period as soon as nothing is in flight.
pub(super) fn leave_when_drained(server: &Server, telemetry: Arc<Telemetry>, last: Last) {
    let mut phases = server.watch_execution_phase();
    let watcher = std::thread::Builder::new()
        .name("drain".to_owned())
        .spawn(move || {
            loop {
                match phases.blocking_recv() {
                    Ok(ExecutionPhase::ShutdownGracePeriod) => break,
                    Ok(_) => {}
                    Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
                    Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
                }
            }
            let mut looks = 0;
            while looks < DRAIN_LOOKS {
                std::thread::sleep(DRAIN_STEP);
                looks = if telemetry.in_flight_requests.value() == 0 {
                    looks + 1
                } else {
                    0
                };
            }
            tracing::info!(event = "drained", "nothing is in flight; stopped");
            last.act();
            std::process::exit(0);
        });
    if watcher.is_err() {
        tracing::warn!(
            event = "no_drain_watcher",
            "the grace period will be waited for in full"
        );
    }
}

// === impl Last ===

impl Last {
    pub(super) fn new(act: impl FnOnce() + Send + 'static) -> Self {
        Self {
            act: Arc::new(Mutex::new(Some(Box::new(act)))),
        }
    }

    /// Does it, unless it is done.
    pub(super) fn act(&self) {
        // The lock is held while acting: who comes second waits until all is done.
        if let Ok(mut act) = self.act.lock()
            && let Some(act) = act.take()
        {
            act();
        }
    }
}

// === impl Shutdown ===

impl Shutdown {
    pub(super) const fn new(readiness: Arc<Readiness>, last: Last) -> Self {
        Self { readiness, last }
    }
}

#[async_trait]
impl ShutdownSignalWatch for Shutdown {
    async fn recv(&self) -> ShutdownSignal {
        let (terminate, interrupt) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
        let (Ok(mut terminate), Ok(mut interrupt)) = (terminate, interrupt) else {
            tracing::error!(
                event = "no_signals",
                "signals cannot be watched; stop the process by SIGKILL"
            );
            return std::future::pending().await;
        };
        let signal = tokio::select! {
            _ = terminate.recv() => ShutdownSignal::GracefulTerminate,
            _ = interrupt.recv() => ShutdownSignal::FastShutdown,
        };
        self.readiness.set(false);
        tracing::info!(event = "stopping", ?signal, "stopping");
        let last = self.last.clone();
        // Who signals again does not want to wait for the grace period.
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::warn!(event = "stopped", "signalled again; stopped at once");
            last.act();
            std::process::exit(0);
        });
        signal
    }
}
