//! Which application it is that asks for a token with claims of its own: by its API key, its client secret, or a token of
//! another issuer. By one of them: two could be two applications.

use http::header::HeaderName;

use super::who::Asked;
use crate::id::ApplicationId;
use crate::identity::Identity;
use crate::issuer::ListSource;
use crate::issuing::{Authorization, Client, CustomIssuer, Form, Refusal};
use crate::revocation::{Holder, Marks};
use crate::subscription::{Application, SubscriptionError};
use crate::token::json::Value;
use crate::token::{Scratch, UnverifiedToken, VerifiedToken};

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Who asks.
pub(super) struct Identified<'a> {
    pub(super) application: ApplicationId,
    /// How our plans will know it.
    pub(super) client_id: Option<String>,
    /// What it may have; nothing, if it lives at run time.
    pub(super) scopes: Option<&'a Client>,
}

pub(super) fn identify(asked: &Asked) -> Result<Identified<'_>, Refusal> {
    let key = asked.only(&X_API_KEY)?;
    match (asked.authorization()?, key) {
        (Some(_), Some(_)) => Err(Refusal::InvalidRequest("credentials are in two places")),
        (Some(basic @ Authorization::Basic(_)), None) => by_secret(asked, basic),
        (Some(Authorization::Bearer(token)), None) => by_token(asked, &token),
        (None, Some(key)) => by_key(asked, key.to_str().map_err(|_| Refusal::InvalidClient)?),
        (None, None) => Err(Refusal::InvalidClient),
    }
}

fn by_secret(asked: &Asked, basic: Authorization) -> Result<Identified<'_>, Refusal> {
    let issuing = asked.issuing()?;
    if !issuing.clients.have_secrets() {
        return Err(Refusal::InvalidClient);
    }
    let shown = Form::default().client(Some(basic))?;
    let (client, id) = asked.authenticated(issuing, &shown)?;
    Ok(Identified {
        application: client.application.clone(),
        client_id: Some(id.to_owned()),
        scopes: Some(client),
    })
}

fn by_key<'a>(asked: &'a Asked, key: &str) -> Result<Identified<'a>, Refusal> {
    let attempt = asked.attempt(None)?;
    let found = asked.service.api.index.api_key(key, asked.now);
    let (_, application) = found.map_err(|_| Refusal::InvalidClient)?;
    attempt.succeeded();
    of(asked, &application)
}

/// By the rules of its issuer, as a request with it would be judged.
fn by_token<'a>(asked: &'a Asked, token: &str) -> Result<Identified<'a>, Refusal> {
    let attempt = asked.attempt(None)?;
    let refused = Refusal::InvalidClient;
    let mut scratch = Scratch::default();
    let unverified = UnverifiedToken::parse(token, &mut scratch).map_err(|_| refused)?;
    let name = unverified.claimed_issuer().map_err(|_| refused)?;
    let mut issuers = asked.issuing()?.custom_issuers.iter();
    let issuer = issuers
        .find(|own| own.issuer.name.as_str() == name)
        .ok_or(refused)?;
    // Without keys nobody has failed, and nobody is let in.
    let keys = issuer.issuer.keys(asked.now);
    let Some(keys) = keys.as_ref().and_then(|keys| keys.set()) else {
        attempt.succeeded();
        return Err(Refusal::Busy);
    };
    let accepts = |audience: crate::token::Audience<'_>| issuer.audiences.accept(audience, || false);
    let rules = &issuer.issuer.rules;
    let verified = unverified
        .verify(rules, keys, asked.now, accepts, &mut ())
        .map_err(|_| refused)?;
    let index = &asked.service.api.index;
    let names = index.claim_names();
    let identity = issuer
        .mapping
        .apply(&issuer.issuer.name, &verified, names.names())
        .map_err(|_| refused)?;
    if is_taken_back(asked, issuer, &verified, &identity)? {
        return Err(refused);
    }
    attempt.succeeded();
    let client_id = identity.client_id.as_deref();
    let found = index.identify(name_of(issuer), client_id, &names, |place| identity.asked(place));
    match found {
        Ok(Some(application)) => of(asked, &application),
        Ok(None) => Err(Refusal::UnauthorizedClient("the token stands for no application")),
        Err(SubscriptionError::ApplicationAmbiguous) => Err(Refusal::ApplicationAmbiguous),
        Err(_) => Err(Refusal::UnauthorizedClient("the application is suspended")),
    }
}

/// Whether an operator or the issuer has taken the token back; it is asked here as for a request.
fn is_taken_back(
    asked: &Asked,
    issuer: &CustomIssuer,
    token: &VerifiedToken<'_>,
    identity: &Identity,
) -> Result<bool, Refusal> {
    let revocations = &asked.service.api.revocations;
    let claims = token.claims();
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let number = claims.get("jti").and_then(|jti| match jti {
        Value::Number(jti) => Some(jti.to_string()),
        _ => None,
    });
    let name = name_of(issuer);
    let jti = text("jti").or(number.as_deref());
    let marks = Marks::new(revocations.key(), name, jti, text("sub"), token.issued_at());
    let holder = || Holder {
        issuer: name,
        subject: identity.subject.as_deref(),
        client: identity.client_id.as_deref(),
        key_id: token.key().kid(),
    };
    if marks.judge(revocations, holder).is_err() {
        return Ok(true);
    }
    let Some(ListSource { list, when, .. }) = issuer.issuer.revocations.as_deref() else {
        return Ok(false);
    };
    let judged = marks.judge_list(list, *when, revocations.key(), asked.now, holder);
    Ok(judged.map_err(|_| Refusal::Busy)?.is_err())
}

fn name_of(issuer: &CustomIssuer) -> &str {
    issuer.issuer.name.as_str()
}

fn of<'a>(asked: &'a Asked, application: &Application) -> Result<Identified<'a>, Refusal> {
    application
        .in_good_standing()
        .map_err(|_| Refusal::UnauthorizedClient("the application is suspended"))?;
    let client = asked.issuing()?.clients.of(&application.id);
    let id = client.and_then(|client| client.client_ids.first());
    Ok(Identified {
        application: application.id.clone(),
        client_id: id.map(ToString::to_string),
        scopes: client,
    })
}
