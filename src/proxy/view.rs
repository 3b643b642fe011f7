//! A Pingora request as the decision sees it; what is not acceptable HTTP ends here.
//!
//! Pingora frames requests and refuses what is ambiguous about that. What it leaves to the application is done here:
//! bounds on fields and target, `Host`, odd paths, methods that a gateway has no business with, and who is calling when
//! the connection comes from a trusted proxy.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use http::header::{CONTENT_LENGTH, EXPECT, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, Method, Version};
use pingora::http::RequestHeader;
use pingora::proxy::Session;

use super::place::{PLACES, Padded, place_of_this_thread};
use crate::access::{Cause, Denial, RequestError, RequestView};
use crate::route::{PathError, authority_host, normalise};
use crate::snapshot::HttpSettings;

/// A longer id from outside is replaced: it goes into logs and headers.
const REQUEST_ID_BYTES_MAX: usize = 128;
/// What a field costs besides its name and value: `: ` and the line break.
const FIELD_OVERHEAD_BYTES: usize = 4;
/// Requests of one place: a million a second for four thousand years.
const COUNT_BITS: u32 = 57;
/// More addresses in `X-Forwarded-For` are not looked at.
const FORWARDED_HOPS_MAX: usize = 32;

/// A request whose HTTP is acceptable.
pub(super) struct Accepted<'s> {
    host: &'s str,
    path: Cow<'s, str>,
    /// The length that the request declares for its body.
    body_bytes: Option<u64>,
}

/// Who is calling.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Client {
    /// The right-most address that no trusted proxy vouches for; nothing on a Unix socket.
    pub(super) address: Option<IpAddr>,
    /// The other end of the connection.
    pub(super) peer: Option<IpAddr>,
    /// Whether the other end is a trusted proxy.
    pub(super) peer_trusted: bool,
}

/// Makes request ids: unique over restarts and machines, cheap.
pub(super) struct RequestIds {
    process: u64,
    /// For each place, the next of its numbers.
    next: Box<[Padded<AtomicU64>]>,
}

/// Judges a request's HTTP.
pub(super) fn accept<'s>(
    request: &'s RequestHeader,
    http: &HttpSettings,
) -> Result<Accepted<'s>, Box<Denial>> {
    let refused = |error| Denial::new(Cause::Request(error));
    if request.method == Method::TRACE || request.method == Method::CONNECT {
        return Err(refused(RequestError::Method));
    }
    if !fields_fit(&request.headers, http) {
        return Err(refused(RequestError::FieldsTooLarge));
    }
    let body_bytes = body_bytes(&request.headers).map_err(refused)?;
    let target_bytes = request
        .uri
        .path_and_query()
        .map_or(0, |target| target.as_str().len());
    if target_bytes > http.target_bytes_max {
        return Err(refused(RequestError::TargetTooLong));
    }
    if !is_path_or_url(request.raw_path()) {
        return Err(refused(RequestError::Path(PathError::NotAbsolute)));
    }
    if !request.raw_path_is_utf8() {
        return Err(refused(RequestError::PathEncoding));
    }
    let host = host(request).map_err(refused)?;
    let path = normalise(request.uri.path(), http.path_policy);
    let path = path.map_err(|error| refused(RequestError::Path(error)))?;
    Ok(Accepted {
        host,
        path,
        body_bytes,
    })
}

/// The length that the request declares. Where its body ends must have one answer, here and at the upstream: one
/// `Content-Length` that is a number, or one `Transfer-Encoding` that is `chunked` and nothing else (RFC 9112 section
/// 6). Pingora forwards equal lengths twice, and of several codings it keeps the last.
fn body_bytes(headers: &HeaderMap) -> Result<Option<u64>, RequestError> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => {}
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => {}
        (Some(_), _) => return Err(RequestError::TransferEncoding),
    }
    let malformed = || RequestError::ContentLength;
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let (Some(field), None) = (lengths.next(), lengths.next()) else {
        return if headers.contains_key(CONTENT_LENGTH) {
            Err(malformed())
        } else {
            Ok(None)
        };
    };
    let text = field.to_str().map_err(|_| malformed())?;
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(malformed());
    }
    // Digits only, so all that can fail is a number beyond 2^64: too large for any bound.
    Ok(Some(text.parse().unwrap_or(u64::MAX)))
}

/// The length of the body that the caller will send unasked: none where it waits to be told to go on.
pub(super) fn declared_body(session: &Session) -> Option<u64> {
    let headers = &session.req_header().headers;
    if headers.contains_key(EXPECT) {
        return None;
    }
    body_bytes(headers).ok().flatten()
}

// === impl Accepted ===

impl Accepted<'_> {
    /// What the decision sees.
    pub(super) fn view<'v>(&'v self, request: &'v RequestHeader, client: Option<IpAddr>) -> RequestView<'v> {
        RequestView {
            method: request.method.as_str(),
            host: self.host,
            path: &self.path,
            query: request.uri.query(),
            headers: &request.headers,
            client,
            body_bytes: self.body_bytes,
        }
    }

    /// The normalised path, if it is not the one that came.
    pub(super) fn target(&self, request: &RequestHeader) -> Option<String> {
        let came = request.uri.path();
        if *self.path == *came {
            None
        } else {
            Some(self.path.as_ref().to_owned())
        }
    }
}

/// Origin form or absolute form (RFC 9112 section 3.2). Of any other target, `GET menu` for instance, Pingora shows the
/// path as `/`, which nobody asked for.
fn is_path_or_url(target: &[u8]) -> bool {
    let begins_with = |scheme: &[u8]| {
        let head = target.get(..scheme.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(scheme))
    };
    target.first() == Some(&b'/') || begins_with(b"http://") || begins_with(b"https://")
}

fn fields_fit(headers: &HeaderMap, http: &HttpSettings) -> bool {
    let bytes: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + FIELD_OVERHEAD_BYTES)
        .sum();
    headers.len() <= http.headers_max && bytes <= http.header_bytes_max
}

/// The host without port (RFC 9112 section 3.2). Pingora has seen to it that an absolute target and `Host` agree.
fn host(request: &RequestHeader) -> Result<&str, RequestError> {
    let mut fields = request.headers.get_all(HOST).iter();
    match (fields.next(), fields.next()) {
        (Some(field), None) => {
            let text = field.to_str().map_err(|_| RequestError::HostCount)?;
            authority_host(text).map_err(RequestError::Host)
        }
        (None, _) => match request.uri.authority() {
            Some(authority) => authority_host(authority.as_str()).map_err(RequestError::Host),
            // HTTP/1.0 has no `Host`; such a request belongs to APIs of every host.
            None if request.version <= Version::HTTP_10 => Ok(""),
            None => Err(RequestError::HostCount),
        },
        (Some(_), Some(_)) => Err(RequestError::HostCount),
    }
}

// === impl RequestIds ===

impl RequestIds {
    pub(super) fn new() -> Self {
        // A hasher with fresh random keys is the standard library's own source of chance; ids need to be unique, not
        // secret.
        use std::hash::{BuildHasher as _, RandomState};
        Self {
            process: RandomState::new().hash_one(std::process::id()),
            next: (0..PLACES).map(|_| Padded::default()).collect(),
        }
    }

    /// A number that no other request of this process has: the thread's place, then the place's count.
    fn next(&self) -> u64 {
        let place = place_of_this_thread();
        let count = match self.next.get(place) {
            Some(Padded(next)) => next.fetch_add(1, Ordering::Relaxed),
            // There is a place for every thread.
            None => 0,
        };
        (place as u64) << COUNT_BITS | count
    }

    /// The request's id and who is calling. An id from outside is kept if a trusted proxy sent it.
    pub(super) fn identify(&self, session: &Session, http: &HttpSettings) -> (String, Client) {
        let peer = session
            .client_addr()
            .and_then(|address| address.as_inet())
            .map(|inet| inet.ip().to_canonical());
        let peer_trusted = peer.is_some_and(|peer| http.trusts(peer));
        let headers = &session.req_header().headers;
        let address = if peer_trusted {
            forwarded_for(headers, http).or(peer)
        } else {
            peer
        };
        let given = headers.get(&http.request_id_header).filter(|_| peer_trusted);
        let id = given
            .and_then(|id| id.to_str().ok())
            .filter(|id| is_request_id(id))
            .map_or_else(
                || {
                    let mut id = String::with_capacity(32);
                    push_hex(&mut id, self.process);
                    push_hex(&mut id, self.next());
                    id
                },
                ToOwned::to_owned,
            );
        (
            id,
            Client {
                address,
                peer,
                peer_trusted,
            },
        )
    }
}

/// Sixteen digits. Every request has an id, and the formatting of the standard library is several times dearer.
fn push_hex(text: &mut String, number: u64) {
    let digits = number
        .to_be_bytes()
        .into_iter()
        .flat_map(|byte| [byte >> 4, byte & 15]);
    text.extend(digits.map(|digit| {
        char::from(if digit < 10 {
            b'0' + digit
        } else {
            b'a' - 10 + digit
        })
    }));
}

fn is_request_id(id: &str) -> bool {
    (1..=REQUEST_ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The right-most address in `X-Forwarded-For` that is no trusted proxy. What stands left of it anybody may have
/// written.
fn forwarded_for(headers: &HeaderMap, http: &HttpSettings) -> Option<IpAddr> {
    let fields: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|field| field.to_str().ok())
        .collect();
    let hops = fields.iter().rev().flat_map(|field| field.rsplit(','));
    let mut last = None;
    for hop in hops.take(FORWARDED_HOPS_MAX) {
        // What is no address ends the chain: nobody to the left of it can be vouched for.
        let Ok(address) = hop.trim().parse::<IpAddr>() else {
            return last;
        };
        let address = address.to_canonical();
        last = Some(address);
        if !http.trusts(address) {
            return last;
        }
    }
    last
}
