//! A request as the decision sees it: borrowed from the connection, the path normalised once.
//! It knows nothing of the server that read the request, so a test writes one down in a few lines.

use std::net::IpAddr;

use http::HeaderMap;

/// A request.
#[derive(Debug, Clone, Copy)]
pub struct RequestView<'r> {
    /// The method, byte for byte: methods are case-sensitive (RFC 9110 section 9.1).
    pub method: &'r str,
    /// The host without port, in any case.
    pub host: &'r str,
    /// The normalised path: what is routed is what is forwarded.
    pub path: &'r str,
    /// The query, without `?`.
    pub query: Option<&'r str>,
    /// The header fields.
    pub headers: &'r HeaderMap,
    /// Who is calling, as far as trusted proxies can tell.
    pub client: Option<IpAddr>,
    /// The length of the body, in bytes, if the request tells.
    pub body_bytes: Option<u64>,
}
