//! The registered claims (RFC 7519 section 4.1), judged against one issuer's rules at one moment.
//! The present time is an argument; what is no number of seconds or no audience is refused, never repaired.

use std::time::Duration;

use super::error::TokenError;
use super::json::{Object, Value};
use super::rules::Rules;
use crate::time::UnixTime;

/// Beyond 2^53 a double no longer tells one second from the next; no calendar goes there either.
const SECONDS_MAX: f64 = 9_007_199_254_740_992.0;

/// More audiences are refused: a token for everybody is for nobody.
const AUDIENCES_MAX: usize = 64;

/// A token's `aud` (RFC 7519 section 4.1.3).
#[derive(Debug, Clone, Copy)]
pub enum Audience<'a> {
    /// No `aud`.
    Absent,
    /// One string.
    One(&'a str),
    /// An array that holds strings only.
    Many(&'a [Value<'a>]),
}

/// The same, free of the token.
#[derive(Debug, Clone)]
pub enum OwnedAudience {
    /// No `aud`.
    Absent,
    /// One string.
    One(Box<str>),
    /// Strings only.
    Many(Vec<Value<'static>>),
}

/// From when until when a token is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    /// The first moment: the later of `nbf` and `iat`, less the leeway.
    pub(super) from: UnixTime,
    /// The first moment at which it is good no longer: `exp` and the leeway.
    pub(super) until: UnixTime,
    /// When it was issued, if it says so.
    pub(super) issued: Option<UnixTime>,
}

/// Times and required claims, in the order of RFC 7519's sections; the first failure answers. What is
/// returned is when the same claims would pass again.
pub(super) fn judge(claims: &Object<'_>, rules: &Rules, now: UnixTime) -> Result<Window, TokenError> {
    let leeway = rules.leeway;
    let expires = numeric_date(claims, "exp")?.ok_or(TokenError::ExpirationMissing)?;
    let not_before = numeric_date(claims, "nbf")?;
    let issued = numeric_date(claims, "iat")?;
    if now >= expires.plus(leeway) {
        return Err(TokenError::Expired);
    }
    if not_before.is_some_and(|not_before| now < not_before.minus(leeway)) {
        return Err(TokenError::NotYetValid);
    }
    if issued.is_some_and(|issued| issued > now.plus(leeway)) {
        return Err(TokenError::IssuedInFuture);
    }
    if let Some(max) = rules.max_lifetime {
        lifetime_within(max, issued, expires)?;
    }
    for name in &rules.required_claims {
        if matches!(claims.get(name), None | Some(Value::Null)) {
            return Err(TokenError::ClaimMissing);
        }
    }
    // RFC 7800: the token is for the holder of a key. Taking it without the proof would make it a bearer token.
    if claims.get("cnf").is_some() {
        return Err(TokenError::ProofMissing);
    }
    let first = [not_before, issued].into_iter().flatten().max();
    let from = first.map_or(UnixTime::from_millis(i64::MIN), |first| first.minus(leeway));
    Ok(Window {
        from,
        until: expires.plus(leeway),
        issued,
    })
}

/// The token's audience.
pub(super) fn audience<'a>(claims: &'a Object<'_>) -> Result<Audience<'a>, TokenError> {
    match claims.get("aud") {
        None => Ok(Audience::Absent),
        Some(Value::String(one)) => Ok(Audience::One(one)),
        Some(Value::Array(many))
            if many.len() <= AUDIENCES_MAX && many.iter().all(|member| member.as_str().is_some()) =>
        {
            Ok(Audience::Many(many))
        }
        Some(_) => Err(TokenError::AudienceMalformed),
    }
}

// === impl Audience ===

impl Audience<'_> {
    /// Whether this is one of them, byte for byte.
    pub fn names(self, audience: &str) -> bool {
        match self {
            Audience::Absent => false,
            Audience::One(one) => one == audience,
            Audience::Many(many) => many.iter().any(|one| one.as_str() == Some(audience)),
        }
    }

    /// Free of the token.
    pub fn to_owned(self) -> OwnedAudience {
        match self {
            Audience::Absent => OwnedAudience::Absent,
            Audience::One(one) => OwnedAudience::One(one.into()),
            Audience::Many(many) => OwnedAudience::Many(many.iter().map(Value::to_static).collect()),
        }
    }
}

// === impl OwnedAudience ===

impl OwnedAudience {
    /// To be judged.
    pub fn borrow(&self) -> Audience<'_> {
        match self {
            Self::Absent => Audience::Absent,
            Self::One(one) => Audience::One(one),
            Self::Many(many) => Audience::Many(many),
        }
    }
}

pub(super) fn lifetime_within(
    max: Duration,
    issued: Option<UnixTime>,
    expires: UnixTime,
) -> Result<(), TokenError> {
    let issued = issued.ok_or(TokenError::ClaimMissing)?;
    if expires.since(issued) > max {
        Err(TokenError::LifetimeTooLong)
    } else {
        Ok(())
    }
}

/// Integers and decimals from 0 to 2^53 seconds (RFC 7519 section 2, NumericDate), to the millisecond.
pub(super) fn numeric_date(claims: &Object<'_>, name: &str) -> Result<Option<UnixTime>, TokenError> {
    let number = match claims.get(name) {
        None => return Ok(None),
        Some(Value::Number(number)) => number,
        Some(_) => return Err(TokenError::TimeMalformed),
    };
    if let Some(seconds) = number.as_i64() {
        return if (0..=SECONDS_MAX as i64).contains(&seconds) {
            Ok(Some(UnixTime::from_seconds(seconds)))
        } else {
            Err(TokenError::TimeMalformed)
        };
    }
    match number.as_f64() {
        Some(seconds) if (0.0..=SECONDS_MAX).contains(&seconds) =>
        {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "at most 2^53 * 1000, which an i64 holds"
            )]
            Ok(Some(UnixTime::from_millis((seconds * 1000.0).floor() as i64)))
        }
        _ => Err(TokenError::TimeMalformed),
    }
}
