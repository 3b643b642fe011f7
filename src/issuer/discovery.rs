//! A discovery document, and the one thing that is taken from it: where the key set is.
//!
//! OpenID Connect Discovery 1.0 section 4.3: the document must name the issuer that was asked about, byte for byte.
//! Otherwise one tenant of a login service could speak for another. Where the keys are is then under the same rules as
//! if an operator had written it, and never less protected than the document itself.

use serde::Deserialize;

use super::jwks_url::{JwksUrl, JwksUrlError};
use super::via::Via;
use crate::id::IssuerName;

/// Why no key set is found through a document. The sentences repeat nothing that the document says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DiscoveryError {
    /// Not an object with the strings `issuer` and `jwks_uri`, each once.
    #[error("the document is no discovery document: not a JSON object with `issuer` and `jwks_uri`")]
    Json,
    /// It is about somebody else.
    #[error("the document's `issuer` is not, byte for byte, the issuer's name")]
    Issuer,
    /// Keys may not come from there.
    #[error("the document's `jwks_uri` {0}")]
    JwksUri(JwksUrlError),
    /// From `https` to `http`.
    #[error("the document's `jwks_uri` is http, while the document came by https")]
    Downgrade,
}

/// RFC 8414 section 2; members that nobody here needs are left out.
#[derive(Deserialize)]
struct Document {
    issuer: String,
    jwks_uri: String,
}

/// Where the document, which was found at `url`, says that the keys of `issuer` are.
///
/// # Errors
/// See [`DiscoveryError`].
pub fn jwks_uri(
    document: &[u8],
    issuer: &IssuerName,
    url: &JwksUrl,
    via: &Via,
) -> Result<JwksUrl, DiscoveryError> {
    let Document {
        issuer: named,
        jwks_uri,
    } = serde_json::from_slice(document).map_err(|_| DiscoveryError::Json)?;
    if named != issuer.as_str() {
        return Err(DiscoveryError::Issuer);
    }
    let keys = via.url(&jwks_uri).map_err(DiscoveryError::JwksUri)?;
    if url.is_https() && !keys.is_https() {
        return Err(DiscoveryError::Downgrade);
    }
    Ok(keys)
}

// === impl DiscoveryError ===

impl DiscoveryError {
    /// One word out of three, for a metric label.
    pub const fn cause(&self) -> &'static str {
        match self {
            Self::Json => "discovery_json",
            Self::Issuer => "discovery_issuer",
            Self::JwksUri(_) | Self::Downgrade => "discovery_jwks_uri",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_query_is_kept() {
        let url = JwksUrl::parse("https://login.example/d", false).unwrap();
        let document = br#"{"issuer":"a","jwks_uri":"https://keys.example/jwks?k=1"}"#;
        let keys = jwks_uri(document, &IssuerName::new("a"), &url, &Via::default()).unwrap();
        assert_eq!(keys.as_url().as_str(), "https://keys.example/jwks?k=1");
    }

    #[test]
    fn the_document_speaks_for_its_issuer_and_names_a_good_address() {
        use DiscoveryError::*;

        let name = "https://login.example/";
        let document = |issuer: &str, jwks_uri: &str| {
            format!(r#"{{"issuer":"{issuer}","token_endpoint":"https://t.example","jwks_uri":"{jwks_uri}"}}"#)
        };
        let keys = "https://keys.example/jwks?k=1";
        for (url, text, expected) in [
            ("https://login.example/d", document(name, keys), Ok(())),
            ("http://127.0.0.1/d", document(name, keys), Ok(())),
            (
                "http://127.0.0.1/d",
                document(name, "http://127.0.0.1:1/jwks"),
                Ok(()),
            ),
            (
                "https://login.example/d",
                document("https:\\/\\/login.example/", keys),
                Ok(()),
            ),
            (
                "https://login.example/d",
                document("https://login.example", keys),
                Err(Issuer),
            ),
            (
                "https://login.example/d",
                document("https://LOGIN.example/", keys),
                Err(Issuer),
            ),
            ("https://login.example/d", document("", keys), Err(Issuer)),
            (
                "https://login.example/d",
                document(name, "http://127.0.0.1/jwks"),
                Err(Downgrade),
            ),
            (
                "https://login.example/d",
                document(name, "http://login.example/jwks"),
                Err(JwksUri(JwksUrlError::PlainHttp)),
            ),
            (
                "http://127.0.0.1/d",
                document(name, "http://169.254.169.254/latest"),
                Err(JwksUri(JwksUrlError::PlainHttp)),
            ),
            (
                "https://login.example/d",
                document(name, "/jwks"),
                Err(JwksUri(JwksUrlError::Malformed)),
            ),
            (
                "https://login.example/d",
                document(name, "file:///etc"),
                Err(JwksUri(JwksUrlError::Scheme)),
            ),
            ("https://login.example/d", "<html>".to_owned(), Err(Json)),
            ("https://login.example/d", "[]".to_owned(), Err(Json)),
            (
                "https://login.example/d",
                format!(r#"{{"issuer":"{name}"}}"#),
                Err(Json),
            ),
            (
                "https://login.example/d",
                format!(r#"{{"issuer":["{name}"],"jwks_uri":"{keys}"}}"#),
                Err(Json),
            ),
            (
                "https://login.example/d",
                format!(r#"{{"issuer":"evil","issuer":"{name}","jwks_uri":"{keys}"}}"#),
                Err(Json),
            ),
            ("https://login.example/d", document(name, keys) + "x", Err(Json)),
        ] {
            let url = JwksUrl::parse(url, false).unwrap();
            let found = jwks_uri(text.as_bytes(), &IssuerName::new(name), &url, &Via::default());
            assert_eq!(found.map(|_| ()), expected, "{text}");
        }
    }
}
