//! Brings an issuer's key set over HTTP, whatever the other side does.
//!
//! The other side may be slow, broken or hostile, and it is asked again and again for as long as the gateway runs.
//! So everything has an end: the whole exchange takes [`FETCH_TIMEOUT`] however slowly bytes drip, a body
//! has [`JWKS_BYTES_MAX`] whether it announces its length or not, one connection per host is kept. And nothing is
//! done that was not asked for: no redirect is followed unless an operator says so, no proxy taken from the
//! environment, no cookie kept, nothing decompressed, nothing retried. Wherever an answer leads, by a redirect or a
//! discovery document, the address is under the same rules as one that an operator writes.
//!
//! What the body *means* is not decided here: a 200 with a page of HTML is fetched, and refused by whoever
//! parses it. Nor is when to ask again; [`Fetched::max_age`] is what the issuer wishes.

mod error;
mod freshness;
mod list;

#[cfg(test)]
mod tests;

pub use error::{FetchError, RedirectRefusal};
pub(super) use error::{causes, chain};
pub use list::{FetchedList, Validator};

use std::sync::OnceLock;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode, header};
use reqwest::{Certificate, Client, ClientBuilder, Proxy, Response, redirect, retry, tls};
use rustls::crypto::CryptoProvider;

use crate::id::IssuerName;
use crate::issuer::{Authorities, JwksUrl, KeyAddress, Via, jwks_uri};
use crate::token::JWKS_BYTES_MAX;

/// Name lookup, connection, handshake, head and body together, of all documents and redirects. A healthy issuer answers in a tenth of it; a
/// request that waits for an unknown key gives up before it.
pub const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

/// Idle connections per host: one fetch at a time per issuer never needs a second.
const IDLE_PER_HOST_MAX: usize = 1;

/// Header fields of an answer. Together with hyper's bound on the size of a head (about 400 KiB) this is what an
/// answer can cost before its body.
const HEADERS_MAX: usize = 100;

/// Redirects that are followed, one after the other, where any are.
const REDIRECTS_MAX: usize = 3;

const USER_AGENT: &str = concat!("tollgate/", env!("CARGO_PKG_VERSION"));

/// RFC 7517 section 8.5.2 registers the first; most issuers send the second.
const ACCEPT: HeaderValue = HeaderValue::from_static("application/jwk-set+json, application/json");

/// Fetches key sets by one way, from any number of issuers. Cheap to clone; clones share connections.
#[derive(Debug, Clone)]
pub struct Fetcher {
    client: Client,
    via: Via,
    timeout: Duration,
}

/// What is asked for, and how much of it may come.
struct Wanted<'w> {
    bytes_max: usize,
    /// Instead of what key sets are asked for with.
    accept: Option<HeaderValue>,
    /// What is here already.
    known: Option<&'w Validator>,
}

/// A document as it came.
struct Document {
    /// Nothing: it is the one that is here already.
    body: Option<Vec<u8>>,
    headers: HeaderMap,
}

/// A key set, and what leads to it.
const KEYS: Wanted<'static> = Wanted {
    bytes_max: JWKS_BYTES_MAX,
    accept: None,
    known: None,
};

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
    pub fn new(via: &Via) -> Result<Self, FetchError> {
        Self::with_timeout(via, FETCH_TIMEOUT)
    }

    /// Like [`Fetcher::new`], but one exchange may take `timeout` in all.
    ///
    /// # Errors
    ///
    /// As [`Fetcher::new`].
    pub fn with_timeout(via: &Via, timeout: Duration) -> Result<Self, FetchError> {
        // The client would panic.
        if CryptoProvider::get_default().is_none() {
            return Err(FetchError::Client {
                detail: "no TLS provider is installed".to_owned(),
            });
        }
        let client = client(via).map_err(|error| FetchError::Client {
            detail: chain(&error),
        })?;
        Ok(Self {
            client,
            via: via.clone(),
            timeout,
        })
    }

    /// The key set of an issuer, with what leads to it: one answer. Cancel safe: dropping the future closes the
    /// connection.
    ///
    /// # Errors
    ///
    /// Anything but complete, uncompressed 200s within the bounds, and what [`jwks_uri`] says of a discovery document.
    pub async fn get(&self, issuer: &IssuerName, address: &KeyAddress) -> Result<Fetched, FetchError> {
        // How far it has come, for the message if it takes too long.
        let found = OnceLock::new();
        let both = async {
            match address {
                KeyAddress::Jwks(url) => self.keys(url).await,
                KeyAddress::Discovery(url) => {
                    let document = self.keys(url).await?.body;
                    let keys =
                        jwks_uri(&document, issuer, url, &self.via).map_err(|why| FetchError::Discovery {
                            url: url.to_string(),
                            why,
                        })?;
                    self.keys(found.get_or_init(|| keys)).await
                }
            }
        };
        match tokio::time::timeout(self.timeout, both).await {
            Ok(answer) => answer,
            Err(_) => Err(FetchError::Timeout {
                url: found.get().unwrap_or_else(|| address.url()).to_string(),
                limit: self.timeout,
            }),
        }
    }

    async fn keys(&self, url: &JwksUrl) -> Result<Fetched, FetchError> {
        let Document { body, headers } = self.exchange(url, &KEYS).await?;
        Ok(Fetched {
            max_age: freshness::max_age(&headers),
            // Nothing was here before, so it came.
            body: body.unwrap_or_default(),
        })
    }

    /// One document, behind a few redirects where they are followed.
    async fn exchange(&self, url: &JwksUrl, wanted: &Wanted<'_>) -> Result<Document, FetchError> {
        let mut url = url.clone();
        let mut redirects = 0;
        loop {
            let mut request = self.client.get(url.as_url().clone());
            if let Some(accept) = &wanted.accept {
                request = request.header(header::ACCEPT, accept);
            }
            if let Some(Validator(etag)) = wanted.known {
                request = request.header(header::IF_NONE_MATCH, etag);
            }
            let response = request
                .send()
                .await
                .map_err(|error| FetchError::unanswered(&url, self.via.proxy.is_some(), error))?;
            if self.via.follow_redirects && leads_on(response.status()) {
                let target = self.target(&url, response.headers(), redirects);
                url = target.map_err(|why| FetchError::RedirectRefused {
                    url: url.to_string(),
                    why,
                })?;
                redirects += 1;
                continue;
            }
            if response.status() == StatusCode::NOT_MODIFIED && wanted.known.is_some() {
                let headers = response.headers().clone();
                return Ok(Document { body: None, headers });
            }
            accept(&url, &response, wanted.bytes_max)?;
            let headers = response.headers().clone();
            let body = read_to_limit(&url, response, wanted.bytes_max).await?;
            return Ok(Document {
                body: Some(body),
                headers,
            });
        }
    }

    /// Where a redirect leads (RFC 9110 section 10.2.2), if keys may come from there.
    fn target(
        &self,
        url: &JwksUrl,
        fields: &HeaderMap,
        redirects: usize,
    ) -> Result<JwksUrl, RedirectRefusal> {
        if redirects == REDIRECTS_MAX {
            return Err(RedirectRefusal::TooMany);
        }
        let mut locations = fields.get_all(header::LOCATION).iter();
        let (Some(location), None) = (locations.next(), locations.next()) else {
            return Err(RedirectRefusal::Nowhere);
        };
        let location = location.to_str().map_err(|_| RedirectRefusal::Nowhere)?;
        let target = url
            .as_url()
            .join(location)
            .map_err(|_| RedirectRefusal::Nowhere)?;
        let target = self.via.url(target.as_str()).map_err(RedirectRefusal::Target)?;
        if url.is_https() && !target.is_https() {
            return Err(RedirectRefusal::Downgrade);
        }
        Ok(target)
    }
}

/// What every client of ours has: nothing is followed, repeated or taken from the environment, and heads are bounded.
pub(super) fn builder() -> ClientBuilder {
    Client::builder()
        .user_agent(USER_AGENT)
        // Each step is judged first, by ourselves.
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
}

/// These certificates and no others are believed.
pub(super) fn believe(builder: ClientBuilder, authorities: &Authorities) -> reqwest::Result<ClientBuilder> {
    let certificates = authorities.certificates().map(Certificate::from_der);
    Ok(builder.tls_certs_only(certificates.collect::<Result<Vec<_>, _>>()?))
}

fn client(via: &Via) -> reqwest::Result<Client> {
    let mut builder = builder().default_headers(HeaderMap::from_iter([(header::ACCEPT, ACCEPT)]));
    if let Some(proxy) = &via.proxy {
        builder = builder.proxy(Proxy::all(proxy.as_url().clone())?);
    }
    if let Some(authorities) = &via.authorities {
        builder = believe(builder, authorities)?;
    }
    builder.build()
}

/// Whether a status says where the document is now. 304 does not, and 300 lets the client choose.
fn leads_on(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Refuses by the head what need not be read.
fn accept(url: &JwksUrl, response: &Response, bytes_max: usize) -> Result<(), FetchError> {
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
    if announced > bytes_max as u64 {
        return Err(FetchError::TooLarge {
            url: url.to_string(),
            bytes_max,
        });
    }
    Ok(())
}

async fn read_to_limit(
    url: &JwksUrl,
    mut response: Response,
    bytes_max: usize,
) -> Result<Vec<u8>, FetchError> {
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| FetchError::cut_short(url, error))?
    {
        if chunk.len() > bytes_max - body.len() {
            return Err(FetchError::TooLarge {
                url: url.to_string(),
                bytes_max,
            });
        }
        body.extend_from_slice(&chunk);
    }
    debug_assert!(body.len() <= bytes_max);
    Ok(body)
}
