//! Signature algorithms by their JOSE names (RFC 7518 section 3.1, RFC 8037, RFC 9864), and sets of them.
//!
//! A name is compared byte for byte: `none`, `None` and `RS256 ` are simply not in the list. What an issuer allows is
//! an [`AlgorithmSet`]; there is no default set, and the token never chooses (RFC 8725 section 3.1).

use std::time::Duration;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, VerificationAlgorithm,
};

use super::price;

/// A signature algorithm: with a public key, or with a secret that issuer and gateway share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are those of RFC 7518 section 3.1")]
pub enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    Es512,
    /// `EdDSA` (RFC 8037) and `Ed25519` (RFC 9864): one algorithm, two names.
    Ed25519,
    Hs256,
    Hs384,
    Hs512,
}

/// The kind of key that an algorithm needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "key types and curves of RFC 7518 section 6 and RFC 8037"
)]
pub enum KeyKind {
    Rsa,
    P256,
    P384,
    P521,
    Ed25519,
    /// A shared secret (RFC 7518 section 3.2). Never found among public keys.
    Secret,
}

/// How an algorithm checks a signature.
pub(super) enum Check {
    /// With a public key.
    Public(&'static dyn VerificationAlgorithm),
    /// With a shared secret.
    Secret(hmac::Algorithm),
}

/// A set of algorithms, as small as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AlgorithmSet(u16);

// === impl Algorithm ===

impl Algorithm {
    /// Every algorithm there is.
    pub const ALL: [Self; 13] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::Ed25519,
        Self::Hs256,
        Self::Hs384,
        Self::Hs512,
    ];

    /// The algorithm called `name`, byte for byte.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "ES512" => Self::Es512,
            "EdDSA" | "Ed25519" => Self::Ed25519,
            "HS256" => Self::Hs256,
            "HS384" => Self::Hs384,
            "HS512" => Self::Hs512,
            _ => return None,
        })
    }

    /// Its first name, as it appears in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::Ed25519 => "EdDSA",
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
        }
    }

    /// The kind of key it needs.
    pub const fn key_kind(self) -> KeyKind {
        match self {
            Self::Rs256 | Self::Rs384 | Self::Rs512 | Self::Ps256 | Self::Ps384 | Self::Ps512 => KeyKind::Rsa,
            Self::Es256 => KeyKind::P256,
            Self::Es384 => KeyKind::P384,
            Self::Es512 => KeyKind::P521,
            Self::Ed25519 => KeyKind::Ed25519,
            Self::Hs256 | Self::Hs384 | Self::Hs512 => KeyKind::Secret,
        }
    }

    /// The least length of a shared secret in bytes: that of the hash (RFC 7518 section 3.2); 0 where there is none.
    pub const fn secret_bytes_min(self) -> usize {
        match self {
            Self::Hs256 => 32,
            Self::Hs384 => 48,
            Self::Hs512 => 64,
            _ => 0,
        }
    }

    /// aws-lc's part. ECDSA takes raw `r || s` of exact length only (RFC 7518 section 3.4); RSA keys have at least 2048
    /// bits (RFC 7518 section 3.3).
    pub(super) fn check(self) -> Check {
        Check::Public(match self {
            Self::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
            Self::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
            Self::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
            Self::Ps256 => &RSA_PSS_2048_8192_SHA256,
            Self::Ps384 => &RSA_PSS_2048_8192_SHA384,
            Self::Ps512 => &RSA_PSS_2048_8192_SHA512,
            Self::Es256 => &ECDSA_P256_SHA256_FIXED,
            Self::Es384 => &ECDSA_P384_SHA384_FIXED,
            Self::Es512 => &ECDSA_P521_SHA512_FIXED,
            Self::Ed25519 => &ED25519,
            Self::Hs256 => return Check::Secret(hmac::HMAC_SHA256),
            Self::Hs384 => return Check::Secret(hmac::HMAC_SHA384),
            Self::Hs512 => return Check::Secret(hmac::HMAC_SHA512),
        })
    }

    const fn bit(self) -> u16 {
        1 << (self as u16)
    }
}

// === impl AlgorithmSet ===

impl AlgorithmSet {
    /// Adds one.
    pub const fn insert(&mut self, algorithm: Algorithm) {
        self.0 |= algorithm.bit();
    }

    /// Whether it is in the set.
    pub const fn contains(self, algorithm: Algorithm) -> bool {
        self.0 & algorithm.bit() != 0
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The least CPU time that a signature check by one of them can take, nominally; nothing, if the set is empty.
    pub fn least_check_price(self) -> Option<Duration> {
        price::least(self)
    }

    /// Whether two sets share an algorithm.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl FromIterator<Algorithm> for AlgorithmSet {
    fn from_iter<I: IntoIterator<Item = Algorithm>>(algorithms: I) -> Self {
        let mut set = Self::default();
        for algorithm in algorithms {
            set.insert(algorithm);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_byte_for_byte() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::parse(algorithm.name()), Some(algorithm));
        }
        assert_eq!(Algorithm::parse("Ed25519"), Some(Algorithm::Ed25519));
        for name in [
            "none", "None", "NONE", "nOnE", "", "rs256", "RS256 ", "RS257", "HS1", "hs256", "ES256K", "Ed448",
        ] {
            assert_eq!(Algorithm::parse(name), None, "{name:?}");
        }
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let set: AlgorithmSet = [Algorithm::Rs256, Algorithm::Ed25519].into_iter().collect();
        for algorithm in Algorithm::ALL {
            let expected = matches!(algorithm, Algorithm::Rs256 | Algorithm::Ed25519);
            assert_eq!(set.contains(algorithm), expected, "{algorithm:?}");
        }
        assert!(AlgorithmSet::default().is_empty());
    }
}
