//! How long an issuer calls its key set fresh (RFC 9111 sections 4.2 and 5.2.2).
//!
//! The gateway keeps keys by its own schedule; the issuer may only shorten it. So what cannot be understood says
//! nothing, and of two contradicting values the shorter counts.

use std::time::Duration;

use http::{HeaderMap, header};

/// RFC 9111 section 1.2.2: what a number too large for us counts as.
const DELTA_SECONDS_MAX: u64 = 1 << 31;

/// `max-age`, or zero for `no-store` and `no-cache`.
pub(super) fn max_age(headers: &HeaderMap) -> Option<Duration> {
    headers
        .get_all(header::CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|directive| seconds(directive.trim()))
        .min()
        .map(Duration::from_secs)
}

fn seconds(directive: &str) -> Option<u64> {
    let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
    if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") {
        return Some(0);
    }
    if !name.eq_ignore_ascii_case("max-age") {
        return None;
    }
    // Both forms of an argument must be understood, section 5.2.
    let digits = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'))
        .unwrap_or(value);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(DELTA_SECONDS_MAX).min(DELTA_SECONDS_MAX))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[track_caller]
    fn check(fields: &[&str], expected: Option<u64>) {
        let headers = fields
            .iter()
            .map(|field| (header::CACHE_CONTROL, HeaderValue::from_str(field).unwrap()))
            .collect();
        assert_eq!(max_age(&headers), expected.map(Duration::from_secs), "{fields:?}");
    }

    #[test]
    fn the_issuer_may_only_shorten() {
        check(&[], None);
        check(&["public"], None);
        check(&["max-age=300"], Some(300));
        check(&["public, max-age=300, must-revalidate"], Some(300));
        check(&["Max-Age=\"300\""], Some(300));
        check(&["max-age=0"], Some(0));
        check(&["no-store"], Some(0));
        check(&["max-age=300, no-store"], Some(0));
        check(&["no-cache=\"x\", max-age=300"], Some(0));
        check(&["max-age=300", "max-age=60"], Some(60));
        check(&["max-age=99999999999999999999999"], Some(1 << 31));
        check(&["max-age"], None);
        check(&["max-age="], None);
        check(&["max-age=-1"], None);
        check(&["max-age=+1"], None);
        check(&["max-age=1.5"], None);
        check(&["s-maxage=5"], None);
    }
}
