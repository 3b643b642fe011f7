//! `Cache-Control: private` where HTTP itself would not keep an answer to its caller.
//!
//! Shared caches keep no answer to a request with `Authorization` (RFC 9111 section 3.5). A token in a query, a cookie or
//! a field of its own says nothing to them: without this, one caller's answer would be another's, past every check of
//! ours. RFC 6750 section 2.3 asks for it where the token is in the query; here it holds for every such place.

use http::HeaderValue;
use http::header::CACHE_CONTROL;
use pingora::Result;
use pingora::http::ResponseHeader;

use crate::access::Permit;

/// Keeps an answer out of shared caches, if the token came from where they do not look.
pub(super) fn keep(response: &mut ResponseHeader, permit: &Permit) -> Result<()> {
    let elsewhere = permit.caller().is_some_and(|caller| caller.source.is_some());
    if !elsewhere || response.status.is_informational() {
        return Ok(());
    }
    // These speak to the shared caches of a network and override the field above (RFC 9213 section 2.2).
    for targeted in ["cdn-cache-control", "surrogate-control"] {
        response.remove_header(targeted);
    }
    let fields = response.headers.get_all(CACHE_CONTROL).iter();
    // What is no text is nothing that a cache could go by.
    let texts: Vec<&str> = fields.filter_map(|field| field.to_str().ok()).collect();
    let Some(kept) = narrowed(&texts) else {
        return Ok(());
    };
    let value = HeaderValue::from_str(&kept).unwrap_or_else(|_| HeaderValue::from_static("private"));
    response.insert_header(CACHE_CONTROL, value)
}

/// The directives, as far as they are not for shared caches, and `private`; nothing if these keep out shared caches
/// already.
fn narrowed(fields: &[&str]) -> Option<String> {
    let directives = fields.iter().flat_map(|field| directives(field));
    let is = |directive: &str, name: &str| {
        let own = directive.split('=').next().unwrap_or_default().trim_ascii_end();
        own.eq_ignore_ascii_case(name)
    };
    let mut kept = vec!["private"];
    for directive in directives {
        // `private="X-Field"` keeps out only that field.
        let whole = !directive.contains('=');
        if whole && (is(directive, "no-store") || is(directive, "private")) {
            return None;
        }
        let shared = ["public", "s-maxage", "private"];
        if !shared.iter().any(|name| is(directive, name)) {
            kept.push(directive);
        }
    }
    Some(kept.join(", "))
}

/// What stands between the commas that are not in quotes.
fn directives(field: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let parts = field.split(move |c| {
        quoted ^= c == '"';
        c == ',' && !quoted
    });
    parts
        .map(str::trim_ascii)
        .filter(|directive| !directive.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_caches_are_kept_out_and_nothing_is_loosened() {
        for (fields, expected) in [
            (&[][..], Some("private")),
            (&[""], Some("private")),
            (&["max-age=60"], Some("private, max-age=60")),
            (&["public, max-age=60"], Some("private, max-age=60")),
            (&["Public", "S-MaxAge=60,no-cache"], Some("private, no-cache")),
            (&["must-revalidate"], Some("private, must-revalidate")),
            (&["private"], None),
            (&["max-age=60, Private"], None),
            (&["no-store"], None),
            (&["public", "no-store"], None),
            (
                &["private=\"X-A, no-store\", max-age=1"],
                Some("private, max-age=1"),
            ),
            (
                &["no-cache=\"X-A, private\", public"],
                Some("private, no-cache=\"X-A, private\""),
            ),
            (&["private =x"], Some("private")),
            (&["no-store=1"], Some("private, no-store=1")),
        ] {
            assert_eq!(narrowed(fields).as_deref(), expected, "{fields:?}");
        }
    }
}
