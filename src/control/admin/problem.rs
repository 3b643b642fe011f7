//! What the admin API says when it does not do what it is asked: problems as in RFC 9457, with a code of a closed set.
//! None of them repeats what was sent, but names and ids, so that nothing secret comes back or is logged.

use axum::body::Body;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};

use crate::control::door::BodyError;
use crate::control::registrar::Refusal;
use crate::control::state::StoreError;

/// A refusal, as it is answered.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    /// Whether a bearer token would help.
    challenge: bool,
}

/// Every code with its status.
pub(super) const CODES: [(u16, &str); 19] = [
    (400, "bad_request"),
    (401, "unauthorized"),
    (403, "cross_origin"),
    (404, "not_found"),
    (405, "method_not_allowed"),
    (408, "request_timeout"),
    (409, "conflict"),
    (409, "exists"),
    (409, "read_only"),
    (412, "stale"),
    (413, "body_too_large"),
    (415, "unsupported_media_type"),
    (421, "reconnect"),
    (421, "wrong_host"),
    (422, "idempotency_key_reused"),
    (422, "invalid"),
    (428, "precondition_required"),
    (500, "failed"),
    (503, "store_unavailable"),
];

// === impl Problem ===

impl Problem {
    fn new(code: &'static str, detail: impl Into<String>) -> Self {
        let status = CODES
            .iter()
            .find(|(_, own)| *own == code)
            .map_or(500, |(status, _)| *status);
        Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            code,
            detail: detail.into(),
            challenge: false,
        }
    }

    /// With or without a token among what is asked for.
    pub(super) fn unauthorized(token: bool) -> Self {
        let detail = match token {
            true => "show the admin token: Authorization: Bearer ...",
            false => "show a certificate that `tls.client_ca` has signed",
        };
        Self {
            challenge: token,
            ..Self::new("unauthorized", detail)
        }
    }

    pub(super) fn wrong_host() -> Self {
        Self::new(
            "wrong_host",
            "`Host` is no name of the admin API; see `admin.hosts`",
        )
    }

    pub(super) fn reconnect() -> Self {
        Self::new(
            "reconnect",
            "the certificates of the admin API have changed since this connection was made; make another one",
        )
    }

    pub(super) fn cross_origin() -> Self {
        Self::new(
            "cross_origin",
            "a page in a browser (`Origin`, `Sec-Fetch-Site`) changes nothing here",
        )
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new("not_found", detail)
    }

    pub(super) fn method_not_allowed() -> Self {
        Self::new("method_not_allowed", "this path does not take this method")
    }

    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new("bad_request", detail)
    }

    pub(super) fn timeout() -> Self {
        Self::new("request_timeout", "the body did not come in time")
    }

    pub(super) fn too_large() -> Self {
        Self::new("body_too_large", "a body has at most 65536 bytes")
    }

    pub(super) fn media_type() -> Self {
        Self::new("unsupported_media_type", "a body must be `application/json`")
    }

    pub(super) fn invalid(detail: impl Into<String>) -> Self {
        Self::new("invalid", detail)
    }

    pub(super) fn precondition_required() -> Self {
        Self::new(
            "precondition_required",
            "say which version you have read: If-Match with its ETag",
        )
    }

    pub(super) fn failed() -> Self {
        Self::new("failed", "something went wrong; the log says what")
    }

    pub(super) fn into_response(self) -> Response {
        let body = serde_json::json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or_default(),
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": self.detail,
        });
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.code == "reconnect" {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if self.challenge {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Late => Self::timeout(),
            BodyError::TooLong => Self::too_large(),
            BodyError::Cut => Self::bad_request("the body did not come whole"),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let code = match &refusal {
            Refusal::NotFound { .. } => "not_found",
            Refusal::Invalid { .. } => "invalid",
            Refusal::Exists { .. } => "exists",
            Refusal::Conflict(_) => "conflict",
            Refusal::ReadOnly { .. } => "read_only",
            Refusal::Stale => "stale",
            Refusal::KeyReused => "idempotency_key_reused",
            Refusal::Busy => "store_unavailable",
            Refusal::Store(StoreError::Bounds(_)) => "invalid",
            Refusal::Store(error) => {
                // What a store says of itself is for the log.
                tracing::error!(event = "store_failed", %error, "the store failed");
                return Self::new("store_unavailable", "the store failed; the log says how");
            }
        };
        Self::new(code, refusal.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_store_cannot_take_is_the_callers_and_what_it_cannot_do_is_not() {
        for (error, status) in [
            (StoreError::Bounds("a value has at most 72 KiB"), 422),
            (StoreError::Failed("no space".to_owned()), 503),
            (StoreError::Damaged("cut short".to_owned()), 503),
        ] {
            let problem = Problem::from(Refusal::Store(error));
            assert_eq!(problem.status.as_u16(), status, "{}", problem.detail);
        }
    }
}
