//! A request written down by somebody who wants to know what would become of it.
//!
//! It becomes the same value that Pingora makes of a request on a connection, by the same parser, so that what is odd
//! about it stays odd.

use http::header::HOST;
use http::{HeaderName, HeaderValue, Method};
use pingora::http::RequestHeader;

/// A request to be explained.
#[derive(Debug)]
pub struct Question {
    header: RequestHeader,
}

/// What was written down is no request: on a connection, it would be answered with a bare 400 and closed.
#[derive(Debug, thiserror::Error)]
pub enum NotARequest {
    /// No method, RFC 9110 section 9.1.
    #[error("`{0}` is no method")]
    Method(String),
    /// No target, RFC 9112 section 3.2.
    #[error("the URL is no request target")]
    Target,
    /// No field name, RFC 9110 section 5.1.
    #[error("`{0}` is no header name")]
    Name(String),
    /// No field value, RFC 9110 section 5.5. The value is not shown: it may be a token.
    #[error("the value of `{0}` has a character that no header field can carry")]
    Value(String),
}

// === impl Question ===

impl Question {
    /// A request for `target`: path and query, as they stand in the request line.
    ///
    /// # Errors
    /// [`NotARequest::Method`] and [`NotARequest::Target`].
    pub fn new(method: &str, target: &str) -> Result<Self, NotARequest> {
        let method =
            Method::from_bytes(method.as_bytes()).map_err(|_| NotARequest::Method(method.to_owned()))?;
        // Where the request line would end, or fall apart into other words.
        if target.is_empty() || target.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err(NotARequest::Target);
        }
        let header =
            RequestHeader::build(method, target.as_bytes(), None).map_err(|_| NotARequest::Target)?;
        Ok(Self { header })
    }

    /// One more field.
    ///
    /// # Errors
    /// [`NotARequest::Name`] and [`NotARequest::Value`].
    pub fn field(mut self, name: &str, value: &[u8]) -> Result<Self, NotARequest> {
        let parsed =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| NotARequest::Name(name.to_owned()))?;
        let value = HeaderValue::from_bytes(value).map_err(|_| NotARequest::Value(name.to_owned()))?;
        self.header
            .append_header(parsed, value)
            .map_err(|_| NotARequest::Name(name.to_owned()))?;
        Ok(self)
    }

    /// Whether it says which host it is for.
    pub fn has_host(&self) -> bool {
        self.header.headers.contains_key(HOST)
    }

    /// As the gateway sees it.
    pub(super) const fn header(&self) -> &RequestHeader {
        &self.header
    }
}
