//! A JWKS document (RFC 7517 section 5) to a [`KeySet`].
//!
//! The document comes from outside, so everything has a bound, and one key that cannot be used (an encryption key, an
//! unknown type, a typing error) is passed over with its reason, as RFC 7517 section 5 asks: it must never cost the
//! issuer's other keys. A document without any usable key is an error: it must not take the place of a good one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::algorithm::{Algorithm, KeyKind};
use super::hint::Thumbprint;
use super::json::{JsonError, Object, Value, parse_object};
use super::key::{Key, KeyError, KeySet, Material, RSA_BITS_MIN};

/// A larger document is refused: real ones have a few KiB.
pub const JWKS_BYTES_MAX: usize = 1024 * 1024;
/// More keys are refused: an issuer that rotates hourly needs three.
pub const JWKS_KEYS_MAX: usize = 100;
/// A longer key id is refused: it is part of metrics and logs.
pub const KID_BYTES_MAX: usize = 256;

/// A parsed document.
#[derive(Debug)]
pub struct Jwks {
    /// The usable keys, at least one.
    pub keys: KeySet,
    /// What was passed over, in the order of the document.
    pub skipped: Vec<Skipped>,
}

/// A key that was passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Its place in the document, from 0.
    pub index: usize,
    /// Its id, cut to a printable length.
    pub kid: Option<String>,
    /// Why.
    pub error: KeyError,
}

/// Why a document is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwksError {
    /// More than [`JWKS_BYTES_MAX`].
    #[error("the document is larger than 1 MiB")]
    TooLarge,
    /// More than [`JWKS_KEYS_MAX`].
    #[error("the document holds more than 100 keys")]
    TooManyKeys,
    /// Not an object with an array `keys`.
    #[error("the document is no JSON Web Key Set: {0}")]
    Json(String),
    /// Nothing usable.
    #[error("the document holds no usable key{}", first_reason(.0))]
    NoUsableKey(Vec<Skipped>),
}

/// Each key stays text until it is looked at: what is wrong in one, to its last number, is wrong with that one only.
#[derive(Deserialize)]
struct Document<'t> {
    #[serde(borrow)]
    keys: Vec<&'t RawValue>,
}

/// Members of private and symmetric keys (RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1, RFC 8037 section 2).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// RFC 7517 section 4 and RFC 7518 section 6; members that nobody here needs are left out.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    x5t: Option<String>,
    #[serde(rename = "x5t#S256")]
    x5t_s256: Option<String>,
}

/// Parses a document.
///
/// # Errors
/// See [`JwksError`].
pub fn parse_jwks(text: &[u8]) -> Result<Jwks, JwksError> {
    if text.len() > JWKS_BYTES_MAX {
        return Err(JwksError::TooLarge);
    }
    let document: Document<'_> =
        serde_json::from_slice(text).map_err(|error| JwksError::Json(error.to_string()))?;
    if document.keys.len() > JWKS_KEYS_MAX {
        return Err(JwksError::TooManyKeys);
    }
    let mut keys = Vec::new();
    let mut skipped = Vec::new();
    for (index, text) in document.keys.into_iter().enumerate() {
        let object = parse_object(text.get().as_bytes());
        let jwk = object.as_ref().ok();
        let kid = jwk.and_then(|jwk| jwk.get("kid")?.as_str()).map(printable);
        match Jwk::read(object).and_then(Jwk::into_key) {
            Ok(key) => keys.push(key),
            Err(error) => skipped.push(Skipped { index, kid, error }),
        }
    }
    if keys.is_empty() {
        return Err(JwksError::NoUsableKey(skipped));
    }
    Ok(Jwks {
        keys: KeySet::new(keys, None),
        skipped,
    })
}

// === impl Skipped ===

impl Skipped {
    /// Whether a careful issuer never publishes such a key: private or symmetric material, or RSA so short that it can
    /// be factored. Anything else (an encryption key, an unknown type) is ordinary.
    pub const fn is_suspicious(&self) -> bool {
        match self.error {
            KeyError::Private => true,
            KeyError::RsaBits(bits) => bits < RSA_BITS_MIN,
            _ => false,
        }
    }
}

// === impl Jwk ===

impl Jwk {
    fn read(jwk: Result<Object<'_>, JsonError>) -> Result<Self, KeyError> {
        let malformed = |_| KeyError::Member("a member");
        let jwk = jwk.map_err(|error| match error {
            // RFC 7517 section 4: which of two members counts is for the next reader to guess.
            JsonError::Duplicate => KeyError::Duplicate,
            JsonError::TooDeep => KeyError::TooDeep,
            JsonError::Syntax => KeyError::Member("a member"),
        })?;
        if PRIVATE.iter().any(|name| jwk.get(name).is_some()) {
            return Err(KeyError::Private);
        }
        let value = serde_json::to_value(Value::Object(jwk)).map_err(malformed)?;
        serde_json::from_value(value).map_err(malformed)
    }

    fn into_key(self) -> Result<Key, KeyError> {
        if self.kty == "oct" {
            return Err(KeyError::Private);
        }
        if self.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return Err(KeyError::Use);
        }
        if self
            .key_ops
            .as_ref()
            .is_some_and(|ops| !ops.iter().any(|op| op == "verify"))
        {
            return Err(KeyError::Use);
        }
        if self.kid.as_ref().is_some_and(|kid| kid.len() > KID_BYTES_MAX) {
            return Err(KeyError::Member("kid"));
        }
        let (kind, material) = self.material()?;
        let only = match &self.alg {
            None => None,
            Some(name) => match Algorithm::parse(name) {
                Some(algorithm) if algorithm.key_kind() == kind => Some(algorithm),
                _ => return Err(KeyError::Algorithm(printable(name))),
            },
        };
        let thumbprints = Thumbprint::of_members(self.x5t_s256.as_deref(), self.x5t.as_deref());
        Ok(Key::new(self.kid.as_deref(), material, only)?.with_thumbprints(thumbprints))
    }

    fn material(&self) -> Result<(KeyKind, Material), KeyError> {
        let kind = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => KeyKind::Rsa,
            ("EC", Some("P-256")) => KeyKind::P256,
            ("EC", Some("P-384")) => KeyKind::P384,
            ("EC", Some("P-521")) => KeyKind::P521,
            ("OKP", Some("Ed25519")) => KeyKind::Ed25519,
            (kty, crv) => {
                return Err(KeyError::Kind(printable(&format!(
                    "{kty} {}",
                    crv.unwrap_or_default()
                ))));
            }
        };
        let material = match kind {
            KeyKind::Rsa => Material::Rsa {
                modulus: member("n", &self.n, None)?,
                exponent: member("e", &self.e, None)?,
            },
            KeyKind::Ed25519 => Material::Curve {
                kind,
                bytes: member("x", &self.x, Some(32))?,
            },
            // Refused above; a shared secret never comes with public keys.
            KeyKind::Secret => return Err(KeyError::Private),
            KeyKind::P256 | KeyKind::P384 | KeyKind::P521 => {
                // RFC 7518 section 6.2.1.2: coordinates have the full length of the field.
                let length = match kind {
                    KeyKind::P256 => 32,
                    KeyKind::P384 => 48,
                    _ => 66,
                };
                let mut bytes = vec![0x04];
                bytes.extend(member("x", &self.x, Some(length))?);
                bytes.extend(member("y", &self.y, Some(length))?);
                Material::Curve { kind, bytes }
            }
        };
        Ok((kind, material))
    }
}

fn member(name: &'static str, text: &Option<String>, length: Option<usize>) -> Result<Vec<u8>, KeyError> {
    let text = text.as_deref().ok_or(KeyError::Member(name))?;
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| KeyError::Member(name))?;
    match length {
        Some(length) if bytes.len() != length => Err(KeyError::Member(name)),
        _ => Ok(bytes),
    }
}

fn printable(text: &str) -> String {
    text.chars()
        .take(64)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

fn first_reason(skipped: &[Skipped]) -> String {
    skipped.first().map_or_else(String::new, |first| {
        format!(" (key {}: {})", first.index, first.error)
    })
}
