//! `[token_service]` and `[[user]]` as types. They stand apart because they are about tokens that the gateway gives out;
//! everything else in the language is about tokens that it is shown.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::ServerTls;
use crate::config::place::{Located, Place};

/// `[token_service]`: the gateway as an issuer.
#[derive(Debug, Clone)]
pub struct TokenService {
    /// Where the table is.
    pub place: Place,
    /// `address`, required: `ip:port`.
    pub address: Located<SocketAddr>,
    /// `tls`: its certificate. Without it `allow_http` must be true.
    pub tls: Option<ServerTls>,
    /// `allow_http`: plain HTTP. Default false.
    pub allow_http: bool,
    /// `issuer`, required: exactly the tokens' `iss`.
    pub issuer: Located<String>,
    /// `public_uri`: where clients find the service. Default the issuer, if that is a URL.
    pub public_uri: Option<Located<String>>,
    /// `audiences`, required: the tokens' `aud`.
    pub audiences: Vec<Located<String>>,
    /// `lifetime`, required: of a token, 1 min..=24 h.
    pub lifetime: Duration,
    /// `algorithm`, required: of keys that do not say their own.
    pub algorithm: Located<String>,
    /// `keys`, required, not empty.
    pub keys: Vec<ServiceKey>,
    /// `custom_claims`: what applications may add to their tokens. Default nothing.
    pub custom_claims: Option<Located<CustomClaims>>,
    /// `custom_issuers`: whose tokens identify an application there. Default none.
    pub custom_issuers: Vec<Located<String>>,
}

/// One entry of `token_service.keys`.
#[derive(Debug, Clone)]
pub struct ServiceKey {
    /// `kid`, required: the key id in tokens and in the JWKS.
    pub kid: Located<String>,
    /// `file`, required: a private key in PKCS #8 PEM, for its owner alone; already resolved.
    pub file: Located<PathBuf>,
    /// `algorithm`. Default the service's.
    pub algorithm: Option<Located<String>>,
    /// `generate`: a file that is absent is made. Default false.
    pub generate: bool,
    /// `not_before`: it signs nothing before, Unix seconds. Default always.
    pub not_before: Option<Located<i64>>,
    /// `retire_after`: it signs nothing from then on, Unix seconds. Default never.
    pub retire_after: Option<Located<i64>>,
}

/// `token_service.custom_claims`
#[derive(Debug, Clone)]
pub enum CustomClaims {
    /// `"danger-accept-any"`: all but those that say who somebody is.
    DangerAcceptAny,
    /// A list, not empty.
    AnyOf(Vec<Located<String>>),
}

/// `[[user]]`: somebody who may ask the token service for tokens.
#[derive(Debug, Clone)]
pub struct User {
    /// `name`, required: the `sub` of its tokens.
    pub name: Located<String>,
    /// `password_hash`, required: argon2id, as `tollgate hash-password` prints it.
    pub password_hash: Located<String>,
    /// `applications`, required: those for which it may ask.
    pub applications: Vec<Located<String>>,
}
