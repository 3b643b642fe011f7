//! The keys that targets sign with, read once.
//! They are fixed, so that an input means the same on every machine.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tollgate::mint::{SharedSecret, SigningKey};
use tollgate::token::{Algorithm, Key, KeySet, parse_jwks};

const RSA: &str = include_str!("../keys/rsa.pem");
const P256: &str = include_str!("../keys/p256.pem");
const P384: &str = include_str!("../keys/p384.pem");
const ED25519: &str = include_str!("../keys/ed25519.pem");
const STRANGER: &str = include_str!("../keys/stranger.pem");

/// One key for each algorithm that can be signed with, shared secrets last. The RSA algorithms share their material, as
/// an issuer's keys without `alg` would.
pub static ALL: LazyLock<Vec<Fixed>> = LazyLock::new(|| {
    let pairs = [
        (Algorithm::Ed25519, ED25519),
        (Algorithm::Es256, P256),
        (Algorithm::Es384, P384),
        (Algorithm::Rs256, RSA),
        (Algorithm::Rs384, RSA),
        (Algorithm::Rs512, RSA),
        (Algorithm::Ps256, RSA),
        (Algorithm::Ps384, RSA),
        (Algorithm::Ps512, RSA),
    ];
    let shared = [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512];
    let pairs = pairs.map(|(algorithm, pem)| Fixed::pair(algorithm, pem));
    pairs.into_iter().chain(shared.map(Fixed::shared)).collect()
});

/// An Ed25519 key that is in no set.
pub static OUTSIDER: LazyLock<Fixed> = LazyLock::new(|| Fixed::pair(Algorithm::Ed25519, STRANGER));

/// All public keys, each under its algorithm's name.
pub static PUBLIC: LazyLock<KeySet> = LazyLock::new(|| {
    let jwks: Vec<&Value> = ALL
        .iter()
        .filter(|key| !key.is_shared())
        .map(|key| &key.jwk)
        .collect();
    let document = json!({ "keys": jwks });
    parse_jwks(document.to_string().as_bytes())
        .expect("public keys")
        .keys
});

/// All shared secrets, each under its algorithm's name.
pub static SHARED: LazyLock<KeySet> = LazyLock::new(|| {
    let keys = ALL.iter().filter(|key| key.is_shared()).map(|key| {
        let only = [key.algorithm].into_iter().collect();
        Key::from_secret(key.algorithm.name(), &secret(), only).expect("a long secret")
    });
    KeySet::new(keys.collect(), None)
});

/// One key to sign with, and how the world sees it.
pub struct Fixed {
    /// Its algorithm, which is also its `kid`.
    pub algorithm: Algorithm,
    /// The public half; the whole of a shared secret.
    pub jwk: Value,
    signer: Signer,
}

enum Signer {
    Pair(SigningKey),
    Shared(SharedSecret),
}

// === impl Fixed ===

impl Fixed {
    fn pair(algorithm: Algorithm, pem: &str) -> Self {
        let key = SigningKey::from_pem(algorithm, pem).expect("a key of this repository");
        Self {
            algorithm,
            jwk: key.public_jwk(algorithm.name()),
            signer: Signer::Pair(key),
        }
    }

    fn shared(algorithm: Algorithm) -> Self {
        let secret = secret();
        Self {
            algorithm,
            jwk: json!({ "kty": "oct", "k": URL_SAFE_NO_PAD.encode(&secret) }),
            signer: Signer::Shared(SharedSecret::new(algorithm, secret).expect("an algorithm with a secret")),
        }
    }

    /// Whether issuer and gateway share it.
    pub const fn is_shared(&self) -> bool {
        matches!(self.signer, Signer::Shared(_))
    }

    /// The set that it is in.
    pub fn set(&self) -> &'static KeySet {
        if self.is_shared() { &SHARED } else { &PUBLIC }
    }

    /// A token with this header and these claims.
    pub fn sign(&self, header: &[u8], claims: &[u8]) -> String {
        match &self.signer {
            Signer::Pair(key) => key.sign(header, claims).expect("a key that signs"),
            Signer::Shared(secret) => secret.sign(header, claims),
        }
    }

    /// The public half as a file has it; nothing of a secret.
    pub fn public_pem(&self) -> String {
        match &self.signer {
            Signer::Pair(key) => key.public_pem(),
            Signer::Shared(_) => String::new(),
        }
    }
}

/// 64 bytes: the private key of the outsider stands for nothing else.
fn secret() -> Vec<u8> {
    STRANGER
        .bytes()
        .filter(u8::is_ascii_alphanumeric)
        .take(64)
        .collect()
}

/// The key of an algorithm, if there is one.
pub fn of(algorithm: Algorithm) -> Option<&'static Fixed> {
    ALL.iter().find(|key| key.algorithm == algorithm)
}
