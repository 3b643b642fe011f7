//! One question to an issuer about one token, and its answer, whatever the other side does.
//!
//! The rules are those of fetching keys ([`super::super::fetch`]): everything has an end, nothing is followed, and nothing
//! is decompressed. What differs is that a secret is sent, and a token that may be good. So no redirect is ever followed, and no
//! message names either. An answer that is not clear is a failure, and a failure says nothing about the token.

use http::{HeaderMap, HeaderValue, StatusCode, header};
use percent_encoding::NON_ALPHANUMERIC;
use reqwest::{Client, Proxy, Response};
use rustls::crypto::CryptoProvider;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::control::fetch::{FetchError, believe, builder, chain};
use crate::issuer::{ClientCredentials, ClientMethod, Introspection, JwksUrl, Via};
use crate::time::{Clock, UnixTime};
use crate::token::{ANSWER_BYTES_MAX, AnswerError, read_answer};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");
/// Connections that lie idle for the next question.
const IDLE_MAX: usize = 16;

/// What an issuer said.
#[derive(Debug)]
pub(super) enum Answered {
    /// The token is active; the answer counts until then.
    Active {
        body: Vec<u8>,
        received_at: UnixTime,
        until: UnixTime,
    },
    /// It is not.
    Inactive { received_at: UnixTime },
}

/// Why nothing is known of a token.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExchangeError {
    /// No answer came, or not a whole one.
    #[error("{0}")]
    Fetch(FetchError),
    /// The issuer does not believe the gateway.
    #[error("{url}: the client id and secret were refused (status {status})")]
    Unauthorized { url: String, status: u16 },
    /// Something else than JSON, by its own word.
    #[error("{url}: the answer is no application/json by its Content-Type")]
    ContentType { url: String },
    /// The answer is longer than any.
    #[error("{url}: the answer is larger than {ANSWER_BYTES_MAX} bytes")]
    TooLarge { url: String },
    /// The answer is not clear.
    #[error("{url}: the answer {why}")]
    Answer { url: String, why: AnswerError },
    /// It took too long.
    #[error("{url}: no answer in time")]
    Timeout { url: String },
    /// Nothing is left for questions about tokens that are nothing.
    #[error("the forgery budget is spent")]
    Overdrawn,
}

// === impl ExchangeError ===

impl ExchangeError {
    /// One word, for a metric label.
    pub(super) fn cause(&self) -> &'static str {
        match self {
            Self::Fetch(error) => error.cause(),
            Self::Unauthorized { .. } => "unauthorized",
            Self::ContentType { .. } => "content_type",
            Self::TooLarge { .. } => "too_large",
            Self::Answer { why, .. } => match why {
                AnswerError::Json => "json",
                AnswerError::Duplicate => "duplicate_member",
                AnswerError::Active => "active_missing",
            },
            Self::Timeout { .. } => "timeout",
            Self::Overdrawn => "budget_spent",
        }
    }

    /// Whether the connection ended before there was an answer: an idle one may end at any time.
    const fn is_broken_connection(&self) -> bool {
        matches!(self, Self::Fetch(FetchError::Protocol { .. }))
    }
}

/// A client for one way. Clones share connections.
///
/// # Errors
/// [`FetchError::Client`], as for keys.
pub(super) fn client(via: &Via) -> Result<Client, FetchError> {
    let failed = |detail: String| FetchError::Client { detail };
    // The client would panic.
    if CryptoProvider::get_default().is_none() {
        return Err(failed("no TLS provider is installed".to_owned()));
    }
    let mut builder = builder()
        .default_headers(HeaderMap::from_iter([(header::ACCEPT, JSON)]))
        .pool_max_idle_per_host(IDLE_MAX);
    let of_client = |error: reqwest::Error| failed(chain(&error));
    if let Some(proxy) = &via.proxy {
        builder = builder.proxy(Proxy::all(proxy.as_url().clone()).map_err(of_client)?);
    }
    if let Some(authorities) = &via.authorities {
        builder = believe(builder, authorities).map_err(of_client)?;
    }
    builder.build().map_err(of_client)
}

/// Asks. A question may be asked twice: it changes nothing, and an idle connection may break just then.
pub(super) async fn ask(
    client: &Client,
    asked: &Introspection,
    token: &str,
) -> Result<Answered, ExchangeError> {
    match ask_once(client, asked, token).await {
        Err(error) if error.is_broken_connection() => ask_once(client, asked, token).await,
        answered => answered,
    }
}

async fn ask_once(client: &Client, asked: &Introspection, token: &str) -> Result<Answered, ExchangeError> {
    let url = &asked.url;
    let mut body = form("token", token) + "&token_type_hint=access_token";
    let mut request = client
        .post(url.as_url().clone())
        .header(header::CONTENT_TYPE, FORM);
    let ClientCredentials { id, secret, method } = &asked.client;
    match method {
        ClientMethod::Basic => {
            request = request.header(header::AUTHORIZATION, basic(id, secret.expose()));
        }
        ClientMethod::Post => {
            for (name, value) in [("client_id", id), ("client_secret", secret.expose())] {
                body.push('&');
                body.push_str(&form(name, value));
            }
        }
    }
    let response = request.body(body).send().await.map_err(|error| {
        ExchangeError::Fetch(FetchError::unanswered(url, asked.via.proxy.is_some(), error))
    })?;
    accept(url, &response)?;
    let body = read_to_limit(url, response).await?;
    let received_at = Clock.now();
    match read_answer(&body, received_at, asked.cache_ttl) {
        Ok(Some(until)) => Ok(Answered::Active {
            body,
            received_at,
            until,
        }),
        Ok(None) => Ok(Answered::Inactive { received_at }),
        Err(why) => Err(ExchangeError::Answer {
            url: url.to_string(),
            why,
        }),
    }
}

/// `name=value`, as a form has it.
fn form(name: &str, value: &str) -> String {
    format!("{name}={}", encoded(value))
}

fn encoded(text: &str) -> percent_encoding::PercentEncode<'_> {
    percent_encoding::utf8_percent_encode(text, NON_ALPHANUMERIC)
}

/// Both are encoded first, as RFC 6749 section 2.3.1 asks.
fn basic(id: &str, secret: &str) -> HeaderValue {
    let pair = STANDARD.encode(format!("{}:{}", encoded(id), encoded(secret)));
    // Base64 is visible ASCII.
    let mut value =
        HeaderValue::from_str(&format!("Basic {pair}")).unwrap_or(HeaderValue::from_static("Basic"));
    value.set_sensitive(true);
    value
}

/// Refuses by the head what need not be read.
fn accept(url: &JwksUrl, response: &Response) -> Result<(), ExchangeError> {
    let status = response.status();
    let (status_code, url) = (status.as_u16(), url.to_string());
    if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        return Err(ExchangeError::Unauthorized {
            url,
            status: status_code,
        });
    }
    if status != StatusCode::OK {
        return Err(ExchangeError::Fetch(match status.is_redirection() {
            true => FetchError::Redirect {
                url,
                status: status_code,
            },
            false => FetchError::Status {
                url,
                status: status_code,
            },
        }));
    }
    let fields = response.headers();
    let mut encodings = fields.get_all(header::CONTENT_ENCODING).iter();
    if !encodings.all(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(ExchangeError::Fetch(FetchError::Encoding { url }));
    }
    if !is_json(fields) {
        return Err(ExchangeError::ContentType { url });
    }
    if response.content_length().unwrap_or(0) > ANSWER_BYTES_MAX as u64 {
        return Err(ExchangeError::TooLarge { url });
    }
    Ok(())
}

/// Exactly one `Content-Type`, and it is JSON, with whatever parameters (RFC 7662 section 2.2).
fn is_json(fields: &HeaderMap) -> bool {
    let mut types = fields.get_all(header::CONTENT_TYPE).iter();
    let (Some(one), None) = (types.next(), types.next()) else {
        return false;
    };
    let essence = one
        .as_bytes()
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(JSON.as_bytes())
}

async fn read_to_limit(url: &JwksUrl, mut response: Response) -> Result<Vec<u8>, ExchangeError> {
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| ExchangeError::Fetch(FetchError::cut_short(url, error)))?
    {
        if chunk.len() > ANSWER_BYTES_MAX - body.len() {
            return Err(ExchangeError::TooLarge { url: url.to_string() });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
