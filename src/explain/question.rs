//! A request written down by somebody who wants to know what would become of it.
//!
//! It becomes the same value that Pingora makes of a request on a connection, by the same parser, so that what is odd
//! about it stays odd.

use http::header::HOST;
use http::{HeaderName, HeaderValue, Method};
use pingora::http::RequestHeader;

use crate::secret::Secret;

/// Where a request goes that names no host.
const NO_HOST: &str = "localhost";

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
    /// A request as a person writes it: `url` is path and query, or whole, and then says the host unless `host` does; the
    /// token goes into `Authorization`.
    ///
    /// # Errors
    /// When that is no request. The message repeats no value.
    pub fn written(
        method: &str,
        url: &str,
        host: Option<&str>,
        fields: &[(String, Secret<String>)],
        token: Option<&Secret<String>>,
    ) -> Result<Self, NotARequest> {
        let (url_host, target) = split_url(url);
        let mut question = Self::new(method, &target)?;
        if let Some(host) = host.or(url_host) {
            question = question.field("host", host.as_bytes())?;
        }
        for (name, value) in fields {
            question = question.field(name, value.expose().as_bytes())?;
        }
        if !question.has_host() {
            question = question.field("host", NO_HOST.as_bytes())?;
        }
        if let Some(token) = token {
            let value = format!("Bearer {}", token.expose());
            question = question.field("authorization", value.as_bytes())?;
        }
        Ok(question)
    }

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

/// The host of a whole URL, and what stands in the request line.
fn split_url(url: &str) -> (Option<&str>, String) {
    let scheme = ["http://", "https://"].into_iter().find(|scheme| {
        url.get(..scheme.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(scheme))
    });
    let Some(rest) = scheme.and_then(|scheme| url.get(scheme.len()..)) else {
        return (None, url.to_owned());
    };
    // A fragment is the caller's own (RFC 9110 section 4.2.5).
    let rest = rest.split('#').next().unwrap_or_default();
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, target) = rest.split_at(end);
    let target = match target.starts_with('/') {
        true => target.to_owned(),
        false => format!("/{target}"),
    };
    (Some(host), target)
}
