//! A request as an operation sees it: read whole, within bounds, with nothing in it that is not understood.
//! So an operation is a plain function over values, and no bound can be forgotten in one of them.

use std::ops::Deref;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use axum::body::Body;
use axum::extract::{RawPathParams, Request};
use axum::response::Response;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, IF_MATCH, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::AdminApi;
use super::operations::{Field, Operation};
use super::problem::Problem;
use crate::control::door::read_body;
use crate::control::registrar::{Actor, Expected, Repeatable};
use crate::control::state::{NOTE_BYTES_MAX, Revision, VALUE_BYTES_MAX};

/// The longest body. A record says what the body says, in no more bytes, and a few members besides.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// What a record or a view adds to the body that it is made of, at most: its id, status, version, times.
const ADDED_BYTES_MAX: usize = 4 * 1024;
const _: () = assert!(BODY_BYTES_MAX + ADDED_BYTES_MAX <= VALUE_BYTES_MAX);
const _: () = assert!(2 * (BODY_BYTES_MAX + ADDED_BYTES_MAX) + ADDED_BYTES_MAX <= NOTE_BYTES_MAX);
/// Items of a page, by default and at most.
const LIMIT: (usize, usize) = (100, 1000);
/// The longest idempotency key.
const KEY_BYTES_MAX: usize = 128;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A request.
pub(super) struct Call {
    pub(super) api: Asked,
    parameters: Vec<(String, String)>,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
    /// Method and path, for idempotency.
    line: String,
}

/// What an operation works with, and for whom.
pub(super) struct Asked {
    api: Arc<AdminApi>,
    /// Who calls, for the audit log.
    pub(super) actor: Actor,
}

/// What an operation answers.
#[derive(Debug)]
pub(super) struct Answer {
    status: StatusCode,
    body: Option<Vec<u8>>,
    version: Option<u64>,
    location: Option<String>,
}

// === impl Asked ===

impl Deref for Asked {
    type Target = AdminApi;

    fn deref(&self) -> &AdminApi {
        &self.api
    }
}

// === impl Call ===

impl Call {
    pub(super) async fn read(
        api: Arc<AdminApi>,
        parameters: &RawPathParams,
        request: Request,
        operation: &Operation,
    ) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let actor = parts.extensions.remove::<Actor>();
        // Nobody comes here but past the guard, which says who it is.
        let actor = actor.ok_or_else(Problem::failed)?;
        let query = read_query(parts.uri.query().unwrap_or_default(), operation)?;
        judge_condition(&parts.headers, operation)?;
        let body = read_body(&parts.headers, body, BODY_BYTES_MAX).await?;
        match (operation.body.is_some(), body.is_empty()) {
            (true, _) => judge_media_type(&parts.headers)?,
            (false, true) => {}
            (false, false) => return Err(Problem::bad_request("this operation takes no body")),
        }
        Ok(Self {
            api: Asked { api, actor },
            parameters: parameters
                .iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            query,
            headers: parts.headers,
            body,
            line: format!("{} {}", parts.method, parts.uri.path()),
        })
    }

    /// A part of the path.
    pub(super) fn parameter(&self, name: &str) -> &str {
        let found = self.parameters.iter().find(|(own, _)| own == name);
        found.map_or("", |(_, value)| value)
    }

    /// A parameter of the query.
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str())
    }

    /// After which id, and how many at most.
    pub(super) fn page(&self) -> Result<(Option<&str>, usize), Problem> {
        let (default, max) = LIMIT;
        let limit = match self.query("limit").map(str::parse::<usize>) {
            None => default,
            Some(Ok(limit)) if (1..=max).contains(&limit) => limit,
            Some(_) => return Err(Problem::bad_request("`limit` is a number from 1 to 1000")),
        };
        Ok((self.query("after"), limit))
    }

    /// The body as an operation wants it.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            if !error.is_data() {
                return Problem::bad_request(format!("the body is no JSON: {place}"));
            }
            // Of its messages, only those that name members are sure to repeat no value.
            let says = error.to_string();
            let names = ["unknown field", "missing field", "duplicate field"];
            if names.iter().any(|begin| says.starts_with(begin)) {
                Problem::invalid(says)
            } else {
                Problem::invalid(format!("a value of the wrong type or form: {place}"))
            }
        })
    }

    /// For which versions the request is meant.
    pub(super) fn expected(&self) -> Result<Expected, Problem> {
        let mut fields = self.headers.get_all(IF_MATCH).iter().peekable();
        if fields.peek().is_none() {
            return Ok(None);
        }
        let mut versions = Vec::new();
        for field in fields {
            let text = field
                .to_str()
                .map_err(|_| Problem::bad_request("`If-Match` is no list of ETags"))?;
            if text.trim() == "*" {
                return Ok(None);
            }
            for tag in text.split(',') {
                let tag = tag.trim();
                let opaque = tag.strip_prefix("W/").unwrap_or(tag);
                if !(opaque.len() >= 2 && opaque.starts_with('"') && opaque.ends_with('"')) {
                    return Err(Problem::bad_request("`If-Match` is no list of ETags"));
                }
                // A weak one never matches (RFC 9110 section 13.1.1), and one that is not ours neither.
                let number = tag.trim_matches('"').parse();
                versions.extend(number.ok().filter(|_| tag == opaque).map(Revision));
            }
        }
        Ok(Some(versions))
    }

    /// The same, where not to say it is refused.
    pub(super) fn required_version(&self) -> Result<Expected, Problem> {
        if self.headers.contains_key(IF_MATCH) {
            self.expected()
        } else {
            Err(Problem::precondition_required())
        }
    }

    /// Whether the request may be sent again.
    pub(super) fn repeatable(&self) -> Result<Option<Repeatable>, Problem> {
        let mut fields = self.headers.get_all(IDEMPOTENCY_KEY).iter();
        let Some(field) = fields.next() else {
            return Ok(None);
        };
        let key = field.to_str().unwrap_or_default();
        let good =
            (1..=KEY_BYTES_MAX).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
        if !good || fields.next().is_some() {
            return Err(Problem::bad_request(
                "`Idempotency-Key` is one text of 1 to 128 visible characters",
            ));
        }
        let mut asked = self.line.clone().into_bytes();
        asked.push(b'\n');
        asked.extend(&self.body);
        let hash = digest(&SHA256, &asked);
        Ok(Some(Repeatable {
            key: key.to_owned(),
            request: hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect(),
        }))
    }
}

// === impl Answer ===

impl Answer {
    /// 200 with a body.
    pub(super) fn ok(body: &impl Serialize) -> Result<Self, Problem> {
        Ok(Self {
            status: StatusCode::OK,
            body: Some(serde_json::to_vec(body).map_err(|_| Problem::failed())?),
            version: None,
            location: None,
        })
    }

    /// 204 without.
    pub(super) const fn nothing() -> Self {
        Self {
            status: StatusCode::NO_CONTENT,
            body: None,
            version: None,
            location: None,
        }
    }

    /// 202
    pub(super) fn accepted(self) -> Self {
        Self {
            status: StatusCode::ACCEPTED,
            ..self
        }
    }

    /// 201, made at this path.
    pub(super) fn created(self, location: String) -> Self {
        Self {
            status: StatusCode::CREATED,
            location: Some(location),
            ..self
        }
    }

    /// The version of what is shown.
    pub(super) fn version(self, version: Option<u64>) -> Self {
        Self { version, ..self }
    }

    pub(super) fn into_response(self) -> Response {
        let Self {
            status,
            body,
            version,
            location,
        } = self;
        let has_body = body.is_some();
        let mut response = Response::new(body.map_or_else(Body::empty, Body::from));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if has_body {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let version = version.and_then(|version| HeaderValue::from_str(&format!("\"{version}\"")).ok());
        let location = location.and_then(|location| HeaderValue::from_str(&location).ok());
        headers.extend(version.map(|version| (ETAG, version)));
        headers.extend(location.map(|location| (LOCATION, location)));
        response
    }
}

/// Whoever says for which version a change is meant must not have it done to another one.
fn judge_condition(headers: &HeaderMap, operation: &Operation) -> Result<(), Problem> {
    let takes = [Field::IfMatch, Field::IfMatchRequired];
    let is_taken = operation.fields.iter().any(|field| takes.contains(field));
    if headers.contains_key(IF_MATCH) && !is_taken && operation.verb.changes() {
        return Err(Problem::bad_request("this operation takes no `If-Match`"));
    }
    Ok(())
}

fn read_query(text: &str, operation: &Operation) -> Result<Vec<(String, String)>, Problem> {
    let mut query: Vec<(String, String)> = Vec::new();
    for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
        if !operation.query.contains(&&*name) {
            return Err(Problem::bad_request(
                "the query has a parameter that this operation does not know",
            ));
        }
        if query.iter().any(|(own, _)| *own == name) {
            return Err(Problem::bad_request(format!("the query has `{name}` twice")));
        }
        query.push((name.into_owned(), value.into_owned()));
    }
    Ok(query)
}

fn judge_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let mut fields = headers.get_all(CONTENT_TYPE).iter();
    let essence = |value: &HeaderValue| {
        let essence = value
            .to_str()
            .ok()?
            .split(';')
            .next()?
            .trim()
            .to_ascii_lowercase();
        (essence == "application/json").then_some(())
    };
    match (fields.next().and_then(essence), fields.next()) {
        (Some(()), None) => Ok(()),
        _ => Err(Problem::media_type()),
    }
}
