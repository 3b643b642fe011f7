//! A permitted request on its way to the upstream, and the answer on its way back.
//!
//! This runs in Pingora's `upstream_request_filter`, after it has removed hop-by-hop fields and those that `Connection`
//! nominates: a caller cannot name one of ours there and have it removed. First everything goes that is the gateway's
//! alone, in whatever spelling the caller used; then ours is set.

use std::net::IpAddr;

use http::header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, HOST, TRANSFER_ENCODING};
use http::request::Parts as RequestParts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::proxy::Session;
use pingora::{Error, ErrorType, OrErr as _, Result};

use super::context::Context;
use super::deprecated::Notice;
use super::limited::{Standing, is_about_limits};
use super::private;
use super::view::Client;
use crate::access::Granted;
use crate::api::Api;
use crate::credential::{Source, folds_to, strip_cookies, strip_query};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// About as many fields are added to a request: what is forwarded, the request id, a few claims.
const FIELDS_ADDED: usize = 8;

/// Fields of an answer that end here, besides those that `Connection` nominates. Pingora sets a `Connection` of its own.
const HOP_BY_HOP: [&str; 7] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authentication-info",
    "upgrade",
    "trailer",
];

/// About as many fields are added to an answer: the request id, three about limits, and Pingora's `Date` and `Connection`.
const ANSWER_FIELDS_ADDED: usize = 8;

/// Makes the upstream's request of the caller's, where Pingora has made a copy of it already.
pub(super) fn request(session: &Session, request: &mut RequestHeader, context: &Context) -> Result<()> {
    // Pingora keeps a second map, of names as the caller has spelled them, and parses each name anew to enter it there. In
    // its plain form the map of fields is all there is; names mean the same in any case (RFC 9110 section 5.1).
    let came = RequestParts::from(std::mem::replace(request, RequestHeader::from(nothing())));
    *request = outgoing(session, &came, context)?;
    Ok(())
}

/// The upstream's request. Fields that are between the caller and the gateway alone must be gone from `came` already, but
/// for a `Connection` that names no other.
pub(super) fn outgoing(session: &Session, came: &RequestParts, context: &Context) -> Result<RequestHeader> {
    let Some(granted) = context.granted() else {
        return Error::e_explain(
            ErrorType::InternalError,
            "a request without a permit goes nowhere",
        );
    };
    let mut parts = nothing();
    parts.method = came.method.clone();
    parts.uri = match target(&came.uri, granted, context)? {
        Some(other) => other,
        None => came.uri.clone(),
    };
    parts.version = Version::HTTP_11;
    parts.headers = fields(session, &came.headers, granted, context)?;
    Ok(RequestHeader::from(parts))
}

fn nothing() -> RequestParts {
    http::Request::new(()).into_parts().0
}

/// The caller's fields without those that are the gateway's alone, and the gateway's.
fn fields(session: &Session, came: &HeaderMap, granted: Granted<'_>, context: &Context) -> Result<HeaderMap> {
    let http = &context.live.snapshot.http;
    let sources = ended_here(granted);
    let mut headers = HeaderMap::with_capacity(came.len() + FIELDS_ADDED);
    let credential = !granted.api.forward_credential;
    for (name, field) in came {
        let ends_here = name == CONNECTION
            || (credential && name == AUTHORIZATION)
            || http.owns(name.as_str())
            || folds_to(name.as_str(), sources.iter().copied());
        if !ends_here {
            headers.append(name.clone(), field.clone());
        }
    }
    cookies(&mut headers, &sources);
    for (name, value) in granted.permit.headers() {
        headers.insert(name.clone(), value.clone());
    }
    if !headers.contains_key(HOST)
        && let Some((_, address)) = context.peer
    {
        // HTTP/1.0 may leave it out; the request goes on as HTTP/1.1, which may not (RFC 9112 section 3.2).
        headers.insert(HOST, value(&address.to_string())?);
    }
    forwarded(session, &mut headers, context.client)?;
    headers.insert(http.request_id_header.clone(), value(&context.request_id)?);
    Ok(headers)
}

fn value(text: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(text).or_err(ErrorType::InvalidHTTPHeader, "the gateway's own field is none")
}

/// Places where the API's plans look for tokens and API keys, and which therefore end here: also when nothing was found
/// there.
fn ended_here(granted: Granted<'_>) -> Vec<&Source> {
    let api = granted.api;
    if api.forward_credential {
        Vec::new()
    } else {
        api.plans.ended(granted.permit.decided_at()).collect()
    }
}

/// Takes tokens out of `Cookie`; a field in which nothing else was goes as a whole.
fn cookies(headers: &mut HeaderMap, sources: &[&Source]) {
    if sources.is_empty() {
        return;
    }
    let fields = headers.get_all(COOKIE).iter();
    let stripped: Vec<Option<Vec<u8>>> = fields
        .map(|field| strip_cookies(field, sources.iter().copied()))
        .collect();
    if stripped.iter().all(Option::is_none) {
        return;
    }
    let fields = headers.get_all(COOKIE).iter().cloned();
    let kept: Vec<HeaderValue> = fields
        .zip(stripped)
        .filter_map(|(field, stripped)| match stripped {
            None => Some(field),
            Some(rest) if rest.is_empty() => None,
            // Part of a value is a value.
            Some(rest) => HeaderValue::from_bytes(&rest).ok(),
        })
        .collect();
    headers.remove(COOKIE);
    for field in kept {
        headers.append(COOKIE, field);
    }
}

/// Makes the caller's answer of the upstream's: hop-by-hop fields end here (RFC 9110 section 7.6.1).
pub(super) fn answer(
    session: &mut Session,
    came: &ResponseHeader,
    context: &Context,
) -> Result<ResponseHeader> {
    // As with requests: a plain map, without the second one of names as the upstream has spelled them.
    let mut parts = http::Response::new(()).into_parts().0;
    parts.status = came.status;
    // A proxy answers in its own version (RFC 9110 section 2.5); Pingora gives the body a framing that it allows.
    parts.version = Version::HTTP_11;
    parts.headers.reserve(came.headers.len() + ANSWER_FIELDS_ADDED);
    let nominated = nominated(&came.headers);
    let standing = Standing::of(context);
    for (name, field) in &came.headers {
        let ends_here = HOP_BY_HOP.contains(&name.as_str())
            || nominated.contains(name)
            || (standing.is_some() && is_about_limits(name));
        if !ends_here {
            parts.headers.append(name.clone(), field.clone());
        }
    }
    // RFC 9112 section 6.1: HTTP/1.0 knows no chunks; there the end of the connection is the end of the body.
    if session.req_header().version <= Version::HTTP_10 && parts.headers.remove(TRANSFER_ENCODING).is_some() {
        session.set_keepalive(None);
    }
    let http = &context.live.snapshot.http;
    parts
        .headers
        .insert(http.request_id_header.clone(), value(&context.request_id)?);
    let mut answer = ResponseHeader::from(parts);
    answer.set_reason_phrase(came.get_reason_phrase())?;
    if let Some(Granted { permit, plan, .. }) = context.granted() {
        Notice::of(plan, permit.decided_at()).write(&mut answer)?;
        private::keep(&mut answer, permit)?;
    }
    if let Some(standing) = standing {
        standing.write(&mut answer)?;
    }
    Ok(answer)
}

/// Whether the header is all there is of an answer (RFC 9112 section 6.3).
pub(super) fn is_whole(session: &Session, answer: &ResponseHeader) -> bool {
    let status = answer.status;
    let without_body = session.req_header().method == Method::HEAD
        || status == StatusCode::NO_CONTENT
        || status == StatusCode::NOT_MODIFIED
        || answer
            .headers
            .get(CONTENT_LENGTH)
            .is_some_and(|length| length == "0");
    without_body && !status.is_informational()
}

/// Fields that `Connection` nominates.
fn nominated(headers: &HeaderMap) -> Vec<HeaderName> {
    headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|field| field.to_str().ok())
        .flat_map(|field| field.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect()
}

/// `X-Forwarded-*`: what a trusted proxy said is continued, what anybody else said is forgotten.
fn forwarded(session: &Session, headers: &mut HeaderMap, client: Client) -> Result<()> {
    let came = &session.req_header().headers;
    if let Some(peer) = client.peer {
        headers.insert(X_FORWARDED_FOR, value(&forwarded_for(came, client, peer))?);
    }
    let trusted = |name: &HeaderName| came.get(name).filter(|_| client.peer_trusted).cloned();
    let proto = trusted(&X_FORWARDED_PROTO)
        .filter(|proto| proto == "http" || proto == "https")
        .unwrap_or_else(|| HeaderValue::from_static("http"));
    headers.insert(X_FORWARDED_PROTO, proto);
    if let Some(host) = trusted(&X_FORWARDED_HOST).or_else(|| came.get(HOST).cloned()) {
        headers.insert(X_FORWARDED_HOST, host);
    }
    Ok(())
}

fn forwarded_for(came: &HeaderMap, client: Client, peer: IpAddr) -> String {
    let mut hops = String::new();
    if client.peer_trusted {
        for field in came
            .get_all(X_FORWARDED_FOR)
            .iter()
            .filter_map(|field| field.to_str().ok())
        {
            hops.push_str(field.trim());
            hops.push_str(", ");
        }
    }
    push_address(&mut hops, peer);
    hops
}

/// As `Display` writes it. Every request carries one, and for the short form that is several times dearer.
fn push_address(text: &mut String, address: IpAddr) {
    let IpAddr::V4(address) = address else {
        text.push_str(&address.to_string());
        return;
    };
    for (place, octet) in address.octets().into_iter().enumerate() {
        if place > 0 {
            text.push('.');
        }
        for (unit, least) in [(100, 100), (10, 10), (1, 0)] {
            if octet >= least {
                text.push(char::from(b'0' + octet / unit % 10));
            }
        }
    }
}

/// What was routed is what is forwarded: the normalised path, with or without the context path. Nothing if that is what
/// came.
fn target(came: &Uri, granted: Granted<'_>, context: &Context) -> Result<Option<Uri>> {
    let api = granted.api;
    let sources = ended_here(granted);
    let stripped = came
        .query()
        .and_then(|query| strip_query(query, sources.iter().copied()));
    if context.target.is_none() && !strips(api) && came.authority().is_none() && stripped.is_none() {
        return Ok(None);
    }
    let target: PathAndQuery = target_text(granted, context.target.as_deref(), came)
        .parse()
        .or_err(ErrorType::InvalidHTTPHeader, "the normalised path is no target")?;
    Ok(Some(Uri::from(target)))
}

/// Path and query as the upstream gets them, without a token that ends here; `normalised` is the path, if it is not the
/// one that came.
pub(super) fn target_text(granted: Granted<'_>, normalised: Option<&str>, came: &Uri) -> String {
    let api = granted.api;
    let sources = ended_here(granted);
    let query = came.query();
    let stripped = query.and_then(|query| strip_query(query, sources.iter().copied()));
    let query = match &stripped {
        Some(rest) if rest.is_empty() => None,
        Some(rest) => Some(rest.as_str()),
        None => query,
    };
    let path = normalised.unwrap_or_else(|| came.path());
    let path = if strips(api) {
        path.get(api.context_path.len()..).unwrap_or("/")
    } else {
        path
    };
    let path = if path.is_empty() { "/" } else { path };
    match query {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    }
}

fn strips(api: &Api) -> bool {
    api.strip_context_path && !api.context_path.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_as_the_standard_library_writes_it() {
        let short = (0..=255).map(|octet| IpAddr::from([octet, 255 - octet, octet / 2, octet / 25]));
        let long = ["::1", "2001:db8::9", "::ffff:192.0.2.7"].map(|text| text.parse().unwrap());
        for address in short.chain(long) {
            let mut text = String::new();
            push_address(&mut text, address);
            assert_eq!(text, address.to_string());
        }
    }
}
