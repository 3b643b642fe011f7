//! The operator's log and the access log.
//!
//! The operator's log is JSON lines on standard error. Pingora and the libraries below it speak only when something is
//! wrong: at lower levels they print whole request headers, tokens included.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::proxy::AccessLog;
use crate::snapshot::AccessLogSettings;
use crate::telemetry::Telemetry;

/// Lines that may wait for the writer; about 20 MiB. Beyond that they are dropped and counted.
const LINES_MAX: usize = 32_768;

/// Why a log cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("the access log {path} cannot be opened: {source}")]
pub struct LogError {
    path: String,
    source: io::Error,
}

/// Flushes what waits for the writer, and ends it.
#[derive(Default)]
pub(super) struct Flush {
    guard: Option<WorkerGuard>,
}

/// Counts the lines that cannot be written: the thread that writes them tells nobody.
struct Counting<W> {
    inner: W,
    failed: Arc<AtomicU64>,
}

/// Starts the operator's log. A second call does nothing.
pub fn start_log(level: LevelFilter) {
    let ours = Targets::new()
        .with_target("tollgate", level)
        // It logs a line for every connection that strangers begin and drop; the gateway says itself what failed.
        .with_target("pingora_proxy", LevelFilter::OFF)
        .with_default(LevelFilter::WARN);
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_writer(io::stderr);
    // It fails if a log is running already, which is then as good.
    let _ = tracing_subscriber::registry().with(lines).with(ours).try_init();
}

/// Opens the access log.
pub(super) fn access_log(
    settings: Option<&AccessLogSettings>,
    telemetry: &Telemetry,
) -> Result<(Option<AccessLog>, Flush), LogError> {
    let Some(settings) = settings else {
        return Ok((None, Flush::default()));
    };
    let (writer, guard) = match settings {
        AccessLogSettings::StandardOutput => in_background(io::stdout(), telemetry),
        AccessLogSettings::File(path) => {
            let file = OpenOptions::new().create(true).append(true).open(path);
            let failed = |source| LogError {
                path: path.display().to_string(),
                source,
            };
            in_background(file.map_err(failed)?, telemetry)
        }
    };
    Ok((Some(AccessLog::new(writer)), Flush { guard: Some(guard) }))
}

/// A writer that never waits, before one on a thread of its own; what gets lost between them, or at the end, is counted.
fn in_background(inner: impl Write + Send + 'static, telemetry: &Telemetry) -> (NonBlocking, WorkerGuard) {
    let failed = Arc::new(AtomicU64::new(0));
    let writer = Counting {
        inner,
        failed: Arc::clone(&failed),
    };
    let builder = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(LINES_MAX)
        .thread_name("access-log");
    let (writer, guard) = builder.finish(writer);
    let dropped = writer.error_counter();
    telemetry.on_scrape(Box::new(move |telemetry| {
        let lost = (dropped.dropped_lines() as u64).saturating_add(failed.load(Ordering::Relaxed));
        telemetry.access_log_lines_dropped.raise_to(lost);
    }));
    (writer, guard)
}

// === impl Flush ===

impl Flush {
    /// Waits until the writer has written everything.
    pub(super) fn flush(self) {
        drop(self.guard);
    }
}

// === impl Counting ===

impl<W: Write> Write for Counting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inner.write(bytes)
    }

    /// Called with a whole line.
    fn write_all(&mut self, line: &[u8]) -> io::Result<()> {
        let written = self.inner.write_all(line);
        if written.is_err() {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    /// A disk that answers nothing until it is told to, and then refuses everything.
    struct Disk(Receiver<()>);

    impl Write for Disk {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            // An error says that whoever holds it up is gone.
            let _ = self.0.recv();
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lost(telemetry: &Telemetry) -> u64 {
        telemetry.render().unwrap();
        telemetry.access_log_lines_dropped.value()
    }

    #[test]
    fn a_disk_that_hangs_holds_up_nobody_and_every_lost_line_is_counted() {
        const BEYOND: u64 = 100;
        let telemetry = Telemetry::new("1.2.3").unwrap();
        let (holds_up, disk) = channel();
        let (mut writer, guard) = in_background(Disk(disk), &telemetry);
        let lines = LINES_MAX as u64 + BEYOND;
        for _ in 0..lines {
            writer.write_all(b"{}\n").unwrap();
        }
        // The disk has at most one line in hand.
        let dropped = lost(&telemetry);
        assert!((BEYOND - 1..=BEYOND).contains(&dropped), "{dropped}");
        drop(holds_up);
        while lost(&telemetry) < lines {
            std::thread::yield_now();
        }
        drop(guard);
        assert_eq!(lost(&telemetry), lines, "each line once");
    }
}
