//! Signing keys and the tokens they sign: for `tollgate keygen`, `tollgate token`, the demo and the tests;
//! and for the token service, which signs as fast as the library does: a key pair is parsed once, when the key is read,
//! and kept. A private key is a [`Secret`]; it leaves only as PEM, for the file that its owner asked for.

mod shared_secret;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256,
    RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

pub use shared_secret::SharedSecret;

use crate::secret::Secret;
use crate::token::{Algorithm, KeyKind};

/// A private key that signs with one algorithm.
#[derive(Debug)]
pub struct SigningKey {
    algorithm: Algorithm,
    pkcs8: Secret<Vec<u8>>,
    pair: Pair,
    public: Public,
}

/// Parsed once; each signature is the library's work and nothing else.
#[derive(Debug)]
enum Pair {
    Rsa(Box<RsaKeyPair>, &'static dyn RsaEncoding),
    Curve(Box<EcdsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

/// Why a key cannot be made, read or used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MintError {
    /// No signing with this algorithm.
    #[error(
        "no key pair signs with {0}; use RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 or EdDSA"
    )]
    Algorithm(&'static str),
    /// A shared secret is of no use to this algorithm.
    #[error("no shared secret signs with {0}; use HS256, HS384 or HS512")]
    Secret(&'static str),
    /// The cryptographic library refused.
    #[error("the key cannot be {0}")]
    Crypto(&'static str),
    /// The file holds something else.
    #[error(
        "the file holds no key of the kind that {0} needs: a PKCS #8 private key, or a secret in base64url"
    )]
    Pem(&'static str),
}

#[derive(Debug)]
enum Public {
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
        spki: Vec<u8>,
    },
    Curve {
        name: &'static str,
        point: Vec<u8>,
        spki: Vec<u8>,
    },
    Ed25519 {
        x: Vec<u8>,
        spki: Vec<u8>,
    },
}

// === impl SigningKey ===

impl SigningKey {
    /// Makes a new key: RSA with 2048 bits, or the curve of the algorithm.
    ///
    /// # Errors
    /// ES512 cannot be signed with; otherwise only when the library fails.
    pub fn generate(algorithm: Algorithm) -> Result<Self, MintError> {
        let failed = |_| MintError::Crypto("generated");
        let pkcs8 = match algorithm.key_kind() {
            KeyKind::Rsa => RsaKeyPair::generate(KeySize::Rsa2048)
                .and_then(|key| key.as_der())
                .map_err(failed)?
                .as_ref()
                .to_vec(),
            KeyKind::Ed25519 => Ed25519KeyPair::generate()
                .and_then(|key| key.to_pkcs8v1())
                .map_err(failed)?
                .as_ref()
                .to_vec(),
            KeyKind::Secret => return Err(MintError::Algorithm(algorithm.name())),
            KeyKind::P256 | KeyKind::P384 | KeyKind::P521 => EcdsaKeyPair::generate(curve(algorithm)?.0)
                .and_then(|key| key.to_pkcs8v1())
                .map_err(failed)?
                .as_ref()
                .to_vec(),
        };
        Self::from_pkcs8(algorithm, pkcs8)
    }

    /// Reads a key from PKCS #8 PEM.
    ///
    /// # Errors
    /// When the text is no such key.
    pub fn from_pem(algorithm: Algorithm, text: &str) -> Result<Self, MintError> {
        let block = pem::parse(text).map_err(|_| MintError::Pem(algorithm.name()))?;
        if block.tag() != "PRIVATE KEY" {
            return Err(MintError::Pem(algorithm.name()));
        }
        Self::from_pkcs8(algorithm, block.into_contents())
    }

    fn from_pkcs8(algorithm: Algorithm, pkcs8: Vec<u8>) -> Result<Self, MintError> {
        let wrong = |_| MintError::Pem(algorithm.name());
        let unreadable = |_| MintError::Crypto("read");
        let (pair, public) = match algorithm.key_kind() {
            KeyKind::Rsa => {
                let pair = RsaKeyPair::from_pkcs8(&pkcs8).map_err(wrong)?;
                let public = pair.public_key();
                let public = Public::Rsa {
                    modulus: public.modulus().big_endian_without_leading_zero().to_vec(),
                    exponent: public.exponent().big_endian_without_leading_zero().to_vec(),
                    spki: public.as_der().map_err(unreadable)?.as_ref().to_vec(),
                };
                (Pair::Rsa(Box::new(pair), encoding(algorithm)?), public)
            }
            KeyKind::Ed25519 => {
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&pkcs8).map_err(wrong)?;
                let spki = pair.public_key().as_der().map_err(unreadable)?.as_ref().to_vec();
                let public = Public::Ed25519 {
                    x: pair.public_key().as_ref().to_vec(),
                    spki,
                };
                (Pair::Ed25519(Box::new(pair)), public)
            }
            KeyKind::Secret => return Err(MintError::Algorithm(algorithm.name())),
            KeyKind::P256 | KeyKind::P384 | KeyKind::P521 => {
                let (signing, name) = curve(algorithm)?;
                let pair = EcdsaKeyPair::from_pkcs8(signing, &pkcs8).map_err(wrong)?;
                let spki = pair.public_key().as_der().map_err(unreadable)?.as_ref().to_vec();
                let public = Public::Curve {
                    name,
                    point: pair.public_key().as_ref().to_vec(),
                    spki,
                };
                (Pair::Curve(Box::new(pair)), public)
            }
        };
        Ok(Self {
            algorithm,
            pkcs8: Secret::new(pkcs8),
            pair,
            public,
        })
    }

    /// The algorithm it signs with.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The private key as PKCS #8 PEM.
    pub fn to_pem(&self) -> Secret<String> {
        Secret::new(pem::encode(&pem::Pem::new(
            "PRIVATE KEY",
            self.pkcs8.expose().clone(),
        )))
    }

    /// The public key as SubjectPublicKeyInfo PEM.
    pub fn public_pem(&self) -> String {
        let (Public::Rsa { spki, .. } | Public::Curve { spki, .. } | Public::Ed25519 { spki, .. }) =
            &self.public;
        pem::encode(&pem::Pem::new("PUBLIC KEY", spki.clone()))
    }

    /// The public key as a JWK (RFC 7517).
    pub fn public_jwk(&self, kid: &str) -> Value {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut jwk = match &self.public {
            Public::Rsa {
                modulus, exponent, ..
            } => {
                json!({ "kty": "RSA", "n": encode(modulus), "e": encode(exponent) })
            }
            Public::Curve { name, point, .. } => {
                let coordinates = point.get(1..).unwrap_or_default();
                let (x, y) = coordinates.split_at(coordinates.len() / 2);
                json!({ "kty": "EC", "crv": name, "x": encode(x), "y": encode(y) })
            }
            Public::Ed25519 { x, .. } => json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(x) }),
        };
        if let Some(members) = jwk.as_object_mut() {
            members.insert("kid".to_owned(), kid.into());
            members.insert("use".to_owned(), "sig".into());
            members.insert("alg".to_owned(), self.algorithm.name().into());
        }
        jwk
    }

    /// Signs a token with the usual header: `alg`, `typ: JWT`, and `kid` if given.
    ///
    /// # Errors
    /// Only when the library fails.
    pub fn mint(&self, kid: Option<&str>, claims: &Value) -> Result<String, MintError> {
        self.sign(&usual_header(self.algorithm, kid), claims.to_string().as_bytes())
    }

    /// Signs whatever header and claims it is given: tests need tokens that no honest issuer would make.
    ///
    /// # Errors
    /// Only when the library fails.
    pub fn sign(&self, header: &[u8], claims: &[u8]) -> Result<String, MintError> {
        self.append(URL_SAFE_NO_PAD.encode(header), claims)
    }

    /// The first part of all tokens that it signs under this id: `alg`, `typ` and `kid`, encoded.
    pub fn header(&self, kid: &str, typ: &str) -> String {
        let header = json!({ "alg": self.algorithm.name(), "typ": typ, "kid": kid });
        URL_SAFE_NO_PAD.encode(header.to_string())
    }

    /// Signs a token whose first part is there already ([`SigningKey::header`]).
    ///
    /// # Errors
    /// Only when the library fails.
    pub fn append(&self, mut token: String, claims: &[u8]) -> Result<String, MintError> {
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let signature = self.signature(token.as_bytes())?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    fn signature(&self, message: &[u8]) -> Result<Vec<u8>, MintError> {
        let unusable = |_| MintError::Crypto("used");
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &random, message, &mut signature)
                    .map_err(unusable)?;
                Ok(signature)
            }
            Pair::Curve(pair) => {
                let signature = pair.sign(&random, message).map_err(unusable)?;
                Ok(signature.as_ref().to_vec())
            }
            Pair::Ed25519(pair) => {
                let signature = pair.try_sign(message).map_err(unusable)?;
                Ok(signature.as_ref().to_vec())
            }
        }
    }
}

/// `alg`, `typ: JWT`, and `kid` if given.
fn usual_header(algorithm: Algorithm, kid: Option<&str>) -> Vec<u8> {
    let mut header = json!({ "alg": algorithm.name(), "typ": "JWT" });
    if let (Some(members), Some(kid)) = (header.as_object_mut(), kid) {
        members.insert("kid".to_owned(), kid.into());
    }
    header.to_string().into_bytes()
}

/// What is signed (RFC 7515 section 5.1).
fn signing_input(header: &[u8], claims: &[u8]) -> String {
    let (header, claims) = (URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    format!("{header}.{claims}")
}

fn curve(algorithm: Algorithm) -> Result<(&'static EcdsaSigningAlgorithm, &'static str), MintError> {
    match algorithm {
        Algorithm::Es256 => Ok((&ECDSA_P256_SHA256_FIXED_SIGNING, "P-256")),
        Algorithm::Es384 => Ok((&ECDSA_P384_SHA384_FIXED_SIGNING, "P-384")),
        other => Err(MintError::Algorithm(other.name())),
    }
}

fn encoding(algorithm: Algorithm) -> Result<&'static dyn RsaEncoding, MintError> {
    Ok(match algorithm {
        Algorithm::Rs256 => &RSA_PKCS1_SHA256,
        Algorithm::Rs384 => &RSA_PKCS1_SHA384,
        Algorithm::Rs512 => &RSA_PKCS1_SHA512,
        Algorithm::Ps256 => &RSA_PSS_SHA256,
        Algorithm::Ps384 => &RSA_PSS_SHA384,
        Algorithm::Ps512 => &RSA_PSS_SHA512,
        other => return Err(MintError::Algorithm(other.name())),
    })
}
