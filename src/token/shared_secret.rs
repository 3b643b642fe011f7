//! Whether a shared secret is one.
//!
//! Whoever guesses an HMAC secret signs any token, and guessing needs nothing but one token and time. So a secret has at
//! least the length of the hash (RFC 7518 section 3.2), is none that stands in books and tutorials, and is not a short
//! word written over and over. A key of another kind in its place is refused, too: a public key is known to everybody
//! (CVE-2015-9235 is exactly that).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::algorithm::{Algorithm, AlgorithmSet};
use super::key::{KeyError, SECRET_BYTES_MAX};

/// How a secret is written in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SecretEncoding {
    /// The bytes of the file are the secret, without line breaks at their end.
    #[default]
    Text,
    /// Base64 with `+`, `/` and padding (RFC 4648 section 4).
    Base64,
    /// Base64url without padding (RFC 4648 section 5).
    Base64Url,
    /// Hexadecimal digits.
    Hex,
}

/// Secrets of at least 32 bytes that anybody can look up; shorter ones are refused for their length.
const KNOWN: [&str; 8] = [
    // jwt.io and its copies.
    "a-string-secret-at-least-256-bits-long",
    "a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
    "your-256-bit-secret-your-256-bit-secret",
    "your-256-bit-secret-key-that-is-long-enough",
    "your-super-secret-jwt-token-with-at-least-32-characters-long",
    "this-is-a-very-long-secret-key-for-hmac",
    "this_is_a_very_long_secret_key_that_nobody_knows",
    "super-secret-jwt-token-with-at-least-32-characters-long",
];
/// The same in base64url: RFC 7515 appendix A.1, RFC 7520 section 3.5, RFC 7517 appendix A.3.
const KNOWN_ENCODED: [&str; 3] = [
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
    "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg",
    "GawgguFyGrWKav7AX4VKUg",
];
/// A secret in which fewer different bytes occur is a pattern.
const DIFFERENT_BYTES_MIN: usize = 8;
/// A piece that is repeated all through a secret makes it as weak as the piece.
const PERIOD_BYTES_MAX: usize = 16;

// === impl SecretEncoding ===

impl SecretEncoding {
    /// The secret in a file.
    ///
    /// # Errors
    /// When the file is not written so.
    pub fn decode(self, file: &[u8]) -> Result<Vec<u8>, KeyError> {
        let text = file.trim_ascii_end();
        let malformed = |what| KeyError::Text(format!("the file holds no {what}"));
        match self {
            // Only line breaks: a blank at the end may be part of the secret.
            Self::Text => {
                let end = file.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n'));
                Ok(end.and_then(|end| file.get(..=end)).unwrap_or_default().to_vec())
            }
            Self::Base64 => STANDARD
                .decode(text)
                .map_err(|_| malformed("base64 with padding")),
            Self::Base64Url => URL_SAFE_NO_PAD
                .decode(text)
                .map_err(|_| malformed("base64url without padding")),
            Self::Hex => {
                let digit = |digit: &u8| char::from(*digit).to_digit(16);
                let bytes = text.chunks(2).map(|pair| match pair {
                    [high, low] => u8::try_from(digit(high)? * 16 + digit(low)?).ok(),
                    _ => None,
                });
                bytes
                    .collect::<Option<_>>()
                    .ok_or_else(|| malformed("pairs of hexadecimal digits"))
            }
        }
    }
}

/// Judges a secret for those of `algorithms` that use one.
///
/// # Errors
/// What is wrong with it. The secret itself is never part of the message.
pub(super) fn judge(secret: &[u8], algorithms: AlgorithmSet) -> Result<(), KeyError> {
    let strongest = Algorithm::ALL
        .into_iter()
        .filter(|algorithm| algorithms.contains(*algorithm))
        .max_by_key(|algorithm| algorithm.secret_bytes_min());
    if let Some(algorithm) = strongest
        && secret.len() < algorithm.secret_bytes_min()
    {
        return Err(KeyError::SecretTooShort {
            algorithm: algorithm.name(),
            min: algorithm.secret_bytes_min(),
            found: secret.len(),
        });
    }
    if secret.len() > SECRET_BYTES_MAX {
        return Err(KeyError::SecretTooLong);
    }
    let is_json = || serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(secret).is_ok();
    if secret.windows(11).any(|part| part == b"-----BEGIN ") || secret.starts_with(b"ssh-") || is_json() {
        return Err(KeyError::SecretWeak("it is a key or a document of another kind"));
    }
    let known = KNOWN.iter().any(|known| known.as_bytes() == secret)
        || KNOWN_ENCODED.iter().any(|known| {
            known.as_bytes() == secret || URL_SAFE_NO_PAD.decode(known).is_ok_and(|known| known == secret)
        });
    if known {
        return Err(KeyError::SecretWeak("it stands in public documentation"));
    }
    let mut seen = [false; 256];
    for byte in secret {
        if let Some(seen) = seen.get_mut(usize::from(*byte)) {
            *seen = true;
        }
    }
    let different = seen.iter().filter(|seen| **seen).count();
    let repeats = (1..=PERIOD_BYTES_MAX)
        .any(|period| secret.iter().zip(secret.iter().skip(period)).all(|(a, b)| a == b));
    if different < DIFFERENT_BYTES_MIN || repeats {
        return Err(KeyError::SecretWeak("it is a short pattern, repeated"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(secret: &[u8], algorithms: &[Algorithm], expected: Result<(), &str>) {
        let judged = judge(secret, algorithms.iter().copied().collect());
        let judged = judged.map_err(|error| error.to_string());
        match (judged, expected) {
            (Ok(()), Ok(())) => {}
            (Err(error), Err(part)) => assert!(error.contains(part), "{secret:?}: {error}"),
            (judged, expected) => panic!("{secret:?}: {judged:?}, not {expected:?}"),
        }
    }

    #[test]
    fn a_secret_is_read_as_the_operator_says_it_is_written() {
        use SecretEncoding::{Base64, Base64Url, Hex, Text};
        for (encoding, file, expected) in [
            (Text, "secret\n", Some("secret")),
            (Text, "secret \r\n\n", Some("secret ")),
            (Text, "\n", Some("")),
            (Base64, "c2VjcmV0Pz8/Cg==\n", Some("secret???\n")),
            (Base64, "c2VjcmV0Pz8_Cg", None),
            (Base64Url, "c2VjcmV0Pz8_Cg \n", Some("secret???\n")),
            (Base64Url, "c2VjcmV0Pz8_Cg==", None),
            (Base64Url, "c2 VjcmV0", None),
            (Hex, "736563726574\n", Some("secret")),
            (Hex, "73656372657", None),
            (Hex, "7365637265zz", None),
            (Hex, "+3", None),
        ] {
            let decoded = encoding.decode(file.as_bytes()).ok();
            assert_eq!(
                decoded.as_deref(),
                expected.map(str::as_bytes),
                "{encoding:?} {file:?}"
            );
        }
    }

    #[test]
    fn a_secret_is_long_unknown_and_no_pattern() {
        use Algorithm::{Hs256, Hs384, Hs512};
        let random = |length: u8| (0..length).map(|i| i.wrapping_mul(37) ^ 0x5a).collect::<Vec<_>>();
        check(&random(32), &[Hs256], Ok(()));
        check(
            &random(31),
            &[Hs256],
            Err("HS256 must have at least 32 bytes, this one has 31"),
        );
        check(&random(47), &[Hs256, Hs384], Err("HS384 must have at least 48"));
        check(&random(48), &[Hs384], Ok(()));
        check(&random(63), &[Hs512, Hs256], Err("HS512 must have at least 64"));
        check(&random(64), &[Hs512, Hs256], Ok(()));
        check(b"", &[Hs256], Err("this one has 0"));
        let long: Vec<u8> = (0..1025_u32).map(|i| (i * i / 7) as u8).collect();
        check(&long[..1024], &[Hs256], Ok(()));
        check(&long, &[Hs256], Err("at most 1024 bytes"));
        for known in KNOWN.iter().chain(&KNOWN_ENCODED[..2]) {
            check(known.as_bytes(), &[Hs256], Err("public documentation"));
        }
        for encoded in &KNOWN_ENCODED[..2] {
            check(
                &URL_SAFE_NO_PAD.decode(encoded).unwrap(),
                &[Hs256],
                Err("public documentation"),
            );
        }
        check(&[0; 64], &[Hs256], Err("short pattern"));
        check(&[b'x'; 64], &[Hs256], Err("short pattern"));
        check(&b"secret".repeat(8), &[Hs256], Err("short pattern"));
        check(&b"my-secret-key!".repeat(4), &[Hs256], Err("short pattern"));
        check(
            b"abcabcabcabcabcabcabcabcabcabcabcabd",
            &[Hs256],
            Err("short pattern"),
        );
        check(
            b"-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOC",
            &[Hs256],
            Err("another kind"),
        );
        check(
            b"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQC7",
            &[Hs256],
            Err("another kind"),
        );
        // Random bytes may begin with anything.
        check(&[b"{", &random(40)[..]].concat(), &[Hs256], Ok(()));
        check(
            br#"{"kty":"oct","k":"abcdefghijklmnopqrstuvwxyz"}"#,
            &[Hs256],
            Err("another kind"),
        );
    }
}
