//! Passwords and client secrets, of which only a hash is kept: argon2id (RFC 9106), in the form that everybody writes
//! (`$argon2id$v=19$m=...,t=...,p=...$salt$hash`).
//!
//! A hash has bounds on both sides. One that is cheap to compute is cheap to guess against, and one that takes a gigabyte
//! is a way for a stranger to stop the gateway by being wrong.

use std::fmt;

use argon2::password_hash::PasswordHash as Written;
use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// Random bytes beside each password.
pub const SALT_BYTES: usize = 16;
/// Memory, in KiB: 7 MiB is the least that anybody recommends, and two of the largest at a time are half a GiB.
const MEMORY_KIB: std::ops::RangeInclusive<u32> = 7 * 1024..=256 * 1024;
/// Memory times passes, in KiB: what OWASP's choices have in common (19 MiB twice, 7 MiB five times).
const WORK_KIB_MIN: u32 = 35 * 1024;
const PASSES_MAX: u32 = 16;
const LANES_MAX: u32 = 4;
/// OWASP's first choice that is easy on memory.
const NEW: (u32, u32, u32) = (19 * 1024, 2, 1);
const HASH_BYTES: std::ops::RangeInclusive<usize> = 16..=64;

/// A hash that a password can be compared with.
#[derive(Clone)]
pub struct PasswordHash {
    params: Params,
    salt: Box<[u8]>,
    hash: Box<[u8]>,
}

/// Why a text is no hash that may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordHashError {
    /// Something else.
    #[error("it is no argon2id hash; `tollgate hash-password` makes one")]
    Form,
    /// Guessing would be cheap.
    #[error(
        "it is too cheap to guess against: memory times passes must be at least 35 MiB, memory at least 7 MiB"
    )]
    Cheap,
    /// Comparing would be a way to stop the gateway.
    #[error("it costs too much to compute: at most 256 MiB, 16 passes and 4 lanes")]
    Dear,
}

/// Hashes a password, as `tollgate hash-password` prints it.
///
/// # Errors
/// When the password is longer than 4 GiB.
pub fn hash_password(password: &[u8], salt: [u8; SALT_BYTES]) -> Result<String, PasswordHashError> {
    let (memory, passes, lanes) = NEW;
    let params = Params::new(memory, passes, lanes, Some(32)).map_err(|_| PasswordHashError::Form)?;
    let hash = compute(params, password, &salt, 32).ok_or(PasswordHashError::Form)?;
    let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash));
    Ok(format!(
        "$argon2id$v=19$m={memory},t={passes},p={lanes}${salt}${hash}"
    ))
}

fn compute(params: Params, password: &[u8], salt: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut hash = vec![0; length];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(password, salt, &mut hash)
        .ok()?;
    Some(hash)
}

// === impl PasswordHash ===

impl PasswordHash {
    /// Reads a hash.
    ///
    /// # Errors
    /// When it is none, or its work is out of bounds.
    pub fn parse(text: &str) -> Result<Self, PasswordHashError> {
        let form = PasswordHashError::Form;
        let written = Written::new(text).map_err(|_| form)?;
        if written.algorithm.as_str() != "argon2id" || written.version != Some(Version::V0x13.into()) {
            return Err(form);
        }
        let params = Params::try_from(&written).map_err(|_| form)?;
        let mut bytes = [0; 64];
        let salt = written.salt.ok_or(form)?;
        let salt: Box<[u8]> = salt.decode_b64(&mut bytes).map_err(|_| form)?.into();
        let hash: Box<[u8]> = written.hash.ok_or(form)?.as_bytes().into();
        if !HASH_BYTES.contains(&hash.len()) {
            return Err(form);
        }
        let (memory, passes) = (params.m_cost(), params.t_cost());
        if memory > *MEMORY_KIB.end() || passes > PASSES_MAX || params.p_cost() > LANES_MAX {
            return Err(PasswordHashError::Dear);
        }
        if memory < *MEMORY_KIB.start() || memory.saturating_mul(passes) < WORK_KIB_MIN {
            return Err(PasswordHashError::Cheap);
        }
        Ok(Self { params, salt, hash })
    }

    /// Whether it is this password's. Takes the same time for every password of one length.
    pub fn is_of(&self, password: &[u8]) -> bool {
        let computed = compute(self.params.clone(), password, &self.salt, self.hash.len());
        computed.is_some_and(|computed| verify_slices_are_equal(&computed, &self.hash).is_ok())
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}
