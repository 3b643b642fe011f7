//! Which claims go upstream in which header fields, and how lists are written there.
//! A field has one owner: what HTTP, the gateway or another claim has is refused, in every spelling.

use http::HeaderName;

use super::server::HttpSettings;
use super::{KeptClaims, Names, mistake};
use crate::api::{ClaimHeader, canonical_header};
use crate::config::{Located, Mistake, Mistakes};

/// Fields that belong to the connection, to HTTP's framing or to the gateway: no claim may be written there.
const RESERVED_HEADERS: [&str; 25] = [
    "host",
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authorization",
    "proxy-authenticate",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "content-length",
    "content-type",
    "expect",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-real-ip",
    "forwarded",
    // These would have the upstream do something else than what was authorised.
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
    "x-original-url",
    "x-original-host",
    "x-rewrite-url",
];

pub(super) fn fields(
    written: Vec<(Located<String>, Located<String>)>,
    http: &HttpSettings,
    kept: &mut KeptClaims,
    mistakes: &mut Mistakes,
) -> Vec<ClaimHeader> {
    let mut names = Names::default();
    let mut fields = Vec::new();
    for (written, claim) in written {
        match header_name(&written) {
            Ok(name) => {
                // Upstreams that fold names would see two spellings as one field.
                let canonical = canonical_header(name.as_str());
                if canonical == canonical_header(http.request_id_header.as_str()) {
                    mistakes.push(mistake(&written, "the header", "already carries the request id"));
                }
                if names.claim("the header", &canonical, &written.place, mistakes) {
                    fields.push(ClaimHeader {
                        name,
                        claim: kept.place(&claim.value),
                    });
                }
            }
            Err(error) => mistakes.push(error),
        }
    }
    fields
}

/// What stands between the members of an array. A header field must be able to carry it, and it must not look like what
/// it is encoded as.
pub(super) fn separator(written: Option<Located<String>>, mistakes: &mut Mistakes) -> Box<str> {
    let Some(separator) = written else {
        return ",".into();
    };
    let separates = |byte: u8| byte == b' ' || (byte.is_ascii_punctuation() && byte != b'%');
    if !separator.value.bytes().all(separates) {
        let message = "the separator may hold only ASCII punctuation but `%`, and spaces";
        mistakes.push(Mistake::new(separator.place, message));
    }
    separator.value.into()
}

/// A header name that the gateway may set.
pub(super) fn header_name(written: &Located<String>) -> Result<HeaderName, Mistake> {
    let name = HeaderName::from_bytes(written.value.as_bytes())
        .map_err(|_| mistake(written, "the header name", "is none (RFC 9110 section 5.1)"))?;
    let canonical = canonical_header(name.as_str());
    if RESERVED_HEADERS.contains(&canonical.as_str()) || canonical == "authorization" {
        return Err(mistake(
            written,
            "the header",
            "is reserved for HTTP or for the gateway itself",
        ));
    }
    Ok(name)
}
