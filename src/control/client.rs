//! The other end of the admin API: one request and its answer, for commands that end afterwards.
//!
//! It brings a request over and an answer back, within bounds, and says of a failure what the caller must know most: was
//! the request perhaps obeyed although no answer came? What can be repeated without harm is repeated once. Nothing is
//! followed, and no proxy is taken from the environment: the token goes to the one address that the operator has named.

mod address;
mod error;

pub use address::{AdminUrl, AdminUrlError, path_part};
pub use error::{AskError, Problem};

use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, IF_MATCH};
use http::{HeaderValue, Method};
use reqwest::{Identity, Response};
use rustls::crypto::CryptoProvider;
use tokio::runtime::Runtime;

use super::fetch::{believe, builder, chain};
use crate::issuer::Authorities;
use crate::secret::Secret;

/// A connection with its handshake: an admin API is near, or it is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// All of an exchange. The gateway waits for its disk, and a page may be long.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The longest answer: a page of [`PAGE_ITEMS`] of the longest audit entries, which hold two records of 64 KiB.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Items of a page that is asked for.
pub const PAGE_ITEMS: usize = 100;

/// Whom to believe, and what to show, besides the token.
#[derive(Debug, Default)]
pub struct Trust {
    /// The certificates that an `https` server must lead to, in place of the public ones.
    pub authorities: Option<Authorities>,
    /// A certificate with its chain and its key, in PEM, for a server that asks for one.
    pub identity: Option<Secret<Vec<u8>>>,
}

/// A client of one gateway's admin API.
#[derive(Debug)]
pub struct AdminClient {
    url: AdminUrl,
    authorization: Option<HeaderValue>,
    client: reqwest::Client,
    runtime: Runtime,
}

/// One request.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The method.
    pub method: Method,
    /// The path, its parts in percent-encoding.
    pub path: String,
    /// The query.
    pub query: Vec<(&'static str, String)>,
    /// A JSON text.
    pub body: Option<String>,
    /// `If-Match`: the version of what is meant.
    pub if_match: Option<String>,
    /// `Idempotency-Key`: under it the request can be repeated.
    pub idempotency_key: Option<String>,
}

/// What was answered to a request that was obeyed.
#[derive(Debug)]
pub struct Answer {
    /// A JSON text; empty where there is nothing to say.
    pub body: String,
}

// === impl Ask ===

impl Ask {
    /// A request with nothing besides.
    #[must_use]
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            query: Vec::new(),
            body: None,
            if_match: None,
            idempotency_key: None,
        }
    }

    fn is_repeatable(&self) -> bool {
        self.method.is_safe() || self.idempotency_key.is_some()
    }
}

// === impl AdminClient ===

impl AdminClient {
    /// With the token, where one is asked for.
    ///
    /// # Errors
    /// [`AskError::Client`] when certificate or key are none, or the machine has no trusted roots.
    pub fn new(url: AdminUrl, token: Option<&Secret<String>>, trust: &Trust) -> Result<Self, AskError> {
        let failed = |detail: String| AskError::Client { detail };
        // The client would panic.
        if CryptoProvider::get_default().is_none() {
            return Err(failed("no TLS provider is installed".to_owned()));
        }
        let authorization = token.map(|token| HeaderValue::try_from(format!("Bearer {}", token.expose())));
        let mut authorization = authorization
            .transpose()
            .map_err(|_| failed("the token cannot be sent".to_owned()))?;
        if let Some(value) = &mut authorization {
            value.set_sensitive(true);
        }
        let client = client(&url, trust).map_err(|error| failed(chain(&error)))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| failed(error.to_string()))?;
        Ok(Self {
            url,
            authorization,
            client,
            runtime,
        })
    }

    /// Where it is.
    #[must_use]
    pub const fn url(&self) -> &AdminUrl {
        &self.url
    }

    /// Sends a request and reads the answer; once more, if no answer came and no harm can be done. Blocks.
    ///
    /// # Errors
    /// [`AskError::Refused`] if the gateway says no; the others say why there is no answer.
    pub fn ask(&self, ask: &Ask) -> Result<Answer, AskError> {
        match self.exchange(ask) {
            Err(AskError::Unanswered { .. }) if ask.is_repeatable() => self.exchange(ask),
            answered => answered,
        }
    }

    fn exchange(&self, ask: &Ask) -> Result<Answer, AskError> {
        let request = self.request(ask)?;
        let exchanged = self.runtime.block_on(async {
            let both = async {
                let response = self.client.execute(request).await;
                let response = response.map_err(|error| AskError::unanswered(&self.url, error))?;
                self.read(response).await
            };
            tokio::time::timeout(TIMEOUT, both).await
        });
        exchanged.unwrap_or_else(|_| {
            Err(AskError::Unanswered {
                url: self.url.to_string(),
                detail: format!("not complete within {} s", TIMEOUT.as_secs()),
            })
        })
    }

    fn request(&self, ask: &Ask) -> Result<reqwest::Request, AskError> {
        let Ask {
            method,
            path,
            query,
            body,
            if_match,
            idempotency_key,
        } = ask;
        let mut url = self.url.with_path(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = self.client.request(method.clone(), url);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        if let Some(version) = if_match {
            request = request.header(IF_MATCH, version);
        }
        if let Some(key) = idempotency_key {
            request = request.header("idempotency-key", key);
        }
        if let Some(body) = body {
            request = request
                .header(CONTENT_TYPE, "application/json")
                .body(body.clone());
        }
        request.build().map_err(|error| AskError::Client {
            detail: chain(&error.without_url()),
        })
    }

    async fn read(&self, mut response: Response) -> Result<Answer, AskError> {
        let status = response.status();
        let foreign = |what: &'static str| AskError::Foreign {
            url: self.url.to_string(),
            status: status.as_u16(),
            what,
        };
        if status.is_redirection() {
            return Err(foreign("which leads elsewhere; name the final address"));
        }
        if response.headers().contains_key(CONTENT_ENCODING) {
            return Err(foreign("compressed, which was not asked for"));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| AskError::cut_short(&self.url, error))?
        {
            if chunk.len() > ANSWER_BYTES_MAX - body.len() {
                return Err(foreign("with more than can be read"));
            }
            body.extend_from_slice(&chunk);
        }
        let Ok(body) = String::from_utf8(body) else {
            return Err(foreign("with no text"));
        };
        if !status.is_success() {
            let problem = Problem::parse(status.as_u16(), &body);
            return Err(problem.map_or_else(|| foreign("with no problem document"), AskError::Refused));
        }
        if !body.is_empty() && serde_json::from_str::<serde::de::IgnoredAny>(&body).is_err() {
            return Err(foreign("with no JSON"));
        }
        Ok(Answer { body })
    }
}

fn client(url: &AdminUrl, trust: &Trust) -> reqwest::Result<reqwest::Client> {
    let mut builder = builder().connect_timeout(CONNECT_TIMEOUT);
    match &trust.authorities {
        Some(authorities) => builder = believe(builder, authorities)?,
        // No certificate is needed, and there may be none on this machine.
        None if !url.is_https() => builder = builder.tls_certs_only([]),
        None => {}
    }
    if let Some(identity) = &trust.identity {
        builder = builder.identity(Identity::from_pem(identity.expose())?);
    }
    builder.build()
}
