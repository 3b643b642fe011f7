//! The endpoints to which a token is shown: what it says (RFC 7662), and that it is to be good no longer (RFC 7009).
//!
//! Both are for applications that prove who they are, and to both every token that is not good is the same: unknown.

use serde_json::{Map, Value, json};

use super::answer::{Answer, Fault};
use super::who::Asked;
use crate::control::registrar::{Actor, NewRevocation};
use crate::issuing::{Form, Refusal};
use crate::revocation::{Holder, Marks};
use crate::time::UnixTime;
use crate::token::{Scratch, UnverifiedToken};

/// A token of ours that is good.
struct Own {
    claims: Map<String, Value>,
    key: Box<str>,
}

/// `POST /introspect`
pub(super) fn introspect(asked: &Asked) -> Result<Answer, Fault> {
    asked.issuing()?;
    let form = asked.form()?;
    asked.client(&form)?;
    let Some(own) = own(asked, token(&form)?) else {
        return Ok(Answer::Json(json!({ "active": false })));
    };
    let mut body = own.claims;
    body.insert("active".to_owned(), true.into());
    body.insert("token_type".to_owned(), "Bearer".into());
    Ok(Answer::Json(Value::Object(body)))
}

/// `POST /revoke`: 200 also for what is unknown or over.
pub(super) fn revoke(asked: &Asked) -> Result<Answer, Fault> {
    let issuing = asked.issuing()?;
    let Some(registrar) = &asked.service.api.registrar else {
        return Err(Refusal::NotConfigured("tokens cannot be taken back here: there is no [state]").into());
    };
    let form = asked.form()?;
    let (client, _) = asked.client(&form)?;
    let Some(own) = own(asked, token(&form)?) else {
        return Ok(Answer::Nothing);
    };
    if own.text("app_id") != Some(client.application.as_str()) {
        let what = "the token was issued to another application";
        return Err(Refusal::UnauthorizedClient(what).into());
    }
    let taken = NewRevocation {
        issuer: issuing.issuer.as_str().to_owned(),
        jti: own.text("jti").map(ToOwned::to_owned),
        exp: own.claims.get("exp").and_then(Value::as_i64),
        subject: None,
        client: None,
        key_id: None,
        all: None,
        issued_before: None,
        expires_at: None,
    };
    let actor = Actor(format!("token_service:{}", client.application));
    registrar.revoke(&actor, &taken, None).map_err(|error| {
        tracing::error!(event = "token_not_revoked", %error, "a token could not be taken back");
        Fault::Refused(Refusal::Busy)
    })?;
    tracing::info!(
        event = "token_revoked",
        application = %client.application,
        jti = own.text("jti"),
        peer = asked.client.map(tracing::field::display),
        "a token was taken back"
    );
    Ok(Answer::Nothing)
}

/// The parameter; which kind of token it is (`token_type_hint`) is seen.
fn token(form: &Form) -> Result<&str, Refusal> {
    form.get("token")
        .ok_or(Refusal::InvalidRequest("token is missing"))
}

/// The token, if it is ours, good at this moment, not taken back, and its application may have tokens.
fn own(asked: &Asked, text: &str) -> Option<Own> {
    let issuing = asked.issuing().ok()?;
    let mut scratch = Scratch::default();
    let unverified = UnverifiedToken::parse(text, &mut scratch).ok()?;
    let verified = unverified
        .verify(&issuing.rules, issuing.keys.all(), asked.now, |_| true, &mut ())
        .ok()?;
    let key: Box<str> = verified.key().kid()?.into();
    issuing.keys.announced(asked.now).find(|own| *own.kid() == *key)?;
    let claims = serde_json::to_value(crate::token::json::Value::Object(verified.claims().clone())).ok()?;
    let Value::Object(claims) = claims else {
        return None;
    };
    let own = Own { claims, key };
    let revocations = &asked.service.api.revocations;
    let name = issuing.issuer.as_str();
    let issued_at = own.claims.get("iat")?.as_i64().map(UnixTime::from_seconds);
    let marks = Marks::new(revocations.key(), name, own.text("jti"), None, issued_at);
    let holder = || Holder {
        issuer: name,
        subject: own.text("sub"),
        client: own.text("azp"),
        key_id: Some(&own.key),
    };
    marks.judge(revocations, holder).ok()?;
    if let Some(client) = own.text("azp") {
        let known = asked
            .service
            .api
            .index
            .application(issuing.issuer.as_str(), client)?;
        let is_its = Some(known.id.as_str()) == own.text("app_id");
        (is_its && known.in_good_standing().is_ok()).then_some(())?;
    }
    Some(own)
}

// === impl Own ===

impl Own {
    fn text(&self, name: &str) -> Option<&str> {
        self.claims.get(name)?.as_str()
    }
}
