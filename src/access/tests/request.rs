//! A request as a test writes it down: method, path and the fields that matter.
//! It stands apart from what is asked of it, so that every scene asks with the same one.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};

/// A request, to be sent to nobody.
#[derive(Clone)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: Option<String>,
    pub(super) headers: HeaderMap,
}

// === impl Request ===

impl Request {
    pub(super) fn new(method: &str, path: &str) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: None,
            headers: HeaderMap::new(),
        }
    }

    pub(super) fn field(mut self, name: HeaderName, value: &[u8]) -> Self {
        self.headers.append(name, HeaderValue::from_bytes(value).unwrap());
        self
    }

    pub(super) fn authorization(self, value: &str) -> Self {
        self.field(AUTHORIZATION, value.as_bytes())
    }

    pub(super) fn bearer(self, token: &str) -> Self {
        self.authorization(&format!("Bearer {token}"))
    }
}
