//! A permitted request on its way to the upstream, and the answer on its way back.
//!
//! This runs in Pingora's `upstream_request_filter`, after it has removed hop-by-hop fields and those that `Connection`
//! nominates: a caller cannot name one of ours there and have it removed. First everything goes that is the gateway's
//! alone, in whatever spelling the caller used; then ours is set.

use std::net::IpAddr;

use http::header::{
    AUTHORIZATION, CONNECTION, COOKIE, HOST, PROXY_AUTHENTICATE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts as RequestParts;
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

/// Fields of an answer that end here, besides those that `Connection` nominates.
const HOP_BY_HOP: [HeaderName; 6] = [
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    HeaderName::from_static("proxy-authentication-info"),
    UPGRADE,
    TRAILER,
];

/// Makes the upstream's request of the caller's.
pub(super) fn request(session: &Session, request: &mut RequestHeader, context: &Context) -> Result<()> {
    let Outcome::Permitted(permit) = &context.outcome else {
        return Error::e_explain(
            ErrorType::InternalError,
            "a request without a permit goes nowhere",
        );
    };
    target(request, permit, context)?;
    // Pingora keeps a second map, of names as the caller has spelled them, and parses each name anew to enter it there. In
    // its plain form the map of fields is all there is; names mean the same in any case (RFC 9110 section 5.1).
    let nothing = RequestHeader::from(http::Request::new(()).into_parts().0);
    let mut parts = RequestParts::from(std::mem::replace(request, nothing));
    fields(session, &mut parts.headers, permit, context)?;
    *request = RequestHeader::from(parts);
    Ok(())
}

/// Takes out what is the gateway's alone, and sets it.
fn fields(session: &Session, headers: &mut HeaderMap, permit: &Permit, context: &Context) -> Result<()> {
    let http = &context.live.snapshot.http;
    let sources = ended_here(permit);
    let foreign: Vec<HeaderName> = headers
        .keys()
        .filter(|name| http.owns(name.as_str()) || folds_to(name.as_str(), sources.iter().copied()))
        .cloned()
        .collect();
    for name in &foreign {
        headers.remove(name);
    }
    if !permit.api().forward_credential {
        headers.remove(AUTHORIZATION);
    }
    cookies(headers, &sources);
    for (name, value) in permit.headers() {
        headers.insert(name.clone(), value.clone());
    }
    if !headers.contains_key(HOST)
        && let Some((_, address)) = context.peer
    {
        // HTTP/1.0 may leave it out; the request goes on as HTTP/1.1, which may not (RFC 9112 section 3.2).
        headers.insert(HOST, value(&address.to_string())?);
    }
    forwarded(session, headers, context.client)?;
    headers.insert(http.request_id_header.clone(), value(&context.request_id)?);
    Ok(())
}

fn value(text: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(text).or_err(ErrorType::InvalidHTTPHeader, "the gateway's own field is none")
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
    for name in &HOP_BY_HOP {
        response.remove_header(name);
    }
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
