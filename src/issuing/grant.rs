//! A token is granted: what it will say is decided here, and nothing in it is a client's word but the claims that were
//! allowed and the choice among the application's scopes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::{Map, Value};

use super::TokenService;
use super::clients::Client;
use super::refusal::Refusal;
use crate::id::ApplicationId;
use crate::time::UnixTime;
use crate::token::TOKEN_BYTES_MAX;

/// A token's own name: 128 random bits.
pub type TokenId = [u8; 16];

/// Who gets a token for what.
#[derive(Debug)]
pub struct Grant<'g> {
    /// Whom it is about: the user, or the application itself.
    pub subject: &'g str,
    /// Whose it is.
    pub application: &'g ApplicationId,
    /// How the gateway's plans will know the application.
    pub client_id: Option<&'g str>,
    /// What it allows, as RFC 6749 section 3.3 writes it; empty: nothing.
    pub scope: String,
    /// What the application adds.
    pub custom: Map<String, Value>,
}

/// A token, and what there is to say of it.
#[derive(Debug)]
pub struct Issued {
    /// The token.
    pub token: String,
    /// Its `jti`.
    pub id: String,
    /// Under which key.
    pub kid: Box<str>,
    /// In how many seconds it is over.
    pub expires_in: u64,
    /// Its scopes; empty: none.
    pub scope: String,
}

/// RFC 9068 section 2.2, with the application's id beside its client id.
#[derive(Serialize)]
struct Claims<'c> {
    iss: &'c str,
    sub: &'c str,
    aud: Audience<'c>,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: &'c str,
    app_id: &'c str,
    #[serde(skip_serializing_if = "Option::is_none")]
    azp: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'c str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    scope: &'c str,
    #[serde(flatten)]
    custom: &'c Map<String, Value>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Audience<'c> {
    One(&'c str),
    Many(&'c [Box<str>]),
}

// === impl Client ===

impl Client {
    /// The scopes that are asked for, if the application may have all of them; without a word on it, all that it may have.
    ///
    /// # Errors
    /// [`Refusal::InvalidScope`]: less than what was asked for is never given in its place.
    pub fn scope(&self, asked: Option<&str>) -> Result<String, Refusal> {
        let Some(asked) = asked else {
            return Ok(self.scopes.join(" "));
        };
        let mut granted: Vec<&str> = Vec::new();
        for scope in asked.split(' ') {
            // An empty one is a space too many: the grammar knows one between two (RFC 6749 section 3.3).
            if !self.scopes.iter().any(|own| **own == *scope) {
                return Err(Refusal::InvalidScope);
            }
            if !granted.contains(&scope) {
                granted.push(scope);
            }
        }
        Ok(granted.join(" "))
    }
}

// === impl TokenService ===

impl TokenService {
    /// Signs what is granted.
    ///
    /// # Errors
    /// [`Refusal::NoKey`] if no key signs at this moment.
    pub fn issue(&self, grant: Grant<'_>, id: TokenId, now: UnixTime) -> Result<Issued, Refusal> {
        let Grant {
            subject,
            application,
            client_id,
            scope,
            custom,
        } = grant;
        let key = self.keys.signing(now).ok_or(Refusal::NoKey)?;
        let jti = URL_SAFE_NO_PAD.encode(id);
        let claims = Claims {
            iss: self.issuer.as_str(),
            sub: subject,
            aud: match self.audiences.as_slice() {
                [one] => Audience::One(one),
                many => Audience::Many(many),
            },
            iat: now.seconds(),
            nbf: now.seconds(),
            exp: now.plus(self.lifetime).seconds(),
            jti: &jti,
            app_id: application.as_str(),
            azp: client_id,
            client_id,
            scope: &scope,
            custom: &custom,
        };
        let claims = serde_json::to_vec(&claims).map_err(|_| Refusal::NoKey)?;
        let token = key.sign(&claims).map_err(|_| Refusal::NoKey)?;
        // A token that this gateway would refuse for its length is worth nothing.
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Refusal::ClaimRefused("the token would be longer than 16 KiB"));
        }
        Ok(Issued {
            token,
            id: jti,
            kid: key.kid().into(),
            expires_in: self.lifetime.as_secs(),
            scope,
        })
    }
}
