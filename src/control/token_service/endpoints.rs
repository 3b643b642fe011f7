//! The endpoints that give out tokens.
//! Each finds out who asks before it looks at what is asked for: strangers learn nothing of what there is.

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use serde_json::{Map, json};

use super::answer::{Answer, Fault};
use super::identify::{Identified, identify};
use super::who::Asked;
use crate::issuing::{CustomRequest, Form, Grant, Refusal};

/// `POST /token` (RFC 6749 section 4.4).
pub(super) fn client_credentials(asked: &Asked) -> Result<Answer, Fault> {
    asked.issuing()?;
    let form = asked.form()?;
    match form.get("grant_type") {
        None => return Err(Refusal::InvalidRequest("grant_type is missing").into()),
        Some("client_credentials") => {}
        Some(_) => return Err(Refusal::UnsupportedGrantType.into()),
    }
    let (client, client_id) = asked.client(&form)?;
    let grant = Grant {
        subject: client.application.as_str(),
        application: &client.application,
        client_id: Some(client_id),
        scope: client.scope(form.get("scope"))?,
        custom: Map::new(),
    };
    give(asked, grant)
}

/// `GET /token?app_id=`: for a user, by Basic.
pub(super) fn of_user(asked: &Asked) -> Result<Answer, Fault> {
    let issuing = asked.issuing()?;
    let query = Form::parse(asked.query.as_bytes())?;
    if !asked.body.is_empty() {
        return Err(Refusal::InvalidRequest("a request of this method has no body").into());
    }
    let user = asked.user()?;
    let application = match (query.get("app_id"), user.applications.as_slice()) {
        (Some(id), own) => own
            .iter()
            .find(|own| own.as_str() == id)
            .ok_or(Refusal::UnauthorizedClient(
                "the user may not ask for tokens of this application",
            ))?,
        (None, [only]) => only,
        (None, _) => return Err(Refusal::ApplicationAmbiguous.into()),
    };
    let client = issuing.clients.of(application).ok_or(Refusal::InvalidClient)?;
    asked.judge_standing(client)?;
    let grant = Grant {
        subject: &user.name,
        application,
        client_id: client.client_ids.first().map(|id| &**id),
        scope: client.scope(query.get("scope"))?,
        custom: Map::new(),
    };
    give(asked, grant)
}

/// `POST /token/custom`: with claims of the application's own.
pub(super) fn custom(asked: &Asked) -> Result<Answer, Fault> {
    let issuing = asked.issuing()?;
    let Some(allowed) = &issuing.custom_claims else {
        let what = "tokens with claims of one's own are not configured (`custom_claims`)";
        return Err(Refusal::NotConfigured(what).into());
    };
    asked.has_type("application/json", "the body must be JSON")?;
    // Who it is comes first: strangers learn nothing of what may be asked for.
    let Identified {
        application,
        client_id,
        scopes,
    } = identify(asked)?;
    let request = CustomRequest::parse(&asked.body, allowed)?;
    // Claims by which applications are found would make the token another one's.
    let names = asked.service.api.index.claim_names();
    if names
        .names()
        .iter()
        .any(|name| request.claims.contains_key(&**name))
    {
        let what = "claimsSet holds a claim by which applications are told apart";
        return Err(Refusal::ClaimRefused(what).into());
    }
    let scope = match (scopes, request.scope.as_deref()) {
        (Some(client), asked) => client.scope(asked)?,
        (None, None) => String::new(),
        (None, Some(_)) => return Err(Refusal::InvalidScope.into()),
    };
    let grant = Grant {
        subject: application.as_str(),
        application: &application,
        client_id: client_id.as_deref(),
        scope,
        custom: request.claims,
    };
    give(asked, grant)
}

/// Signs it, answers with it (RFC 6749 section 5.1), and has it in the log, without the token.
fn give(asked: &Asked, grant: Grant<'_>) -> Result<Answer, Fault> {
    let mut id = [0; 16];
    SystemRandom::new().fill(&mut id).map_err(|_| Fault::Failed)?;
    let (application, subject) = (grant.application.clone(), grant.subject.to_owned());
    let issued = asked.issuing()?.issue(grant, id, asked.now)?;
    tracing::info!(
        event = "token_issued",
        endpoint = asked.endpoint,
        %application,
        subject,
        jti = issued.id,
        kid = &*issued.kid,
        scope = issued.scope,
        expires_in = issued.expires_in,
        peer = asked.client.map(tracing::field::display),
        "a token was issued"
    );
    let mut body = json!({
        "access_token": issued.token,
        "token_type": "Bearer",
        "expires_in": issued.expires_in,
    });
    if let (false, Some(members)) = (issued.scope.is_empty(), body.as_object_mut()) {
        members.insert("scope".to_owned(), issued.scope.into());
    }
    Ok(Answer::Json(body))
}
