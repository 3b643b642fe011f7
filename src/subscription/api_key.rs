//! API keys: what is kept of one, and how it is found again.
//!
//! A key is never kept. What is kept is its HMAC-SHA256 under a secret of the gateway, and a caller's key is looked up by
//! the whole of that: comparing takes no time that depends on how much of a guess is right, and who reads the store
//! cannot try guesses without the secret. A key that is not well formed is hashed and looked up like any other.

use std::fmt;

use aws_lc_rs::hmac;

use crate::id::{ApplicationId, PlanId};
use crate::time::UnixTime;

/// The shortest key, in characters.
pub const API_KEY_BYTES_MIN: usize = 8;
/// The longest key, in characters: 256 bits in hexadecimal.
pub const API_KEY_BYTES_MAX: usize = 64;

/// What is kept of a key: its HMAC-SHA256 under the gateway's secret.
pub type ApiKeyHash = [u8; 32];

/// The secret under which keys are hashed.
#[derive(Clone)]
pub struct ApiKeySecret(hmac::Key);

/// A key that was given out.
pub struct ApiKey {
    /// Its id, which is no secret.
    pub id: Box<str>,
    /// Whose subscription.
    pub application: ApplicationId,
    /// To what.
    pub plan: PlanId,
    pub(super) hash: ApiKeyHash,
    /// No longer good at or after.
    pub(super) expires_at: Option<UnixTime>,
    /// It was taken back.
    pub(super) revoked: bool,
}

/// Why a key is no good. Callers are never told which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ApiKeyError {
    /// It is not 8 to 64 characters that mean themselves in a URL.
    Malformed,
    /// Nobody has it, or nobody alone.
    Unknown,
    /// It was taken back.
    Revoked,
    /// Its time is over.
    Expired,
    /// It is for another plan than those that are on offer here.
    OtherPlan,
}

/// Whether a text can be a key: 8 to 64 characters that mean themselves in a URL (RFC 3986 section 2.3).
pub fn is_api_key(text: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    (API_KEY_BYTES_MIN..=API_KEY_BYTES_MAX).contains(&text.len()) && text.bytes().all(unreserved)
}

// === impl ApiKeySecret ===

impl ApiKeySecret {
    /// Takes 32 random bytes.
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// What is kept of `key`.
    pub fn hash(&self, key: &str) -> ApiKeyHash {
        let mut hash = [0; 32];
        let tag = hmac::sign(&self.0, key.as_bytes());
        for (to, from) in hash.iter_mut().zip(tag.as_ref()) {
            *to = *from;
        }
        hash
    }
}

impl fmt::Debug for ApiKeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKeySecret(..)")
    }
}

// === impl ApiKey ===

impl ApiKey {
    /// Whether it is good at `now`.
    pub(super) fn is_good(&self, now: UnixTime) -> Result<(), ApiKeyError> {
        if self.revoked {
            return Err(ApiKeyError::Revoked);
        }
        match self.expires_at {
            Some(end) if now >= end => Err(ApiKeyError::Expired),
            _ => Ok(()),
        }
    }
}

/// Shows no hash: who has it can tell whether a guess is right, if the secret is known, too.
impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey")
            .field("id", &self.id)
            .field("application", &self.application)
            .field("plan", &self.plan)
            .finish_non_exhaustive()
    }
}

// === impl ApiKeyError ===

impl ApiKeyError {
    /// Every reason there is.
    pub const ALL: [Self; 5] = [
        Self::Malformed,
        Self::Unknown,
        Self::Revoked,
        Self::Expired,
        Self::OtherPlan,
    ];

    /// The stable word for logs and metrics.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Malformed => "api_key_malformed",
            Self::Unknown => "api_key_unknown",
            Self::Revoked => "api_key_revoked",
            Self::Expired => "api_key_expired",
            Self::OtherPlan => "api_key_for_other_plan",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_8_to_64_characters_that_mean_themselves_in_a_url() {
        for good in ["abcdefgh", "A-z_0.9~", &"k".repeat(64)] {
            assert!(is_api_key(good), "{good}");
        }
        for bad in [
            "",
            "abcdefg",
            &"k".repeat(65),
            "abcdefg+",
            "abcdefg ",
            "abcdéfgh",
            "abc/defgh",
        ] {
            assert!(!is_api_key(bad), "{bad}");
        }
    }

    #[test]
    fn a_hash_is_the_hmac_of_the_key_under_the_secret() {
        let secret = ApiKeySecret::new(&[7; 32]);
        // Computed with Python's `hmac`.
        let hash = secret.hash("abcdefgh").map(|byte| format!("{byte:02x}")).concat();
        assert_eq!(
            hash,
            "63511681d7709dc65c0ad316dd9bedb7b04e0b4b4315430cdcf7b408f344f46c"
        );
        assert_ne!(
            secret.hash("abcdefgh"),
            ApiKeySecret::new(&[8; 32]).hash("abcdefgh")
        );
        assert_eq!(format!("{secret:?}"), "ApiKeySecret(..)");
    }
}
