//! The keys of one issuer, parsed once: public keys, or secrets that it shares with us, never both in one set.
//!
//! Parsing a key is work that depends on the key alone, so it happens here, when a key set arrives, and never during a
//! request. A set is immutable: rotation replaces it whole, so a request verifies against one consistent set even
//! while the issuer rotates.
//!
//! A key is found by `kid` *and* must serve the token's algorithm (RFC 8725 section 3.1: the token never chooses).
//! Whatever is wrong with a key is found when it is loaded, and costs that key only, never the set.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::signature::ParsedPublicKey;
use aws_lc_rs::{hmac, rsa};
use foldhash::HashMap;

use super::algorithm::{Algorithm, AlgorithmSet, Check, KeyKind};
use super::error::TokenError;
use super::fingerprint::Fingerprint;
use super::hint::{KeyHint, Thumbprint};
use super::history::KeyHistory;
use super::{key_text, price, shared_secret, weak};
use crate::time::UnixTime;

/// RSA moduli of fewer bits are weak (RFC 7518 section 3.3).
pub(super) const RSA_BITS_MIN: usize = 2048;
/// RSA moduli outside of this many bits are refused: above is a way to make each check cost milliseconds.
const RSA_BITS: std::ops::RangeInclusive<usize> = RSA_BITS_MIN..=8192;

/// One key, ready to verify.
pub struct Key {
    kid: Option<Box<str>>,
    verifiers: Vec<(Algorithm, Verifier)>,
    /// Of an RSA key; else 0.
    modulus_bits: usize,
    /// Of the certificate that the key comes with.
    thumbprints: Vec<Thumbprint>,
    /// SHA-256 of everything that makes the key: two keys with one fingerprint are one key.
    fingerprint: [u8; 32],
    /// SHA-256 of the bytes alone, whose length and form tell the kind: the key under whatever id and algorithms.
    material: Fingerprint,
    history: Arc<KeyHistory>,
}

enum Verifier {
    Public(ParsedPublicKey),
    Secret(Box<hmac::Key>),
}

/// The keys of one issuer.
#[derive(Debug, Default)]
pub struct KeySet {
    keys: Vec<Arc<Key>>,
    by_kid: HashMap<Box<str>, Vec<usize>>,
    by_thumbprint: HashMap<Thumbprint, Vec<usize>>,
    default: Option<usize>,
}

/// Why a key is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Neither RSA, P-256, P-384, P-521 nor Ed25519.
    #[error("the key type `{0}` is not supported")]
    Kind(String),
    /// The bytes are no such key.
    #[error("the key's bytes are not a valid {0} public key")]
    Invalid(&'static str),
    /// RSA with too few or too many bits.
    #[error("an RSA key must have 2048 to 8192 bits, this one has {0}")]
    RsaBits(usize),
    /// RSA with an exponent that is even or smaller than 3.
    #[error("an RSA key's exponent must be odd and at least 3")]
    RsaExponent,
    /// RSA with a modulus that can be taken apart.
    #[error("the RSA key is worth nothing: {0}")]
    RsaWeak(&'static str),
    /// A point of small order: everything would verify.
    #[error("the Ed25519 key is a point of small order")]
    SmallOrder,
    /// A private or symmetric key among public ones.
    #[error("private key material has no place here; this key must be regarded as disclosed")]
    Private,
    /// Not for verifying signatures.
    #[error("the key is not for signatures")]
    Use,
    /// `alg` does not go with the key's type, or is unknown.
    #[error("the key's algorithm `{0}` does not go with its type")]
    Algorithm(String),
    /// A member occurs twice (RFC 7517 section 4).
    #[error("a member occurs twice")]
    Duplicate,
    /// Nested deeper than [`super::json::DEPTH_MAX`].
    #[error("the key is nested too deep")]
    TooDeep,
    /// A member is missing or malformed.
    #[error("`{0}` is missing or malformed")]
    Member(&'static str),
    /// The text is malformed or holds something else.
    #[error("{0}")]
    Text(String),
    /// Shorter than the hash of an algorithm that it is for (RFC 7518 section 3.2).
    #[error("a secret for {algorithm} must have at least {min} bytes, this one has {found}")]
    SecretTooShort {
        /// The algorithm with the longest hash.
        algorithm: &'static str,
        /// The length of its hash.
        min: usize,
        /// The secret's length.
        found: usize,
    },
    /// Longer than any real one.
    #[error("a secret must have at most {SECRET_BYTES_MAX} bytes")]
    SecretTooLong,
    /// From a book, or hardly more than one byte repeated.
    #[error("the secret can be guessed: {0}")]
    SecretWeak(&'static str),
}

/// A longer secret is a file that was named by mistake.
pub(super) const SECRET_BYTES_MAX: usize = 1024;

/// A public key's bytes by kind.
pub(super) enum Material {
    /// Modulus and exponent, big-endian.
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    /// An uncompressed point or SubjectPublicKeyInfo.
    Curve { kind: KeyKind, bytes: Vec<u8> },
}

// === impl Key ===

impl Key {
    /// Parses a key file: PEM with a public key (SubjectPublicKeyInfo or PKCS #1) or an X.509 certificate, or a line of
    /// `ssh-rsa`.
    ///
    /// # Errors
    /// Says what is wrong with the text or the key.
    pub fn from_text(kid: &str, text: &[u8]) -> Result<Self, KeyError> {
        key_text::parse(kid, text)
    }

    /// A secret that is shared with the issuer, for those of `algorithms` that use one.
    ///
    /// # Errors
    /// When the secret is shorter than the hash of one of them, can be guessed, or is a key of another kind.
    pub fn from_secret(kid: &str, secret: &[u8], algorithms: AlgorithmSet) -> Result<Self, KeyError> {
        shared_secret::judge(secret, algorithms)?;
        let keys = Algorithm::ALL
            .into_iter()
            .filter_map(|algorithm| match algorithm.check() {
                Check::Secret(hash) if algorithms.contains(algorithm) => Some((
                    algorithm,
                    Verifier::Secret(Box::new(hmac::Key::new(hash, secret))),
                )),
                Check::Secret(_) | Check::Public(_) => None,
            });
        let verifiers: Vec<_> = keys.collect();
        if verifiers.is_empty() {
            return Err(KeyError::Algorithm("none".to_owned()));
        }
        Ok(Self::assemble(Some(kid), verifiers, secret))
    }

    /// Judges and parses a key for `only`, or for every algorithm that goes with its kind.
    pub(super) fn new(
        kid: Option<&str>,
        material: Material,
        only: Option<Algorithm>,
    ) -> Result<Self, KeyError> {
        let modulus_bits = material.modulus_bits();
        let (kind, bytes) = material.judge()?;
        let mut verifiers = Vec::new();
        for algorithm in Algorithm::ALL {
            if let Check::Public(verification) = algorithm.check()
                && algorithm.key_kind() == kind
                && only.is_none_or(|only| only == algorithm)
            {
                let key = ParsedPublicKey::new(verification, &bytes)
                    .map_err(|_| KeyError::Invalid(kind_name(kind)))?;
                verifiers.push((algorithm, Verifier::Public(key)));
            }
        }
        if verifiers.is_empty() {
            return Err(KeyError::Algorithm(
                only.map_or("none", Algorithm::name).to_owned(),
            ));
        }
        Ok(Self {
            modulus_bits,
            ..Self::assemble(kid, verifiers, &bytes)
        })
    }

    fn assemble(kid: Option<&str>, verifiers: Vec<(Algorithm, Verifier)>, bytes: &[u8]) -> Self {
        Self {
            fingerprint: fingerprint(kid, &verifiers, bytes),
            material: Fingerprint::of(&[bytes]),
            kid: kid.map(Into::into),
            verifiers,
            modulus_bits: 0,
            thumbprints: Vec::new(),
            history: Arc::default(),
        }
    }

    /// The same key, found by its certificate as well.
    pub(super) fn with_thumbprints(mut self, thumbprints: Vec<Thumbprint>) -> Self {
        self.thumbprints = thumbprints;
        self
    }

    /// The key's id.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Since when it is here, and how it was used. Shared by all that were this key, one set after the other.
    pub const fn history(&self) -> &Arc<KeyHistory> {
        &self.history
    }

    /// Whether two keys are one: same id, same bytes, same algorithms.
    pub fn is_same(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }

    /// What the key is made of, whatever its id and algorithms.
    pub const fn material(&self) -> Fingerprint {
        self.material
    }

    /// The algorithms that it serves, at least one.
    pub fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        self.verifiers.iter().map(|(algorithm, _)| *algorithm)
    }

    /// The CPU time that a check of one signature takes, nominally: the same whatever comes of it.
    pub fn check_price(&self, algorithm: Algorithm) -> Duration {
        price::of(algorithm, self.modulus_bits)
    }

    fn serves(&self, algorithm: Algorithm) -> bool {
        self.verifiers.iter().any(|(own, _)| *own == algorithm)
    }

    /// Whether `signature` is this key's over `message`.
    pub(super) fn verify(
        &self,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), TokenError> {
        let verifier = self.verifiers.iter().find(|(own, _)| *own == algorithm);
        let (_, verifier) = verifier.ok_or(TokenError::KeyUnknown)?;
        match verifier {
            Verifier::Public(key) => key.verify_sig(message, signature),
            // In constant time, and of full length only.
            Verifier::Secret(key) => hmac::verify(key, message, signature),
        }
        .map_err(|_| TokenError::SignatureInvalid)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let algorithms: Vec<&str> = self
            .verifiers
            .iter()
            .map(|(algorithm, _)| algorithm.name())
            .collect();
        f.debug_struct("Key")
            .field("kid", &self.kid)
            .field("algorithms", &algorithms)
            .finish()
    }
}

// === impl KeySet ===

impl KeySet {
    /// A set of these keys. The key whose id is `default_kid`, if any, also serves tokens that name no key.
    pub fn new(keys: Vec<Key>, default_kid: Option<&str>) -> Self {
        let keys: Vec<Arc<Key>> = keys.into_iter().map(Arc::new).collect();
        let mut by_kid: HashMap<Box<str>, Vec<usize>> = HashMap::default();
        let mut by_thumbprint: HashMap<Thumbprint, Vec<usize>> = HashMap::default();
        for (index, key) in keys.iter().enumerate() {
            for thumbprint in &key.thumbprints {
                by_thumbprint.entry(thumbprint.clone()).or_default().push(index);
            }
            if let Some(kid) = key.kid() {
                by_kid.entry(kid.into()).or_default().push(index);
            }
        }
        let default = default_kid
            .and_then(|kid| by_kid.get(kid))
            .and_then(|indices| indices.first())
            .copied();
        Self {
            keys,
            by_kid,
            by_thumbprint,
            default,
        }
    }

    /// The set as it is put in place at this moment: keys that were here before, which `recall` knows, go on with the
    /// history that they had; those of the others begins.
    #[must_use]
    pub fn with_histories(mut self, recall: impl Fn(&Key) -> Option<Arc<KeyHistory>>, now: UnixTime) -> Self {
        for key in &mut self.keys {
            // Nobody else has a set yet that is about to be put in place.
            if let Some(key) = Arc::get_mut(key)
                && let Some(history) = recall(key)
            {
                key.history = history;
            }
            key.history.begin(now);
        }
        self
    }

    /// The history of the key that has this id and is made of this.
    pub fn history_of(&self, key: &Key) -> Option<Arc<KeyHistory>> {
        let mut keys = self.keys.iter();
        let own = keys.find(|own| own.kid == key.kid && own.material == key.material)?;
        Some(Arc::clone(&own.history))
    }

    /// All keys.
    pub fn keys(&self) -> &[Arc<Key>] {
        &self.keys
    }

    /// What names exactly these keys, with their ids and algorithms, in whatever order.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut keys: Vec<&[u8]> = self.keys.iter().map(|key| key.fingerprint.as_slice()).collect();
        keys.sort_unstable();
        Fingerprint::of(&keys)
    }

    /// The one key that may have signed: the one that the token names, else the default key, else the only key that
    /// serves the algorithm.
    ///
    /// # Errors
    /// [`TokenError::KeyUnknown`] when there is none, [`TokenError::KeyAmbiguous`] when there are several.
    pub fn choose(&self, hint: KeyHint<'_>, algorithm: Algorithm) -> Result<&Arc<Key>, TokenError> {
        let fits = |key: &&Arc<Key>| key.serves(algorithm);
        let named = match hint {
            KeyHint::Kid(kid) => self.by_kid.get(kid),
            KeyHint::Sha256(text) => self.by_thumbprint.get(&Thumbprint::Sha256(text.into())),
            KeyHint::Sha1(text) => self.by_thumbprint.get(&Thumbprint::Sha1(text.into())),
            KeyHint::None => return self.choose_unnamed(algorithm),
        };
        let indices = named.map(Vec::as_slice).unwrap_or_default();
        only(
            indices
                .iter()
                .filter_map(|index| self.keys.get(*index))
                .filter(fits),
        )
    }

    fn choose_unnamed(&self, algorithm: Algorithm) -> Result<&Arc<Key>, TokenError> {
        if let Some(key) = self.default.and_then(|index| self.keys.get(index)) {
            return if key.serves(algorithm) {
                Ok(key)
            } else {
                Err(TokenError::KeyUnknown)
            };
        }
        only(self.keys.iter().filter(|key| key.serves(algorithm)))
    }
}

/// One key may stand in a set several times, under several ids or for several algorithms.
fn only<'k>(mut keys: impl Iterator<Item = &'k Arc<Key>>) -> Result<&'k Arc<Key>, TokenError> {
    let key = keys.next().ok_or(TokenError::KeyUnknown)?;
    if keys.all(|other| other.material == key.material) {
        Ok(key)
    } else {
        Err(TokenError::KeyAmbiguous)
    }
}

// === impl Material ===

impl Material {
    /// SubjectPublicKeyInfo (RFC 5280) of any kind, or PKCS #1 of RSA.
    pub(super) fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        if let Ok(key) = rsa::PublicKey::from_der(der) {
            return Ok(Self::Rsa {
                modulus: key.modulus().big_endian_without_leading_zero().to_vec(),
                exponent: key.exponent().big_endian_without_leading_zero().to_vec(),
            });
        }
        for algorithm in [
            Algorithm::Es256,
            Algorithm::Es384,
            Algorithm::Es512,
            Algorithm::Ed25519,
        ] {
            if let Check::Public(verification) = algorithm.check()
                && let Ok(key) = ParsedPublicKey::new(verification, der)
            {
                let bytes = match algorithm {
                    // The raw point, so that it is judged as one from a JWK is: SubjectPublicKeyInfo ends in it.
                    Algorithm::Ed25519 => der.last_chunk::<32>().map_or_else(Vec::new, |raw| raw.to_vec()),
                    _ => key.as_ref().to_vec(),
                };
                return Ok(Self::Curve {
                    kind: algorithm.key_kind(),
                    bytes,
                });
            }
        }
        Err(KeyError::Kind("unknown".to_owned()))
    }

    /// The length of an RSA key's modulus; 0 of any other key.
    fn modulus_bits(&self) -> usize {
        match self {
            Self::Rsa { modulus, .. } => {
                let modulus = without_leading_zeros(modulus);
                modulus
                    .first()
                    .map_or(0, |first| modulus.len() * 8 - first.leading_zeros() as usize)
            }
            Self::Curve { .. } => 0,
        }
    }

    /// The key's kind and the bytes that aws-lc parses; refuses weak keys.
    fn judge(self) -> Result<(KeyKind, Vec<u8>), KeyError> {
        let bits = self.modulus_bits();
        match self {
            Self::Rsa { modulus, exponent } => {
                let modulus = without_leading_zeros(&modulus);
                let exponent = without_leading_zeros(&exponent);
                if !RSA_BITS.contains(&bits) {
                    return Err(KeyError::RsaBits(bits));
                }
                if !matches!(exponent, [.., last] if last % 2 == 1) || exponent == [1] {
                    return Err(KeyError::RsaExponent);
                }
                weak::judge_modulus(modulus)?;
                let components = rsa::PublicKeyComponents {
                    n: modulus,
                    e: exponent,
                };
                let der = components.as_der().map_err(|_| KeyError::Invalid("RSA"))?;
                Ok((KeyKind::Rsa, der.as_ref().to_vec()))
            }
            Self::Curve { kind, bytes } => {
                if kind == KeyKind::Ed25519 {
                    weak::judge_ed25519(&bytes)?;
                }
                Ok((kind, bytes))
            }
        }
    }
}

fn fingerprint(kid: Option<&str>, verifiers: &[(Algorithm, Verifier)], bytes: &[u8]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    // Lengths first, so that no two keys read the same.
    let kid = kid.unwrap_or_default().as_bytes();
    context.update(&(kid.len() as u64).to_be_bytes());
    context.update(kid);
    context.update(&(verifiers.len() as u64).to_be_bytes());
    for (algorithm, _) in verifiers {
        context.update(algorithm.name().as_bytes());
        context.update(b" ");
    }
    context.update(bytes);
    let mut fingerprint = [0; 32];
    for (to, from) in fingerprint.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    fingerprint
}

fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

const fn kind_name(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::Rsa => "RSA",
        KeyKind::P256 => "P-256",
        KeyKind::P384 => "P-384",
        KeyKind::P521 => "P-521",
        KeyKind::Ed25519 => "Ed25519",
        KeyKind::Secret => "secret",
    }
}
