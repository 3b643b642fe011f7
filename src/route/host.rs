//! Whom a request is for, and the hosts under which an API is published.
//!
//! The host picks the table a request is routed by, so it is read strictly: an authority that two parties could take
//! apart differently (userinfo, a list, an odd port) names no host at all. Names are compared as DNS compares them:
//! without regard to ASCII case, and with or without the root's trailing dot.

use std::net::Ipv6Addr;

#[cfg(test)]
mod tests;

/// A host name longer than this is no name (RFC 1035 section 2.3.4).
pub const HOST_BYTES_MAX: usize = 255;

/// RFC 1035 section 2.3.4.
const LABEL_BYTES_MAX: usize = 63;

/// Why an authority names no host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum HostError {
    /// Nothing, or nothing before the port.
    #[error("the host is empty")]
    Empty,
    /// More than [`HOST_BYTES_MAX`] bytes.
    #[error("the host is longer than {HOST_BYTES_MAX} bytes")]
    TooLong,
    /// `user@host` (RFC 9110 section 4.2.4).
    #[error("the host is preceded by user information")]
    UserInfo,
    /// A character that is in no host name: comma, slash, white space, `%`, anything beyond ASCII.
    #[error("the host contains a character that no host name has")]
    ForbiddenByte,
    /// `a..b`, `.a`, or a label of more than 63 bytes.
    #[error("the host has an empty or overlong label")]
    Label,
    /// `[` without `]`, or no IPv6 address between them.
    #[error("the host is not an IPv6 address in brackets")]
    Ipv6,
    /// A colon not followed by a number from 1 to 65535.
    #[error("the port is not a number from 1 to 65535")]
    Port,
}

/// Hosts under which an API is published.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// `*`: every host, also none.
    Any,
    /// `api.example.com`, `10.0.0.1` or `[::1]`: this host, in lower case.
    Exact(Box<str>),
    /// `*.example.com`, kept as `example.com` in lower case: one or more labels below it, never itself.
    Suffix(Box<str>),
}

/// Why a text is no host pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HostPatternError {
    /// `*` elsewhere than as the whole first label.
    #[error("`*` must stand alone or be the whole first label, as in `*.example.com`")]
    Wildcard,
    /// A port: an API is published under a name, on every listener.
    #[error("a host has no port here")]
    Port,
    /// Not a host name.
    #[error(transparent)]
    Host(#[from] HostError),
}

/// The host in an authority, as in a `Host` field or a request target (RFC 9110 section 7.2): `host [":" port]`.
///
/// Case and a trailing dot are kept; an IPv6 address keeps its brackets.
///
/// # Errors
///
/// Any [`HostError`]. Stricter than RFC 3986 section 3.2: no userinfo, no escapes, no empty port, no future IP literal.
pub fn authority_host(authority: &str) -> Result<&str, HostError> {
    let (host, port) = match authority.find(']') {
        Some(bracket) if authority.starts_with('[') => authority.split_at(bracket + 1),
        _ => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    check_host(host).map_err(|error| {
        // `user:password@host` is no matter of the port.
        if authority.contains('@') {
            HostError::UserInfo
        } else {
            error
        }
    })?;
    match port.strip_prefix(':') {
        None if port.is_empty() => Ok(host),
        Some(digits) if is_port(digits) => Ok(host),
        _ if port.contains('@') => Err(HostError::UserInfo),
        _ => Err(HostError::Port),
    }
}

fn is_port(digits: &str) -> bool {
    // `parse` alone would take a sign.
    digits.len() <= 5
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && digits.parse::<u16>().is_ok_and(|port| port > 0)
}

/// A name of letters, digits, `-` and `_` in labels, an IPv4 address (which looks like one), or `[` IPv6 `]`.
fn check_host(host: &str) -> Result<(), HostError> {
    if host.is_empty() {
        return Err(HostError::Empty);
    }
    if host.len() > HOST_BYTES_MAX {
        return Err(HostError::TooLong);
    }
    if let Some(bracketed) = host.strip_prefix('[') {
        let address = bracketed.strip_suffix(']').ok_or(HostError::Ipv6)?;
        return address
            .parse::<Ipv6Addr>()
            .map(|_| ())
            .map_err(|_| HostError::Ipv6);
    }
    let mut label_bytes = 0;
    for byte in without_root_dot(host).bytes() {
        match byte {
            b'.' if label_bytes == 0 => return Err(HostError::Label),
            b'.' => label_bytes = 0,
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => label_bytes += 1,
            _ => return Err(HostError::ForbiddenByte),
        }
        if label_bytes > LABEL_BYTES_MAX {
            return Err(HostError::Label);
        }
    }
    if label_bytes == 0 {
        Err(HostError::Label)
    } else {
        Ok(())
    }
}

/// `example.com.` is `example.com`, said absolutely (RFC 1034 section 3.1).
pub(super) fn without_root_dot(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

// === impl HostPattern ===

impl HostPattern {
    /// Reads `*`, a host or `*.` and a domain, and brings it to the form in which hosts are compared.
    ///
    /// IPv6 addresses are compared as text, in the form of RFC 5952.
    ///
    /// # Errors
    ///
    /// [`HostPatternError`] for a port, a misplaced `*`, or whatever is wrong with the host itself.
    pub fn parse(text: &str) -> Result<Self, HostPatternError> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let (is_suffix, host) = match text.strip_prefix("*.") {
            Some(domain) => (true, domain),
            None => (false, text),
        };
        if host.contains('*') {
            return Err(HostPatternError::Wildcard);
        }
        if authority_host(host)? != host {
            return Err(HostPatternError::Port);
        }
        if let Some(address) = host.strip_prefix('[') {
            return match address.trim_end_matches(']').parse::<Ipv6Addr>() {
                Ok(address) if !is_suffix => Ok(Self::Exact(format!("[{address}]").into())),
                // An address has no labels to stand below.
                _ => Err(HostPatternError::Wildcard),
            };
        }
        let name = without_root_dot(host).to_ascii_lowercase().into_boxed_str();
        Ok(if is_suffix {
            Self::Suffix(name)
        } else {
            Self::Exact(name)
        })
    }
}
