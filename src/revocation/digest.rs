//! What an entry is found by: 128 bits of what it names, under a key that only this gateway and its store know.
//!
//! Two names that meet in one digest would let one token's revocation refuse another, so the hash is keyed and wide:
//! whoever can choose names, an issuer's users for instance, cannot aim, and among millions none meet by chance.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::num::NonZeroU64;
use std::str::FromStr;

use siphasher::sip128::{Hasher128 as _, SipHasher24};

use super::Named;

/// The key under which names are hashed.
#[derive(Clone, Copy)]
pub struct DigestKey([u8; 16]);

/// What an entry is found by; as text, 32 hexadecimal digits. In two halves, of which one is never zero, so that it lies
/// anywhere in memory and its absence costs nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest {
    high: NonZeroU64,
    low: u64,
}

/// A text that is no digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoDigest;

/// A digest is as good as random already.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct AsItIs(u64);

// === impl DigestKey ===

impl DigestKey {
    /// Takes 16 random bytes.
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// For entries that end with the process.
    pub fn random() -> Self {
        let mut bytes = [0; 16];
        // It fails where the system has no randomness; then no TLS works either. Names are still kept apart.
        let _ = aws_lc_rs::rand::fill(&mut bytes);
        Self(bytes)
    }

    /// What an entry for `name` of `issuer` is found by; for [`Named::Issuer`] the name is empty.
    pub fn digest(&self, named: Named, issuer: &str, name: &str) -> Digest {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(&[named as u8]);
        // The length keeps apart what would be the same text in a row.
        hasher.write(&(issuer.len() as u64).to_le_bytes());
        hasher.write(issuer.as_bytes());
        hasher.write(name.as_bytes());
        let hash = hasher.finish128();
        Digest {
            high: NonZeroU64::new(hash.h2).unwrap_or(NonZeroU64::MIN),
            low: hash.h1,
        }
    }
}

impl fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DigestKey(..)")
    }
}

// === impl Digest ===

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.high, self.low)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = NoDigest;

    fn from_str(text: &str) -> Result<Self, NoDigest> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != 32 || !text.bytes().all(is_digit) {
            return Err(NoDigest);
        }
        let (high, low) = text.split_at_checked(16).ok_or(NoDigest)?;
        let half = |text: &str| u64::from_str_radix(text, 16).map_err(|_| NoDigest);
        Ok(Self {
            high: NonZeroU64::new(half(high)?).ok_or(NoDigest)?,
            low: half(low)?,
        })
    }
}

impl Hash for Digest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.low);
    }
}

// === impl AsItIs ===

impl Hasher for AsItIs {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
