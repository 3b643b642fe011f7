//! Tokens signed with a secret that issuer and gateway share (HS256, HS384, HS512).
//! Apart from key pairs, because a secret has no public half: nothing here can be shown to anybody.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::{MintError, signing_input, usual_header};
use crate::secret::Secret;
use crate::token::Algorithm;

/// A secret that signs with one algorithm.
#[derive(Debug)]
pub struct SharedSecret {
    algorithm: Algorithm,
    hash: hmac::Algorithm,
    secret: Secret<Vec<u8>>,
}

// === impl SharedSecret ===

impl SharedSecret {
    /// These bytes, whatever they are worth: it is the gateway that judges them.
    ///
    /// # Errors
    /// When the algorithm needs a key pair.
    pub fn new(algorithm: Algorithm, secret: Vec<u8>) -> Result<Self, MintError> {
        let hash = match algorithm {
            Algorithm::Hs256 => hmac::HMAC_SHA256,
            Algorithm::Hs384 => hmac::HMAC_SHA384,
            Algorithm::Hs512 => hmac::HMAC_SHA512,
            other => return Err(MintError::Secret(other.name())),
        };
        Ok(Self {
            algorithm,
            hash,
            secret: Secret::new(secret),
        })
    }

    /// A new secret as text for a file: as many random bytes as the hash has, in base64url.
    ///
    /// # Errors
    /// When the algorithm needs a key pair, or the system has no randomness.
    pub fn generate(algorithm: Algorithm) -> Result<Secret<String>, MintError> {
        let mut bytes = vec![0; algorithm.secret_bytes_min()];
        if bytes.is_empty() {
            return Err(MintError::Secret(algorithm.name()));
        }
        SystemRandom::new()
            .fill(&mut bytes)
            .map_err(|_| MintError::Crypto("generated"))?;
        Ok(Secret::new(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Signs a token with the usual header: `alg`, `typ: JWT`, and `kid` if given.
    pub fn mint(&self, kid: Option<&str>, claims: &Value) -> String {
        self.sign(&usual_header(self.algorithm, kid), claims.to_string().as_bytes())
    }

    /// Signs whatever header and claims it is given.
    pub fn sign(&self, header: &[u8], claims: &[u8]) -> String {
        let signed = signing_input(header, claims);
        let key = hmac::Key::new(self.hash, self.secret.expose());
        let signature = hmac::sign(&key, signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}
