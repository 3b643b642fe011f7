//! What the gateway says of itself: `/metrics` for Prometheus, `/live` and `/ready` for whoever starts and routes.
//!
//! Live means that the process answers. Ready means that its listeners accept and that the first key fetches are done
//! or timed out; it is not taken back for issuers that are down later, whose callers get 503 while all others are served,
//! nor for a store that fails, which no request needs. Those are named below the word.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{Method, Response, StatusCode};
use pingora::apps::http_app::ServeHttp;
use pingora::protocols::http::ServerSession;

use crate::telemetry::{CONTENT_TYPE as METRICS_CONTENT_TYPE, Telemetry};

/// Whether the gateway is ready; set once, and unset when it begins to shut down.
#[derive(Debug, Default)]
pub struct Readiness(AtomicBool);

/// The endpoints.
pub struct StatusEndpoints {
    /// What is shown.
    pub telemetry: Arc<Telemetry>,
    /// Whether the gateway is ready.
    pub readiness: Arc<Readiness>,
    /// What is not as it should be although the gateway is ready, a line each.
    pub troubles: Box<dyn Fn() -> String + Send + Sync>,
}

// === impl Readiness ===

impl Readiness {
    /// Says so.
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Release);
    }

    /// Whether it is.
    pub fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

// === impl StatusEndpoints ===

#[async_trait]
impl ServeHttp for StatusEndpoints {
    async fn response(&self, session: &mut ServerSession) -> Response<Vec<u8>> {
        let request = session.req_header();
        if request.method != Method::GET && request.method != Method::HEAD {
            return text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
        }
        match request.uri.path() {
            "/metrics" => match self.telemetry.render() {
                Ok(page) => answer(StatusCode::OK, METRICS_CONTENT_TYPE, page.into_bytes()),
                Err(error) => {
                    tracing::error!(event = "metrics_failed", %error, "metrics could not be rendered");
                    text(
                        StatusCode::INTERNAL_SERVER_ERROR,
                        "metrics could not be rendered\n",
                    )
                }
            },
            "/live" => text(StatusCode::OK, "live\n"),
            "/ready" if self.readiness.get() => answer(
                StatusCode::OK,
                PLAIN,
                format!("ready\n{}", (self.troubles)()).into_bytes(),
            ),
            "/ready" => text(StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
            _ => text(StatusCode::NOT_FOUND, "there are /metrics, /live and /ready\n"),
        }
    }
}

const PLAIN: &str = "text/plain; charset=utf-8";

fn text(status: StatusCode, body: &'static str) -> Response<Vec<u8>> {
    answer(status, PLAIN, body.into())
}

fn answer(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Response<Vec<u8>> {
    let length = body.len();
    Response::builder()
        .status(status)
        .header(CONTENT_TYPE, content_type)
        .header(CACHE_CONTROL, "no-store")
        .header(http::header::CONTENT_LENGTH, length)
        .body(body)
        .unwrap_or_default()
}
