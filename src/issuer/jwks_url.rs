//! Where a key set may be fetched from.
//!
//! Whoever can answer for this URL decides who gets in, so it is `https`, or it stays on this machine. Holding a
//! [`JwksUrl`] is the proof.

use std::{fmt, net::IpAddr};

use url::Url;

/// Longer than any real one; a file pasted into the wrong key.
const URL_BYTES_MAX: usize = 2048;

/// A URL that keys may be fetched from.
///
/// Prints without its query, in logs and messages alike: some issuers want a key there.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct JwksUrl {
    url: Url,
    shown: String,
}

/// Why keys may not be fetched from a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwksUrlError {
    /// Not an absolute URL, or one that would have to be guessed at.
    #[error("is not a URL of the form https://host/path")]
    Malformed,
    /// Longer than 2 KiB.
    #[error("is longer than {URL_BYTES_MAX} bytes")]
    TooLong,
    /// Neither `https` nor `http`.
    #[error("must begin with https://")]
    Scheme,
    /// `http` to another machine.
    #[error("must be https, or http to this machine only: whoever is on the way could replace the keys")]
    PlainHttp,
    /// `http` to this machine, by way of another.
    #[error("must be https: by way of a proxy, http does not stay on this machine")]
    PlainHttpByProxy,
    /// `user:password@host`.
    #[error("must not contain a user name or password")]
    Userinfo,
    /// `#something`.
    #[error("must not contain a fragment (#)")]
    Fragment,
}

// === impl JwksUrl ===

impl JwksUrl {
    /// Reads an operator's URL. `danger_allow_http` lets keys come unprotected over a network.
    ///
    /// # Errors
    ///
    /// One [`JwksUrlError`] for each rule that it breaks, the first one found.
    pub fn parse(text: &str, danger_allow_http: bool) -> Result<Self, JwksUrlError> {
        if text.len() > URL_BYTES_MAX {
            return Err(JwksUrlError::TooLong);
        }
        // The parser below mends what browsers mend: blanks, backslashes, missing slashes. An operator should
        // rather know.
        if text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\') {
            return Err(JwksUrlError::Malformed);
        }
        let (scheme, rest) = text.split_once("://").ok_or(JwksUrlError::Malformed)?;
        let tls = scheme.eq_ignore_ascii_case("https");
        if !tls && !scheme.eq_ignore_ascii_case("http") {
            return Err(JwksUrlError::Scheme);
        }
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.is_empty() {
            return Err(JwksUrlError::Malformed);
        }
        if authority.contains('@') {
            return Err(JwksUrlError::Userinfo);
        }
        if text.contains('#') {
            return Err(JwksUrlError::Fragment);
        }
        let url = Url::parse(text).map_err(|_| JwksUrlError::Malformed)?;
        if !tls && !danger_allow_http && !url.host_str().is_some_and(is_loopback) {
            return Err(JwksUrlError::PlainHttp);
        }
        let mut shown = url.clone();
        shown.set_query(None);
        Ok(Self {
            url,
            shown: shown.into(),
        })
    }

    /// Whether it is protected on its way.
    pub fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// All of it, for the one who fetches.
    pub const fn as_url(&self) -> &Url {
        &self.url
    }
}

impl fmt::Display for JwksUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for JwksUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JwksUrl({self})")
    }
}

/// `host` as the parser normalised it: lower case, IPv4 in four decimals, IPv6 in brackets.
fn is_loopback(host: &str) -> bool {
    let address = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    host == "localhost"
        || address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, danger_allow_http: bool, expected: Result<&str, JwksUrlError>) {
        let shown = JwksUrl::parse(text, danger_allow_http).map(|url| url.to_string());
        assert_eq!(shown, expected.map(str::to_owned), "{text}");
    }

    #[test]
    fn keys_come_over_tls_or_from_this_machine() {
        use JwksUrlError::*;

        check(
            "https://login.example/jwks",
            false,
            Ok("https://login.example/jwks"),
        );
        check(
            "HTTPS://Login.Example:8443/a",
            false,
            Ok("https://login.example:8443/a"),
        );
        check("https://login.example", false, Ok("https://login.example/"));
        check(
            "https://login.example/jwks?key=s3cret",
            false,
            Ok("https://login.example/jwks"),
        );
        check("https://10.0.0.1/jwks", false, Ok("https://10.0.0.1/jwks"));

        check(
            "http://127.0.0.1:8080/jwks",
            false,
            Ok("http://127.0.0.1:8080/jwks"),
        );
        check("http://127.9.9.9/jwks", false, Ok("http://127.9.9.9/jwks"));
        check("http://[::1]:8080/jwks", false, Ok("http://[::1]:8080/jwks"));
        check("http://LOCALHOST/jwks", false, Ok("http://localhost/jwks"));

        check("http://login.example/jwks", false, Err(PlainHttp));
        check("http://login.example/jwks", true, Ok("http://login.example/jwks"));
        check("http://localhost.example/jwks", false, Err(PlainHttp));
        check("http://127.0.0.1.example/jwks", false, Err(PlainHttp));
        check("http://0.0.0.0/jwks", false, Err(PlainHttp));
        check("http://128.0.0.1/jwks", false, Err(PlainHttp));
        check("http://[::ffff:127.0.0.1]/jwks", false, Err(PlainHttp));
        check("http://169.254.169.254/latest", false, Err(PlainHttp));

        check("ftp://login.example/jwks", true, Err(Scheme));
        check("file:///etc/passwd", true, Err(Scheme));
        check("https://user:pw@login.example/", true, Err(Userinfo));
        check("https://@login.example/", true, Err(Userinfo));
        check("http://127.0.0.1@evil.example/", true, Err(Userinfo));
        check(
            "https://login.example/a@b",
            false,
            Ok("https://login.example/a@b"),
        );
        check("https://login.example/#keys", true, Err(Fragment));
        check("https://login.example/#", true, Err(Fragment));

        check("", true, Err(Malformed));
        check("login.example/jwks", true, Err(Malformed));
        check("https:login.example", true, Err(Malformed));
        check("https:///login.example", true, Err(Malformed));
        check("https://", true, Err(Malformed));
        check("https://login.example:99999/", true, Err(Malformed));
        check(" https://login.example/", true, Err(Malformed));
        check("https://login.example\\@evil.example/", true, Err(Malformed));
        check("https://login.example/a\nb", true, Err(Malformed));
        check(
            &format!("https://a.example/{}", "x".repeat(URL_BYTES_MAX)),
            true,
            Err(TooLong),
        );
    }

    #[test]
    fn a_query_is_never_printed() {
        let url = JwksUrl::parse("https://login.example/jwks?key=s3cret", false).unwrap();
        assert_eq!(format!("{url:?}"), "JwksUrl(https://login.example/jwks)");
        assert_eq!(url.as_url().query(), Some("key=s3cret"));
    }
}
