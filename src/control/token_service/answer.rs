//! What is answered: JSON of RFC 6749, pages that anybody may read, and what is wrong. Whatever is about one client is kept
//! by nobody (RFC 6749 section 5.1).

use axum::body::Body;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use crate::control::door::BodyError;
use crate::issuing::Refusal;

/// Clients keep key sets and metadata that long. A key is announced before it signs by more than that.
const PAGE_KEPT: &str = "public, max-age=300";

/// An answer.
#[derive(Debug)]
pub(super) enum Answer {
    /// About one client.
    Json(Value),
    /// 200 and nothing else.
    Nothing,
    /// For everybody.
    Page {
        content_type: &'static str,
        body: String,
    },
}

/// What there is instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// As clients of OAuth 2.0 understand it.
    Refused(Refusal),
    Body(BodyError),
    NotFound,
    Method,
    Failed,
}

// === impl Answer ===

impl Answer {
    pub(super) fn into_response(self) -> Response {
        let (content_type, kept, body) = match self {
            Self::Json(value) => ("application/json", None, value.to_string()),
            Self::Nothing => ("application/json", None, String::new()),
            Self::Page { content_type, body } => (content_type, Some(PAGE_KEPT), body),
        };
        let mut response = respond(StatusCode::OK, content_type, body);
        if let Some(kept) = kept {
            let headers = response.headers_mut();
            headers.insert(CACHE_CONTROL, HeaderValue::from_static(kept));
            headers.remove(PRAGMA);
        }
        response
    }
}

// === impl Fault ===

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<BodyError> for Fault {
    fn from(error: BodyError) -> Self {
        Self::Body(error)
    }
}

impl Fault {
    /// The word for it in metrics and logs, and in the answer.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.error(),
            Self::Body(BodyError::Late) => "request_timeout",
            Self::Body(BodyError::TooLong) => "body_too_large",
            Self::Body(BodyError::Cut) => "bad_request",
            Self::NotFound => "not_found",
            Self::Method => "method_not_allowed",
            Self::Failed => "failed",
        }
    }

    const fn status(self) -> u16 {
        match self {
            Self::Refused(refusal) => refusal.status(),
            Self::Body(BodyError::Late) => 408,
            Self::Body(BodyError::TooLong) => 413,
            Self::Body(BodyError::Cut) => 400,
            Self::NotFound => 404,
            Self::Method => 405,
            Self::Failed => 500,
        }
    }

    const fn detail(self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.description(),
            Self::Body(BodyError::Late) => "the body did not come in time",
            Self::Body(BodyError::TooLong) => "a body has at most 65536 bytes",
            Self::Body(BodyError::Cut) => "the body did not come whole",
            Self::NotFound => "there is nothing here",
            Self::Method => "this path does not take this method",
            Self::Failed => "something went wrong; the log says what",
        }
    }

    pub(super) fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let (content_type, body) = match self {
            // What OAuth 2.0 has no word for is a problem of HTTP's (RFC 9457).
            Self::Refused(Refusal::NotConfigured(_))
            | Self::Body(_)
            | Self::NotFound
            | Self::Method
            | Self::Failed => (
                "application/problem+json",
                json!({
                    "type": "about:blank",
                    "title": status.canonical_reason().unwrap_or_default(),
                    "status": status.as_u16(),
                    "code": self.word(),
                    "detail": self.detail(),
                }),
            ),
            Self::Refused(_) => (
                "application/json",
                json!({ "error": self.word(), "error_description": self.detail() }),
            ),
        };
        let mut response = respond(status, content_type, body.to_string());
        let headers = response.headers_mut();
        match self {
            Self::Refused(Refusal::InvalidClient) => {
                let challenge = "Basic realm=\"token service\", charset=\"UTF-8\"";
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
            }
            Self::Refused(refusal) => {
                let wait = refusal.retry_after_seconds();
                let wait = wait.and_then(|wait| HeaderValue::from_str(&wait.to_string()).ok());
                headers.extend(wait.map(|wait| (RETRY_AFTER, wait)));
            }
            Self::Body(_) | Self::NotFound | Self::Method | Self::Failed => {}
        }
        response
    }
}

fn respond(status: StatusCode, content_type: &'static str, body: String) -> Response {
    let has_body = !body.is_empty();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if has_body {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    response
}
