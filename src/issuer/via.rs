//! By what way an issuer is asked for its keys: whose certificates are believed, through which proxy, and how far a
//! redirect is followed.
//!
//! None of it comes from the environment of the process: whoever sets `HTTPS_PROXY` would otherwise decide by whom the
//! keys pass.

use std::fmt;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use url::Url;

use super::jwks_url::{JwksUrl, JwksUrlError};

/// The way to an issuer's documents.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Via {
    /// The certificates that an `https` server must lead to, in place of the public ones.
    pub authorities: Option<Authorities>,
    /// Through which proxy; `None`: straight.
    pub proxy: Option<ProxyUrl>,
    /// Redirects are followed: three at most, and never to where keys may not come from.
    pub follow_redirects: bool,
    /// Plain HTTP to other machines is allowed.
    pub danger_allow_http: bool,
}

/// Certificates of authorities, at least one.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Authorities {
    certificates: Arc<[Vec<u8>]>,
}

/// Why a file of certificates is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthoritiesError {
    /// Broken armour.
    #[error("it is no PEM: {0}")]
    Pem(String),
    /// Something else than a certificate.
    #[error("it holds a {0}; only certificates belong there")]
    Foreign(String),
    /// Nothing.
    #[error("it holds no certificate")]
    Empty,
    /// A certificate that cannot be read.
    #[error("its certificate {number} cannot be read: {detail}")]
    Certificate {
        /// From 1.
        number: usize,
        /// Why.
        detail: String,
    },
}

/// A proxy: `http://host:port`. Both http and https go through it, https by `CONNECT`, so it sees no keys.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProxyUrl {
    url: Url,
}

/// Why a text is no proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a proxy of the form http://host:port")]
pub struct ProxyUrlError;

// === impl Via ===

impl Via {
    /// Reads where keys, or a document that leads to them, would come from by this way.
    ///
    /// # Errors
    /// See [`JwksUrl::parse`]; and by way of a proxy, http to this machine is http to the proxy's.
    pub fn url(&self, text: &str) -> Result<JwksUrl, JwksUrlError> {
        let url = JwksUrl::parse(text, self.danger_allow_http)?;
        if self.proxy.is_some() && !url.is_https() && !self.danger_allow_http {
            return Err(JwksUrlError::PlainHttpByProxy);
        }
        Ok(url)
    }
}

// === impl Authorities ===

impl Authorities {
    /// Reads a PEM file with one or several certificates.
    ///
    /// # Errors
    /// See [`AuthoritiesError`].
    pub fn from_pem(text: &[u8]) -> Result<Self, AuthoritiesError> {
        let blocks = pem::parse_many(text).map_err(|error| AuthoritiesError::Pem(error.to_string()))?;
        let mut roots = RootCertStore::empty();
        let mut certificates = Vec::new();
        for (index, block) in blocks.into_iter().enumerate() {
            if block.tag() != "CERTIFICATE" {
                let tag = block.tag().chars().filter(|c| !c.is_control()).take(64);
                return Err(AuthoritiesError::Foreign(tag.collect()));
            }
            let certificate = block.into_contents();
            // What is read here is what a handshake will read.
            let added = roots.add(CertificateDer::from(certificate.as_slice()));
            added.map_err(|error| AuthoritiesError::Certificate {
                number: index + 1,
                detail: error.to_string(),
            })?;
            certificates.push(certificate);
        }
        if certificates.is_empty() {
            return Err(AuthoritiesError::Empty);
        }
        Ok(Self {
            certificates: certificates.into(),
        })
    }

    /// Each certificate in DER.
    pub fn certificates(&self) -> impl Iterator<Item = &[u8]> {
        self.certificates.iter().map(Vec::as_slice)
    }
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authorities({})", self.certificates.len())
    }
}

// === impl ProxyUrl ===

impl ProxyUrl {
    /// Reads an operator's text: a host, perhaps a port, and nothing else.
    ///
    /// # Errors
    /// [`ProxyUrlError`]: also for `https`, a password or a path, which this version does not have.
    pub fn parse(text: &str) -> Result<Self, ProxyUrlError> {
        let authority = text.strip_prefix("http://").ok_or(ProxyUrlError)?;
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        if authority.is_empty()
            || authority.contains(|c: char| "/?#@\\".contains(c) || c.is_whitespace() || c.is_control())
        {
            return Err(ProxyUrlError);
        }
        let url = Url::parse(text).map_err(|_| ProxyUrlError)?;
        Ok(Self { url })
    }

    /// All of it, for the one who connects.
    pub const fn as_url(&self) -> &Url {
        &self.url
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn certificate() -> String {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.self_signed(&key).unwrap().pem()
    }

    #[test]
    fn a_file_holds_certificates_and_nothing_else() {
        let (one, two) = (certificate(), certificate());
        let count = |text: &str| Authorities::from_pem(text.as_bytes()).map(|all| all.certificates().count());
        assert_eq!(count(&one), Ok(1));
        assert_eq!(count(&format!("our own\n{one}\n{two}")), Ok(2));
        assert_eq!(count(""), Err(AuthoritiesError::Empty));
        assert_eq!(count("certificate"), Err(AuthoritiesError::Empty));
        let key = KeyPair::generate().unwrap().serialize_pem();
        assert_eq!(
            count(&format!("{one}{key}")),
            Err(AuthoritiesError::Foreign("PRIVATE KEY".to_owned()))
        );
        let broken = pem::encode(&pem::Pem::new("CERTIFICATE", *b"no certificate"));
        assert!(matches!(
            count(&format!("{one}{broken}")),
            Err(AuthoritiesError::Certificate { number: 2, .. })
        ));
        assert!(count(&one[..one.len() - 40]).is_err(), "half a file");
    }

    #[test]
    fn by_way_of_a_proxy_http_does_not_stay_on_this_machine() {
        let proxy = ProxyUrl::parse("http://proxy:3128").ok();
        let by_proxy = Via {
            proxy,
            ..Via::default()
        };
        assert_eq!(
            by_proxy.url("http://127.0.0.1/jwks"),
            Err(JwksUrlError::PlainHttpByProxy)
        );
        assert!(by_proxy.url("https://login.example/jwks").is_ok());
        assert!(Via::default().url("http://127.0.0.1/jwks").is_ok());
        let danger = Via {
            danger_allow_http: true,
            ..by_proxy
        };
        assert!(danger.url("http://127.0.0.1/jwks").is_ok());
    }

    #[test]
    fn a_proxy_is_a_host_and_a_port() {
        for good in [
            "http://proxy:3128",
            "http://10.0.0.1:3128/",
            "http://[::1]:3128",
            "http://proxy.example",
        ] {
            assert!(ProxyUrl::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "proxy:3128",
            "https://proxy:3128",
            "socks5://proxy:1080",
            "HTTP://proxy",
            "http://",
            "http:///x",
            "http://user:secret@proxy:3128",
            "http://proxy:3128/path",
            "http://proxy:3128?x",
            "http://proxy:3128#x",
            "http://proxy:99999",
            "http://pro xy:1",
        ] {
            assert_eq!(ProxyUrl::parse(bad), Err(ProxyUrlError), "{bad}");
        }
    }
}
