//! How a token names the key that signed it, and by what a key can be named.
//!
//! A token names its key by `kid`, or by the thumbprint of the key's certificate (`x5t#S256`, `x5t`). All of them are
//! names for a key that is already here, never a key itself. Where a token has several, `kid` counts, then the stronger
//! thumbprint: a name that finds nothing is not made up for by another.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What a token's header says of its key (RFC 7515 sections 4.1.4, 4.1.7 and 4.1.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyHint<'t> {
    /// `kid`, byte for byte.
    Kid(&'t str),
    /// `x5t#S256`: base64url of the SHA-256 of a certificate.
    Sha256(&'t str),
    /// `x5t`: base64url of the SHA-1 of a certificate. It finds a key and proves nothing, so SHA-1 is good enough.
    Sha1(&'t str),
    /// Nothing.
    None,
}

/// The same, free of the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedKeyHint {
    kind: Kind,
    text: Box<str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Kid,
    Sha256,
    Sha1,
    None,
}

/// The thumbprint of a certificate, in canonical base64url: two texts that differ name two certificates.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Thumbprint {
    Sha256(Box<str>),
    Sha1(Box<str>),
}

// === impl KeyHint ===

impl KeyHint<'_> {
    /// Free of the token.
    pub fn to_owned(self) -> OwnedKeyHint {
        let (kind, text) = match self {
            KeyHint::Kid(text) => (Kind::Kid, text),
            KeyHint::Sha256(text) => (Kind::Sha256, text),
            KeyHint::Sha1(text) => (Kind::Sha1, text),
            KeyHint::None => (Kind::None, ""),
        };
        OwnedKeyHint {
            kind,
            text: text.into(),
        }
    }
}

// === impl OwnedKeyHint ===

impl OwnedKeyHint {
    /// To be looked up.
    pub const fn borrow(&self) -> KeyHint<'_> {
        match self.kind {
            Kind::Kid => KeyHint::Kid(&self.text),
            Kind::Sha256 => KeyHint::Sha256(&self.text),
            Kind::Sha1 => KeyHint::Sha1(&self.text),
            Kind::None => KeyHint::None,
        }
    }
}

// === impl Thumbprint ===

impl Thumbprint {
    /// Both thumbprints of a certificate in DER.
    pub(super) fn of_certificate(der: &[u8]) -> Vec<Self> {
        let encode = |algorithm| URL_SAFE_NO_PAD.encode(digest(algorithm, der).as_ref());
        vec![
            Self::Sha256(encode(&SHA256).into()),
            Self::Sha1(encode(&SHA1_FOR_LEGACY_USE_ONLY).into()),
        ]
    }

    /// What a JWK says of its certificate (RFC 7517 sections 4.8 and 4.9). What is no thumbprint names nothing; the key
    /// is as good without.
    pub(super) fn of_members(sha256: Option<&str>, sha1: Option<&str>) -> Vec<Self> {
        let judged = |text: &str, length: usize| -> Option<Box<str>> {
            let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
            (bytes.len() == length).then(|| text.into())
        };
        let sha256 = sha256.and_then(|text| judged(text, 32)).map(Self::Sha256);
        let sha1 = sha1.and_then(|text| judged(text, 20)).map(Self::Sha1);
        [sha256, sha1].into_iter().flatten().collect()
    }
}
