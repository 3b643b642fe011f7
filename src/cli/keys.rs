//! `tollgate keygen` and `tollgate token`: signing keys and tokens for trying things out.
//! A private key is written for its owner only (mode 0600), and never over a file that exists.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value, json};

use super::{fail, say};
use crate::exit;
use crate::mint::{MintError, SharedSecret, SigningKey};
use crate::time::Clock;
use crate::token::{Algorithm, KeyKind, SecretEncoding};

/// Makes a signing key.
#[derive(Debug, Args)]
pub(super) struct Keygen {
    /// RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 or EdDSA; HS256, HS384 or HS512 make a secret to share.
    #[arg(long, default_value = "ES256", value_parser = algorithm)]
    algorithm: Algorithm,
    /// The key id in the JWKS.
    #[arg(long, default_value = "key-1")]
    kid: String,
    /// Where the private key goes (PKCS #8 PEM, mode 0600), or the secret (base64url, mode 0600).
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Where the public key goes (PEM).
    #[arg(long, value_name = "FILE")]
    public_out: Option<PathBuf>,
    /// Where the public key goes (JWKS); without it, the JWKS is printed.
    #[arg(long, value_name = "FILE")]
    jwks_out: Option<PathBuf>,
}

/// Mints a token.
#[derive(Debug, Args)]
pub(super) struct Token {
    /// The private key (PKCS #8 PEM), or the secret as `keygen` writes it.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The key's algorithm.
    #[arg(long, default_value = "ES256", value_parser = algorithm)]
    algorithm: Algorithm,
    /// The key id in the token's header.
    #[arg(long)]
    kid: Option<String>,
    /// `iss`
    #[arg(long)]
    issuer: String,
    /// `aud`; may be given several times.
    #[arg(long)]
    audience: Vec<String>,
    /// `sub`
    #[arg(long)]
    subject: Option<String>,
    /// `scope`
    #[arg(long)]
    scope: Option<String>,
    /// Any claim: NAME=VALUE; a value that is JSON is taken as JSON, everything else as a string.
    #[arg(long = "claim", value_name = "NAME=VALUE", value_parser = claim)]
    claims: Vec<(String, Value)>,
    /// How long the token is valid.
    #[arg(long, default_value = "1h", value_parser = humantime::parse_duration)]
    ttl: Duration,
}

// === impl Keygen ===

impl Keygen {
    pub(super) fn run(self) -> ExitCode {
        let Self {
            algorithm,
            kid,
            out,
            public_out,
            jwks_out,
        } = self;
        if algorithm.key_kind() == KeyKind::Secret {
            if public_out.is_some() || jwks_out.is_some() {
                return fail(
                    exit::FAILED,
                    "a secret has no public half: there is nothing to publish",
                );
            }
            return match SharedSecret::generate(algorithm).map(|secret| write_private(&out, secret.expose()))
            {
                Ok(Ok(())) => ExitCode::SUCCESS,
                Ok(Err(error)) => fail(exit::FAILED, &format!("{}: {error}", out.display())),
                Err(error) => fail(exit::FAILED, &error.to_string()),
            };
        }
        let key = match SigningKey::generate(algorithm) {
            Ok(key) => key,
            Err(error) => return fail(exit::FAILED, &error.to_string()),
        };
        if let Err(error) = write_private(&out, key.to_pem().expose()) {
            return fail(exit::FAILED, &format!("{}: {error}", out.display()));
        }
        let jwks = jwks(&key, &kid);
        let public = [(public_out, key.public_pem()), (jwks_out.clone(), jwks.clone())];
        for (path, text) in public {
            let Some(path) = path else { continue };
            if let Err(error) = std::fs::write(&path, text) {
                return fail(exit::FAILED, &format!("{}: {error}", path.display()));
            }
        }
        if jwks_out.is_none() {
            say(&jwks);
        }
        ExitCode::SUCCESS
    }
}

// === impl Token ===

impl Token {
    pub(super) fn run(self) -> ExitCode {
        let text = match std::fs::read_to_string(&self.key) {
            Ok(text) => text,
            Err(error) => return fail(exit::FAILED, &format!("{}: {error}", self.key.display())),
        };
        match self.mint(&text) {
            Ok(token) => {
                say(&token);
                ExitCode::SUCCESS
            }
            Err(error) => fail(exit::FAILED, &format!("{}: {error}", self.key.display())),
        }
    }

    fn mint(&self, text: &str) -> Result<String, MintError> {
        let kid = self.kid.as_deref();
        if self.algorithm.key_kind() == KeyKind::Secret {
            let secret = SecretEncoding::Base64Url.decode(text.as_bytes());
            let secret = secret.map_err(|_| MintError::Pem(self.algorithm.name()))?;
            return Ok(SharedSecret::new(self.algorithm, secret)?.mint(kid, &self.payload()));
        }
        SigningKey::from_pem(self.algorithm, text)?.mint(kid, &self.payload())
    }

    fn payload(&self) -> Value {
        let now = Clock.now();
        let mut claims = Map::new();
        claims.insert("iss".to_owned(), json!(self.issuer));
        claims.insert("iat".to_owned(), json!(now.seconds()));
        claims.insert("exp".to_owned(), json!(now.plus(self.ttl).seconds()));
        match self.audience.as_slice() {
            [] => {}
            [one] => {
                claims.insert("aud".to_owned(), json!(one));
            }
            many => {
                claims.insert("aud".to_owned(), json!(many));
            }
        }
        for (name, value) in [("sub", &self.subject), ("scope", &self.scope)] {
            if let Some(value) = value {
                claims.insert(name.to_owned(), json!(value));
            }
        }
        claims.extend(self.claims.iter().cloned());
        Value::Object(claims)
    }
}

/// A key set document with one key.
pub(super) fn jwks(key: &SigningKey, kid: &str) -> String {
    format!("{:#}", json!({ "keys": [key.public_jwk(kid)] }))
}

/// Writes a file that only its owner can read, and that was not there before.
pub(super) fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn algorithm(text: &str) -> Result<Algorithm, String> {
    let names: Vec<&str> = Algorithm::ALL.iter().map(|algorithm| algorithm.name()).collect();
    Algorithm::parse(text).ok_or_else(|| format!("algorithms are {}", names.join(", ")))
}

fn claim(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("a claim is NAME=VALUE")?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
    Ok((name.to_owned(), value))
}
