//! A compact JWS in, a [`VerifiedToken`] out.
//!
//! This is our own strict pass over borrowed data, because it is what the gateway exists for: a token has one spelling,
//! no member twice, one algorithm that the operator named, one key that was here before the token came (RFC 7515,
//! RFC 7519, RFC 8725). Time and keys are arguments; nothing is fetched, logged or locked. Checks run in a fixed order
//! and the first failure answers, with one word of a closed set ([`TokenError`]).

mod algorithm;
mod answer;
mod cache;
mod claims;
mod error;
mod fingerprint;
mod header;
mod hint;
mod history;
mod jwks;
mod jws;
mod key;
mod key_text;
mod literal;
mod price;
mod profile;
mod rules;
mod shared_secret;
#[cfg(test)]
mod tests;
mod verify;
mod vouched;
mod weak;

pub mod json;

pub use algorithm::{Algorithm, AlgorithmSet, KeyKind};
pub use answer::{
    ANSWER_BYTES_MAX, ANSWER_SERVES, AnswerError, AnswerTerms, AnsweredToken, has_three_parts, judge_answer,
    judge_opaque, read_answer,
};
pub use cache::{CACHE_ENTRIES_MAX, Cache, Hit, TokenDigest};
pub use claims::{Audience, OwnedAudience};
pub use error::TokenError;
pub use fingerprint::{Fingerprint, FingerprintError};
pub use hint::{KeyHint, OwnedKeyHint};
pub use history::KeyHistory;
pub use jwks::{JWKS_BYTES_MAX, JWKS_KEYS_MAX, Jwks, JwksError, KID_BYTES_MAX, Skipped, parse_jwks};
pub use jws::{Scratch, TOKEN_BYTES_MAX};
pub use key::{Key, KeyError, KeySet};
pub use literal::Literal;
pub use profile::{ACCESS_TOKEN_TYPE, Profile};
pub use rules::{AcceptedAudiences, Audiences, Rules, TokenTypes};
pub use shared_secret::SecretEncoding;
pub use verify::{KeyedToken, Probe, TokenCheck, UnverifiedToken, VerifiedToken};
pub use vouched::Vouched;
