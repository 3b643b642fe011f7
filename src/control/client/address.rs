//! Where an admin API is: a URL without anything that could lead the token astray.
//! Over plain HTTP everybody on the way reads the token, so it needs a word of the operator, except on this machine.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::{Host, Url};

/// What may stand in a part of a path as it is: RFC 3986 section 3.3, but sub-delimiters.
const PART: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':');

/// The URL of an admin API: a scheme, a host, perhaps a port, perhaps a path before all paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminUrl(Url);

/// Why a text is no address of an admin API; completes the sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AdminUrlError {
    /// No URL.
    #[error("is no URL of the form https://host:port or http://127.0.0.1:port")]
    Malformed,
    /// Something that has no place there.
    #[error("has a user, a query or a fragment, which do not belong there")]
    Surplus,
    /// The gateway chooses the port when it starts.
    #[error("has port 0: the system chooses one, and the gateway's log says which; name it with --admin-url")]
    AnyPort,
}

// === impl AdminUrl ===

impl AdminUrl {
    /// Reads an operator's text.
    ///
    /// # Errors
    /// See [`AdminUrlError`].
    pub fn parse(text: &str) -> Result<Self, AdminUrlError> {
        let url = Url::parse(text).map_err(|_| AdminUrlError::Malformed)?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(AdminUrlError::Malformed);
        }
        let user = !url.username().is_empty() || url.password().is_some();
        if user || url.query().is_some() || url.fragment().is_some() {
            return Err(AdminUrlError::Surplus);
        }
        if url.port() == Some(0) {
            return Err(AdminUrlError::AnyPort);
        }
        Ok(Self(url))
    }

    /// Of a listener on this machine. One that listens everywhere is called by its loopback address.
    ///
    /// # Errors
    /// [`AdminUrlError::AnyPort`]
    pub fn of_listener(mut address: SocketAddr, tls: bool) -> Result<Self, AdminUrlError> {
        match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        Self::parse(&format!("http{}://{address}", if tls { "s" } else { "" }))
    }

    /// Whether it speaks TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Whether it can only be this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        }
    }

    /// With a path that is encoded already.
    pub(super) fn with_path(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        let before = url.path().trim_end_matches('/').to_owned();
        url.set_path(&(before + path));
        url
    }
}

impl fmt::Display for AdminUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

/// One part of a path, such that it stays one: `None` for what a URL would take for a step (`.`, `..`) or for nothing.
#[must_use]
pub fn path_part(text: &str) -> Option<String> {
    match text {
        "" | "." | ".." => None,
        text => Some(utf8_percent_encode(text, PART).to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_scheme_host_port_and_path() {
        for (text, expected) in [
            ("http://127.0.0.1:9180", Ok("http://127.0.0.1:9180")),
            ("https://ops.example/edge/", Ok("https://ops.example/edge")),
            ("HTTPS://Ops.Example", Ok("https://ops.example")),
            ("127.0.0.1:9180", Err(AdminUrlError::Malformed)),
            ("file:///etc/passwd", Err(AdminUrlError::Malformed)),
            ("ftp://ops.example/", Err(AdminUrlError::Malformed)),
            ("", Err(AdminUrlError::Malformed)),
            ("http://user@ops.example/", Err(AdminUrlError::Surplus)),
            ("http://:pass@ops.example/", Err(AdminUrlError::Surplus)),
            ("http://ops.example/?token=x", Err(AdminUrlError::Surplus)),
            ("http://ops.example/#x", Err(AdminUrlError::Surplus)),
            ("http://127.0.0.1:0", Err(AdminUrlError::AnyPort)),
        ] {
            let read = AdminUrl::parse(text).map(|url| url.to_string());
            assert_eq!(read, expected.map(ToOwned::to_owned), "{text}");
        }
    }

    #[test]
    fn only_this_machine_is_this_machine() {
        for (text, expected) in [
            ("http://127.0.0.1:1", true),
            ("http://127.9.9.9:1", true),
            ("http://[::1]:1", true),
            ("http://localhost:1", true),
            ("http://localhost.example:1", false),
            ("http://0.0.0.0:1", false),
            ("http://10.0.0.1:1", false),
            ("http://[2001:db8::1]:1", false),
        ] {
            assert_eq!(AdminUrl::parse(text).unwrap().is_loopback(), expected, "{text}");
        }
    }

    #[test]
    fn a_listener_is_called_where_it_listens() {
        for (address, tls, expected) in [
            ("127.0.0.1:9180", false, Ok("http://127.0.0.1:9180")),
            ("0.0.0.0:9180", true, Ok("https://127.0.0.1:9180")),
            ("[::]:9180", false, Ok("http://[::1]:9180")),
            ("10.0.0.1:9180", false, Ok("http://10.0.0.1:9180")),
            ("127.0.0.1:0", false, Err(AdminUrlError::AnyPort)),
        ] {
            let url = AdminUrl::of_listener(address.parse().unwrap(), tls).map(|url| url.to_string());
            assert_eq!(url, expected.map(ToOwned::to_owned), "{address}");
        }
    }

    #[test]
    fn a_part_stays_one_part() {
        let url = AdminUrl::parse("http://127.0.0.1:1/edge").unwrap();
        for (part, path) in [
            (
                "mobile:orders:gold",
                Some("/edge/v1/applications/mobile:orders:gold"),
            ),
            ("a/b", Some("/edge/v1/applications/a%2Fb")),
            ("../x", Some("/edge/v1/applications/..%2Fx")),
            ("%2e%2e", Some("/edge/v1/applications/%252e%252e")),
            ("a?b#c", Some("/edge/v1/applications/a%3Fb%23c")),
            ("é\n", Some("/edge/v1/applications/%C3%A9%0A")),
            ("", None),
            (".", None),
            ("..", None),
        ] {
            let made = path_part(part).map(|part| url.with_path(&format!("/v1/applications/{part}")));
            assert_eq!(made.as_ref().map(Url::path), path, "{part}");
        }
    }
}
