//! Why a fetch brought no key set: one word for the metric, one sentence for the operator.
//!
//! The sentence names the URL without its query (some issuers want a key there) and nothing that the other side
//! wrote: not the `Location`, not a header, not the body.

use std::{error::Error, io, time::Duration};

use super::{JwksUrl, REDIRECTS_MAX};
use crate::issuer::{DiscoveryError, JwksUrlError};

/// Characters of an underlying error in a message: enough for the longest that a library writes about itself.
const DETAIL_CHARS_MAX: usize = 300;

/// Why a fetch failed.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "each variant's message says what it is; `url` has no query in all of them"
)]
pub enum FetchError {
    #[error("no HTTP client could be made: {detail}")]
    Client { detail: String },
    #[error("{url}: the host name was not found: {detail}")]
    Dns { url: String, detail: String },
    #[error("{url}: no connection: {detail}")]
    Connect { url: String, detail: String },
    #[error("{url}: no secure connection: {detail}")]
    Tls { url: String, detail: String },
    #[error("{url}: not complete within {} s", limit.as_secs_f64())]
    Timeout { url: String, limit: Duration },
    #[error("{url}: the answer is no HTTP, or there was none: {detail}")]
    Protocol { url: String, detail: String },
    #[error("{url}: answered with status {status}")]
    Status { url: String, status: u16 },
    #[error("{url}: answered with a redirect ({status}), which is not followed: name the final URL")]
    Redirect { url: String, status: u16 },
    #[error("{url}: answered with a redirect that is not followed: {why}")]
    RedirectRefused { url: String, why: RedirectRefusal },
    #[error("{url}: {why}")]
    Discovery { url: String, why: DiscoveryError },
    #[error("{url}: no connection through the proxy: {detail}")]
    Proxy { url: String, detail: String },
    #[error("{url}: the answer is compressed (Content-Encoding), which was not asked for")]
    Encoding { url: String },
    #[error("{url}: the answer is larger than {bytes_max} bytes")]
    TooLarge { url: String, bytes_max: usize },
    #[error("{url}: the answer broke off: {detail}")]
    Body { url: String, detail: String },
}

/// Why a redirect is not followed although redirects are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedirectRefusal {
    /// One after the other.
    #[error("there are more than {REDIRECTS_MAX} in a row")]
    TooMany,
    /// No `Location`, or several, or none that can be read.
    #[error("it does not say where to, or not clearly")]
    Nowhere,
    /// Keys may not come from there.
    #[error("its target {0}")]
    Target(JwksUrlError),
    /// From `https` to `http`.
    #[error("it leads from https to http")]
    Downgrade,
}

// === impl FetchError ===

impl FetchError {
    /// One word out of fifteen, for a metric label.
    #[must_use]
    pub fn cause(&self) -> &'static str {
        match self {
            Self::Client { .. } => "client",
            Self::Dns { .. } => "dns",
            Self::Connect { .. } => "connect",
            Self::Tls { .. } => "tls",
            Self::Timeout { .. } => "timeout",
            Self::Protocol { .. } => "protocol",
            Self::Status { .. } => "status",
            Self::Redirect { .. } | Self::RedirectRefused { .. } => "redirect",
            Self::Discovery { why, .. } => why.cause(),
            Self::Proxy { .. } => "proxy",
            Self::Encoding { .. } => "encoding",
            Self::TooLarge { .. } => "too_large",
            Self::Body { .. } => "body",
        }
    }

    /// No head of an answer came.
    pub(in crate::control) fn unanswered(url: &JwksUrl, by_proxy: bool, error: reqwest::Error) -> Self {
        let error = error.without_url();
        let url = url.to_string();
        let detail = chain(&error);
        // From the inside out: a name that is not found and a failed handshake are failed connections too.
        if causes(&error).any(|cause| cause.is::<rustls::Error>()) {
            Self::Tls { url, detail }
        } else if by_proxy && (error.is_dns() || error.is_connect()) {
            // The proxy looks up names and connects; what fails on our side is the way to it, or its refusal.
            Self::Proxy { url, detail }
        } else if error.is_dns() {
            Self::Dns { url, detail }
        } else if error.is_connect() {
            Self::Connect { url, detail }
        } else {
            Self::Protocol { url, detail }
        }
    }

    /// The head came, the rest did not.
    pub(in crate::control) fn cut_short(url: &JwksUrl, error: reqwest::Error) -> Self {
        Self::Body {
            url: url.to_string(),
            detail: chain(&error.without_url()),
        }
    }
}

/// The error and its causes as one line, without repetitions and without control characters.
pub(in crate::control) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    for cause in causes(error) {
        let cause = cause.to_string();
        if text.contains(&cause) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&cause);
    }
    text.chars()
        .filter(|character| !character.is_control())
        .take(DETAIL_CHARS_MAX)
        .collect()
}

/// The error and what caused it, outermost first. An [`io::Error`] hides the error that it wraps from `source`.
pub(in crate::control) fn causes<'e>(
    error: &'e (dyn Error + 'static),
) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| {
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}
