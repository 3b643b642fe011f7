//! Issuers that sign whatever a test asks for: honest tokens in one line, and each dishonest one in one word more.
//!
//! Keys are made when a test starts; none is kept in the tree.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};
use tollgate::mint::SigningKey;
use tollgate::token::Algorithm;

/// The audience of tokens that say nothing else.
const AUDIENCE: &str = "https://api.example.com";

/// Somebody who signs tokens with one key.
#[derive(Debug)]
pub(crate) struct Issuer {
    /// `iss`
    pub(crate) name: String,
    /// The key's id.
    pub(crate) kid: String,
    /// The key.
    pub(crate) key: SigningKey,
}

/// A token to be: good unless something is changed. For the client `mobile-app`, subject `alice`, audience
/// `https://api.example.com`, issued now, good for five minutes.
#[derive(Debug, Clone)]
pub(crate) struct Token<'i> {
    key: &'i SigningKey,
    header: Map<String, Value>,
    claims: Map<String, Value>,
    raw_header: Option<Vec<u8>>,
    raw_claims: Option<Vec<u8>>,
}

// === impl Issuer ===

impl Issuer {
    /// An issuer with a new key.
    pub(crate) fn new(name: &str, kid: &str, algorithm: Algorithm) -> Self {
        Self {
            name: name.to_owned(),
            kid: kid.to_owned(),
            key: SigningKey::generate(algorithm).unwrap(),
        }
    }

    /// Its key set, for a file or a key server.
    pub(crate) fn jwks(&self) -> String {
        Self::jwks_of(&[self])
    }

    /// The keys of several, as one set: rotations, and issuers with many keys.
    pub(crate) fn jwks_of(issuers: &[&Self]) -> String {
        let keys = issuers.iter().map(|issuer| issuer.key.public_jwk(&issuer.kid));
        json!({ "keys": keys.collect::<Vec<_>>() }).to_string()
    }

    /// A good token.
    pub(crate) fn token(&self) -> Token<'_> {
        let now = now();
        let object = |value: Value| match value {
            Value::Object(members) => members,
            _ => Map::new(),
        };
        Token {
            key: &self.key,
            header: object(json!({ "alg": self.key.algorithm().name(), "typ": "JWT", "kid": self.kid })),
            claims: object(json!({
                "iss": self.name,
                "sub": "alice",
                "azp": "mobile-app",
                "aud": AUDIENCE,
                "iat": now,
                "exp": now + 300,
            })),
            raw_header: None,
            raw_claims: None,
        }
    }
}

// === impl Token ===

impl<'i> Token<'i> {
    /// Sets a claim.
    pub(crate) fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// Takes a claim away.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.claims.remove(name).expect("the claim was there");
        self
    }

    /// Sets a parameter of the header.
    pub(crate) fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.to_owned(), value.into());
        self
    }

    /// Takes a parameter of the header away.
    pub(crate) fn without_header(mut self, name: &str) -> Self {
        self.header.remove(name).expect("the parameter was there");
        self
    }

    /// The client.
    pub(crate) fn client(self, id: &str) -> Self {
        self.claim("azp", id)
    }

    /// Scopes, separated by spaces.
    pub(crate) fn scopes(self, scopes: &str) -> Self {
        self.claim("scope", scopes)
    }

    /// Ended an hour ago.
    pub(crate) fn expired(self) -> Self {
        self.claim("iat", now() - 7200).claim("exp", now() - 3600)
    }

    /// Signed by somebody else's key; header and claims stay.
    pub(crate) fn signed_by(mut self, other: &'i Issuer) -> Self {
        self.key = &other.key;
        self
    }

    /// These bytes instead of the header.
    pub(crate) fn raw_header(mut self, bytes: &[u8]) -> Self {
        self.raw_header = Some(bytes.to_vec());
        self
    }

    /// These bytes instead of the claims.
    pub(crate) fn raw_claims(mut self, bytes: &[u8]) -> Self {
        self.raw_claims = Some(bytes.to_vec());
        self
    }

    /// The claims so far, as JSON text.
    pub(crate) fn claims_text(&self) -> String {
        Value::Object(self.claims.clone()).to_string()
    }

    /// Signed, in the compact form.
    pub(crate) fn text(&self) -> String {
        let text = |members: &Map<String, Value>| Value::Object(members.clone()).to_string().into_bytes();
        let header = self.raw_header.clone().unwrap_or_else(|| text(&self.header));
        let claims = self.raw_claims.clone().unwrap_or_else(|| text(&self.claims));
        self.key.sign(&header, &claims).unwrap()
    }
}

/// Seconds of unix time.
pub(crate) fn now() -> i64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "an issuer is another machine and has a clock of its own"
    )]
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(since.unwrap().as_secs()).unwrap()
}
