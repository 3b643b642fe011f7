//! The verification of one token: every check in the order of the standards, the first failure answers.
//! The claims are read before the signature is checked, for one thing only: whose rules and keys to use.

use std::sync::Arc;
use std::time::Duration;

use super::algorithm::Algorithm;
use super::claims::{self, Audience, Window};
use super::error::TokenError;
use super::header::Header;
use super::hint::{KeyHint, OwnedKeyHint};
use super::json::{JsonError, Object, Value, parse_object};
use super::jws::{Parts, Scratch, split};
use super::key::{Key, KeySet};
use super::rules::Rules;
use crate::time::UnixTime;

/// A token that has been taken apart. Its claims say nothing yet: they only tell whose keys to ask.
#[derive(Debug)]
pub struct UnverifiedToken<'t> {
    parts: Parts<'t>,
    header: Header<'t>,
    claims: Object<'t>,
}

/// A token with the one key that may have signed it. All that is left to do costs time: the signature is the next check.
#[derive(Debug)]
pub struct KeyedToken<'t> {
    token: UnverifiedToken<'t>,
    algorithm: Algorithm,
    key: Arc<Key>,
}

/// Claims whose signature, issuer, audience and lifetime have been checked.
///
/// There is no public constructor: holding one *is* the evidence that [`KeyedToken::verify`] succeeded.
///
/// ```compile_fail
/// # fn forge(claims: tollgate::token::json::Object<'_>, key: std::sync::Arc<tollgate::token::Key>) {
/// let forged = tollgate::token::VerifiedToken { claims, key };
/// # }
/// ```
#[derive(Debug)]
pub struct VerifiedToken<'t> {
    claims: Object<'t>,
    algorithm: Algorithm,
    hint: OwnedKeyHint,
    key: Arc<Key>,
    window: Window,
}

/// A check that a token passed, in the order of the checks.
#[derive(Debug, Clone, Copy)]
pub enum TokenCheck<'c> {
    /// `alg` is one of the issuer's.
    Algorithm(Algorithm),
    /// `typ` is one of the issuer's, or absent.
    Type(Option<&'c str>),
    /// There is one key for it.
    Key(&'c Key),
    /// The signature is the key's.
    Signature,
    /// The times are good, and the claims that the issuer must send are there.
    Times {
        /// The first moment at which they are good.
        from: UnixTime,
        /// The first moment at which they are good no longer.
        until: UnixTime,
    },
    /// A plan accepts the audience. That is the last check: this key has vouched for a token that is good.
    Audience(&'c Key),
}

/// Told where the expensive part begins and ends, and what a token has passed. The core reads no clock and writes no
/// line; an edge that wants to know how long signature checks take, or how far a token came, learns it here.
pub trait Probe {
    /// A signature is about to be checked.
    fn signature_begins(&mut self) {}
    /// It was checked, with either result.
    fn signature_ends(&mut self, _algorithm: Algorithm) {}
    /// A check is passed.
    fn passed(&mut self, _check: TokenCheck<'_>) {}
}

/// Wants to know nothing.
impl Probe for () {}

// === impl UnverifiedToken ===

impl<'t> UnverifiedToken<'t> {
    /// Takes a token apart: bounds, three canonical parts, header and claims as JSON objects.
    ///
    /// # Errors
    /// The first thing that is wrong with its form.
    pub fn parse(token: &'t str, scratch: &'t mut Scratch) -> Result<Self, TokenError> {
        let parts = split(token, scratch)?;
        let header = Header::parse(parts.header)?;
        let claims = parse_object(parts.claims).map_err(|error| match error {
            JsonError::Syntax => TokenError::ClaimsJson,
            JsonError::Duplicate => TokenError::DuplicateMember,
            JsonError::TooDeep => TokenError::TooDeep,
        })?;
        Ok(Self {
            parts,
            header,
            claims,
        })
    }

    /// What the token says of its issuer, good for looking up whose rules and keys to use and for nothing else.
    ///
    /// # Errors
    /// [`TokenError::IssuerMissing`] when `iss` is absent or no string.
    pub fn claimed_issuer(&self) -> Result<&str, TokenError> {
        self.claims
            .get("iss")
            .and_then(Value::as_str)
            .ok_or(TokenError::IssuerMissing)
    }

    /// Checks everything: [`UnverifiedToken::with_key`], then [`KeyedToken::verify`].
    ///
    /// # Errors
    /// The first check that fails.
    pub fn verify(
        self,
        rules: &Rules,
        keys: &KeySet,
        now: UnixTime,
        audience_accepted: impl FnOnce(Audience<'_>) -> bool,
        probe: &mut impl Probe,
    ) -> Result<VerifiedToken<'t>, TokenError> {
        self.with_key(rules, keys, probe)?
            .verify(rules, now, audience_accepted, probe)
    }

    /// The checks that cost nothing: algorithm and type, and whether there is a key.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn with_key(
        self,
        rules: &Rules,
        keys: &KeySet,
        probe: &mut impl Probe,
    ) -> Result<KeyedToken<'t>, TokenError> {
        let algorithm = self
            .header
            .algorithm()
            .and_then(Algorithm::parse)
            .filter(|algorithm| rules.algorithms.contains(*algorithm))
            .ok_or(TokenError::AlgorithmNotAllowed)?;
        probe.passed(TokenCheck::Algorithm(algorithm));
        if !rules.token_types.allow(self.header.token_type()) {
            return Err(TokenError::TypeNotAllowed);
        }
        probe.passed(TokenCheck::Type(self.header.token_type()));
        let key = Arc::clone(keys.choose(self.header.key_hint(), algorithm)?);
        probe.passed(TokenCheck::Key(&key));
        Ok(KeyedToken {
            token: self,
            algorithm,
            key,
        })
    }
}

// === impl KeyedToken ===

impl<'t> KeyedToken<'t> {
    /// The CPU time that the check of the signature takes, nominally.
    pub fn price(&self) -> Duration {
        self.key.check_price(self.algorithm)
    }

    /// The rest of the checks: signature, issuer, lifetime, profile, audience. `audience_accepted` is asked last, with the
    /// token's audience: whether anybody here may accept it. An audience that depends on who is calling is judged once
    /// more when that is known.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn verify(
        self,
        rules: &Rules,
        now: UnixTime,
        audience_accepted: impl FnOnce(Audience<'_>) -> bool,
        probe: &mut impl Probe,
    ) -> Result<VerifiedToken<'t>, TokenError> {
        let Self {
            token,
            algorithm,
            key,
        } = self;
        probe.signature_begins();
        let signature = key.verify(algorithm, token.parts.signed, token.parts.signature);
        probe.signature_ends(algorithm);
        signature?;
        // The keys are this issuer's; the token must be, too (RFC 8725 section 3.8).
        if token.claimed_issuer()? != &*rules.issuer {
            return Err(TokenError::IssuerUnknown);
        }
        probe.passed(TokenCheck::Signature);
        let window = claims::judge(&token.claims, rules, now)?;
        probe.passed(TokenCheck::Times {
            from: window.from,
            until: window.until,
        });
        let audience = claims::audience(&token.claims)?;
        rules.profile.judge(&token.claims)?;
        if !audience_accepted(audience) {
            return Err(match audience {
                Audience::Absent => TokenError::AudienceMissing,
                Audience::One(_) | Audience::Many(_) => TokenError::AudienceMismatch,
            });
        }
        probe.passed(TokenCheck::Audience(&key));
        let hint = token.header.key_hint().to_owned();
        Ok(VerifiedToken {
            claims: token.claims,
            algorithm,
            hint,
            key,
            window,
        })
    }
}

// === impl VerifiedToken ===

impl<'t> VerifiedToken<'t> {
    /// The claims.
    pub const fn claims(&self) -> &Object<'t> {
        &self.claims
    }

    /// The key that signed.
    pub const fn key(&self) -> &Arc<Key> {
        &self.key
    }

    /// The algorithm of the signature.
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// How the token names its key.
    pub const fn key_hint(&self) -> KeyHint<'_> {
        self.hint.borrow()
    }

    /// The first moment at which its times are good.
    pub const fn good_from(&self) -> UnixTime {
        self.window.from
    }

    /// The first moment at which they are good no longer.
    pub const fn good_until(&self) -> UnixTime {
        self.window.until
    }

    /// When it was issued, if it says so: `iat`.
    pub const fn issued_at(&self) -> Option<UnixTime> {
        self.window.issued
    }

    /// The audience, well formed.
    pub fn audience(&self) -> Audience<'_> {
        claims::audience(&self.claims).unwrap_or(Audience::Absent)
    }
}
