//! Brings an issuer's key set over HTTP, whatever the other side does.
//!
//! The other side may be slow, broken or hostile, and it is asked again and again for as long as the gateway runs.
//! So everything has an end: the whole exchange takes [`FETCH_TIMEOUT`] however slowly bytes drip, a body
//! has [`JWKS_BYTES_MAX`] whether it announces its length or not, one connection per host is kept. And nothing is
//! done that was not asked for: no redirect is followed, no proxy taken from the environment, no cookie kept, nothing
//! decompressed, nothing retried.
//!
//! What the body *means* is not decided here: a 200 with a page of HTML is fetched, and refused by whoever
//! parses it. Nor is when to ask again; [`Fetched::max_age`] is what the issuer wishes.

mod error;
mod freshness;

#[cfg(test)]
mod tests;

pub use error::FetchError;

use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode, header};
use reqwest::{Client, Response, redirect, retry, tls};
use rustls::crypto::CryptoProvider;

use crate::issuer::JwksUrl;
use crate::token::JWKS_BYTES_MAX;

/// Name lookup, connection, handshake, head and body together. A healthy issuer answers in a tenth of it; a
/// request that waits for an unknown key gives up before it.
pub const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

/// Idle connections per host: one fetch at a time per issuer never needs a second.
const IDLE_PER_HOST_MAX: usize = 1;

/// Header fields of an answer. Together with hyper's bound on the size of a head (about 400 KiB) this is what an
/// answer can cost before its body.
const HEADERS_MAX: usize = 100;

const USER_AGENT: &str = concat!("tollgate/", env!("CARGO_PKG_VERSION"));

/// RFC 7517 section 8.5.2 registers the first; most issuers send the second.
const ACCEPT: HeaderValue = HeaderValue::from_static("application/jwk-set+json, application/json");

/// Fetches key sets, from any number of issuers. Cheap to clone; clones share connections.
#[derive(Debug, Clone)]
pub struct Fetcher {
    client: Client,
    timeout: Duration,
}

/// The answer to a fetch.
pub struct Fetched {
    /// At most [`JWKS_BYTES_MAX`].
    pub body: Vec<u8>,
    /// How long the issuer calls this answer fresh (`Cache-Control`): zero if it asks not to keep it, None if it
    /// does not say.
    pub max_age: Option<Duration>,
}

// === impl Fetcher ===

impl Fetcher {
    /// # Errors
    ///
    /// [`FetchError::Client`] if the process has installed no TLS provider, or the machine has no trusted roots.
    pub fn new() -> Result<Self, FetchError> {
        Self::with_timeout(FETCH_TIMEOUT)
    }

    /// Like [`Fetcher::new`], but one exchange may take `timeout` in all.
    ///
    /// # Errors
    ///
    /// As [`Fetcher::new`].
    pub fn with_timeout(timeout: Duration) -> Result<Self, FetchError> {
        // The client would panic.
        if CryptoProvider::get_default().is_none() {
            return Err(FetchError::Client {
                detail: "no TLS provider is installed".to_owned(),
            });
        }
        let client = Client::builder()
            .user_agent(USER_AGENT)
            .default_headers(HeaderMap::from_iter([(header::ACCEPT, ACCEPT)]))
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .no_proxy()
            // Compiled out; should another crate ever compile one in, it stays off.
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .http1_only()
            .http1_max_headers(HEADERS_MAX)
            .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
            .tls_version_min(tls::Version::TLS_1_2)
            .build()
            .map_err(|error| FetchError::Client {
                detail: error::chain(&error),
            })?;
        Ok(Self { client, timeout })
    }

    /// One GET, one answer. Cancel safe: dropping the future closes the connection.
    ///
    /// # Errors
    ///
    /// Anything but a complete, uncompressed 200 within the bounds.
    pub async fn get(&self, url: &JwksUrl) -> Result<Fetched, FetchError> {
        match tokio::time::timeout(self.timeout, self.exchange(url)).await {
            Ok(answer) => answer,
            Err(_) => Err(FetchError::Timeout {
                url: url.to_string(),
                limit: self.timeout,
            }),
        }
    }

    async fn exchange(&self, url: &JwksUrl) -> Result<Fetched, FetchError> {
        let request = self.client.get(url.as_url().clone()).send();
        let response = request
            .await
            .map_err(|error| FetchError::unanswered(url, error))?;
        accept(url, &response)?;
        let max_age = freshness::max_age(response.headers());
        let body = read_to_limit(url, response).await?;
        Ok(Fetched { body, max_age })
    }
}

/// Refuses by the head what need not be read.
fn accept(url: &JwksUrl, response: &Response) -> Result<(), FetchError> {
    let status = response.status();
    if status.is_redirection() {
        return Err(FetchError::Redirect {
            url: url.to_string(),
            status: status.as_u16(),
        });
    }
    if status != StatusCode::OK {
        return Err(FetchError::Status {
            url: url.to_string(),
            status: status.as_u16(),
        });
    }
    let mut encodings = response.headers().get_all(header::CONTENT_ENCODING).iter();
    if !encodings.all(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(FetchError::Encoding { url: url.to_string() });
    }
    let announced = response.content_length().unwrap_or(0);
    if announced > JWKS_BYTES_MAX as u64 {
        return Err(FetchError::TooLarge { url: url.to_string() });
    }
    Ok(())
}

async fn read_to_limit(url: &JwksUrl, mut response: Response) -> Result<Vec<u8>, FetchError> {
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| FetchError::cut_short(url, error))?
    {
        if chunk.len() > JWKS_BYTES_MAX - body.len() {
            return Err(FetchError::TooLarge { url: url.to_string() });
        }
        body.extend_from_slice(&chunk);
    }
    debug_assert!(body.len() <= JWKS_BYTES_MAX);
    Ok(body)
}
