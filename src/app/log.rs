//! The operator's log and the access log.
//!
//! The operator's log is JSON lines on standard error. Pingora and the libraries below it speak only when something is
//! wrong: at lower levels they print whole request headers, tokens included.

use std::fs::OpenOptions;
use std::io;

use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
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
    let builder = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(LINES_MAX)
        .thread_name("access-log");
    let (writer, guard) = match settings {
        AccessLogSettings::StandardOutput => builder.finish(io::stdout()),
        AccessLogSettings::File(path) => {
            let file = OpenOptions::new().create(true).append(true).open(path);
            let failed = |source| LogError {
                path: path.display().to_string(),
                source,
            };
            builder.finish(file.map_err(failed)?)
        }
    };
    let dropped = writer.error_counter();
    telemetry.on_scrape(Box::new(move |telemetry| {
        telemetry
            .access_log_lines_dropped
            .raise_to(dropped.dropped_lines() as u64);
    }));
    Ok((Some(AccessLog::new(writer)), Flush { guard: Some(guard) }))
}

// === impl Flush ===

impl Flush {
    /// Waits until the writer has written everything.
    pub(super) fn flush(self) {
        drop(self.guard);
    }
}
