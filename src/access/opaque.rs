//! Tokens that their issuer is asked about (RFC 7662), in a decision that never waits.
//!
//! What is said of a token was said before the decision began, or it is not there. Then the decision ends with what must
//! be asked ([`Inquiry`]), and whoever can wait asks and decides again. What an answer makes of a token is remembered as
//! what a signature makes of one, beside those, and costs as little the next time.
//!
//! Where an API has plans of both kinds, what looks like a signed token and names an issuer of which a plan takes signed
//! tokens is verified here. Every other token is shown to the one issuer that is asked.

use std::net::IpAddr;
use std::sync::Arc;

use super::{
    Authentic, CacheResult, Cause, DataPlane, Denial, Fact, Found, Observer, REMEMBERED_WEIGHT_MAX, Stage,
    Verdict, any_plan_may_accept, at_its_place, revoked, tick,
};
use crate::api::Accepted;
use crate::credential::Bearer;
use crate::issuer::{Active, Answer, Inquiry, Introspection};
use crate::limit::INTROSPECTION_PRICE;
use crate::secret::Secret;
use crate::token::{
    Scratch, TokenDigest, TokenError, UnverifiedToken, has_three_parts, judge_answer, judge_opaque,
};

/// The plans that take the token if its issuer is asked; nothing if it is to be verified here.
pub(super) fn asked<'p>(
    plane: &DataPlane<'_>,
    found: &Found<'p>,
    bearer: &Bearer<'_>,
) -> Option<&'p Accepted> {
    let accepted = found.api.plans.introspected(found.now)?;
    match found.api.plans.take_signed(found.now) && is_signed(plane, found, &bearer.token) {
        true => None,
        false => Some(accepted),
    }
}

/// Whether the token looks like a signed one of an issuer whose signed tokens a plan takes.
fn is_signed(plane: &DataPlane<'_>, found: &Found<'_>, token: &str) -> bool {
    if !has_three_parts(token) {
        return false;
    }
    let is_taken = |issuer: &str| found.api.plans.for_issuer(issuer, found.now).is_some();
    // Whose a token is that was verified here before need not be read again.
    if let Some(hit) = plane.verdicts.get(&TokenDigest::of(token), tick(found.now))
        && let Some(verdict) = hit.value()
    {
        return is_taken(verdict.issuer().as_str());
    }
    let mut scratch = Scratch::default();
    let Ok(token) = UnverifiedToken::parse(token, &mut scratch) else {
        return false;
    };
    token.claimed_issuer().is_ok_and(is_taken)
}

/// Stages 4 and 5 for such a token.
pub(super) fn authenticate<'p>(
    plane: &DataPlane<'p>,
    found: &Found<'p>,
    accepted: &'p Accepted,
    bearer: &Bearer<'_>,
    client: Option<IpAddr>,
    observer: &mut impl Observer,
) -> Result<Authentic<'p>, Box<Denial>> {
    let now = found.now;
    let issuer = &accepted.issuer;
    let denied = |error| Denial::new(Cause::Token(error)).at(found.api).by(issuer);
    observer.issuer(issuer);
    at_its_place(found, accepted, bearer)?;
    judge_opaque(&bearer.token).map_err(denied)?;
    // It is not among such plans without.
    let Some(introspection) = &issuer.introspection else {
        return Err(denied(TokenError::IssuerUnknown));
    };
    let digest = introspection.digest(&bearer.token);
    let tick = tick(now);
    let mut cached = CacheResult::Miss;
    if let Some(hit) = plane.verdicts.get(&digest, tick)
        && let Some(verdict) = hit.value()
    {
        let names = plane.index.claim_names();
        if verdict.answer_still_good(accepted, &names, now)
            && any_plan_may_accept(accepted, bearer, verdict.audience.borrow(), now)
        {
            observer.cache(CacheResult::Hit);
            observer.stage(Stage::Token);
            return Ok(Authentic {
                accepted,
                verdict: Arc::clone(verdict),
                key: None,
            });
        }
        cached = CacheResult::Stale;
    }
    let answer = introspection.answers.get(&digest, now);
    observer.found(Fact::Answer {
        issuer,
        answer: answer.as_ref(),
    });
    let answer = match answer {
        Some(Answer::Active(answer)) => answer,
        Some(Answer::Inactive { .. }) => {
            observer.cache(cached);
            return Err(denied(TokenError::Inactive));
        }
        None => return Err(unanswered(plane, found, accepted, bearer, digest, client)),
    };
    observer.cache(cached);
    let verdict = judge(plane, found, accepted, introspection, &answer, bearer, observer)?;
    if verdict.identity.weight() <= REMEMBERED_WEIGHT_MAX {
        plane
            .verdicts
            .insert(digest, Arc::clone(&verdict), tick, |verdict| verdict.is_over(now));
    }
    Ok(Authentic {
        accepted,
        verdict,
        key: None,
    })
}

/// Nothing is known of the token: that is said with what would have to be asked, unless its source has shown too many
/// that were nothing.
fn unanswered(
    plane: &DataPlane<'_>,
    found: &Found<'_>,
    accepted: &Accepted,
    bearer: &Bearer<'_>,
    digest: TokenDigest,
    client: Option<IpAddr>,
) -> Box<Denial> {
    let budget = &plane.snapshot.forgery_budget;
    let admitted = plane
        .forgeries
        .admit(budget, client, INTROSPECTION_PRICE, found.now);
    let cause = match admitted {
        Err(overdrawn) => Cause::VerificationOverloaded(overdrawn),
        Ok(()) => Cause::IntrospectionUnavailable(Arc::new(Inquiry {
            issuer: Arc::clone(&accepted.issuer),
            digest,
            token: Secret::new(bearer.token.as_ref().into()),
            client,
        })),
    };
    Denial::new(cause).at(found.api).by(&accepted.issuer)
}

/// The answer, against the issuer's rules, and then who is calling.
fn judge(
    plane: &DataPlane<'_>,
    found: &Found<'_>,
    accepted: &Accepted,
    introspection: &Introspection,
    answer: &Active,
    bearer: &Bearer<'_>,
    observer: &mut impl Observer,
) -> Result<Arc<Verdict>, Box<Denial>> {
    let issuer = &accepted.issuer;
    let token = judge_answer(
        &answer.body,
        &issuer.rules,
        introspection.terms(answer),
        found.now,
        |audience| any_plan_may_accept(accepted, bearer, audience, found.now),
        observer,
    );
    let token = token.map_err(|error| Denial::new(Cause::Token(error)).at(found.api).by(issuer))?;
    observer.stage(Stage::Token);
    let names = Arc::clone(&plane.index.claim_names());
    let identity = accepted.mapping.apply(&issuer.name, &token, names.names());
    let identity = identity.map_err(|error| Denial::new(Cause::Identity(error)).at(found.api).by(issuer))?;
    let marks = revoked::marks(plane, &token, &identity);
    Ok(Arc::new(Verdict::of_answer(
        &token,
        Arc::new(identity),
        names,
        accepted,
        marks,
    )))
}
