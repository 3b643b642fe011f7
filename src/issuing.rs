//! The gateway as an issuer: who may have which token, and what it says.
//!
//! Nothing here listens, waits or reads a clock. A request is text, the moment and the randomness are arguments, and what
//! comes of it is a token or a [`Refusal`]; so the rules by which tokens are given out can be read and tested without a
//! server. What a client asks for never says who it is, for whom the token is, or how long it lives: those are the
//! operator's, and the names of such claims are refused wherever a client may bring claims.

mod clients;
mod custom;
mod grant;
mod keys;
mod password;
mod refusal;
mod request;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use clients::{Client, Clients, User};
pub use custom::{AllowedClaims, CustomRequest, RESERVED_CLAIMS};
pub use grant::{Grant, Issued, TokenId};
pub use keys::{KeyTime, OwnKey, OwnKeyError, OwnKeys};
pub use password::{PasswordHash, PasswordHashError, SALT_BYTES, hash_password};
pub use refusal::Refusal;
pub use request::{Authorization, Credentials, Form};

use crate::id::IssuerName;
use crate::identity::ClaimMapping;
use crate::issuer::Issuer;
use crate::token::{ACCESS_TOKEN_TYPE, AlgorithmSet, Audiences, Profile, Rules, TokenTypes};

/// The rules for tokens of a token service of this name: what it signs itself, and nothing else. Its clock is one.
pub fn own_rules(issuer: &IssuerName) -> Rules {
    let mut algorithms = AlgorithmSet::default();
    OwnKey::ALGORITHMS
        .into_iter()
        .for_each(|algorithm| algorithms.insert(algorithm));
    Rules {
        issuer: issuer.as_str().into(),
        algorithms,
        token_types: TokenTypes::only(ACCESS_TOKEN_TYPE),
        profile: Profile::Jwt,
        leeway: Duration::ZERO,
        max_lifetime: None,
        required_claims: Vec::new(),
    }
}

/// What the token service gives out, and to whom.
#[derive(Debug)]
pub struct TokenService {
    /// Its name: the `iss` of its tokens.
    pub issuer: IssuerName,
    /// Where clients find it, without a slash at the end; `None`: nobody has said.
    pub base: Option<Box<str>>,
    /// The `aud` of its tokens, at least one.
    pub audiences: Vec<Box<str>>,
    /// How long a token lives.
    pub lifetime: Duration,
    /// What it signs with.
    pub keys: OwnKeys,
    /// What its own tokens are like, when one is shown to it.
    pub rules: Rules,
    /// Who may ask.
    pub clients: Clients,
    /// What applications may add; `None`: nothing, and there are no such tokens.
    pub custom_claims: Option<AllowedClaims>,
    /// Whose tokens identify an application there.
    pub custom_issuers: Vec<CustomIssuer>,
}

/// An issuer whose tokens identify the application that asks for a token with claims of its own.
#[derive(Debug)]
pub struct CustomIssuer {
    /// Rules and keys.
    pub issuer: std::sync::Arc<Issuer>,
    /// What its claims mean.
    pub mapping: ClaimMapping,
    /// For whom its tokens must be.
    pub audiences: Audiences,
}
