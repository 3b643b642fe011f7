//! The keys that the gateway signs with, and when each does what.
//!
//! A key is announced as soon as it is configured, signs from its `not_before` until its `retire_after`, and is announced
//! until the last token that it signed is over, by every verifier's clock. So whoever reads the key set now and then never
//! meets a token that was signed by a key which is not there yet or no longer.

use std::time::Duration;

use serde_json::{Value, json};

use crate::mint::{MintError, SigningKey};
use crate::time::UnixTime;
use crate::token::{Algorithm, KeySet, parse_jwks};

/// As long as any issuer's `leeway` may be: so much later a verifier may still take a token.
const LEEWAY_MAX: Duration = Duration::from_secs(300);

/// All keys, in the order written.
#[derive(Debug)]
pub struct OwnKeys {
    keys: Vec<OwnKey>,
    /// All of them, whatever the time.
    all: KeySet,
    /// How long the tokens live that they sign.
    lifetime: Duration,
}

/// A key pair with its times.
#[derive(Debug)]
pub struct OwnKey {
    kid: Box<str>,
    pair: SigningKey,
    /// The first part of its tokens.
    header: Box<str>,
    jwk: Value,
    time: KeyTime,
}

/// When a key signs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeyTime {
    /// It signs nothing before; `None`: always.
    pub not_before: Option<UnixTime>,
    /// It signs nothing from then on; `None`: never.
    pub retire_after: Option<UnixTime>,
}

/// Why a key cannot be the token service's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OwnKeyError {
    /// The token service does not sign with this.
    #[error("the token service signs with RS256, RS384, RS512, ES256 or EdDSA, not with {0}")]
    Algorithm(Box<str>),
    /// The text is no such key.
    #[error("{0}")]
    Key(#[from] MintError),
    /// Nobody would believe it.
    #[error("its own signatures would be refused: {0}")]
    Refused(String),
}

// === impl OwnKey ===

impl OwnKey {
    /// What may be signed with: RFC 7518 algorithms whose keys can be published.
    pub const ALGORITHMS: [Algorithm; 5] = [
        Algorithm::Rs256,
        Algorithm::Rs384,
        Algorithm::Rs512,
        Algorithm::Es256,
        Algorithm::Ed25519,
    ];

    /// The algorithm of this name, if the token service signs with it.
    ///
    /// # Errors
    /// [`OwnKeyError::Algorithm`].
    pub fn algorithm_named(name: &str) -> Result<Algorithm, OwnKeyError> {
        Algorithm::parse(name)
            .filter(|algorithm| Self::ALGORITHMS.contains(algorithm))
            .ok_or_else(|| OwnKeyError::Algorithm(name.chars().take(32).collect::<String>().into()))
    }

    /// From PKCS #8 PEM.
    ///
    /// # Errors
    /// When the text is no key of the algorithm, or one that nobody should believe.
    pub fn new(kid: &str, algorithm: Algorithm, pem: &str, time: KeyTime) -> Result<Self, OwnKeyError> {
        let pair = SigningKey::from_pem(algorithm, pem)?;
        let jwk = pair.public_jwk(kid);
        // What is minted here must be what is verified here: the same judge looks at both.
        let judged = parse_jwks(json!({ "keys": [&jwk] }).to_string().as_bytes());
        judged.map_err(|error| OwnKeyError::Refused(error.to_string()))?;
        Ok(Self {
            kid: kid.into(),
            header: pair.header(kid, crate::token::ACCESS_TOKEN_TYPE).into(),
            pair,
            jwk,
            time,
        })
    }

    /// A new private key, as the text of its file.
    ///
    /// # Errors
    /// When the library fails.
    pub fn generate(algorithm: Algorithm) -> Result<crate::secret::Secret<String>, OwnKeyError> {
        Ok(SigningKey::generate(algorithm)?.to_pem())
    }

    /// Its id.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// What it signs with.
    pub const fn algorithm(&self) -> Algorithm {
        self.pair.algorithm()
    }

    /// A token with these claims.
    ///
    /// # Errors
    /// Only when the library fails.
    pub fn sign(&self, claims: &[u8]) -> Result<String, MintError> {
        let mut token = String::with_capacity(self.header.len() + claims.len() / 3 * 4 + 700);
        token.push_str(&self.header);
        self.pair.append(token, claims)
    }
}

// === impl KeyTime ===

impl KeyTime {
    /// Whether it signs at this moment.
    pub fn signs(&self, now: UnixTime) -> bool {
        self.not_before.is_none_or(|begin| now >= begin) && self.retire_after.is_none_or(|end| now < end)
    }

    /// Whether it is shown at this moment, if its tokens live that long.
    pub fn is_announced(&self, lifetime: Duration, now: UnixTime) -> bool {
        self.retire_after
            .is_none_or(|end| now < end.plus(lifetime).plus(LEEWAY_MAX))
    }
}

// === impl OwnKeys ===

impl OwnKeys {
    /// These keys, for tokens that live that long.
    pub fn new(keys: Vec<OwnKey>, lifetime: Duration) -> Self {
        let mut own = Self {
            keys,
            all: KeySet::default(),
            lifetime,
        };
        own.all = parsed(&own.document(|_| true));
        own
    }

    /// All keys, to verify with: whether one is still announced is another question.
    pub const fn all(&self) -> &KeySet {
        &self.all
    }

    /// The key that signs at this moment: of those that do, the one that began last. `None` if none does.
    pub fn signing(&self, now: UnixTime) -> Option<&OwnKey> {
        let signing = self.keys.iter().filter(|key| key.time.signs(now));
        signing.max_by_key(|key| key.time.not_before)
    }

    /// Those that verifiers must know at this moment.
    pub fn announced(&self, now: UnixTime) -> impl Iterator<Item = &OwnKey> {
        self.keys
            .iter()
            .filter(move |key| key.time.is_announced(self.lifetime, now))
    }

    /// From when on nothing signs any more; `None`: something always does.
    pub fn last_moment(&self) -> Option<UnixTime> {
        let ends: Option<Vec<UnixTime>> = self.keys.iter().map(|key| key.time.retire_after).collect();
        ends?.into_iter().max()
    }

    /// The document that is published: public members only (RFC 7517).
    pub fn jwks(&self, now: UnixTime) -> String {
        self.document(|key| key.time.is_announced(self.lifetime, now))
    }

    /// The same, parsed, for this gateway's own plans.
    pub fn key_set(&self, now: UnixTime) -> KeySet {
        parsed(&self.jwks(now))
    }

    fn document(&self, wanted: impl Fn(&OwnKey) -> bool) -> String {
        let keys: Vec<&Value> = self
            .keys
            .iter()
            .filter(|key| wanted(key))
            .map(|key| &key.jwk)
            .collect();
        json!({ "keys": keys }).to_string()
    }
}

/// A document without keys is a set without keys: it verifies nothing.
fn parsed(document: &str) -> KeySet {
    parse_jwks(document.as_bytes())
        .map(|jwks| jwks.keys)
        .unwrap_or_default()
}
