//! Where plans look for tokens besides `Authorization`.
//!
//! A place is removed from every request before it goes upstream, so its name must be nobody else's: not HTTP's, and not
//! one under which the gateway itself tells the upstream something.

use super::headers::header_name;
use super::server::HttpSettings;
use super::{mistake, refused};
use crate::api::{ClaimHeader, canonical_header};
use crate::config::{self, Located, Mistakes};
use crate::credential::{Source, SourceKind};

/// Header fields that have another meaning, and another key if they are to carry a token.
const RESERVED: [&str; 3] = ["cookie", "set-cookie", "www-authenticate"];

/// The places that a plan names.
pub(super) fn compile(
    written: Option<&Located<config::TokenFrom>>,
    claim_headers: &[ClaimHeader],
    http: &HttpSettings,
    mistakes: &mut Mistakes,
) -> Vec<Source> {
    let Some(written) = written else {
        return Vec::new();
    };
    let config::TokenFrom {
        header,
        cookie,
        query,
    } = &written.value;
    let named = [
        (SourceKind::Header, header),
        (SourceKind::Cookie, cookie),
        (SourceKind::Query, query),
    ];
    let mut sources = Vec::new();
    for (kind, name) in named {
        let Some(name) = name else { continue };
        if kind == SourceKind::Header && !header_is_free(name, claim_headers, http, mistakes) {
            continue;
        }
        sources.extend(place(kind, name, mistakes));
    }
    sources
}

/// The place of this name; says so if there is none.
pub(super) fn place(kind: SourceKind, name: &Located<String>, mistakes: &mut Mistakes) -> Option<Source> {
    Source::new(kind, &name.value)
        .map_err(|error| mistakes.push(refused(name, &format!("the {}", kind.name()), error)))
        .ok()
}

/// Whether a header is free to carry credentials; says so if not. What is no name at all is judged elsewhere.
pub(super) fn header_is_free(
    written: &Located<String>,
    claim_headers: &[ClaimHeader],
    http: &HttpSettings,
    mistakes: &mut Mistakes,
) -> bool {
    let canonical = canonical_header(&written.value);
    let is_claim = |field: &ClaimHeader| canonical_header(field.name.as_str()) == canonical;
    let trouble = if let Err(error) = header_name(written) {
        error
    } else if canonical == canonical_header(http.request_id_header.as_str()) {
        mistake(written, "the header", "already carries the request id")
    } else if RESERVED.contains(&canonical.as_str()) || http.owns(&canonical) {
        mistake(
            written,
            "the header",
            "is reserved for HTTP or for the gateway itself",
        )
    } else if claim_headers.iter().any(is_claim) {
        mistake(
            written,
            "the header",
            "already carries a claim to the upstream (`claim_headers`)",
        )
    } else {
        return true;
    };
    mistakes.push(trouble);
    false
}
