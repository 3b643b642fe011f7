//! A permitted request on its way to the upstream, and the answer on its way back.
//!
//! This runs in Pingora's `upstream_request_filter`, after it has removed hop-by-hop fields and those that `Connection`
//! nominates: a caller cannot name one of ours there and have it removed. First everything goes that is the gateway's
//! alone, in whatever spelling the caller used; then ours is set.

use std::net::IpAddr;

use http::header::{AUTHORIZATION, CONNECTION, COOKIE, HOST, TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Uri, Version};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::proxy::Session;
use pingora::{Error, ErrorType, OrErr as _, Result};

use super::context::{Context, Outcome};
use super::deprecated::Notice;
use super::private;
use super::view::Client;
use crate::access::Permit;
use crate::api::Api;
use crate::credential::{Source, folds_to, strip_cookies, strip_query};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Makes the upstream's request of the caller's.
pub(super) fn request(session: &Session, request: &mut RequestHeader, context: &Context) -> Result<()> {
    let Outcome::Permitted(permit) = &context.outcome else {
        return Error::e_explain(
            ErrorType::InternalError,
            "a request without a permit goes nowhere",
        );
    };
    let http = &context.live.snapshot.http;
    let sources = ended_here(permit);
    let foreign: Vec<HeaderName> = request
        .headers
        .keys()
        .filter(|name| http.owns(name.as_str()) || folds_to(name.as_str(), sources.iter().copied()))
        .cloned()
        .collect();
    for name in &foreign {
        request.remove_header(name);
    }
    if !permit.api().forward_credential {
        request.remove_header(&AUTHORIZATION);
    }
    cookies(request, &sources)?;
    for (name, value) in permit.headers() {
        request.insert_header(name.clone(), value.clone())?;
    }
    if !request.headers.contains_key(HOST)
        && let Some((_, address)) = context.peer
    {
        // HTTP/1.0 may leave it out; the request goes on as HTTP/1.1, which may not (RFC 9112 section 3.2).
        request.insert_header(HOST, address.to_string())?;
    }
    forwarded(session, request, context.client)?;
    request.insert_header(http.request_id_header.clone(), &context.request_id)?;
    target(request, permit, context)
}

/// Places where the API's plans look for tokens and API keys, and which therefore end here: also when nothing was found
/// there.
fn ended_here(permit: &Permit) -> Vec<&Source> {
    let api = permit.api();
    if api.forward_credential {
        Vec::new()
    } else {
        api.plans.ended(permit.decided_at()).collect()
    }
}

/// Takes tokens out of `Cookie`; a field in which nothing else was goes as a whole.
fn cookies(request: &mut RequestHeader, sources: &[&Source]) -> Result<()> {
    if sources.is_empty() {
        return Ok(());
    }
    let fields = request.headers.get_all(COOKIE).iter();
    let stripped: Vec<Option<Vec<u8>>> = fields
        .map(|field| strip_cookies(field, sources.iter().copied()))
        .collect();
    if stripped.iter().all(Option::is_none) {
        return Ok(());
    }
    let fields = request.headers.get_all(COOKIE).iter().cloned();
    let kept: Vec<HeaderValue> = fields
        .zip(stripped)
        .filter_map(|(field, stripped)| match stripped {
            None => Some(field),
            Some(rest) if rest.is_empty() => None,
            // Part of a value is a value.
            Some(rest) => HeaderValue::from_bytes(&rest).ok(),
        })
        .collect();
    request.remove_header(&COOKIE);
    for field in kept {
        request.append_header(COOKIE, field)?;
    }
    Ok(())
}

/// Cleans the upstream's answer: hop-by-hop fields end here (RFC 9110 section 7.6.1).
pub(super) fn response(
    session: &mut Session,
    response: &mut ResponseHeader,
    context: &Context,
) -> Result<()> {
    let nominated: Vec<HeaderName> = response
        .headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|field| field.to_str().ok())
        .flat_map(|field| field.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in &nominated {
        response.remove_header(name);
    }
    for name in [
        "keep-alive",
        "proxy-connection",
        "proxy-authenticate",
        "proxy-authentication-info",
    ] {
        response.remove_header(name);
    }
    response.remove_header(&UPGRADE);
    response.remove_header(&TRAILER);
    // A proxy answers in its own version (RFC 9110 section 2.5); Pingora has given the body a framing that it allows.
    response.set_version(Version::HTTP_11);
    // RFC 9112 section 6.1: HTTP/1.0 knows no chunks; there the end of the connection is the end of the body.
    if session.req_header().version <= Version::HTTP_10
        && response.remove_header(&TRANSFER_ENCODING).is_some()
    {
        session.set_keepalive(None);
    }
    let http = &context.live.snapshot.http;
    response.insert_header(http.request_id_header.clone(), &context.request_id)?;
    match &context.outcome {
        Outcome::Permitted(permit) => {
            Notice::of(permit.plan(), permit.decided_at()).write(response)?;
            private::keep(response, permit)
        }
        Outcome::Undecided | Outcome::Denied(_) => Ok(()),
    }
}

/// `X-Forwarded-*`: what a trusted proxy said is continued, what anybody else said is forgotten.
fn forwarded(session: &Session, request: &mut RequestHeader, client: Client) -> Result<()> {
    let came = &session.req_header().headers;
    if let Some(peer) = client.peer {
        request.insert_header(X_FORWARDED_FOR, forwarded_for(came, client, peer))?;
    }
    let trusted = |name: &HeaderName| came.get(name).filter(|_| client.peer_trusted).cloned();
    let proto = trusted(&X_FORWARDED_PROTO)
        .filter(|proto| proto == "http" || proto == "https")
        .unwrap_or_else(|| HeaderValue::from_static("http"));
    request.insert_header(X_FORWARDED_PROTO, proto)?;
    if let Some(host) = trusted(&X_FORWARDED_HOST).or_else(|| came.get(HOST).cloned()) {
        request.insert_header(X_FORWARDED_HOST, host)?;
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
    hops.push_str(&peer.to_string());
    hops
}

/// What was routed is what is forwarded: the normalised path, with or without the context path.
fn target(request: &mut RequestHeader, permit: &Permit, context: &Context) -> Result<()> {
    let api = permit.api();
    let absolute = request.uri.authority().is_some() || request.raw_path().first() != Some(&b'/');
    let came = request.uri.query();
    let sources = ended_here(permit);
    let stripped = came.and_then(|query| strip_query(query, sources.iter().copied()));
    if context.target.is_none() && !strips(api) && !absolute && stripped.is_none() {
        return Ok(());
    }
    let target: PathAndQuery = target_text(permit, context.target.as_deref(), request)
        .parse()
        .or_err(ErrorType::InvalidHTTPHeader, "the normalised path is no target")?;
    request.set_uri(Uri::from(target));
    Ok(())
}

/// Path and query as the upstream gets them, without a token that ends here; `normalised` is the path, if it is not the
/// one that came.
pub(super) fn target_text(permit: &Permit, normalised: Option<&str>, request: &RequestHeader) -> String {
    let api = permit.api();
    let came = request.uri.query();
    let sources = ended_here(permit);
    let stripped = came.and_then(|query| strip_query(query, sources.iter().copied()));
    let query = match &stripped {
        Some(rest) if rest.is_empty() => None,
        Some(rest) => Some(rest.as_str()),
        None => came,
    };
    let path = normalised.unwrap_or_else(|| request.uri.path());
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
