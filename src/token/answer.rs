//! What an issuer answers when it is asked about a token (RFC 7662): its form, and then its claims, judged as those of a
//! signed token are.
//!
//! The form is judged once, when the answer comes: an answer that is not clear is none, and nothing is concluded from it.
//! The claims are judged against the issuer's rules at the moment of a request, so a changed rule bites on the next one.
//! RFC 7662 leaves every member but `active` to the issuer. What is absent is therefore not refused unless an operator
//! asks for it; what is there must be right.

use std::time::Duration;

use super::claims::{self, Audience, numeric_date};
use super::error::TokenError;
use super::json::{JsonError, Object, Value, parse_object};
use super::jws::TOKEN_BYTES_MAX;
use super::rules::Rules;
use super::verify::{Probe, TokenCheck};
use crate::time::UnixTime;

/// The longest answer: four times the longest token. Real ones have less than 1 KiB.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// So long an answer serves those who wait for it, whatever it says of its end.
pub const ANSWER_SERVES: Duration = Duration::from_secs(1);

/// The kind of token that whoever bears it may use (RFC 6750).
const BEARER: &str = "bearer";

/// What some servers call a token that is there to be shown to an API, in members that RFC 7662 does not know.
const USES: [(&str, &[&str]); 2] = [
    ("token_use", &["access_token", "access"]),
    ("typ", &["bearer", "jwt", "at+jwt"]),
];

/// Why an answer says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// No JSON object, or one that is nested too deep.
    #[error("is not one JSON object")]
    Json,
    /// A member is there twice: two readers might read two things.
    #[error("has a member twice")]
    Duplicate,
    /// `active` is absent or no boolean (RFC 7662 section 2.2).
    #[error("does not say in `active` whether the token is active")]
    Active,
}

/// What an operator says of an issuer's answers, beside its rules for tokens.
#[derive(Debug, Clone, Copy)]
pub struct AnswerTerms<'r> {
    /// Members that must be there and not null.
    pub required: &'r [Box<str>],
    /// When the answer came.
    pub received_at: UnixTime,
    /// How long it counts at the most.
    pub ttl: Duration,
}

/// Claims that the issuer has vouched for by its answer.
///
/// There is no public constructor: holding one *is* the evidence that [`judge_answer`] succeeded.
#[derive(Debug)]
pub struct AnsweredToken<'a> {
    claims: Object<'a>,
    from: UnixTime,
    until: UnixTime,
    issued: Option<UnixTime>,
}

/// Whether an opaque token is written as RFC 6750 section 2.1 has it, so that it is worth asking about.
///
/// # Errors
/// [`TokenError::TooLong`] and [`TokenError::Characters`].
pub fn judge_opaque(token: &str) -> Result<(), TokenError> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(TokenError::TooLong);
    }
    let word = token.trim_end_matches('=');
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    match !word.is_empty() && word.bytes().all(is_good) {
        true => Ok(()),
        false => Err(TokenError::Characters),
    }
}

/// Whether a text could be a signed token: three parts. It says nothing about what is in them.
pub fn has_three_parts(token: &str) -> bool {
    token.bytes().filter(|byte| *byte == b'.').count() == 2
}

/// Until when an answer counts that came at this moment; nothing if it says that its token is not active.
///
/// # Errors
/// See [`AnswerError`].
pub fn read_answer(
    body: &[u8],
    received_at: UnixTime,
    ttl: Duration,
) -> Result<Option<UnixTime>, AnswerError> {
    let answer = parse_object(body).map_err(|error| match error {
        JsonError::Syntax | JsonError::TooDeep => AnswerError::Json,
        JsonError::Duplicate => AnswerError::Duplicate,
    })?;
    match answer.get("active") {
        Some(Value::Bool(false)) => Ok(None),
        Some(Value::Bool(true)) => {
            // One that is no number makes no good token; until then it is an answer.
            let expires = numeric_date(&answer, "exp").unwrap_or_default();
            Ok(Some(counts_until(expires, received_at, ttl)))
        }
        _ => Err(AnswerError::Active),
    }
}

/// Judges the claims of an answer. `audience_accepted` is asked last, as for a signed token.
///
/// # Errors
/// The first check that fails.
pub fn judge_answer<'a>(
    body: &'a [u8],
    rules: &Rules,
    terms: AnswerTerms<'_>,
    now: UnixTime,
    audience_accepted: impl FnOnce(Audience<'_>) -> bool,
    probe: &mut impl Probe,
) -> Result<AnsweredToken<'a>, TokenError> {
    let claims = parse_object(body).map_err(|_| TokenError::ClaimsJson)?;
    if claims.get("active") != Some(&Value::Bool(true)) {
        return Err(TokenError::Inactive);
    }
    // Another issuer's token is for its plans (RFC 8725 section 3.8), if this server knows it or not.
    match claims.get("iss") {
        None => {}
        Some(Value::String(issuer)) if **issuer == *rules.issuer => {}
        Some(_) => return Err(TokenError::IssuerUnknown),
    }
    of_use(&claims)?;
    let (from, until) = times(&claims, rules, terms, now)?;
    probe.passed(TokenCheck::Times { from, until });
    if !audience_accepted(claims::audience(&claims)?) {
        return Err(match claims.get("aud") {
            None => TokenError::AudienceMissing,
            Some(_) => TokenError::AudienceMismatch,
        });
    }
    let issued = numeric_date(&claims, "iat")?;
    Ok(AnsweredToken {
        claims,
        from,
        until,
        issued,
    })
}

/// A token that is no bearer's, or one that is there to get others with: a refresh token is active, too.
fn of_use(claims: &Object<'_>) -> Result<(), TokenError> {
    let is_one_of = |value: &Value<'_>, words: &[&str]| {
        let text = value.as_str();
        text.is_some_and(|text| words.iter().any(|word| word.eq_ignore_ascii_case(text)))
    };
    let refused = |name: &str, words: &[&str]| claims.get(name).is_some_and(|value| !is_one_of(value, words));
    if refused("token_type", &[BEARER]) || USES.iter().any(|(name, words)| refused(name, words)) {
        return Err(TokenError::TypeNotAllowed);
    }
    Ok(())
}

/// From when until when the answer counts.
fn times(
    claims: &Object<'_>,
    rules: &Rules,
    terms: AnswerTerms<'_>,
    now: UnixTime,
) -> Result<(UnixTime, UnixTime), TokenError> {
    let AnswerTerms {
        required,
        received_at,
        ttl,
    } = terms;
    let leeway = rules.leeway;
    let expires = numeric_date(claims, "exp")?;
    let not_before = numeric_date(claims, "nbf")?;
    let issued = numeric_date(claims, "iat")?;
    if expires.is_some_and(|expires| now >= expires.plus(leeway)) {
        return Err(TokenError::Expired);
    }
    if not_before.is_some_and(|not_before| now < not_before.minus(leeway)) {
        return Err(TokenError::NotYetValid);
    }
    if issued.is_some_and(|issued| issued > now.plus(leeway)) {
        return Err(TokenError::IssuedInFuture);
    }
    if let Some(max) = rules.max_lifetime {
        let expires = expires.ok_or(TokenError::ExpirationMissing)?;
        claims::lifetime_within(max, issued, expires)?;
    }
    let absent = |name: &str| matches!(claims.get(name), None | Some(Value::Null));
    if required.iter().any(|name| absent(name)) {
        return Err(TokenError::ClaimMissing);
    }
    // RFC 7800: the token is for the holder of a key. Taking it without the proof would make it a bearer token.
    if claims.get("cnf").is_some() {
        return Err(TokenError::ProofMissing);
    }
    let first = [not_before, issued].into_iter().flatten().max();
    let from = first.map_or(UnixTime::from_millis(i64::MIN), |first| first.minus(leeway));
    Ok((from, counts_until(expires, received_at, ttl)))
}

/// Until when an answer counts: until the token's end, but not longer than it is kept.
fn counts_until(expires: Option<UnixTime>, received_at: UnixTime, ttl: Duration) -> UnixTime {
    let kept = received_at.plus(ttl);
    expires.map_or(kept, |expires| {
        expires.max(received_at.plus(ANSWER_SERVES)).min(kept)
    })
}

// === impl AnsweredToken ===

impl<'a> AnsweredToken<'a> {
    /// The members of the answer.
    pub const fn claims(&self) -> &Object<'a> {
        &self.claims
    }

    /// The audience, well formed.
    pub fn audience(&self) -> Audience<'_> {
        claims::audience(&self.claims).unwrap_or(Audience::Absent)
    }

    /// The first moment at which its times are good.
    pub const fn good_from(&self) -> UnixTime {
        self.from
    }

    /// When it was issued, if it says so: `iat`.
    pub const fn issued_at(&self) -> Option<UnixTime> {
        self.issued
    }

    /// The first moment at which they are good no longer, or at which the issuer is asked again.
    pub const fn good_until(&self) -> UnixTime {
        self.until
    }
}

#[cfg(test)]
mod tests;
